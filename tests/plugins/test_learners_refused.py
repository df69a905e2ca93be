"""Learners, domains and optimisers that do not go together: one clear message, and nothing written where it is known before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import aiga
from aiga_maze.domain import MazeDomain
from aiga_poet import Poet
from aiga_text.domain import TextDomain


def search(domain: str, network: str, improve: str, **options: Any) -> dict[str, Any]:
    return {
        "run": {"workers": 0, "episodes": 1, "device": "cpu", "stop": {"iterations": 1}},
        "population": {"domain": domain, "networks": [network]},
        "slots": {"improve": improve},
        "plugins": {name: {"options": given} for name, given in options.items()},
    }


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            search("maze", "anml", "es"),
            r'networks: "anml" cannot live in "maze": anml sees pictures .* the domain shows \(16,\)',
        ),
        (search("maze", "rnn", "meta-gradient"), r'improve: needs a domain with loss, which "maze" has not'),
        (search("maze", "rnn", "es", maze={"start": "L13", "max_size": 9}), r"\[plugins.maze.options\] start: .*max_size is 9"),
        (
            search("maze", "rnn", "es", maze={"start": "L8"}),
            r"\[plugins.maze.options\] start: no maze is named 'L8'; there are L7, ",
        ),
        (search("recall", "rnn", "es", rnn={"wiring": "additive", "units": 3}), r'"rnn" cannot live in "recall": .*units'),
    ],
    ids=["pictures", "loss", "size", "name", "units"],
)
def test_it_is_refused_before_anything_is_written(config: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(aiga.InputError, match=message) as caught:
        aiga.run(config, name="it", runs=tmp_path)
    assert len(str(caught.value).splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_a2c_says_that_it_needs_choices_and_what_to_use_else(tmp_path: Path) -> None:
    config = search("walker", "rnn", "a2c", walker={"steps": 20}, rnn={"units": 4}, a2c={"episodes": 1})
    with pytest.raises(aiga.PluginError, match=r"'a2c' raised in improve, iteration 1.*logits of discrete actions.*such as es"):
        aiga.run(config, name="it", runs=tmp_path)


def test_agents_without_values_learn_by_a2c_too(tmp_path: Path) -> None:
    config = search("maze", "rnn", "a2c", rnn={"units": 4, "value": False}, a2c={"episodes": 2})
    run = aiga.run(config, name="it", runs=tmp_path)
    born, now = run.stone(1).genome.batches[0].leaves, run.niches.agents.batches[0].leaves
    assert any(bool((now[name] != leaf).any()) for name, leaf in born.items())


def test_poet_warns_where_its_bounds_are_another_domains() -> None:
    assert len(Poet().advice(TextDomain())) == len(Poet().advice(MazeDomain())) == 2
    mazes = Poet(Poet.Options(minimal_criterion=(15.0, 45.0), reproduce_above=40.0))
    assert mazes.advice(MazeDomain()) == []
