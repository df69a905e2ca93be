"""A training from configuration to end: the run's folder, its lock and journal, Lightning in it, and what came of it."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from aiga import checkpoint
from aiga import config as configs
from aiga.complaints import Complaints
from aiga.config import TrainConfig
from aiga.errors import Abandoned, AigaError, InputError
from aiga.experiment import free_name
from aiga.host import notices
from aiga.journal import Journal
from aiga.keeping import files
from aiga.machine import machine
from aiga.resuming import check_fixed, check_overrides, check_paths, fixed, plugin_changes
from aiga.rundir import CONFIG, RunDirectory
from aiga.stop import Stop
from aiga.training.assembly import assemble, prepare
from aiga.training.judging import judge
from aiga.training.quiet import quiet
from aiga.training.runs import TrainingRun, latest

if TYPE_CHECKING:
    from pytorch_lightning import Callback

    from aiga.training.fitting import Fit

_FOLLOWING = "AIGA_TRAINING"  # tells processes that Lightning starts which training they belong to


class Watcher(Protocol):
    """Follows a training: the command line's display, or nobody."""

    def message(self, text: str) -> None:
        """Called with everything a person should know."""
        ...


class Silent:
    """A watcher that says nothing."""

    def message(self, text: str) -> None:
        """Nothing."""


def train(
    config: Path | str | Mapping[str, Any],
    *,
    name: str | None = None,
    runs: Path | str = "runs",
    overrides: Sequence[str] = (),
    watcher: Watcher | None = None,
    callbacks: Sequence[Callback] = (),
    bar: bool = False,
) -> TrainingRun:
    """Starts a training and carries it to its end.

    Args:
        config: a ``plugins.toml`` with a table ``[train]``, or what one holds as a dict.
        name: of the folder; without one the trainer's name and the next free number.
        runs: the folder of runs.
        overrides: such as ``"train.max_steps=100"``, for files and dicts.
        watcher: is told what a person should know.
        callbacks: of Lightning's, to add; they are no part of the configuration, so a resume needs them again.
        bar: show Lightning's progress bar.

    Returns:
        The training as it lies on disk.

    Raises:
        InputError: for every mistake in ``config``, and for a name that is taken; nothing is written then.
        AigaError: if it fails, or Lightning is not installed; what was saved stays readable.
    """
    check_lightning()
    if _following():
        _follow((), callbacks)
    from aiga.training.fitting import ready

    watcher = watcher or Silent()
    given, made = prepare(config, overrides)
    name = free_name(Path(runs), made.config.train.trainer) if name is None else name
    RunDirectory.check_free(Path(runs), name)
    stop = _stop(made.config, None, 0.0)
    with quiet(None):
        fit = ready(made, Path(runs) / name, stop, callbacks=callbacks, bar=bar)
    folder = RunDirectory.create(Path(runs), name, files(given, made.sources, made.plugins, made.components))
    with folder.lock(), _journal(folder) as journal, stop.listening():
        for line in _opening(fit, given):
            watcher.message(line)
        about = {"device": made.device, "parameters": fit.parameters, "search": fixed(made.config), "paths": made.paths}
        journal.operation("start", {**machine(), **about}, 0)
        return _carry(fit, stop, folder, journal, watcher)


def resume(
    path: Path | str,
    *,
    minutes: float | None = None,
    overrides: Sequence[str] = (),
    watcher: Watcher | None = None,
    callbacks: Sequence[Callback] = (),
    bar: bool = False,
) -> TrainingRun:
    """Goes on with a training where its newest checkpoint that verifies left it; from the start where it has none yet.

    Args:
        path: of the folder.
        minutes: how long this stretch may last; without it, what the configuration says.
        overrides: of limits, early stop, devices and logging: where and how long it trains, never what.
        watcher: is told what a person should know.
        callbacks: of Lightning's, to add.
        bar: show Lightning's progress bar.

    Raises:
        InputError: if there is no such training, it is locked, or an override would change what is trained.
    """
    check_lightning()
    if _following():
        _follow(overrides, callbacks)
    from aiga.training.fitting import ready
    from aiga.training.keeper import seconds_of

    watcher = watcher or Silent()
    run = TrainingRun(RunDirectory.open(Path(path)))
    folder = run.folder
    config = configs.read(TrainConfig, folder.path / CONFIG, overrides)
    check_overrides(config)
    with folder.lock():
        starts = run.operations("start")
        check_fixed(starts["search"].iloc[0] if "search" in starts and len(starts) else None, config)
        made = assemble(config, Complaints(config.source))
        check_paths(starts["paths"].iloc[0] if "paths" in starts and len(starts) else None, made.paths, config)
        found, complaints = latest(run)
        begun = 0 if found is None else found.iteration
        stop = _stop(made.config, minutes, seconds_of(found))
        with _journal(folder) as journal, stop.listening():
            for complaint in complaints:
                watcher.message(complaint)
                journal.operation("complaint", {"text": complaint}, begun)
            with quiet(folder.log):
                fit = ready(made, folder.path, stop, found, callbacks=callbacks, bar=bar)
            checkpoint.truncate(folder.checkpoints, begun)
            watcher.message(f"goes on after step {begun:,}")
            for change in plugin_changes(folder.path / "plugins.lock", made.lock):
                watcher.message(change)
                journal.operation("plugins", {"text": change}, begun)
            about = {"from": begun, "overrides": list(overrides), "device": made.device}
            journal.operation("resume", {**machine(), **about}, begun)
            return _carry(fit, stop, folder, journal, watcher)


