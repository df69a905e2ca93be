"""The meta-gradient: how the loss of taught learners on real examples changes with what their teacher has learnt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from aiga_gtn import learners
from aiga_gtn.inner import Watch, losses, teach
from aiga_gtn.learners import Group
from aiga_gtn.lessons import Lesson
from aiga_gtn.teacher import Teacher

LOSS = "after its lessons the loss on real examples is no finite number"
GRADIENT = "its meta-gradient is no finite number"


@dataclass(frozen=True)
class Outcome:
    """What came of one outer step.

    Attributes:
        losses: ``[learners]`` of the last judgement; NaN where a learner failed.
        gradients: the mean over the learners that did not fail, for each of the teacher's parameters that is learned, in order;
            empty where all failed.
        failures: why a learner failed, by its number.
    """

    losses: Tensor
    gradients: tuple[Tensor, ...]
    failures: dict[int, str] = field(default_factory=dict)


def meta_gradient(
    teacher: Teacher,
    lesson: Lesson,
    groups: Sequence[Group],
    real: tuple[Tensor, Tensor],
    *,
    block: int = 0,
    replay: bool = True,
    intermediate: int = 0,
) -> Outcome:
    """Teaches learners and follows what they lose back into the teacher. Whoever fails is left out, as if it had never been.

    Args:
        teacher: whose gradients are asked for.
        lesson: the same for all learners.
        groups: of learners.
        real: examples ``[learners, N, *shape]`` that each is judged by, and their labels ``[learners, N]``.
        block: steps whose examples are made at once; 0 for all.
        replay: with several blocks, compute each again for its gradient, and keep no graph.
        intermediate: steps after which a learner is judged before the end; 0 for never.
    """
    parameters = [parameter for parameter in teacher.parameters() if parameter.requires_grad]
    total = learners.count(list(groups))
    numbers, found = torch.arange(total), torch.full((total,), torch.nan, dtype=torch.float64)
    failures, left = dict[int, str](), list(groups)
    while left:
        watch = Watch(len(numbers), real[0].device)
        with torch.enable_grad():
            flats, lost = teach(
                teacher, lesson, left, block=block, replay=replay, judged=real, intermediate=intermediate, watch=watch
            )
            last = losses(left, flats, *real)
            sound, reason = (last + lost).detach().isfinite(), LOSS
            gradients: tuple[Tensor, ...] = ()
            if bool(sound.all()):
                some = torch.autograd.grad((last + lost).mean(), parameters, allow_unused=True)
                gradients = tuple(torch.zeros_like(p) if g is None else g for p, g in zip(parameters, some, strict=True))
                sound, reason = watch.sound, GRADIENT
                if bool(sound.all()) and not all(bool(gradient.isfinite().all()) for gradient in gradients):
                    sound = torch.zeros_like(sound)
        sound = sound.cpu()
        if bool(sound.all()):
            found[numbers] = last.detach().double().cpu()
            return Outcome(found, gradients, failures)
        failures |= {int(number): reason for number in numbers[~sound]}
        left, numbers = learners.only(left, sound), numbers[sound]
        real = (real[0][sound], real[1][sound])
    return Outcome(found, (), failures)
