"""Spaces of architectures: what is drawn, changed, crossed and measured is always a structure that can be built."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from aiga import InputError, Kind, Network, Space, Stream
from aiga.components import Structure
from aiga.testing import SpaceSuite
from aiga_architectures import (
    Convnet,
    ConvnetNetwork,
    Perceptron,
    PerceptronNetwork,
    Policy,
    PolicyNetwork,
    parameters,
    picture,
)

INPUTS, OUTPUTS = Space((1, 8, 8)), Space((10,), "discrete")
ALL = ("width", "depth", "activation", "skip", "norm", "weight_norm")
NETWORKS: dict[str, Any] = {
    "perceptron": PerceptronNetwork(Perceptron.Options()),
    "perceptron-all": PerceptronNetwork(Perceptron.Options(search=ALL, depths=(0, 8), widths=(1, 9))),
    "convnet": ConvnetNetwork(Convnet.Options()),
    "convnet-all": ConvnetNetwork(
        Convnet.Options(search=(*ALL[:3], *ALL[4:], "reductions", "nodes"), most_nodes=6, depths=(1, 3))
    ),
    "policy": PolicyNetwork(Policy.Options()),
    "policy-all": PolicyNetwork(Policy.Options(search=("width", "memory", "activation", "reward", "previous_action"))),
}


class TestSpace(SpaceSuite):
    inputs, outputs, steps, structures = INPUTS, OUTPUTS, 2, 2

    @pytest.fixture(params=NETWORKS)
    def network(self, request: pytest.FixtureRequest) -> Any:
        return NETWORKS[request.param]


@pytest.fixture(params=NETWORKS)
def network(request: pytest.FixtureRequest) -> Any:
    return NETWORKS[request.param]


def family(network: Any, generations: int = 6, count: int = 25) -> list[Structure]:
    """Random structures and their descendants by mutation and crossing."""
    people = list(network.space.initial(Stream(1), count))
    line = people
    for generation in range(generations):
        mutants = network.space.mutate(Stream(2).child(generation), line)
        line = network.space.cross(Stream(3).child(generation), mutants, line[1:] + line[:1])
        people += [*mutants, *line]
    return people


def hashes(structures: Sequence[Structure]) -> list[str]:
    return [Kind("it", structure).hash for structure in structures]


def test_everything_that_a_search_reaches_can_be_built_and_stays_within_the_bounds(network: Network) -> None:
    for structure in family(network):
        layout = network.build(structure, INPUTS, OUTPUTS)
        assert layout.keys() == network.build(network.bucket(structure), INPUTS, OUTPUTS).keys()  # type: ignore[attr-defined]
        if "hidden" in structure and isinstance(structure["hidden"], list) and network is NETWORKS["perceptron"]:
            assert 1 <= len(structure["hidden"]) <= 4
            assert all(8 <= width <= 128 for width in structure["hidden"])
        if network is NETWORKS["convnet"]:
            assert 4 <= structure["channels"] <= 32
            assert 1 <= structure["cells"] <= 4
            assert structure["reductions"] <= 2
            assert len(structure["nodes"]) <= 4
        if network is NETWORKS["policy"]:
            assert 4 <= structure["hidden"] <= 64
            assert structure["reward"] is True


def test_a_mutant_is_another_than_its_parent_and_changed_in_one_way(network: Any) -> None:
    parents = family(network)
    children = network.space.mutate(Stream(9), parents)
    assert all(a != b for a, b in zip(hashes(parents), hashes(children), strict=True))
    apart = network.space.distance(parents, children).diagonal()
    assert bool((apart > 0).all())
    for parent, child in zip(parents, children, strict=True):
        changed = {key for key in parent if parent[key] != child[key]}
        assert len(changed) == 1 or changed == {"cells", "reductions"}, "fewer cells can reduce less often"


def test_every_part_that_is_searched_comes_to_be_changed(network: Any) -> None:
    parents = family(network, 2)
    children = network.space.mutate(Stream(9), parents)
    changed = {key for a, b in zip(parents, children, strict=True) for key in a if a[key] != b[key]}
    words = {"width": {"hidden", "channels"}, "depth": {"hidden", "cells"}}
    searched = network.space._search
    assert all(changed & words.get(word, {word}) for word in searched)
    assert changed <= set().union(*(words.get(word, {word}) for word in searched))


def test_a_child_of_two_has_its_parts_from_them(network: Any) -> None:
    one, other = network.space.initial(Stream(1), 40), network.space.initial(Stream(2), 40)
    for a, b, child in zip(one, other, network.space.cross(Stream(3), one, other), strict=True):
        assert all(child[key] in (a[key], b[key]) for key in ("activation", "version"))


def test_a_doubling_of_a_width_is_one_apart() -> None:
    for network, key, values in (
        (NETWORKS["perceptron"], "hidden", ([8, 20], [8, 40])),
        (NETWORKS["convnet"], "channels", (8, 16)),
        (NETWORKS["policy"], "hidden", (8, 16)),
    ):
        one, other = ({**network.structure, key: value} for value in values)
        assert network.space.distance([one], [other]).item() == pytest.approx(1.0)


def test_the_steps_of_a_node_may_be_swapped() -> None:
    network = NETWORKS["convnet"]
    one = {**network.structure, "nodes": [[[0, "conv3"], [1, "max2"]]]}
    other = {**network.structure, "nodes": [[[1, "max2"], [0, "conv3"]]]}
    assert network.space.distance([one], [other]).item() == 0.0


def test_a_space_of_one_structure_says_that_nothing_can_be_changed() -> None:
    space = PerceptronNetwork(Perceptron.Options(search=("width",), widths=(8, 8), hidden=(8,))).space
    with pytest.raises(InputError, match=r"\[plugins.perceptron.options\]: nothing of"):
        space.mutate(Stream(1), space.initial(Stream(1), 1))


def test_bounds_the_wrong_way_round_are_refused() -> None:
    with pytest.raises(ValueError, match="Write the lower one first"):
        Perceptron.Options(widths=(9, 8))


def test_parameters_are_counted_as_they_are_built() -> None:
    network = PerceptronNetwork(Perceptron.Options(hidden=(5,)))
    assert parameters(network, network.structure, INPUTS, OUTPUTS) == 64 * 5 + 5 + 5 + 5 * 10 + 10 + 10


@pytest.mark.parametrize("name", ["perceptron", "convnet", "policy"])
def test_a_picture_shows_the_structure(name: str) -> None:
    one, other = NETWORKS[name].space.initial(Stream(6), 2)
    assert picture(one).startswith(b"\x89PNG")
    assert picture(one) == picture(one) != picture(other)
    assert NETWORKS[name].picture(one) == picture(one)


class Always:
    """Choices that are always the least, or always the greatest."""

    def __init__(self, least: bool) -> None:
        self._least = least

    def pick(self, of: Sequence[Any]) -> Any:
        return of[0] if self._least else of[-1]

    def integer(self, low: int, high: int) -> int:
        return low if self._least else high

    def width(self, low: int, high: int) -> int:
        return self.integer(low, high)


def test_greater_choices_compose_a_larger_structure(network: Any) -> None:
    least, greatest = (network.space.compose(Always(least)) for least in (True, False))
    assert parameters(network, least, INPUTS, OUTPUTS) < parameters(network, greatest, INPUTS, OUTPUTS)
