"""How fast does a walker live on a CUDA device, and are its bits the CPU's?

With a device: steps a second of whole lives, policy included, for more and more walkers at once, what the kernel takes of the
device, its share of the device's peak, and the lives of a CPU beside those of the device, bit by bit; where a bit differs,
scores of both are compared policy by policy.

Without one nothing runs on a GPU. Then the kernels are compiled for compute capability 9.0 (H100, H200), assembled with room
for ever fewer registers, and what they would take is told; and their PTX is run on the processor, translated to C instruction
by instruction, and its lives are compared with the CPU's bit by bit.

    python benchmarks/walker_cuda.py --json
"""

from __future__ import annotations

import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
import walker_ptx
from report import Report, arguments
from walker_speed import POLICIES, policies

from aiga import Dense
from aiga_walker import courses
from aiga_walker.fast import policies_of
from aiga_walker.physics import cuda_compiler, cuda_engine
from aiga_walker.physics.cuda_device import REGISTERS, WARP, Argument, Device, packed
from aiga_walker.physics.engine import Lives, Policies, engine
from aiga_walker.terrain import terrains

HOPPER: Final = (9, 0)
# Of one multiprocessor of compute capability 9.0.
REGISTER_FILE, PARTITIONS, MOST_WARPS, MOST_BLOCKS, CORES = 65536, 4, 64, 32, 128
MULTIPROCESSORS: Final = 132  # of an H100 SXM or H200
LIMITS: Final = (255, 168, 128, 64)
WALKERS: Final = (8192, 32768, 65536, 131072)
GOAL: Final = 5e6  # steps a second with 32768 walkers and more
INSTRUCTIONS: Final = 167_000  # of PTX in one step of a trained walker on flat ground, counted as C
FIELDS: Final = ("totals", "lengths", "fates", "observations", "actions", "rewards", "poses")


def trained() -> Policies:
    """The shipped walker, each time a little changed."""
    layers = list(zip(*policies(POLICIES), strict=True))
    biases, weights = ([torch.from_numpy(np.stack([p[i] for p in layer])) for layer in layers] for i in (0, 1))
    return policies_of([Dense(bias, weight, "tanh") for bias, weight in zip(biases, weights, strict=True)])


def lives(simulator: Any, course: str, count: int, limit: int, record: bool = False) -> Lives:
    """Whole lives of the trained walkers on 16 courses."""
    number = np.arange(count)
    ground = engine().ground(terrains(courses.named(course, 16)))
    pushes = np.random.default_rng(1).uniform(-5, 5, count).astype(np.float32)
    made = simulator.rollout(ground, number % 16, pushes, number % POLICIES, trained(), limit, record)
    assert isinstance(made, Lives)
    return made


def compare(report: Report, label: str, simulator: Any, names: Sequence[str], count: int, limit: int) -> None:
    """The lives of a simulator beside those of the CPU's: differing numbers; scores where there are any."""
    for course in names:
        mine, theirs = (lives(s, course, count, limit, record=True) for s in (simulator, engine()))
        pairs = [(getattr(mine, name), getattr(theirs, name)) for name in FIELDS]
        differing = sum(int((a.view(f"u{a.itemsize}") != b.view(f"u{b.itemsize}")).sum()) for a, b in pairs)
        report.add_row(f"{label}, {course}: steps compared with the CPU's", int(theirs.lengths.sum()), "")
        report.add_row(f"{label}, {course}: differing numbers", differing, "", "0", differing == 0)
        if differing:
            change = mine.totals - theirs.totals
            error = change.std() / max(count, 1) ** 0.5
            report.add_row(f"{label}, {course}: lives of another length", int((mine.lengths != theirs.lengths).sum()), "")
            within = bool(abs(change.mean()) <= 2 * error)
            report.add_row(f"{label}, {course}: mean difference of returns", float(change.mean()), "", "within 2 se", within)
            report.add_row(f"{label}, {course}: its standard error", float(error), "")


def assembled(tool: str, ptx: str, registers: int) -> dict[str, float]:
    """What an assembler says that a kernel takes."""
    began = time.perf_counter()
    if tool == "nvJitLink":
        said = cuda_compiler.machine_code(ptx, HOPPER, registers)[1]
    else:
        with tempfile.TemporaryDirectory() as folder:
            source, target = Path(folder) / "kernel.ptx", Path(folder) / "kernel.cubin"
            source.write_text(ptx)
            command = ["ptxas", "-v", "-arch=sm_90", f"-maxrregcount={registers}", str(source), "-o", str(target)]
            said = subprocess.run(command, check=True, capture_output=True, text=True).stderr
    stack, stores, loads = re.findall(r"(\d+) bytes (?:stack frame|spill stores|spill loads)", said)[:3]
    used = re.findall(r"[Uu]sed (\d+) registers", said)[0]
    seconds = time.perf_counter() - began
    return {"registers": int(used), "local": int(stack), "stores": int(stores), "loads": int(loads), "seconds": seconds}


