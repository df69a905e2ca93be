"""All three pillars in one search, and what is left of it when one of them is taken away."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

import aiga
from aiga_gtn.__main__ import app
from aiga_gtn.niches.pictures import drawn

EXAMPLE = Path(__file__).parents[2] / "examples" / "three_pillars.toml"
ITERATIONS = 4


def small() -> dict[str, Any]:
    """The example with the sizes of a test; everything is due soon, and nobody is refused for being bad."""
    given: dict[str, Any] = tomllib.loads(EXAMPLE.read_text())
    run = {"seed": 3, "device": "cpu", "workers": 0, "episodes": 2, "confirmations": 2}
    given["run"] = {**run, "checkpoint_every": 2, "stop": {"iterations": ITERATIONS}}
    del given["plugins"]["tensorboard"]
    given["population"]["niches"] = 2
    sizes: dict[str, dict[str, Any]] = {
        "backpropamine": {"units": 6, "widths": [4, 8]},
        "plastic": {"units": 6, "widths": [4, 8]},
        "a2c": {"episodes": 2},
        "poet": {
            "minimal_criterion": [0.0, 99.0],
            "reproduce_above": 0.0,
            "reproduce_every": 2,
            "transfer_every": 2,
            "children": 3,
            "episodes": 2,
        },
        "gtn-niches": {
            "apprenticeship": 1,
            "train_every": 1,
            "train_steps": 1,
            "recorded": 2,
            "forecast_lives": 2,
            "horizon": 8,
            "steps": 2,
            "batch": 2,
            "length": 4,
            "hidden": 8,
            "propose_every": 1,
            "candidates": 4,
            "keep": 0.5,
            "tune": 1,
            "transfer_every": 1,
            "episodes": 2,
            "sure": 0.0,
        },
        "local": {"device_block": 8},
    }
    for name, options in sizes.items():
        given["plugins"].setdefault(name, {}).setdefault("options", {}).update(options)
    return given


def without_environments(given: dict[str, Any]) -> None:
    del given["plugins"]["poet"], given["slots"]["select"]


def without_learning(given: dict[str, Any]) -> None:
    del given["plugins"]["backpropamine"], given["plugins"]["plastic"]
    given["population"]["networks"] = ["rnn"]


def without_architectures(given: dict[str, Any]) -> None:
    del given["plugins"]["gtn-niches"]


def run(folder: Path, change: Callable[[dict[str, Any]], None] | None = None, name: str = "t") -> aiga.Run:
    given = small()
    if change is not None:
        change(given)
    return aiga.run(given, name=name, runs=folder)


def invented(run: aiga.Run) -> int:
    return int((run.environments["iteration"] > 0).sum())


def by(run: aiga.Run, plugin: str) -> int:
    rejected = run.journal("rejected")
    return int((rejected["by"] == plugin).sum()) if len(rejected) else 0


def test_all_three_act_in_one_search(tmp_path: Path) -> None:
    done = run(tmp_path)
    assert invented(done) > 0
    assert by(done, "gtn-niches.forecast") > 0
    offers = done.journal("transferred")
    taught = offers[offers["operator"].str.endswith("taught")]
    assert taught["unlike"].any()
    assert {batch.kind.component for batch in done.niches.agents.batches} <= {"backpropamine", "plastic"}
    answer = CliRunner().invoke(app, ["forecasts", str(done.path), "--out", str(tmp_path / "x.png")])
    assert answer.exit_code == 0, answer.output
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("change", [without_environments, without_learning, without_architectures], ids=lambda f: f.__name__)
def test_a_search_runs_without_one_of_them(change: Callable[[dict[str, Any]], None], tmp_path: Path) -> None:
    done = run(tmp_path, change)
    assert done.journal("iteration")["iteration"].max() == ITERATIONS
    assert (invented(done) > 0) == (change is not without_environments)
    assert (by(done, "gtn-niches.forecast") > 0) == (change is without_environments)
    plastic = {batch.kind.component for batch in done.niches.agents.batches} <= {"backpropamine", "plastic"}
    assert plastic == (change is not without_learning)
    if change is without_architectures:
        with pytest.raises(aiga.InputError, match=r"Enable \[plugins.gtn-niches\]"):
            drawn(done.path)


def test_a_search_of_all_three_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    whole, given = run(tmp_path), deepcopy(small())
    given["run"]["stop"] = {"iterations": 2}
    cut = aiga.run(given, name="cut", runs=tmp_path)
    aiga.resume(cut.path, overrides=[f"run.stop={{iterations={ITERATIONS}}}"])
    assert cut.journal().equals(whole.journal())
    ours, theirs = cut.niches.agents.batches, whole.niches.agents.batches
    assert [batch.kind for batch in ours] == [batch.kind for batch in theirs]
    for one, other in zip(ours, theirs, strict=True):
        assert all(torch.equal(leaf, other.leaves[name]) for name, leaf in one.leaves.items())
