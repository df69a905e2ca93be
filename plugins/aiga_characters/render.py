"""What the characters' plugin draws: a stream as a page of its images, a life by its tests, a life image by image."""

from __future__ import annotations

import colorsys
import math
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from aiga import Batch, Pairs, Population, Subject, Trajectory
from aiga.tiles import RIGHT as RIGHT
from aiga.tiles import WRONG as WRONG
from aiga.tiles import Picture, captioned, framed, spread
from aiga_characters.domain import CharactersDomain
from aiga_characters.images import Pictures
from aiga_characters.lessons import Lessons

COLUMNS, ROWS = 20, 8  # images of a page
MOST_FRAMES: Final = 300
LEARNT: Final = (150, 150, 150)
_EDGE: Final = 2  # pixels of a frame
_PAPER: Final = 255
_GOLDEN: Final = 0.618033988749895  # of a turn of the colour circle from one label to the next: neighbours differ


def render(subject: Subject, domain: CharactersDomain) -> Any:
    """Draws ``subject``; None where it is none of ``domain``'s, or a trajectory is missing."""
    if not subject.envs.batches or any(batch.kind.component != "characters" for batch in subject.envs.batches):
        return None
    if subject.what == "environments":
        return [captioned(page, subject.caption) for batch in subject.envs.batches for page in pages(batch, domain)]
    if subject.trajectory is None or "learning" not in subject.trajectory.extras:
        return None
    if subject.what == "lifetime":
        return captioned(exam(subject.trajectory), subject.caption)
    if subject.what == "animation":
        return np.stack([captioned(frame, subject.caption) for frame in frames(subject.trajectory)])
    return None


def pages(envs: Batch, domain: CharactersDomain) -> list[Picture]:
    """One page a stream: its images in the order in which they are learnt, a ground of one colour for each class.

    Where they are more than a page holds, as many of them at equal distances.
    """
    rows = torch.arange(len(envs))
    pairs = Pairs.of(Population((envs,)), Population(), rows, rows)
    lessons = Lessons.of(pairs, torch.zeros(len(envs), dtype=torch.int64), domain.characters)
    pictures = Pictures(domain.characters, torch.device("cpu"))
    return [_page(lessons.take(rows[row : row + 1]), pictures) for row in rows.tolist()]


def learnt(trajectory: Trajectory, row: int = 0) -> Picture:
    """The first images that one life learns from, side by side, a ground of one colour for each class."""
    steps = _steps(trajectory, row, learning=True)[:COLUMNS]
    label, seen = trajectory.extras["label"][steps, row], _ink(trajectory.observations[steps, row])
    return np.concatenate([_on_ground(image, int(number)) for image, number in zip(seen, label, strict=True)], axis=1)


def exam(trajectory: Trajectory, row: int = 0) -> Picture:
    """The test images of one life, a column a class in the order learnt, framed in blue where right, in orange where wrong."""
    asked = _steps(trajectory, row, learning=False)
    label = trajectory.extras["label"][asked, row]
    seen, right = _ink(trajectory.observations[asked, row]), trajectory.rewards[asked, row] > 0.5
    classes = torch.unique(label)
    chosen = classes[spread(len(classes), COLUMNS * 3)].tolist()
    tall = max(int((label == number).sum()) for number in chosen)
    blocks = [chosen[start : start + COLUMNS] for start in range(0, len(chosen), COLUMNS)]
    cell = seen.shape[-1] + 2 * _EDGE
    page = np.full((len(blocks) * (tall * cell + _EDGE), min(len(chosen), COLUMNS) * cell, 3), _PAPER, np.uint8)
    for block, members in enumerate(blocks):
        for column, number in enumerate(members):
            for place, step in enumerate(torch.nonzero(label == number).flatten().tolist()):
                top, left = block * (tall * cell + _EDGE) + place * cell, column * cell
                page[top : top + cell, left : left + cell] = _framed(seen[step], RIGHT if right[step] else WRONG)
    return page


def frames(trajectory: Trajectory, row: int = 0) -> list[Picture]:
    """Up to 300 images of one life, large: framed in grey while it learns, then in blue or orange as it is tested."""
    steps = _steps(trajectory, row)
    steps = steps[spread(len(steps), MOST_FRAMES)]
    seen, scale = _ink(trajectory.observations[steps, row]), max(1, 112 // trajectory.observations.shape[-1])
    learning, right = trajectory.extras["learning"][steps, row], trajectory.rewards[steps, row] > 0.5
    colours = [LEARNT if new else RIGHT if good else WRONG for new, good in zip(learning.tolist(), right.tolist(), strict=True)]
    large = seen.repeat(scale, axis=1).repeat(scale, axis=2)
    return [_framed(image, colour, 8) for image, colour in zip(large, colours, strict=True)]


def _page(lessons: Lessons, pictures: Pictures) -> Picture:
    classes, examples = lessons.classes.shape[1], int(lessons.genes["examples"][0])
    order = lessons.order(classes, examples)
    order = order[:, spread(order.shape[1], COLUMNS * ROWS)]
    label = order // examples
    drawer = lessons.drawers()[0, label, order % examples]
    seen = _ink(pictures.show(lessons, label, drawer)[0])
    size = seen.shape[-1]
    page = np.full((math.ceil(len(seen) / COLUMNS) * size, COLUMNS * size, 3), _PAPER, np.uint8)
    for place, (image, number) in enumerate(zip(seen, label[0].tolist(), strict=True)):
        top, left = place // COLUMNS * size, place % COLUMNS * size
        page[top : top + size, left : left + size] = _on_ground(image, number)
    return page


def _steps(trajectory: Trajectory, row: int, learning: bool | None = None) -> Tensor:
    """The steps of one life, up to its end; of its learning or of its tests alone where asked."""
    done = trajectory.done[:, row]
    length = int(done.to(torch.int64).argmax()) + 1 if bool(done.any()) else len(done)
    wanted = torch.arange(len(done)) < length
    return torch.nonzero(wanted if learning is None else wanted & (trajectory.extras["learning"][:, row] == learning)).flatten()


def _ink(images: Tensor) -> Picture:
    """``[M, size, size]``: 255 ink, of ``[M, 1, size, size]`` observations."""
    return (images[:, 0].clamp(0.0, 1.0) * 255.0).round().to("cpu", torch.uint8).numpy()


def _on_ground(ink: Picture, label: int) -> Picture:
    ground = np.array([255 * part for part in colorsys.hsv_to_rgb(label * _GOLDEN % 1.0, 0.25, 1.0)])
    return (ground * (1.0 - ink[..., None] / 255.0)).astype(np.uint8)


def _framed(ink: Picture, colour: tuple[int, int, int], edge: int = _EDGE) -> Picture:
    return framed((255 - ink)[..., None].repeat(3, axis=-1), colour, edge)
