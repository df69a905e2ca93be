"""Kill a run at random moments, resume it, and compare its journal byte for byte with that of a run never killed.

The run is POET with ES on the toy domain ``points``: every plugin's state, both networks and transfers are in it, and an iteration
takes milliseconds, so that kills land everywhere: in an iteration, in a commit, in a checkpoint, in a resume.

    python benchmarks/kill_resume.py --kills 50
"""

from __future__ import annotations

import hashlib
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from report import Report, arguments

import aiga
from aiga.testing import points

CONFIG = f"""
api = 1
[run]
checkpoint_every = 3
episodes = 2
workers = 0
stop = {{ iterations = 240 }}
[population]
domain = "points"
networks = ["mlp"]
[slots]
select = "poet"
improve = "es"
[plugins.points]
path = "{points.__file__}"
[plugins.mlp.options]
hidden = [8]
[plugins.es.options]
population = 32
[plugins.poet.options]
reproduce_every = 3
transfer_every = 4
children = 8
capacity = 8
"""


def search_stream(run: Path) -> bytes:
    """What ``aiga journal`` prints."""
    with aiga.open(run).reading() as journal:
        return "\n".join(journal.lines()).encode()


def aiga_command(*words: str) -> list[str]:
    """The command line of this environment."""
    return [sys.executable, "-m", "aiga.cli", *words]


def killed(command: list[str], after: float) -> bool:
    """Runs a command and kills it after so many seconds; False where it was quicker and succeeded.

    Raises:
        RuntimeError: if it failed by itself.
    """
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        _, errors = process.communicate(timeout=after)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.communicate()
        return True
    if process.returncode != 0:
        raise RuntimeError(errors.decode())
    return False


def main() -> None:
    """One run never killed, one killed again and again."""
    parser = arguments(__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0, help="of the moments of the kills")
    given = parser.parse_args()
    kills = 4 if given.quick else given.kills
    dice = random.Random(given.seed)
    with tempfile.TemporaryDirectory() as folder:
        runs, file = Path(folder, "runs"), Path(folder, "plugins.toml")
        file.write_text(CONFIG)
        start = time.monotonic()
        subprocess.run(aiga_command("run", str(file), "--name", "whole", "--runs", str(runs)), check=True, capture_output=True)
        seconds = time.monotonic() - start
        whole = search_stream(runs / "whole")
        equal, at = 0, []
        done = 0
        while done < kills:
            name = f"killed-{done}"
            command = aiga_command("run", str(file), "--name", name, "--runs", str(runs))
            # Each run is killed up to three times, somewhere between its first second and its end, then carried to its end.
            for _ in range(min(3, kills - done)):
                if not killed(command, dice.uniform(0.5, seconds)) and (runs / name).exists():
                    break
                done += 1
                if (runs / name).exists():
                    with aiga.open(runs / name).reading() as journal:
                        at.append(journal.iteration or 0)
                    command = aiga_command("resume", name, "--runs", str(runs))
            subprocess.run(command, check=True, capture_output=True)
            same = search_stream(runs / name) == whole
            equal += same
            print(f"{name}: {'equal' if same else 'DIFFERS'} after kills at iterations {at[-3:]}", flush=True)
        total = len([path for path in runs.iterdir() if path.name != "whole"])
    report = Report("kill_resume")
    report.add_row("kills", done, "", f">= {kills}", done >= kills)
    report.add_row("runs killed and resumed", total, "")
    report.add_row("of them with byte-equal journals", equal, "", f"{total}", equal == total)
    report.add_row("iterations at which the kills fell", sorted(at)[len(at) // 2], "", spread=(min(at), max(at)))
    report.add_row("search stream", len(whole), "bytes")
    print(f"sha256 {hashlib.sha256(whole).hexdigest()}")
    report.show(given.json)
    sys.exit(0 if equal == total else 1)


if __name__ == "__main__":
    main()
