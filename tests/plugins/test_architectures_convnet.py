"""The network ``convnet``: its suite, its operations, and agents filled up to their bucket."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

from aiga import Network, Percept, Space, Stream
from aiga.data import Leaves, flatten, unflatten
from aiga.padding import cut, padded
from aiga.testing import NetworkSuite
from aiga_architectures import Convnet, ConvnetNetwork
from aiga_architectures.cells import OPS

INPUTS, OUTPUTS = Space((2, 6, 5)), Space((4,), "discrete")
STRUCTURES: list[dict[str, Any]] = [
    {"channels": 3},
    {"channels": 3, "cells": 2, "reductions": 2, "nodes": ("0 conv1x3 + 0 max2", "2 avg3 + 0 conv1"), "activation": "tanh"},
    {"channels": 3, "norm": "none", "nodes": ("1 conv3 + 0 avg2",), "activation": "silu"},
    {"channels": 3, "weight_norm": False, "nodes": ("0 conv1x7 + 1 max3", "0 max5 + 1 avg5", "2 conv1 + 1 identity")},
]


def network_of(**chosen: Any) -> ConvnetNetwork:
    return ConvnetNetwork(Convnet.Options(**chosen))


def born(network: ConvnetNetwork, count: int, double: bool = False) -> Leaves:
    """Random agents with biases that are not zero."""
    leaves = network.init(Stream(1), network.build(network.structure, INPUTS, OUTPUTS), count)
    noise = {name: Stream(2).child(name).normal(*leaf.shape) for name, leaf in leaves.items()}
    leaves = {name: leaf + 0.1 * noise[name] for name, leaf in leaves.items()}
    return {name: leaf.double() for name, leaf in leaves.items()} if double else leaves


def pictures(agents: int, count: int) -> Tensor:
    return Stream(3).normal(agents, count, *INPUTS.shape)


class TestConvnet(NetworkSuite):
    inputs: ClassVar[Space] = INPUTS
    steps = 2

    @pytest.fixture(params=STRUCTURES, ids=str)
    def network(self, request: pytest.FixtureRequest) -> Network:
        return network_of(**request.param)


@pytest.fixture(params=STRUCTURES, ids=str)
def network(request: pytest.FixtureRequest) -> ConvnetNetwork:
    return network_of(**request.param)


def test_pictures_without_channels_have_one() -> None:
    network = network_of(channels=3)
    layout = network.build(network.structure, Space((6, 5)), OUTPUTS)
    leaves, x = network.init(Stream(1), layout, 2), Stream(3).normal(2, 3, 6, 5)
    assert layout == network.build(network.structure, Space((1, 6, 5)), OUTPUTS)
    assert torch.equal(network.see(leaves, x)[0], network.see(leaves, x[:, :, None])[0])


@pytest.mark.parametrize("op", OPS)
def test_every_operation_keeps_the_size_of_pictures_and_reaches_the_answer(op: str) -> None:
    network = network_of(channels=3, cells=1, reductions=0, nodes=(f"0 {op} + 0 identity",))
    leaves, x = born(network, 2), pictures(2, 3)
    assert network.see(leaves, x)[0].shape == (2, 3, 4)
    without = network_of(channels=3, cells=1, reductions=0, nodes=("0 identity + 0 identity",))
    bare = without.build(without.structure, INPUTS, OUTPUTS)
    renamed = {name.replace(f"0{op}-0identity", "0identity-0identity"): leaf for name, leaf in leaves.items()}
    other = without.see({name: renamed[name] for name in bare}, x)[0]
    assert (op == "identity") == torch.equal(network.see(leaves, x)[0], other)


def test_reductions_halve_the_picture_and_double_the_channels() -> None:
    network = network_of(channels=3, cells=4, reductions=2)
    layout = network.build(network.structure, Space((1, 8, 8)), OUTPUTS)
    widths = [layout[f"cell{cell:02d}.in0.kernel"][0] for cell in range(4)]
    assert widths == [3, 6, 12, 12]
    with pytest.raises(ValueError, match="cannot halve"):
        network.build(network.structure, Space((1, 3, 8)), OUTPUTS)


def test_answers_in_the_life_of_what_was_seen_are_those_given_then(network: ConvnetNetwork) -> None:
    leaves, x = born(network, 3), pictures(3, 6)
    seen, life = network.see(leaves, x)
    assert torch.allclose(network.answers(leaves, life, x), seen, atol=1e-4)


def test_settled_agents_answer_at_birth_as_in_the_life_before(network: ConvnetNetwork) -> None:
    leaves, x = born(network, 3), pictures(3, 6)
    _, life = network.see(leaves, x)
    settled = network.settled(leaves, life)
    answered = network.answers(leaves, life, x)
    assert torch.equal(network.answers(settled, network.newborn(settled), x), answered)
    output, _ = network.step(settled, network.newborn(settled), Percept(x[:, 0]))
    assert torch.allclose(output.action, answered[:, 0], atol=1e-5)
    assert bool(life) == (network.structure["norm"] == "mean")


def test_pictures_that_all_share_are_seen_as_if_each_had_its_own(network: ConvnetNetwork) -> None:
    leaves, x = born(network, 3), pictures(1, 6)
    alone, life = network.see(leaves, x)
    each, same = network.see(leaves, x.repeat(3, 1, 1, 1, 1))
    assert torch.allclose(alone, each, atol=1e-5)
    assert all(torch.allclose(life[name], same[name], atol=1e-5) for name in same)
    assert torch.equal(network.answers(leaves, life, x), network.answers(leaves, life, x.repeat(3, 1, 1, 1, 1)))


def test_answers_have_the_same_bits_beside_anybody(network: ConvnetNetwork, monkeypatch: pytest.MonkeyPatch) -> None:
    leaves, x = born(network, 4), pictures(4, 40)
    _, life = network.see(leaves, x)
    whole = network.answers(leaves, life, x)
    monkeypatch.setattr("aiga_architectures.convnet._PICTURES", 20)
    assert torch.equal(network.answers(leaves, life, x), whole)
    few = network.answers({n: v[2:3] for n, v in leaves.items()}, {n: v[2:3] for n, v in life.items()}, x[2:3, :9])
    assert torch.equal(whole[2:3, :9], few)


def test_a_filled_up_agent_sees_and_answers_as_before(network: ConvnetNetwork) -> None:
    leaves, x = born(network, 3), pictures(3, 6)
    bucket = network.bucket(network.structure)
    assert network.bucket(bucket) == bucket
    assert bucket["channels"] == 8
    wide = padded(leaves, network.build(bucket, INPUTS, OUTPUTS))
    seen, life = network.see(leaves, x)
    again, grown = network.see(wide, x)
    assert torch.allclose(again, seen, atol=1e-4)
    assert torch.allclose(network.answers(wide, grown, x), network.answers(leaves, life, x), atol=1e-4)


def test_descent_leaves_the_filling_at_zero_and_the_rest_where_it_would_be(network: ConvnetNetwork) -> None:
    layout = network.build(network.structure, INPUTS, OUTPUTS)
    wide = network.build(network.bucket(network.structure), INPUTS, OUTPUTS)
    thin, thick = born(network, 2, double=True), padded(born(network, 2, double=True), wide)
    for step in range(2):
        x = pictures(2, 4).double() + step
        thin, thick = descended(network, thin, x), descended(network, thick, x)
    again = cut(thick, layout)
    assert all(torch.allclose(again[name], leaf) for name, leaf in thin.items())
    assert all(torch.equal(padded(again, wide)[name], leaf) for name, leaf in thick.items())


def descended(network: ConvnetNetwork, leaves: Leaves, x: Tensor) -> Leaves:
    """After one step down the squares of the answers, whose gradient is finite."""
    held = {name: leaf.detach().requires_grad_() for name, leaf in leaves.items()}
    loss = (network.see(held, x)[0] - 1.0).square().mean(dim=(1, 2)).sum()
    gradients = torch.autograd.grad(loss, list(held.values()))
    assert all(bool(gradient.isfinite().all()) for gradient in gradients)
    return {name: (leaf - 0.1 * g).detach() for (name, leaf), g in zip(held.items(), gradients, strict=True)}


def test_what_is_seen_together_can_be_differentiated_twice() -> None:
    network = network_of(
        channels=2, cells=1, reductions=1, nodes=("0 conv3 + 1 max2", "2 avg3 + 0 identity"), activation="tanh"
    )
    inputs = Space((1, 2, 2))
    leaves = network.init(Stream(1), network.build(network.structure, inputs, OUTPUTS), 2)
    leaves = {name: leaf.double() for name, leaf in leaves.items()}
    x = Stream(3).normal(2, 2, *inputs.shape).double().requires_grad_()

    def answered(x: Tensor, flat: Tensor) -> Tensor:
        seen, life = network.see(unflatten(flat, leaves), x)
        return torch.cat([seen.flatten(), *(part.flatten() for part in life.values())])

    flat = flatten(leaves).requires_grad_()
    assert torch.autograd.gradcheck(answered, (x, flat), fast_mode=True)
    assert torch.autograd.gradgradcheck(answered, (x, flat), fast_mode=True)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"version": 2}, "version 1"),
        ({"nodes": []}, "at least one node"),
        ({"nodes": [[[0, "conv3"]]]}, "two operations"),
        ({"nodes": [[[0, "conv3"], [2, "identity"]]]}, "comes after states 0 to 1, found 2"),
        ({"nodes": [[[0, "conv5"], [1, "identity"]]]}, "no operation 'conv5'"),
        ({"nodes": [[[1, "conv3"], [1, "identity"]]]}, "uses state 0"),
        ({"reductions": 3}, "at most once a cell"),
    ],
)
def test_structures_of_what_there_is_not_are_refused(wrong: dict[str, Any], message: str) -> None:
    network = network_of()
    with pytest.raises(ValueError, match=message):
        network.build({**network.structure, **wrong}, INPUTS, OUTPUTS)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"nodes": ("0 conv3",)}, "two operations"), ({"nodes": ("conv3 + 0",)}, "such as"), ({"reductions": 5}, "at most one")],
)
def test_options_of_what_there_is_not_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        network_of(**wrong)
