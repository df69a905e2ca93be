"""What every display of a running run keeps: the counts of the whole run, and the best score of each environment."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path

from aiga.cli.chronicle import Chronicle
from aiga.engine import Progress
from aiga.journal import Journal
from aiga.rundir import JOURNAL


class Following:
    """Adds a run up while it goes on.

    Args:
        path: of the run's folder; read once, at the first iteration, so that a resumed run's counts are those of the whole run.

    Attributes:
        best: the highest score of every active environment in this stretch.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.chronicle = Chronicle()
        self.best: dict[int, float] = {}
        self.latest: Progress | None = None
        self.since = time.monotonic()

    def take(self, progress: Progress) -> None:
        """Takes in an iteration that is committed."""
        if self.latest is None:
            with Journal(self.path / JOURNAL, readonly=True) as journal:
                self.chronicle.read(journal)
        else:
            for event in progress.events:
                columns = event.columns
                rows = ({name: column[row] for name, column in columns.items()} for row in range(len(event)))
                self.chronicle.extend(event.type, event.iteration, rows)
        self.latest, self.since = progress, time.monotonic()
        kept = {env: self.best.get(env, -math.inf) for env in progress.environments}
        for env, score in zip(progress.environments, progress.scores, strict=True):
            kept[env] = max(kept[env], -math.inf if math.isnan(score) else score)
        self.best = kept

    def checkpoint_in(self) -> str:
        """How long until the next checkpoint is due, in words."""
        if self.latest is None or self.latest.next_checkpoint is None:
            return "by iterations"
        left = self.latest.next_checkpoint - (time.monotonic() - self.since)
        return clock(left) if left > 0 else "after this iteration"


def best_of(scores: Sequence[float]) -> float | None:
    """The highest score that is a number."""
    finite = [score for score in scores if not math.isnan(score)]
    return max(finite) if finite else None


def mean_of(scores: Sequence[float]) -> float | None:
    """The mean of the scores that are numbers."""
    finite = [score for score in scores if not math.isnan(score)]
    return sum(finite) / len(finite) if finite else None


def clock(seconds: float) -> str:
    """``1:02:03`` or ``2:03``."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
