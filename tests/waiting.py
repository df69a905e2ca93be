"""Counts, in a process of its own, how often the host waits for a device in a small search of all three pillars.

    python tests/waiting.py FOLDER far|cuda

The last line is one JSON object: ``devices`` of niches' agents, and by phase a number an iteration of ``waits`` of the host and
of ``calls`` of what answers with numbers: evaluations, rounds of meta-learning and teachings.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import far
import torch
from three_pillars import small

import aiga
import aiga.experiment
import aiga_gtn.niches.plugin
import aiga_gtn.niches.rounds
from aiga import loop
from aiga.lab import RunLab
from aiga_maze import mazes

PHASES = ("generate", "improve", "select", "transfer")


class Book:
    """What a run does, phase by phase.

    Args:
        waited: how often the host has waited so far.
    """

    def __init__(self, waited: Callable[[], int]) -> None:
        self.devices: set[str] = set()
        self.waits: dict[str, list[int]] = {phase: [] for phase in PHASES}
        self.calls: dict[str, list[int]] = {phase: [] for phase in PHASES}
        self._waited, self._called, self._in = waited, Counter[str](), ""
        for phase in PHASES:
            setattr(loop, phase, self._phase(phase, getattr(loop, phase)))
        plugin, rounds = aiga_gtn.niches.plugin, aiga_gtn.niches.rounds
        for where, name in ((RunLab, "evaluate"), (rounds, "learnt"), (plugin, "taught")):
            setattr(where, name, self._call(getattr(where, name)))

    def _phase(self, phase: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def phased(*given: Any) -> Any:
            self._in, waits, calls = phase, self._waited(), self._called[phase]
            out = real(*given)
            self.devices |= {batch.device.type for batch in given[0].niches.agents.batches}
            self.waits[phase].append(self._waited() - waits)
            self.calls[phase].append(self._called[phase] - calls)
            return out

        return phased

    def _call(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def called(*given: Any, **named: Any) -> Any:
            self._called[self._in] += 1
            return real(*given, **named)

        return called


@contextmanager
def told() -> Iterator[Callable[[], int]]:
    """How often CUDA tells that the host waited."""
    torch.zeros(1, device="cuda")
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            yield lambda: sum("synchronizing" in str(one.message) for one in said)
        finally:
            torch.cuda.set_sync_debug_mode("default")


def main(folder: str, device: str) -> None:
    """One search, of short lives: each operation of the stand-in device is one of Python's."""
    mazes._MAZES["L7"] = mazes.Maze(size=7, steps=20)
    given = small()
    given["run"]["stop"]["iterations"] = 3
    given["plugins"]["backpropamine"]["options"]["search"] = ["width"]
    if device == far.NAME:
        aiga.experiment.choose_device = lambda wanted, parallelism: far.NAME
        with far.there():
            book = Book(far.waits.total)
            aiga.run(given, name=device, runs=Path(folder))
    else:
        given["run"]["device"] = device
        with told() as waited:
            book = Book(waited)
            aiga.run(given, name=device, runs=Path(folder))
    print(json.dumps({"devices": sorted(book.devices), "waits": book.waits, "calls": book.calls}))


if __name__ == "__main__":
    main(*sys.argv[1:])