def resident(registers: int) -> int:
    """Warps of a multiprocessor with so many registers a thread; they come by 256 a warp, from a quarter of the file."""
    warp = -(-registers * WARP // 256) * 256
    return min(REGISTER_FILE // PARTITIONS // warp * PARTITIONS, MOST_WARPS, MOST_BLOCKS)


class Emulated:
    """Runs the kernels' PTX as C on this processor."""

    def __init__(self, ptx: dict[str, str]) -> None:
        self._ptx, self._made = ptx, dict[str, Callable[..., None]]()

    def __call__(self, name: str, threads: int, given: Sequence[Argument]) -> None:
        if name not in self._made:
            self._made[name] = walker_ptx.compiled(self._ptx[name])
        self._made[name](packed(given), threads)


def without_device(report: Report, quick: bool) -> None:
    """What can be told of the kernels where no GPU is."""
    ptx = {}
    for name, source in cuda_engine.sources().items():
        if quick and name != "rollout":
            continue
        began = time.perf_counter()
        ptx[name] = cuda_compiler.ptx_of(*source, HOPPER)
        report.add_row(f"{name}: Numba and NVVM", time.perf_counter() - began, "s")
        report.add_row(f"{name}: PTX", len(ptx[name]) / 1e6, "MB")
        for what, count in cuda_compiler.contracted(ptx[name]).items():
            report.add_row(f"{name}: {what} in PTX", count, "", "0", count == 0)
        report.add_row(f"{name}: fma.rn.f64 in PTX, of sines", len(re.findall(r"\bfma\.rn\.f64\b", ptx[name])), "")
    tools = ["nvJitLink", *(["ptxas"] if shutil.which("ptxas") and not quick else [])]
    for tool in tools:
        for most in (REGISTERS,) if quick else LIMITS:
            try:
                took = assembled(tool, ptx["rollout"], most)
            except subprocess.CalledProcessError as error:
                # One older than NVVM cannot read its PTX.
                print(f"{tool} on the search path was left out: {error.stderr.strip().splitlines()[0].partition('; ')[2]}")
                break
            label, warps = f"rollout, {tool}, at most {most} registers", resident(int(took["registers"]))
            report.add_row(f"{label}: used", took["registers"], "")
            report.add_row(f"{label}: spill stores", took["stores"], "B")
            report.add_row(f"{label}: spill loads", took["loads"], "B")
            report.add_row(f"{label}: local memory of a thread", took["local"], "B")
            report.add_row(f"{label}: theoretical occupancy", 100 * warps / MOST_WARPS, "%")
            report.add_row(f"{label}: walkers at once on {MULTIPROCESSORS} multiprocessors", warps * WARP * MULTIPROCESSORS, "")
            report.add_row(f"{label}: assembled", took["seconds"], "s")
    if shutil.which("gcc"):
        emulated = cuda_engine.CudaEngine("cpu", launcher=Emulated(ptx))
        names, count, limit = (("flat",), 4, 100) if quick else (("flat", "Hardcore", "Stairs", "PitGap", "Stump"), 32, 1600)
        compare(report, "PTX as C", emulated, names, count, limit)


def peak(device: Device) -> float:
    """Instructions a second of all cores."""
    driver = import_module("cuda.bindings.driver")
    clock = driver.CUdevice_attribute.CU_DEVICE_ATTRIBUTE_CLOCK_RATE
    _, kilohertz = driver.cuDeviceGetAttribute(clock, device.device.index)
    return float(device.multiprocessors * CORES * kilohertz * 1e3)


def with_device(report: Report, quick: bool) -> None:
    """Speed and bits on the device."""
    repeats, limit = (2, 100) if quick else (5, 400)
    best: tuple[float, int] = (0.0, REGISTERS)
    for most in (REGISTERS,) if quick else LIMITS:
        simulator = cuda_engine.CudaEngine(registers=most)
        device = simulator.launch
        assert isinstance(device, Device)
        began = time.perf_counter()
        simulator.compile()
        label, takes = f"at most {most} registers", device.resources("rollout")
        report.add_row(f"{label}: compiled, or fetched from disk", time.perf_counter() - began, "s")
        report.add_row(f"{label}: used", takes.registers, "")
        report.add_row(f"{label}: local memory of a thread", takes.local_bytes, "B")
        report.add_row(f"{label}: occupancy", 100 * takes.occupancy, "%")
        for walkers in WALKERS[:2] if quick else WALKERS:
            lives(simulator, "flat", walkers, limit)
            speeds = []
            for _ in range(repeats):
                began = time.perf_counter()
                steps = int(lives(simulator, "flat", walkers, limit).lengths.sum())
                speeds.append(steps / (time.perf_counter() - began))
            median, large = statistics.median(speeds), walkers >= 32768
            goal, met = (f">= {GOAL:,.0f}", median >= GOAL) if large else (None, None)
            spread = (min(speeds), max(speeds))
            report.add_row(f"{label}: {walkers} walkers", median, "steps/s", goal, met, spread)
            report.add_row(f"{label}: {walkers} walkers, share of peak", 100 * median * INSTRUCTIONS / peak(device), "%")
            best = max(best, (median, most))
    names, count = (("flat",), 1024) if quick else (("flat", "Hardcore", "Stairs", "PitGap", "Stump"), 1024)
    compare(report, "device", cuda_engine.CudaEngine(registers=best[1]), names, count, limit)


def main() -> None:
    """Measures, or compiles, and prints; ends with 2 where numba-cuda is not installed, with 1 where a bit differs."""
    given = arguments(__doc__).parse_args()
    packages = (*Report.packages, "numba", "llvmlite", "numba-cuda", "nvidia-nvvm", "nvidia-nvjitlink")
    report = Report("walker_cuda", packages)
    try:
        cuda_compiler.numba_cuda()
    except ModuleNotFoundError as error:
        print(error)
        sys.exit(2)
    if torch.cuda.is_available():
        print(f"on {torch.cuda.get_device_name()}")
        with_device(report, given.quick)
    else:
        print("NOTHING RAN ON A GPU: torch sees none. The kernels were compiled for compute capability 9.0, not run.")
        without_device(report, given.quick)
    report.show(given.json)
    sys.exit(1 if any(row.met is False and row.goal == "0" for row in report.rows) else 0)


if __name__ == "__main__":
    main()
