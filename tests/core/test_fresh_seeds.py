"""What is scored anew on fresh seeds counts: solves are confirmed, accepted transfers audited, failed rows never accepted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import support
import torch

import aiga
from aiga.data import Scores, Status
from aiga.lab import RunLab

Change = Callable[[Scores], Scores]


def changing(monkeypatch: pytest.MonkeyPatch, **changes: Change) -> None:
    """Lets evaluations for these purposes come out otherwise."""
    evaluate = RunLab.evaluate

    def other(self: RunLab, pairs: aiga.Pairs, *, episodes: int = 1, purpose: str) -> Scores:
        scores = evaluate(self, pairs, episodes=episodes, purpose=purpose)
        return changes[purpose](scores) if purpose in changes else scores

    monkeypatch.setattr(RunLab, "evaluate", other)


def all_at(value: float) -> Change:
    return lambda scores: replace(scores, columns={**scores.columns, "fitness": torch.full_like(scores.fitness, value)})


def first_half(low: float, high: float) -> Change:
    def change(scores: Scores) -> Scores:
        fitness = torch.full_like(scores.fitness, high)
        fitness[: len(fitness) // 2] = low
        return replace(scores, columns={**scores.columns, "fitness": fitness})

    return change


@pytest.mark.parametrize(("confirmed", "solved"), [(-1.0, 0), (9999.0, 2)])
def test_a_niche_is_solved_only_where_fresh_seeds_confirm_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, confirmed: float, solved: int
) -> None:
    changing(monkeypatch, score=all_at(9999.0), confirm=all_at(confirmed))
    run = aiga.run(support.bare(run={"stop": {"iterations": 2}}), name="r", runs=tmp_path)
    assert len(support.events(run.path, "solved")) == solved


@pytest.mark.parametrize(("challengers", "wins"), [(-1.0, False), (1.0, True)])
def test_an_accepted_transfer_still_wins_only_where_it_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, challengers: float, wins: bool
) -> None:
    changing(monkeypatch, transfer=first_half(1.0, 0.0), audit=first_half(challengers, 0.0))
    run = aiga.run(support.search(run={"stop": {"iterations": 6}}), name="r", runs=tmp_path)
    accepted = [row["still_wins"] for row in support.events(run.path, "transferred") if row["accepted"]]
    assert accepted
    assert set(accepted) == {wins}


def test_an_owner_that_accepts_a_row_that_failed_is_overruled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(scores: Scores) -> Scores:
        return replace(scores, status=torch.full_like(scores.status, int(Status.ERROR)))

    changing(monkeypatch, transfer=fail)
    body = """
def aiga_select(self, lab, pairs, scores):
    none = torch.zeros(0, dtype=torch.int64)
    return Verdict(none.bool(), none, none, [])

def aiga_transfer(self, lab):
    n = lab.niches
    return Offers(n.agents, n.agent, n.key.flip(0), ("swap",) * len(n), n.score)

def aiga_accept(self, lab, offers, scores):
    return torch.ones(len(offers), dtype=torch.bool)
"""
    table = support.plugin(tmp_path, "eager", body)
    config = support.bare(slots={"select": "eager"}, plugins={"eager": table}, run={"stop": {"iterations": 2}})
    run = aiga.run(config, name="r", runs=tmp_path)
    tried = support.events(run.path, "transferred")
    assert len(tried) == 4
    assert not any(row["accepted"] for row in tried)
