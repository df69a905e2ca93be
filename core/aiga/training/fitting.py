"""Lightning's Trainer, as ``[train]`` asks for it, and everything that is made before a training begins."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from pytorch_lightning.callbacks import ProgressBar, TQDMProgressBar
from pytorch_lightning.loggers import TensorBoardLogger

from aiga.checkpoint import Checkpoint
from aiga.complaints import Complaints
from aiga.durable import storage, write_atomic
from aiga.errors import RAISED, PluginError
from aiga.stop import Stop
from aiga.tables import TrainTable
from aiga.training import agents
from aiga.training.assembly import Assembled
from aiga.training.checkpoint_io import TensorCheckpoints
from aiga.training.guarding import guarded
from aiga.training.judging import FILES
from aiga.training.keeper import Keeper
from aiga.training.loaders import seed_generators
from aiga.training.stopping import Stopping

_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


@dataclass(frozen=True)
class Fit:
    """A training in this process, ready to begin.

    Attributes:
        module, data: what the trainer made.
        trainer: Lightning's.
        stopping: None where ``[train]`` has no ``early_stop``.
        found: the checkpoint to go on from; None to begin.
    """

    made: Assembled
    path: Path
    module: pl.LightningModule
    data: Any
    trainer: pl.Trainer
    keeper: Keeper
    stopping: Stopping | None
    found: Checkpoint | None

    @property
    def parameters(self) -> int:
        """How many numbers are trained."""
        return sum(parameter.numel() for parameter in self.module.parameters() if parameter.requires_grad)

    def run(self) -> None:
        """Trains to a limit, an early stop, or :class:`aiga.training.keeper.Stopped`.

        Raises:
            PluginError: if the module or its data raise; says at which step.
            StorageError: if something cannot be written.
        """
        data = {"datamodule": self.data} if isinstance(self.data, pl.LightningDataModule) else {"train_dataloaders": self.data}
        start = None if self.found is None else self.path / "checkpoints" / f"{self.found.iteration:06d}"
        with _environment(), guarded(self.made.plugin, lambda: f"training, step {self.trainer.global_step}"):
            self.trainer.fit(self.module, ckpt_path=start, weights_only=False, **data)

    def stopped_early(self) -> str | None:
        """Why it ended before it is to go on, where it shall not go on."""
        assert self.found is not None
        if self.stopping is None:
            return None
        state = self.found.tree["lightning"]["callbacks"].get(self.stopping.state_key)
        if state is not None:
            self.stopping.load_state_dict(state)
        return self.stopping.reason

    def why(self) -> str:
        """Why Lightning's loops came to their end."""
        train, trainer = self.made.config.train, self.trainer
        if self.stopping is not None and self.stopping.reason is not None:
            return self.stopping.reason
        if train.max_steps is not None and trainer.global_step >= train.max_steps:
            return f"{trainer.global_step:,} steps are done"
        if train.max_epochs is not None and trainer.current_epoch >= train.max_epochs:
            return f"{trainer.current_epoch:,} epochs are done"
        return "the trainer asked for it" if trainer.should_stop else "there are no batches to train on"

    def end_others(self) -> None:
        """Ends the processes that train beside this one, where it leaves alone."""
        for process in getattr(self.trainer.strategy.launcher, "procs", []):
            with suppress(OSError):
                process.kill()


def ready(
    made: Assembled,
    path: Path,
    stop: Stop,
    found: Checkpoint | None = None,
    *,
    callbacks: Sequence[pl.Callback] = (),
    bar: bool = False,
) -> Fit:
    """Has the trainer make module and data, and Lightning its Trainer; writes nothing.

    Args:
        made: what the configuration stands for.
        path: the folder of the run.
        stop: says when to stop.
        found: the checkpoint to go on from; None to begin.
        callbacks: to add.
        bar: show Lightning's progress bar.

    Raises:
        InputError: if the trainer or Lightning refuse the configuration.
        PluginError: if the trainer raises, or makes no module.
    """
    seed_generators(made.config.run.seed, "make")
    with guarded(made.plugin, lambda: "make"):
        setup = made.setup(path)
        answer = made.trainer.make(setup)
    if not (isinstance(answer, tuple) and len(answer) == 2 and isinstance(answer[0], pl.LightningModule)):
        what = "make of its trainer must answer a LightningModule and its data"
        raise PluginError(f"plugin {made.plugin!r}: {what}, not {answer!r:.80}")
    module, data = answer
    train, saved = made.config.train, -1 if found is None else found.iteration
    keeper = Keeper(path / "checkpoints", train.checkpoint_every, stop, made.config.run.seed, found)
    stopping = None if train.early_stop is None else Stopping(train.early_stop, lambda t, v: _best(made, path, module, t, v))
    first: list[pl.Callback] = [] if stopping is None else [stopping]
    # The other bar of Lightning's hides the cursor, which a second Ctrl-C would leave hidden, and counts epochs to -2.
    first += [TQDMProgressBar()] if bar else []
    complaints = Complaints(made.config.source)
    if setup.population is not None and setup.population.initial_agent is not None and not setup.begun:
        what = f'the trainer "{setup.trainer}" begins from no agent. Leave it out.'
        complaints.add(("population", "initial_agent"), what)
    trainer = None
    try:
        trainer = _trainer(train, path, [*first, *callbacks, keeper], TensorCheckpoints(made.plugin, found), saved)
    except RAISED as error:
        complaints.add(("train",), f"Lightning refuses it: {' '.join(str(error).split())}", table=True)
    complaints.check()
    assert trainer is not None
    return Fit(made, path, module, data, trainer, keeper, stopping, found)


