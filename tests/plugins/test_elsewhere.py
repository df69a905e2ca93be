"""Agents on a device that is not the host: no operation may mix the two sides."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[1] / "elsewhere.py"


def test_agents_live_and_learn_on_a_device(tmp_path: Path) -> None:
    # A process of its own: a new device has to be there before the first gradient is asked for.
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, str(SCRIPT), str(tmp_path)], capture_output=True, text=True, env=env, check=False)
    assert not done.returncode, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert len(said) == 2
    assert not {name: wrong for name, wrong in said.items() if wrong}
