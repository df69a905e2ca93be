"""What a search has tried: architectures with their scores, most recent ones in memory, all of them in the journal."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from aiga.components import Structure


@dataclass(frozen=True)
class Trial:
    """One architecture that was trained and scored.

    Attributes:
        number: from 1 on; the key of its niche.
        structure: that was scored.
        score: None where it failed.
        reason: why it failed.
        choices: that it was composed of, for who models them; JSON-able.
    """

    number: int
    structure: Structure
    score: float | None
    reason: str = ""
    choices: Mapping[str, Any] = field(default_factory=dict)


class Trials:
    """The trials so far.

    Args:
        limit: most recent ones that are kept.

    Attributes:
        count: of all that there were.
        failed: of these.
        best: highest score; None before there is one.
    """

    def __init__(self, limit: int) -> None:
        self._kept: deque[Trial] = deque(maxlen=limit)
        self.count, self.failed = 0, 0
        self.best: float | None = None

    def __iter__(self) -> Iterator[Trial]:
        return iter(self._kept)

    def __len__(self) -> int:
        return len(self._kept)

    def add(self, trials: Sequence[Trial]) -> None:
        """Adds trials, numbered on."""
        self._kept.extend(trials)
        self.count += len(trials)
        self.failed += sum(trial.score is None for trial in trials)
        scores = [trial.score for trial in trials if trial.score is not None]
        known = [] if self.best is None else [self.best]
        self.best = max([*known, *scores], default=None)

    def state_dict(self) -> dict[str, Any]:
        return {
            "kept": [asdict(trial) for trial in self._kept],
            "count": self.count,
            "failed": self.failed,
            "best": self.best,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._kept = deque((Trial(**trial) for trial in state["kept"]), maxlen=self._kept.maxlen)
        self.count, self.failed, self.best = state["count"], state["failed"], state["best"]
