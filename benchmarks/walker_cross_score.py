"""Do policies score the same in the compiled walker as in Gymnasium? A ladder of them, from falling to finishing.

Episode by episode, the compiled walker with the policy inside is set against Gymnasium in a fresh Box2D world: once with the
same compiled policy, where nothing may differ, and once with the network ``mlp`` in torch, as a user of Gymnasium would have
it. The two implementations round differently and walking is chaotic, so there the question is whether they differ by more
than chance; how much chance alone does, Gymnasium against Gymnasium says, with the start push changed by 1e-6 N.

    python benchmarks/walker_cross_score.py --json
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from report import Report, arguments
from walker_compare import relived
from walker_judges import Brain, Case, all_judged

from aiga_walker import courses
from aiga_walker.physics import senses
from aiga_walker.physics.engine import engine
from aiga_walker.terrain import terrains

FAMILIES: Final[dict[str, Any]] = {
    "flat": "flat",
    "BipedalWalker": "BipedalWalker",
    "Hardcore": "Hardcore",
    "POET mix": {"roughness": 0.6, "gap": (0.0, 0.6), "stump": (0.0, 0.3), "stair": (0.02, 0.2), "stair_steps": 3},
}
# Share of the weights of the walker that ships, and noise on them.
_RUNGS: Final = (
    *((0.1, 0.0), (0.3, 0.0), (0.5, 0.0), (0.6, 0.02), (0.7, 0.0), (0.75, 0.03), (0.8, 0.0), (0.85, 0.02), (0.9, 0.0)),
    *((0.95, 0.03), (1.0, 0.12), (1.0, 0.09), (1.0, 0.06), (1.0, 0.04), (1.0, 0.02), (1.0, 0.0)),
)
LADDER: Final = tuple(Brain(share, noise, seed) for seed, (share, noise) in enumerate(_RUNGS))
NUDGE: Final = 1e-6  # N
COMPILED, TORCH, FLOOR = "one compiled policy", "torch in Gymnasium", "Gymnasium nudged against itself"
ALL: Final = "all"


@dataclass
class Pairs:
    """Returns and lengths of the same episodes on two sides, and which policy's each is."""

    policy: list[int] = field(default_factory=list)
    ours: list[tuple[float, int]] = field(default_factory=list)
    theirs: list[tuple[float, int]] = field(default_factory=list)

    def add(self, policy: int, ours: tuple[float, int], theirs: tuple[float, int]) -> None:
        """One episode."""
        self.policy.append(policy)
        self.ours.append(ours)
        self.theirs.append(theirs)

    @property
    def gaps(self) -> NDArray[np.float64]:
        """Differences of returns."""
        return np.array([one - other for (one, _), (other, _) in zip(self.ours, self.theirs, strict=True)])

    @property
    def error(self) -> float:
        """Standard error of their mean."""
        return float(self.gaps.std(ddof=1)) / math.sqrt(len(self.gaps))

    @property
    def same_length(self) -> float:
        """Share of episodes of one length."""
        return sum(one == other for (_, one), (_, other) in zip(self.ours, self.theirs, strict=True)) / len(self.ours)

    @property
    def spearman(self) -> float:
        """Rank correlation of the policies' mean returns."""
        sides = (pd.Series([score for score, _ in side]).groupby(self.policy).mean() for side in (self.ours, self.theirs))
        ranks = [side.rank().to_numpy() for side in sides]
        return float(np.corrcoef(np.stack(ranks))[0, 1])

    def means(self) -> tuple[float, float]:
        """Mean return of the worst and of the best policy, of theirs."""
        means = pd.Series([score for score, _ in self.theirs]).groupby(self.policy).mean()
        return float(means.min()), float(means.max())


def cases_of(family: str, seeds: int) -> Iterator[Case]:
    """Every policy of the ladder on the same courses, with the same start pushes."""
    ground = terrains(courses.course_of(FAMILIES[family]).rows(torch.arange(seeds) + 1234))
    pushes = np.random.default_rng(7).uniform(-5, 5, seeds).astype(np.float32).tolist()
    for brain in LADDER:
        for seed, (terrain, push) in enumerate(zip(ground, pushes, strict=True)):
            yield Case(family, terrain, "compiled", seed, push, limit=1600, brain=brain)


