"""The domain ``walker``: POET's obstacle courses, lived in the compiled simulator or in Box2D."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from torch import Tensor

from aiga import Batch, Network, Pairs, Scores, Space, Stream, Trajectory
from aiga_walker import courses, genome

if TYPE_CHECKING:
    from aiga_walker.env import Box2DStage, Lidar

Physics = Literal["fast", "box2d"]
AGENTS = Path(__file__).with_name("agents")


class WalkerDomain:
    """Courses and lives of bipedal walkers; implements :class:`aiga.Domain`.

    Args:
        steps: the longest life.
        categories: what mutation may change.
        max_gap: greatest width of a pit that mutation makes, in cells of 14/30 m.
        lidar: what a ray reports: the nearest hit, or the first met as in the original POET; that needs Box2D's own tree.
        physics: ``fast``, the compiled simulator, or ``box2d``, whose bits it has.

    Raises:
        ValueError: for ``first-hit`` lidar in the compiled simulator.

    Attributes:
        parallelism: threads in the simulator; Box2D, which runs one world at a time, is ``serial``.
    """

    version = genome.VERSION
    solved = 230.0
    inputs = Space((24,))
    outputs = Space((4,), "continuous", -1.0, 1.0)
    names = courses.NAMES
    agents: Mapping[str, Path] = MappingProxyType({"walker-flat": AGENTS / "flat.safetensors"})

    def __init__(
        self,
        steps: int = 2000,
        categories: Collection[genome.Category] = ("roughness", "pit", "stump", "stair"),
        max_gap: float = 10.0,
        lidar: Lidar = "nearest",
        physics: Physics = "fast",
    ) -> None:
        if lidar == "first-hit" and physics == "fast":
            raise ValueError('lidar "first-hit" needs physics "box2d": it follows the order of Box2D\'s own tree')
        self.steps = steps
        self.categories = tuple(categories)
        self.max_gap = max_gap
        self.lidar: Lidar = lidar
        self.physics: Physics = physics
        self.parallelism: Literal["serial", "threads", "device"] = "threads" if physics == "fast" else "serial"
        self._threads = len(os.sched_getaffinity(0))
        self._box2d: Box2DStage | None = None

    def configure(self, *, threads: int) -> None:
        """Takes the number of threads to live on; results do not hang on it."""
        self._threads = max(1, threads)

    def prepare(self, say: Callable[[str], None]) -> None:
        """Compiles the simulator where no earlier process on this machine did, and says so."""
        if self.physics == "fast":
            from aiga_walker.compiling import compile_aloud

            compile_aloud(say)

    def path(self, network: Network) -> str:
        """How agents of ``network`` live: see :mod:`aiga_walker.fast`."""
        if self.physics == "box2d":
            return "box2d"
        from aiga_walker.fast import path_of

        return path_of(network)

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
        from aiga_walker.lives import live

        if self.physics == "box2d":
            from aiga_walker.env import Box2DStage

            self._box2d = self._box2d or Box2DStage(self.lidar)
            scores, trajectory = live(pairs, network, seeds, self.steps, self._box2d, record)
            return (scores, trajectory) if record else scores
        from aiga_walker.fast import FastStage, live_fused, policies_of
        from aiga_walker.lives import agents_of
        from aiga_walker.physics.engine import engine

        simulator = engine()
        if self.path(network) == "fused":
            agents, _ = agents_of(pairs)
            policies = policies_of(network.layers(agents.leaves))  # type: ignore[attr-defined]
            scores, lives = live_fused(pairs, policies, seeds, self.steps, simulator, self._threads, record)
            return scores if lives is None else (scores, lives)
        scores, trajectory = live(pairs, network, seeds, self.steps, FastStage(simulator, self._threads), record)
        return (scores, trajectory) if record else scores
