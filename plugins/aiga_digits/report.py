"""What is compared of trained agents: how many test images they name rightly, and which they take for another class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aiga import Contestant, Report, Stream
from aiga.data import Leaves
from aiga.image_files import CLASSES
from aiga.plots import gallery, matrices
from aiga.tiles import spread
from aiga_digits.domain import DigitsDomain
from aiga_digits.lives import Named, Pupils, asked, name
from aiga_digits.render import confused
from aiga_digits.seen import Images
from aiga_digits.sources import Split

PICTURES: Final = 8  # wrongly named images of each network
NEIGHBOURS: Final = 1000  # test images whose nearest image is looked for, at most
_EVERY: Final = 2**31
_AT_ONCE: Final = 100


def report(domain: DigitsDomain, contestants: Mapping[str, Contestant], rng: Stream) -> Report:
    """Test images of the plain task named rightly, the same for every agent; nothing else in the domain looks at them."""
    rows, tables, pictures = dict[str, dict[str, tuple[float, ...]]](), dict[str, NDArray[np.int64]](), {}
    for who, each in contestants.items():
        test, validation = (judged(domain, each, rng, split) for split in ("test", "validation"))
        right = _percent(test)
        rows[who] = {
            "test %": tuple(right.tolist()),
            "validation %": tuple(_percent(validation).tolist()),
            "parameters": (float(each.parameters),),
        }
        middle = int(right.argsort()[len(right) // 2])
        images = domain.images(each.agents.device)
        answers, label = test.answers[middle].cpu(), images.label(test.rows[middle]).cpu()
        tables[who] = torch.bincount(label * CLASSES + answers, minlength=CLASSES**2).reshape(CLASSES, CLASSES).numpy()
        wrong = torch.nonzero(answers != label).flatten()
        wrong = wrong[spread(len(wrong), PICTURES)]
        seen = images.pixels(images.show(_plain(domain, 1, each), test.rows[middle][None, wrong.to(test.rows.device)]))[0]
        pictures[who] = [confused(image, int(label[at]), int(answers[at])) for image, at in zip(seen, wrong, strict=True)]
    drawn = {"confusion": matrices(tables, "named", "is")} if tables else {}
    if any(pictures.values()):
        drawn["confused"] = gallery({who: some for who, some in pictures.items() if some})
    images = domain.images(torch.device("cpu"))
    count = min(NEIGHBOURS, len(images.shelves["test"].order))
    notes = (
        f"named rightly of {len(images.shelves['test'].order):,} test images, which nothing else looks at, and of "
        f"{len(images.shelves['validation'].order):,} validation images",
        f"chance: {100 / CLASSES:g} %; by the nearest of {len(images.shelves['train'].order):,} images to learn from: "
        f"{100.0 * nearest(images, domain.named('all').leaves, count):.4g} % of {count:,} test images",
        "confusion, confused: of the middle agent of each network",
    )
    return Report(f"images of {domain.source.name} named by agents that learnt from others", rows, drawn, notes)


def judged(domain: DigitsDomain, each: Contestant, rng: Stream, split: Split) -> Named:
    """What a contestant's agents name all images of a part; they learn from the same examples first where they can."""
    agents, images = each.agents, domain.images(each.agents.device)
    tasks, same = _plain(domain, len(agents), each), torch.zeros(len(agents), dtype=torch.int64)
    with torch.no_grad():
        pupils = Pupils.born(
            each.network, agents.leaves, tasks, images, rng.child("life").rows(same), domain.learnt, create_graph=False
        )
    return name(pupils, images, split, asked(images, tasks, split, _EVERY, same.to(agents.device)))


def nearest(images: Images, plain: Leaves, count: int) -> float:
    """The share of some test images whose nearest image to learn from, by pixels, is of their class."""
    shelves, right = images.shelves, 0
    known = shelves["train"].order[None]
    seen, of = images.show(plain, known)[0].flatten(1), images.label(known)[0]
    test = shelves["test"].order[spread(len(shelves["test"].order), count)]
    for some in torch.split(test[None], _AT_ONCE, dim=1):
        near = torch.cdist(images.show(plain, some)[0].flatten(1), seen).argmin(dim=1)
        right += int((of[near] == images.label(some)[0]).sum())
    return right / len(test)


def _plain(domain: DigitsDomain, count: int, each: Contestant) -> Leaves:
    return domain.named("all", count).to(each.agents.device).leaves


def _percent(named: Named) -> Tensor:
    right = 100.0 * named.right.double() / named.total
    return torch.where(named.void, torch.nan, right).cpu()
