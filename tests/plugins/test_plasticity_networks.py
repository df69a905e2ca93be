"""What the recurrent networks share: what they perceive and answer, in what company, at what size."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import Tensor

from aiga import Network, Percept, Space, Stream
from aiga.data import Leaves
from aiga.testing.sameness import same, some
from aiga_networks import Mlp, MlpNetwork
from aiga_plasticity import (
    Backpropamine,
    BackpropamineNetwork,
    Lstm,
    LstmNetwork,
    Plastic,
    PlasticNetwork,
    Rnn,
    RnnNetwork,
    matched_units,
    parameters,
)
from aiga_plasticity.recurrent import RecurrentNetwork

INPUTS, OUTPUTS = Space((3,)), Space((2,), "discrete")
MADE = {
    "rnn": lambda **options: RnnNetwork(Rnn.Options(**options)),
    "lstm": lambda **options: LstmNetwork(Lstm.Options(**options)),
    "plastic": lambda **options: PlasticNetwork(Plastic.Options(**{"eta": 0.2, "alpha_scale": 0.4, **options})),
    "backpropamine": lambda **options: BackpropamineNetwork(Backpropamine.Options(**{"alpha_scale": 0.4, **options})),
    "retroactive": lambda **options: BackpropamineNetwork(
        Backpropamine.Options(**{"alpha_scale": 0.4, "modulation": "retroactive", "fan_out": True, **options})
    ),
}
each_network = pytest.mark.parametrize("name", MADE)


def make(name: str, **options: Any) -> RecurrentNetwork:
    return MADE[name](**options)


def agents(network: Network, count: int = 4, inputs: Space = INPUTS, outputs: Space = OUTPUTS) -> Leaves:
    return network.init(Stream(1), network.build(network.structure, inputs, outputs), count)


def seen(*lead: int, inputs: int = 3) -> Percept:
    rng = Stream(2)
    action = rng.child("a").integers(0, 2, *lead)
    return Percept(rng.child("o").normal(*lead, inputs), rng.child("r").normal(*lead), None, action)


def at(percepts: Percept, step: int) -> Percept:
    assert percepts.reward is not None
    assert percepts.previous_action is not None
    return Percept(percepts.observation[step], percepts.reward[step], None, percepts.previous_action[step])


def live(network: Network, leaves: Leaves, percepts: Percept) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    life, actions, values = network.newborn(leaves), [], []
    for step in range(len(percepts.observation)):
        output, life = network.step(leaves, life, at(percepts, step))
        assert output.value is not None
        actions.append(output.action)
        values.append(output.value)
    return torch.stack(actions), torch.stack(values), life


@each_network
def test_a_whole_life_is_its_steps(name: str) -> None:
    network = make(name, units=6)
    leaves, percepts = agents(network, 3), seen(8, 3, 5)
    rows = {n: leaf.repeat_interleave(5, dim=0) for n, leaf in leaves.items()}
    flat = Percept(*(None if x is None else x.reshape(8, 15, *x.shape[3:]) for x in vars(percepts).values()))  # type: ignore[arg-type]
    actions, values, _ = live(network, rows, flat)
    output = network.unroll(leaves, percepts)
    assert output.value is not None
    assert torch.allclose(output.action.flatten(1, 2), actions, atol=1e-5)
    assert torch.allclose(output.value.flatten(1, 2), values, atol=1e-5)


@each_network
@pytest.mark.parametrize("gradients", [False, True], ids=["exact", "fast"])
def test_lives_that_share_their_leaves_by_expanding_live_as_lives_with_copies(name: str, gradients: bool) -> None:
    network = make(name, units=6)
    leaves = {n: leaf.requires_grad_(gradients) for n, leaf in agents(network, 2).items()}
    one = {n: leaf[:1].expand(5, *leaf.shape[1:]) for n, leaf in leaves.items()}
    two = {n: leaf[:, None].expand(2, 5, *leaf.shape[1:]) for n, leaf in leaves.items()}
    copies = {n: leaf.repeat_interleave(5, dim=0) for n, leaf in leaves.items()}
    percepts = seen(6, 2, 5)
    flat = Percept(*(None if x is None else x.flatten(1, 2) for x in vars(percepts).values()))  # type: ignore[arg-type]
    first = Percept(*(None if x is None else x[:, 0] for x in vars(percepts).values()))  # type: ignore[arg-type]
    alike = torch.equal if not gradients else lambda a, b: torch.allclose(a, b, atol=1e-6)
    wanted = live(network, copies, flat)
    for shared, shown, rows in ((two, percepts, slice(0, 10)), (one, first, slice(0, 5))):
        actions, values, life = live(network, shared, shown)
        assert alike(actions.reshape(6, -1, 2), wanted[0][:, rows])
        assert alike(values.reshape(6, -1), wanted[1][:, rows])
        assert all(alike(life[part].reshape(wanted[2][part][rows].shape), wanted[2][part][rows]) for part in life)


@settings(derandomize=True, max_examples=30, deadline=None)
@given(st.sampled_from(list(MADE)), st.integers(1, 40), st.integers(1, 20), st.integers(1, 6), st.booleans())
def test_a_rows_bits_depend_neither_on_its_mates_nor_its_place_nor_their_number(
    name: str, units: int, inputs: int, outputs: int, shared: bool
) -> None:
    options = {"alpha": "shared"} if shared and name not in ("rnn", "lstm") else {}
    network = make(name, units=units, **options)
    leaves = agents(network, 37, Space((inputs,)), Space((outputs,)))
    observation = Stream(3).normal(3, 37, inputs)

    def lived(rows: Tensor) -> dict[str, Tensor]:
        mine = some(leaves, rows)
        life = network.newborn(mine)
        for step in range(3):
            output, life = network.step(mine, life, Percept(observation[step][rows]))
        assert output.value is not None
        return {**life, "action": output.action, "value": output.value}

    whole = lived(torch.arange(37))
    for rows in (torch.arange(1), torch.arange(5, 6), torch.arange(36, -1, -3), torch.arange(1, 36)):
        assert same(lived(rows), some(whole, rows))


@each_network
def test_reward_and_previous_action_are_perceived_where_the_options_say(name: str) -> None:
    percept, other = (replace(at(seen(1, 4), 0), reward=torch.full((4,), reward)) for reward in (0.0, 1.0))
    assert percept.previous_action is not None
    moved = replace(percept, previous_action=1 - percept.previous_action)
    for reward in (True, False):
        for action in (True, False):
            network = make(name, units=6, reward=reward, previous_action=action)
            leaves = agents(network)
            first, rewarded, acted = (
                network.step(leaves, network.newborn(leaves), p)[0].action for p in (percept, other, moved)
            )
            assert torch.equal(first, rewarded) is not reward
            assert torch.equal(first, acted) is not action


@each_network
@pytest.mark.parametrize("action", [True, False])
def test_a_target_is_perceived_where_the_option_says(name: str, action: bool) -> None:
    percept = at(seen(1, 4), 0)
    hot = torch.eye(2).repeat(2, 1)
    told = [replace(percept, target=target) for target in (None, torch.zeros(4, 2), hot, hot.argmax(dim=1))]
    for target in (True, False):
        network = make(name, units=6, target=target, previous_action=action)
        leaves = agents(network)
        none, zeros, one_hot, number = (network.step(leaves, network.newborn(leaves), p)[0].action for p in told)
        assert torch.equal(none, zeros)
        assert torch.equal(one_hot, number)
        assert torch.equal(one_hot, none) is not target


def test_a_structure_of_before_there_were_targets_perceives_none() -> None:
    network = make("rnn", units=6)
    old = {key: value for key, value in network.structure.items() if key != "target"}
    assert network.build(old, INPUTS, OUTPUTS) == network.build(network.structure, INPUTS, OUTPUTS)


def test_a_wired_network_perceives_no_target() -> None:
    space = Space((4,))
    wired, told = (make("rnn", wiring="additive", target=target) for target in (False, True))
    assert told.build(told.structure, space, space) == wired.build(wired.structure, space, space)


@each_network
def test_an_action_is_perceived_the_same_as_a_number_and_as_one_hot_and_none_as_zeros(name: str) -> None:
    network = make(name, units=6)
    leaves, percept = agents(network), at(seen(1, 4), 0)
    assert percept.previous_action is not None
    hot = torch.eye(2)[percept.previous_action]
    by_number, by_vector, nothing, zeros = (
        network.step(leaves, network.newborn(leaves), replace(percept, previous_action=action))[0].action
        for action in (percept.previous_action, hot, None, torch.zeros(4, 2))
    )
    assert torch.equal(by_number, by_vector)
    assert torch.equal(nothing, zeros)
    assert not torch.equal(nothing, by_number)


@each_network
def test_a_picture_is_perceived_as_a_vector_of_any_precision(name: str) -> None:
    network = make(name, units=6)
    leaves, picture = agents(network, 2, Space((4, 6))), torch.eye(6)[:4].repeat(2, 1, 1)
    flat, square = (
        network.step(leaves, network.newborn(leaves), Percept(x))[0] for x in (picture.flatten(1), picture.double())
    )
    assert torch.equal(flat.action, square.action)


def test_actions_between_minus_one_and_one_are_squashed_and_logits_are_not() -> None:
    network = make("rnn", units=6)
    free = {name: leaf * 100 for name, leaf in agents(network).items()}
    bounded = network.build(network.structure, INPUTS, Space((2,), low=-1.0, high=1.0))
    assert len(bounded) == len(free)
    same_numbers = dict(zip(bounded, free.values(), strict=True))
    percept = at(seen(1, 4), 0)
    squashed, logits = (network.step(leaves, network.newborn(leaves), percept)[0].action for leaves in (same_numbers, free))
    assert squashed.abs().max() <= 1.0
    assert logits.abs().max() > 1.0
    assert torch.equal(torch.tanh(logits), squashed)


def test_a_value_is_answered_where_it_is_asked_for() -> None:
    for value in (True, False):
        network = make("plastic", units=6, value=value)
        leaves = agents(network)
        answered = network.step(leaves, network.newborn(leaves), at(seen(1, 4), 0))[0].value
        assert (answered is not None) is value
    assert "value.weight" not in leaves


def test_the_lstm_is_that_of_torch() -> None:
    network = make("lstm", units=5, reward=False, previous_action=False)
    leaves = agents(network, 1)
    theirs = torch.nn.LSTM(3, 5)
    parts = {name.split(".")[-1]: leaf[0] for name, leaf in leaves.items() if name.startswith("core")}
    order = torch.tensor([1, 2, 0, 3])  # theirs: input gate, forget gate, cell, output gate

    def turned(columns: Tensor) -> Tensor:
        blocks = columns.unflatten(-1, (4, 5))[..., order, :].flatten(-2)
        return blocks if blocks.ndim == 1 else blocks.T

    with torch.no_grad():
        theirs.weight_ih_l0.copy_(turned(parts["input"]))
        theirs.weight_hh_l0.copy_(turned(parts["recurrent"]))
        theirs.bias_ih_l0.copy_(turned(parts["bias"]))
        theirs.bias_hh_l0.zero_()
    x = seen(7, 1).observation
    _, _, life = live(network, leaves, seen(7, 1))
    activity, cells = theirs(x)[1]
    assert torch.allclose(life["units"], activity[0], atol=1e-6)
    assert torch.allclose(life["cells"], cells[0], atol=1e-6)
    assert parts["bias"].tolist() == [0.0] * 10 + [1.0] * 5 + [0.0] * 5


@pytest.mark.parametrize("name", ["rnn", "lstm", "plastic", "backpropamine"])
def test_an_additive_input_saturates_its_unit_and_a_clamped_one_holds_it(name: str) -> None:
    observation = torch.tensor([[1.0, -1.0, 0.5, 0.0]]).repeat(2, 1)
    space = Space((4,))
    for wiring, wanted in (("additive", torch.tensor([1.0, -1.0, 1.0])), ("clamped", torch.tensor([1.0, -1.0, 0.5]))):
        network = make(name, wiring=wiring)
        leaves = agents(network, 2, space, space)
        life = network.newborn(leaves)
        assert life["units"].shape == (2, 5)
        for _ in range(3):
            output, life = network.step(leaves, life, Percept(observation))
        scale = math.tanh(1.0) if name == "lstm" and wiring == "additive" else 1.0  # an LSTM answers tanh of its cells
        assert torch.allclose(output.action[:, :3], scale * wanted.expand(2, 3), atol=1e-4)
        assert bool((output.action[:, 3] != 0.0).all())
        assert output.action.shape == (2, 4)


def test_wired_cells_of_an_lstm_remember_nothing() -> None:
    network, space = make("lstm", wiring="additive", weight_scale=0.0), Space((4,))
    leaves = agents(network, 1, space, space)
    _, life = network.step(leaves, network.newborn(leaves), Percept(torch.ones(1, 4)))
    _, life = network.step(leaves, life, Percept(torch.zeros(1, 4)))
    assert not bool(life["units"][:, :4].any())


@pytest.mark.parametrize("name", ["rnn", "lstm", "backpropamine", "retroactive", "mlp"])
@pytest.mark.parametrize("wiring", ["projected", "additive"])
def test_matched_networks_are_of_one_size_as_nearly_as_can_be(name: str, wiring: str) -> None:
    space = Space((50,))
    like = make("plastic", wiring=wiring, units=80)
    if name == "mlp":
        with pytest.raises(ValueError, match="without units"):
            matched_units(MlpNetwork(Mlp.Options()), like, space, space)
        return
    units = matched_units(make(name, wiring=wiring), like, space, space)
    sizes = [parameters(make(name, wiring=wiring, units=n), space, space) for n in (units - 1, units, units + 1)]
    off = [abs(size - parameters(like, space, space)) for size in sizes]
    assert off[1] == min(off)
    assert off[1] < 0.02 * parameters(like, space, space)


def test_the_smallest_that_wiring_allows_is_matched_where_all_are_too_large() -> None:
    space = Space((50,))
    like = make("rnn", units=1, value=False)
    assert matched_units(make("plastic", wiring="additive"), like, space, space) == 51
    assert matched_units(make("lstm"), make("rnn", units=1), INPUTS, OUTPUTS) == 1


def test_what_fits_no_width_is_said() -> None:
    with pytest.raises(ValueError, match="answers with the 3 units"):
        matched_units(make("plastic", wiring="additive"), make("rnn"), INPUTS, OUTPUTS)


@each_network
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 2}, "structures of version 1, found version 2"),
        ({"wiring": "soldered"}, "no wiring 'soldered'"),
        ({"wiring": "clamped"}, "answers with the 3 units that it perceives by; the domain asks for 2"),
    ],
)
def test_a_structure_it_cannot_build_is_refused(name: str, change: dict[str, object], message: str) -> None:
    network = make(name)
    with pytest.raises(ValueError, match=message):
        network.build({**network.structure, **change}, INPUTS, OUTPUTS)


def test_fewer_units_than_are_wired_are_refused() -> None:
    network = make("plastic", wiring="additive", units=3)
    with pytest.raises(ValueError, match="wires 4 units here, found units = 3"):
        network.build(network.structure, INPUTS, INPUTS)


@pytest.mark.parametrize(
    ("name", "change"),
    [("plastic", {"rule": "hopfield"}), ("backpropamine", {"modulation": "late"}), ("backpropamine", {"limit": "none"})],
)
def test_a_rule_there_is_not_is_refused(name: str, change: dict[str, str]) -> None:
    network = make(name)
    with pytest.raises(ValueError, match=f"{name} has no {next(iter(change))}"):
        network.build({**network.structure, **change}, INPUTS, OUTPUTS)


@each_network
def test_outputs_that_are_no_vector_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="answers a vector"):
        make(name).build(make(name).structure, INPUTS, Space((2, 2)))


@each_network
def test_as_many_row_keys_are_needed_as_agents(name: str) -> None:
    network = make(name)
    with pytest.raises(ValueError, match="3 rows asked for with 2 row keys"):
        network.init(Stream(5).rows(torch.arange(2)), network.build(network.structure, INPUTS, OUTPUTS), 3)


@pytest.mark.parametrize(
    "options", [{"units": 0}, {"wiring": "free"}, {"rule": "hopfield"}, {"bound": 0.0}, {"trace": "none"}, {"hidden": 3}]
)
def test_options_that_make_no_sense_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Plastic.Options(**options)


def test_one_component_serves_agents_of_every_structure() -> None:
    network, other = make("plastic", units=4), make("plastic", units=7, rule="oja", alpha="shared", reward=False, value=True)
    leaves = agents(other)
    assert torch.equal(live(network, leaves, seen(4, 4))[0], live(other, leaves, seen(4, 4))[0])
