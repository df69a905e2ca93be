"""When a training is saved and stopped: only where everything of a batch or an epoch is done, so that it goes on to the bit.

Lightning's own checkpoints are taken in the midst of its hooks: a resume loses what the module does in the hooks that follow,
a plateau scheduler's step, gradients under accumulation, and sums of what is averaged over an epoch. Three moments lose
nothing, and a checkpoint that is due waits for the next of them:

- a batch is done, and neither a validation nor the end of the epoch follows, nor are gradients accumulated;
- a validation in the midst of an epoch is done;
- an epoch is done: at the beginning of the next one, or at the end of all.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Checkpoint

from aiga.checkpoint import Checkpoint as SavedState
from aiga.stop import Stop
from aiga.tables import Duration
from aiga.training.averages import Averages
from aiga.training.loaders import Repeatable, seed_generators


class Stopped(BaseException):
    """Leaves Lightning's loops where everything is saved. Not an error, and not for a module's ``except Exception``."""


def seconds_of(found: SavedState | None) -> float:
    """Of training, all stretches together, up to a checkpoint."""
    # Lightning keeps the state of a callback under its class's name.
    return 0.0 if found is None else float(found.tree["lightning"]["callbacks"][Keeper.__qualname__]["seconds"])


class Keeper(Checkpoint):
    """Saves when it is due, and stops when ``stop`` says so.

    Args:
        folder: ``checkpoints/`` of the run.
        every: time, or number of steps, from one checkpoint to the next.
        stop: asked at every moment that loses nothing.
        seed: of the run.
        found: the checkpoint that training goes on from; None where it begins.

    Attributes:
        saved: the step of the newest checkpoint; -1 for none.
        told: called with step, epoch and metrics once a checkpoint is there.
    """

    def __init__(self, folder: Path, every: Duration | int, stop: Stop, seed: int, found: SavedState | None = None) -> None:
        self._folder, self._every, self._stop, self._seed = folder, every, stop, seed
        self.saved = -1 if found is None else found.iteration
        self.told: Callable[[int, int, dict[str, float]], None] | None = None
        self._before, self._begun = seconds_of(found), time.monotonic()
        self._since = time.monotonic()
        self._between = False  # at the moment between two epochs
        self._averages = Averages()
        self._found: dict[str, Any] = {}

    @property
    def seconds(self) -> float:
        """Of training, all stretches together."""
        return self._before + time.monotonic() - self._begun

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Puts itself behind the module's own hooks, and in front of its data."""
        process, place = trainer.strategy.process_dataloader, lambda: _place(trainer)

        def processed(loader: object) -> object:
            loader = process(loader)
            return Repeatable(loader, self._seed, trainer.global_rank, place) if trainer.training else loader

        setattr(trainer.strategy, "process_dataloader", processed)  # noqa: B010 - a method, which mypy lets nobody replace
        _follow(pl_module, "on_train_batch_end", lambda: self._batch_done(trainer))
        _follow(pl_module, "on_validation_end", lambda: self._validation_done(trainer))

    def state_dict(self) -> dict[str, Any]:
        """What Lightning does not keep."""
        return {"seconds": self.seconds, "between": self._between}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes back what was kept."""
        self._found = state_dict

    def on_save_checkpoint(self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]) -> None:
        """Adds what is averaged, and what was logged last; between epochs, counts the next one as not begun."""
        kept = checkpoint["callbacks"][self.state_key]
        kept["metrics"] = {name: value.detach() for name, value in trainer.callback_metrics.items()}
        kept["averages"] = self._averages.state(trainer)
        fit = checkpoint["loops"]["fit_loop"]
        if self._between:
            fit["state_dict"].pop("combined_loader", None)
            progress = fit["epoch_progress"]
            for counts in (progress["total"], progress["current"]):
                counts["ready"] = counts["completed"]

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Gives Lightning back what it does not restore, and takes the signals that it took."""
        trainer._signal_connector._original_handlers = {}  # else the alarm of a stop under way would end the process
        if trainer.is_global_zero:
            self._stop.take()
        else:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if not self._found:
            return
        trainer.callback_metrics.update(self._found["metrics"])
        self._averages.load(self._found["averages"])
        if self._found["between"]:
            # Lightning would take the epoch that is done for one to go on with.
            trainer.fit_loop._restarting = False
            trainer.fit_loop.epoch_loop.restarting = False

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """The moment between two epochs."""
        self._between = True
        self._moment(trainer)
        self._between = False
        seed_generators(self._seed, "epoch start", trainer.global_rank, trainer.current_epoch)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """The end of all, where an epoch ends with it; otherwise its last batch was saved."""
        if trainer.fit_loop.epoch_loop._num_ready_batches_reached():
            self._between = True
            self._save(trainer)
            self._between = False

    def _batch_done(self, trainer: pl.Trainer) -> None:
        self._averages.join(trainer)
        trainer.fit_loop._restarting = False  # else no plateau scheduler is asked at the end of an epoch that was resumed
        loop = trainer.fit_loop.epoch_loop
        fetcher = trainer.fit_loop._data_fetcher
        assert fetcher is not None
        if _within_epoch(trainer) and not loop._should_check_val_fx(fetcher):
            try:
                self._moment(trainer, last=_ending(trainer))
            except Stopped:
                # Lightning would log this batch's values only now.
                trainer._logger_connector.update_train_step_metrics()
                raise

    def _validation_done(self, trainer: pl.Trainer) -> None:
        if not trainer.sanity_checking and _within_epoch(trainer):
            self._moment(trainer, last=_ending(trainer))

    def _moment(self, trainer: pl.Trainer, last: bool = False) -> None:
        reason = self._stop.due(trainer.global_step, 0)
        due = last or reason is not None or self._due(trainer.global_step)
        if trainer.world_size > 1:
            # One process decides for all: clocks and signals differ.
            due, reason = trainer.strategy.broadcast((due, reason))
        if due:
            self._save(trainer)
        if reason is not None:
            raise Stopped(reason)

    def _due(self, step: int) -> bool:
        if isinstance(self._every, int):
            return step // self._every > max(self.saved, 0) // self._every
        return time.monotonic() - self._since >= self._every.seconds

    def _save(self, trainer: pl.Trainer) -> None:
        step = trainer.global_step
        if step == max(self.saved, 0):
            return
        trainer.save_checkpoint(self._folder / f"{step:06d}", weights_only=False)
        self.saved, self._since = step, time.monotonic()
        if self.told is not None:
            self.told(step, trainer.current_epoch, numbers(trainer))


