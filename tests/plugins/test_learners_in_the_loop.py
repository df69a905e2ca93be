"""Learners in the open-ended loop: killed in the midst of an iteration or spread over workers, the search has the same bits."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import support

import aiga
from aiga.rundir import RunDirectory

ITERATIONS = 3
# Agents are improved, niches admitted and retired, and the checkpoint is two iterations old when this sleeps.
SLEEPS = """
    def aiga_transfer(self, lab):
        import time
        inside = lab.path / "inside"
        if lab.iteration == 3 and lab.path.name == "killed" and not inside.exists():
            inside.touch()
            time.sleep(60.0)
"""
POET: dict[str, Any] = {"capacity": 3, "reproduce_every": 1, "transfer_every": 1, "children": 3, "admit": 1, "episodes": 1}
BACKPROPAMINE: dict[str, Any] = {"backpropamine": {"options": {"units": 5}}}
ES: dict[str, Any] = {"es": {"options": {"population": 4}}}
CONVOLUTIONS: dict[str, Any] = {"channels": [3, 3, 3], "gate_channels": [2, 2, 2]}


def search(domain: str, network: str, improve: str, low: float, plugins: dict[str, Any]) -> dict[str, Any]:
    """A search of three iterations, with a checkpoint after every second one."""
    poet = {**POET, "minimal_criterion": [low, 99.0], "reproduce_above": low}
    return {
        "run": {
            "seed": 5,
            "device": "cpu",
            "workers": 1,
            "episodes": 2,
            "confirmations": 2,
            "checkpoint_every": 2,
            "stop": {"iterations": ITERATIONS},
        },
        "population": {"domain": domain, "networks": [network], "niches": 2},
        "slots": {"select": "poet", "improve": improve},
        "plugins": {**plugins, "poet": {"options": poet}, "local": {"options": {"device_block": 8, "block": 4}}},
    }


MAZES: dict[str, Any] = {"maze": {"options": {"max_size": 9, "max_steps": 80}}}
SEARCHES = {
    "backpropamine in mazes by es": search("maze", "backpropamine", "es", 0.0, {**BACKPROPAMINE, **ES, **MAZES}),
    "backpropamine in mazes by a2c": search(
        "maze", "backpropamine", "a2c", 0.0, {**BACKPROPAMINE, **MAZES, "a2c": {"options": {"episodes": 3}}}
    ),
    "backpropamine as walkers by es": search(
        "walker", "backpropamine", "es", -999.0, {**BACKPROPAMINE, **ES, "walker": {"options": {"steps": 20}}}
    ),
    "backpropamine as walkers in worker processes": search(
        "walker",
        "backpropamine",
        "es",
        -999.0,
        {**BACKPROPAMINE, **ES, "walker": {"options": {"steps": 20, "physics": "box2d"}}},
    ),
    "anml in streams by meta-gradient": search(
        "characters",
        "anml",
        "meta-gradient",
        0.0,
        {
            "characters": {"options": {"labels": 6, "inner_steps": 2, "remember": 4}},
            "anml": {"options": CONVOLUTIONS},
            "meta-gradient": {},
        },
    ),
}


@pytest.fixture(scope="module", params=SEARCHES, ids=lambda name: name.replace(" ", "-"))
def config(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A search, and the plugin that halts a run named ``killed`` in its last iteration."""
    sleeper = support.plugin(tmp_path_factory.mktemp("sleeps"), "sleeps", SLEEPS)
    return support.merge(SEARCHES[request.param], {"plugins": {"sleeps": sleeper}})


@pytest.fixture(scope="module")
def whole(config: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run that nothing happened to."""
    return aiga.run(config, name="whole", runs=tmp_path_factory.mktemp("whole")).path


def test_killed_in_an_iteration_it_goes_on_to_the_same_journal_and_state(
    config: dict[str, Any], whole: Path, tmp_path: Path
) -> None:
    path = tmp_path / "killed"
    with subprocess.Popen(support.script(config, tmp_path, "killed"), stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 120.0
        while not (path / "inside").exists():
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.kill()
    assert RunDirectory.open(path).holder() is None
    assert aiga.open(path).journal()["iteration"].max() == 2
    aiga.resume(path)
    support.same(path, whole)


def test_the_search_is_one_worth_repeating(whole: Path) -> None:
    run = aiga.open(whole)
    assert len(support.events(whole, "admitted")) > 2
    assert len(support.events(whole, "transferred")) > 0
    assert run.niches.state, "agents have a state of their optimiser"
    founders, now = (run.stone(int(run.agents.index[0])).genome, run.niches.agents)
    names = founders.batches[0].leaves.keys()
    assert any((founders.batches[0].leaves[n][0] != now.batches[0].leaves[n][0]).any() for n in names), "nobody learnt"


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"run": {"workers": 2}},
        {"plugins": {"local": {"options": {"device_block": 32, "block": 16}}}},
    ],
    ids=["two-workers", "larger-blocks"],
)
def test_workers_and_blocks_change_no_bit(
    config: dict[str, Any], whole: Path, elsewhere: dict[str, Any], tmp_path: Path
) -> None:
    other = aiga.run(support.merge(config, elsewhere), name="other", runs=tmp_path).path
    support.same(other, whole)
