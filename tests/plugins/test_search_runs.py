"""Searches as runs: what is logged is what was scored, killed runs go on to the same end, failures are trials too."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import support
import torch
from search_runs import NAMES, optimiser, search

import aiga
from aiga.data import Kind
from aiga.engine import Engine
from aiga.replay import replay
from aiga_search.search import ArchitectureSearch


def trials(path: Path) -> list[dict[str, Any]]:
    """The admissions after the founding."""
    return [event for event in support.events(path, "admitted") if event["iteration"]]


def plugin(it: Engine) -> ArchitectureSearch:
    (found,) = (each for each in it.plugins if isinstance(each, ArchitectureSearch))
    return found


@pytest.fixture(scope="module", params=NAMES)
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of each search that nothing happened to."""
    if request.param == "tpe":
        pytest.importorskip("optuna")
    return aiga.run(search(request.param), name=request.param, runs=tmp_path_factory.mktemp("whole")).path


def test_the_agent_under_the_journalled_id_has_the_journalled_structure_and_scores_the_same_again(whole: Path) -> None:
    run, seen = aiga.open(whole), trials(whole)
    assert [event["niche"] for event in seen] == list(range(1, 19))
    for event in seen:
        stone = run.stone(event["agent"])
        (batch,) = stone.genome.batches
        assert (batch.kind.component, dict(batch.kind.structure)) == ("perceptron", event["structure"])
        assert Kind("perceptron", event["structure"]).hash == batch.kind.hash == event["structure_hash"]
        assert sum(leaf[0].numel() for leaf in batch.leaves.values()) == event["parameters"]
        shapes = [tuple(leaf.shape[1:]) for name, leaf in sorted(batch.leaves.items()) if name.endswith(".bias")]
        assert [width for (width,) in shapes] == [*event["structure"]["hidden"], 10]
        assert stone.score == event["score"]
    for event in (seen[0], seen[-1]):
        again = replay(run, event["agent"])
        assert again.score == event["score"]


def test_the_saved_trials_are_those_of_the_journal(whole: Path) -> None:
    config = search(whole.name)
    with support.engine(whole.parent, config, whole.name) as it:
        it.restore()
        kept = [(trial.number, trial.structure, trial.score) for trial in plugin(it).trials]
    assert kept == [(event["niche"], event["structure"], event["score"]) for event in trials(whole)]


def test_a_search_that_was_lost_after_its_last_checkpoint_goes_on_to_the_same_end(tmp_path: Path, whole: Path) -> None:
    with support.engine(tmp_path, search(whole.name), whole.name) as it:
        it.found()
        it.step()
        it.step()
        it.save()
        it.step()  # committed to the journal, and in no checkpoint
    aiga.resume(tmp_path / whole.name)
    support.same(tmp_path / whole.name, whole)


def test_a_killed_search_goes_on_to_the_same_end(tmp_path: Path) -> None:
    config, path = search("regularised-evolution"), tmp_path / "killed"
    with subprocess.Popen(support.script(config, tmp_path, "killed"), stderr=subprocess.PIPE) as process:
        deadline = time.monotonic() + 60.0
        while process.poll() is None and time.monotonic() < deadline and reached(path) < 3:
            time.sleep(0.002)
        process.kill()
    aiga.resume(path)
    support.same(path, aiga.run(config, name="whole", runs=tmp_path).path)


def reached(path: Path) -> int:
    try:
        with aiga.open(path).reading() as journal:
            return -1 if journal.iteration is None else journal.iteration
    except aiga.AigaError:
        return -1


def test_a_population_is_never_larger_than_it_shall_be_and_the_oldest_leave(tmp_path: Path) -> None:
    path = aiga.run(search("regularised-evolution"), name="r", runs=tmp_path).path
    assert [event["niches"] for event in support.events(path, "iteration")] == [3, 6, 6, 6, 6, 6]
    assert [event["niche"] for event in support.events(path, "retired")] == [0, *range(1, 13)]
    mutants = [event for event in trials(path) if event["operator"] != "random"]
    assert len(mutants) == 12
    agents = {event["agent"] for event in support.events(path, "admitted")}
    assert all(event["agent_parents"][0] >= 0 for event in mutants)
    assert agents & {event["agent_parents"][0] for event in mutants}


def test_who_was_founded_leaves_with_the_first_that_is_admitted_and_the_best_stay(tmp_path: Path) -> None:
    every_image = {"digits": {"options": {"asked": 500}}}  # so that scores are the same in every iteration
    with support.founded(tmp_path, search("random-search", plugins=every_image), iterations=6) as it:
        rows = it.w.niches
        scores = sorted((trial.score for trial in plugin(it).trials if trial.score is not None), reverse=True)
        assert int(rows.born.min()) > 0
        assert sorted(rows.score.tolist(), reverse=True)[:4] == scores[:4]
        assert len(rows) <= 4 + 3


def test_residents_stay_as_they_were_trained(tmp_path: Path) -> None:
    with support.founded(tmp_path, search("regularised-evolution", population=12), iterations=1) as it:
        before = it.w.niches.agents.hashes[it.w.niches.agent]
        it.step()
        assert torch.equal(it.w.niches.agents.hashes[it.w.niches.agent][: len(before)], before)


