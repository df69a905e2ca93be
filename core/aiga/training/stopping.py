"""Early stopping, with the agents of the best check kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import EarlyStopping
from torch import Tensor

from aiga.complaints import did_you_mean
from aiga.errors import InputError
from aiga.tables import EarlyStopTable


class Stopping(EarlyStopping):
    """``[train] early_stop``.

    Args:
        table: what to watch.
        better: called with the value after every check that improved.
    """

    def __init__(self, table: EarlyStopTable, better: Callable[[pl.Trainer, float], None]) -> None:
        super().__init__(table.monitor, table.min_delta, table.patience, mode=table.mode, check_finite=True)
        self._table, self._better, self._finite = table, better, True

    @property
    def reason(self) -> str | None:
        """Why training shall end; None where it shall go on, as it does with a longer patience than it was stopped with."""
        if not self._finite:
            return f"{self.monitor} is no finite number"
        if self.wait_count >= self.patience:
            return f"{self.monitor} got no better in {self.wait_count} checks; the best was {float(self.best_score):.6g}"
        return None

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Checks at the ends of epochs where there are no validations to check after."""
        if not self._check_on_train_epoch_end:
            loop = trainer.fit_loop.epoch_loop.val_loop
            trainer.validating = True
            loop.setup_data()
            trainer.training = True
            self._check_on_train_epoch_end = loop.skip

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes back what was kept; patience is what the configuration says now."""
        super().load_state_dict(state_dict)
        self.patience = self._table.patience

    def _validate_condition_metric(self, logs: dict[str, Tensor]) -> bool:
        if self.monitor not in logs:
            remedy = did_you_mean(self.monitor, sorted(logs), quote='"')
            raise InputError(f'[train] early_stop.monitor: the trainer logs no "{self.monitor}". {remedy}')
        return True

    def _run_early_stopping_check(self, trainer: pl.Trainer) -> None:
        self._validate_condition_metric(trainer.callback_metrics)
        before, self._finite = self.best_score.clone(), bool(torch.isfinite(trainer.callback_metrics[self.monitor]).all())
        super()._run_early_stopping_check(trainer)
        if not torch.equal(self.best_score.cpu(), before.cpu()):
            self._better(trainer, float(self.best_score))
