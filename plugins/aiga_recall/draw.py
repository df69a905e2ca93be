"""Pictures of recall: what is shown in an episode, what of it is probed, and what is answered, a tile a pattern."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aiga import Stream, Subject, Trajectory
from aiga_recall.episodes import Source, episodes

Picture = NDArray[np.uint8]

TILE: Final = 64  # pixels, at least
EDGE: Final = 4
GROUND: Final = (247, 250, 252)
NOTHING: Final = (176, 98, 150)  # what is not shown


def render(source: Source, subject: Subject) -> Any:
    """What :class:`aiga.Subject` asks for, of this domain; None for anything else."""
    if subject.what == "environments":
        if any(batch.kind.component != "recall" for batch in subject.envs.batches):
            return None
        return [picture for batch in subject.envs.batches for picture in tasks(source, batch.leaves)]
    lived = subject.trajectory
    if lived is None or "target" not in lived.extras or subject.what not in ("lifetime", "animation"):
        return None
    return lifetime(lived) if subject.what == "lifetime" else animation(lived)


def tasks(source: Source, leaves: dict[str, Tensor]) -> list[Picture]:
    """One picture a task, of an episode of it: all that is shown in the first cycle, the probe, and what it was taken from."""
    leaves = {name: leaf.cpu() for name, leaf in leaves.items()}
    count = len(leaves["bits"])
    shown = episodes(Stream(0).rows(torch.zeros(count, dtype=torch.int64)), leaves, source)
    begin = leaves["cycles"] * leaves["patterns"] * (leaves["presentation"] + leaves["gap"])
    pictures = []
    for row in range(count):
        slot = int(leaves["presentation"][row] + leaves["gap"][row])
        steps = [*range(0, int(leaves["patterns"][row]) * slot, slot), int(begin[row])]
        bits = int(leaves["bits"][row])
        tiles = [tile(shown.observations[step, row, :bits]) for step in steps]
        pictures.append(beside([*tiles, tile(shown.target[row, :bits])]))
    return pictures


def lifetime(lived: Trajectory) -> Picture:
    """The first life: everything it was shown, in order, then its last answer and what was asked for."""
    seen = lived.observations[:, 0]
    fresh = torch.cat([seen[:1].any(dim=1), (seen[1:] != seen[:-1]).any(dim=1) & seen[1:].any(dim=1)])
    over = int(lived.done[:, 0].to(torch.int64).argmax())
    tiles = [tile(frame) for frame in seen[: over + 1][fresh[: over + 1]]]
    return beside([*tiles, tile(lived.actions[-1, 0]), tile(lived.extras["target"][-1, 0])])


def animation(lived: Trajectory) -> NDArray[np.uint8]:
    """``[T, H, W, 3]``: what the first life sees, what it answers, and what will be asked for."""
    over = int(lived.done[:, 0].to(torch.int64).argmax())
    target = tile(lived.extras["target"][-1, 0])
    return np.stack([beside([tile(lived.observations[t, 0]), tile(lived.actions[t, 0]), target]) for t in range(over + 1)])


def tile(numbers: Tensor) -> Picture:
    """``[H, W, 3]``: black for -1, white for 1, coloured where there is nothing, in as square a shape as there is."""
    values = numbers.detach().float().numpy()
    width = math.isqrt(len(values) - 1) + 1
    height = math.ceil(len(values) / width)
    scale = math.ceil(TILE / width)
    grey = np.clip((values + 1.0) * 127.5, 0, 255).astype(np.uint8)
    pixels = np.where((values == 0.0)[:, None], np.array(NOTHING, np.uint8), grey[:, None])
    ground = np.full((height * width - len(values), 3), GROUND, np.uint8)
    whole = np.concatenate([pixels, ground]).reshape(height, width, 3)
    return whole.repeat(scale, axis=0).repeat(scale, axis=1)


def beside(tiles: list[Picture]) -> Picture:
    """Tiles of one height in a row."""
    height = tiles[0].shape[0]
    edge = np.full((height, EDGE, 3), GROUND, np.uint8)
    parts = [part for each in tiles for part in (edge, each)]
    row = np.concatenate([*parts, edge], axis=1)
    brim = np.full((EDGE, row.shape[1], 3), GROUND, np.uint8)
    return np.concatenate([brim, row, brim])
