"""``aiga status``: how far a run is, from its journal, its newest checkpoint and its lock; it may be going on meanwhile."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import typer

from aiga import config as configs
from aiga.cli.chronicle import Chronicle
from aiga.cli.places import command
from aiga.cli.screen import console
from aiga.errors import InputError
from aiga.journal import Journal
from aiga.rundir import CONFIG, RunDirectory

if TYPE_CHECKING:
    from rich.console import RenderableType

SECONDS = 2.0  # between two looks of --watch


class Watched:
    """A run looked at once or again and again; each look reads only what is new."""

    def __init__(self, path: Path) -> None:
        self._folder = RunDirectory.open(path)
        self._chronicle = Chronicle()
        self._stop = configs.load(path / CONFIG).run.stop
        self._saved: tuple[str, dict[str, Any]] = ("", {})

    def look(self) -> dict[str, Any]:
        """What ``--json`` prints; its keys are always the same.

        Raises:
            AigaError: if the run cannot be read.
        """
        folder, chronicle = self._folder, self._chronicle
        with Journal(folder.journal_path, readonly=True) as journal:
            chronicle.read(journal)
            annecs = _last(journal.annecs())
            last, pillars = ended(journal), journal.standings()
        holder, saved = folder.holder(), self._checkpoint()
        scores = saved.get("scores", {})
        niches = [asdict(niche) for niche in chronicle.niches.values()]
        for niche in niches:
            # The checkpoint's score is of every iteration, the journal's of the last event that concerned the niche.
            niche["score"] = scores.get((niche["niche"], niche["env"]), niche["score"])
        summary = chronicle.summary
        return {
            "name": folder.name,
            "path": str(folder.path),
            "live": holder is not None,
            "process": None if holder is None else asdict(holder),
            "resume": command("resume", folder.path, *chronicle.further(self._stop)),
            "stopped": last.get("stop") if holder is None else None,
            "failure": last.get("failure") if holder is None else None,
            "iteration": chronicle.iteration,
            "pillars": pillars,
            "niches": niches,
            "best": summary.get("best"),
            "mean": summary.get("mean"),
            "events": dict(sorted(chronicle.counts.items())),
            "admissions": chronicle.admissions,
            "transfers": {
                "tried": chronicle.tried,
                "accepted": chronicle.accepted,
                "unlike": chronicle.unlike,
                "audited": chronicle.audited,
                "still_winning": chronicle.still_winning,
            },
            "solves": chronicle.solves,
            "solved_at_birth": chronicle.solved_at_birth,
            "founders_solved": sum(chronicle.founders.values()),
            "annecs_active": annecs.get("annecs_active", 0),
            "annecs": annecs.get("annecs"),
            "episodes": summary.get("episodes", 0),
            "environment_steps": summary.get("environment_steps", 0),
            "meter": saved.get("meter", []),
            "checkpoint": saved.get("checkpoint"),
        }

    def _checkpoint(self) -> dict[str, Any]:
        """Scores, counted work and age of the newest checkpoint; read again when another one is the latest."""
        folder = self._folder.checkpoints
        latest = folder / "LATEST"
        try:
            stamp = f"{latest.read_text()} {latest.stat().st_mtime_ns}"
        except (OSError, UnicodeDecodeError):
            stamp = "none"
        if stamp != self._saved[0]:
            self._saved = (stamp, _saved(folder))
        return self._saved[1]


class Looking(Protocol):
    """A run or a training that can be looked at again and again."""

    def look(self) -> dict[str, Any]: ...


def _training(path: Path) -> Looking:
    from aiga.cli.training_status import WatchedTraining

    return WatchedTraining(path)


def _render_training(status: Mapping[str, Any]) -> RenderableType:
    from aiga.cli import training_status

    return training_status.render(status)


def _saved(folder: Path) -> dict[str, Any]:
    from aiga import checkpoint

    newest, _ = checkpoint.newest(folder)
    if newest is None:
        return {}
    search = newest.tree["search"]
    niches = search["niches"]
    columns = (niches.key.tolist(), niches.env_ids.tolist(), niches.score.tolist())
    names = ("plugin", "purpose", "kind", "amount")
    try:
        stamp = (folder / f"{newest.iteration:06d}" / checkpoint.MANIFEST).stat().st_mtime
        made = datetime.fromtimestamp(stamp, UTC).isoformat(timespec="seconds")
    except OSError:  # a newer one took its place meanwhile
        made = None
    return {
        "scores": {(key, env): None if math.isnan(score) else score for key, env, score in zip(*columns, strict=True)},
        "meter": [dict(zip(names, row, strict=True)) for row in search["meter"]["counts"]],
        "checkpoint": {"iteration": newest.iteration, "time": made},
    }


def ended(journal: Journal) -> dict[str, str]:
    """How the latest stretch ended: the reason of its stop, or its failure; nothing where it was killed or goes on."""
    latest: tuple[int, dict[str, str]] = (0, {})
    for type, column in (("start", None), ("resume", None), ("stop", "reason"), ("failure", "text")):
        frame = journal.operations(type)
        if len(frame) and int(frame["id"].iloc[-1]) > latest[0]:
            words = {} if column is None else {type: str(frame[column].iloc[-1])}
            latest = (int(frame["id"].iloc[-1]), words)
    return latest[1]


def _last(frame: Any) -> dict[str, int | None]:
    if not len(frame):
        return {}
    row = frame.iloc[-1].to_dict()
    return {name: None if value is None or value != value else int(value) for name, value in row.items()}


def show(path: Path, as_json: bool, watch: bool) -> None:
    """Prints the status once, or until Ctrl-C.

    Raises:
        InputError: if there is no such run, or a newer aiga made it.
    """
    watched: Looking = Watched(path) if not RunDirectory(path).training else _training(path)
    if as_json:
        _repeat(watched, watch)
        return
    screen, draw = console(), render if isinstance(watched, Watched) else _render_training
    if not watch:
        screen.print(draw(watched.look()))
        return
    if not screen.is_terminal:
        raise InputError("--watch: needs a terminal. Leave it out, or add --json for a line every two seconds.")
    from rich.live import Live

    with Live(draw(watched.look()), console=screen, auto_refresh=False) as live:
        try:
            while True:
                time.sleep(SECONDS)
                live.update(draw(watched.look()), refresh=True)
        except KeyboardInterrupt:
            return


def _repeat(watched: Looking, watch: bool) -> None:
    try:
        typer.echo(json.dumps(watched.look(), indent=None if watch else 2))
        while watch:
            time.sleep(SECONDS)
            typer.echo(json.dumps(watched.look()))
    except KeyboardInterrupt:
        return


def render(status: Mapping[str, Any]) -> RenderableType:
    """The status as tables."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    figures = Table.grid(padding=(0, 2))
    figures.add_column(style="dim", no_wrap=True)
    figures.add_column()
    for name, value in _figures(status):
        figures.add_row(name, Text(value))
    niches = Table(box=None, padding=(0, 2), header_style="dim")
    for title in ("environment", "agent", "since", "score", ""):
        niches.add_column(title, justify="left" if not title else "right", no_wrap=True)
    for niche in status["niches"]:
        score = "-" if niche["score"] is None else f"{niche['score']:,.1f}"
        niches.add_row(str(niche["env"]), str(niche["agent"]), str(niche["born"]), score, "solved" if niche["solved"] else "")
    work = Table(box=None, padding=(0, 2), header_style="dim")
    for title in ("work of", "for", "kind", "amount"):
        work.add_column(title, justify="right" if title == "amount" else "left", no_wrap=True)
    for row in status["meter"]:
        work.add_row(row["plugin"], row["purpose"], row["kind"].replace("_", " "), f"{row['amount']:,}")
    return Group(figures, *_pillars(status), "", niches, "", work)


