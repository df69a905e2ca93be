"""The simulator on a CUDA device, with the face of :class:`aiga_walker.physics.engine.Engine`: lives and herds.

Nothing here runs until an engine is made, and nothing of CUDA is imported before. Numbers are those of a CPU as long as
products and sums are rounded apart, see :mod:`aiga_walker.physics.cuda_compiler`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from aiga_walker.lives import CROWDED
from aiga_walker.physics import cuda_compiler, cuda_entries, cuda_policy, figure, kernels, policy
from aiga_walker.physics import layout as at
from aiga_walker.physics.cuda_device import REGISTERS, Device, Launcher
from aiga_walker.physics.engine import Lives, Policies, engine
from aiga_walker.physics.ground import Ground
from aiga_walker.physics.target import cuda
from aiga_walker.terrain import Terrain

KERNELS: Final = ("start", "steps", "rollout")


@cache
def sources() -> dict[str, tuple[Any, str]]:
    """The kernels as Python, with the types of their arguments.

    Raises:
        ModuleNotFoundError: where numba-cuda is not installed.
    """
    device, target = cuda_compiler.numba_cuda(), cuda()
    think = cuda_policy.build(target, policy.build(target).tanh)
    made = cuda_entries.build(kernels.build(target, target, figure.walker()), think, device)
    return {name: getattr(made, name) for name in KERNELS}


@dataclass(frozen=True)
class Courses:
    """``C`` courses on a device, as :class:`aiga_walker.physics.ground.Ground` has them; a row each."""

    line: Tensor
    boxes: Tensor
    bins: Tensor
    count: Tensor
    width: int

    @classmethod
    def of(cls, ground: Ground, device: torch.device) -> Courses:
        """The courses of ``ground``."""
        number = len(ground.count)
        parts = (ground.line, ground.boxes, ground.bins, ground.count)
        line, boxes, bins, count = (torch.from_numpy(part).to(device).reshape(number, -1) for part in parts)
        return cls(line, boxes, bins, count, ground.width)

    def placed(self, places: int, rows: Tensor, old: Courses | None) -> Courses:
        """These courses at ``rows`` of ``places``; elsewhere those of ``old``, which are overwritten, or the first of these."""
        if old is None:
            first = torch.zeros(places, dtype=torch.int64, device=rows.device)
            old = Courses(self.line[first], self.boxes[first], self.bins[first], self.count[first], self.width)
        width = max(old.width, self.width)
        mine, theirs = self._widened(width), old._widened(width)
        for name in ("line", "boxes", "bins", "count"):
            getattr(theirs, name)[rows] = getattr(mine, name)
        return theirs

    def _widened(self, width: int) -> Courses:
        more = (width - self.width) * at.POLYGON
        boxes = torch.nn.functional.pad(self.boxes, (0, more)) if more else self.boxes
        return Courses(self.line, boxes, self.bins, self.count, width)

    def arguments(self, shapes: Tensor) -> list[Any]:
        """As kernels take them, with the bodies' polygons."""
        return [*(part.reshape(-1) for part in (self.line, self.boxes, self.bins, self.count)), self.width, shapes]


class CudaEngine:
    """The simulator on one device.

    Args:
        device: which one.
        registers: most of them a thread may have, see :class:`aiga_walker.physics.cuda_device.Device`.
        launcher: runs the kernels; the device, unless they are to run elsewhere.

    Raises:
        RuntimeError: where there is no CUDA device.
        ModuleNotFoundError: where numba-cuda is not installed.
    """

    def __init__(
        self, device: str | torch.device = "cuda", registers: int = REGISTERS, launcher: Launcher | None = None
    ) -> None:
        self.launch = launcher or Device(sources(), torch.device(device), registers)
        self.device = self.launch.device if isinstance(self.launch, Device) else torch.device(device)
        self.figure = figure.walker()
        self.shapes, self.first = (torch.from_numpy(part).to(self.device) for part in (self.figure.shapes, self.figure.first))

    def compile(self, progress: Callable[[float], None] | None = None) -> None:
        """Compiles all kernels, or fetches them from disk; of the processor's that one which courses are laid out with.

        Args:
            progress: told after each which part is done, from 0 to 1.
        """
        for done, name in enumerate(KERNELS):
            if isinstance(self.launch, Device):
                self.launch.function(name)
            if progress is not None:
                progress((done + 1) / len(KERNELS))
        engine().compile_ground()

    @property
    def compiled(self) -> bool:
        """Whether the device has all kernels."""
        return not isinstance(self.launch, Device) or self.launch.loaded

    def held(self) -> bool:
        """Whether all kernels for the device lie on disk."""
        return not isinstance(self.launch, Device) or self.launch.held()

    def ground(self, terrains: Sequence[Terrain]) -> Ground:
        """Courses as the kernels read them, still in the CPU's memory."""
        return engine().ground(terrains)

    def tensor(self, values: Any, dtype: torch.dtype) -> Tensor:
        """``values`` on the device, flat; copied only where they are elsewhere or of another type."""
        return torch.as_tensor(values, dtype=dtype, device=self.device).reshape(-1).contiguous()

    def rollout(
        self,
        ground: Ground | Courses,
        courses: Any,
        pushes: Any,
        agents: Any,
        policies: Policies,
        limit: int,
        record: bool = False,
        threads: int = 1,
    ) -> Lives:
        """Whole lives; see :meth:`aiga_walker.physics.engine.Engine.rollout`.

        Arrays may be NumPy's or torch's; what is on the device already is not copied. The device decides how many threads
        there are: ``threads``, which are the CPU's, are not used.

        Raises:
            ValueError: for a policy with a layer that is wider than a thread has room for.
        """
        layers = np.asarray(policies.layers, np.int64).reshape(-1, 3)
        if layers[:, :2].max() > cuda_entries.WIDEST:
            raise ValueError(
                f"a policy's layer is {layers[:, :2].max()} wide; the simulator for CUDA has room for {cuda_entries.WIDEST}. "
                "Take narrower layers, or the CPU."
            )
        if not isinstance(ground, Courses):
            ground = Courses.of(ground, self.device)
        which, forces = self.tensor(courses, torch.int64), self.tensor(pushes, torch.float32)
        lives, steps = len(which), limit if record else 0
        totals, lengths, fates = (
            torch.zeros(lives, dtype=kind, device=self.device) for kind in (torch.float64, torch.int64, torch.int32)
        )
        shapes = ((lives, steps, *rest) for rest in ((24,), (4,), (), (at.BODIES, 3)))
        kept = [torch.zeros(shape, device=self.device) for shape in shapes]
        counter = torch.zeros(1, dtype=torch.int64, device=self.device)
        if lives:
            self.launch("rollout", self.threads(lives), [
                counter, which, forces, self.tensor(agents, torch.int64), self.tensor(policies.params, torch.float32),
                policies.size, self.tensor(layers, torch.int64), limit, self.first, *ground.arguments(self.shapes),
                totals, lengths, fates, int(record), *(part.reshape(-1) for part in kept),
            ])  # fmt: skip
        return Lives(*(part.cpu().numpy() for part in (totals, lengths, fates, *kept)))

    def threads(self, lives: int) -> int:
        """One a life, but no more than run at once: each takes the next life when its own is over."""
        if not isinstance(self.launch, Device):
            return 1
        return min(lives, self.launch.multiprocessors * self.launch.resources("rollout").resident)

    def herd(self, count: int) -> CudaHerd:
        """``count`` walkers to be stepped with actions from outside."""
        return CudaHerd(self, count)


