"""``regularised-evolution``: tournaments, mutation, and the oldest dies, however good it is (Real et al. 2019)."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

import aiga
from aiga.data import NOBODY
from aiga_search.options import EvolutionOptions
from aiga_search.search import ArchitectureSearch, Proposed
from aiga_search.site import Residents, Site


class RegularisedEvolution(ArchitectureSearch):
    """A population of random architectures first; then each child is a mutant of the best of a random sample."""

    name = "regularised-evolution"
    Options: ClassVar[type[EvolutionOptions]] = EvolutionOptions
    options: EvolutionOptions

    def propose(self, site: Site, residents: Residents, rng: aiga.Stream) -> Proposed:
        assert rng.row_keys is not None
        missing = self.options.population - len(residents)
        if missing > 0:
            first = rng.row_keys[:missing]
            return Proposed.without_parents(site.space.initial(rng.rows(first), len(first)), "random")
        one = winners(rng.child("tournament", 0), residents.scores, self.options.sample)
        other = winners(rng.child("tournament", 1), residents.scores, self.options.sample)
        crossed = rng.child("crossover").uniform(1)[:, 0] < self.options.crossover
        best, mates = ([residents.structures[row] for row in rows.tolist()] for rows in (one, other))
        both = site.space.cross(rng, best, mates)
        parents = [mix if yes else own for yes, mix, own in zip(crossed.tolist(), both, best, strict=True)]
        ids = torch.stack([residents.agents[one], torch.where(crossed, residents.agents[other], NOBODY)], dim=1)
        operators = ["cross, mutate" if yes else "mutate" for yes in crossed.tolist()]
        return Proposed(site.space.mutate(rng, parents), operators, ids)

    def leaving(self, residents: Residents, scores: Tensor) -> Tensor:
        """The oldest, as many as are too many."""
        over = len(residents) + len(scores) - self.options.population
        return residents.keys[: max(over, 0)]


def winners(rng: aiga.Stream, scores: Tensor, sample: int) -> Tensor:
    """``[B]`` int64: for each row key the best of ``sample`` rows of ``[N]`` scores, drawn with replacement."""
    drawn = rng.integers(0, len(scores), sample)
    return drawn.gather(1, scores[drawn].argmax(dim=1, keepdim=True))[:, 0]
