from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import glyphs
import pytest
import torch
from pydantic import ValidationError
from support import events, founded, merge, same, saved, search
from torch import Tensor

import aiga
from aiga import Batch, InputError, Lab, Network, Optimiser, Pairs, Population, Stream
from aiga.data import State
from aiga.testing import OptimiserSuite, bench, linear
from aiga_continual import MetaGradient, MetaGradientPlugin

HERE = Path(__file__).parent
NET: dict[str, Any] = {"channels": [6, 8], "strides": [1, 1], "pools": [2, 1], "inner_lr": 0.03}
LEARNERS: dict[str, Any] = {
    "run": {"workers": 0, "episodes": 2, "device": "cpu"},
    "population": {"domain": "glyphs", "networks": ["oml", "anml"], "niches": 2},
    "plugins": {
        "glyphs": {"path": glyphs.__file__},
        "oml": {"options": NET},
        "anml": {"options": {**NET, "gate_channels": [3, 4]}},
    },
}


def with_loss(**changes: Any) -> dict[str, Any]:
    """A configuration of ``points`` with a loss."""
    base: dict[str, Any] = {
        "run": {"workers": 0, "episodes": 1, "device": "cpu"},
        "population": {"domain": "points", "networks": ["linear", "affine"]},
        "plugins": {"points": {"path": str(HERE / "points_with_loss.py")}, "linear": {"path": linear.__file__}},
    }
    return merge(base, changes)


def optimiser(**options: Any) -> MetaGradient:
    return MetaGradient(MetaGradientPlugin.Options(**options))


class TestMetaGradient(OptimiserSuite):
    @pytest.fixture
    def optimiser(self) -> Optimiser:
        return optimiser(lr=0.05, lifetimes=3, clip=1.0)

    @pytest.fixture
    def lab(self) -> Iterator[Lab]:
        with bench(with_loss()) as lab:
            yield lab


@pytest.fixture
def lab() -> Iterator[Lab]:
    with bench(with_loss()) as lab:
        yield lab


def niches(lab: Lab, points: Tensor, name: str = "linear") -> Pairs:
    """One agent at home in each point ``[N, 2]``."""
    network: Network = lab.component("network", name)
    layout = network.build(network.structure, lab.domain.inputs, lab.domain.outputs)
    agents = Batch.of(aiga.Kind(name, dict(network.structure)), network.init(Stream(3), layout, len(points)))
    envs = lab.domain.initial(Stream(1), len(points))
    envs = replace(envs, leaves={**envs.leaves, "point": points.double()})
    rows = torch.arange(len(points))
    return Pairs.of(Population((envs,)), Population((agents,)), rows, rows)


def leaf(agents: Population) -> Tensor:
    return agents.batches[0].leaves["weight"]


def columns(state: State) -> dict[str, Tensor]:
    (only,) = state.values()
    return only


@pytest.mark.parametrize("clip", [0.0, 0.5])
def test_it_is_adam_on_the_mean_of_the_lifetimes(lab: Lab, clip: float) -> None:
    rule, pairs = optimiser(lr=0.1, lifetimes=4, clip=clip), niches(lab, torch.tensor([[1.0, 2.0]]))
    got, _ = rule.improve(lab, pairs, rule.start(pairs.agents), 3)
    weight = torch.nn.Parameter(leaf(pairs.agents).clone())
    adam, domain, network = torch.optim.Adam([weight], lr=0.1), lab.domain, lab.component("network", "linear")
    for step in range(3):
        keys = aiga.streams.combine(pairs.envs.hashes[:, None], torch.arange(4)[None]).flatten()
        (batch,) = pairs.agents.batches
        agents = Population((replace(batch, leaves={"weight": weight}),))
        four = Pairs.of(pairs.envs, agents, torch.zeros(4, dtype=torch.int64), torch.zeros(4, dtype=torch.int64))
        adam.zero_grad()
        domain.loss(four, network, lab.rng("meta-gradient", step).rows(keys)).mean().backward()  # type: ignore[attr-defined]
        if clip:
            torch.nn.utils.clip_grad_norm_([weight], clip)
        adam.step()
    assert torch.allclose(leaf(got), weight.detach(), atol=1e-5)


