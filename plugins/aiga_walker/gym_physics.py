"""What moves the walkers of a Gymnasium environment: the compiled simulator, on the host or a device, or Box2D."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from aiga.machine import cores
from aiga.vector import device_of, whole
from aiga_walker.gym_memory import DeviceMemory, HostMemory
from aiga_walker.lives import CROWDED
from aiga_walker.physics import layout as at
from aiga_walker.terrain import Terrain

if TYPE_CHECKING:
    from aiga_walker.env import Lidar
    from aiga_walker.gym_memory import Memory
    from aiga_walker.physics.cuda_engine import CudaEngine

Name = Literal["fast", "box2d"]
_LIDARS = ("nearest", "first-hit")  # spelt out, so that asking for them imports no Box2D

Rows = Sequence[int] | NDArray[np.int64]
Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]


class Physics(Protocol):
    """``N`` walkers that are begun and stepped in any groups.

    Attributes:
        memory: where arrays lie: here, or on a device as tensors.
        seen: ``[N, 24]`` float32, the latest observations, always the same array.
    """

    memory: Memory
    seen: Any

    def begin(self, rows: Rows, terrains: Sequence[Terrain], pushes: Sequence[float]) -> None:
        """New episodes in ``rows``, on these courses, with pushes in N."""
        ...

    def step(self, rows: Rows, actions: Any) -> tuple[Any, Any]:
        """One step of ``rows`` with ``[len(rows), 4]`` actions: their rewards, and which episodes it ended."""
        ...

    def poses(self) -> Any:
        """``[N, 5, 3]``: x and y in m and angle in rad of hull, thigh, shank, thigh, shank."""
        ...

    def close(self) -> None:
        """Frees what can be freed."""
        ...


def physics_of(name: Name, count: int, lidar: Lidar = "nearest", threads: int | None = None, device: Any = None) -> Physics:
    """``count`` walkers.

    Args:
        name: ``fast``, the compiled simulator, or ``box2d``.
        count: how many.
        lidar: ``nearest`` hit, or in Box2D ``first-hit``.
        threads: how many work on a step of the compiled simulator; None for as many as this process may use.
        device: on a CUDA device the compiled simulator steps there, and ``threads`` are not used.

    Raises:
        ValueError: for a name, lidar, number of threads or device that there is not, or not in this physics.
        ModuleNotFoundError: for a CUDA device where numba-cuda is not installed.
    """
    if name not in get_args(Name):
        raise ValueError(f"physics {name!r}: must be one of {', '.join(get_args(Name))}")
    if lidar not in _LIDARS:
        raise ValueError(f"lidar {lidar!r}: must be one of {', '.join(_LIDARS)}")
    if threads is not None and not whole(threads, 1):
        raise ValueError(f"threads {threads!r}: must be an int of 1 or more, or None for all cores")
    if name == "box2d":
        if threads not in (None, 1):
            raise ValueError(
                f"threads {threads}: physics 'box2d' steps one walker at a time; leave threads out, or take 'fast'"
            )
        return _Box2D(count, lidar)
    if lidar != "nearest":
        raise ValueError(f"lidar {lidar!r}: physics 'fast' has only 'nearest'; write physics='box2d' for {lidar!r}")
    where = None if device is None else device_of(device)
    if where is not None and where.type == "cuda":
        from aiga_walker.compiling import compile_aloud
        from aiga_walker.physics.cuda_engine import cuda_engine

        compile_aloud(_tell, where)
        return Device(cuda_engine(where), count)
    return _Fast(count, threads or cores())


def _tell(line: str) -> None:
    print(line, file=sys.stderr)


class _Fast:
    """Walkers of the compiled simulator, which is compiled first where it is not yet."""

    def __init__(self, count: int, threads: int) -> None:
        from aiga_walker.compiling import compile_aloud
        from aiga_walker.physics.engine import engine

        compile_aloud(_tell)
        self._herd, self._threads = engine().herd(count), threads
        self.memory: Memory = HostMemory()
        self.seen = self._herd.seen

    def begin(self, rows: Rows, terrains: Sequence[Terrain], pushes: Sequence[float]) -> None:
        self._herd.begin(rows, terrains, pushes)
        self._check(rows)

    def step(self, rows: Rows, actions: Floats) -> tuple[Floats, Flags]:
        self._herd.step(rows, actions, self._threads)
        self._check(rows)
        return self._herd.rewards[rows], self._herd.ends[rows] & at.OVER != 0

    def poses(self) -> NDArray[Any]:
        return self._herd.poses()

    def close(self) -> None:
        """Nothing: arrays go with the object."""

    def _check(self, rows: Rows) -> None:
        _refuse(np.asarray(rows)[self._herd.ends[rows] & at.LOST != 0])


class Device:
    """Walkers of the compiled simulator on a device, where all arrays stay.

    That a walker is lost is told at the next step: the host would have to wait for the device otherwise.

    Args:
        engine: of that device.
        count: how many walkers.
    """

    def __init__(self, engine: CudaEngine, count: int) -> None:
        self._herd = engine.herd(count)
        self.memory: Memory = DeviceMemory(engine.device)
        self.seen = self._herd.seen

    def begin(self, rows: Rows, terrains: Sequence[Terrain], pushes: Sequence[float]) -> None:
        self._herd.begin(rows, terrains, pushes)

    def step(self, rows: Rows, actions: Any) -> tuple[Any, Any]:
        herd, mine = self._herd, self.memory.rows(rows)
        (lost,) = self.memory.flags(herd.ends & at.LOST != 0)
        _refuse(np.asarray(rows)[lost[rows]])
        herd.step(mine, actions)
        ends = herd.ends[mine]
        # Who is lost must not be begun anew before anybody knows.
        return herd.rewards[mine], (ends & at.OVER != 0) & (ends & at.LOST == 0)

    def poses(self) -> Any:
        return self._herd.poses()

    def close(self) -> None:
        """Nothing: tensors go with the object."""


def _refuse(lost: NDArray[np.int64]) -> None:
    if len(lost):
        raise RuntimeError(f"environments {lost.tolist()}: {CROWDED}; reset them, or use physics='box2d'")


class _Box2D:
    """Walkers in Box2D worlds of their own, stepped one after the other."""

    def __init__(self, count: int, lidar: Lidar) -> None:
        from aiga_walker.env import CourseWalker

        self._walkers = [CourseWalker(lidar) for _ in range(count)]
        self.memory: Memory = HostMemory()
        self.seen: Floats = np.zeros((count, 24), np.float32)

    def begin(self, rows: Rows, terrains: Sequence[Terrain], pushes: Sequence[float]) -> None:
        for row, terrain, push in zip(rows, terrains, pushes, strict=True):
            self.seen[row] = self._walkers[row].begin(terrain, push)

    def step(self, rows: Rows, actions: Floats) -> tuple[Floats, Flags]:
        rewards, over = np.zeros(len(rows), np.float32), np.zeros(len(rows), np.bool_)
        for place, (row, action) in enumerate(zip(rows, actions, strict=True)):
            self.seen[row], rewards[place], over[place], _, _ = self._walkers[row].step(action)
        return rewards, over

    def poses(self) -> NDArray[Any]:
        return np.array([walker.poses() for walker in self._walkers])

    def close(self) -> None:
        for walker in self._walkers:
            walker.end()
