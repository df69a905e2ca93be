"""``aiga train``, ``aiga report``, and ``aiga resume`` of a training: with Lightning's bar on a terminal, lines elsewhere."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiga import config as configs
from aiga.cli.places import command
from aiga.cli.plain import Plain
from aiga.cli.running import carry
from aiga.cli.screen import interactive
from aiga.config import TrainConfig
from aiga.errors import InputError
from aiga.experiment import free_name
from aiga.training import session
from aiga.training.judging import FOLDER, TABLE
from aiga.training.runs import TrainingRun

if TYPE_CHECKING:
    from aiga.tables import TrainTable


def train(file: Path, name: str | None, settings: Sequence[str], runs: Path) -> None:
    """Starts a training and shows it to its end.

    Raises:
        AigaError: if it cannot start, or fails.
    """
    name = _name(file, settings, runs) if name is None else name
    path = runs if name is None else runs / name
    _show(path, lambda display, how: session.train(file, name=name, runs=runs, overrides=settings, watcher=display, **how))


def resume(path: Path, minutes: float | None, settings: Sequence[str]) -> None:
    """Goes on with a training and shows it to its end.

    Raises:
        AigaError: if it cannot go on, or fails.
    """
    _show(path, lambda display, how: session.resume(path, minutes=minutes, overrides=settings, watcher=display, **how))


def report(path: Path) -> None:
    """Makes the report of a training anew, and shows it.

    Raises:
        AigaError: if it cannot be made.
    """
    with Plain(path) as display:
        finished = session.report(path, watcher=display)
        display.say(_report(finished))


def _name(file: Path, settings: Sequence[str], runs: Path) -> str | None:
    """The next free name of a training; None where the file has mistakes, which are told when it is to start."""
    try:
        return free_name(runs, configs.read(TrainConfig, file, settings).train.trainer)
    except InputError:
        return None


def _show(path: Path, work: Callable[[Plain, dict[str, Any]], TrainingRun]) -> None:
    with Plain(path) as display:
        how: dict[str, Any] = {"bar": True}
        if not interactive():
            session.check_lightning()
            from aiga.cli.train_lines import Lines

            how = {"callbacks": [Lines(display.say)]}
        finished = carry(path, lambda: work(display, how), display)
        display.say(_closing(finished))


def _closing(finished: TrainingRun) -> Iterator[str]:
    stop = finished.operations("stop").iloc[-1]
    yield f"stopped: {stop['reason']}; step {int(stop['iteration']):,} is saved"
    yield f"run:          {finished.path}"
    yield f"TensorBoard:  {shlex.join(['tensorboard', '--logdir', str(finished.folder.tb)])}"
    for file in finished.agents:
        yield f"agent:        {file}"
    for file in (each for each in finished.files if each not in finished.pictures):
        yield f"file:         {file}"
    if finished.pictures:
        yield from _report(finished)
    elif finished.agents:
        yield f"report:       {command('report', finished.path)}"
    yield f"go on:        {command('resume', finished.path, *further(finished.config.train, stop))}"


def _report(finished: TrainingRun) -> Iterator[str]:
    made = finished.report
    if made is not None:
        yield f"report:       {finished.path / FOLDER / TABLE}, of step {made['step']:,}"
    for picture in finished.pictures:
        yield f"picture:      {picture}"


def further(train: TrainTable, stop: Any) -> list[str]:
    """What ``resume`` needs beyond a name where a limit of the whole training is reached."""
    done = {"max_steps": int(stop["iteration"]), "max_epochs": int(stop["epoch"])}
    reached = [name for name in done if (limit := getattr(train, name)) is not None and done[name] >= limit]
    return [word for name in reached for word in ("--set", f"train.{name}={2 * done[name]}")]
