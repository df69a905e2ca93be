"""The domain ``characters``: streams of characters to be learnt within a lifetime."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import torch
from torch import Tensor

from aiga import Batch, Contestant, InputError, Network, Pairs, Report, Scores, Space, Stream, Trajectory
from aiga_characters import genome
from aiga_characters.exam import Exam
from aiga_characters.images import Pictures
from aiga_characters.lessons import Lessons
from aiga_characters.lives import live
from aiga_characters.objective import Trial, loss
from aiga_characters.recipes import DRAWERS
from aiga_characters.sets import Characters, Source

_SOURCE, _TRIAL, _EXAM = Source(), Trial(), Exam()


class CharactersDomain:
    """Streams of characters; implements :class:`aiga.Domain`.

    Its capabilities are ``distance``, ``named``, ``loss``, ``check``, ``prepare``, ``path`` and ``report``. Observations are
    ``[1, size, size]`` images, 1 ink and 0 paper; outputs are logits of the labels, of which a life has as many as classes. It
    makes use of two capabilities of networks: ``learn``, without which an agent is shown each image with its label as target,
    and ``answers``, without which it is asked image by image.

    Args:
        source: where the characters come from; loaded when first needed.
        labels: outputs of a network, and so the most classes that a stream may have.
        trial: of meta-training.
        start: environments that :meth:`initial` makes.
        exam: how agents are judged in a report.
    """

    version = genome.VERSION
    solved = 90.0
    parallelism: Literal["serial", "threads", "device"] = "device"

    def __init__(
        self,
        source: Source = _SOURCE,
        labels: int = 600,
        trial: Trial = _TRIAL,
        start: genome.Start = "stream",
        exam: Exam = _EXAM,
    ) -> None:
        self.source, self.labels, self.trial, self.start, self.exam = source, labels, trial, start, exam
        self.inputs = Space((1, source.size, source.size), low=0.0, high=1.0)
        self.outputs = Space((labels,), "discrete")
        self.steps = labels * DRAWERS
        self.names = genome.names(labels)
        self._pictures: dict[torch.device, Pictures] = {}

    @property
    def characters(self) -> Characters:
        """The set: drawn, read or downloaded when this process first asks for it."""
        return self.source.load()

    def check(self) -> None:
        """Looks over a folder of characters, so that what is missing from it is told before a run is begun.

        Raises:
            InputError: for every folder, class and archive that is not as it should be; images are opened later.
        """
        self.source.check()

    def prepare(self, say: Callable[[str], None]) -> None:
        """Loads the characters, and says so where that takes seconds."""
        self.source.load(say)

    def path(self, network: Network) -> str:
        """Which characters agents live with, and whether they learn by gradients; a run goes on with the same alone."""
        how = "learnt by gradients" if hasattr(network, "learn") else "shown with their labels"
        return f"with the characters {self.source.name} {self.characters.hash[:16]}, {how}"

    def initial(self, rng: Stream, count: int) -> Batch:
        """``count`` environments of classes of the background split; see :func:`aiga_characters.genome.initial`."""
        return genome.initial(rng, count, self._most, self.start)

    def mutate(self, rng: Stream, parents: Batch) -> Batch:
        """One child for each row; see :func:`aiga_characters.genome.mutate`."""
        return genome.mutate(rng, parents, self._most)

    def describe(self, envs: Batch) -> Tensor:
        """``[B, 7]`` float64, see :func:`aiga_characters.genome.describe`."""
        return genome.describe(envs)

    def distance(self, a: Batch, b: Batch) -> Tensor:
        """``[A, B]`` float64, see :func:`aiga_characters.genome.distance`."""
        return genome.distance(a, b)

    def named(self, name: str, count: int = 1) -> Batch:
        """An environment of ``names`` as ``count`` rows with classes drawn anew; see :func:`aiga_characters.genome.named`.

        Raises:
            InputError: if none has that name.
        """
        if name not in self.names:
            raise InputError(
                f"no stream of characters is named {name!r} where there are {self.labels} labels. "
                f"There are {', '.join(self.names)}; more labels in [plugins.characters.options] make longer ones possible."
            )
        return genome.named(name, count, self._most)

    def live(self, pairs: Pairs, network: Network, seeds: Tensor, record: bool = False) -> Scores | tuple[Scores, Trajectory]:
        """One lifetime a pair: learn the stream, then be tested; see :func:`aiga_characters.lives.live`."""
        lessons = Lessons.of(pairs, seeds, self.characters)
        pictures = self._on(pairs.agents.batches[0].device)
        scores, trajectory = live(pairs, network, pictures, lessons, self.labels, record)
        return scores if trajectory is None else (scores, trajectory)

    def loss(self, pairs: Pairs, network: Network, stream: Stream) -> Tensor:
        """``[P]``, the meta-objective of one trial a pair; see :func:`aiga_characters.objective.loss`.

        ``stream`` fixes all chance: by its row key of each pair where it has row keys, else by the pair's place.
        """
        rows = stream.each(len(pairs))
        lessons = Lessons.of(pairs, rows.words(1)[:, 0], self.characters)
        return loss(pairs, network, self._on(pairs.agents.batches[0].device), lessons, self.labels, self.trial)

    def report(self, contestants: Mapping[str, Contestant], rng: Stream) -> Report:
        """What trained agents remember of streams, or of few-shot episodes; see :func:`aiga_characters.report.report`."""
        from aiga_characters.report import report

        return report(self, contestants, rng)

    @property
    def _most(self) -> int:
        """Classes that a stream may have."""
        return min(self.labels, self.characters.background)

    def _on(self, device: torch.device) -> Pictures:
        if device not in self._pictures:
            self._pictures[device] = Pictures(self.characters, device)
        return self._pictures[device]
