"""Compiling the simulator with a word to whoever waits, and what `aiga doctor` says of it."""

from __future__ import annotations

import time
from collections.abc import Callable

from aiga_walker.physics import store
from aiga_walker.physics.engine import engine, lanes_here


def compile_aloud(say: Callable[[str], None], cuda: bool = False) -> None:
    """Compiles the kernels for this processor; says so where they do not lie on disk yet, a quarter at a time.

    Args:
        say: shows a line to the user.
        cuda: those for the GPU too; the processor's lay the ground.
    """
    _compile_here(say)
    if cuda:
        from aiga_walker.physics.cuda_engine import cuda_engine, first

        say("compiling the walker's simulator for the GPU, or fetching it from disk")
        started = time.monotonic()
        cuda_engine(first()).compile()
        say(f"ready for the GPU after {time.monotonic() - started:.0f} s")


def _compile_here(say: Callable[[str], None]) -> None:
    simulator = engine()
    if simulator.compiled:
        return
    if store.held(simulator.lanes):
        simulator.compile()
        return
    say(f"compiling the walker's simulator for {simulator.lanes} lanes, once for this processor: about half a minute")
    started, told = time.monotonic(), [0]

    def progress(part: float) -> None:
        quarter = int(4 * part)
        if told[0] < quarter < 4:
            told[0] = quarter
            say(f"compiling the walker's simulator: {25 * quarter} %")

    simulator.compile(progress)
    kept = (
        f"kept in {store.folder()}" if store.held(simulator.lanes) else f"but not kept: {store.unwritable() or store.folder()}"
    )
    say(f"compiled in {time.monotonic() - started:.0f} s; {kept}")


def checkup() -> str:
    """Lanes of this processor, and which kernels lie on disk."""
    lanes = lanes_here()
    held = [str(count) for count in (1, 8, 16, 32) if store.held(count)]
    kernels = (
        f"kernels for {', '.join(held)} lanes are compiled" if held else "no kernels are compiled yet: the first run does it"
    )
    return f"simulator for {lanes} lanes on this processor; {kernels}, in {store.folder()}"
