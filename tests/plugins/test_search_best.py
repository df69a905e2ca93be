"""The architectures that a search found best, drawn."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import support
from PIL import Image
from search_runs import search
from typer.testing import CliRunner

import aiga
from aiga_architectures import PerceptronNetwork
from aiga_search.__main__ import app
from aiga_search.best import best, drawn


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> aiga.Run:
    """Three trials in each of four iterations, of only six architectures."""
    config = search("random-search")
    config["plugins"]["perceptron"]["options"] = {"search": ["width", "depth"], "widths": [4, 5], "depths": [1, 2]}
    folder = tmp_path_factory.mktemp("best")
    return aiga.run(config, name="r", runs=folder, overrides=["run.stop.iterations=4"])


def test_the_best_are_the_journals_each_once_and_the_smaller_of_equal_ones_first(run: aiga.Run) -> None:
    trials = [event for event in support.events(run.path, "admitted") if event["iteration"]]
    found = best(run, 100)
    scores = {event["structure_hash"]: -1.0 for event in trials}
    for event in trials:
        scores[event["structure_hash"]] = max(scores[event["structure_hash"]], event["score"])
    assert 1 < len(scores) < len(trials)
    assert [one.score for one in found] == sorted(scores.values(), reverse=True)
    order = [(-one.score, one.parameters) for one in found]
    assert order == sorted(order)
    by_trial = {event["niche"]: event for event in trials}
    for one in found:
        event = by_trial[one.trial]
        assert (event["structure"], event["score"], event["agent"]) == (one.structure, one.score, one.agent)
        assert event["parameters"] == one.parameters
    assert best(run, 2) == found[:2]


def test_each_is_drawn_by_the_runs_own_network_under_the_command_line(run: aiga.Run, tmp_path: Path) -> None:
    sizes = []
    for count in ("1", "3"):
        out = tmp_path / f"{count}.png"
        done = CliRunner().invoke(app, ["best", str(run.path), "--out", str(out), "--count", count])
        assert done.exit_code == 0, done.output
        wide, high = Image.open(io.BytesIO(out.read_bytes())).size
        sizes.append(wide * high)
    assert sizes[1] > 2 * sizes[0]


def test_the_structures_drawn_are_the_best_ones(run: aiga.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, picture = [], PerceptronNetwork.picture
    monkeypatch.setattr(PerceptronNetwork, "picture", lambda self, one: asked.append(one) or picture(self, one))
    drawn(run, 3)
    assert asked == [one.structure for one in best(run, 3)]


def test_a_network_that_cannot_draw_is_named(run: aiga.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(PerceptronNetwork, "picture")
    with pytest.raises(aiga.InputError, match=r'the network "perceptron" cannot draw.*Give it picture'):
        drawn(run, 1)


def test_a_run_without_a_search_has_no_best_architecture(tmp_path: Path) -> None:
    bare = aiga.run(support.bare(run={"stop": {"iterations": 1}}), name="bare", runs=tmp_path)
    with pytest.raises(aiga.InputError, match="there is no search to draw"):
        best(bare, 1)
