"""What a run's journal adds up to: the niches that are active, and how often what happened."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiga.journal import Journal

if TYPE_CHECKING:
    from aiga.tables import Stop


@dataclass
class Niche:
    """An active niche as the journal knows it; ``score`` is the latest that an event carried, None where none did."""

    niche: int
    env: int
    agent: int
    born: int
    score: float | None
    solved: bool = False


@dataclass
class Chronicle:
    """Follows a journal from its first row on.

    Attributes:
        last: id of the last row read.
        counts: rows by type.
        niches: the active ones by key, oldest first.
        admissions: niches founded after the first ones.
        invented: of these, niches of environments that the run was not founded with.
        tried, accepted: offers, and those that replaced an agent.
        unlike: of those that replaced an agent, how many are of another network or structure than it was.
        audited, still_winning: accepted offers that were scored again on fresh seeds, and those that won again.
        solves, solved_at_birth: invented environments solved some time after their admission, and in the iteration of it.
        founders: environments that the run was founded with, and whether each is solved.
        summary: the data of the latest ``iteration`` row.
    """

    last: int = 0
    iteration: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    niches: dict[int, Niche] = field(default_factory=dict)
    admissions: int = 0
    invented: int = 0
    tried: int = 0
    accepted: int = 0
    unlike: int = 0
    audited: int = 0
    still_winning: int = 0
    solves: int = 0
    solved_at_birth: int = 0
    founders: dict[int, bool] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)

    def read(self, journal: Journal) -> None:
        """Takes in what was committed since; from the start again where the run went back behind what was read."""
        if (journal.iteration or 0) < self.iteration:
            self.__init__()  # type: ignore[misc]
        for line in journal.lines(self.last):
            row = json.loads(line)
            self.last = row["id"]
            self.add(row["type"], row["iteration"], row)

    def add(self, type: str, iteration: int, row: Mapping[str, Any]) -> None:
        """Takes in one row."""
        self.iteration = iteration
        self.counts[type] += 1
        if type == "admitted":
            self.admissions += iteration > 0
            self.invented += iteration > 0 and row["env"] not in self.founders
            if iteration == 0:
                self.founders[row["env"]] = False
            self.niches.pop(row["niche"], None)
            self.niches[row["niche"]] = Niche(row["niche"], row["env"], row["agent"], iteration, row["score"])
        elif type == "retired" and not row.get("replaced"):
            self.niches.pop(row["niche"], None)
        elif type == "transferred":
            self._transfer(row)
        elif type == "solved":
            if row["env"] in self.founders:
                self.founders[row["env"]] = True
            else:
                self.solved_at_birth += bool(row["at_birth"])
                self.solves += not row["at_birth"]
            self._update(row, solved=True)
        elif type == "iteration":
            self.summary = dict(row)

    def extend(self, type: str, iteration: int, rows: Iterable[Mapping[str, Any]]) -> None:
        """Takes in the rows of one event."""
        for row in rows:
            self.add(type, iteration, row)

    def _transfer(self, row: Mapping[str, Any]) -> None:
        self.tried += 1
        if row["accepted"]:
            self.accepted += 1
            self.unlike += bool(row.get("unlike"))
            self.audited += row["still_wins"] is not None
            self.still_winning += bool(row["still_wins"])
            self._update(row)

    def _update(self, row: Mapping[str, Any], solved: bool = False) -> None:
        niche = self.niches.get(row["niche"])
        if niche is not None:
            niche.agent, niche.score, niche.solved = row["agent"], row["score"], niche.solved or solved

    def further(self, stop: Stop) -> list[str]:
        """What ``resume`` needs beyond a name where a limit on the whole run is reached."""
        done = {"iterations": self.iteration, "evaluations": int(self.summary.get("episodes", 0))}
        reached = [name for name in done if (limit := getattr(stop, name)) is not None and done[name] >= limit]
        return [word for name in reached for word in ("--set", f"run.stop.{name}={2 * done[name]}")]

    @property
    def transfers(self) -> str:
        """``12 of 80 transfers offered were accepted, 75 % of them still win on fresh seeds``."""
        text = f"{self.accepted:,} of {self.tried:,} transfers offered were accepted"
        if self.audited:
            text += f", {self.still_winning / self.audited:.0%} of {self.audited:,} still win on fresh seeds"
        return text

    @property
    def solved(self) -> str:
        """``3 of 12 invented environments solved, 1 more at birth; 1 of 1 founding``."""
        text = f"{self.solves:,} of {self.invented:,} invented environments solved"
        text += f", {self.solved_at_birth:,} more at birth" if self.solved_at_birth else ""
        return text + (f"; {sum(self.founders.values()):,} of {len(self.founders):,} founding" if self.founders else "")
