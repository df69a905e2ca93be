"""Where a run runs: its cores, the device of its agents, and what its operations stream keeps of the machine."""

from __future__ import annotations

import os
import platform

import torch

from aiga.errors import InputError


def choose_device(wanted: str, parallelism: str) -> str:
    """The device of agents' parameters: what was asked for, or where the domain can use it.

    Raises:
        InputError: if a CUDA device is asked for that is not there.
    """
    if wanted == "auto":
        return "cuda" if parallelism == "device" and torch.cuda.is_available() else "cpu"
    if wanted.startswith("cuda"):
        index = int(wanted.partition(":")[2] or 0)
        if not torch.cuda.is_available() or index >= torch.cuda.device_count():
            there = f"there is no {wanted!r} on this machine ({torch.cuda.device_count()} CUDA devices)"
            raise InputError(f'{there}. Write "auto" or "cpu".')
    return wanted


def cores() -> int:
    """How many processor cores this process may use; macOS and Windows say only how many there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def machine() -> dict[str, str]:
    """What a run's operations stream keeps about where it ran."""
    return {
        "machine": platform.machine(),
        "system": platform.system(),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }
