"""The domain ``walker``: POET's obstacle courses, lived in the compiled simulator, on the processor or a GPU, or in Box2D."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from torch import Tensor

from aiga import Batch, InputError, Network, Pairs, Scores, Space, Stream, Trajectory
from aiga.machine import cores
from aiga_walker import courses, genome

if TYPE_CHECKING:
    from aiga_walker.env import Box2DHerd, Lidar
    from aiga_walker.physics.cuda_engine import CudaEngine

Physics = Literal["fast", "cuda", "box2d"]
AGENTS = Path(__file__).with_name("agents")
_PARALLELISM: dict[Physics, Literal["serial", "threads", "device"]] = {"fast": "threads", "cuda": "device", "box2d": "serial"}


class WalkerDomain:
    """Courses and lives of bipedal walkers; implements :class:`aiga.Domain`.

    Args:
        steps: the longest life.
        categories: what mutation may change.
        max_gap: greatest width of a pit that mutation makes, in cells of 14/30 m.
        lidar: what a ray reports: the nearest hit, or the first met as in the original POET; that needs Box2D's own tree.
        physics: ``fast``, the compiled simulator on this processor; ``cuda``, the same on the agents' device, or on the first
            one where they are on the host; or ``box2d``, whose bits they have.

    Raises:
        ValueError: for ``first-hit`` lidar in the compiled simulator.

    Attributes:
        parallelism: threads in the simulator, or the device; Box2D, which runs one world at a time, is ``serial``.
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
        if lidar == "first-hit" and physics != "box2d":
            raise ValueError('lidar "first-hit" needs physics "box2d": it follows the order of Box2D\'s own tree')
        self.steps = steps
        self.categories = tuple(categories)
        self.max_gap = max_gap
        self.lidar: Lidar = lidar
        self.physics: Physics = physics
        self.parallelism: Literal["serial", "threads", "device"] = _PARALLELISM[physics]
        self._threads = cores()
        self._box2d: Box2DHerd | None = None

    def configure(self, *, threads: int) -> None:
        """Takes the number of threads to live on; results do not hang on it."""
        self._threads = max(1, threads)

    def check(self) -> None:
        """Refuses the simulator where Numba may not compile, and ``cuda`` where there is no device.

        Raises:
            InputError: with the remedy.
        """
        if self.physics != "box2d":
            try:
                from aiga_walker.physics import store
            except ValueError as error:
                # Numba reads its environment variables when it is imported.
                raise InputError(
                    f"walker: Numba refuses a NUMBA_ environment variable: {str(error).rstrip('.')}. Unset it."
                ) from error
            if trouble := store.disabled():
                raise InputError(f'walker: physics "{self.physics}": {trouble} (physics = "box2d").')
        if self.physics == "cuda":
            from aiga_walker.physics import cuda_engine

            try:
                cuda_engine.cuda_engine(cuda_engine.first())
            except (RuntimeError, ModuleNotFoundError) as error:
                raise InputError(f'walker: physics "cuda": {error} Or write physics = "fast".') from error

    def prepare(self, say: Callable[[str], None]) -> None:
        """Compiles the simulator where no earlier process on this machine did, and says so."""
        self.check()
        if self.physics != "box2d":
            from aiga_walker.compiling import compile_aloud

            where = None
            if self.physics == "cuda":
                from aiga_walker.physics.cuda_engine import first

                where = first()
            compile_aloud(say, where)

    def path(self, network: Network) -> str:
        """How agents of ``network`` live: see :mod:`aiga_walker.fast`. A GPU counts as a way of its own."""
        if self.physics == "box2d":
            return "box2d"
        from aiga_walker.fast import path_of

        return f"cuda-{path_of(network)}" if self.physics == "cuda" else path_of(network)

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
        """One episode a pair; ``seeds`` fix the start push. See :func:`aiga_walker.stepped.live_stepped`."""
        scores, trajectory = self._lived(pairs, network, seeds, record)
        return scores if trajectory is None else (scores, trajectory)

    def _lived(self, pairs: Pairs, network: Network, seeds: Tensor, record: bool) -> tuple[Scores, Trajectory | None]:
        from aiga_walker.stepped import HostHerd, live_stepped

        if self.physics == "box2d":
            from aiga_walker.env import Box2DHerd

            self._box2d = self._box2d or Box2DHerd(self.lidar)
            self._box2d.resize(len(pairs))
            try:
                return live_stepped(pairs, network, seeds, self.steps, self._box2d, record)
            finally:
                self._box2d.close()
        from aiga_walker.fast import live_fused, path_of
        from aiga_walker.physics.engine import engine

        cuda = self._cuda(pairs) if self.physics == "cuda" else None
        if path_of(network) == "fused":
            return live_fused(pairs, network, seeds, self.steps, cuda or engine(), self._threads, record)
        herd = cuda.herd(len(pairs)) if cuda else HostHerd(engine(), len(pairs), self._threads)
        return live_stepped(pairs, network, seeds, self.steps, herd, record)

    def _cuda(self, pairs: Pairs) -> CudaEngine:
        from aiga_walker.physics.cuda_engine import cuda_engine, first

        where = pairs.agents.batches[0].device
        return cuda_engine(where if where.type == "cuda" else first())
