"""Recurrent and plastic networks whose architecture a search varies: their space, their buckets, and what stays as it was."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
import torch
from pydantic import ValidationError

from aiga import Network, Percept, Space, Stream
from aiga.padding import padded
from aiga.testing import NetworkSuite, SpaceSuite
from aiga_plasticity import (
    Backpropamine,
    BackpropamineNetwork,
    Lstm,
    LstmNetwork,
    Plastic,
    PlasticNetwork,
    Rnn,
    RnnNetwork,
)

INPUTS, OUTPUTS = Space((5,)), Space((3,), "discrete")
PLASTIC = ("width", "alpha", "rule")
MODULATED = ("width", "alpha", "modulation", "limit", "fan_out")
NETWORKS: dict[str, Any] = {
    "rnn": RnnNetwork(Rnn.Options(search=("width",), widths=(1, 40))),
    "plastic": PlasticNetwork(Plastic.Options(search=PLASTIC, eta=0.3, alpha_scale=0.5, widths=(2, 20))),
    "backpropamine": BackpropamineNetwork(
        Backpropamine.Options(search=MODULATED, eta=0.3, alpha_scale=0.5, widths=(2, 20), bound=0.5)
    ),
}
PLAIN: dict[str, Any] = {
    "rnn": RnnNetwork(Rnn.Options()),
    "plastic": PlasticNetwork(Plastic.Options()),
    "backpropamine": BackpropamineNetwork(Backpropamine.Options()),
    "lstm": LstmNetwork(Lstm.Options()),
}
# Every way that traces come about, each with a width that is none of a bucket.
STRUCTURES: list[tuple[str, dict[str, Any]]] = [
    ("rnn", {"value": False}),
    *(("plastic", {"rule": rule, "alpha": "connection"}) for rule in ("decay", "oja", "clip", "soft-clip")),
    ("plastic", {"rule": "decay", "alpha": "shared"}),
    *(
        ("backpropamine", {"modulation": modulation, "limit": limit, "fan_out": fan_out, "alpha": "connection"})
        for modulation in ("simple", "retroactive")
        for limit in ("clip", "soft-clip")
        for fan_out in (False, True)
    ),
    ("backpropamine", {"modulation": "retroactive", "fan_out": True, "alpha": "shared", "reward": False}),
]


class TestSpaces(SpaceSuite):
    outputs: ClassVar[Space] = OUTPUTS
    steps = 6

    @pytest.fixture(params=NETWORKS)
    def network(self, request: pytest.FixtureRequest) -> Any:
        return NETWORKS[request.param]


class TestSearched(NetworkSuite):
    @pytest.fixture(params=NETWORKS)
    def network(self, request: pytest.FixtureRequest) -> Network:
        return NETWORKS[request.param]  # type: ignore[no-any-return]


class TestEveryStructure(SpaceSuite):
    """What the suite does with agents that are filled up, for each way that traces come about."""

    outputs: ClassVar[Space] = OUTPUTS
    steps, structures = 6, 1

    @pytest.fixture(params=STRUCTURES, ids=str)
    def network(self, request: pytest.FixtureRequest) -> Any:
        name, chosen = request.param
        options = {"search": ("width",), "widths": (9, 20), "eta": 0.3, "alpha_scale": 0.5, **chosen}
        made: dict[str, Any] = {"rnn": (RnnNetwork, Rnn), "plastic": (PlasticNetwork, Plastic)}
        network, plugin = made.get(name, (BackpropamineNetwork, Backpropamine))
        return network(plugin.Options(**{key: options[key] for key in options if key in plugin.Options.model_fields}))


@pytest.mark.parametrize("name", PLAIN)
def test_without_a_search_there_is_no_space_and_nothing_is_filled_up(name: str) -> None:
    network = PLAIN[name]
    assert not hasattr(network, "space")
    assert network.bucket(network.structure) == network.structure


def test_what_is_searched_beside_widths_makes_no_filling() -> None:
    network = PlasticNetwork(Plastic.Options(search=("rule", "alpha")))
    assert all(network.bucket(each) == each for each in network.space.initial(Stream(1), 9))


@pytest.mark.parametrize(("units", "bucket"), [(1, 8), (8, 8), (9, 16), (50, 64), (64, 64), (None, 128)])
def test_units_are_filled_up_to_a_power_of_two(units: int | None, bucket: int) -> None:
    network = NETWORKS["rnn"]
    assert network.bucket({**network.structure, "units": units}) == {**network.structure, "units": bucket}


def test_a_wired_agent_is_its_own_bucket() -> None:
    network = NETWORKS["backpropamine"]
    wired = {**network.structure, "wiring": "clamped", "units": 9}
    assert network.bucket(wired) == wired
    with pytest.raises(ValueError, match='only networks with wiring "projected"'):
        network.space.describe([wired])


@pytest.mark.parametrize("name", NETWORKS)
def test_every_part_that_is_searched_comes_to_be_changed_one_at_a_time(name: str) -> None:
    network, words = NETWORKS[name], {"width": "units"}
    parents = network.space.initial(Stream(1), 60)
    children = network.space.mutate(Stream(2), parents)
    changed = [{key for key in a if a[key] != b[key]} for a, b in zip(parents, children, strict=True)]
    assert all(len(each) == 1 for each in changed)
    assert set().union(*changed) == {words.get(part, part) for part in network.options.search}


@pytest.mark.parametrize("name", NETWORKS)
def test_what_is_searched_stays_within_the_bounds_and_all_else_as_set(name: str) -> None:
    network, searched = NETWORKS[name], {"units", *NETWORKS[name].options.search}
    low, high = network.options.widths
    for structure in network.space.initial(Stream(1), 60):
        assert low <= structure["units"] <= high
        assert all(structure[key] == value for key, value in network.structure.items() if key not in searched)
    narrow = PlasticNetwork(Plastic.Options(search=("rule",), units=9)).space.initial(Stream(1), 30)
    assert {each["units"] for each in narrow} == {9}
    assert {each["rule"] for each in narrow} == {"decay", "oja", "clip", "soft-clip"}


def test_a_child_of_two_has_each_part_from_one_of_them() -> None:
    space = NETWORKS["backpropamine"].space
    one, other = space.initial(Stream(1), 40), space.initial(Stream(2), 40)
    children = space.cross(Stream(3), one, other)
    parts = [{key: (a[key] == c[key], b[key] == c[key]) for key in c} for a, b, c in zip(one, other, children, strict=True)]
    assert all(any(sides) for each in parts for sides in each.values())
    assert any((True, False) in each.values() and (False, True) in each.values() for each in parts)


def test_a_doubling_of_the_width_and_another_rule_are_one_apart_each() -> None:
    network = NETWORKS["plastic"]
    one = {**network.structure, "units": 20}
    others = [{**one, "units": 40}, {**one, "rule": "oja"}, {**one, "alpha": "shared"}]
    assert network.space.distance([one], others).tolist() == [pytest.approx([1.0, 1.0, 1.0])]


def test_structures_of_before_there_were_targets_are_described() -> None:
    network = NETWORKS["rnn"]
    old = {key: value for key, value in network.structure.items() if key != "target"}
    assert network.space.distance([network.structure], [old]).item() == 0.0


@pytest.mark.parametrize("options", [Rnn.Options, Plastic.Options, Backpropamine.Options])
@pytest.mark.parametrize("wiring", ["additive", "clamped"])
def test_a_search_of_wired_networks_is_refused(options: Any, wiring: str) -> None:
    assert options(wiring=wiring).search == ()
    with pytest.raises(ValidationError, match='Write wiring = "projected", or leave search out'):
        options(wiring=wiring, search=("width",))


def test_a_search_of_what_a_network_has_not_or_of_no_width_is_refused() -> None:
    with pytest.raises(ValidationError, match="search"):
        Rnn.Options(search=("alpha",))
    with pytest.raises(ValidationError, match="Write the lower one first"):
        Rnn.Options(search=("width",), widths=(9, 8))


@pytest.mark.parametrize("trace", ["kept", "free"])
def test_whole_lives_of_agents_that_are_filled_up_are_as_before_and_leave_no_trace_in_the_filling(trace: str) -> None:
    network = PlasticNetwork(Plastic.Options(search=PLASTIC, units=11, eta=0.3, alpha_scale=0.5, trace=trace))
    leaves = network.init(Stream(1), network.build(network.structure, INPUTS, OUTPUTS), 2)
    wide = padded(leaves, network.build(network.bucket(network.structure), INPUTS, OUTPUTS))
    percepts = Percept(Stream(2).normal(7, 2, 3, 5))
    thin, thick = network.unroll(leaves, percepts), network.unroll(wide, percepts)
    assert torch.allclose(thin.action, thick.action, atol=1e-5)
    life = network.newborn(wide)
    for step in range(3):
        _, life = network.step(wide, life, Percept(percepts.observation[step, :, 0]))
    assert bool(life["trace"].any())
    assert not bool(life["trace"][:, 11:].any())
    assert not bool(life["trace"][:, :, 11:].any())
