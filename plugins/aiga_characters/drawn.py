"""Sets that are drawn, not downloaded: Omniglot's numbers of alphabets, classes and drawers, from a seed alone."""

from __future__ import annotations

import torch
from torch import Tensor

from aiga import Stream
from aiga.streams import derive
from aiga_characters.pen import inked
from aiga_characters.recipes import BACKGROUND, CANVAS, DRAWERS, EVALUATION, VERSION, Recipe
from aiga_characters.shrink import shrunk
from aiga_characters.strokes import Strokes, characters, drawings

_LEAST = 20  # classes of an alphabet, so that there is a 20-way task within each
_COARSE = 15  # pixels of a side on which characters are compared
_CLASSES = 12  # drawn at a time: 240 images stay in a processor's cache, and no bit hangs on it


def alphabets(seed: int) -> tuple[Tensor, Tensor]:
    """Sizes of the alphabets of the background and of the evaluation set, for every recipe the same.

    Returns:
        ``[30]`` and ``[20]`` int64, at least 20 each, which add up to Omniglot's 964 and 659 classes.
    """
    rng = Stream(derive("characters", "alphabets", VERSION, seed))
    return _sizes(rng.child("background"), *BACKGROUND), _sizes(rng.child("evaluation"), *EVALUATION)


def draw(recipe: Recipe, seed: int, size: int) -> Tensor:
    """Every class of every alphabet, in order, as 20 hands draw it.

    Args:
        recipe: of the set.
        seed: what all bits hang on.
        size: pixels of a side; 105 as in Omniglot's files, less is made of those.

    Returns:
        ``[1623, 20, size, size]`` uint8 from 0 (paper) to 255 (ink).
    """
    rng = Stream(derive("characters", recipe.name, VERSION, seed))
    chosen, keys = _classes(recipe, rng, torch.cat(alphabets(seed)))
    images = torch.empty(len(keys), DRAWERS, size, size, dtype=torch.uint8)
    for rows in torch.split(torch.arange(len(keys)), _CLASSES):
        each = rows.repeat_interleave(DRAWERS)
        hand = rng.child("drawing").rows(keys[each] * DRAWERS + torch.arange(DRAWERS).repeat(len(rows)))
        width = recipe.pen * hand.child("width").uniform(low=recipe.width[0], high=recipe.width[1])
        ink = inked(drawings(recipe, hand, chosen.take(each)), width, CANVAS)
        images[rows] = shrunk(ink, size).reshape(-1, DRAWERS, size, size)
    return images


def _classes(recipe: Recipe, rng: Stream, sizes: Tensor) -> tuple[Strokes, Tensor]:
    """The characters that were chosen, alphabet by alphabet, and ``[C]`` int64 what names each of them."""
    count, most, tries = len(sizes), int(sizes.max()), recipe.candidates
    alphabet = torch.arange(count).repeat_interleave(most * tries)
    slot = torch.arange(most).repeat_interleave(tries).repeat(count)
    nth = torch.arange(tries).repeat(count * most)
    every = characters(recipe, rng.child("character").rows((alphabet * 1000 + slot) * 1000 + nth), alphabet)
    pick = _first_that_may_stay(recipe, every, count, most)
    chosen = every.take((torch.arange(count * most) * tries) + pick.flatten())
    there = (torch.arange(most) < sizes[:, None]).flatten()
    keys = (torch.arange(count)[:, None] * 1000 + torch.arange(most)).flatten()
    return chosen.take(torch.nonzero(there).flatten()), keys[there]


def _first_that_may_stay(recipe: Recipe, every: Strokes, count: int, most: int) -> Tensor:
    """``[count, most]`` int64: for each class in turn the first candidate that is neither tiny nor near an earlier class.

    Where none is, the one that differs most.
    """
    tries = recipe.candidates
    if tries == 1:
        return torch.zeros(count, most, dtype=torch.int64)
    ink = inked(every, torch.full((len(every.count),), 1.5 / _COARSE, dtype=torch.float64), _COARSE)
    ink = ink.reshape(count, most, tries, -1).float()
    large = (every.extent.amax(dim=1) >= recipe.least_extent).reshape(count, most, tries)
    alphabet, kept, picks = torch.arange(count), ink[:, :0, 0], []
    for slot in range(most):
        both = ink[:, slot] @ kept.transpose(1, 2)  # whole numbers: exact in any order
        either = ink[:, slot].sum(dim=-1)[..., None] + kept.sum(dim=-1)[:, None]
        differs = torch.cat([1.0 - 2.0 * both / either, torch.ones(count, tries, 1)], dim=2).amin(dim=2)
        fit = large[:, slot] & (differs >= recipe.least_difference)
        # argmax answers the first of equals.
        rank = torch.where(fit, 2.0, torch.where(large[:, slot], differs, differs - 1.0))
        pick = (rank == rank.amax(dim=1, keepdim=True)).to(torch.int64).argmax(dim=1)
        picks.append(pick)
        kept = torch.cat([kept, ink[alphabet, slot, pick][:, None]], dim=1)
    return torch.stack(picks, dim=1)


def _sizes(rng: Stream, count: int, total: int) -> Tensor:
    spare = total - _LEAST * count
    cuts = torch.cat([torch.zeros(1, dtype=torch.int64), rng.integers(0, spare + 1, count - 1).sort().values])
    return _LEAST + torch.diff(cuts, append=torch.tensor([spare]))
