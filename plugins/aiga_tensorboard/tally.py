"""What the events of a run add up to: how much was admitted, transferred and solved."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import torch

from aiga import Event


class Tally:
    """Counts events over the run, and afresh since numbers were last taken."""

    def __init__(self) -> None:
        self._total: Counter[str] = Counter()
        self._recent: Counter[str] = Counter()
        self._solved: dict[int, bool] = {}  # at birth?, by environment
        self._known: set[int] = set()  # environments admitted since the founding, which no logger is told of
        self._passed: set[int] = set()  # environments that met the criterion against every agent that ever was
        self._checked = False

    def add(self, events: Iterable[Event]) -> None:
        """Counts an iteration's events."""
        fresh: Counter[str] = Counter()
        for event in events:
            if event.type in ("born", "admitted", "retired"):
                fresh[event.type] += len(event)
            elif event.type == "transferred":
                fresh.update(_transfers(event.columns))
            if event.type == "admitted":
                self._admitted(event.columns)
            elif event.type == "solved":
                for env, at_birth in zip(event.columns["env"], event.columns["at_birth"], strict=True):
                    if env not in self._known:
                        continue
                    self._solved[env] = self._solved.get(env, False) or bool(at_birth)
        self._total += fresh
        self._recent += fresh

    def _admitted(self, columns: Mapping[str, Any]) -> None:
        envs = columns["env"]
        self._known.update(envs)
        passed = columns.get("archive_passed", [None] * len(envs))
        self._checked |= any(value is not None for value in passed)
        self._passed.update(env for env, value in zip(envs, passed, strict=True) if value)
        born_solved = columns.get("solved_at_birth", [False] * len(envs))
        self._solved.update({env: True for env, value in zip(envs, born_solved, strict=True) if value})

    def take(self) -> dict[str, float]:
        """Numbers by tag: totals over the run, and shares of what was tried since last taken, where anything was."""
        total, recent = self._total, self._recent
        at_birth = sum(self._solved.values())
        out: dict[str, float] = {
            "admission/admitted": total["admitted"],
            "admission/retired": total["retired"],
            "transfer/offered": total["tried"],
            "transfer/accepted": total["accepted"],
            "annecs/active": len(self._solved) - at_birth,
            "annecs/solved": len(self._solved),
            "annecs/solved_at_birth": at_birth,
        }
        if self._checked:
            out["annecs/archive"] = sum(not born and env in self._passed for env, born in self._solved.items())
        shares = (
            ("admission/rate", "admitted", "born"),
            ("transfer/rate", "accepted", "tried"),
            ("transfer/still_wins", "still_wins", "audited"),
        )
        out |= {tag: recent[part] / recent[whole] for tag, part, whole in shares if recent[whole]}
        self._recent = Counter()
        return {tag: float(value) for tag, value in out.items()}

    def state_dict(self) -> dict[str, Any]:
        solved = torch.tensor([[env, born] for env, born in self._solved.items()], dtype=torch.int64).reshape(-1, 2)
        return {
            "total": dict(self._total),
            "recent": dict(self._recent),
            "solved": solved,
            "known": torch.tensor(sorted(self._known), dtype=torch.int64),
            "passed": torch.tensor(sorted(self._passed), dtype=torch.int64),
            "checked": self._checked,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._total, self._recent = Counter(state["total"]), Counter(state["recent"])
        self._solved = {env: bool(born) for env, born in state["solved"].tolist()}
        self._passed = set(state["passed"].tolist())
        self._known = set(state["known"].tolist())
        self._checked = state["checked"]


def _transfers(columns: Mapping[str, Any]) -> dict[str, int]:
    again = [value for value in columns.get("still_wins", ()) if value is not None]
    accepted = columns["accepted"]
    return {"tried": len(accepted), "accepted": sum(accepted), "audited": len(again), "still_wins": sum(again)}
