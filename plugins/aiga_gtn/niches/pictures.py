"""Forecasts of architectures against what real evaluation then said, as a run's newest checkpoint has them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import aiga
from aiga import checkpoint
from aiga.forecasts import Trust
from aiga.plots import Cloud, scatter

NAME = "gtn-niches"


def drawn(path: Path) -> bytes:
    """A PNG file: a dot for each architecture in the window of the run's forecasts that was evaluated.

    Both are ranks among the candidates of a niche and an iteration that were evaluated, from 0, the lowest, to 1; as many
    candidates share a rank, dots are moved a little, by where they stand in the window.

    Raises:
        InputError: for a run without such a plugin, or without a forecast that was judged.
    """
    newest, _ = checkpoint.newest(aiga.open(path).folder.checkpoints)
    state = {} if newest is None else newest.tree["plugins"].get(NAME, {}).get("state", {})
    if not state:
        raise aiga.InputError(f"{path}: no checkpoint of this run holds forecasts. Enable [plugins.{NAME}], and let it go on.")
    trust = Trust(1.0)
    trust.load_state_dict(state["trust"])
    forecast, truth = (np.array(column, dtype=float) for column in trust.scatter())
    if not len(forecast):
        raise aiga.InputError(f"{path}: no forecast was judged yet. Let the run go on.")
    turn = np.arange(len(forecast))
    moved = [place + 0.06 * (np.modf(turn * step)[0] - 0.5) for place, step in ((forecast, 0.618034), (truth, 0.754878))]
    title = f"rank correlation {trust.correlation:.2f} of {trust.judged}"
    points = {"architectures": (moved[0], moved[1])}
    return scatter(Cloud(title, "forecast, rank", "real evaluation, rank", points))