def test_every_agent_is_clipped_by_itself(lab: Lab) -> None:
    pairs = niches(lab, torch.tensor([[4.0, 4.0], [0.1, 0.1]]))

    def norms(clip: float) -> list[float]:
        rule = optimiser(clip=clip, beta1=0.0)
        norm: list[float] = columns(rule.improve(lab, pairs, rule.start(pairs.agents), 1)[1])["m"].norm(dim=1).tolist()
        return norm

    large, small = norms(0.0)
    between = (large + small) / 2
    assert norms(between) == pytest.approx([between, small])


def test_an_agent_whose_loss_is_no_number_stays_as_it_is_and_is_counted(lab: Lab) -> None:
    rule, pairs = optimiser(lr=0.1), niches(lab, torch.tensor([[1.0, 2.0], [99.0, 0.0], [-1.0, 0.5]]))
    begun = rule.start(pairs.agents)
    agents, state = rule.improve(lab, pairs, begun, 3)
    assert torch.equal(leaf(agents)[1], leaf(pairs.agents)[1])
    assert not bool((leaf(agents)[[0, 2]] == leaf(pairs.agents)[[0, 2]]).any())
    now = columns(state)
    assert now["failed"].tolist() == [0, 3, 0]
    assert all(torch.equal(now[name][1], columns(begun)[name][1]) for name in now if name != "failed")
    assert all(bool(part.isfinite().all()) for part in now.values())


def test_lifetimes_have_chance_of_their_own_and_average(lab: Lab) -> None:
    pairs = niches(lab, torch.tensor([[1.0, 2.0]]))
    seen = []
    for lifetimes in (1, 1, 8):
        rule = optimiser(lifetimes=lifetimes, beta1=0.0)
        seen.append(columns(rule.improve(lab, pairs, rule.start(pairs.agents), 1)[1])["m"])
    assert torch.equal(seen[0], seen[1])
    assert not torch.equal(seen[0], seen[2])


def test_work_is_counted(lab: Lab) -> None:
    pairs, rule = niches(lab, torch.tensor([[1.0, 2.0], [0.0, 1.0]])), optimiser(lifetimes=5)
    rule.improve(lab, pairs, rule.start(pairs.agents), 3)
    counted = {kind: amount for _, purpose, kind, amount in lab.meter.rows() if purpose == "improve"}
    assert counted == {"gradient_steps": 6, "forward_steps": 30}
    with bench(LEARNERS) as other:
        rule.improve(other, other.niches.pairs(), rule.start(other.niches.agents), 1)
        counted = {kind: amount for _, purpose, kind, amount in other.meter.rows() if purpose == "improve"}
    lives = 2 * 5
    assert counted == {"gradient_steps": 2 + lives * 10, "examples": lives * (10 + 20)}


def test_a_domain_without_a_loss_is_refused_before_a_run(tmp_path: Path) -> None:
    config = search(slots={"improve": "meta-gradient"}, plugins={"meta-gradient": {}})
    with pytest.raises(InputError, match="loss"):
        aiga.run(config, name="it", runs=tmp_path)
    with bench() as plain:
        rule = optimiser()
        with pytest.raises(ValueError, match=r"PointsDomain has none.*improve"):
            rule.improve(plain, plain.niches.pairs(), rule.start(plain.niches.agents), 1)


def test_a_loss_that_is_not_one_number_a_pair_is_refused(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    rule, pairs = optimiser(), niches(lab, torch.tensor([[1.0, 2.0]]))
    monkeypatch.setattr(lab.domain, "loss", lambda pairs, network, stream: torch.zeros(()))
    with pytest.raises(ValueError, match=r"must be \[1\].*found \[\]"):
        rule.improve(lab, pairs, rule.start(pairs.agents), 1)


def test_an_agent_without_a_niche_of_its_own_is_refused(lab: Lab) -> None:
    rule, pairs = optimiser(), niches(lab, torch.tensor([[1.0, 2.0], [0.0, 1.0]]))
    with pytest.raises(ValueError, match="exactly one niche"):
        rule.improve(lab, replace(pairs, agent=torch.tensor([0, 0])), rule.start(pairs.agents), 1)


@pytest.mark.parametrize("options", [{"lr": 0.0}, {"beta1": 1.0}, {"lifetimes": 0}, {"clip": -1.0}])
def test_options_that_make_no_sense_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(options))):
        MetaGradientPlugin.Options(**options)


