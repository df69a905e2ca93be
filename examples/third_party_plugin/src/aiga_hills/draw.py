"""Pictures: a track as a hillside against the sky, a life as the cart's way over it."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aiga import Batch, Subject
from aiga_hills import track

Picture = NDArray[np.uint8]
PER_METRE, TALL = 16, 96  # pixels
SKY, EARTH, FLAG, CART = (226, 237, 244), (96, 116, 84), (190, 60, 50), (40, 50, 70)


def render(subject: Subject) -> list[Picture] | Picture | None:
    """What :meth:`aiga.Plugin.aiga_render` is to answer; None for what is no track."""
    if any(batch.kind.component != track.KIND.component for batch in subject.envs.batches):
        return None
    tracks = [(batch, row) for batch in subject.envs.batches for row in range(len(batch))]
    if subject.what == "environments":
        return [picture(*each) for each in tracks]
    if subject.trajectory is None or not tracks:
        return None
    way = subject.trajectory.extras["x"][:, 0]
    if subject.what == "animation":
        return np.stack([picture(*tracks[0], way[t : t + 1]) for t in range(len(way))])
    return picture(*tracks[0], way) if subject.what == "lifetime" else None


def picture(envs: Batch, row: int, carts: Tensor | None = None) -> Picture:
    """``[96, 192, 3]`` uint8: one track from wall to flag, with a dot wherever ``carts`` ``[T]`` (m) say."""
    one = envs.take(torch.tensor([row])).to("cpu")
    height = track.heights(one)[0].numpy()
    columns = np.arange(int((track.FLAG - track.WALL) * PER_METRE))
    metres = np.interp(columns / PER_METRE, np.arange(track.KNOTS), height)
    ground = np.clip(TALL // 2 - metres * PER_METRE / 2, 4, TALL - 2).astype(int)
    out = np.empty((TALL, len(columns), 3), dtype=np.uint8)
    out[:] = np.where(np.arange(TALL)[:, None, None] >= ground[None, :, None], EARTH, SKY)
    out[ground[-1] - 4 : ground[-1], -2:] = FLAG
    for x in [] if carts is None else carts.tolist():
        column = int(np.clip((x - track.WALL) * PER_METRE, 1, len(columns) - 2))
        out[max(ground[column] - 4, 0) : ground[column], column - 1 : column + 2] = CART
    return out
