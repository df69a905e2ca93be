"""Training of teachers without Lightning around it, for the benchmarks of Generative Teaching Networks."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor

from aiga import Contestant, Network, Pairs, Population, Stream
from aiga.components import Structure
from aiga_architectures.options import PerceptronOptions
from aiga_architectures.perceptron import PerceptronNetwork
from aiga_digits.domain import DigitsDomain
from aiga_digits.report import judged
from aiga_digits.sources import Collection, Source
from aiga_gtn.inner import teach
from aiga_gtn.learners import Architectures, Group, Nursery
from aiga_gtn.options import GtnOptions
from aiga_gtn.outer import meta_gradient
from aiga_gtn.teacher import Teacher, new

CHECKS = 9  # validations of a training, at equal distances


@dataclass(frozen=True)
class Resplit(Source):
    """scikit-learn's digits, dealt out anew to learn from, to validate on and to test on.

    Attributes:
        number: of the split; 0 is the domain's own.
    """

    number: int = 0

    def _made(self, say: Callable[[str], None]) -> Collection:
        found = super()._made(say)
        if not self.number:
            return found
        sizes = [len(rows) for rows in found.splits.values()]
        order = Stream(self.number).child("split").permutation(len(found.images))
        return Collection(found.images, found.labels, dict(zip(found.splits, torch.split(order, sizes), strict=True)))


@cache
def digits(number: int, jitter: float = 0.0) -> DigitsDomain:
    """The domain with a split of its own: a test set of 500 images is easier or harder by a point or two than another."""
    return DigitsDomain(Resplit(number=number), jitter=jitter)


class Widths:
    """The architectures of a perceptron with other widths, each from 24 to 96 as likely.

    Args:
        structure: what is not a width is as in this one.
    """

    def __init__(self, structure: Structure) -> None:
        self._structure = structure

    def initial(self, rng: Stream, count: int) -> list[Structure]:
        """As many as asked for."""
        widths = rng.each(count).integers(24, 97, len(self._structure["hidden"]))
        return [{**self._structure, "hidden": row} for row in widths.tolist()]


def perceptron(**options: Any) -> PerceptronNetwork:
    """Two hidden layers of 24 to 96 units each where they are sampled, of 64 where not."""
    network = PerceptronNetwork(PerceptronOptions(**options))
    network.space = Widths(network.structure)  # type: ignore[assignment]
    return network


class Training:
    """A teacher under training.

    Args:
        options: of the plugin.
        seed: of everything, the split of the images too.
        networks: that learners are made of, by name.
        jitter: pixels by which real examples are moved at most.

    Attributes:
        seconds: processor seconds that it took, validations included.
        failed: learners that came to nothing.
        best: percent of validation images that learners of the best teacher name rightly.
    """

    def __init__(self, options: GtnOptions, seed: int, networks: Mapping[str, Network], jitter: float = 0.0) -> None:
        self.options, self.networks, self._rng = options, networks, Stream(seed).child("gtn")
        self.domain = digits(seed, jitter)
        spaces = (self.domain.inputs, self.domain.outputs)
        self.teacher: Teacher = new(options, *spaces, self.examples, self._rng.child("teacher"))
        self.seconds, self.failed, self.done, self.best = 0.0, 0, 0, -math.inf
        self.lost = math.nan
        self._nursery = self.nursery(networks, options.architectures)
        betas = (options.beta1, options.beta2)
        self._adam = torch.optim.Adam(self.teacher.parameters(), lr=options.lr, betas=betas, eps=options.epsilon)
        self._kept = copy.deepcopy(self.teacher.state_dict())

    def examples(self, rng: Stream, count: int) -> tuple[Tensor, Tensor]:
        """Real ones that may be learnt from."""
        keys = rng.row_keys
        return self.domain.examples(self.domain.named("all", 1 if keys is None else len(keys)), rng, count)

    def nursery(self, networks: Mapping[str, Network], architectures: Architectures) -> Nursery:
        """Where learners come from."""
        return Nursery(networks, self.domain.inputs, self.domain.outputs, architectures, self.options.at_once)

    def step(self) -> None:
        """One outer step."""
        options, rng = self.options, self._rng.child("train", self.done)
        groups = self._nursery.draw(rng.child("learners"), options.learners, self.teacher.rates)
        real = self.examples(rng.child("real").rows(torch.arange(options.learners * len(self.networks))), options.examples)
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
            pairs = Pairs.lives(Population((self.domain.named("all"),)), Population((group.agents(flat),)), 1)
            scores = self.domain.live(pairs, group.network, torch.zeros(len(group), dtype=torch.int64))
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
        right = []
        for group, flat in zip(groups, flats, strict=True):
            named = judged(self.domain, Contestant(group.network, group.agents(flat)), Stream(0), "test")
            right.append(torch.where(named.void, 0.0, 100.0 * named.right.double() / named.total))
        return float(torch.cat(right).mean())

    def _taught(self, nursery: Nursery, name: str, each: int, order: Sequence[int] | None) -> tuple[list[Group], list[Tensor]]:
        rng = self._rng.child(name)
        lesson = self.teacher.draw(rng.child("lesson"))
        lesson = lesson if order is None else lesson.take(torch.tensor(order))
        with torch.no_grad():
            groups = nursery.draw(rng.child("learners"), each, self.teacher.rates)
            return groups, teach(self.teacher, lesson, groups)[0]
