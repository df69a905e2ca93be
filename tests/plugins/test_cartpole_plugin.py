"""What ``cartpole`` draws and reports, and POET and ``a2c`` on it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import aiga
from aiga import Batch, Contestant, Kind, Pairs, Population, Stream, Subject
from aiga_cartpole.domain import CartPoleDomain
from aiga_cartpole.draw import CART, FALLEN, POLE
from aiga_cartpole.render import render
from aiga_cartpole.report import report as judge
from aiga_networks.mlp import MlpNetwork, MlpOptions
from aiga_plasticity import A2cOptions, ActorCritic, Rnn, RnnNetwork

LINEAR = MlpNetwork(MlpOptions(hidden=(), output="identity"))


def balancing(*strengths: float) -> Batch:
    """Linear agents that balance, or with a negative strength push the pole over."""
    weights = torch.tensor(strengths)[:, None] * torch.tensor([0.3, 0.3, 8.0, 1.0])
    leaves = {
        "000.identity.weight": torch.stack([-weights, weights], dim=2),
        "000.identity.bias": torch.zeros(len(weights), 2),
    }
    return Batch.of(Kind("mlp", {}), leaves)


def lived(domain: CartPoleDomain, name: str, strength: float) -> tuple[Population, Any, Any]:
    envs, row = Population((domain.named(name),)), torch.zeros(1, dtype=torch.int64)
    pairs = Pairs.of(envs, Population((balancing(strength),)), row, row)
    scores, life = domain.live(pairs, LINEAR, torch.tensor([5]), record=True)  # type: ignore[misc]
    return envs, scores, life


def amount(picture: Any, colour: tuple[int, int, int]) -> int:
    return int((picture == colour).all(axis=-1).sum())


def test_environments_are_drawn_to_one_scale() -> None:
    domain = CartPoleDomain()
    names = ("CartPole", "long-pole", "heavy-pole")
    drawn = [render(Subject("environments", Population((domain.named(name),))))[0] for name in names]
    assert len({picture.shape for picture in drawn}) == 1
    plain, long, heavy = (amount(picture, POLE) for picture in drawn)
    assert 3.0 * plain < long < 5.0 * plain
    assert 1.5 * plain < heavy < 2.5 * plain
    captioned = render(Subject("environments", Population((domain.named("CartPole"),)), caption="niche"))[0]
    assert captioned.shape[0] == drawn[0].shape[0] + 22


def test_a_life_is_drawn_along_time_and_as_an_animation_with_its_fall() -> None:
    domain = CartPoleDomain(steps=300)
    envs, scores, life = lived(domain, "CartPole", -9.0)
    frames = render(Subject("animation", envs, life))
    assert len(frames) == int(scores.fitness[0]) + 1
    assert [amount(frame, FALLEN) > 0 for frame in frames] == [False] * (len(frames) - 1) + [True]
    assert amount(render(Subject("lifetime", envs, life)), FALLEN) > 0
    envs, _, life = lived(domain, "CartPole", 100.0)
    frames = render(Subject("animation", envs, life))
    assert len(frames) == 151
    whole = render(Subject("lifetime", envs, life, caption="two"))
    assert amount(whole, FALLEN) == amount(frames[-1], FALLEN) == 0
    assert amount(whole, POLE) > 100
    assert amount(whole, CART) > 100


def test_what_is_not_of_the_domain_is_left_to_others() -> None:
    envs, _, life = lived(CartPoleDomain(), "CartPole", 1.0)
    assert render(Subject("episode", envs, life)) is None
    assert render(Subject("lifetime", envs)) is None
    assert render(Subject("environments", Population((Batch.of(Kind("maze"), {"x": torch.zeros(1)}),)))) is None


def test_the_report_says_how_long_lives_are_in_every_environment() -> None:
    domain = CartPoleDomain(steps=80)
    contestants = {
        "good": Contestant(LINEAR, balancing(100.0, 100.0, 0.2)),
        "bad": Contestant(LINEAR, balancing(-9.0, -9.0, -9.0)),
    }
    start = domain.named("CartPole")
    report = judge(domain, start, contestants, Stream(5), lives=30)
    others = [name for name in domain.names if name != "CartPole"]
    assert list(report.columns) == ["return", "return, greedy", *others, "parameters"]
    good, bad = report.rows["good"], report.rows["bad"]
    assert good["return"][:2] == good["return, greedy"][:2] == (80.0, 80.0)
    assert good["return"][2] < 75.0 < good["return, greedy"][2]
    assert all(max(bad[name]) < 40.0 < min(good[name][:2]) for name in others)
    assert report.rows == judge(domain, start, dict(reversed(contestants.items())), Stream(5), lives=30).rows
    assert {name: np.asarray(Image.open(io.BytesIO(png))).shape[2] >= 3 for name, png in report.pictures.items()} == {
        "standing": True,
        "one_life": True,
    }


def test_the_first_return_of_the_report_is_that_of_the_lives() -> None:
    domain, agents = CartPoleDomain("long-pole", steps=60), balancing(0.3)
    seeds = Stream(6).child("lives").rows(torch.arange(200)).words()
    pairs = Pairs.lives(Population((domain.named("long-pole"),)), Population((agents,)), 200)
    scores: Any = domain.live(pairs, LINEAR, seeds)
    row = domain.report({"one": Contestant(LINEAR, agents)}, Stream(6)).rows["one"]
    assert row["return"][0] == pytest.approx(float(scores.fitness.mean()))
    assert "long-pole" not in row
    assert "CartPole" in row


@pytest.mark.parametrize("name", ["mlp", "rnn"])
def test_a2c_keeps_the_pole_up_longer(name: str) -> None:
    domain = CartPoleDomain(steps=60)
    network: Any = (
        MlpNetwork(MlpOptions(hidden=(8,), output="identity"))
        if name == "mlp"
        else RnnNetwork(Rnn.Options(units=8, value=False))
    )
    layout = network.build(network.structure, domain.inputs, domain.outputs)
    agents = Batch.of(Kind(name, dict(network.structure)), network.init(Stream(1), layout, 2))
    optimiser = ActorCritic(A2cOptions(episodes=12, lr=0.02, gamma=0.95, value=0.01, bonus_weight=0.0))
    seeds, env, envs = Stream(9), torch.zeros(2, dtype=torch.int64), Population((domain.named("CartPole"),))

    def worth(who: Batch) -> float:
        scores: Any = domain.live(Pairs.lives(envs, Population((who,)), 40), network, Stream(8).words(80))
        return float(scores.fitness.mean())

    before, state = worth(agents), optimiser.start(Population((agents,)))[agents.kind.hash]
    for step in range(25):
        drawn = seeds.child(step).rows(torch.arange(2)).words(12)
        agents, state, cost = optimiser.update(domain, network, envs, env, agents, drawn, state)
        assert cost["environment_steps"] >= 24 * 8
    assert all(bool(leaf.isfinite().all()) for leaf in agents.leaves.values())
    assert worth(agents) > before + 8.0


def test_poet_invents_carts_and_its_agents_live_longer(tmp_path: Path) -> None:
    poet = {"reproduce_every": 1, "transfer_every": 2, "capacity": 3, "children": 6, "episodes": 2}
    config = {
        "api": 1,
        "run": {"checkpoint_every": 100, "episodes": 2, "stop": {"iterations": 3}, "workers": 0},
        "population": {"domain": "cartpole", "networks": ["mlp"]},
        "slots": {"select": "poet", "improve": "es"},
        "plugins": {
            "cartpole": {"options": {"steps": 60}},
            "mlp": {"options": {"hidden": [], "output": "identity"}},
            "es": {"options": {"population": 16, "sigma": 0.1, "lr": 0.1}},
            "poet": {"options": {**poet, "minimal_criterion": [8, 58], "reproduce_above": 8}},
        },
    }
    run = aiga.run(config, runs=tmp_path, name="carts")
    admitted = run.journal("admitted")
    assert len(admitted[admitted["iteration"] > 0]) >= 2
    assert len(run.environments) >= 3
