"""What the digits' plugin draws: a task as a page of its examples, a life by what it named, a life image by image."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from aiga import Batch, Stream, Subject, Trajectory
from aiga.data import Leaves
from aiga.streams import derive
from aiga.tiles import RIGHT, WRONG, Picture, captioned, framed, spread
from aiga_digits.domain import DigitsDomain
from aiga_digits.genome import members
from aiga_digits.seen import Images

TALL: Final = 6  # examples of a class on a page
MOST_FRAMES: Final = 200
SIDE: Final = 32  # pixels, at least
PLAIN: Final = (255, 255, 255)
_EDGE: Final = 2
_ORDER: Final = Stream(derive("digits", "page", 1))
_LOOKED_AT: Final = 400  # examples, of which a page shows some


def render(subject: Subject, domain: DigitsDomain) -> Any:
    """Draws ``subject``; None where it is none of ``domain``'s, or a trajectory is missing."""
    if not subject.envs.batches or any(batch.kind.component != "digits" for batch in subject.envs.batches):
        return None
    images = domain.images(torch.device("cpu"))
    if subject.what == "environments":
        return [captioned(page, subject.caption) for batch in subject.envs.batches for page in pages(batch, images)]
    if subject.trajectory is None or "label" not in subject.trajectory.extras:
        return None
    if subject.what == "lifetime":
        return captioned(named(subject.trajectory, images), subject.caption)
    if subject.what == "animation":
        return np.stack([captioned(frame, subject.caption) for frame in frames(subject.trajectory, images)])
    return None


def pages(envs: Batch, images: Images) -> list[Picture]:
    """One page a task: some of its examples, a column for each of its classes; framed where what is said of one is wrong."""
    return [_page({name: leaf.cpu()[row : row + 1] for name, leaf in envs.leaves.items()}, images) for row in range(len(envs))]


def _page(task: Leaves, images: Images) -> Picture:
    chosen = images.learnable(task)
    places = spread(int(chosen.total), _LOOKED_AT)
    places = places[_ORDER.permutation(len(places))]  # else those of the first classes come first
    rows = images.shelves["train"].at(chosen, places[None])
    seen, told, there = images.pixels(images.show(task, rows))[0], images.told(task, rows)[0], images.label(rows)[0]
    columns = []
    for label in torch.nonzero(members(task["classes"])[0]).flatten().tolist():
        some = torch.nonzero(told == label).flatten()[:TALL].tolist()
        columns.append([_tile(seen[one], WRONG if there[one] != label else PLAIN) for one in some])
    return _grid(columns)


def named(trajectory: Trajectory, images: Images, row: int = 0) -> Picture:
    """What one life was asked, a column for each class, framed in blue where it was right and in orange where it was wrong."""
    steps = _steps(trajectory, row)
    label, right = trajectory.extras["label"][steps, row].cpu(), trajectory.rewards[steps, row].cpu() > 0.5
    seen = images.pixels(trajectory.observations[steps, row].cpu())
    columns = []
    for number in torch.unique(label).tolist():
        of_class = torch.nonzero(label == number).flatten()
        some = of_class[spread(len(of_class), 2 * TALL)]
        columns.append([_tile(seen[one], RIGHT if right[one] else WRONG) for one in some.tolist()])
    return _grid(columns)


def frames(trajectory: Trajectory, images: Images, row: int = 0) -> list[Picture]:
    """Up to 200 images of one life, large, with what each was named, framed as in :func:`named`."""
    steps = _steps(trajectory, row)
    steps = steps[spread(len(steps), MOST_FRAMES)]
    right, answer = trajectory.rewards[steps, row].cpu() > 0.5, trajectory.actions[steps, row]
    seen = images.pixels(trajectory.observations[steps, row].cpu())
    return [
        captioned(_tile(image, RIGHT if good else WRONG, 4 * SIDE, 8), f"named {said}")
        for image, good, said in zip(seen, right.tolist(), answer.tolist(), strict=True)
    ]


def confused(image: Picture, label: int, answer: int) -> Picture:
    """An image that was named wrongly, large, with what it is and what it was named above it."""
    return captioned(_tile(image, PLAIN, 3 * SIDE, 1), f"{label} as {answer}", left=24)


def _tile(image: Picture, colour: tuple[int, int, int], side: int = SIDE, edge: int = _EDGE) -> Picture:
    scale = -(-side // image.shape[0])
    return framed(image.repeat(scale, axis=0).repeat(scale, axis=1), colour, edge)


def _grid(columns: list[list[Picture]]) -> Picture:
    """Tiles of one size in columns from above."""
    side = next(tile.shape[0] for column in columns for tile in column)
    page = np.full((max(map(len, columns)) * side, len(columns) * side, 3), 255, np.uint8)
    for left, column in enumerate(columns):
        for top, tile in enumerate(column):
            page[top * side : (top + 1) * side, left * side : (left + 1) * side] = tile
    return page


def _steps(trajectory: Trajectory, row: int) -> Tensor:
    """The steps of one life, up to its end."""
    return torch.arange(int(trajectory.done[:, row].to(torch.int64).argmax()) + 1)
