"""What came of a training: the domain's report on its agents, a table and pictures, and curves of what was logged."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from aiga.durable import storage, write_atomic
from aiga.reports import Contestant, Report
from aiga.streams import Stream, derive
from aiga.training import agents
from aiga.training.assembly import Assembled
from aiga.training.curves import curves
from aiga.training.guarding import guarded

FOLDER = "report"  # of a training's directory
FILES = "files"  # what the trainer makes beside its agents
TABLE = "report.json"
CURVES = "curves"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


def judge(made: Assembled, path: Path, say: Callable[[str], None]) -> list[Path]:
    """Has the domain compare the last agents in a training's directory, and writes and says what came of it.

    The table goes to ``report/report.json``, pictures lie beside it: the domain's, and ``curves.png`` of what was logged. An
    older report stays until the new one is made. The domain's draws hang on the run's seed alone, so the same agents have the
    same report.

    Args:
        made: what the configuration stands for.
        path: of the training.
        say: is told the table, line by line.

    Returns:
        The pictures.

    Raises:
        PluginError: if the domain's ``report`` raises, or answers no report.
        InputError: if the agents' files were changed.
        StorageError: if something cannot be read or written.
    """
    population = made.config.population
    networks = () if population is None else population.networks
    # Everything is made before anything is written: an older report is better than none.
    contestants, step = _contestants(made, path)
    drawn = _curves(path, networks, say)
    pictures, table, lines = {} if drawn is None else {CURVES: drawn}, None, list[str]()
    domain: Any = None if population is None else made.components.get("domain", population.domain)
    if contestants and population is not None and hasattr(domain, "report"):
        plugin = made.components.owner("domain", population.domain)
        rng = Stream(derive(made.config.run.seed, "report", population.domain))
        say(f"{population.domain} compares the agents of step {step:,} for the report, which can take minutes")
        with guarded(plugin, lambda: "report"), torch.no_grad():
            report = domain.report(contestants, rng)
            _check(report)
            lines, told = report.lines(), report.plain()
        pictures |= report.pictures
        about = {"domain": population.domain, "trainer": made.config.train.trainer, "seed": made.config.run.seed, "step": step}
        sizes = {name: {"agents": len(each.agents), "parameters": each.parameters} for name, each in contestants.items()}
        table = json.dumps({**told, **about, "networks": sizes}, indent=2, allow_nan=False)
    folder = path / FOLDER
    with storage(folder, "writing the report"):
        folder.mkdir(exist_ok=True)
    written = [_picture(folder, name, content) for name, content in pictures.items()]
    with storage(folder, "writing the report"):
        if table is not None:
            write_atomic(folder / TABLE, f"{table}\n".encode())
        stale = set(folder.glob("*.png")) - set(written) | ({folder / TABLE} if table is None else set())
        for old in stale:
            old.unlink(missing_ok=True)
    for line in ("", *lines, "") if lines else ():
        say(line)
    return written


def _curves(path: Path, networks: Sequence[str], say: Callable[[str], None]) -> bytes | None:
    """What was logged; None where there is nothing, or it cannot be read, which is said: the table does not need it."""
    if not (path / "tb").is_dir():
        say(f"no {CURVES}.png: the event files in {path / 'tb'} are gone")
        return None
    try:
        return curves(path / "tb", networks)
    except Exception as error:
        say(f"no {CURVES}.png: {type(error).__name__}: {error}")
        return None


def found(path: Path) -> list[Path]:
    """The pictures of a training: those of its report, the curves first, and the trainer's own."""
    of_report = sorted((path / FOLDER).glob("*.png"), key=lambda file: (file.stem != CURVES, file.name))
    return [*of_report, *sorted((path / FILES).glob("*.png"))]


def _contestants(made: Assembled, path: Path) -> tuple[dict[str, Contestant], int]:
    """By the network's name, in the order of the configuration; and the step at which the agents were written."""
    trained, step = agents.read(path, "last")
    batches = {batch.kind.component: batch.to(made.device) for batch in trained.batches}
    networks = () if made.config.population is None else made.config.population.networks
    there = [name for name in networks if name in batches]
    return {name: Contestant(made.components.get("network", name), batches[name]) for name in there}, step


def _check(report: Any) -> None:
    if not isinstance(report, Report):
        raise TypeError(f"an aiga.Report is needed, found {type(report).__name__}")
    if not all(isinstance(picture, bytes) for picture in report.pictures.values()):
        raise TypeError("pictures of a report must be the bytes of PNG files")
    odd = [name for name in report.pictures if name == CURVES or _NAME.fullmatch(name) is None]
    if odd:
        raise ValueError(f'a picture named {odd[0]!r}: letters, digits, - and _ are needed, and "{CURVES}" is taken')


def _picture(folder: Path, name: str, content: bytes) -> Path:
    path = folder / f"{name}.png"
    with storage(path, "writing the picture"):
        write_atomic(path, content)
    return path
