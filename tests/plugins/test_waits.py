"""How often the host waits for the device in a search of all three pillars."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import far
import pytest
import torch

TESTS = Path(__file__).parents[1]
CUDA = pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here"))


@pytest.mark.parametrize("device", [far.NAME, CUDA])
def test_the_host_waits_for_answers_alone(device: str, tmp_path: Path) -> None:
    # A process of its own: a new device has to be there before the first gradient is asked for.
    command = [sys.executable, str(TESTS / "waiting.py"), str(tmp_path), device]
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}, check=False
    )
    assert not done.returncode, done.stderr
    book = json.loads(done.stdout.splitlines()[-1])
    waits, calls = book["waits"], book["calls"]
    assert book["devices"] == [device]
    assert sum(calls["generate"]) > 4, "nothing was generated"
    assert sum(calls["transfer"]) > 2, "nothing was transferred"
    assert set(waits["improve"]) == {0}
    for phase in ("select", "transfer"):
        assert all(some <= most for some, most in zip(waits[phase], calls[phase], strict=True)), book
    # POET looks whether a child's agent is that of an active niche: once more.
    assert all(some <= most + 1 for some, most in zip(waits["generate"], calls["generate"], strict=True)), book