def numbers(trainer: pl.Trainer) -> dict[str, float]:
    """The latest value of everything that was logged."""
    return {name: float(value) for name, value in trainer.callback_metrics.items() if torch.as_tensor(value).numel() == 1}


def _place(trainer: pl.Trainer) -> tuple[int, int]:
    """Epochs done, and batches of this one that the module was trained on."""
    return trainer.current_epoch, trainer.fit_loop.epoch_loop.batch_progress.current.ready


def _within_epoch(trainer: pl.Trainer) -> bool:
    """Whether more batches of this epoch follow, and no gradients wait for them."""
    loop = trainer.fit_loop.epoch_loop
    return not (loop._num_ready_batches_reached() or loop._should_accumulate())


def _ending(trainer: pl.Trainer) -> bool:
    """Whether this batch is the last of all."""
    return bool(trainer.should_stop) or -1 < trainer.max_steps <= trainer.global_step


def _follow(module: pl.LightningModule, hook: str, then: Callable[[], None]) -> None:
    """Has ``then`` called after a module's hook: callbacks come before it."""
    own: Callable[..., Any] = getattr(module, hook)

    def followed(*arguments: Any, **named: Any) -> Any:
        answer = own(*arguments, **named)
        then()
        return answer

    object.__setattr__(module, hook, followed)