def report(path: Path | str, *, watcher: Watcher | None = None) -> TrainingRun:
    """Makes the report of a training anew, of its agents as they lie on disk.

    Args:
        path: of the folder.
        watcher: is told the table.

    Raises:
        InputError: if there is no such training, it is locked, or it has no agents yet.
        PluginError: if the domain's report fails.
    """
    watcher = watcher or Silent()
    run = TrainingRun(RunDirectory.open(Path(path)))
    with run.folder.lock():
        made = assemble(run.config, Complaints(run.config.source))
        if not run.agents and hasattr(made.trainer, "agents"):
            raise InputError(f"{run.path}: there are no trained agents yet. Resume the training: it writes them at its end.")
        try:
            with quiet(run.folder.log):
                judge(made, run.path, watcher.message)
        except AigaError as error:
            _log(run.folder, error)
            raise
    return run


def _carry(fit: Fit, stop: Stop, folder: RunDirectory, journal: Journal, watcher: Watcher) -> TrainingRun:
    """Trains; writes the agents, why it stopped, and the report."""
    from aiga.training.fitting import write_agents, write_files

    found = fit.found
    if found is not None and (reason := fit.stopped_early()) is not None:
        journal.operation("stop", {"reason": reason, "epoch": found.tree["lightning"]["epoch"]}, found.iteration)
        _judge(fit, stop, folder, journal, found.iteration, watcher)
        return TrainingRun(folder)
    fit.keeper.told = lambda step, epoch, metrics: journal.operation("checkpoint", {"epoch": epoch, "metrics": metrics}, step)
    reason = _fit(fit, stop, folder)
    step = fit.trainer.global_step
    if reason is None:
        reason, step = f"{stop.reason}; the step under way was given up", max(fit.keeper.saved, 0)
    else:
        _check_finite(write_agents(fit.made, folder.path, fit.module, "last", step=step), journal, step, watcher)
        write_files(fit.made, folder.path, fit.module)
    journal.operation("stop", {"reason": reason, "epoch": fit.trainer.current_epoch}, step)
    if not stop.asked:
        _judge(fit, stop, folder, journal, step, watcher)
    return TrainingRun(folder)


def _check_finite(written: Sequence[Path], journal: Journal, step: int, watcher: Watcher) -> None:
    """Tells of agents whose training has come to numbers that are none."""
    odd = [file.name for file in written if not json.loads(file.with_suffix(".json").read_text())["finite"]]
    if odd:
        text = (
            f"{len(odd)} of {len(written)} agents hold numbers that are not finite: {', '.join(odd)}. Train with smaller steps."
        )
        journal.operation("complaint", {"text": text}, step)
        watcher.message(text)


def _judge(fit: Fit, stop: Stop, folder: RunDirectory, journal: Journal, step: int, watcher: Watcher) -> None:
    """The report; that it cannot be made is told, and takes nothing away from the training."""
    try:
        with stop.abandonable(), quiet(folder.log):
            judge(fit.made, folder.path, watcher.message)
    except Abandoned:
        watcher.message("the report is left out, as asked")
    except AigaError as error:
        _log(folder, error)
        text = f"there is no report, but the agents are written: {error}"
        journal.operation("complaint", {"text": text}, step)
        watcher.message(text)


def _log(folder: RunDirectory, error: BaseException) -> None:
    folder.log("".join(traceback.format_exception(error.__cause__ or error)))


