"""A run as it lies on disk: frames of what happened, and every stepping stone by its id."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from aiga import checkpoint
from aiga import config as configs
from aiga.config import Config
from aiga.data import Population
from aiga.errors import InputError, StorageError
from aiga.journal import Journal
from aiga.niches import Niches
from aiga.rundir import RunDirectory
from aiga.stones import Stones

if TYPE_CHECKING:
    import pandas as pd

# Events that score an agent in an environment, and so can be replayed.
_SCORED = ("admitted", "transferred", "solved", "retired")


@dataclass(frozen=True)
class Stone:
    """A stepping stone: an environment or an agent, and the scored lifetime that made it one.

    Attributes:
        id: of the environment or agent.
        role: ``environment`` or ``agent``.
        genome: a population of one row.
        env, agent: ids of the pair whose score is ``score``; None where the run never scored it.
        score: as the journal has it.
        iteration, purpose, episodes: what fixes the seeds of that score.
    """

    id: int
    role: str
    genome: Population
    env: int | None
    agent: int | None
    score: float | None
    iteration: int
    purpose: str | None
    episodes: int


class Run:
    """A run directory, opened for reading; another process may be writing it.

    Raises:
        InputError: if a newer aiga wrote it.
    """

    def __init__(self, folder: RunDirectory) -> None:
        self.folder = folder

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"

    @property
    def path(self) -> Path:
        """Of the run's folder."""
        return self.folder.path

    @property
    def name(self) -> str:
        """Of the run's folder."""
        return self.path.name

    @cached_property
    def config(self) -> Config:
        """What the run was started with."""
        return configs.load(self.path / "run.toml")

    def journal(self, type: str | None = None) -> pd.DataFrame:
        """The search stream, or its rows of one type: a row an event, a column for every key."""
        with self.reading() as journal:
            return journal.frame(type)

    def operations(self, type: str | None = None) -> pd.DataFrame:
        """The operations stream: starts, stops, checkpoints, losses, times."""
        with self.reading() as journal:
            return journal.operations(type)

    def reading(self) -> Journal:
        """The journal, read-only; close it, or use it in a ``with``."""
        return Journal(self.folder.journal_path, readonly=True)

    @property
    def environments(self) -> pd.DataFrame:
        """Every environment ever admitted, by ``env``: iteration, parents, operator, score; when ``solved`` and ``retired``."""
        with self.reading() as journal:
            admitted, solved, retired = (journal.frame(type) for type in ("admitted", "solved", "retired"))
        frame = admitted.drop(columns=["id", "type"], errors="ignore")
        for name, events in (("solved", solved), ("retired", retired)):
            first: dict[Any, int] = events.groupby("env")["iteration"].min().to_dict() if len(events) else {}
            frame[name] = frame["env"].map(first) if len(frame) else []
        return frame.set_index("env") if len(frame) else frame

    @property
    def agents(self) -> pd.DataFrame:
        """Every agent that became a stepping stone in a niche, by ``agent``: how, when, where, and its score there."""
        import pandas as pd

        with self.reading() as journal:
            frames = [journal.frame(type) for type in _SCORED]
        rows = [frame[frame["agent"] >= 0] for frame in frames if len(frame)]
        if not rows:
            return pd.DataFrame()
        columns = ["agent", "iteration", "type", "env", "score", "operator", "from"]
        return pd.concat(rows).reindex(columns=columns).sort_values("agent").set_index("agent")

    @property
    def niches(self) -> Niches:
        """The active niches with their agents and optimiser state, as the newest checkpoint has them, on the host.

        Raises:
            StorageError: if no checkpoint verifies.
        """
        newest, complaints = checkpoint.newest(self.folder.checkpoints)
        if newest is None:
            raise StorageError("\n".join([f"{self.path}: no checkpoint verifies", *complaints]))
        niches: Niches = newest.tree["search"]["niches"]
        return niches

    def stone(self, id: int) -> Stone:
        """A stepping stone by its id alone.

        Raises:
            InputError: if the run has no stepping stone of this id.
        """
        with self.reading() as journal:
            entries = journal.stones([id])
            if not entries:
                raise InputError(f"{self.path}: no stepping stone has id {id}; `aiga journal {self.name}` lists what there is")
            genome, _ = Stones(self.folder.stones, journal).read(torch.tensor([id]))
            role = entries[0].role
            row = self._scored(journal, "env" if role == "environment" else "agent", id)
        found: dict[str, Any] = row or {}
        return Stone(
            id,
            role,
            genome,
            found.get("env", id if role == "environment" else None),
            found.get("agent", id if role == "agent" else None),
            found.get("score"),
            found.get("iteration", entries[0].iteration),
            found.get("purpose"),
            found.get("episodes", 0),
        )

    def _scored(self, journal: Journal, key: str, id: int) -> dict[str, Any] | None:
        """The row that scored this stone: of an environment its solve, or else its latest; of an agent the one that made it."""
        rows = journal.about(key, id, _SCORED)
        scored = [row for row in rows if row.get("score") is not None and row.get("agent", -1) >= 0]
        solves = [row for row in scored if row["type"] == "solved"]
        found = solves or scored
        return found[-1] if found else None
