"""How good a search's best architecture was after each trial, drawn from the journals of one or several runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

import aiga
from aiga.plots import Curve, Panel, plot

if TYPE_CHECKING:
    import pandas as pd


def admitted(run: aiga.Run) -> pd.DataFrame:
    """The journal's rows of trials that have a score; ``niche`` is the trial's number.

    Raises:
        InputError: if the run admitted no architectures.
    """
    found = run.journal("admitted")
    if "structure" not in found:
        raise aiga.InputError(
            f'{run.path}: no architecture was admitted, so there is no search to draw. Run one with [slots] select = "tpe" or '
            "another search."
        )
    return found[found["structure"].notna()]


def tried(run: aiga.Run) -> NDArray[np.float64]:
    """``[T]`` scores in the order of the trials' numbers, NaN where a trial failed.

    Raises:
        InputError: if the run admitted no architectures.
    """
    rows = admitted(run)
    scores = np.full(int(rows["niche"].max()), np.nan)
    scores[rows["niche"].to_numpy(int) - 1] = rows["score"].to_numpy(float)
    return scores


def best_so_far(runs: Sequence[aiga.Run]) -> bytes:
    """A PNG file: the best score so far against trials, a line a run; of a single run every trial's score too.

    Raises:
        InputError: if one of the runs is no search.
    """
    curves = dict[str, Curve]()
    for run in runs:
        scores = tried(run)
        number = np.arange(1, len(scores) + 1)
        curves[run.name] = Curve(number, np.fmax.accumulate(scores)[None])
        if len(runs) == 1:
            curves["each trial"] = Curve(number, scores[None], dashed=True)
    return plot(Panel("best so far", "trials", "score", curves))
