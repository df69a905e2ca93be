"""The reports of the domains ``maze`` and ``cue`` on agents that learn within a life, or do not."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from aiga import Batch, Contestant, Domain, Kind, Network, Output, Pairs, Percept, Population, Report, Space, Stream
from aiga.components import Layout, Life, Structure
from aiga.data import Leaves
from aiga.forgetting import forgetful
from aiga_cue.domain import CueDomain
from aiga_maze.domain import MazeDomain
from aiga_plasticity import Backpropamine, BackpropamineNetwork, Rnn, RnnNetwork

BITS = 8


class Associative:
    """Solves the task ``mini`` by one trace: what it saw of the target's cue, by what it was paid for its answers.

    Its leaf says how sure it answers; ``traces`` which part of its life is called a trace.
    """

    traces = ("cue",)

    def __init__(self) -> None:
        self.structure: Structure = {"version": 1}

    def build(self, structure: Structure, inputs: Space, outputs: Space) -> Layout:
        return {"sure": ()}

    def init(self, rng: Stream, layout: Layout, count: int) -> Leaves:
        return {"sure": torch.full((count,), 50.0)}

    def newborn(self, leaves: Leaves) -> Life:
        none = leaves["sure"].new_zeros(len(leaves["sure"]), BITS)
        return {"cue": none, "seen": none}

    def step(self, leaves: Leaves, life: Life, percept: Percept) -> tuple[Output, Life]:
        x, previous = percept.observation, percept.previous_action
        assert previous is not None
        assert percept.reward is not None
        shown = x[:, :BITS]
        # What was right a step ago: 1 for yes, -1 for no, 0 where nothing was asked.
        right = percept.reward * (previous[:, 1] - previous[:, 0])
        cue = life["cue"] + right[:, None] * life["seen"]
        seen = torch.where((shown != 0).any(dim=1, keepdim=True), shown, life["seen"])
        yes = leaves["sure"] * torch.where(cue.any(dim=1), (cue * seen).sum(dim=1), 0.0)
        return Output(torch.stack([torch.zeros_like(yes), yes], dim=1)), {"cue": cue, "seen": seen}


def contestant(network: Network, domain: Domain, agents: int = 2) -> Contestant:
    layout = network.build(network.structure, domain.inputs, domain.outputs)
    return Contestant(network, Batch.of(Kind("n", dict(network.structure)), network.init(Stream(4), layout, agents)))


def maze_contestants(domain: Domain) -> dict[str, Contestant]:
    networks: dict[str, Network] = {
        "modulated": BackpropamineNetwork(Backpropamine.Options(units=6, alpha_scale=1.0)),
        "plain": RnnNetwork(Rnn.Options(units=7)),
    }
    return {name: contestant(network, domain) for name, network in networks.items()}


def picture(report: Report, name: str) -> Any:
    return np.asarray(Image.open(io.BytesIO(report.pictures[name])))


def test_who_learns_the_cue_is_right_late_in_life_and_at_chance_without_its_trace() -> None:
    domain = CueDomain("mini", max_bits=BITS, max_steps=40)
    report = domain.report({"associative": contestant(Associative(), domain)}, Stream(5))
    row = report.rows["associative"]
    assert report.columns == ("first third", "last third", "last third, traces zeroed", "parameters")
    assert all(len(row[column]) == 2 for column in report.columns[:3])
    assert row["last third"][0] > 0.9
    assert 0.5 < row["first third"][0] < row["last third"][0]
    assert row["last third, traces zeroed"][0] == pytest.approx(0.5, abs=0.05)
    assert row["parameters"] == (1.0,)
    assert picture(report, "within_a_life").shape[1] > 1000  # two panels
    assert set(report.pictures) == {"within_a_life", "one_life"}


def test_the_last_third_of_the_cue_report_is_that_of_the_lives() -> None:
    domain = CueDomain("mini", max_bits=BITS, max_steps=40)
    agents = contestant(RnnNetwork(Rnn.Options(units=7)), domain)
    lives, seeds = 500, Stream(6).child("lives").rows(torch.arange(500)).words()
    pairs = Pairs.lives(Population((domain.named("mini"),)), Population((agents.agents.take(torch.tensor([1])),)), lives)
    scores: Any = domain.live(pairs, agents.network, seeds)
    found = domain.report({"rnn": agents}, Stream(6)).rows["rnn"]
    assert found["last third"][1] == pytest.approx(float(scores.columns["last_third"].mean()), abs=1e-9)
    assert "last third, traces zeroed" not in found


def test_the_maze_report_is_on_goals_that_were_kept_from_the_learners() -> None:
    domain = MazeDomain("L7-seen", max_size=7, max_steps=80)
    agents = maze_contestants(domain)
    report = domain.report(agents, Stream(7))
    seeds = Stream(7).child("lives").rows(torch.arange(500)).words()
    pairs = Pairs.lives(
        Population((domain.named("L7-unseen"),)), Population((agents["plain"].agents.take(torch.tensor([0])),)), 500
    )
    scores: Any = domain.live(pairs, agents["plain"].network, seeds)
    row = report.rows["plain"]
    assert row["reward"][0] == pytest.approx(float(scores.columns["reward"].mean()))
    assert row["last third"][0] == pytest.approx(float(scores.columns["last_third"].mean()))
    assert "never paid" in report.title
    assert "never paid" not in MazeDomain("L7").report(agents, Stream(7)).title
    assert list(row) == ["reward", "first third", "last third", "parameters"]
    modulated = report.rows["modulated"]
    assert modulated["reward, traces zeroed"] != modulated["reward"]
    assert picture(report, "one_life").shape == (262, 480, 3)


def test_a_report_hangs_on_its_stream_alone() -> None:
    domain = MazeDomain("L7-seen", max_size=7, max_steps=80)
    agents = maze_contestants(domain)
    one, two = domain.report(agents, Stream(7)), domain.report(dict(reversed(agents.items())), Stream(7))
    assert all(one.rows[name] == two.rows[name] for name in agents)
    assert one.rows != domain.report(agents, Stream(8)).rows


def test_traces_of_a_forgetful_network_are_as_at_birth_and_its_activities_are_not() -> None:
    network = BackpropamineNetwork(Backpropamine.Options(units=6, modulation="retroactive"))
    without = forgetful(network)
    assert without is not None
    assert not getattr(without, "side_by_side", False)
    layout = network.build(network.structure, Space((3,)), Space((2,), "discrete"))
    leaves = without.init(Stream(1), layout, 4)
    life, kept = without.newborn(leaves), network.newborn(leaves)
    seen: Tensor = Stream(2).normal(4, 3)
    for _ in range(3):
        percept = Percept(seen, torch.ones(4), None, torch.zeros(4, 2))
        _, life = without.step(leaves, life, percept)
        _, kept = network.step(leaves, kept, percept)
    assert not bool(life["trace"].any() or life["eligibility"].any())
    assert bool(kept["trace"].any())
    assert bool(life["units"].any())


def test_a_network_without_traces_has_nothing_to_forget() -> None:
    assert forgetful(RnnNetwork(Rnn.Options(units=6))) is None
