"""``aiga status`` of a training: how far it is, from its journal and its lock; it may be going on meanwhile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiga.cli.places import command
from aiga.cli.status import ended, saved_ago, state
from aiga.cli.training import further
from aiga.rundir import RunDirectory
from aiga.training.runs import TrainingRun, brief

if TYPE_CHECKING:
    from rich.console import RenderableType


class WatchedTraining:
    """A training looked at once or again and again."""

    def __init__(self, path: Path) -> None:
        self._run = TrainingRun(RunDirectory.open(path))

    def look(self) -> dict[str, Any]:
        """What ``--json`` prints; its keys are always the same.

        Raises:
            AigaError: if the training cannot be read.
        """
        run = self._run
        train, holder = run.config.train, run.folder.holder()
        with run.reading() as journal:
            saved, stops, last = journal.operations("checkpoint"), journal.operations("stop"), ended(journal)
        newest = None if not len(saved) else saved.iloc[-1]
        more = further(train, stops.iloc[-1]) if len(stops) else []
        return {
            "name": run.name,
            "path": str(run.path),
            "trainer": train.trainer,
            "live": holder is not None,
            "process": None if holder is None else asdict(holder),
            "resume": command("resume", run.path, *more),
            "stopped": last.get("stop") if holder is None else None,
            "failure": last.get("failure") if holder is None else None,
            "step": 0 if newest is None else int(newest["iteration"]),
            "epoch": 0 if newest is None else int(newest["epoch"]),
            "max_steps": train.max_steps,
            "max_epochs": train.max_epochs,
            "metrics": {} if newest is None else dict(newest["metrics"]),
            "checkpoint": None if newest is None else {"step": int(newest["iteration"]), "time": _iso(newest["time"])},
            "agents": [str(path) for path in run.agents],
            "pictures": [str(path) for path in run.pictures],
        }


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def render(status: Mapping[str, Any]) -> RenderableType:
    """The status as a table."""
    from rich.table import Table
    from rich.text import Text

    limits = {name: "" if status[name] is None else f" of {status[name]:,}" for name in ("max_steps", "max_epochs")}
    saved = status["checkpoint"]
    figures = Table.grid(padding=(0, 2))
    figures.add_column(style="dim", no_wrap=True)
    figures.add_column()
    for name, value in (
        ("training", status["path"]),
        ("trainer", status["trainer"]),
        ("state", state(status)),
        ("step", f"{status['step']:,}{limits['max_steps']}"),
        ("epoch", f"{status['epoch']:,}{limits['max_epochs']}"),
        ("checkpoint", "none" if saved is None else f"step {saved['step']:,}{saved_ago(saved['time'])}"),
        *(
            (name, "-" if value is None else str(value) if isinstance(value, str) else f"{value:.6g}")
            for name, value in brief(status["metrics"]).items()
        ),
        *(("agent", path) for path in status["agents"]),
        *(("picture", path) for path in status["pictures"]),
    ):
        figures.add_row(name, Text(value))
    return figures