VOID = "torch.where((row == 0).reshape(-1, *[1] * (leaf.ndim - 1)), torch.nan, leaf)"


def test_an_agent_whose_answers_are_no_numbers_is_a_failed_trial_and_the_run_goes_on(tmp_path: Path) -> None:
    # Agents of one architecture are rows of one batch, of which the first is spoilt.
    config = search("random-search", plugins={"broken": optimiser(tmp_path, "broken", VOID)}, optimiser="broken", batch=4)
    config["plugins"]["perceptron"]["options"] = {"search": ["width"], "widths": [4, 12]}
    path = aiga.run(config, name="r", runs=tmp_path, overrides=["run.stop.iterations=3"]).path
    rejected = support.events(path, "rejected")
    assert len(rejected) == 3
    assert len(trials(path)) == 9
    assert [event["by"] for event in rejected] == ["random-search"] * 3
    for number, event in zip((1, 5, 9), rejected, strict=True):
        assert event["reason"].startswith(f"trial {number}, architecture ")
        assert "not a finite number" in event["reason"]
    with support.engine(tmp_path, config, "r") as it:
        it.restore()
        found = plugin(it)
        assert (found.trials.count, found.trials.failed) == (12, 3)
        assert [trial.number for trial in found.trials if trial.score is None] == [1, 5, 9]
        assert all("not a finite number" in trial.reason for trial in found.trials if trial.score is None)


def test_where_all_fail_whom_the_run_was_founded_with_stays(tmp_path: Path) -> None:
    table = optimiser(tmp_path, "broken", "leaf * torch.nan")
    config = search("regularised-evolution", plugins={"broken": table}, optimiser="broken")
    path = aiga.run(config, name="r", runs=tmp_path, overrides=["run.stop.iterations=2"]).path
    assert [event["niches"] for event in support.events(path, "iteration")] == [1, 1]
    assert len(support.events(path, "rejected")) == 6


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"population": {"niches": 2}}, r"\[population\]: .*found niches = 2 .* Write niches = 1"),
        (
            {"population": {"networks": ["rnn"]}, "plugins": {"rnn": {}}},
            r'\[population\] networks: the network "rnn" has no space.*"perceptron"',
        ),
        ({"plugins": {"random-search": {"options": {"optimiser": "gone"}}}}, r"options\] optimiser: no optimiser named 'gone'"),
        ({"plugins": {"random-search": {"options": {"forecast": "gone"}}}}, r"forecast: no .*'gone'.*Add \[plugins\.gone\]"),
        (
            {"plugins": {"random-search": {"options": {"forecast": "parameters"}}}},
            r"forecast: no .*'parameters'; there are: meta",
        ),
        ({"plugins": {"random-search": {"options": {"forecast": ["meta-gradient"]}}}}, r"forecast: found .* Write a string"),
    ],
    ids=["niches", "network", "optimiser", "forecast", "no optimiser", "several"],
)
def test_what_cannot_be_searched_is_refused_before_anything_is_written(
    changes: dict[str, Any], words: str, tmp_path: Path
) -> None:
    with pytest.raises(aiga.InputError, match=words):
        aiga.run(support.merge(search("random-search"), changes), name="r", runs=tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_what_other_plugins_propose_for_other_environments_is_left_alone(tmp_path: Path) -> None:
    body = """
        def aiga_generate(self, lab):
            niches = lab.niches
            (envs,) = niches.envs.batches
            new = aiga.Batch.of(envs.kind, envs.leaves)
            zero = torch.zeros(1, dtype=torch.int64)
            return aiga.Pairs.of(aiga.Population((new,)), niches.agents, zero, niches.agent[:1], "elsewhere")
    """
    config = search("random-search", plugins={"stranger": support.plugin(tmp_path, "stranger", body)})
    path = aiga.run(config, name="r", runs=tmp_path, overrides=["run.stop.iterations=2"]).path
    rejected = support.events(path, "rejected")
    assert {event["reason"] for event in rejected} == {"architectures of perceptron are searched in environment 0 alone"}
    assert [event["niche"] for event in trials(path)] == [1, 2, 3, 4, 5, 6]


def test_the_state_is_json_and_bounded(tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    with support.founded(tmp_path, search("tpe", trials=5), iterations=3) as it:
        state = plugin(it).state_dict()
        assert json.loads(json.dumps(state)) == state
        assert [trial["number"] for trial in state["trials"]["kept"]] == [5, 6, 7, 8, 9]
        assert state["trials"]["count"] == 9


def test_metrics_tell_how_far_it_is(tmp_path: Path) -> None:
    with support.founded(tmp_path, search("random-search"), iterations=2) as it:
        metrics = plugin(it).aiga_metrics(it.w.lab("random-search"))
        assert (metrics["trials"], metrics["failed"]) == (6.0, 0.0)
        assert metrics["best"] == max(trial.score for trial in plugin(it).trials if trial.score is not None)
        assert metrics["parameters"] > 100.0
