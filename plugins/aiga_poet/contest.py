"""Who does best where: one winner for each group of scored rows."""

from __future__ import annotations

import torch
from torch import Tensor

from aiga import Scores


def standing(scores: Scores) -> Tensor:
    """``[P]`` float64 on the host: fitness, ``-inf`` for failed rows, so that a failure never wins and always loses."""
    fitness = scores.fitness.cpu().double()
    return torch.where(scores.ok & ~fitness.isnan(), fitness, -torch.inf)


def best_of_each(value: Tensor, group: Tensor, count: int) -> Tensor:
    """``[count]`` int64: the row with the highest value in each group, the first of equals.

    Args:
        value: ``[P]`` float64; ``-inf`` never wins.
        group: ``[P]`` int64 in ``[0, count)``.
        count: number of groups.

    Returns:
        Row numbers; -1 for a group without a row above ``-inf``.
    """
    top = value.new_full((count,), -torch.inf).scatter_reduce(0, group, value, "amax")
    hit = torch.nonzero((value == top[group]) & (value > -torch.inf)).flatten()
    nobody = len(value)
    first = torch.full((count,), nobody, dtype=torch.int64).scatter_reduce(0, group[hit], hit, "amin")
    return torch.where(first == nobody, -1, first)
