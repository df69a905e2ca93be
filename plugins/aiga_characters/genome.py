"""What fixes a stream of characters: how many classes, how often each, in which order, how distorted and how alike.

Leaves of a batch of ``B`` environments:

==============  =====  ==========================================================================================
``classes``     int64  classes a lifetime learns; label ``i`` is the class learnt ``i``-th
``examples``    int64  images of each class that are learnt from, once each; five others test it
``order``       [0,1]  0: one class after another; 1: shuffled, the i.i.d. oracle; between: runs that overlap
``distortion``  [0,1]  how much every image is turned, sheared, scaled and moved, beyond what its drawer did
``similarity``  [0,1]  0: classes from all alphabets alike; 1: from as few alphabets as hold them
``episodic``    int64  1: classes are drawn anew in every lifetime, as in few-shot episodes; 0: ``seed`` fixes them
``turned``      int64  1: each class is turned by a random quarter of a circle, which makes four classes of one
``seed``        int64  fixes which classes, and their labels; no part of the description
==============  =====  ==========================================================================================

The kind's structure says from which split classes come: ``background`` to search and meta-train, ``evaluation`` to judge.
"""

from __future__ import annotations

from typing import Final, Literal

import torch
from torch import Tensor

from aiga import Batch, Kind, Stream
from aiga.data import Leaves
from aiga.streams import combine, derive
from aiga_characters.sets import Split

Start = Literal["stream", "meta-training", "5-way-1-shot-training", "20-way-1-shot-training"]
VERSION: Final = 1
CLASSES: Final = (2, 3, 5, 7, 10, 15, 20, 30, 50, 75, 100, 150, 200, 300, 400, 500, 600)
EXAMPLES: Final = (1, 2, 3, 5, 7, 10, 15)
TESTS: Final = 5  # images of each class that a lifetime is tested on
SHARES: Final = ("order", "distortion", "similarity")
STEP: Final = 0.2  # the most by which a share changes in a mutation
_FIRST_CLASSES, _FIRST_EXAMPLES = 5, 5
_WEIGHT: Final = 4.0  # of a share against a doubling of classes, in distances


def kind(split: Split = "background") -> Kind:
    """The kind of environments whose classes come from ``split``."""
    return Kind("characters", {"version": VERSION, "split": split})


def streams(
    seed: Tensor,
    classes: int = _FIRST_CLASSES,
    examples: int = _FIRST_EXAMPLES,
    order: float = 0.0,
    distortion: float = 0.0,
    similarity: float = 0.0,
    episodic: bool = False,
    turned: bool = False,
    split: Split = "background",
) -> Batch:
    """Environments that differ in their ``seed`` alone, ``[B]`` int64."""
    count = len(seed)
    whole = {"classes": classes, "examples": examples, "episodic": int(episodic), "turned": int(turned)}
    shares = {"order": order, "distortion": distortion, "similarity": similarity}
    leaves: Leaves = {name: torch.full((count,), value) for name, value in whole.items()}
    leaves |= {name: torch.full((count,), value, dtype=torch.float64) for name, value in shares.items()}
    return Batch.of(kind(split), {**leaves, "seed": seed.to(torch.int64)})


def initial(rng: Stream, count: int, most: int, start: Start = "stream") -> Batch:
    """``count`` environments to search from: easy streams of up to five classes, or a named one with classes of its own."""
    rng = rng.each(count)
    if start == "stream":
        return streams(_seeds(rng), classes=min(_FIRST_CLASSES, most))
    return _named(start, _seeds(rng), most)