def first() -> torch.device:
    """The device that torch would take."""
    return torch.device("cuda", torch.cuda.current_device() if torch.cuda.is_available() else 0)


@cache
def cuda_engine(device: torch.device) -> CudaEngine:
    """The engine of a device, one a process; see :class:`CudaEngine`."""
    return CudaEngine(device)


class CudaHerd:
    """``N`` walkers on a device, see :class:`aiga_walker.physics.engine.Herd`; what is read of them are torch's tensors there.

    Attributes:
        seen: ``[N, 24]`` float32, observations.
        rewards: ``[N]`` float32, of the last step.
        ends: ``[N]`` int32, whether and how the last step ended a life: see :mod:`aiga_walker.physics.senses`.
    """

    def __init__(self, engine: CudaEngine, count: int) -> None:
        self._engine, self.count, where = engine, count, engine.device
        self._f, self._actions = torch.zeros(count * at.FLOATS, device=where), torch.zeros(count, 4, device=where)
        self._g = torch.zeros(count * at.INTS, dtype=torch.int32, device=where)
        self.seen, self.rewards = torch.zeros(count, 24, device=where), torch.zeros(count, device=where)
        self.ends = torch.zeros(count, dtype=torch.int32, device=where)
        self._courses: Courses | None = None

    def begin(self, rows: Any, terrains: Sequence[Terrain], pushes: Any) -> None:
        """New lives in ``rows``, on these courses, with these pushes; ``seen`` shows what they see first."""
        mine, engine = self._engine.tensor(rows, torch.int64), self._engine
        new = Courses.of(engine.ground(terrains), engine.device)
        self._courses = new.placed(self.count, mine, self._courses)
        self._actions[mine] = 0.0
        ground = self._courses.arguments(engine.shapes)
        forces = engine.tensor(pushes, torch.float32)
        engine.launch("start", len(mine), [self._f, self._g, mine, mine, forces, engine.first, *ground])
        self._run(mine)

    def step(self, rows: Any, actions: Any, threads: int = 1) -> None:
        """One step of ``rows`` with ``actions`` ``[len(rows), 4]``; the device decides how many threads there are."""
        mine = self._engine.tensor(rows, torch.int64)
        self._actions[mine] = torch.as_tensor(actions, dtype=torch.float32, device=self._engine.device)
        self._run(mine)

    def _run(self, rows: Tensor) -> None:
        if not len(rows):
            return
        assert self._courses is not None
        ground = self._courses.arguments(self._engine.shapes)
        parts = [self._f, self._g, rows, self._actions.reshape(-1), self.seen.reshape(-1), self.rewards, self.ends]
        self._engine.launch("steps", len(rows), [*parts, *ground])

    def poses(self) -> Tensor:
        """``[N, 5, 3]``: x and y in m and angle in rad of hull, thigh, shank, thigh, shank."""
        bodies = self._f.reshape(self.count, at.FLOATS)[:, : at.BODIES * at.BODY].reshape(self.count, at.BODIES, at.BODY)
        return bodies[..., [at.PX, at.PY, at.A]]

    def why(self, row: int) -> str:
        """What happened to a walker that is lost."""
        return CROWDED
