"""What lives of walkers have in common whatever the physics: pushes, courses, scores."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import torch
from torch import Tensor

from aiga import Pairs, Population, Scores, Status, Stream
from aiga.streams import derive
from aiga_walker.terrain import PUSH, Terrain, terrains

OBSERVATIONS: Final = 24
ACTIONS: Final = 4
CROWDED: Final = "the walker touches more pieces of ground at once than the simulator has room for"

_STREAM = Stream(derive("walker", "push", 1))


def pushes(seeds: Tensor) -> list[float]:
    """The start push of each episode seed, uniform between -5 and 5 N."""
    return _STREAM.rows(seeds).uniform(low=-PUSH, high=PUSH).tolist()


def grounds(envs: Population) -> list[Terrain]:
    """The terrain of every row."""
    return [terrain for _, batch in envs.parts() for terrain in terrains(batch)]


def courses_of(pairs: Pairs) -> tuple[list[Terrain], Tensor]:
    """The terrain of every course that a pair names, once, and ``[P]`` which of them is each pair's."""
    used, env = torch.unique(pairs.env, return_inverse=True)
    envs, where = pairs.envs.take(used)
    return grounds(envs), where[env]


def scores(total: Tensor, length: Tensor, finished: Tensor, lost: Tensor, void: Tensor, why: Callable[[int], str]) -> Scores:
    """What ``P`` lives came to; all tensors are ``[P]``, on one device.

    Args:
        total: float64, the return.
        length: int64, steps lived.
        finished: bool, whether the life ended past the finishing line.
        lost: bool, whether the physics gave up on it.
        void: bool, whether its last action was NaN.
        why: says of a row that is lost what happened to it.

    Returns:
        Scores with ``fitness`` (the return), ``length`` and ``finished``; lost rows failed as errors, void ones and returns
        that are no number as NaN.
    """
    fitness, length, lost, void = total.cpu().clone(), length.cpu(), lost.cpu(), void.cpu()
    status, reasons = torch.full(fitness.shape, int(Status.OK), dtype=torch.int64), dict[int, str]()
    for row in torch.nonzero(lost | void | fitness.isnan()).flatten().tolist():
        status[row] = int(Status.ERROR if lost[row] else Status.NAN)
        if lost[row]:
            reasons[row] = why(row)
        elif void[row]:
            reasons[row] = f"the action of step {int(length[row])} is not a number"
        else:
            reasons[row] = "the return is not a number"
    fitness[status != int(Status.OK)] = torch.nan
    columns = {"fitness": fitness, "length": length.double(), "finished": finished.cpu().double()}
    return Scores(columns, status, reasons, {"environment_steps": int(length.sum())})
