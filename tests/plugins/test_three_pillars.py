"""All three pillars in one search, and what is left of it when one of them is taken away."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
from three_pillars import ITERATIONS, small
from typer.testing import CliRunner

import aiga
from aiga_gtn.__main__ import app
from aiga_gtn.niches.pictures import drawn


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
    taught = offers[offers["operator"] == "taught"]
    assert len(taught)
    assert taught["unlike"].all()
    assert (taught["from"] >= 0).all()
    born = done.journal("born")
    assert set(done.journal("rejected")["kind"]) <= set(born["kind"])
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