def lived(cases: Sequence[Case]) -> Iterator[tuple[Case, dict[str, tuple[float, int]], bool]]:
    """Of each case: return and length on all four sides, ours under ``""``; and whether ours finished."""
    asked = {
        COMPILED: list(cases),
        TORCH: [replace(case, actor="torch") for case in cases],
        FLOOR: [replace(case, push=case.push + NUDGE) for case in cases],
    }
    every = [case for side in asked.values() for case in side]
    judged = iter([(life.total, life.steps) for _, lives in all_judged(every) for life in lives])
    sides = {name: [next(judged) for _ in side] for name, side in asked.items()}
    simulator, portion = engine(), 64
    for first in range(0, len(cases), portion):
        some = cases[first : first + portion]
        for row, life in enumerate(relived(simulator, some, [case.push for case in some]), first):
            scores = {"": (life.total, life.steps), **{name: side[row] for name, side in sides.items()}}
            yield cases[row], scores, bool(life.ends[-1] & senses.FINISHED)


def main() -> None:
    """Measures and prints; fails where one compiled policy scores otherwise in the two."""
    parser = arguments(__doc__)
    given = parser.parse_args()
    report, seeds = Report("walker_cross_score", (*Report.packages, "numba")), 1 if given.quick else 12
    engine().compile()
    groups = {family: {name: Pairs() for name in (COMPILED, TORCH, FLOOR)} for family in (*FAMILIES, ALL)}
    finishes, wrong = dict.fromkeys(FAMILIES, 0), 0
    cases = [case for family in FAMILIES for case in cases_of(family, seeds)]
    for case, scores, finished in lived(cases):
        policy = LADDER.index(case.brain)
        for name, pairs in groups[case.course].items():
            one, other = (COMPILED, FLOOR) if name == FLOOR else ("", name)
            pairs.add(policy, scores[one], scores[other])
            groups[ALL][name].add(policy + len(LADDER) * list(FAMILIES).index(case.course), scores[one], scores[other])
        finishes[case.course] += finished
        wrong += scores[""] != scores[COMPILED]

    report.add_row("episodes", len(cases), "", ">= 500", len(cases) >= 500)
    for family, count in finishes.items():
        worst, best = groups[family][COMPILED].means()
        report.add_row(f"{family}: episodes that finish", 100 * count / (seeds * len(LADDER)), "%")
        report.add_row(f"{family}: mean return of the best policy", best, "points", spread=(worst, best))
    for family, sides in groups.items():
        for name, pairs in sides.items():
            _add(report, f"{family}, {name}", pairs, sides[FLOOR] if family == ALL and name != FLOOR else None)
    report.add_row(f"{COMPILED}: episodes with another score or length", wrong, "", "0", wrong == 0)
    report.show(given.json)
    sys.exit(1 if wrong else 0)


def _add(report: Report, name: str, pairs: Pairs, floor: Pairs | None) -> None:
    """Four rows, with goals where ``floor`` says what chance does."""
    mean, error = float(pairs.gaps.mean()), pairs.error
    goal, met = (None, None) if floor is None else ("0 within 2 se", abs(mean) <= 2 * error)
    report.add_row(f"{name}: mean difference", mean, "points", goal, met, (mean - 2 * error, mean + 2 * error))
    report.add_row(f"{name}: mean size of the difference", float(np.abs(pairs.gaps).mean()), "points")
    goal, met = (None, None) if floor is None else ("nudged's, less 0.02", pairs.spearman >= floor.spearman - 0.02)
    report.add_row(f"{name}: Spearman of policy means", pairs.spearman, "", goal, met)
    report.add_row(f"{name}: same length", 100 * pairs.same_length, "%")


if __name__ == "__main__":
    main()
