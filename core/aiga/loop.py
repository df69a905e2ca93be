"""One iteration of open-ended search: generate, evaluate, select, transfer. Read it top to bottom.

An iteration is a pure function of the state at its start, the seed and the configuration: it can be abandoned and repeated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch

from aiga.answers import check_accepted, check_offers, check_proposals, check_screened, check_verdict
from aiga.changes import named, offers_to_homes, remove, replace_agents, settle, snapshot_niches, unlike
from aiga.data import NOBODY, Event, Offers, Pairs, Scores, Verdict
from aiga.lab import Workspace


@dataclass(frozen=True)
class Rules:
    """What a run's configuration says about the loop.

    Attributes:
        owner: the plugin that owns ``select`` and ``accept``.
        episodes: of every scoring evaluation.
        confirmations: fresh episodes that confirm a solve.
        audit: whether accepted transfers are scored once more on fresh seeds; it never steers the search.
    """

    owner: str
    episodes: int
    confirmations: int
    audit: bool


def iterate(w: Workspace, rules: Rules) -> None:
    """One iteration, on and in the workspace."""
    w.iteration += 1
    w.events, w.host.iteration = [], w.iteration
    proposals = generate(w)
    improve(w)
    waiting = select(w, rules, proposals)
    transfer(w, rules, waiting)
    emit(w, "iteration", summary(w))


def generate(w: Workspace) -> Pairs:
    """Proposals of every plugin, joined, and what the screens let through."""
    answers = w.host.each("generate", w.lab, check_proposals)
    pairs = Pairs.join(*(pairs for _, pairs in answers))
    ids = pairs.envs.ids.clone()
    ids[ids == NOBODY] = w.new_ids(int((ids == NOBODY).sum()))
    pairs = replace(pairs, envs=pairs.envs.with_ids(ids))
    emit(w, "born", lineage(pairs, [name for name, each in answers for _ in range(len(each))]))
    rejected: dict[str, list[Any]] = {"env": [], "kind": [], "reason": [], "by": []}
    for plugin, name, screen in w.registry.screens():
        if not len(pairs) or plugin in w.host.disabled:
            continue
        lab, given = w.lab(plugin), pairs
        call, check = partial(screen, lab, given), check_screened(len(given))
        screened = w.host.guard(plugin, name, call, check)
        if screened is not None:
            pairs = screened.pairs
            why = {"reason": screened.reasons, "by": [name] * len(screened.reasons)}
            for column, found in {**named(given.take(screened.rejected)), **why}.items():
                rejected[column] += found
    emit(w, "rejected", rejected)
    return pairs


def improve(w: Workspace) -> None:
    """The optimiser improves the agents of all niches at once; the core stores them and its state."""
    w.niches = w.niches.with_agents(*w.improve(w.niches.pairs(), w.niches.state, 1))


def select(w: Workspace, rules: Rules, proposals: Pairs) -> Pairs:
    """Scores niches and proposals in one call; the owner admits and retires. Returns proposals to offer to active niches."""
    count = len(w.niches)
    pairs = Pairs.join(w.niches.pairs(), proposals)
    scores = w.lab("core").evaluate(pairs, episodes=rules.episodes, purpose="score")
    w.niches = w.niches.with_scores(scores.fitness[:count])
    fresh = scores.take(torch.arange(count, len(pairs)))
    check = check_verdict(len(proposals), w.niches)
    verdict: Verdict = w.host.owner(rules.owner, "select", w.lab, check, pairs=proposals, scores=fresh)
    active = torch.isin(proposals.envs.ids[proposals.env], w.niches.env_ids)
    offered = active & ~verdict.admit & torch.tensor([not reason for reason in verdict.reason], dtype=torch.bool)
    refused = torch.nonzero(~verdict.admit & ~offered).flatten()
    why = {"by": [rules.owner] * len(refused), "reason": [verdict.reason[row] for row in refused.tolist()]}
    emit(w, "rejected", {**named(proposals.take(refused)), **why})
    leaving = admit(w, rules, proposals, fresh, verdict)
    confirm(w, rules)
    retire(w, rules, leaving, verdict)
    return proposals.take(torch.nonzero(offered).flatten())


def admit(w: Workspace, rules: Rules, proposals: Pairs, scores: Scores, verdict: Verdict) -> torch.Tensor:
    """Makes niches of admitted rows. Returns the rows of niches that leave: replaced by one of their key, or retired."""
    rows = torch.nonzero(verdict.admit).flatten()
    keys, chosen, count = verdict.niche[rows], proposals.take(rows), len(w.niches)
    leaving = torch.nonzero(torch.isin(w.niches.key, torch.cat([verdict.retire, keys]))).flatten()
    settle(w, chosen, keys, scores.fitness[rows])
    columns = lineage(chosen, [rules.owner] * len(rows))
    columns |= {"niche": keys.tolist(), "agent": w.niches.agent_ids[count:].tolist(), "score": w.niches.score[count:].tolist()}
    columns |= {name: [note[row] for row in rows.tolist()] for name, note in verdict.notes.items()}
    emit(w, "admitted", {**columns, "episodes": [rules.episodes] * len(rows), "purpose": ["score"] * len(rows)})
    return leaving


def confirm(w: Workspace, rules: Rules) -> None:
    """Confirms on fresh seeds which niches are solved for the first time."""
    rows = torch.nonzero((w.niches.score > w.domain.solved) & ~w.niches.solved).flatten()
    if not len(rows):
        return
    scores = w.lab("core").evaluate(w.niches.pairs().take(rows), episodes=rules.confirmations, purpose="confirm")
    sure = scores.fitness > w.domain.solved
    rows, score = rows[sure], scores.fitness[sure].tolist()
    snapshot_niches(w, rows)
    solved = w.niches.solved.clone()
    solved[rows] = True
    w.niches = replace(w.niches, solved=solved)
    columns = {"niche": w.niches.key[rows].tolist(), "env": w.niches.env_ids[rows].tolist()}
    columns |= {"agent": w.niches.agent_ids[rows].tolist(), "score": score, "episodes": [rules.confirmations] * len(rows)}
    emit(
        w, "solved", {**columns, "purpose": ["confirm"] * len(rows), "at_birth": (w.niches.born[rows] == w.iteration).tolist()}
    )


def retire(w: Workspace, rules: Rules, leaving: torch.Tensor, verdict: Verdict) -> None:
    """Takes these niches away, after they had the chance to be confirmed as solved."""
    columns = {name: getattr(w.niches, name)[leaving].tolist() for name in ("key", "env_ids", "score")}
    told = {"niche": columns["key"], "env": columns["env_ids"], "score": columns["score"]}
    replaced = torch.isin(w.niches.key[leaving], verdict.niche[verdict.admit]).tolist()
    told |= {"episodes": [rules.episodes] * len(leaving), "purpose": ["score"] * len(leaving), "replaced": replaced}
    emit(w, "retired", {**told, "agent": remove(w, leaving).tolist()})


def transfer(w: Workspace, rules: Rules, waiting: Pairs) -> None:
    """Offers of every plugin beside the residents on common fresh seeds; the owner accepts at most one a niche."""
    answers = w.host.each("transfer", w.lab, check_offers(w.niches))
    offers = Offers.join(*(offers for _, offers in answers), offers_to_homes(w.niches, waiting))
    if not len(offers):
        return
    niche = w.niches.rows(offers.niche)
    target = w.niches.env[niche]
    challengers = Pairs.of(w.niches.envs, offers.agents, target, offers.agent)
    residents = w.niches.pairs().take(niche)
    both = Pairs.join(challengers, residents)
    scores = w.lab("core").evaluate(both, episodes=rules.episodes, purpose="transfer")
    fitness, resident = scores.fitness[: len(offers)], scores.fitness[len(offers) :]
    judged = scores.take(torch.arange(len(offers))).with_columns(resident=resident)
    accepted = (
        w.host.owner(rules.owner, "accept", w.lab, check_accepted(offers), offers=offers, scores=judged).cpu() & judged.ok
    )
    rows = torch.nonzero(accepted).flatten()
    origin = offers.agents.ids[offers.agent]
    columns: dict[str, Sequence[Any]] = {"niche": offers.niche.tolist(), **named(challengers)}
    columns |= {"from": origin.tolist(), "resident": w.niches.agent_ids[niche].tolist()}
    columns |= {"operator": offers.operator, "claimed": offers.claimed.tolist(), "score": fitness.tolist()}
    columns |= {"resident_score": resident.tolist(), "accepted": accepted.tolist()}
    columns |= {"unlike": unlike(w.niches, origin, challengers, residents)}
    wins = audit(w, rules, both, rows, len(offers))
    ids = torch.full((len(offers),), NOBODY)
    ids[rows] = replace_agents(w, niche[rows], offers.agents, offers.agent[rows], fitness[rows])
    columns |= {"agent": ids.tolist(), "still_wins": [wins.get(row) for row in range(len(offers))]}
    emit(w, "transferred", {**columns, "episodes": [rules.episodes] * len(offers), "purpose": ["transfer"] * len(offers)})


def audit(w: Workspace, rules: Rules, both: Pairs, rows: torch.Tensor, count: int) -> dict[int, bool]:
    """Which accepted offers beat the resident again, on seeds that nothing was chosen by; failed rows are left out."""
    if not rules.audit or not len(rows):
        return {}
    again = both.take(torch.cat([rows, rows + count]))
    scores = w.lab("core").evaluate(again, episodes=rules.episodes, purpose="audit")
    wins, known = (scores.fitness[: len(rows)] > scores.fitness[len(rows) :]).tolist(), scores.ok.reshape(2, -1).all(dim=0)
    return {row: win for row, win, sure in zip(rows.tolist(), wins, known.tolist(), strict=True) if sure}


def lineage(pairs: Pairs, by: Sequence[str]) -> dict[str, Sequence[Any]]:
    """Columns that say where pairs came from."""
    columns = {**named(pairs), "parents": pairs.env_parents.tolist(), "operator": pairs.operator}
    return {**columns, "agent_parents": pairs.agent_parents.tolist(), "by": by}


def summary(w: Workspace) -> dict[str, Sequence[Any]]:
    """Columns of the iteration's own event."""
    score = w.niches.score[torch.isfinite(w.niches.score)]
    best, mean = (float(score.max()), float(score.mean())) if len(score) else (None, None)
    work = {kind: w.meter.total(kind) for kind in ("episodes", "environment_steps")}
    return {name: [value] for name, value in {"niches": len(w.niches), "best": best, "mean": mean, **work}.items()}


def emit(w: Workspace, type: str, columns: Mapping[str, Sequence[Any]]) -> None:
    """Records an event and tells every plugin, unless it concerns nobody."""
    event = Event(type, w.iteration, columns)
    if len(event):
        w.events.append(event)
        w.host.isolated("event", w.lab, event=event)
