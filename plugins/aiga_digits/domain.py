"""The domain ``digits``: small images to be told apart, in tasks that differ in classes, examples and how images are seen."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Literal

import torch
from torch import Tensor

from aiga import Batch, Contestant, InputError, Kind, Network, Pairs, Population, Report, Scores, Space, Stream, Trajectory
from aiga.crossing import onto
from aiga.data import Leaves
from aiga.image_files import CLASSES
from aiga_digits import genome, lives
from aiga_digits.genome import CATEGORIES, Category
from aiga_digits.seen import Images
from aiga_digits.sources import SHAPES, Source

_SOURCE = Source()


class DigitsDomain:
    """Images to be told apart; implements :class:`aiga.Domain`, with ``examples``, ``loss``, ``distance``, ``named`` and more.

    What may be learnt from, what :meth:`live` judges by and what :meth:`report` judges by are three disjoint parts.
    Observations are ``[C, H, W]`` images in standard deviations from the mean of the first part; outputs are logits of ten
    classes, of which a task has some.

    Args:
        source: where images come from; loaded when first needed.
        categories: what mutation may change.
        batch: examples that :meth:`loss` is the mean of.
        asked: validation images of a life, where there are so many.
        learnt: examples that a network with the capability ``learn`` learns from in a life.
        jitter: pixels that :meth:`examples`, and those of :meth:`loss`, are moved by at most, each way.

    Attributes:
        solved: percent of images named rightly.
    """

    version = genome.VERSION
    solved = 95.0
    parallelism: Literal["serial", "threads", "device"] = "device"
    names = ("all",)

    def __init__(
        self,
        source: Source = _SOURCE,
        categories: Collection[Category] = CATEGORIES,
        batch: int = 64,
        asked: int = 500,
        learnt: int = 200,
        jitter: float = 0.0,
    ) -> None:
        self.source, self.categories = source, tuple(categories)
        self.batch, self.asked, self.learnt, self.jitter = batch, asked, learnt, jitter
        self.inputs = Space(SHAPES[source.name])
        self.outputs = Space((CLASSES,), "discrete")
        self.steps = asked
        self._there: dict[torch.device, Images] = {}

    def check(self) -> None:
        """Reads the images, so that what is missing or damaged is told before a run or a training is begun.

        Raises:
            InputError: naming file and remedy.
        """
        self.source.check()

    def prepare(self, say: Callable[[str], None]) -> None:
        """Downloads the images where they are not there and may be, and says so."""
        self.source.load(say)

    def path(self, network: Network) -> str:
        """Which images agents are shown, and whether they learn from some first; a run goes on with the same alone."""
        learns = f", {self.learnt} of them learnt from in a life" if hasattr(network, "learn") else ""
        return f"with the images {self.source.name} {self.source.load().digest}{learns}"

    def initial(self, rng: Stream, count: int) -> Batch:
        """The plain task, of all classes and examples, and ``count - 1`` children of it."""
        return genome.initial(rng, self._kind, count, self._most, self.categories)

    def mutate(self, rng: Stream, parents: Batch) -> Batch:
        """One child for each row, different from it; see :func:`aiga_digits.genome.mutate`."""
        return genome.mutate(rng, parents, self._most, self.categories)

    def describe(self, envs: Batch) -> Tensor:
        """``[B, 17]`` float64, see :func:`aiga_digits.genome.describe`."""
        return genome.describe(envs, self.images(envs.device).shelves["train"].count)

    def distance(self, a: Batch, b: Batch) -> Tensor:
        """``[A, B]`` float64, see :func:`aiga_digits.genome.distance`."""
        return genome.distance(self.describe(a), self.describe(b))

    def named(self, name: str, count: int = 1) -> Batch:
        """``all``, the plain task, as ``count`` rows.

        Raises:
            InputError: for another name.
        """
        if name not in self.names:
            raise InputError(f"digits have no environment {name!r}; there is all")
        return genome.plain(self._kind, count)

    def examples(self, envs: Batch, stream: Stream, count: int) -> tuple[Tensor, Tensor]:
        """Examples of what may be learnt from, for each of ``B`` environments, any of them several times.

        Args:
            envs: tasks of this domain.
            stream: with a row key for each; without, rows are keyed by their position.
            count: of examples.

        Returns:
            ``[B, count, C, H, W]`` float32 and ``[B, count]`` int64, on the environments' device.
        """
        self._known(envs)
        return self.images(envs.device).examples(envs.leaves, stream.each(len(envs)), count)

    def live(self, pairs: Pairs, network: Network, seeds: Tensor, record: bool = False) -> Scores | tuple[Scores, Trajectory]:
        """One life a pair, on validation images; see :func:`aiga_digits.lives.live`."""
        leaves, tasks, images = self._lived(pairs)
        scores, lived = lives.live(network, leaves, tasks, images, seeds, self.asked, self.learnt, record)
        return scores if lived is None else (scores, lived)

    def loss(self, pairs: Pairs, network: Network, stream: Stream) -> Tensor:
        """``[P]`` mean cross-entropy on ``batch`` examples, differentiable in the agents' leaves, on their device.

        A network with the capability ``learn`` learns from others first. ``stream`` fixes all chance: by its row key of each
        pair where it has row keys, else by the pair's place.
        """
        leaves, tasks, images = self._lived(pairs)
        stream = stream.each(len(pairs))
        pupils = lives.Pupils.born(network, leaves, tasks, images, stream, self.learnt, create_graph=True)
        return lives.loss(pupils, images, stream, self.batch)

    def report(self, contestants: Mapping[str, Contestant], rng: Stream) -> Report:
        """How many test images trained agents name rightly in the plain task; see :func:`aiga_digits.report.report`."""
        from aiga_digits.report import report

        return report(self, contestants, rng)

    def images(self, device: torch.device) -> Images:
        """The images there."""
        if device not in self._there:
            self._there[device] = Images(self.source.load(), device, self.jitter)
        return self._there[device]

    @property
    def _kind(self) -> Kind:
        about = {"version": genome.VERSION, "source": self.source.name, "digest": self.source.load().digest}
        return Kind("digits", about)

    @property
    def _most(self) -> int:
        """Examples of all classes."""
        return len(self.source.load().splits["train"])

    def _known(self, envs: Batch) -> None:
        if envs.kind != self._kind:
            raise ValueError(f"digits live in environments of {dict(self._kind.structure)}, found {dict(envs.kind.structure)}")

    def _lived(self, pairs: Pairs) -> tuple[Leaves, Leaves, Images]:
        """Leaves of each pair's agent and of its environment, and the images, on the agents' device."""
        agents, at = pairs.agents_of_one_kind()
        population, (where,) = Population.join(pairs.envs)
        for batch in population.batches:
            self._known(batch)
        (envs,), device = population.batches, agents.device
        env = where[pairs.env.cpu()]
        tasks = {name: onto(leaf[onto(env, leaf.device)], device) for name, leaf in envs.leaves.items()}
        there = torch.arange(len(agents))
        # Gradients through an index are gathered by index too: not where everybody is there, in order.
        if torch.equal(at, there):
            return agents.leaves, tasks, self.images(device)
        if len(agents) == 1:
            return (
                {name: leaf.expand(len(at), *leaf.shape[1:]) for name, leaf in agents.leaves.items()},
                tasks,
                self.images(device),
            )
        return {name: leaf[onto(at, device)] for name, leaf in agents.leaves.items()}, tasks, self.images(device)
