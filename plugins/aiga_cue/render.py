"""What the cue plugin draws: time from left to right, a row of squares for each bit, and below it questions and answers."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from aiga import Subject
from aiga_cue.trials import trials

Picture = NDArray[np.uint8]

GROUND: Final = (247, 247, 244)
PLUS: Final = (72, 76, 88)
MINUS: Final = (190, 196, 206)
YES: Final = (232, 144, 40)
NO: Final = (176, 196, 222)
RIGHT: Final = (70, 150, 90)
WRONG: Final = (214, 64, 52)
INK: Final = (40, 44, 52)
_SQUARE: Final = 8  # pixels of a bit in one step
_EXAMPLE: Final = 7  # the seed of the life that stands for a task
_LONGEST: Final = 400  # steps that are shown


def render(subject: Subject) -> Any:
    """Draws ``subject``; None where it is not of cue-reward association, or a trajectory is missing."""
    batches = subject.envs.batches
    if not batches or any(batch.kind.component != "cue" for batch in batches):
        return None
    if subject.what == "environments":
        return [_example(batch.take(torch.tensor([row])), subject.caption) for batch in batches for row in range(len(batch))]
    life = subject.trajectory
    if life is None or "right" not in life.extras or subject.what not in ("lifetime", "animation"):
        return None
    steps = int(batches[0].leaves["steps"][0])
    asked, right = (life.extras[name][:steps, 0].cpu() for name in ("asked", "right"))
    bits = int(batches[0].leaves["bits"][0])
    shown, wanted = life.observations[:steps, 0, :bits].cpu(), life.actions[:steps, 0].cpu() == right.long()
    whole = strip(shown, asked, wanted.long(), right, subject.caption)
    return whole if subject.what == "lifetime" else _unveiled(whole, asked)


def strip(shown: torch.Tensor, asked: torch.Tensor, answer: torch.Tensor, right: torch.Tensor | None, caption: str) -> Picture:
    """A life as one ``[H, W, 3]`` picture.

    Args:
        shown: ``[T, bits]``, 1, -1 or 0.
        asked: ``[T]`` bool.
        answer: ``[T]`` int64, what is right: a square in orange for yes, in blue for no.
        right: ``[T]`` bool, whether it was answered: a square below in green or red; None where nobody did.
        caption: words, or none.
    """
    shown, asked, answer = shown[:_LONGEST], asked[:_LONGEST], answer[:_LONGEST]
    steps, bits = shown.shape
    image = Image.new("RGB", ((steps + 2) * _SQUARE, (bits + 5) * _SQUARE + (18 if caption else 0)), GROUND)
    draw = ImageDraw.Draw(image)

    def square(step: int, row: int, colour: tuple[int, int, int]) -> None:
        x, y = (step + 1) * _SQUARE, (row + 1) * _SQUARE
        draw.rectangle([x, y, x + _SQUARE - 2, y + _SQUARE - 2], fill=colour)

    for step, bit in torch.nonzero(shown).tolist():
        square(step, bit, PLUS if shown[step, bit] > 0 else MINUS)
    for (step,) in torch.nonzero(asked).tolist():
        square(step, bits + 1, YES if answer[step] else NO)
        if right is not None:
            square(step, bits + 2, RIGHT if right[step] else WRONG)
    if caption:
        draw.text((_SQUARE, (bits + 5) * _SQUARE), caption, fill=INK, font=ImageFont.load_default(size=12))
    return np.asarray(image).copy()


def _example(task: Any, caption: str) -> Picture:
    task, steps, bits = task.to("cpu"), int(task.leaves["steps"][0]), int(task.leaves["bits"][0])
    life = trials(task, torch.zeros(1, dtype=torch.int64), torch.tensor([_EXAMPLE]), steps, bits)
    return strip(life.shown[:, 0], life.asked[:, 0], life.answer[:, 0], None, caption)


def _unveiled(whole: Picture, asked: torch.Tensor) -> Picture:
    """``[N, H, W, 3]``: a frame for each question, what comes after it still hidden."""
    frames = []
    for (step,) in torch.nonzero(asked[:_LONGEST]).tolist():
        frame = whole.copy()
        frame[:, (step + 2) * _SQUARE :] = GROUND
        frames.append(frame)
    return np.stack(frames or [whole])
