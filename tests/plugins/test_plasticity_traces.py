"""Traces: what they are at birth, how they change, what comes through them, and what gradients flow through them."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor

from aiga import Network, Percept, Space, Stream
from aiga.components import Life
from aiga.data import Leaves
from aiga_plasticity import Backpropamine, BackpropamineNetwork, Plastic, PlasticNetwork, Rnn, RnnNetwork, trace_free
from aiga_plasticity.recurrent import RecurrentNetwork

INPUTS, OUTPUTS = Space((3,)), Space((2,))
RULES = ("decay", "oja", "clip", "soft-clip")


def plastic(**options: Any) -> PlasticNetwork:
    return PlasticNetwork(Plastic.Options(**{"units": 6, "alpha_scale": 0.4, "eta": 0.2, **options}))


def modulated(**options: Any) -> BackpropamineNetwork:
    return BackpropamineNetwork(Backpropamine.Options(**{"units": 6, "alpha_scale": 0.4, "eta": 0.2, **options}))


def agents(network: Network, count: int = 4, seed: int = 1) -> Leaves:
    return network.init(Stream(seed), network.build(network.structure, INPUTS, OUTPUTS), count)


def seen(steps: int, *lead: int, seed: int = 2) -> Percept:
    rng = Stream(seed)
    observation, reward = rng.child("o").normal(steps, *lead, 3), rng.child("r").normal(steps, *lead)
    return Percept(observation, reward, None, rng.child("a").normal(steps, *lead, 2))


def at(percepts: Percept, step: int) -> Percept:
    parts = (percepts.observation, percepts.reward, percepts.done, percepts.previous_action)
    observation, *others = (None if part is None else part[step] for part in parts)
    assert observation is not None
    return Percept(observation, *others)


def lives(network: Network, leaves: Leaves, percepts: Percept) -> tuple[Tensor, list[Life]]:
    """Actions ``[T, ...]``, and the life before the first step and after each."""
    life, actions, kept = network.newborn(leaves), [], []
    kept.append(life)
    for step in range(len(percepts.observation)):
        output, life = network.step(leaves, life, at(percepts, step))
        actions.append(output.action)
        kept.append(life)
    return torch.stack(actions), kept


def with_leaf(leaves: Leaves, role: str, value: float) -> Leaves:
    """``leaves`` with one of them, whatever its tag, set to a number."""
    part, _, last = role.partition(".")
    names = [name for name in leaves if name.startswith(part) and name.endswith(last)]
    assert len(names) == 1, names
    return {**leaves, names[0]: torch.full_like(leaves[names[0]], value)}


def wanting_gradients(leaves: Leaves) -> Leaves:
    return {name: leaf.detach().clone().requires_grad_() for name, leaf in leaves.items()}


@pytest.mark.parametrize("gradients", [False, True], ids=["exact", "fast"])
@pytest.mark.parametrize("rule", RULES)
def test_without_plasticity_it_is_the_rnn_to_the_bit(rule: str, gradients: bool) -> None:
    network, rnn = plastic(rule=rule), RnnNetwork(Rnn.Options(units=6))
    leaves = with_leaf(agents(network), "trace.alpha", 0.0)
    plain = {name: leaf for name, leaf in leaves.items() if not name.startswith("trace")}
    assert plain.keys() == agents(rnn).keys()
    if gradients:
        leaves, plain = wanting_gradients(leaves), wanting_gradients(plain)
    actions, kept = lives(network, leaves, seen(7, 4))
    assert bool(kept[-1]["trace"].any())
    assert torch.equal(actions, lives(rnn, plain, seen(7, 4))[0])


@pytest.mark.parametrize("alpha", ["connection", "shared"])
@pytest.mark.parametrize("trace", ["kept", "free"])
@pytest.mark.parametrize(("units", "count", "each"), [(6, 4, 3), (51, 4, 16), (200, 2, 30)])
def test_without_plasticity_a_whole_life_is_the_rnns_to_the_bit(
    units: int, count: int, each: int, trace: str, alpha: str
) -> None:
    network, rnn = plastic(units=units, trace=trace, alpha=alpha), RnnNetwork(Rnn.Options(units=units))
    leaves = with_leaf(agents(network, count), "trace.alpha", 0.0)
    plain = {name: leaf for name, leaf in leaves.items() if not name.startswith("trace")}
    percepts = seen(9, count, each)
    assert torch.equal(network.unroll(leaves, percepts).action, rnn.unroll(plain, percepts).action)


@pytest.mark.parametrize("options", [{}, {"modulation": "retroactive"}, {"fan_out": True}, {"limit": "soft-clip"}], ids=str)
@pytest.mark.parametrize("gradients", [False, True], ids=["exact", "fast"])
def test_a_modulated_network_without_plasticity_is_the_rnn_to_the_bit(options: dict[str, Any], gradients: bool) -> None:
    network, rnn = modulated(**options), RnnNetwork(Rnn.Options(units=6))
    leaves = with_leaf(agents(network), "trace.alpha", 0.0)
    plain = {name: leaf for name, leaf in leaves.items() if not name.startswith(("trace", "modulator", "fan"))}
    if gradients:
        leaves, plain = wanting_gradients(leaves), wanting_gradients(plain)
    actions, kept = lives(network, leaves, seen(7, 4))
    assert bool(kept[-1]["trace"].any())
    assert torch.equal(actions, lives(rnn, plain, seen(7, 4))[0])


@pytest.mark.parametrize("gradients", [False, True], ids=["exact", "fast"])
@pytest.mark.parametrize("network", [modulated(), modulated(modulation="retroactive"), modulated(fan_out=True)])
def test_a_silent_modulator_freezes_the_trace(network: BackpropamineNetwork, gradients: bool) -> None:
    _, kept = lives(network, agents(network), seen(5, 4))
    assert bool(kept[-1]["trace"].any())
    silent = with_leaf(agents(network), "modulator.weight", 0.0)
    silent = wanting_gradients(silent) if gradients else silent
    _, after = network.step(silent, kept[-1], at(seen(1, 4, seed=5), 0))
    assert torch.equal(after["trace"], kept[-1]["trace"])


@pytest.mark.parametrize("limit", ["clip", "soft-clip"])
@pytest.mark.parametrize("fan_out", [False, True])
def test_simple_modulation_changes_the_trace_as_it_is_written(limit: str, fan_out: bool) -> None:
    network = modulated(limit=limit, bound=0.05, fan_out=fan_out)
    leaves = agents(network)
    for before, after in pairwise(lives(network, leaves, seen(6, 4))[1]):
        x, y, trace = before["units"], after["units"], before["trace"]
        bias = leaves["modulator.bias"]
        modulator = torch.tanh((y * leaves["modulator.weight"][:, :, 0]).sum(dim=1, keepdim=True) + bias)
        if fan_out:
            modulator = modulator * leaves["fan.weight"][:, 0] + leaves["fan.bias"]
        change = x[:, :, None] * (modulator * y)[:, None, :]
        if limit == "soft-clip":
            change = change * (1 - change.sign() * trace / 0.05)
        assert torch.allclose(after["trace"], (trace + change).clamp(-0.05, 0.05), atol=1e-6)


@pytest.mark.parametrize("limit", ["clip", "soft-clip"])
def test_the_eligibility_trace_is_used_before_it_is_updated(limit: str) -> None:
    network = modulated(modulation="retroactive", limit=limit)
    leaves = agents(network)
    _, kept = lives(network, leaves, seen(6, 4))
    for step, (before, after) in enumerate(pairwise(kept)):
        # Nothing can be gated until the first product of two activities is in the eligibility trace: two steps after birth.
        assert bool(after["trace"].any()) is (step >= 2)
        x, y = before["units"], after["units"]
        fresh = 0.8 * before["eligibility"] + 0.2 * x[:, :, None] * y[:, None, :]
        assert torch.allclose(after["eligibility"], fresh, atol=1e-6)
        modulator = torch.tanh((y * leaves["modulator.weight"][:, :, 0]).sum(dim=1))[:, None, None]
        change = modulator * before["eligibility"]
        if limit == "soft-clip":
            change = torch.where(change > 0, change * (1 - before["trace"]), change * (1 + before["trace"]))
        assert torch.allclose(after["trace"], (before["trace"] + change).clamp(-1, 1), atol=1e-6)


def test_rules_change_the_trace_as_they_are_written() -> None:
    for rule in RULES:
        network = plastic(rule=rule, bound=0.05)
        leaves = agents(network)
        for before, after in pairwise(lives(network, leaves, seen(6, 4))[1]):
            x, y, trace = before["units"][:, :, None], after["units"][:, None, :], before["trace"]
            wanted = {
                "decay": 0.8 * trace + 0.2 * x * y,
                "oja": trace + 0.2 * y * (x - trace * y),
                "clip": (trace + 0.2 * x * y).clamp(-0.05, 0.05),
                "soft-clip": (trace + 0.2 * x * y * (1 - (x * y).sign() * trace / 0.05)).clamp(-0.05, 0.05),
            }[rule]
            assert torch.allclose(after["trace"], wanted, atol=1e-6), rule


def test_what_comes_through_is_weight_and_plastic_trace_together() -> None:
    for alpha in ("connection", "shared"):
        network = plastic(alpha=alpha)
        leaves = agents(network)
        parts = {name.split(".")[-1]: leaf for name, leaf in leaves.items() if name.startswith(("core", "trace"))}
        percepts = seen(6, 4)
        for step, (before, after) in enumerate(pairwise(lives(network, leaves, percepts)[1])):
            now = at(percepts, step)
            assert now.reward is not None
            assert now.previous_action is not None
            entered = torch.cat([now.observation, now.reward[:, None], now.previous_action], dim=1)
            plasticity = parts["alpha"] if alpha == "connection" else parts["alpha"][:, None, None]
            weight = parts["recurrent"] + plasticity * before["trace"]
            sums = torch.einsum("bi,bij->bj", before["units"], weight) + torch.einsum("bi,bij->bj", entered, parts["input"])
            assert torch.allclose(after["units"], torch.tanh(sums + parts["bias"]), atol=1e-6)


@pytest.mark.parametrize("alpha", ["connection", "shared"])
@pytest.mark.parametrize("wiring", ["projected", "clamped"])
def test_trace_and_trace_free_agree_in_answers_and_gradients(alpha: str, wiring: str) -> None:
    found = []
    for trace in ("kept", "free"):
        network = plastic(alpha=alpha, trace=trace, wiring=wiring, value=False)
        outputs = OUTPUTS if wiring == "projected" else INPUTS
        leaves = network.init(Stream(1), network.build(network.structure, INPUTS, outputs), 3)
        leaves = {name: leaf.double().requires_grad_() for name, leaf in leaves.items()}
        percepts = seen(9, 3, 4)
        observation = percepts.observation * (seen(9, 3, 4, seed=5).observation > 0)
        observation = observation.double().requires_grad_()
        output = network.unroll(leaves, Percept(observation, percepts.reward, None, None))
        gradients = torch.autograd.grad(output.action.square().sum(), [*leaves.values(), observation])
        found.append([output.action, *gradients])
    assert len(found[0]) == len(found[1]) >= 5
    assert all(torch.allclose(one, other, atol=1e-12) for one, other in zip(*found, strict=True))
    assert all(bool(one.any()) for one in found[0])


def test_gradients_with_a_graph_do_not_go_through_one_leaf_to_another() -> None:
    network = plastic(trace="free")
    leaves = {name: leaf.double() for name, leaf in agents(network).items()}
    (recurrent,) = (name for name in leaves if name.endswith("recurrent"))
    (alpha,) = (name for name in leaves if name.endswith("alpha"))
    weight = leaves[recurrent].clone().requires_grad_()
    percepts = seen(9, 4, 3)
    percepts = Percept(percepts.observation.double(), percepts.reward, None, percepts.previous_action)
    loss = network.unroll({**leaves, recurrent: weight, alpha: 0.5 * weight}, percepts).action.square().sum()
    (plain,) = torch.autograd.grad(loss, weight, retain_graph=True)
    (graphed,) = torch.autograd.grad(loss, weight, create_graph=True)
    assert torch.allclose(plain, graphed.detach(), rtol=1e-9)


def test_a_life_of_one_step_has_gradients_with_a_graph_though_nothing_was_remembered() -> None:
    network = plastic(trace="free")
    leaves = {name: leaf.double().requires_grad_() for name, leaf in agents(network).items()}
    percepts = seen(1, 4, 3)
    percepts = Percept(percepts.observation.double(), percepts.reward, None, percepts.previous_action)
    loss = network.unroll(leaves, percepts).action.square().sum()
    used = [name for name in leaves if not name.startswith("value.")]
    wanted = [leaves[name] for name in used]
    plain = torch.autograd.grad(loss, wanted, retain_graph=True)
    graphed = torch.autograd.grad(loss, wanted, create_graph=True)
    assert all(torch.allclose(one, other, rtol=1e-9) for one, other in zip(plain, graphed, strict=True))
    assert {name for name, one in zip(used, plain, strict=True) if not one.any()} == {
        name for name in used if name.endswith(("recurrent", "alpha", "eta"))
    }


NETWORKS = [
    *(plastic(rule=rule) for rule in RULES),
    plastic(trace="free"),
    plastic(alpha="shared", trace="free"),
    modulated(limit="soft-clip", fan_out=True),
    modulated(modulation="retroactive"),
]


@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: str(dict(network.structure)))
def test_gradients_through_a_life_are_those_of_finite_differences(network: PlasticNetwork) -> None:
    leaves = {name: leaf.double() for name, leaf in agents(network, 2).items()}
    leaves = {name: (leaf if leaf.any() else leaf + 0.1).requires_grad_() for name, leaf in leaves.items()}
    percepts = seen(5, 2, 2)

    def answer(*parts: Tensor) -> Tensor:
        return network.unroll(dict(zip(leaves, parts, strict=True)), percepts).action[-1]

    assert torch.autograd.gradcheck(answer, tuple(leaves.values()), fast_mode=True)
    assert torch.autograd.gradgradcheck(answer, tuple(leaves.values()), fast_mode=True)


def test_gradients_reach_every_plastic_leaf_by_steps() -> None:
    for network in (plastic(), plastic(rule="oja", alpha="shared"), modulated(modulation="retroactive", fan_out=True)):
        leaves = wanting_gradients(agents(network))
        actions, _ = lives(network, leaves, seen(6, 4))
        actions[-1].sum().backward()
        assert all(leaf.grad is not None and bool(leaf.grad.any()) for n, leaf in leaves.items() if not n.startswith("value"))


@pytest.mark.parametrize(
    ("steps", "units", "alpha", "free"),
    [
        (11, 51, "connection", True),
        (80, 51, "connection", False),
        (106, 101, "connection", False),
        (106, 1001, "connection", True),
        (80, 51, "shared", True),
        (300, 101, "shared", False),
    ],
)
def test_a_life_that_is_short_against_the_width_is_lived_without_traces(
    monkeypatch: pytest.MonkeyPatch, steps: int, units: int, alpha: str, free: bool
) -> None:
    asked = []
    monkeypatch.setattr(trace_free, "sequence", lambda leaves, entry: asked.append("free") or torch.zeros(*entry.shape, units))
    monkeypatch.setattr(RecurrentNetwork, "sequence", lambda self, t, leaves, entry: torch.zeros(*entry.shape, units))
    network = plastic(alpha=alpha, units=units)
    network.unroll(agents(network, 1), seen(steps, 1, 1))
    assert (asked == ["free"]) is free
    oja = plastic(alpha=alpha, units=units, rule="oja")
    oja.unroll(agents(oja, 1), seen(steps, 1, 1))
    assert len(asked) == free, "only the decay rule has a form without traces"
