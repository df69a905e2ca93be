"""Training of teachers without Lightning around it, for the benchmarks of Generative Teaching Networks."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from aiga import Batch, Contestant, Network, Pairs, Population, Stream
from aiga_architectures.options import PerceptronOptions
from aiga_architectures.perceptron import PerceptronNetwork
from aiga_digits.domain import DigitsDomain
from aiga_digits.report import judged
from aiga_gtn.inner import teach
from aiga_gtn.learners import Architectures, Group, Nursery
from aiga_gtn.options import GtnOptions
from aiga_gtn.outer import meta_gradient
from aiga_gtn.teacher import Teacher, new

DOMAIN = DigitsDomain()
CHECKS = 9  # validations of a training, at equal distances


def perceptron(**options: Any) -> PerceptronNetwork:
    """Two hidden layers of 24 to 96 units each."""
    return PerceptronNetwork(PerceptronOptions(**{"search": ("width",), "widths": (24, 96), **options}))


def examples(rng: Stream, count: int) -> tuple[Tensor, Tensor]:
    """Real ones that may be learnt from."""
    keys = rng.row_keys
    return DOMAIN.examples(DOMAIN.named("all", 1 if keys is None else len(keys)), rng, count)


class Training:
    """A teacher under training.

    Args:
        options: of the plugin.
        seed: of everything.
        networks: that learners are made of, by name.

    Attributes:
        seconds: processor seconds that it took, validations included.
        failed: learners that came to nothing.
        best: percent of validation images that learners of the best teacher name rightly.
    """

    def __init__(self, options: GtnOptions, seed: int, networks: Mapping[str, Network]) -> None:
        self.options, self.networks, self._rng = options, networks, Stream(seed).child("gtn")
        self.teacher: Teacher = new(options, DOMAIN.inputs, DOMAIN.outputs, examples, self._rng.child("teacher"))
        self.seconds, self.failed, self.done, self.best = 0.0, 0, 0, -math.inf
        self.lost = math.nan
        self._nursery = self.nursery(networks, options.architectures)
        betas = (options.beta1, options.beta2)
        self._adam = torch.optim.Adam(self.teacher.parameters(), lr=options.lr, betas=betas, eps=options.epsilon)
        self._kept = copy.deepcopy(self.teacher.state_dict())

    def nursery(self, networks: Mapping[str, Network], architectures: Architectures) -> Nursery:
        """Where learners come from."""
        return Nursery(networks, DOMAIN.inputs, DOMAIN.outputs, architectures, self.options.at_once)

    def step(self) -> None:
        """One outer step."""
        options, rng = self.options, self._rng.child("train", self.done)
        groups = self._nursery.draw(rng.child("learners"), options.learners, self.teacher.rates)
        real = examples(rng.child("real").rows(torch.arange(options.learners * len(self.networks))), options.examples)
        lesson = self.teacher.draw(rng.child("lesson"))
        found = meta_gradient(self.teacher, lesson, groups, real, block=options.block, intermediate=options.intermediate)
        self.failed += len(found.failures)
        self.lost = float(found.losses.nanmean())
        if found.gradients:
            for parameter, gradient in zip(self.teacher.parameters(), found.gradients, strict=True):
                parameter.grad = gradient
            if options.decay:
                share = 0.55 + 0.45 * math.cos(math.pi * min(self.done / options.decay, 1.0))
                self._adam.param_groups[0]["lr"] = options.lr * share
            self._adam.step()
        self.done += 1

    def run(self, steps: int) -> Training:
        """So many outer steps; the teacher is then the one that was best on validation images."""
        begun = time.process_time()
        for step in range(1, steps + 1):
            self.step()
            if step % max(1, steps // CHECKS) == 0:
                right = self.validated()
                if right > self.best:
                    self.best, self._kept = right, copy.deepcopy(self.teacher.state_dict())
        self.teacher.load_state_dict(self._kept)
        self.seconds += time.process_time() - begun
        return self

    def validated(self) -> float:
        """Mean percent of validation images that fresh learners name rightly; 0 for each that fails."""
        groups, flats = self._taught(self._nursery, "validate", 8, None)
        right = []
        for group, flat in zip(groups, flats, strict=True):
            pairs = Pairs.lives(Population((DOMAIN.named("all"),)), Population((group.agents(flat),)), 1)
            scores = DOMAIN.live(pairs, group.network, torch.zeros(len(group), dtype=torch.int64))
            assert not isinstance(scores, tuple)
            right.append(scores.fitness.nan_to_num(nan=0.0))
        return float(torch.cat(right).mean())

    def tested(
        self,
        each: int = 10,
        networks: Mapping[str, Network] | None = None,
        architectures: Architectures = "sampled",
        order: Sequence[int] | None = None,
    ) -> float:
        """Mean percent of test images that fresh learners name rightly.

        Args:
            each: learners of every network.
            networks: that they are made of; those of the training unless given.
            architectures: whether they are sampled.
            order: of the lesson's steps, where it is another.
        """
        nursery = self.nursery(self.networks if networks is None else networks, architectures)
        groups, flats = self._taught(nursery, "test", each, order)
        right = [right_of(group.network, group.agents(flat), "test") for group, flat in zip(groups, flats, strict=True)]
        return float(torch.cat(right).mean())

    def _taught(
        self, nursery: Nursery, name: str, each: int, order: Sequence[int] | None
    ) -> tuple[list[Group], list[Tensor]]:
        rng = self._rng.child(name)
        lesson = self.teacher.draw(rng.child("lesson"))
        lesson = lesson if order is None else lesson.take(torch.tensor(order))
        with torch.no_grad():
            groups = nursery.draw(rng.child("learners"), each, self.teacher.rates)
            return groups, teach(self.teacher, lesson, groups)[0]


def right_of(network: Network, agents: Batch, split: Literal["test", "validation"]) -> Tensor:
    """``[P]`` percent of all images of a part that agents name rightly; 0 for each whose answers are no numbers."""
    named = judged(DOMAIN, Contestant(network, agents), Stream(0), split)
    return torch.where(named.void, 0.0, 100.0 * named.right.double() / named.total)
