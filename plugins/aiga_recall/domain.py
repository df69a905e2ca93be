"""The domain ``recall``: patterns shown a few times, then one of them in part, to be completed (Miconi et al. 2018)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Literal

from torch import Tensor

from aiga import Batch, Contestant, Kind, Network, Pairs, Report, Scores, Space, Stream, Trajectory
from aiga_recall import genome, lives
from aiga_recall.episodes import Binary
from aiga_recall.genome import NAMED, Category, Numbers, first, steps_of
from aiga_recall.images import Images
from aiga_recall.report import report


class RecallDomain:
    """Tasks of recall and the lives lived in them; implements :class:`aiga.Domain`.

    Args:
        source: binary patterns, or images.
        start: numbers of the first tasks that differ from those of ``pair`` for binary patterns, of ``three`` for images.
        categories: what mutation may change.
        steps: the longest episode that mutation makes.

    Attributes:
        solved: 0.99 for binary patterns, where fitness is the share of bits whose sign is right; 0.8 for images, where it is
            1 less what squared difference is left of the blanked part.
    """

    version = genome.VERSION
    parallelism: Literal["serial", "threads", "device"] = "device"

    def __init__(
        self,
        source: Binary | Images,
        start: Numbers | None = None,
        categories: Collection[Category] = ("patterns", "cycles", "presentation", "gap", "probe", "blank"),
        steps: int = 250,
    ) -> None:
        self.source = source
        self.categories = tuple(categories)
        self.steps = steps
        self.inputs = Space((source.width,), low=-1.0, high=1.0)
        self.outputs = Space((source.width,), low=-1.0, high=1.0)
        self.solved = 0.99 if self.signs else 0.8
        self._first = first(self.signs, start or {})
        named = [name for name, numbers in NAMED.items() if steps_of(numbers) <= steps]
        self.names = tuple(named if self.signs else [*named, "held-out"])

    @property
    def signs(self) -> bool:
        """Whether patterns are binary, so that only signs count."""
        return isinstance(self.source, Binary)

    def check(self) -> None:
        """Reads the images, so that what is wrong with them is told before a run or a training is begun.

        Raises:
            InputError: if they cannot be read, or are fewer than an episode may show.
        """
        if not isinstance(self.source, Images):
            return
        first = int(self._first["patterns"])
        named = [int(NAMED[name]["patterns"]) for name in self.names if name in NAMED]
        mutated = genome.MOST_PATTERNS if "patterns" in self.categories else 0
        self.source.check(max(first, mutated, *named), first)

    def prepare(self, say: Callable[[str], None]) -> None:
        """Says how many images there are.

        Raises:
            InputError: if they cannot be read.
        """
        if isinstance(self.source, Images):
            grey = self.source.grey
            say(f"recall: {grey.learnt:,} images to learn from, {len(grey.images) - grey.learnt:,} kept for testing")

    def path(self, network: Network) -> str:
        """Which patterns agents are shown; a run goes on with the same alone."""
        images = self.source
        return f"with the images {images.collection} {images.digest}" if isinstance(images, Images) else "with random patterns"

    def initial(self, rng: Stream, count: int) -> Batch:
        """``count`` tasks, all alike."""
        return self._tasks(self._first, count)

    def mutate(self, rng: Stream, parents: Batch) -> Batch:
        """One child for each row; see :func:`aiga_recall.genome.mutate`."""
        return genome.mutate(rng, parents, self.categories, self.source.width, self.steps)

    def describe(self, envs: Batch) -> Tensor:
        """``[B, 7]`` float64, see :func:`aiga_recall.genome.describe`."""
        return genome.describe(envs)

    def distance(self, a: Batch, b: Batch) -> Tensor:
        """``[A, B]`` float64: Euclidean, over the descriptions, in steps of mutation."""
        return genome.distance(a, b)

    def named(self, name: str, count: int = 1) -> Batch:
        """A task of ``names``, as ``count`` rows; ``held-out`` is the first task on images kept for testing."""
        if name == "held-out":
            return self._tasks(self._first, count, held_out=True)
        return self._tasks(NAMED[name], count)

    def live(self, pairs: Pairs, network: Network, seeds: Tensor, record: bool = False) -> Scores | tuple[Scores, Trajectory]:
        """One episode a pair; ``seeds`` fix patterns, their order and what is blanked. See :func:`aiga_recall.lives.live`."""
        scores, lived = lives.live(pairs, network, seeds, self.source, self.signs, record)
        return scores if lived is None else (scores, lived)

    def loss(self, pairs: Pairs, network: Network, stream: Stream) -> Tensor:
        """``[P]``: see :func:`aiga_recall.lives.loss`."""
        return lives.loss(pairs, network, stream, self.source)

    def report(self, contestants: Mapping[str, Contestant], rng: Stream) -> Report:
        """How well agents recall in fresh episodes of the first task; see :func:`aiga_recall.report.report`."""
        return report(contestants, rng, self._tasks(self._first, 1, held_out=not self.signs), self.source, self.signs)

    def _tasks(self, numbers: Numbers, count: int, held_out: bool = False) -> Batch:
        return genome.tasks(self._kind(), count, {"bits": self.source.width, **numbers}, held_out)

    def _kind(self) -> Kind:
        if isinstance(self.source, Binary):
            return Kind("recall", {"version": genome.VERSION, "source": "binary", "width": self.source.width})
        return Kind("recall", {"version": genome.VERSION, "source": self.source.collection, "digest": self.source.digest})
