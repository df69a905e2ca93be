"""The domain ``walker``: POET's obstacle courses, lived in Box2D."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from torch import Tensor

from aiga import Batch, Network, Pairs, Scores, Space, Stream, Trajectory
from aiga_walker import courses, genome

if TYPE_CHECKING:
    from aiga_walker.env import CourseWalker, Lidar

AGENTS = Path(__file__).with_name("agents")


class WalkerDomain:
    """Courses and lives of bipedal walkers; implements :class:`aiga.Domain`.

    Args:
        steps: the longest life.
        categories: what mutation may change.
        max_gap: greatest width of a pit that mutation makes, in cells of 14/30 m.
        lidar: what a ray reports: the nearest hit, or the first met as in the original POET.
    """

    version = genome.VERSION
    solved = 230.0
    inputs = Space((24,))
    outputs = Space((4,), "continuous", -1.0, 1.0)
    parallelism: Literal["serial", "threads", "device"] = "serial"
    names = courses.NAMES
    agents: Mapping[str, Path] = MappingProxyType({"walker-flat": AGENTS / "flat.safetensors"})

    def __init__(
        self,
        steps: int = 2000,
        categories: Collection[genome.Category] = ("roughness", "pit", "stump", "stair"),
        max_gap: float = 10.0,
        lidar: Lidar = "nearest",
    ) -> None:
        self.steps = steps
        self.categories = tuple(categories)
        self.max_gap = max_gap
        self.lidar: Lidar = lidar
        # Python objects to live in, made once; the worlds in them are new for each life.
        self._walkers: list[CourseWalker] = []

    def initial(self, rng: Stream, count: int) -> Batch:
        """``count`` flat courses."""
        return genome.initial(rng, count)

    def mutate(self, rng: Stream, parents: Batch) -> Batch:
        """One child for each row: every enabled category changes."""
        return genome.mutate(rng, parents, self.categories, self.max_gap)

    def describe(self, envs: Batch) -> Tensor:
        """``[B, 8]`` float64, see :func:`aiga_walker.genome.describe`."""
        return genome.describe(envs)

    def distance(self, a: Batch, b: Batch) -> Tensor:
        """``[A, B]`` float64: Euclidean, over the descriptions."""
        return genome.distance(a, b)

    def named(self, name: str, count: int = 1) -> Batch:
        """A course of ``names``, as ``count`` rows of different terrain."""
        return courses.named(name, count)

    def live(self, pairs: Pairs, network: Network, seeds: Tensor, record: bool = False) -> Scores | tuple[Scores, Trajectory]:
        """One episode a pair; ``seeds`` fix the start push. See :func:`aiga_walker.lives.live`."""
        from aiga_walker.env import CourseWalker
        from aiga_walker.lives import live

        while len(self._walkers) < len(pairs):
            self._walkers.append(CourseWalker(self.lidar))
        scores, trajectory = live(pairs, network, seeds, self.steps, self._walkers, record)
        return (scores, trajectory) if record else scores
