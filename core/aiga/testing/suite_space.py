"""The suite that tests of a network with a space of architectures inherit, beside that of networks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, ClassVar, TypeVar

import pytest
import torch
from torch import Tensor

from aiga.batches import flatten
from aiga.components import Network, Percept, Space, Structure
from aiga.data import Kind, Leaves
from aiga.padding import padded, places
from aiga.streams import Stream

T = TypeVar("T")


class _Always:
    """Choices that are always the first or least there is, or always the last or greatest."""

    def __init__(self, least: bool) -> None:
        self._least = least

    def pick(self, of: Sequence[T]) -> T:
        return of[0] if self._least else of[-1]

    def integer(self, low: int, high: int) -> int:
        return low if self._least else high

    def width(self, low: int, high: int) -> int:
        return self.integer(low, high)


class SpaceSuite:
    """Tests of the capabilities ``space`` and ``bucket`` of an :class:`aiga.Network`; override :meth:`network`.

    Attributes:
        inputs, outputs: what it is built for.
        steps: length of a life.
        structures: how many random ones are filled up and live.
    """

    inputs: ClassVar[Space] = Space((5,))
    outputs: ClassVar[Space] = Space((3,), low=-1.0, high=1.0)
    steps: ClassVar[int] = 4
    structures: ClassVar[int] = 6

    @pytest.fixture
    def network(self) -> Any:
        """What is tested."""
        raise NotImplementedError("override the fixture network")

    @pytest.fixture
    def family(self, network: Any) -> list[Structure]:
        """Random structures and their descendants by mutation and crossing."""
        people: list[Structure] = list(network.space.initial(Stream(1), 20))
        line = people
        for generation in range(4):
            mutants = network.space.mutate(Stream(2).child(generation), line)
            line = network.space.cross(Stream(3).child(generation), mutants, line[1:] + line[:1])
            people = [*people, *mutants, *line]
        return people

    def born(self, network: Network, structure: Structure) -> Leaves:
        """Three agents, a little away from where they are born so that no leaf is zero."""
        leaves = network.init(Stream(4), network.build(structure, self.inputs, self.outputs), 3)
        return {name: leaf + 0.1 * Stream(5).child(name).normal(*leaf.shape) for name, leaf in leaves.items()}

    def wide(self, network: Any, structure: Structure, leaves: Leaves) -> Leaves:
        """These agents filled up to their bucket."""
        return padded(leaves, network.build(network.bucket(structure), self.inputs, self.outputs))

    def lived(self, network: Network, leaves: Leaves) -> Tensor:
        """``[T, 3, ...]``: what agents answer in a life, their values among it."""
        life, answers, drawn = network.newborn(leaves), [], Stream(6)
        for step in range(self.steps):
            percept = Percept(
                drawn.child("observation", step).normal(3, *self.inputs.shape),
                drawn.child("reward", step).normal(3),
                torch.zeros(3, dtype=torch.bool),
                drawn.child("action", step).normal(3, *self.outputs.shape),
            )
            output, life = network.step(leaves, life, percept)
            value = output.action.new_zeros(3) if output.value is None else output.value
            answers.append(torch.cat([output.action.flatten(1), value[:, None]], dim=1))
        return torch.stack(answers)

    def test_structures_are_json_and_come_back_as_they_were(self, network: Any, family: list[Structure]) -> None:
        for structure in family:
            again = json.loads(json.dumps(structure))
            assert again == structure
            assert Kind("it", again).hash == Kind("it", structure).hash
            assert network.build(again, self.inputs, self.outputs) == network.build(structure, self.inputs, self.outputs)

    def test_a_structure_fits_into_its_bucket_whose_bucket_is_itself(self, network: Any, family: list[Structure]) -> None:
        for structure in family:
            bucket = network.bucket(structure)
            assert Kind("it", network.bucket(bucket)) == Kind("it", bucket)
            own, wide = (network.build(each, self.inputs, self.outputs) for each in (structure, bucket))
            assert own.keys() == wide.keys()
            assert all(len(wide[name]) == len(shape) for name, shape in own.items())
            assert all(a <= b for name in own for a, b in zip(own[name], wide[name], strict=True))

    def test_a_structure_hangs_on_its_row_key_alone(self, network: Any) -> None:
        keys, rows = torch.tensor([5, 7, 11, 13]), [3, 1]
        born = network.space.initial(Stream(1).rows(keys), 4)
        assert network.space.initial(Stream(1).rows(keys[rows]), 2) == [born[row] for row in rows]
        mutants = network.space.mutate(Stream(1).rows(keys), born)
        again = network.space.mutate(Stream(1).rows(keys[rows]), [born[row] for row in rows])
        assert again == [mutants[row] for row in rows]

    def test_a_mutant_is_another_than_its_parent(self, network: Any, family: list[Structure]) -> None:
        children = network.space.mutate(Stream(9), family)
        assert all(Kind("it", a) != Kind("it", b) for a, b in zip(family, children, strict=True))
        assert bool((network.space.distance(family, children).diagonal() > 0).all())

    def test_a_child_of_two_that_are_alike_is_like_them(self, network: Any, family: list[Structure]) -> None:
        assert network.space.cross(Stream(3), family, family) == family

    def test_the_distance_is_a_metric_between_descriptions(self, network: Any, family: list[Structure]) -> None:
        described, apart = network.space.describe(family), network.space.distance(family, family)
        assert described.dtype == apart.dtype == torch.float64
        assert described.shape[0] == len(family)
        assert torch.allclose(apart, apart.T)
        names = [Kind("it", structure).hash for structure in family]
        alike = torch.tensor([[a == b for b in names] for a in names])
        assert torch.equal(apart == 0, alike), "two structures are at one place, or one at two"
        through = (apart[:20, :, None] + apart[None]).amin(dim=1)
        assert bool((apart[:20] <= through + 1e-9).all())

    def test_a_structure_is_composed_of_whosever_choices(self, network: Any) -> None:
        least, greatest = (network.space.compose(_Always(least)) for least in (True, False))
        assert least == network.space.compose(_Always(True)) != greatest
        for structure in (least, greatest):
            network.build(structure, self.inputs, self.outputs)

    def test_a_filled_up_agent_lives_as_before(self, network: Any) -> None:
        for structure in network.space.initial(Stream(7), self.structures):
            leaves = self.born(network, structure)
            filled, own = (self.lived(network, each) for each in (self.wide(network, structure, leaves), leaves))
            assert _close(filled, own, 1e-5)

    def test_gradients_pass_by_the_filling_and_are_elsewhere_what_they_would_be(self, network: Any) -> None:
        for structure in network.space.initial(Stream(8), self.structures):
            thin = self.born(network, structure)
            thick = self.wide(network, structure, thin)
            own, filled = self._gradient(network, thin), self._gradient(network, thick)
            flat, where = flatten(filled), places(thin, thick)
            assert _close(flat[:, where], flatten(own), 1e-4)
            flat[:, where] = 0.0
            assert not bool(flat.any()), "descent would change the filling"

    def _gradient(self, network: Network, leaves: Leaves) -> Leaves:
        held = {name: leaf.detach().requires_grad_() for name, leaf in leaves.items()}
        loss = (self.lived(network, held) - 1.0).square().sum()
        found = torch.autograd.grad(loss, list(held.values()), materialize_grads=True)
        return dict(zip(held, found, strict=True))


def _close(one: Tensor, other: Tensor, tolerance: float) -> bool:
    """Whether two are equal but for rounding, which grows with the greatest number."""
    return float((one - other).abs().max()) <= tolerance * (1.0 + float(other.abs().max()))
