"""Pictures of a training: what was shown over the outer steps, the lessons of the end, and how learners follow them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aiga.plots import Curve, Panel, plot, png
from aiga.tiles import Picture, captioned, framed
from aiga_gtn.inner import courses
from aiga_gtn.learners import Nursery
from aiga_gtn.lessons import one_each

if TYPE_CHECKING:
    from aiga_gtn.module import GtnModule

SHOWN = 10  # classes, and steps, of a picture
SIDE = 48  # pixels of an example in it, at least
WHITE, EDGE = (255, 255, 255), 2


def drawn(module: GtnModule, nursery: Nursery) -> dict[str, bytes]:
    """PNG files by name; those of examples only where an example is an image.

    Args:
        module: at the end of its training.
        nursery: of the learners that are followed, step by step.
    """
    files = {"inner.png": inner(module, nursery)}
    if _picture(module.shown()[0], (0.0, 1.0)) is None:
        return files
    if module.snapshots:
        rows = {f"outer step {step:,}": shown for step, shown in module.snapshots.items()}
        files["samples.png"] = png(_page(rows))
    files["lessons.png"] = png(lessons(module))
    return files


def lessons(module: GtnModule) -> Picture:
    """The first example of every class, step by step: a row each step."""
    with torch.no_grad():
        lesson = module.teacher.draw(module.rng.child("shown"))
        steps = sorted(set(np.linspace(0, module.teacher.steps - 1, SHOWN).round().astype(int).tolist()))
        rows = {}
        for step in steps:
            shown = one_each(module.teacher.show(lesson, step, step + 1).x[0], lesson.labels[step], module.teacher.classes)
            rows[f"step {step + 1} of {module.teacher.steps}"] = shown.cpu()
    return _page(rows)


def inner(module: GtnModule, nursery: Nursery) -> bytes:
    """Rates and momenta by step, and how fit fresh learners are after each."""
    rate, momentum = (part.detach().cpu().numpy() for part in module.teacher.pace)
    steps = np.arange(1, module.teacher.steps + 1)
    curves: dict[str, NDArray[Any]] = {}
    rng = module.rng.child("followed")
    with torch.inference_mode(False), torch.no_grad():
        groups = nursery.draw(rng.child("learners"), min(module.learners, SHOWN), module.teacher.rates)
        course = courses(module.teacher, module.teacher.draw(rng.child("lesson")), groups)
        for group, after in zip(groups, course, strict=True):
            fitness = np.stack([module.judged(group, flat).numpy() for flat in after], axis=1)
            name = group.batch.kind.component
            curves[name] = np.concatenate([curves[name], fitness]) if name in curves else fitness
    fit = {name: Curve(np.arange(module.teacher.steps + 1), values) for name, values in curves.items()}
    return plot(
        Panel("fitness of learners", "inner steps", "", fit),
        Panel("rate", "inner step", "", {"learned rate": Curve(steps, rate[None])}),
        Panel("momentum", "inner step", "", {"learned momentum": Curve(steps, momentum[None])}),
    )


def _page(rows: Mapping[str, Tensor]) -> Picture:
    """Rows of examples ``[classes, *shape]``, all in one range, each under its name."""
    reach = (min(float(row.min()) for row in rows.values()), max(float(row.max()) for row in rows.values()))
    strips = []
    for name, row in rows.items():
        pictures = [picture for example in row[:SHOWN] if (picture := _picture(example, reach)) is not None]
        size = max(1, SIDE // pictures[0].shape[0])
        wide = [framed(picture.repeat(size, axis=0).repeat(size, axis=1), WHITE, EDGE) for picture in pictures]
        strips.append(captioned(np.concatenate(wide, axis=1), name))
    return np.concatenate(strips)


def _picture(example: Tensor, reach: tuple[float, float]) -> Picture | None:
    """``[H, W, 3]``; None where the shape is no image's, nor a square's."""
    shape = tuple(example.shape)
    side = math.isqrt(example.numel())
    if len(shape) == 1 and side * side == shape[0] and side > 1:
        example = example.reshape(1, side, side)
    elif len(shape) == 2:
        example = example[None]
    elif len(shape) != 3 or shape[0] not in (1, 3):
        return None
    low, high = reach
    grey = ((example.float() - low) / max(high - low, 1e-12) * 255.0).round().to(torch.uint8)
    return grey.expand(3, -1, -1).permute(1, 2, 0).numpy().copy()
