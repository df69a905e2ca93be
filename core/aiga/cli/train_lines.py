"""A training in plain lines: for logs, pipes and schedulers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

import pytorch_lightning as pl

from aiga.cli.plain import QUIET
from aiga.training.keeper import numbers
from aiga.training.runs import brief


class Lines(pl.Callback):
    """Says how far it is and what was logged since it last did, at most every second.

    Args:
        say: prints lines.
    """

    def __init__(self, say: Callable[[Iterable[str]], None]) -> None:
        self._say, self._told, self._step = say, time.monotonic(), 0
        self._logged: dict[str, float] = {}

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Counts from here."""
        self._told, self._step = time.monotonic(), trainer.global_step

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        """Tells of a step where it is time for it."""
        since = time.monotonic() - self._told
        if since < QUIET or not trainer.is_global_zero:
            return
        step = trainer.global_step
        logged = brief(numbers(trainer))
        news = [f"{name} {value:.4g}, " for name, value in logged.items() if value != self._logged.get(name)]
        speed = (step - self._step) / since
        self._say([f"step {step:,}, epoch {trainer.current_epoch:,}: {''.join(news)}{speed:,.1f} steps/s"])
        self._told, self._step, self._logged = time.monotonic(), step, logged
