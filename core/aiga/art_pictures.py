"""Pictures of environments for a run's posters, made by its own plugins from its stepping stones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from aiga import experiment
from aiga.data import Batch, Population
from aiga.errors import AigaError
from aiga.hooks import Subject
from aiga.journal import Journal
from aiga.lab import Workspace
from aiga.runs import Run
from aiga.stones import Stones
from aiga.viewing import viewing

Picture = NDArray[np.uint8]  # [H, W, 3]


def pictures(run: Run, journal: Journal, ids: Sequence[int]) -> dict[int, Picture]:
    """A picture of each of these environments.

    Where no plugin can draw, a barcode of the domain's description; nothing at all where the plugins cannot be had any more or
    the stepping stones cannot be read: a poster with words alone is better than none.
    """
    try:
        made = experiment.assemble(run.config)
        stones = Stones(run.folder.stones, journal)
        found, _ = stones.read(torch.tensor(list(ids), dtype=torch.int64))
    except (AigaError, KeyError):
        return {}
    workspace = viewing(run, made, journal, on_error="disable")
    out: dict[int, Picture] = {}
    try:
        for batch in found.batches:
            drawn = _drawn(workspace, batch)
            out |= dict(zip(batch.ids.tolist(), drawn, strict=True))
    finally:
        workspace.executor.close()
    return out


def _drawn(workspace: Workspace, batch: Batch) -> list[Picture]:
    drawn = workspace.lab("core").render(Subject("environments", Population((batch,))))
    if isinstance(drawn, Sequence) and len(drawn) == len(batch):
        return [np.asarray(picture) for picture in drawn]
    return barcodes(workspace.domain.describe(batch).double().cpu().numpy())


def barcodes(descriptions: NDArray[np.float64]) -> list[Picture]:
    """``[B, d]`` descriptions as pictures of ``d`` bars: dark where a number is high among these environments."""
    low, high = np.nanmin(descriptions, axis=0), np.nanmax(descriptions, axis=0)
    share = np.nan_to_num((descriptions - low) / np.where(high > low, high - low, 1.0))
    light, dark = np.array([238, 241, 245]), np.array([44, 62, 92])
    colour = (light + share[:, :, None] * (dark - light)).round().astype(np.uint8)
    colour = colour.repeat(12, axis=1)[:, None].repeat(16, axis=1)
    colour[:, :, ::12] = 255
    return list(colour)
