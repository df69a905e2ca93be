"""Compiling the simulator with a word to whoever waits, and what `aiga doctor` says of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from aiga_walker.physics import store
from aiga_walker.physics.engine import engine, lanes_here

if TYPE_CHECKING:
    import torch


def compile_aloud(say: Callable[[str], None], device: torch.device | None = None) -> None:
    """Compiles the kernels; says so where they do not lie on disk yet, part by part.

    Args:
        say: shows a line to the user.
        device: the CUDA device that they are for; None for this processor.

    Raises:
        RuntimeError: where there is no such device.
        ModuleNotFoundError: for a device, where numba-cuda is not installed.
    """
    if device is None:
        _compile_here(say)
    else:
        _compile_there(say, device)


def _compile_here(say: Callable[[str], None]) -> None:
    simulator = engine()
    if simulator.compiled:
        return
    if store.held(simulator.lanes):
        simulator.compile()
        return
    say(f"compiling the walker's simulator for {simulator.lanes} lanes, once for this processor: about half a minute")
    _timed(say, simulator.compile, lambda: store.held(simulator.lanes))


def _compile_there(say: Callable[[str], None], device: torch.device) -> None:
    from aiga_walker.physics.cuda_engine import cuda_engine

    simulator = cuda_engine(device)
    if simulator.compiled:
        return
    if simulator.held():
        simulator.compile()
        return
    say(f"compiling the walker's simulator for {device}, once for GPUs of its kind: some minutes")
    _timed(say, simulator.compile, simulator.held)


def _timed(say: Callable[[str], None], compiles: Callable[[Callable[[float], None]], None], held: Callable[[], bool]) -> None:
    started, told = time.monotonic(), [0]

    def progress(part: float) -> None:
        quarter = int(4 * part)
        if told[0] < quarter < 4:
            told[0] = quarter
            say(f"compiling the walker's simulator: {25 * quarter} %")

    compiles(progress)
    kept = f"kept in {store.folder()}" if held() else f"but not kept: {store.unwritable() or store.folder()}"
    say(f"compiled in {time.monotonic() - started:.0f} s; {kept}")


def checkup() -> str:
    """Lanes of this processor, and which kernels lie on disk."""
    lanes = lanes_here()
    held = [str(count) for count in (1, 8, 16, 32) if store.held(count)]
    kernels = (
        f"kernels for {', '.join(held)} lanes are compiled" if held else "no kernels are compiled yet: the first run does it"
    )
    return f"simulator for {lanes} lanes on this processor; {kernels}, in {store.folder()}"
