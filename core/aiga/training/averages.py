"""What a module logs to be averaged over an epoch: kept through a resume in the midst of one, which Lightning forgets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    import pytorch_lightning as pl

_Sum = tuple[Tensor, Tensor | None]  # the value so far, and over how many examples


class Averages:
    """Sums, maxima and minima of the training batches of an epoch so far, by Lightning's key."""

    def __init__(self) -> None:
        self._waiting: dict[str, _Sum] = {}

    def state(self, trainer: pl.Trainer) -> dict[str, _Sum]:
        """Those of this process; with several, each has its own, and none is kept: they begin anew."""
        if trainer.world_size > 1:
            return {}
        found = dict(self._waiting)
        for key, metric in trainer.fit_loop.epoch_loop._results.items():
            if metric.is_tensor and metric.meta.on_epoch and not metric.has_reset:
                found[key] = (metric.value, metric.cumulated_batch_size if metric.meta.is_mean_reduction else None)
        return found

    def load(self, state: dict[str, Any]) -> None:
        """Takes back what :meth:`state` gave; it waits for the module to log again."""
        self._waiting = {key: (value, count) for key, (value, count) in state.items()}

    def join(self, trainer: pl.Trainer) -> None:
        """Joins what waits with what was logged since, under the same keys; called after every batch."""
        if not self._waiting:
            return
        results = trainer.fit_loop.epoch_loop._results
        for key in [key for key in self._waiting if key in results and not results[key].has_reset]:
            metric, (value, count) = results[key], self._waiting.pop(key)
            value = value.to(metric.value.device)
            if metric.meta.is_max_reduction or metric.meta.is_min_reduction:
                metric.value = (torch.maximum if metric.meta.is_max_reduction else torch.minimum)(value, metric.value)
            else:
                metric.value = value + metric.value
            if count is not None:
                metric.cumulated_batch_size = count.to(metric.value.device) + metric.cumulated_batch_size
