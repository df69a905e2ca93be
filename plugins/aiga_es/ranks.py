"""Fitness shaping: ranks keep of a fitness its order alone (Wierstra et al. 2014; Salimans et al. 2017)."""

from __future__ import annotations

import torch
from torch import Tensor


def centred_ranks(fitness: Tensor) -> Tensor:
    """Ranks from -0.5 (worst) to 0.5 (best), within each row; equal values share the average of their ranks.

    Args:
        fitness: ``[B, M]``, higher is better; NaN ranks below everything, with every other NaN.

    Returns:
        ``[B, M]`` float64; all zero where nothing in a row differs.
    """
    values = _worst_where_nan(fitness)
    ordered = values.sort(dim=1).values
    below = torch.searchsorted(ordered, values)
    upto = torch.searchsorted(ordered, values, right=True)
    count = values.shape[1]
    return (below + upto - count).double() / (2 * max(count - 1, 1))


def strict_ranks(fitness: Tensor) -> Tensor:
    """Ranks 0 (worst) to ``M - 1`` (best), within each row, all different: of equal values the first ranks best.

    Args:
        fitness: ``[B, M]``, higher is better; NaN ranks below everything.

    Returns:
        ``[B, M]`` float64, for rules that sort what they are told: no sort of distinct numbers can differ between machines.
    """
    values = _worst_where_nan(fitness)
    order = values.sort(dim=1, descending=True, stable=True).indices
    places = torch.arange(values.shape[1] - 1, -1, -1, device=values.device, dtype=torch.float64)
    return torch.empty_like(values).scatter_(1, order, places.expand_as(values))


def _worst_where_nan(fitness: Tensor) -> Tensor:
    fitness = fitness.double().contiguous()
    return torch.where(fitness.isnan(), -torch.inf, fitness)
