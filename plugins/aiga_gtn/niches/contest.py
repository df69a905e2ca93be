"""Whether agents are better than who lives in a niche, by more than the luck of their lives."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

import aiga
from aiga.data import Pairs


@dataclass(frozen=True)
class Trial:
    """What came of ``P`` challengers.

    Attributes:
        score: ``[P]`` float64, NaN where one failed.
        resident: ``[P]`` float64, of who lives in the niche, on the same seeds.
        wins: ``[P]`` bool: whether the first is surely above the second.
        tuned: whether challengers were tuned in the niche too, once they were taught.
    """

    score: Tensor
    resident: Tensor
    wins: Tensor
    tuned: bool

    def best(self, niche: Tensor) -> Tensor:
        """``[P]`` bool: of each niche the winner of the highest score, of equals the first."""
        out = torch.zeros_like(self.wins)
        ranked = torch.where(self.wins, self.score, -torch.inf)
        for row in torch.unique(niche).tolist():
            mine = torch.nonzero(niche == row).flatten()
            out[mine[ranked[mine].argmax()]] = True
        return out & self.wins

    def complaint(self, row: int) -> str:
        """Why a challenger does not win."""
        when = "once taught and tuned" if self.tuned else "once taught"
        if not bool(self.score[row].isfinite()):
            return f"{when} it could not be scored"
        return f"{when} it scores {float(self.score[row]):.4g}, and who lives there {float(self.resident[row]):.4g}"


def contest(lab: aiga.Lab, challengers: Pairs, niche: Tensor, episodes: int, sure: float, tuned: bool) -> Trial:
    """Challengers beside who lives in their niches, on common seeds.

    Args:
        lab: the run.
        challengers: ``P`` agents in environments of niches.
        niche: ``[P]`` int64 rows of these niches.
        episodes: lives of each.
        sure: standard errors of the mean difference, life by life, that it must be above 0.
        tuned: whether challengers were tuned in the niche too, once they were taught.
    """
    niches, count = lab.niches, len(challengers)
    homes, which = torch.unique(niche, return_inverse=True)
    both = Pairs.join(challengers, niches.pairs().take(homes))
    scores = lab.evaluate(both, episodes=episodes, purpose="taught")
    fitness, returns = scores.fitness.cpu(), scores.columns["returns"].cpu().double()
    score, resident = fitness[:count], fitness[count:][which]
    gap = returns[:count] - returns[count:][which]
    error = gap.std(dim=1) / math.sqrt(episodes) if episodes > 1 else torch.zeros(count)
    # Where a resident could not be scored, whoever could wins.
    wins = (gap.mean(dim=1) > sure * error) | (resident.isnan() & score.isfinite())
    return Trial(score, resident, wins & score.isfinite(), tuned)
