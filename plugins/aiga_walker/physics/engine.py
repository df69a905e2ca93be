"""The compiled simulator as Python sees it: whole lives of a population, and herds of walkers stepped by others.

One engine serves a process for each number of lanes. Threads share it: what a call needs is allocated in the call.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Final

import numba
import numpy as np
from llvmlite import binding
from numba.core import event
from numpy.typing import NDArray

from aiga_walker.physics import contacts, entries, figure, kernels, policy, position, velocity
from aiga_walker.physics import layout as at
from aiga_walker.physics.ground import Ground, ground_of
from aiga_walker.physics.store import KernelCache
from aiga_walker.physics.target import OPTIONS, cpu
from aiga_walker.terrain import Terrain

FUNCTIONS: Final = 142  # that Numba compiles for one engine, about: what progress is counted against
_COMPILING = threading.RLock()

SHARE: Final = 64  # walkers to a thread, in one step, that are worth waking it

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Policies:
    """Multilayer perceptrons of one architecture, see :mod:`aiga_walker.physics.policy`.

    Attributes:
        params: ``[A * size]`` float32, of all agents; a tensor where they are on a device.
        size: floats of one agent.
        layers: inputs, padded outputs and activation of each layer.
    """

    params: Any
    size: int
    layers: NDArray[np.int64]


@dataclass(frozen=True)
class Lives:
    """What became of ``P`` lives.

    Attributes:
        totals: ``[P]`` float64, returns.
        lengths: ``[P]`` int64, steps.
        fates: ``[P]`` int32, bits: see :mod:`aiga_walker.physics.senses` and :data:`aiga_walker.physics.entries.VOID`.
        observations: ``[P, T, 24]``, where recorded; so ``actions`` ``[P, T, 4]``, ``rewards`` ``[P, T]``, ``poses``
            ``[P, T, 5, 3]``.
    """

    totals: NDArray[np.float64]
    lengths: NDArray[np.int64]
    fates: NDArray[np.int32]
    observations: Floats
    actions: Floats
    rewards: Floats
    poses: Floats


def lanes_here() -> int:
    """Walkers that fill two registers of this processor, one at work while the other waits: 32 with AVX-512, else 16."""
    return 32 if binding.get_host_cpu_features().get("avx512f", False) else 16


@cache
def _engine(lanes: int) -> Engine:
    return Engine(lanes)


def engine(lanes: int | None = None) -> Engine:
    """The engine for this processor, or with another number of lanes: 1, 8, 16 or 32."""
    with _COMPILING:
        return _engine(lanes or lanes_here())


class Engine:
    """Kernels of one number of lanes.

    Attributes:
        lanes: walkers a variable.
        figure: the walker's body.
    """

    def __init__(self, lanes: int) -> None:
        self.lanes, self.figure = lanes, figure.walker()
        single = cpu(1)
        target = single if lanes == 1 else cpu(lanes)
        narrow = cpu(min(lanes, policy.PADDED)) if lanes > 1 else single
        made = kernels.build(target, single, self.figure, narrow)
        self._room = made.room

        def entry(function: Any) -> Any:
            dispatcher = numba.njit(**OPTIONS)(function)
            dispatcher._cache = KernelCache(function, lanes)
            return dispatcher

        built = entries.build(made, entry)
        self._start, self._steps, self._rollout = built.start, built.steps, built.rollout
        self._polygon = entry(made.polygons.polygon.py_func)

    def __reduce__(self) -> tuple[Any, ...]:
        """Another process has, or compiles, an engine of its own."""
        return engine, (self.lanes,)

    def compile(self, progress: Callable[[float], None] | None = None) -> None:
        """Compiles all kernels, or fetches them from disk.

        Args:
            progress: told now and then which part is done, from 0 to 1.
        """
        with _COMPILING:
            done = [0]

            class Counter(event.Listener):
                def on_start(self, event: Any) -> None:
                    """Nothing yet."""

                def on_end(self, event: Any) -> None:
                    """One function more."""
                    done[0] += 1
                    if progress is not None:
                        progress(min(done[0] / FUNCTIONS, 1.0))

            with event.install_listener("numba:compile", Counter()):
                ground = self.ground([_FLAT])
                self.rollout(ground, [0], [0.0], [0], _IDLE, limit=1)
                self.herd(1).begin(np.zeros(1, np.int64), [_FLAT], [0.0])
            if progress is not None:
                progress(1.0)

    def compile_ground(self) -> None:
        """Compiles the one kernel that courses are laid out with, or fetches it from disk."""
        self.ground([_FLAT])

    @property
    def compiled(self) -> bool:
        """Whether this process has all kernels."""
        return bool(self._rollout.signatures and self._steps.signatures and self._start.signatures)

    def ground(self, terrains: Sequence[Terrain]) -> Ground:
        """Courses as the kernels read them."""
        return ground_of(terrains, self._polygon)

    def world(self, ground: Ground) -> tuple[Any, ...]:
        """The ground, the bodies and one thread's scratch for one walker."""
        scratch = np.zeros(contacts.SF, np.float32), np.zeros(contacts.SI, np.int32)
        return ground.line, ground.boxes, ground.bins, ground.count, ground.width, self.figure.shapes, *scratch

    def scratch(self) -> tuple[Any, ...]:
        """One thread's scratch for a block."""
        rows = (
            15,
            40,
            at.JOINTS * velocity.JOINT_ROWS,
            at.JOINTS,
            1,
            1,
            self._room * velocity.SLOT,
            self._room * position.SLOT,
        )
        floats = tuple(np.zeros(count * self.lanes, np.float32) for count in rows)
        return *floats, np.zeros(at.BODIES * (self.lanes + 1), np.int64), np.zeros(at.BODIES, np.int64)

    def rollout(
        self,
        ground: Ground,
        courses: Any,
        pushes: Any,
        agents: Any,
        policies: Policies,
        limit: int,
        record: bool = False,
        threads: int = 1,
    ) -> Lives:
        """Whole lives, the same whatever the number of threads.

        Args:
            ground: courses.
            courses, pushes, agents: ``[P]`` of each life: row of ``ground``, start push in N, row of ``policies``.
            policies: the agents.
            limit: the longest life, in steps.
            record: keep every step.
            threads: how many work on it.
        """
        courses, agents = np.asarray(courses, np.int64), np.asarray(agents, np.int64)
        pushes = np.asarray(pushes, np.float32)
        lives = len(courses)
        kept = (lives, limit) if record else (0, 1)
        widest = int(policies.layers.reshape(-1, 3)[:, :2].max())
        made = Lives(
            np.zeros(lives),
            np.zeros(lives, np.int64),
            np.zeros(lives, np.int32),
            *(np.zeros((*kept, *shape), np.float32) for shape in ((24,), (4,), (), (at.BODIES, 3))),
        )
        counter = np.zeros(1, np.int64)
        recorded = made.observations, made.actions, made.rewards, made.poses

        threads = max(1, min(threads, -(-lives // self.lanes)))
        # Few enough that no thread takes what another waits for; as lives end, their places go to others.
        group = min(kernels.GROUP, max(self.lanes, lives // (2 * threads)))

        def work() -> None:
            floats = [np.zeros(group * n, np.float32) for n in (at.FLOATS, 4, 24, 1)]
            f, actions, seen, rewards = floats
            self._rollout(
                counter, courses, pushes, agents, policies.params, policies.size, policies.layers, limit, self.figure.first,
                f, np.zeros(group * at.INTS, np.int32), np.zeros((group, 3), np.int64), np.zeros(group, np.int64), actions,
                seen, rewards, np.zeros(group, np.int32), np.zeros(2 * widest, np.float32), self.world(ground), self.scratch(),
                made.totals, made.lengths, made.fates, record, *recorded,
            )  # fmt: skip

        try:
            _on_threads([work] * threads)
        finally:
            # Where one thread fails or is interrupted, the others take no further life.
            counter[0] = lives
        return made

    def herd(self, count: int) -> Herd:
        """``count`` walkers to be stepped with actions from outside."""
        return Herd(self, count)


class Herd:
    """``N`` walkers, each on a course of its own, between calls nothing but arrays.

    Attributes:
        seen: ``[N, 24]`` float32, observations.
        rewards: ``[N]`` float32, of the last step.
        ends: ``[N]`` int32, whether and how the last step ended a life: see :mod:`aiga_walker.physics.senses`.
    """

    def __init__(self, engine: Engine, count: int) -> None:
        self._engine, self.count = engine, count
        self._f, self._g = np.zeros(count * at.FLOATS, np.float32), np.zeros(count * at.INTS, np.int32)
        self._actions = np.zeros((count, 4), np.float32)
        self.seen = np.zeros((count, 24), np.float32)
        self.rewards, self.ends = np.zeros(count, np.float32), np.zeros(count, np.int32)
        self._ground: Ground | None = None
        # One for each thread of a step, kept: a block's scratch is a megabyte.
        self._scratch: list[tuple[Any, ...]] = []

    def begin(self, rows: Any, terrains: Sequence[Terrain], pushes: Any) -> None:
        """New lives in ``rows``, on these courses, with these pushes; ``seen`` shows what they see first."""
        rows = np.asarray(rows, np.int64)
        new = self._engine.ground(terrains)
        self._ground = new.spread(self.count, rows) if self._ground is None else self._ground.put(rows, new)
        self._actions[rows] = 0.0
        world = self._engine.world(self._ground)
        self._engine._start(self._f, self._g, rows, rows, np.asarray(pushes, np.float32), self._engine.figure.first, world)
        self._run(rows, 1)

    def step(self, rows: Any, actions: Floats, threads: int = 1) -> None:
        """One step of ``rows`` with ``actions`` ``[len(rows), 4]``."""
        rows = np.asarray(rows, np.int64)
        self._actions[rows] = actions
        self._run(rows, threads)

    def _run(self, rows: NDArray[np.int64], threads: int) -> None:
        assert self._ground is not None
        ground = self._ground

        def work(part: NDArray[np.int64], scratch: tuple[Any, ...]) -> None:
            self._engine._steps(
                self._f, self._g, part, np.zeros(kernels.GROUP, np.int64), self._actions.reshape(-1), self.seen.reshape(-1),
                self.rewards, self.ends, self._engine.world(ground), scratch,
            )  # fmt: skip

        parts = np.array_split(rows, max(1, min(threads, len(rows) // SHARE)))
        while len(self._scratch) < len(parts):
            self._scratch.append(self._engine.scratch())
        _on_threads([partial(work, part, scratch) for part, scratch in zip(parts, self._scratch, strict=False)])

    def poses(self) -> Floats:
        """``[N, 5, 3]``: x and y in m and angle in rad of hull, thigh, shank, thigh, shank."""
        bodies = self._f.reshape(self.count, at.FLOATS)[:, : at.BODIES * at.BODY].reshape(self.count, at.BODIES, at.BODY)
        return bodies[..., [at.PX, at.PY, at.A]].copy()

    @property
    def bytes_each(self) -> int:
        """Memory of one walker at rest, its course apart."""
        arrays = (self._f, self._g, self._actions, self.seen, self.rewards, self.ends)
        return sum(array.nbytes for array in arrays) // self.count


def _on_threads(tasks: Sequence[Callable[[], None]]) -> None:
    if len(tasks) == 1:
        tasks[0]()
        return
    # This thread takes a share too, and is the first to hear of an interrupt.
    waiting = [_crew().submit(task) for task in tasks[1:]]
    try:
        tasks[0]()
    finally:
        for future in waiting:
            future.result()


def _forked() -> None:
    """A child process has none of its parent's threads, and perhaps a lock that one of them held."""
    global _COMPILING
    _COMPILING = threading.RLock()
    _crew.cache_clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


@cache
def _crew() -> ThreadPoolExecutor:
    """Threads of this process, kept: a herd asks for them at every step."""
    return ThreadPoolExecutor(max(1, os.cpu_count() or 1), "walkers")


_FLAT: Final = Terrain(
    tuple((i * 0.5, 0.0) for i in range(at.VERTICES)), (((90.0, 1.0), (91.0, 1.0), (91.0, 0.0), (90.0, 0.0)),)
)
_IDLE: Final = Policies(np.zeros(25 * policy.PADDED, np.float32), 25 * policy.PADDED, np.array([24, policy.PADDED, 0]))