def _fit(fit: Fit, stop: Stop, folder: RunDirectory) -> str | None:
    """Why training ended; None where its last step was given up, and nothing in memory is to be believed."""
    from aiga.training.keeper import Stopped

    os.environ[_FOLLOWING] = str(folder.path.absolute())
    try:
        with stop.abandonable(), quiet(folder.log):
            fit.run()
    except Stopped as stopped:
        return str(stopped)
    except Abandoned:
        fit.end_others()
        return None
    finally:
        del os.environ[_FOLLOWING]
    return fit.why()


def _stop(config: TrainConfig, minutes: float | None, before: float) -> Stop:
    """When a stretch ends, ``before`` seconds of training done."""
    whole = config.train.max_time
    limits = [] if minutes is None else [minutes * 60]
    limits += [] if whole is None else [max(0.0, whole.seconds - before)]
    seconds, grace = min(limits, default=None), config.run.grace.seconds
    return Stop(seconds=seconds, iterations=None, evaluations=None, grace=grace, unit="step")


def _opening(fit: Fit, given: TrainConfig) -> Iterator[str]:
    config, train = fit.made.config, fit.made.config.train
    yield f"{fit.path}: trainer {train.trainer}, from {given.source.label}"
    limits = [f"{train.max_steps:,} steps"] if train.max_steps is not None else []
    limits += [f"{train.max_epochs:,} epochs"] if train.max_epochs is not None else []
    limits += [str(train.max_time)] if train.max_time is not None else []
    ends = f"ends after {' or '.join(limits)}" if limits else "goes on until it is stopped"
    processes = f"{fit.trainer.world_size} processes on " if fit.trainer.world_size > 1 else ""
    yield f"seed {config.run.seed}, {fit.parameters:,} parameters, {processes}{fit.made.device}, {train.precision}; {ends}"
    left = ["[slots]"] if ("slots",) in given.source.lines else []
    keys = [place for place in given.source.lines if place[0] == "run" and len(place) == 2 and place[1] not in given.HEEDED]
    left += [f"[run] {place[1]}" for place in keys]
    if left:
        yield f"left to `aiga run`: {', '.join(left)}"
    yield from notices(fit.made.plugins)


@contextmanager
def _journal(folder: RunDirectory) -> Iterator[Journal]:
    """The journal for its body; where that fails, log and journal say so first."""
    with Journal(folder.journal_path) as journal:
        try:
            yield journal
        except Exception as error:
            _log(folder, error)
            text = str(error) if isinstance(error, AigaError) else f"{type(error).__name__}: {error}"
            try:
                journal.operation("failure", {"text": text})
            except AigaError:
                # The disk may be what failed; the error itself still reaches the user.
                raise error from None
            raise


def _following() -> bool:
    """Whether Lightning started this process, to train beside the one that started the training."""
    return _FOLLOWING in os.environ and os.environ.get("LOCAL_RANK", "0") != "0"


def _follow(overrides: Sequence[str], callbacks: Sequence[Callback]) -> None:
    """Trains beside the process that started this one, which writes, decides and talks for all; then ends the process.

    Raises:
        SystemExit: always.
    """
    from aiga.training.fitting import ready
    from aiga.training.keeper import Stopped

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    run = TrainingRun(RunDirectory.open(Path(os.environ[_FOLLOWING])))
    try:
        config = configs.read(TrainConfig, run.path / CONFIG, overrides)
        made = assemble(config, Complaints(config.source))
        found, _ = latest(run)
        with quiet(run.folder.log), suppress(Stopped):
            ready(made, run.path, _stop(config, None, 0.0), found, callbacks=callbacks).run()
    except Exception as error:
        # The process that talks for all will miss this one, and say where to read on.
        run.folder.log("".join(traceback.format_exception(error)))
        raise SystemExit(1) from None
    raise SystemExit(0)


def check_lightning() -> None:
    """Raises.

    Raises:
        AigaError: if Lightning cannot be imported, with the command that installs it.
    """
    if importlib.util.find_spec("pytorch_lightning") is None:
        raise AigaError("aiga train needs pytorch-lightning, which is not installed. Install it: pip install 'aiga[train]'")
    try:
        import pytorch_lightning  # noqa: F401
    except ImportError as error:
        raise AigaError(
            f"aiga train needs pytorch-lightning, which cannot be imported: {error}. Install it anew: pip install 'aiga[train]'"
        ) from error
