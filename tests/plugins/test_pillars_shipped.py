"""Which pillar each shipped plugin is of, and what it says of it in a run."""

from __future__ import annotations

from importlib.metadata import distribution
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import poet_lab
import pytest
import search_runs
import support
import torch
from poet_lab import ScriptedLab

import aiga
from aiga import config as configs
from aiga import experiment
from aiga.testing import bench
from aiga_continual import Anml

OF = {
    "environments": {"poet"},
    "learning": {"plastic", "backpropamine", "plastic-classifier", "oml", "anml", "maml"},
    "architectures": {"random-search", "regularised-evolution", "tpe"},
}


@pytest.mark.parametrize(("pillar", "names"), OF.items())
def test_what_invents_environments_learns_or_searches_is_of_a_pillar(pillar: str, names: set[str]) -> None:
    assert {shipped(name).pillar for name in names} == {pillar}


@pytest.mark.parametrize("name", ["rnn", "lstm", "mlp", "es", "keep", "walker"])
def test_controls_and_the_rest_are_of_none(name: str) -> None:
    assert shipped(name).pillar == ""


def shipped(name: str) -> type[aiga.Plugin]:
    (point,) = distribution("aiga").entry_points.select(group="aiga", name=name)
    found: type[aiga.Plugin] = point.load()
    return found


def standing(config: dict[str, Any], name: str) -> aiga.Standing:
    """What a plugin of a run says when that is founded."""
    made = experiment.assemble(configs.from_dict(config))
    plugin = next(plugin for plugin in made.plugins if plugin.name == name)
    with bench(config, plugin=name) as lab:
        return plugin.standing(lab)


class TestPoet:
    def test_it_acts_and_counts_niches_admissions_and_who_may_reproduce(self) -> None:
        plugin, lab = poet_lab.poet(reproduce_above=200.0), Owned(poet_lab.two())
        plugin.load_state_dict({"totals": {"admitted": 1200}, "novelty": None}, 1)
        assert plugin.standing(lab) == aiga.Standing(True, "2 niches, 1,200 admitted, 2 may reproduce")

    def test_it_acts_while_it_waits(self) -> None:
        lab = Owned(poet_lab.niches([[0.0, 0.0]], [[0.0, 0.0]], [float("nan")]))
        assert poet_lab.poet(reproduce_above=40.0).standing(lab) == aiga.Standing(
            True, "1 niche, 0 admitted, waits: no niche scores 40 yet"
        )

    def test_it_is_off_where_another_plugin_admits(self) -> None:
        lab = Owned(poet_lab.two(), owner="keep")
        assert poet_lab.poet().standing(lab) == aiga.Standing(False, "keep owns select, and decides what is admitted")


class Owned(ScriptedLab):
    """The scripted lab, with slots."""

    def __init__(self, niches: aiga.Niches, owner: str = "poet") -> None:
        super().__init__(niches)
        self.slots = {"select": owner, "improve": "none"}


def living(*networks: str) -> dict[str, Any]:
    return {
        "run": {"workers": 0, "episodes": 1, "device": "cpu"},
        "population": {"domain": "cue", "networks": list(networks), "niches": 4},
    }


def made_of(*networks: str) -> Any:
    """A lab whose niches' agents are of these networks."""
    return SimpleNamespace(niches=SimpleNamespace(networks=list(networks)))


@pytest.mark.parametrize("name", ["plastic", "backpropamine"])
def test_plastic_networks_act_where_agents_of_niches_are_made_of_them(name: str) -> None:
    assert standing(living(name, "rnn"), name) == aiga.Standing(True, f"2 of 4 niches' agents are {name}")


@pytest.mark.parametrize("name", sorted(OF["learning"]))
def test_networks_that_learn_within_a_life_are_off_where_nobody_is_made_of_them(name: str) -> None:
    plugin = shipped(name)()
    assert plugin.standing(made_of("rnn", name, name)).acts
    assert plugin.standing(made_of("rnn", name, name)).why.startswith(f"2 of 3 niches' agents are {name}")
    assert not plugin.standing(made_of("rnn", "lstm")).acts
    assert not plugin.standing(made_of()).acts


@pytest.mark.parametrize("control", ["anml-gate-one", "anml-gate-random"])
def test_controls_of_anml_learn_within_a_life_too(control: str) -> None:
    assert Anml().standing(made_of(control)).acts


@pytest.mark.parametrize("name", ["random-search", "regularised-evolution"])
def test_a_search_counts_its_trials(name: str, tmp_path: Path) -> None:
    config = search_runs.search(name)
    with support.founded(tmp_path, config) as it:
        plugin = next(plugin for plugin in it.plugins if plugin.name == name)
        assert plugin.standing(it.w.lab(name)) == aiga.Standing(True, "0 trials, none has a score yet, 0 failed")
        it.step()
        best = float(it.w.niches.score[torch.isfinite(it.w.niches.score)].max())
        assert plugin.standing(it.w.lab(name)) == aiga.Standing(True, f"3 trials, best {best:.4g}, 0 failed")


def test_a_search_is_off_where_another_plugin_admits() -> None:
    config = search_runs.search("regularised-evolution")
    config["slots"] = {"select": "random-search", "improve": "none"}
    config["plugins"]["random-search"] = {"options": {"batch": 3, "steps": 3}}
    assert standing(config, "regularised-evolution") == aiga.Standing(
        False, "random-search owns select, so that no trial is scored"
    )
    assert standing(config, "random-search").acts
