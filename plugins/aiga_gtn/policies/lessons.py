"""How learners are taught to act, and how what becomes of them changes with what they were shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from aiga.data import flatten
from aiga_gtn import learners, seeing
from aiga_gtn.learners import Group
from aiga_gtn.outer import GRADIENT
from aiga_gtn.policies.teacher import Shown

LOSS = "after its lessons the loss of its lives is no finite number"


class Judged(NamedTuple):
    """What came of the lives of ``P`` learners.

    Attributes:
        losses: ``[P]``, differentiable in their leaves.
        fitness: ``[P]`` float64 on the host, means over their lives.
        failures: by row, why its answers are no numbers.
        cost: counted work.
    """

    losses: Tensor
    fitness: Tensor
    failures: dict[int, str]
    cost: Counter[str]


Judge = Callable[[Group, Tensor], Judged]
"""Learners and their leaves ``[P, D]``."""


class Outcome(NamedTuple):
    """What came of one outer step.

    Attributes:
        losses: ``[learners]`` float64; NaN where a learner failed.
        fitness: ``[learners]`` float64; NaN where a learner failed.
        slopes: of what was shown, the mean over the learners that did not fail; None where all did.
        failures: why a learner failed, by its number.
        cost: counted work.
    """

    losses: Tensor
    fitness: Tensor
    slopes: Shown | None
    failures: dict[int, str]
    cost: Counter[str]


def teach(group: Group, shown: Shown) -> Tensor:
    """``[P, D]``: the leaves of learners after the steps of SGD, settled; differentiable in what was shown.

    A learner's loss is the mean squared difference of what it answers and what it is asked for.

    Args:
        group: of ``P`` learners as they are born.
        shown: to each of them, ``[P, T, ...]``.
    """
    through, flat = torch.is_grad_enabled(), group.flat
    for x, y, rate in zip(shown.x.unbind(1), shown.y.unbind(1), shown.rate.unbind(1), strict=True):
        with torch.enable_grad():
            if not flat.requires_grad or not through:
                flat = flat.detach().requires_grad_()
            answer, _ = seeing.see(group.network, group.leaves(flat), x)
            error = (answer - y).square().flatten(1).mean(dim=1)
            # Learners share no leaves: the gradient of the sum is each one's own.
            (slope,) = torch.autograd.grad(error.sum(), flat, create_graph=through)
        flat = torch.addcmul(flat, rate[:, None], slope, value=-1.0)
    leaves = group.leaves(flat)
    # What was seen last is seen once more: the statistics that a learner keeps are those of the end.
    _, life = seeing.see(group.network, leaves, shown.x[:, -1])
    return flatten(seeing.settled(group.network, leaves, life))


def follow(shown: Shown, groups: Sequence[Group], judge: Judge) -> Outcome:
    """Teaches learners, lets them live, and follows their losses back to what they were shown.

    Whoever fails is left out, as if it had never been: a learner's slopes are its own until they are added up.

    Args:
        shown: the same to all.
        groups: of learners.
        judge: their lives.
    """
    total = learners.count(list(groups))
    each = Shown(*(part.detach().expand(total, *part.shape) for part in shown))
    slopes = Shown(*(torch.zeros_like(part) for part in each))
    losses, fitness = (torch.full((total,), torch.nan, dtype=torch.float64) for _ in range(2))
    failures, cost = dict[int, str](), Counter[str]()
    for group in groups:
        with torch.enable_grad():
            own = Shown(*(part[group.rows].requires_grad_() for part in each))
            judged = judge(group, teach(group, own))
            found = torch.autograd.grad(judged.losses.sum(), own, materialize_grads=True)
        cost.update(judged.cost)
        numbers, kept = group.rows.tolist(), judged.losses.detach().double().cpu()
        finite = torch.stack([part.isfinite().flatten(1).all(dim=1) for part in found]).all(dim=0).cpu()
        reasons = dict.fromkeys(torch.nonzero(~finite).flatten().tolist(), GRADIENT)
        reasons |= dict.fromkeys(torch.nonzero(~kept.isfinite()).flatten().tolist(), LOSS)
        failures |= {numbers[row]: reason for row, reason in (reasons | judged.failures).items()}
        losses[group.rows], fitness[group.rows] = kept, judged.fitness
        for whole, part in zip(slopes, found, strict=True):
            whole[group.rows] = part
    sound = torch.ones(total, dtype=torch.bool)
    sound[list(failures)] = False
    losses[~sound] = fitness[~sound] = torch.nan
    if not bool(sound.any()):
        return Outcome(losses, fitness, None, failures, cost)
    return Outcome(losses, fitness, Shown(*(part[sound].mean(dim=0) for part in slopes)), failures, cost)
