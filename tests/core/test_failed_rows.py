"""Rows that fail: a status with a reason, never a silent number, never a winner."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import support
import torch

import aiga
from aiga.data import Scores, Status

# Environments away from the origin, or at it, or all of them, fail in the way that is asked for.
FAILING = """
    class Options(aiga.Options):
        how: str = "nan"
        where: str = "away"

    def aiga_register(self, registry):
        registry.domain("failing", Failing(self.options))
"""
HEAD = """
from dataclasses import replace

from aiga.testing.points import PointsDomain


class Failing(PointsDomain):
    def __init__(self, options):
        self.options = options

    def live(self, pairs, network, seeds, record=False):
        away = pairs.envs.batches[0].leaves["point"][pairs.env].abs().sum(dim=1) > 0
        bad = {"away": away, "origin": ~away, "all": away | True}[self.options.where]
        if self.options.how == "raise" and bool(bad.any()):
            raise ValueError("too far out")
        scores = super().live(pairs, network, seeds)
        number = {"nan": torch.nan, "inf": torch.inf, "-inf": -torch.inf}.get(self.options.how, 12345.0)
        fitness = torch.where(bad, number, scores.fitness)
        if self.options.how == "status":
            return replace(scores, columns={"fitness": fitness}, status=torch.where(bad, 2, 0))
        return replace(scores, columns={"fitness": fitness})
"""


def failing(folder: Path, how: str, where: str) -> dict[str, Any]:
    table = {**support.plugin(folder, "failing", FAILING, HEAD), "options": {"how": how, "where": where}}
    config = support.search(population={"domain": "failing"}, plugins={"failing": table}, run={"stop": {"iterations": 8}})
    del config["plugins"]["points"]
    return config


@pytest.mark.parametrize("how", ["nan", "inf", "-inf", "status", "raise"])
def test_a_child_that_cannot_be_scored_is_never_admitted(tmp_path: Path, how: str) -> None:
    run = aiga.run(failing(tmp_path, how, "away"), name="r", runs=tmp_path)
    assert [event["iteration"] for event in support.events(run.path, "admitted")] == [0, 0]
    assert support.events(run.path, "rejected")
    assert not any("12345" in line or "Infinity" in line or "NaN" in line for line in support.lines(run.path))


@pytest.mark.parametrize("how", ["nan", "status", "raise"])
def test_niches_that_cannot_be_scored_have_no_score_and_the_run_goes_on(tmp_path: Path, how: str) -> None:
    config = failing(tmp_path, how, "all")
    run = aiga.run(config, name="r", runs=tmp_path)
    ends = support.events(run.path, "iteration")
    assert len(ends) == 8
    assert {(end["best"], end["mean"]) for end in ends} == {(None, None)}
    assert not support.events(run.path, "solved")
    tried = support.events(run.path, "transferred")
    assert not any(event["accepted"] for event in tried)
    assert all(event["score"] is None and event["resident_score"] is None for event in tried)


def test_an_agent_that_can_be_scored_takes_over_from_one_that_cannot(tmp_path: Path) -> None:
    scores = Scores.of(torch.tensor([1.0, 2.0, torch.nan, 5.0]))
    group, bar = torch.tensor([0, 0, 1, 2]), torch.tensor([torch.nan, torch.nan, torch.nan, 5.0])
    failed = Scores(scores.columns, torch.tensor([0, 0, int(Status.NAN), 0]))
    assert failed.best_above(group, bar).tolist() == [False, True, False, False]


@pytest.mark.parametrize("how", ["nan", "inf", "-inf"])
def test_a_fitness_that_is_no_finite_number_is_a_row_with_status_and_reason(tmp_path: Path, how: str) -> None:
    with support.founded(tmp_path, failing(tmp_path, how, "all")) as it:
        scores = it.w.lab("core").evaluate(it.w.niches.pairs(), episodes=2, purpose="x")
        assert scores.status.tolist() == [int(Status.NAN)] * 2
        assert bool(scores.fitness.isnan().all())
        assert set(scores.reasons) == {0, 1}


def test_an_error_keeps_its_reason(tmp_path: Path) -> None:
    with support.founded(tmp_path, failing(tmp_path, "raise", "all")) as it:
        scores = it.w.lab("core").evaluate(it.w.niches.pairs(), episodes=2, purpose="x")
        assert scores.status.tolist() == [int(Status.ERROR)] * 2
        assert "too far out" in scores.reasons[0]


def test_a_failed_row_keeps_its_reason_when_rows_are_taken() -> None:
    scores = Scores({"fitness": torch.tensor([1.0, torch.nan])}, torch.tensor([0, 2]), {1: "why"})
    taken = scores.take(torch.tensor([1, 0, 1]))
    assert taken.reasons == {0: "why", 2: "why"}
    assert taken.ok.tolist() == [False, True, False]


@pytest.mark.parametrize("count", [0, 1, 5])
def test_best_above_takes_the_first_of_equals_strictly_above(count: int) -> None:
    scores = Scores.of(torch.full((count,), 3.0))
    group = torch.zeros(count, dtype=torch.int64)
    assert scores.best_above(group, torch.full((count,), 3.0)).sum() == 0
    assert scores.best_above(group, torch.full((count,), 2.9)).tolist() == [row == 0 for row in range(count)]
