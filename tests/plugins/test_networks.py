from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from aiga import Percept, Space, Stream
from aiga.data import Leaves
from aiga_networks import Mlp, MlpNetwork

WALKER = (Space((24,)), Space((4,), low=-1.0, high=1.0))
examples = settings(derandomize=True, max_examples=25, deadline=None)


def network(**options: object) -> MlpNetwork:
    return MlpNetwork(Mlp.Options(**options))


def agents(net: MlpNetwork, count: int, inputs: Space = WALKER[0], outputs: Space = WALKER[1]) -> Leaves:
    return net.init(Stream(3), net.build(net.structure, inputs, outputs), count)


def act(net: MlpNetwork, leaves: Leaves, x: torch.Tensor) -> torch.Tensor:
    return net.step(leaves, net.newborn(leaves), Percept(x))[0].action


def some(leaves: Leaves, rows: torch.Tensor) -> Leaves:
    return {name: leaf[rows] for name, leaf in leaves.items()}


def test_the_default_walkers_policy_has_2804_parameters() -> None:
    net = network()
    layout = net.build(net.structure, *WALKER)
    assert sum(math.prod(shape) for shape in layout.values()) == 2804
    assert net.structure == {"version": 1, "hidden": [40, 40], "activation": "tanh", "output": "tanh"}


def test_newborn_parameters_biases_included_are_normal_with_the_initial_scale() -> None:
    for leaf in agents(network(), 200).values():
        assert abs(leaf.std() - 0.1) < 0.01
        assert abs(leaf.mean()) < 0.02
    for leaf in agents(network(init_scale=0.0), 2).values():
        assert (leaf == 0).all()


def test_every_agent_acts_by_its_own_parameters() -> None:
    net = network(hidden=[7, 5])
    leaves, x = agents(net, 3), torch.randn(3, 24, generator=torch.Generator().manual_seed(0))
    for row in range(3):
        h = x[row]
        for layer in range(3):
            h = torch.tanh(h @ leaves[f"{layer:03d}.tanh.weight"][row] + leaves[f"{layer:03d}.tanh.bias"][row])
        assert torch.allclose(act(net, leaves, x)[row], h, atol=1e-6)


def test_one_network_serves_agents_of_every_structure() -> None:
    net, other = network(hidden=[6]), network(hidden=[9, 9, 9], activation="relu", output="identity")
    x = torch.randn(4, 24, generator=torch.Generator().manual_seed(1))
    leaves = agents(other, 4)
    assert torch.equal(act(net, leaves, x), act(other, leaves, x))
    assert not torch.equal(act(net, agents(net, 4), x), act(other, leaves, x))


def test_activations_do_as_they_are_called() -> None:
    x = torch.linspace(-50, 50, 8)[:, None].expand(8, 24).contiguous()
    squashed = act(network(init_scale=1.0), agents(network(init_scale=1.0), 8), x)
    plain = network(activation="relu", output="identity", init_scale=1.0)
    assert squashed.abs().max() <= 1.0
    assert act(plain, agents(plain, 8), x).abs().max() > 1.0
    rectified = network(hidden=[], output="relu")
    assert act(rectified, agents(rectified, 8), x).min() == 0.0


@examples
@given(
    st.lists(st.integers(1, 45), max_size=2),
    st.integers(1, 30),
    st.integers(1, 6),
    st.sampled_from(["tanh", "relu"]),
    st.integers(0, 2**31),
)
def test_a_rows_bits_depend_neither_on_its_mates_nor_its_place_nor_their_number(
    hidden: list[int], inputs: int, outputs: int, activation: str, seed: int
) -> None:
    net = network(hidden=hidden, activation=activation, init_scale=0.5)
    leaves = agents(net, 67, Space((inputs,)), Space((outputs,)))
    x = torch.randn(67, inputs, generator=torch.Generator().manual_seed(seed))
    whole = act(net, leaves, x)
    shuffled = torch.randperm(67, generator=torch.Generator().manual_seed(seed + 1))
    assert torch.equal(act(net, some(leaves, shuffled), x[shuffled]), whole[shuffled])
    for rows in (torch.arange(1), torch.arange(5, 6), torch.arange(3, 19), torch.arange(1, 66)):
        assert torch.equal(act(net, some(leaves, rows), x[rows]), whole[rows])


def test_an_agent_is_drawn_from_its_row_key_alone() -> None:
    net = network()
    layout = net.build(net.structure, *WALKER)
    both = net.init(Stream(5).rows(torch.tensor([40, -7])), layout, 2)
    alone = net.init(Stream(5).rows(torch.tensor([-7])), layout, 1)
    assert all(torch.equal(both[name][1:], alone[name]) for name in layout)
    numbered = net.init(Stream(5), layout, 2)
    assert all(torch.equal(leaf, net.init(Stream(5).rows(torch.arange(2)), layout, 2)[n]) for n, leaf in numbered.items())


def test_as_many_row_keys_are_needed_as_agents() -> None:
    net = network()
    with pytest.raises(ValueError, match="3 rows asked for with 2 row keys"):
        net.init(Stream(5).rows(torch.arange(2)), net.build(net.structure, *WALKER), 3)


def test_a_picture_is_read_as_a_vector_of_any_precision() -> None:
    net = network(hidden=[3])
    leaves = agents(net, 2, Space((4, 6)))
    picture = torch.randn(2, 4, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    assert torch.equal(act(net, leaves, picture), act(net, leaves, picture.float().flatten(1)))


def test_gradients_reach_every_parameter() -> None:
    net = network(hidden=[4])
    leaves = {name: leaf.requires_grad_() for name, leaf in agents(net, 2).items()}
    act(net, leaves, torch.ones(2, 24)).sum().backward()
    assert all(leaf.grad is not None and leaf.grad.abs().sum() > 0 for leaf in leaves.values())


def test_layers_stay_in_order_beyond_ten() -> None:
    net = network(hidden=[3] * 12)
    layout = net.build(net.structure, *WALKER)
    weights = [layout[name] for name in sorted(layout) if name.endswith("weight")]
    assert weights == [(24, 3), *[(3, 3)] * 11, (3, 4)]


@pytest.mark.parametrize(
    ("structure", "message"),
    [
        ({"version": 2}, "version 2"),
        ({"version": 1, "hidden": [2], "activation": "sigmoid", "output": "tanh"}, "no activation 'sigmoid'"),
    ],
)
def test_a_structure_it_cannot_build_is_refused(structure: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        network().build(structure, *WALKER)


def test_outputs_that_are_no_vector_are_refused() -> None:
    with pytest.raises(ValueError, match="asks for shape"):
        network().build(network().structure, Space((24,)), Space((2, 2)))


@pytest.mark.parametrize(
    "options", [{"hidden": ["4"]}, {"hidden": [4.5]}, {"hidden": [0]}, {"activation": "sigmoid"}, {"init_scale": -1.0}]
)
def test_options_that_make_no_sense_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Mlp.Options(**options)
