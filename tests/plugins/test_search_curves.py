"""The best score so far, drawn from journals."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import support
from PIL import Image
from search_runs import optimiser, search
from typer.testing import CliRunner

import aiga
from aiga_search.__main__ import app
from aiga_search.curves import tried


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> aiga.Run:
    """Three trials in each of two iterations, of which the first fails."""
    folder = tmp_path_factory.mktemp("curves")
    void = "torch.where((row == 0).reshape(-1, *[1] * (leaf.ndim - 1)), torch.nan, leaf)"
    config = search("random-search", plugins={"broken": optimiser(folder, "broken", void)}, optimiser="broken")
    config["plugins"]["perceptron"]["options"] = {"search": ["width"], "widths": [4, 12]}
    return aiga.run(config, name="r", runs=folder, overrides=["run.stop.iterations=2"])


def test_scores_stand_in_the_order_of_the_trials_with_gaps_where_they_failed(run: aiga.Run) -> None:
    scores = tried(run)
    assert np.isnan(scores).tolist() == [True, False, False, True, False, False]
    admitted = [event["score"] for event in support.events(run.path, "admitted") if event["iteration"]]
    assert scores[~np.isnan(scores)].tolist() == admitted


def test_runs_are_drawn_side_by_side(run: aiga.Run, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["draw", str(run.path), str(run.path), "--out", str(tmp_path / "best.png")])
    assert done.exit_code == 0, done.output
    assert Image.open(io.BytesIO((tmp_path / "best.png").read_bytes())).size[0] > 300


def test_a_run_without_a_search_is_refused_with_the_remedy(tmp_path: Path) -> None:
    bare = aiga.run(support.bare(run={"stop": {"iterations": 1}}), name="bare", runs=tmp_path)
    with pytest.raises(aiga.InputError, match="there is no search to draw"):
        tried(bare)
