"""``aiga run`` and ``aiga resume``: a run with a display, and what to type next at its end."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from aiga import experiment
from aiga.cli.chronicle import Chronicle
from aiga.cli.failures import defect
from aiga.cli.places import command
from aiga.cli.plain import Plain
from aiga.cli.screen import interactive
from aiga.config import Config
from aiga.errors import AigaError, InputError
from aiga.host import notices
from aiga.rundir import CONFIG, RunDirectory
from aiga.runs import Run

if TYPE_CHECKING:
    from aiga.cli.live import Display

T = TypeVar("T")


def run(file: Path, name: str | None, settings: Sequence[str], runs: Path) -> None:
    """Starts a run and shows it to its end.

    Raises:
        AigaError: if it cannot start, or fails.
    """
    config, made = experiment.prepare(file, settings)
    name = experiment.free_name(runs, config.population.domain) if name is None else name
    RunDirectory.check_free(runs, name)
    path = runs / name
    with _display(path) as display:
        display.say(_opening(path, file, made))
        _carry(path, lambda: experiment.run(config, name=name, runs=runs, watcher=display), display)


def resume(path: Path, minutes: float | None, settings: Sequence[str]) -> None:
    """Goes on with a run, or a training, and shows it to its end.

    Raises:
        AigaError: if it cannot go on, or fails.
    """
    if RunDirectory(path).training:
        from aiga.cli import training

        training.resume(path, minutes, settings)
        return
    with _display(path) as display:
        _carry(path, lambda: experiment.resume(path, minutes=minutes, overrides=settings, watcher=display), display)


def _display(path: Path) -> Plain | Display:
    if not interactive():
        return Plain(path)
    from aiga.cli.live import Display

    return Display(path)


def carry(path: Path, work: Callable[[], T], display: Plain | Display) -> T:
    """Does the work; where it fails, says how to go on.

    Raises:
        AigaError: if it fails.
    """
    try:
        return work()
    except AigaError as error:
        display.close()
        if error.exit_code != InputError.exit_code and (path / CONFIG).is_file():
            traceback = RunDirectory(path).log_path
            display.say([f"traceback:    {traceback}"] if traceback.is_file() else [])
            display.say([f"go on:        {command('resume', path)}"])
        raise
    except Exception as error:
        log = RunDirectory(path).log_path if (path / CONFIG).is_file() else None
        raise defect(error, log) from error


def _carry(path: Path, work: Callable[[], Run], display: Plain | Display) -> None:
    """Does the work; then says where all is and what to type next."""
    finished = carry(path, work, display)
    display.close()
    pictures = _draw(finished, display)
    display.say(_closing(finished, pictures))


def _opening(path: Path, file: Path, made: experiment.Assembled) -> Iterator[str]:
    config = made.config
    population, slots = config.population, config.slots
    networks = ", ".join(population.networks)
    yield f"{path}: {population.domain} with {networks}, select by {slots.select}, improve by {slots.improve}, from {file}"
    yield f"seed {config.run.seed}, on {made.device}, executor {config.run.executor}; {_limits(config)}"
    yield f"scores are means of {config.run.episodes} episodes, solves are confirmed by {config.run.confirmations} fresh ones"
    yield from notices(made.plugins, made.components.get("domain", population.domain))


def _limits(config: Config) -> str:
    stop = config.run.stop
    limits = [f"{stop.minutes:g} minutes"] if stop.minutes is not None else []
    limits += [f"{stop.iterations:,} iterations"] if stop.iterations is not None else []
    limits += [f"{stop.evaluations:,} evaluations"] if stop.evaluations is not None else []
    return f"ends after {' or '.join(limits)}" if limits else "goes on until it is stopped"


def _draw(finished: Run, display: Plain | Display) -> list[Path]:
    """The run's pictures; that they cannot be drawn is worth a message and no more."""
    try:
        from aiga.art import draw

        return draw(finished.path)
    except KeyboardInterrupt:
        display.message("the pictures are left out, as asked")
    except Exception as error:
        finished.folder.log(f"drawing: {type(error).__name__}: {error}")
        display.message(f"the pictures could not be drawn: {type(error).__name__}: {error}")
    return []


def _closing(finished: Run, pictures: Sequence[Path]) -> Iterator[str]:
    chronicle = Chronicle()
    with finished.reading() as journal:
        chronicle.read(journal)
    stops = finished.operations("stop")
    reason = f": {stops['reason'].iloc[-1]}" if len(stops) else ""
    yield f"stopped{reason}; {chronicle.iteration:,} iterations are saved"
    yield f"{chronicle.admissions:,} admitted, {chronicle.transfers}, {chronicle.solved}"
    yield f"run:          {finished.path}"
    if any(finished.folder.tb.glob("*")):
        yield f"TensorBoard:  {shlex.join(['tensorboard', '--logdir', str(finished.folder.tb)])}"
    for picture in pictures:
        yield f"picture:      {picture}"
    if chronicle.niches:
        newest = max(niche.env for niche in chronicle.niches.values())
        yield f"replay:       {command('replay', finished.path, str(newest), '--out', f'environment-{newest}.gif')}"
    yield f"go on:        {command('resume', finished.path, *chronicle.further(finished.config.run.stop))}"
