"""Every benchmark starts: what it imports is there, and it says what it measures."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"

# One process for all: what takes long is to import torch, and the scripts import one another by their bare names. Some would
# begin anew in a process with another environment before they look at their arguments.
ASK_ALL = """
import contextlib, io, json, os, pathlib, runpy, sys, traceback
os.execve = lambda *begun: None
folder, answers = pathlib.Path(sys.argv[1]), {}
sys.path.insert(0, str(folder))
for script in sorted(folder.glob("*.py")):
    sys.argv, said = [str(script), "--help"], io.StringIO()
    try:
        with contextlib.redirect_stdout(said):
            runpy.run_path(str(script), run_name="__main__")
        code = 0
    except SystemExit as end:
        code = end.code or 0
    except BaseException:
        code = traceback.format_exc(limit=-1)
    answers[script.name] = [code, said.getvalue()]
print(json.dumps(answers))
"""


def test_every_script_answers_help() -> None:
    done = subprocess.run([sys.executable, "-c", ASK_ALL, BENCHMARKS], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    answers: dict[str, tuple[int | str, str]] = json.loads(done.stdout.splitlines()[-1])
    assert answers.keys() == {script.name for script in BENCHMARKS.glob("*.py")}
    assert {name: code for name, (code, _) in answers.items() if code} == {}
    mains = {script.name for script in BENCHMARKS.glob("*.py") if "def main(" in script.read_text()}
    assert {name for name, (_, said) in answers.items() if said.startswith("usage: ")} == mains
