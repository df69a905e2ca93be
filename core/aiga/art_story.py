"""What a run's journal tells about its environments: when each came, of whom, who solved it, when it went."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from aiga.journal import Journal
from aiga.niches import Niches


@dataclass(frozen=True)
class Life:
    """An environment, from its admission to the end of what is known.

    Attributes:
        env: its id.
        born: the iteration of its admission.
        parents: ids of the environments it came of.
        operator: what made it.
        score: the latest that is known; None where it was never scored.
        solved: the iteration it was first solved in, or None.
        at_birth: solved in the iteration of its admission.
        solver: the environment that the agent which solved it came from; None where it has none but this one.
        retired: the iteration its last niche went in; None while it is active.
    """

    env: int
    born: int
    parents: tuple[int, ...]
    operator: str
    score: float | None
    solved: int | None
    at_birth: bool
    solver: int | None
    retired: int | None


@dataclass(frozen=True)
class Move:
    """An accepted transfer from one environment to another; ``decisive`` where the agent it brought solved the target later."""

    iteration: int
    source: int
    target: int
    decisive: bool


@dataclass(frozen=True)
class Story:
    """A run up to its last iteration.

    Attributes:
        iterations: the last one.
        lives: every environment ever admitted, by id, in order of admission.
        moves: accepted transfers between them, in order.
    """

    iterations: int
    lives: Mapping[int, Life]
    moves: tuple[Move, ...]

    @property
    def founders(self) -> int:
        """How many environments the run started from; the others were admitted since."""
        return sum(life.born == 0 for life in self.lives.values())


def read(journal: Journal) -> Story:
    """The story that a journal tells."""
    admitted, solved, retired = (_rows(journal, type) for type in ("admitted", "solved", "retired"))
    tried = _rows(journal, "transferred")
    accepted = [row for row in tried if row["accepted"]]
    home = {row["agent"]: row["env"] for row in (*admitted, *accepted, *solved, *retired)}
    arrivals = _arrivals(accepted, home)
    births = {row["env"]: row for row in reversed(admitted)}  # of several admissions the first
    solves = {row["env"]: row for row in reversed(solved)}
    deaths = _deaths(admitted, retired)
    scores = _scores(admitted, tried, solved, retired)
    lives, decisive = {}, set()
    for env, birth in sorted(births.items(), key=lambda item: item[1]["id"]):
        solve = solves.get(env)
        # Within an iteration, niches are solved before agents are transferred.
        before = [move for move in arrivals.get(env, ()) if solve is not None and move[0] < solve["iteration"]]
        solver = None
        if before:
            decisive.add((env, *before[-1]))
            solver = before[-1][1]
        elif solve is not None:
            solver = next((home[agent] for agent in birth.get("agent_parents") or () if agent in home), None)
        lives[env] = Life(
            env=env,
            born=birth["iteration"],
            parents=tuple(parent for parent in birth["parents"] if parent >= 0),
            operator=birth["operator"],
            score=scores.get(env),
            solved=None if solve is None else solve["iteration"],
            at_birth=bool(solve and solve["at_birth"]),
            solver=None if solver == env else solver,
            retired=deaths.get(env),
        )
    moves = [
        Move(iteration, source, env, (env, iteration, source) in decisive)
        for env, several in arrivals.items()
        for iteration, source in several
    ]
    order = sorted(moves, key=lambda move: (move.iteration, move.target))
    return Story(journal.iteration or 0, lives, tuple(order))


def scored(story: Story, niches: Niches) -> Story:
    """The same story with the scores that active environments have in ``niches``: the latest, not those of the last event.

    Of several niches of one environment the best counts; what has no score there keeps the journal's.
    """
    best: dict[int, float] = {}
    for env, score in zip(niches.env_ids.tolist(), niches.score.tolist(), strict=True):
        if math.isfinite(score):
            best[env] = max(score, best.get(env, score))
    alive = {env: life for env, life in story.lives.items() if life.retired is None and env in best}
    return replace(story, lives={**story.lives, **{env: replace(life, score=best[env]) for env, life in alive.items()}})


def _rows(journal: Journal, type: str) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in journal.frame(type).to_dict("records")]


def _arrivals(accepted: Iterable[dict[str, Any]], home: Mapping[int, int]) -> dict[int, list[tuple[int, int]]]:
    """By environment: iteration and source of each agent that came from another one."""
    out: dict[int, list[tuple[int, int]]] = {}
    for row in accepted:
        source = home.get(row["from"])
        if source is not None and source != row["env"]:
            out.setdefault(row["env"], []).append((row["iteration"], source))
    return out


def _deaths(admitted: Iterable[dict[str, Any]], retired: Iterable[dict[str, Any]]) -> dict[int, int]:
    """When the last niche of an environment went, for those that have none any more."""
    niches: dict[int, int] = {}
    last: dict[int, int] = {}
    for row in admitted:
        niches[row["env"]] = niches.get(row["env"], 0) + 1
    for row in retired:
        niches[row["env"]] = niches.get(row["env"], 0) - 1
        last[row["env"]] = row["iteration"]
    return {env: iteration for env, iteration in last.items() if niches[env] <= 0}


def _scores(
    admitted: list[dict[str, Any]], tried: list[dict[str, Any]], solved: list[dict[str, Any]], retired: list[dict[str, Any]]
) -> dict[int, float]:
    """The latest score of each environment's resident."""
    told = [(row["id"], row["env"], row["score"]) for row in (*admitted, *solved, *retired)]
    told += [(row["id"], row["env"], row["score" if row["accepted"] else "resident_score"]) for row in tried]
    accepted = {(row["iteration"], row["env"]) for row in tried if row["accepted"]}
    stale = {row["id"] for row in tried if not row["accepted"] and (row["iteration"], row["env"]) in accepted}
    known = [(id, env, float(score)) for id, env, score in told if score is not None and id not in stale]
    return {env: score for _, env, score in sorted(known) if math.isfinite(score)}
