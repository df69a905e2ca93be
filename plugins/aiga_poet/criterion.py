"""The minimal criterion: an environment is worth having while it is neither too hard nor too easy (Brant & Stanley 2017)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from aiga import Scores, Status


@dataclass(frozen=True)
class MinimalCriterion:
    """Scores from ``low`` to ``high``, both included."""

    low: float
    high: float

    def holds(self, fitness: Tensor) -> Tensor:
        """``[P]`` bool on the host: which of ``[P]`` scores lie inside; NaN never does."""
        fitness = fitness.cpu()
        return (fitness >= self.low) & (fitness <= self.high)

    def meets(self, scores: Scores) -> Tensor:
        """``[P]`` bool on the host: which rows went well and lie inside."""
        return scores.ok & self.holds(scores.fitness)

    def complaint(self, scores: Scores, row: int, who: str) -> str:
        """Why ``row`` does not meet the criterion; ``who`` is whose score it is."""
        if not bool(scores.ok[row]):
            return f"{who} could not be scored: {failure(scores, row)}"
        return f"{who} scores {float(scores.fitness[row]):.6g}, outside [{self.low:g}, {self.high:g}]"


def failure(scores: Scores, row: int) -> str:
    """What became of a row that failed, with the reason where one was given."""
    word = Status(int(scores.status[row])).name
    return f"{word} ({scores.reasons[row]})" if scores.reasons.get(row) else word
