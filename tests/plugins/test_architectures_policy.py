"""The network ``policy``: its suite, its memories, lives side by side, and agents filled up to their bucket."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

from aiga import Network, Percept, Space, Stream
from aiga.data import Leaves
from aiga.forgetting import forgetful
from aiga.padding import cut, padded
from aiga.testing import NetworkSuite
from aiga_architectures import Policy, PolicyNetwork

INPUTS, OUTPUTS = Space((2, 3)), Space((4,), "discrete")
STRUCTURES: list[dict[str, Any]] = [
    {"memory": "none", "activation": "relu", "value": False},
    {"memory": "recurrent", "reward": False},
    {"memory": "plastic"},
    {"memory": "plastic", "previous_action": False, "activation": "softsign"},
]


def network_of(**chosen: Any) -> PolicyNetwork:
    return PolicyNetwork(Policy.Options(hidden=7, eta=0.3, alpha_scale=0.5, **chosen))


def born(network: PolicyNetwork, count: int, double: bool = False) -> Leaves:
    leaves = network.init(Stream(1), network.build(network.structure, INPUTS, OUTPUTS), count)
    leaves = {name: leaf + 0.1 * Stream(2).child(name).normal(*leaf.shape) for name, leaf in leaves.items()}
    return {name: leaf.double() for name, leaf in leaves.items()} if double else leaves


def percepts(steps: int, *lead: int) -> Percept:
    """Of lives ``[T, ...]``; actions are numbers of choices."""
    drawn = Stream(3)
    chosen = drawn.child("action").integers(0, 4, steps, *lead)
    rewards = drawn.child("reward").normal(steps, *lead)
    return Percept(drawn.normal(steps, *lead, *INPUTS.shape), rewards, None, chosen)


def at(percept: Percept, index: Any) -> Percept:
    held = {each.name: getattr(percept, each.name) for each in fields(percept)}
    return Percept(**{name: None if part is None else part[index] for name, part in held.items()})


def lived(network: PolicyNetwork, leaves: Leaves, life: dict[str, Tensor], given: Percept) -> Tensor:
    """``[T, ...]`` actions."""
    actions = []
    for step in range(len(given.observation)):
        output, life = network.step(leaves, life, at(given, step))
        actions.append(output.action)
    return torch.stack(actions)


class TestPolicy(NetworkSuite):
    @pytest.fixture(params=STRUCTURES, ids=str)
    def network(self, request: pytest.FixtureRequest) -> Network:
        return network_of(**request.param)


class TestPolicyThatChooses(NetworkSuite):
    outputs: ClassVar[Space] = Space((4,), "discrete")

    @pytest.fixture
    def network(self) -> Network:
        return network_of(memory="plastic")


@pytest.fixture(params=STRUCTURES, ids=str)
def network(request: pytest.FixtureRequest) -> PolicyNetwork:
    return network_of(**request.param)


def test_what_was_perceived_before_matters_only_to_a_memory(network: PolicyNetwork) -> None:
    leaves, given = born(network, 2), percepts(3, 2)
    whole = lived(network, leaves, network.newborn(leaves), given)
    alone = lived(network, leaves, network.newborn(leaves), at(given, slice(2, 3)))
    assert torch.equal(whole[2:], alone) == (network.structure["memory"] == "none")


def test_a_plastic_policy_without_its_traces_is_a_recurrent_one() -> None:
    plastic, recurrent = network_of(memory="plastic"), network_of(memory="recurrent")
    leaves, given = born(plastic, 2), percepts(5, 2)
    bare = {name: leaf for name, leaf in leaves.items() if not name.startswith("trace.")}
    without = lived(forgetful(plastic), leaves, plastic.newborn(leaves), given)  # type: ignore[arg-type]
    other = lived(recurrent, bare, recurrent.newborn(bare), given)
    assert torch.allclose(without, other, atol=1e-6)
    assert not torch.allclose(lived(plastic, leaves, plastic.newborn(leaves), given), other, atol=1e-3)


def test_traces_follow_hebb_with_decay() -> None:
    network = network_of(memory="plastic")
    leaves = born(network, 2)
    before = {"units": Stream(5).normal(2, 7), "trace": Stream(6).normal(2, 7, 7)}
    _, after = network.step(leaves, before, at(percepts(1, 2), 0))
    eta = leaves["trace.eta"][:, None, None]
    hebb = before["units"][:, :, None] * after["units"][:, None]
    assert torch.allclose(after["trace"], (1 - eta) * before["trace"] + eta * hebb, atol=1e-6)


def test_lives_side_by_side_are_those_of_copies_of_the_agent(network: PolicyNetwork) -> None:
    leaves, given = born(network, 2), percepts(4, 2, 3)
    apart = {name: leaf.repeat_interleave(3, dim=0) for name, leaf in leaves.items()}
    flat = Percept(*(None if part is None else part.flatten(1, 2) for part in (given.observation, given.reward)), None)  # type: ignore[arg-type]
    assert given.previous_action is not None
    flat = Percept(flat.observation, flat.reward, None, given.previous_action.flatten(1, 2))
    wanted = lived(network, apart, network.newborn(apart), flat).reshape(4, 2, 3, -1)
    beside = {name: leaf[:, None].requires_grad_() for name, leaf in leaves.items()}
    life = {part: zero.expand(2, 3, *zero.shape[2:]) for part, zero in network.newborn(beside).items()}
    assert torch.allclose(lived(network, beside, life, given), wanted, atol=1e-5)
    unrolled = network.unroll(leaves, given)
    assert torch.allclose(unrolled.action, wanted, atol=1e-5)
    assert (unrolled.value is not None) == network.structure["value"]


def test_a_filled_up_agent_lives_as_before(network: PolicyNetwork) -> None:
    leaves, given = born(network, 3), percepts(4, 3)
    bucket = network.bucket(network.structure)
    assert network.bucket(bucket) == bucket
    wide = padded(leaves, network.build(bucket, INPUTS, OUTPUTS))
    there = lived(network, wide, network.newborn(wide), given)
    assert torch.allclose(there, lived(network, leaves, network.newborn(leaves), given), atol=1e-5)


def test_descent_leaves_the_filling_at_zero_and_the_rest_where_it_would_be(network: PolicyNetwork) -> None:
    layout = network.build(network.structure, INPUTS, OUTPUTS)
    wide = network.build(network.bucket(network.structure), INPUTS, OUTPUTS)
    thin, thick = born(network, 2, double=True), padded(born(network, 2, double=True), wide)
    for _ in range(3):
        thin, thick = descended(network, thin), descended(network, thick)
    again = cut(thick, layout)
    assert all(torch.allclose(again[name], leaf) for name, leaf in thin.items())
    assert all(torch.equal(padded(again, wide)[name], leaf) for name, leaf in thick.items())


def descended(network: PolicyNetwork, leaves: Leaves) -> Leaves:
    held = {name: leaf.detach().requires_grad_() for name, leaf in leaves.items()}
    output = network.unroll(held, percepts(4, 2, 3))
    loss = (output.action - 1.0).square().sum() + (0.0 if output.value is None else output.value.square().sum())
    gradients = torch.autograd.grad(loss, list(held.values()))
    return {name: (leaf - 0.01 * g).detach() for (name, leaf), g in zip(held.items(), gradients, strict=True)}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"version": 2}, "version 1"), ({"memory": "lstm"}, "no memory 'lstm'"), ({"hidden": 0}, "at least one unit")],
)
def test_structures_of_what_there_is_not_are_refused(wrong: dict[str, Any], message: str) -> None:
    network = network_of()
    with pytest.raises(ValueError, match=message):
        network.build({**network.structure, **wrong}, INPUTS, OUTPUTS)
