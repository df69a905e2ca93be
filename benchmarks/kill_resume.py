"""Kill a run at random moments, resume it, and compare it byte for byte with a run never killed.

The run is POET with ES on the toy domain ``points``, with agents of two networks and transfers between them. An iteration takes
a fraction of a second, so that kills land everywhere: at the start, in an iteration, in a commit, in a checkpoint, in a resume.
Compared are the journal's search stream, as ``aiga journal`` prints it, and the last checkpoint, which holds the state of
every plugin.

    python benchmarks/kill_resume.py --kills 50
"""

from __future__ import annotations

import hashlib
import random
import signal
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from report import Report, arguments

import aiga
from aiga.testing import linear, points

CONFIG = f"""
api = 1
[run]
checkpoint_every = 3
episodes = 2
workers = 0
[population]
domain = "points"
networks = ["mlp", "linear"]
[slots]
select = "poet"
improve = "es"
[plugins.points]
path = "{points.__file__}"
[plugins.linear]
path = "{linear.__file__}"
[plugins.local.options]
device_block = 256
[plugins.mlp.options]
hidden = [8]
[plugins.es.options]
population = 8
[plugins.poet.options]
reproduce_every = 3
transfer_every = 4
children = 8
capacity = 6
"""


@dataclass
class Tally:
    """What became of the kills.

    Attributes:
        at: the last iteration committed before each kill; None where there was no run yet.
        runs: runs killed at least once, carried to their end and compared.
        journals, checkpoints: how many of them have the journal and the last checkpoint of the run never killed.
    """

    at: list[int | None] = field(default_factory=list)
    runs: int = 0
    journals: int = 0
    checkpoints: int = 0

    @property
    def equal(self) -> bool:
        """Whether every run is as if nothing had happened."""
        return self.runs == self.journals == self.checkpoints


def search_stream(run: Path) -> bytes:
    """What ``aiga journal`` prints."""
    with aiga.open(run).reading() as journal:
        return "\n".join(journal.lines()).encode()


def last_checkpoint(run: Path) -> bytes:
    """The manifest of the newest checkpoint: the hash of every part of the state."""
    checkpoints = run / "checkpoints"
    return (checkpoints / (checkpoints / "LATEST").read_text().strip() / "manifest.json").read_bytes()


def aiga_command(*words: str) -> list[str]:
    """The command line of this environment."""
    return [str(Path(sysconfig.get_path("scripts"), "aiga")), *words]


def carry_out(command: list[str]) -> None:
    """Runs a command to its end.

    Raises:
        RuntimeError: if it fails; with what it said.
    """
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")


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
        if process.returncode == -signal.SIGKILL:
            return True
        errors = b"it ended as it was killed"
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}: {errors.decode()}")
    return False


def start_up(run: Path, begun: float) -> float:
    """Seconds from ``begun``, a time since 1970, to the run's first row of operations."""
    return float(aiga.open(run).operations("start")["time"].iloc[0]) - begun


def kill_and_resume(start: list[str], resume: list[str], run: Path, most: int, moment: Callable[[], float]) -> list[int | None]:
    """Starts a run, kills it up to ``most`` times and carries it to its end; where each kill fell.

    Args:
        start: the command that starts it.
        resume: the command that resumes it.
        run: the run's folder.
        most: kills.
        moment: draws the seconds from a process's start to its kill.
    """
    at: list[int | None] = []
    while len(at) < most and killed(resume if run.exists() else start, moment()):
        if run.exists():
            with aiga.open(run).reading() as journal:
                at.append(journal.iteration)
        else:
            at.append(None)
    carry_out(resume if run.exists() else start)
    return at


def measure(kills: int, dice: random.Random, runs: Path, file: Path) -> tuple[Tally, Path]:
    """Kills runs until ``kills`` have been killed; the tally, and the run never killed."""
    begun, clock = time.time(), time.monotonic()
    carry_out(aiga_command("run", str(file), "--name", "whole", "--runs", str(runs)))
    seconds = time.monotonic() - clock
    # A process spends much of its life importing; few kills shall fall there, and some do, for no start-up is like the last.
    earliest = start_up(runs / "whole", begun)
    stream, state = search_stream(runs / "whole"), last_checkpoint(runs / "whole")
    tally, number = Tally(), 0
    while len(tally.at) < kills:
        name, number = f"killed-{number}", number + 1
        start = aiga_command("run", str(file), "--name", name, "--runs", str(runs))
        resume = aiga_command("resume", name, "--runs", str(runs))
        most = min(3, kills - len(tally.at))
        at = kill_and_resume(start, resume, runs / name, most, lambda: dice.uniform(earliest, seconds))
        if not at:
            continue
        same, saved = search_stream(runs / name) == stream, last_checkpoint(runs / name) == state
        tally.at += at
        tally.runs, tally.journals, tally.checkpoints = tally.runs + 1, tally.journals + same, tally.checkpoints + saved
        print(f"{name}: {'equal' if same and saved else 'DIFFERS'} after kills at iterations {at}", flush=True)
    return tally, runs / "whole"


def main() -> None:
    """One run never killed, others killed again and again."""
    parser = arguments(__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0, help="of the moments of the kills")
    given = parser.parse_args()
    kills, iterations = (4, 40) if given.quick else (given.kills, 120)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "plugins.toml")
        file.write_text(CONFIG + f"[run.stop]\niterations = {iterations}\n")
        tally, whole = measure(kills, random.Random(given.seed), Path(folder, "runs"), file)
        stream = search_stream(whole)
    report, met = Report("kill_resume"), len(tally.at) >= kills
    report.add_row("kills", len(tally.at), "", f">= {kills}", met)
    under_way = [iteration for iteration in tally.at if iteration is not None]
    report.add_row("of them before there was a run", len(tally.at) - len(under_way), "")
    report.add_row("runs killed and resumed", tally.runs, "")
    report.add_row("of them with byte-equal journals", tally.journals, "", f"{tally.runs}", tally.journals == tally.runs)
    same = tally.checkpoints == tally.runs
    report.add_row("of them with byte-equal last checkpoints", tally.checkpoints, "", f"{tally.runs}", same)
    if under_way:
        middle, spread = statistics.median(under_way), (min(under_way), max(under_way))
        report.add_row("iterations at which the kills fell", middle, "", spread=spread)
    report.add_row("search stream", len(stream), "bytes")
    print(f"sha256 of the search stream: {hashlib.sha256(stream).hexdigest()}")
    report.show(given.json)
    sys.exit(0 if tally.equal and met else 1)


if __name__ == "__main__":
    main()