def mutate(rng: Stream, parents: Batch, most: int) -> Batch:
    """One child for each of ``B`` parents: more, fewer or as many classes and examples, shares moved, other classes.

    Args:
        rng: with a row key for each child; without, rows are keyed by their position.
        parents: streams of either split; children learn from the background.
        most: classes that a stream may have.
    """
    old = parents.leaves
    rng = rng.each(len(parents))
    ladder = tuple(step for step in CLASSES if step <= most) or (most,)
    new: Leaves = {**old, "seed": _seeds(rng)}
    new["classes"] = _climbed(rng.child("classes"), old["classes"], ladder)
    new["examples"] = _climbed(rng.child("examples"), old["examples"], EXAMPLES)
    for name in SHARES:
        change = rng.child(name).uniform(low=-STEP, high=STEP)
        new[name] = (torch.round((old[name] + change) * 10.0) / 10.0).clamp(0.0, 1.0) + 0.0
    return Batch.of(kind(), new)


def describe(envs: Batch) -> Tensor:
    """``[B, 7]`` float64: classes, examples, order, distortion, similarity, episodic, turned."""
    leaves = envs.leaves
    columns = ("classes", "examples", *SHARES, "episodic", "turned")
    return torch.stack([leaves[name].double() for name in columns], dim=1)


def distance(a: Batch, b: Batch) -> Tensor:
    """``[A, B]`` float64, Euclidean: in doublings of classes and of examples; the whole of a share counts as four of them."""
    # Differences, not the faster matrix product, so that equal streams are at exactly 0.
    return (_scaled(a)[:, None] - _scaled(b)[None]).square().sum(dim=-1).sqrt()


def named(name: str, count: int, most: int) -> Batch:
    """A named environment as ``count`` rows, each with classes drawn anew, the same ones at every call.

    Args:
        name: ``sequential-N`` or ``shuffled-N`` (N classes of the evaluation split, fifteen images each, one class after
            another, or in any order), ``N-way-1-shot`` (few-shot episodes, of the evaluation split),
            ``N-way-1-shot-training`` (of the background) or ``meta-training`` (all that may be learnt with, one stream).
        count: rows.
        most: classes of ``meta-training``.

    Raises:
        KeyError: for another name.
    """
    # The oracle meets the very classes and images that the stream brings one after another.
    drawn = derive("characters", "named", name.replace("shuffled", "sequential"))
    return _named(name, combine(drawn, torch.arange(count)) & (2**62 - 1), most)


def _named(name: str, seeds: Tensor, most: int) -> Batch:
    if name == "meta-training":
        return streams(seeds, most, EXAMPLES[-1])
    what, _, rest = name.partition("-")
    if what in ("sequential", "shuffled"):
        return streams(seeds, int(rest), EXAMPLES[-1], float(what == "shuffled"), split="evaluation")
    if rest in ("way-1-shot", "way-1-shot-training"):
        return streams(seeds, int(what), 1, 1.0, episodic=True, turned=True, split=_FEW_SHOT[rest])
    raise KeyError(name)


_FEW_SHOT: Final[dict[str, Split]] = {"way-1-shot": "evaluation", "way-1-shot-training": "background"}
_LENGTHS: Final = (10, 50, 100, 200, 600)


def names(labels: int) -> tuple[str, ...]:
    """Names of environments that networks that tell so many labels apart can live in."""
    lengths = [length for length in _LENGTHS if length <= labels]
    few = [f"{ways}-{rest}" for ways in (5, 20) if ways <= labels for rest in _FEW_SHOT]
    return (*(f"{what}-{length}" for what in ("sequential", "shuffled") for length in lengths), *few, "meta-training")


def _scaled(envs: Batch) -> Tensor:
    described = describe(envs)
    return torch.cat([torch.log2(described[:, :2]), _WEIGHT * described[:, 2:]], dim=1)


def _climbed(rng: Stream, now: Tensor, ladder: tuple[int, ...]) -> Tensor:
    """One step up the ladder, one down, or none; from a number that is no step of it to a neighbouring one."""
    steps = torch.tensor(ladder)
    at = torch.searchsorted(steps, now.contiguous()).clamp(max=len(ladder) - 1)
    return steps[(at + rng.integers(-1, 2)).clamp(0, len(ladder) - 1)]


def _seeds(rng: Stream) -> Tensor:
    words = rng.child("seed").words(2)
    return (words[:, 0] << 31) ^ words[:, 1]
