"""The network ``perceptron``: its suite, what is seen together, and agents filled up to their bucket."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

from aiga import Network, Percept, Space, Stream
from aiga.data import Leaves, flatten, unflatten
from aiga.padding import cut, padded
from aiga.testing import NetworkSuite
from aiga_architectures import Perceptron, PerceptronNetwork

INPUTS, OUTPUTS = Space((2, 3)), Space((4,), "discrete")
STRUCTURES: list[dict[str, Any]] = [
    {"hidden": (7, 5)},
    {"hidden": (7, 5, 6), "skip": True, "activation": "silu"},
    {"hidden": (7,), "norm": "none", "activation": "gelu"},
    {"hidden": (7, 9), "weight_norm": False, "activation": "tanh"},
    {"hidden": (7, 9), "weight_norm": False, "norm": "none", "skip": True, "activation": "softsign"},
    {"hidden": (), "activation": "relu"},
]


def network_of(**chosen: Any) -> PerceptronNetwork:
    return PerceptronNetwork(Perceptron.Options(**chosen))


def born(network: PerceptronNetwork, count: int, double: bool = False) -> Leaves:
    """Random agents with biases that are not zero."""
    leaves = network.init(Stream(1), network.build(network.structure, INPUTS, OUTPUTS), count)
    noise = {name: Stream(2).child(name).normal(*leaf.shape) for name, leaf in leaves.items()}
    leaves = {name: leaf + 0.3 * noise[name] for name, leaf in leaves.items()}
    return {name: leaf.double() for name, leaf in leaves.items()} if double else leaves


def pictures(agents: int, count: int) -> Tensor:
    return Stream(3).normal(agents, count, *INPUTS.shape)


class TestPerceptron(NetworkSuite):
    inputs: ClassVar[Space] = Space((5, 2))

    @pytest.fixture(params=STRUCTURES, ids=str)
    def network(self, request: pytest.FixtureRequest) -> Network:
        return network_of(**request.param)


@pytest.fixture(params=STRUCTURES, ids=str)
def network(request: pytest.FixtureRequest) -> PerceptronNetwork:
    return network_of(**request.param)


def test_gains_are_born_as_long_as_their_weights() -> None:
    network = network_of(hidden=(7,))
    layout = network.build(network.structure, INPUTS, OUTPUTS)
    plain = network_of(hidden=(7,), weight_norm=False)
    leaves = network.init(Stream(1), layout, 3)
    bare = {name: leaf for name, leaf in leaves.items() if not name.endswith(".gain")}
    x = pictures(3, 6)
    assert torch.allclose(network.see(leaves, x)[0], plain.see(bare, x)[0], atol=1e-6)


def test_biases_are_not_scaled_by_gains() -> None:
    network = network_of(hidden=(), norm="none")
    leaves = born(network, 2)
    silent = {name: torch.zeros_like(leaf) if name.endswith(".gain") else leaf for name, leaf in leaves.items()}
    (bias,) = (leaf for name, leaf in leaves.items() if name.endswith(".bias"))
    assert torch.equal(network.see(silent, pictures(2, 3))[0], bias[:, None].expand(-1, 3, -1))


def test_hidden_units_see_what_is_seen_together_less_its_mean() -> None:
    network = network_of(hidden=(7,), activation="relu")
    leaves, x = born(network, 2), pictures(2, 5)
    shifted, _ = network.see(leaves, x + 3.0)
    assert torch.allclose(shifted, network.see(leaves, x)[0], atol=1e-4)
    assert not torch.allclose(network.see(leaves, x[:, :3])[0], network.see(leaves, x)[0][:, :3], atol=1e-3)


def test_answers_in_the_life_of_what_was_seen_are_those_given_then(network: PerceptronNetwork) -> None:
    leaves, x = born(network, 3), pictures(3, 6)
    seen, life = network.see(leaves, x)
    assert torch.allclose(network.answers(leaves, life, x), seen, atol=1e-5)


def test_settled_agents_answer_at_birth_as_in_the_life_before(network: PerceptronNetwork) -> None:
    leaves, x = born(network, 3), pictures(3, 6)
    _, life = network.see(leaves, x)
    settled = network.settled(leaves, life)
    assert torch.equal(network.answers(settled, network.newborn(settled), x), network.answers(leaves, life, x))
    output, _ = network.step(settled, network.newborn(settled), Percept(x[:, 0]))
    assert torch.allclose(output.action, network.answers(leaves, life, x)[:, 0], atol=1e-5)


def test_steps_follow_leaves_that_are_changed_in_place_and_others_of_the_same_kind() -> None:
    network = network_of(hidden=(7, 5))
    leaves, given = born(network, 3), Percept(pictures(3, 1)[:, 0])
    others, life = {name: leaf.flip(0) for name, leaf in leaves.items()}, network.newborn(leaves)
    before = network.step(leaves, life, given)[0].action
    assert torch.equal(network.step(leaves, life, given)[0].action, before)
    mirrored = network.step(others, life, Percept(given.observation.flip(0)))[0].action
    assert torch.equal(mirrored, before.flip(0))
    for leaf in leaves.values():
        leaf.mul_(1.5)
    after = network.step(leaves, life, given)[0].action
    assert torch.equal(after, network_of(hidden=(7, 5)).step(leaves, life, given)[0].action)
    assert not torch.allclose(after, before)


def test_an_observation_that_all_share_is_seen_as_if_each_had_its_own(network: PerceptronNetwork) -> None:
    leaves, x = born(network, 3), pictures(1, 6)
    alone, life = network.see(leaves, x)
    each, same = network.see(leaves, x.repeat(3, 1, 1, 1))
    assert torch.allclose(alone, each, atol=1e-6)
    assert all(torch.allclose(life[name], same[name], atol=1e-6) for name in same)
    assert torch.equal(network.answers(leaves, life, x), network.answers(leaves, life, x.repeat(3, 1, 1, 1)))


def test_answers_have_the_same_bits_beside_anybody(network: PerceptronNetwork) -> None:
    leaves, x = born(network, 5), pictures(5, 40)
    _, life = network.see(leaves, x)
    whole = network.answers(leaves, life, x)
    few = network.answers({n: v[2:3] for n, v in leaves.items()}, {n: v[2:3] for n, v in life.items()}, x[2:3, :9])
    assert torch.equal(whole[2:3, :9], few)


def test_a_filled_up_agent_sees_and_answers_as_before(network: PerceptronNetwork) -> None:
    leaves, x = born(network, 3), pictures(3, 6)
    wide = padded(leaves, network.build(network.bucket(network.structure), INPUTS, OUTPUTS))
    seen, life = network.see(leaves, x)
    again, grown = network.see(wide, x)
    assert torch.allclose(again, seen, atol=1e-5)
    assert torch.allclose(network.answers(wide, grown, x), network.answers(leaves, life, x), atol=1e-5)


def test_the_bucket_of_a_bucket_is_itself(network: PerceptronNetwork) -> None:
    bucket = network.bucket(network.structure)
    assert network.bucket(bucket) == bucket
    assert len(bucket["hidden"]) == len(network.structure["hidden"])


def test_descent_leaves_the_filling_at_zero_and_the_rest_where_it_would_be(network: PerceptronNetwork) -> None:
    layout = network.build(network.structure, INPUTS, OUTPUTS)
    wide = network.build(network.bucket(network.structure), INPUTS, OUTPUTS)
    thin, thick = born(network, 3, double=True), padded(born(network, 3, double=True), wide)
    for step in range(4):
        x = pictures(3, 6).double() + step
        thin, thick = descended(network, thin, x), descended(network, thick, x)
    again = cut(thick, layout)
    assert all(torch.allclose(again[name], leaf) for name, leaf in thin.items())
    assert all(torch.equal(padded(cut(thick, layout), wide)[name], leaf) for name, leaf in thick.items())


def descended(network: PerceptronNetwork, leaves: Leaves, x: Tensor) -> Leaves:
    """After one step down the squares of the answers, whose gradient is finite."""
    held = {name: leaf.detach().requires_grad_() for name, leaf in leaves.items()}
    loss = (network.see(held, x)[0] - 1.0).square().mean(dim=(1, 2)).sum()
    gradients = torch.autograd.grad(loss, list(held.values()))
    assert all(bool(gradient.isfinite().all()) for gradient in gradients)
    return {name: (leaf - 0.1 * g).detach() for (name, leaf), g in zip(held.items(), gradients, strict=True)}


def test_a_filled_up_agent_has_the_meta_gradient_of_an_unfilled_one(network: PerceptronNetwork) -> None:
    layout = network.build(network.structure, INPUTS, OUTPUTS)
    wide = network.build(network.bucket(network.structure), INPUTS, OUTPUTS)
    thin, thick = born(network, 2, double=True), padded(born(network, 2, double=True), wide)
    (lesson, small), (again, large) = taught(network, thin), taught(network, thick)
    assert torch.allclose(lesson, again)
    assert all(torch.allclose(cut(large, layout)[name], gradient) for name, gradient in small.items())
    assert all(torch.equal(padded(cut(large, layout), wide)[name], gradient) for name, gradient in large.items())


def taught(network: PerceptronNetwork, leaves: Leaves) -> tuple[Tensor, Leaves]:
    """The gradients, in what is shown and in the leaves, of the answers after a step down the squares of those to it."""
    held = {name: leaf.detach().requires_grad_() for name, leaf in leaves.items()}
    shown = pictures(1, 5).double().requires_grad_()
    loss = network.see(held, shown)[0].square().mean(dim=(1, 2)).sum()
    first = torch.autograd.grad(loss, list(held.values()), create_graph=True)
    after = {name: leaf - 0.1 * g for (name, leaf), g in zip(held.items(), first, strict=True)}
    outer = network.see(after, pictures(2, 6).double())[0].square().sum()
    lesson, *gradients = torch.autograd.grad(outer, [shown, *held.values()])
    return lesson, dict(zip(held, gradients, strict=True))


@pytest.mark.parametrize("filled", [False, True])
def test_what_is_seen_together_can_be_differentiated_twice(filled: bool) -> None:
    network = network_of(hidden=(3, 2), activation="tanh", skip=True)
    leaves = born(network, 2, double=True)
    if filled:
        wide = network.build({**network.structure, "hidden": [4, 3]}, INPUTS, OUTPUTS)
        leaves = padded(leaves, wide)
    x = pictures(2, 3).double().requires_grad_()
    alive = flatten(leaves) != 0  # where all is zero, a length has no derivative that differences could find

    def answered(x: Tensor, some: Tensor) -> Tensor:
        flat = torch.zeros_like(alive, dtype=x.dtype).masked_scatter(alive, some)
        seen, life = network.see(unflatten(flat, leaves), x)
        return torch.cat([seen.flatten(), *(part.flatten() for part in life.values())])

    some = flatten(leaves)[alive].requires_grad_()
    assert torch.autograd.gradcheck(answered, (x, some))
    assert torch.autograd.gradgradcheck(answered, (x, some))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"version": 2}, "version 1"),
        ({"activation": "sigmoid"}, "no activation 'sigmoid'"),
        ({"norm": "batch"}, "no norm 'batch'"),
        ({"hidden": [3, 0]}, "at least one unit"),
    ],
)
def test_structures_of_what_there_is_not_are_refused(wrong: dict[str, Any], message: str) -> None:
    network = network_of()
    with pytest.raises(ValueError, match=message):
        network.build({**network.structure, **wrong}, INPUTS, OUTPUTS)
