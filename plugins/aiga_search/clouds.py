"""What forecasts of architectures were worth: a dot for each that was evaluated, drawn from the journal of a run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

import aiga
from aiga.forecasts import Trust
from aiga.plots import Cloud, scatter


@dataclass(frozen=True)
class Forecasts:
    """Of ``T`` architectures that were forecast and admitted, in order.

    Attributes:
        forecast, score: ``[T]`` of each.
        weight: ``[T]``, how many it stands for: 1 where the forecast chose it, more where chance did.
        iteration: ``[T]`` int64; scores are compared within each.
    """

    forecast: NDArray[np.float64]
    score: NDArray[np.float64]
    weight: NDArray[np.float64]
    iteration: NDArray[np.int64]

    @property
    def words(self) -> str:
        """The rank correlation of all of them, for people."""
        trust = Trust(keep=1.0, window=len(self.score))
        columns = (torch.tensor(part) for part in (self.forecast, self.score, self.weight, self.iteration))
        trust.tell(*columns)
        if trust.correlation != trust.correlation:
            return f"{trust.judged} judged, none beside another"
        return f"rank correlation {trust.correlation:.2f}, p {trust.p:.3f}, {trust.judged} judged"


def forecasts(run: aiga.Run) -> Forecasts:
    """What a run's journal has of them.

    Raises:
        InputError: if nothing that was admitted had a forecast.
    """
    admitted = run.journal("admitted")
    rows = admitted[admitted["forecast"].notna()] if "forecast" in admitted else admitted[:0]
    if not len(rows):
        raise aiga.InputError(
            f"{run.path}: no architecture was admitted that had a forecast, so there is nothing to compare. Run a search with "
            'the option forecast, such as forecast = "meta-gradient".'
        )
    forecast, score, weight = (rows[name].to_numpy(float) for name in ("forecast", "score", "forecast_weight"))
    return Forecasts(forecast, score, weight, rows["iteration"].to_numpy(np.int64))


def drawn(run: aiga.Run) -> bytes:
    """A PNG file: scores against forecasts, those that the forecast chose and those that chance did.

    Raises:
        InputError: if the run has no forecasts.
    """
    found = forecasts(run)
    points = {
        name: (found.forecast[some], found.score[some])
        for name, some in (("chosen by forecast", found.weight <= 1.0), ("let on by chance", found.weight > 1.0))
        if some.any()
    }
    return scatter(Cloud(found.words, "forecast", "score once trained", points))