def test_meta_training_makes_learners_of_both_kinds_better() -> None:
    with bench(LEARNERS) as lab:
        start = lab.niches.pairs()
        rule = optimiser(lr=0.01, lifetimes=2)
        agents, _ = rule.improve(lab, start, rule.start(start.agents), 40)
        before = lab.evaluate(start, episodes=16, purpose="judge").fitness
        after = lab.evaluate(replace(start, agents=agents), episodes=16, purpose="judge").fitness
    assert {batch.kind.component for batch in agents.batches} == {"oml", "anml"}
    assert bool((after > before + 10.0).all()), f"from {before.tolist()} to {after.tolist()}"


def test_plastic_networks_learn_to_recall() -> None:
    config = {**LEARNERS, "population": {"domain": "recall", "networks": ["plastic", "rnn"], "niches": 2}}
    with bench({**config, "plugins": {"recall": {"options": {"bits": 20}}}}) as lab:
        start = lab.niches.pairs()
        rule = optimiser(lr=0.003, lifetimes=16)
        agents, state = rule.improve(lab, start, rule.start(start.agents), 40)
        before = lab.evaluate(start, episodes=16, purpose="judge").fitness
        after = lab.evaluate(replace(start, agents=agents), episodes=16, purpose="judge").fitness
    assert bool((after > before + 0.05).all()), f"from {before.tolist()} to {after.tolist()}"
    assert [int(part["failed"].sum()) for part in state.values()] == [0, 0]


def poet(**changes: Any) -> dict[str, Any]:
    """POET invents glyphs for two kinds of learners, which the meta-gradient improves."""
    table = {
        "run": {"seed": 7, "checkpoint_every": 3, "confirmations": 2, "stop": {"iterations": 8}},
        "slots": {"select": "poet", "improve": "meta-gradient"},
        "plugins": {
            "meta-gradient": {"options": {"lr": 0.01}},
            "poet": {
                "options": {
                    "capacity": 3,
                    "reproduce_every": 2,
                    "transfer_every": 3,
                    "children": 2,
                    "admit": 1,
                    "minimal_criterion": [0.0, 100.0],
                    "reproduce_above": 0.0,
                }
            },
        },
    }
    return merge(merge(LEARNERS, table), changes)


def test_poet_invents_streams_for_learners_and_a_resumed_run_is_the_same(tmp_path: Path) -> None:
    whole = aiga.run(poet(), name="whole", runs=tmp_path).path
    assert len(events(whole, "admitted")) > 2
    assert "proposal" in {row["operator"] for row in events(whole, "transferred")}  # learnt a step in the target niche
    cut = aiga.run(poet(run={"stop": {"iterations": 5}}), name="cut", runs=tmp_path).path
    aiga.resume(cut, overrides=["run.stop.iterations=8"])
    same(whole, cut)
    assert b"failed" in saved(whole)


def test_losses_and_failures_are_metrics(tmp_path: Path) -> None:
    with founded(tmp_path, poet(), iterations=2) as it:
        told = MetaGradientPlugin().aiga_metrics(it.w.lab("meta-gradient"))
    assert told is not None
    assert told["failed"] == 0.0
    assert 0.0 < told["loss"] < 5.0
    with bench() as plain:
        assert MetaGradientPlugin().aiga_metrics(plain) is None


def test_there_are_no_metrics_of_what_another_optimiser_improves(tmp_path: Path) -> None:
    with founded(tmp_path, poet(), iterations=2) as it:
        for columns in it.w.niches.state.values():
            del columns["loss"]  # as of an optimiser that counts failures alone
        assert MetaGradientPlugin().aiga_metrics(it.w.lab("meta-gradient")) is None
