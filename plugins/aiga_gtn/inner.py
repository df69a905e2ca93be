"""A learner's life: steps of SGD on what a teacher shows, for all learners at once, differentiable to the second order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from aiga.data import flatten
from aiga_gtn import learners, seeing
from aiga_gtn.learners import Group
from aiga_gtn.lessons import Lesson
from aiga_gtn.replay import State, chain
from aiga_gtn.teacher import Taught, Teacher


class Watch:
    """Which learners' meta-gradients have come to what is no finite number.

    Attributes:
        sound: ``[learners]`` bool.
    """

    def __init__(self, learners: int, device: torch.device) -> None:
        self.sound = torch.ones(learners, dtype=torch.bool, device=device)


def teach(
    teacher: Teacher,
    lesson: Lesson,
    groups: Sequence[Group],
    *,
    block: int = 0,
    replay: bool = True,
    judged: tuple[Tensor, Tensor] | None = None,
    intermediate: int = 0,
    watch: Watch | None = None,
) -> tuple[list[Tensor], Tensor]:
    """What becomes of learners that are taught, and what they have lost on the way.

    Args:
        teacher: shows, and sets the pace.
        lesson: of the teacher's steps.
        groups: the learners as they are born.
        block: steps whose examples are made at once; 0 for all.
        replay: where there are several blocks, compute each again in the backward pass, and keep no graph.
        judged: real examples ``[learners, N, *shape]`` and labels ``[learners, N]``, for ``intermediate``.
        intermediate: steps after which the loss on these is added up; 0 for never.
        watch: is told of meta-gradients that are no finite numbers.

    Returns:
        For each group the leaves ``[P, D]``, settled; and ``[learners]`` losses added up before the end, zero without
        ``intermediate``.
    """
    life = _Life(teacher, lesson, groups, block or teacher.steps, judged, intermediate, watch)
    shared = [parameter for parameter in teacher.parameters() if parameter.requires_grad]
    states = chain(life.block, life.blocks, life.born(), shared, replay=replay and life.blocks > 1)
    return list(states[:-1]), states[-1]


def courses(teacher: Teacher, lesson: Lesson, groups: Sequence[Group]) -> list[list[Tensor]]:
    """For each group its leaves ``[P, D]``: as they are born, and settled after each step."""
    with torch.no_grad():
        life = _Life(teacher, lesson, groups, 1, None, 0, None)
        *state, lost = life.born()
        flats, paces = state[0::2], state[1::2]
        found = [[flat] for flat in flats]
        for step in range(teacher.steps):
            flats, paces, lost, here = life.go_on(step, step + 1, flats, paces, lost)
            for course, flat in zip(found, life.settled(flats, here), strict=True):
                course.append(flat)
    return found


class _Life:
    """The blocks of steps; a state is each group's leaves and their momentum, and at last what was lost on the way."""

    def __init__(
        self,
        teacher: Teacher,
        lesson: Lesson,
        groups: Sequence[Group],
        size: int,
        judged: tuple[Tensor, Tensor] | None,
        intermediate: int,
        watch: Watch | None,
    ) -> None:
        self._teacher, self._lesson, self._groups, self._size = teacher, lesson, list(groups), size
        self._judged, self._intermediate, self._watch = judged, intermediate, watch
        self._count = learners.count(self._groups)
        self.blocks = -(-teacher.steps // size)

    def born(self) -> State:
        flats = [group.flat for group in self._groups]
        lost = flats[0].new_zeros(self._count)
        return (*(part for flat in flats for part in (flat, torch.zeros_like(flat))), lost)

    def block(self, number: int, state: State) -> State:
        first, last = number * self._size, min((number + 1) * self._size, self._teacher.steps)
        *parts, lost = state
        flats, paces, lost, here = self.go_on(first, last, parts[0::2], parts[1::2], lost)
        if last < self._teacher.steps:
            return (*(part for pair in zip(flats, paces, strict=True) for part in pair), lost)
        return (*self.settled(flats, here), lost)

    def go_on(
        self, first: int, last: int, flats: list[Tensor], paces: list[Tensor], lost: Tensor
    ) -> tuple[list[Tensor], list[Tensor], Tensor, list[Taught]]:
        """Leaves, their momentum and what was lost once the steps from ``first`` to ``last`` are done; and the last one's."""
        shown = self._spread(self._teacher.show(self._lesson, first, last))
        for step in range(first, last):
            here = [Taught(*(part[step - first] for part in own)) for own in shown]
            moved = [descended(*each) for each in zip(self._groups, flats, paces, here, strict=True)]
            flats, paces = [flat for flat, _ in moved], [pace for _, pace in moved]
            if self._intermediate and (step + 1) % self._intermediate == 0 and step + 1 < self._teacher.steps:
                assert self._judged is not None
                lost = lost + losses(self._groups, self.settled(flats, here), *self._judged)
        return flats, paces, lost, here

    def settled(self, flats: list[Tensor], here: list[Taught]) -> list[Tensor]:
        """The leaves once the batch that was learnt from last is seen again: their statistics are those of the end."""
        return [settled(*each) for each in zip(self._groups, flats, here, strict=True)]

    def _spread(self, shown: Taught) -> list[tuple[tuple[Tensor, ...], ...]]:
        """For each group, of all that is shown, step by step, what its learners see: ``[P, ...]``."""
        all_see = [_Spread.apply(part, self._count, self._watch) for part in shown]  # type: ignore[no-untyped-call]
        if len(self._groups) == 1:
            return [tuple(part.unbind(0) for part in all_see)]
        return [tuple(part[:, group.rows].unbind(0) for part in all_see) for group in self._groups]


def losses(groups: Sequence[Group], flats: Sequence[Tensor], x: Tensor, labels: Tensor) -> Tensor:
    """``[learners]`` mean losses of settled learners.

    Args:
        groups: the learners.
        flats: for each group their leaves ``[P, D]``.
        x: real examples ``[learners, N, *shape]``.
        labels: of these, ``[learners, N]``.
    """
    if len(groups) == 1:
        return seeing.loss(groups[0].network, groups[0].leaves(flats[0]), x, labels)
    each = [
        seeing.loss(group.network, group.leaves(flat), x[group.rows], labels[group.rows])
        for group, flat in zip(groups, flats, strict=True)
    ]
    return torch.cat(each)[torch.argsort(torch.cat([group.rows for group in groups]))]


def settled(group: Group, flat: Tensor, shown: Taught) -> Tensor:
    """``[P, D]`` leaves of a group's learners that answer at birth as those of ``flat`` do while they see what was shown."""
    leaves = group.leaves(flat)
    _, life = seeing.see(group.network, leaves, shown.x)
    return flatten(seeing.settled(group.network, leaves, life))


def descended(group: Group, flat: Tensor, pace: Tensor, shown: Taught) -> tuple[Tensor, Tensor]:
    """One step of SGD for the learners of a group, each along the gradient of its own loss.

    Args:
        group: of ``P`` learners.
        flat: ``[P, D]`` leaves.
        pace: ``[P, D]``, their momentum.
        shown: to each of them.
    """
    through = torch.is_grad_enabled()
    with torch.enable_grad():
        if not flat.requires_grad or not through:
            flat = flat.detach().requires_grad_()
        logits, _ = seeing.see(group.network, group.leaves(flat), shown.x)
        # Learners share no leaves: the gradient of the sum is each one's own.
        (slope,) = torch.autograd.grad(seeing.cross_entropy(logits, shown.y).sum(), flat, create_graph=through)
    flat = flat if through else flat.detach()
    pace = torch.addcmul(slope, shown.momentum[:, None], pace)
    return torch.addcmul(flat, shown.rate[:, None], pace, value=-1.0), pace


class _Spread(torch.autograd.Function):
    """``[T, ...]`` to ``[T, learners, ...]``; the gradient is the sum over learners in their order, whatever their groups."""

    @staticmethod
    def forward(ctx: Any, part: Tensor, learners: int, watch: Watch | None) -> Tensor:
        ctx.watch = watch
        return part[:, None].expand(-1, learners, *part.shape[1:])

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None, None]:
        if ctx.watch is not None:
            ctx.watch.sound &= slope.sum(dim=(0, *range(2, slope.ndim))).isfinite()
        return slope.sum(dim=1), None, None
