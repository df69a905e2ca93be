"""Which images lifetimes learn from, in which order, and which test them: drawn from an environment and an episode's seed.

A lifetime's numbers hang on its own environment and seed alone. ``P`` lifetimes, ``N`` classes at most, 20 drawers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from aiga import Pairs, Stream
from aiga.data import Leaves
from aiga.streams import combine, derive
from aiga_characters import genome
from aiga_characters.genome import TESTS
from aiga_characters.recipes import DRAWERS
from aiga_characters.sets import Characters

_STREAM: Final = Stream(derive("characters", "lessons", 1))
_WORDS: Final = 2**32  # above every word of a stream


@dataclass(frozen=True)
class Lessons:
    """What ``P`` lifetimes are about.

    Attributes:
        genes: leaves of each lifetime's environment, ``[P]`` each, on the host.
        keys: ``[P]`` int64, one a lifetime: what all chance in it hangs on.
        classes: ``[P, N]`` int64 row of the set by label; past a lifetime's own number of classes without meaning.
        quarter: ``[P, N]`` int64 quarters of a circle by which a class is turned.
        reported: ``[P]`` bool, whether its classes are those of the evaluation split, by which agents are compared.
    """

    genes: Leaves
    keys: Tensor
    classes: Tensor
    quarter: Tensor
    reported: Tensor

    @staticmethod
    def of(pairs: Pairs, seeds: Tensor, characters: Characters) -> Lessons:
        """The lessons of pairs with ``[P]`` int64 episode seeds.

        Raises:
            ValueError: if an environment is not of this domain, or asks for more classes than its split has.
        """
        genes, evaluation = _genes(pairs)
        keys = combine(genes["seed"], seeds.cpu())
        fixed = torch.where(genes["episodic"] == 1, keys, combine(genes["seed"]))
        classes = _classes(genes, evaluation, fixed, characters)
        quarter = _STREAM.child("quarter").rows(fixed).integers(0, 4, classes.shape[1]) * genes["turned"][:, None]
        return Lessons(genes, keys, classes, quarter, evaluation)

    def __len__(self) -> int:
        return len(self.keys)

    def take(self, rows: Tensor) -> Lessons:
        """These lifetimes, in this order, without columns past the largest number of classes among them."""
        genes = {name: leaf[rows] for name, leaf in self.genes.items()}
        most = int(genes["classes"].max())
        return Lessons(genes, self.keys[rows], self.classes[rows, :most], self.quarter[rows, :most], self.reported[rows])

    def drawers(self) -> Tensor:
        """``[P, N, 20]`` int64: each class' drawers in random order, to learn from the first and be tested on the last.

        Of a class of the evaluation split it is the same drawers that test every life: what is chosen by images learnt from,
        in whatever life, is never chosen by an image that another life reports.
        """
        words = _STREAM.child("drawers").rows(self.keys).words(self.classes.shape[1] * DRAWERS)
        words = words.reshape(*self.classes.shape, DRAWERS)
        rank = _STREAM.child("tests").rows(self.classes.flatten()).words(DRAWERS).argsort(dim=-1, stable=True)
        last = (rank.argsort(dim=-1) >= DRAWERS - TESTS).reshape(words.shape) & self.reported[:, None, None]
        return (words + last * _WORDS).argsort(dim=-1, stable=True)

    def order(self, classes: int, examples: int) -> Tensor:
        """``[P, classes * examples]`` int64 places in ``[classes, examples]``, in the order in which they are learnt."""
        total = classes * examples
        mixing, drawn = self.genes["order"][:, None], _STREAM.child("order").rows(self.keys).uniform(total)
        # One after another where nothing is mixed in; a random order where all is.
        return ((1.0 - mixing) * (torch.arange(total) / total) + mixing * drawn).argsort(dim=1, stable=True)

    def labels(self, count: int) -> Tensor:
        """``[P, count]`` int64: so many different labels of each lifetime, none of which has fewer classes."""
        drawn = _STREAM.child("labels").rows(self.keys).uniform(self.classes.shape[1])
        return torch.where(self._own(), drawn, torch.inf).argsort(dim=1, stable=True)[:, :count]

    def remembered(self, count: int) -> tuple[Tensor, Tensor]:
        """``[P, count]`` labels and drawers of random images of each lifetime's classes."""
        drawn = _STREAM.child("remembered").rows(self.keys).uniform(count)
        drawer = _STREAM.child("remembered", "drawer").rows(self.keys).integers(0, DRAWERS, count)
        return (drawn * self.genes["classes"][:, None]).long(), drawer

    def distortions(self, label: Tensor, drawer: Tensor) -> Tensor:
        """``[P, M, 6]`` standard normal numbers of the images ``[P, M]``, the same ones whenever an image is shown."""
        keys = combine(self.keys[:, None], label, drawer)
        return _STREAM.child("distortion").rows(keys.flatten()).normal(6).reshape(*label.shape, 6)

    def _own(self) -> Tensor:
        return torch.arange(self.classes.shape[1]) < self.genes["classes"][:, None]


def shapes(*columns: Tensor) -> list[Tensor]:
    """Rows ``[R]`` of each different combination of values in ``[P]`` columns: lives of one shape are lived side by side."""
    values, which = torch.unique(torch.stack(columns, dim=1), dim=0, return_inverse=True)
    return [torch.nonzero(which == shape).flatten() for shape in range(len(values))]


def _genes(pairs: Pairs) -> tuple[Leaves, Tensor]:
    """Leaves ``[P]`` of each pair's environment on the host, and ``[P]`` bool: whether it is of the evaluation split."""
    batches, rows = pairs.envs.batches, pairs.env.cpu()
    known = {genome.kind("background"): False, genome.kind("evaluation"): True}
    strange = [batch.kind for batch in batches if batch.kind not in known]
    if strange:
        raise ValueError(f"characters live in environments of version {genome.VERSION}, found {dict(strange[0].structure)}")
    genes = {name: torch.cat([batch.leaves[name].cpu() for batch in batches])[rows] for name in batches[0].leaves}
    evaluation = torch.cat([torch.full((len(batch),), known[batch.kind]) for batch in batches])
    return genes, evaluation[rows]


def _classes(genes: Leaves, evaluation: Tensor, keys: Tensor, characters: Characters) -> Tensor:
    """``[P, N]`` rows of the set: for each lifetime the first of all classes in an order between random and by alphabets."""
    total, count = len(characters.images), genes["classes"]
    there = torch.where(evaluation, total - characters.background, characters.background)
    if bool((count > there).any()):
        row = int((count > there).to(torch.int64).argmax())
        split = "evaluation" if evaluation[row] else "background"
        raise ValueError(
            f"a stream of {int(count[row])} classes, but the {split} split has {int(there[row])}. "
            "Give a larger set of characters, or ask for fewer classes."
        )
    single, alike = _STREAM.child("class").rows(keys).uniform(total), genes["similarity"][:, None]
    alphabet = _STREAM.child("alphabet").rows(keys).uniform(len(characters.names))[:, characters.alphabet]
    # The least bit of chance keeps the classes of an alphabet in random order where nothing else decides.
    rank = alike * alphabet + (1.0 - alike + 1e-6) * single
    inside = (torch.arange(total) >= characters.background) == evaluation[:, None]
    most = int(count.max())
    chosen = torch.where(inside, rank, torch.inf).argsort(dim=1, stable=True)[:, :most]
    label = _STREAM.child("label").rows(keys).uniform(total).gather(1, chosen)
    label = torch.where(torch.arange(most) < count[:, None], label, torch.inf)
    return chosen.gather(1, label.argsort(dim=1, stable=True))