def _pillars(status: Mapping[str, Any]) -> list[RenderableType]:
    """A table of the pillars; nothing for a run that never told of them."""
    from rich.table import Table
    from rich.text import Text

    if not status["pillars"]:
        return []
    table = Table(box=None, padding=(0, 2), header_style="dim")
    for title in ("pillar", "plugin", ""):
        table.add_column(title, no_wrap=True)
    table.add_column("why", overflow="fold")
    for row in status["pillars"]:
        table.add_row(row["pillar"], row["plugin"] or "-", "acts" if row["acts"] else "off", Text(row["why"]))
    return ["", table]


def state(status: Mapping[str, Any]) -> str:
    """Whether it goes on, and where; or how it ended, and what to type."""
    if status["live"]:
        process = status["process"]
        return f"running in process {process['pid']} on {process['host']}" if process["pid"] else "running"
    why = status["stopped"] or (f"failed: {status['failure']}" if status["failure"] else "killed before it could save")
    return f"not running ({why}); go on: {status['resume']}"


def saved_ago(stamp: str | None) -> str:
    """``, 12 s ago``; empty where the time is not known."""
    if stamp is None:
        return ""
    seconds = (datetime.now(UTC) - datetime.fromisoformat(stamp)).total_seconds()
    return f", {max(0.0, seconds):,.0f} s ago"


def _figures(status: Mapping[str, Any]) -> list[tuple[str, str]]:
    path, transfers = Path(status["path"]), status["transfers"]
    won = (
        f", {transfers['still_winning']:,} of {transfers['audited']:,} still win on fresh seeds" if transfers["audited"] else ""
    )
    annecs = f"{status['annecs_active']:,} (against active agents)"
    if status["annecs"] is not None:
        annecs += f", {status['annecs']:,} (against all that ever were)"
    unlike = f", {transfers['unlike']:,} of them between unlike architectures" if transfers["unlike"] else ""
    saved = status["checkpoint"]
    checkpoint = "none" if saved is None else f"iteration {saved['iteration']:,}{saved_ago(saved['time'])}"
    return [
        ("run", str(path)),
        ("state", state(status)),
        ("iteration", f"{status['iteration']:,}"),
        ("checkpoint", checkpoint),
        ("niches", f"{len(status['niches']):,}"),
        ("admitted", f"{status['admissions']:,}"),
        ("transfers", f"{transfers['accepted']:,} of {transfers['tried']:,} accepted{unlike}{won}"),
        (
            "solved",
            f"{status['solves']:,}, and {status['solved_at_birth']:,} at birth; founding: {status['founders_solved']:,}",
        ),
        ("ANNECS", annecs),
        *([] if status["pillars"] else [("pillars", "not recorded")]),
        ("events", ", ".join(f"{count:,} {type}" for type, count in status["events"].items())),
        ("work", f"{status['episodes']:,} episodes, {status['environment_steps']:,} environment steps"),
    ]