def write_agents(made: Assembled, path: Path, module: pl.LightningModule, name: str, **about: Any) -> list[Path]:
    """The module's agents as they are now, as files; none where the trainer cannot tell them.

    Raises:
        PluginError: if the trainer raises, or answers no batch.
        StorageError: if they cannot be written.
    """
    if not hasattr(made.trainer, "agents"):
        return []
    with guarded(made.plugin, lambda: "agents"):
        trained = made.trainer.agents(module)
    config = made.config
    domain = {} if config.population is None else {"domain": config.population.domain}
    told = {"trainer": config.train.trainer, **domain, "seed": config.run.seed, **about}
    return agents.write(path / agents.FOLDER, name, trained, made.plugin, told)


def write_files(made: Assembled, path: Path, module: pl.LightningModule, folder: str = "") -> list[Path]:
    """What the trainer makes of the module beside its agents, to ``files/``; nothing where it makes no such thing.

    Args:
        made: what the configuration stands for.
        path: of the training.
        module: as it is now.
        folder: within ``files/``.

    Raises:
        PluginError: if the trainer raises, or answers what are no files.
        StorageError: if they cannot be written; each file is there whole, or as it was.
    """
    if not hasattr(made.trainer, "files"):
        return []
    with guarded(made.plugin, lambda: "files"):
        files = dict(made.trainer.files(module))
    odd = [name for name, content in files.items() if _FILE.fullmatch(name) is None or not isinstance(content, bytes)]
    if odd:
        what = f"files of its trainer must answer bytes by names such as samples.png, not {odd[0]!r:.80}"
        raise PluginError(f"plugin {made.plugin!r}: {what}")
    place = path / FILES / folder
    with storage(place, "writing the files"):
        place.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            write_atomic(place / name, content)
    return [place / name for name in files]


def _best(made: Assembled, path: Path, module: pl.LightningModule, trainer: pl.Trainer, value: float) -> None:
    assert made.config.train.early_stop is not None
    if trainer.is_global_zero:
        write_agents(made, path, module, "best", step=trainer.global_step, **{made.config.train.early_stop.monitor: value})
        write_files(made, path, module, "best")


def _trainer(train: TrainTable, path: Path, callbacks: list[pl.Callback], io: TensorCheckpoints, saved: int) -> pl.Trainer:
    by_batches = train.val_check_interval is not None
    # What was logged after the checkpoint comes again.
    purge: dict[str, Any] = {} if saved < 0 else {"purge_step": saved + 1}
    return pl.Trainer(
        accelerator=train.accelerator,
        devices=list(train.devices) if isinstance(train.devices, tuple) else train.devices,
        strategy=train.strategy,
        precision=train.precision,
        deterministic=train.deterministic,
        max_steps=-1 if train.max_steps is None else train.max_steps,
        max_epochs=-1 if train.max_epochs is None else train.max_epochs,
        gradient_clip_val=train.gradient_clip_val,
        gradient_clip_algorithm=train.gradient_clip_algorithm,
        accumulate_grad_batches=train.accumulate_grad_batches,
        val_check_interval=train.val_check_interval,
        check_val_every_n_epoch=None if by_batches else train.check_val_every_n_epoch,
        log_every_n_steps=train.log_every_n_steps,
        logger=TensorBoardLogger(path / "tb", name="", version="", **purge),
        callbacks=callbacks,
        # One process starts all others, under a scheduler too: several would make several runs.
        plugins=[io, LightningEnvironment()],
        enable_progress_bar=any(isinstance(callback, ProgressBar) for callback in callbacks),
        enable_model_summary=False,
        default_root_dir=path,
    )


@contextmanager
def _environment() -> Iterator[None]:
    """Takes back what Lightning tells the processes that it starts: a training after this one starts its own."""
    before = set(os.environ)
    try:
        yield
    finally:
        for name in set(os.environ) - before:
            del os.environ[name]
