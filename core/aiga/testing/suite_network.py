"""The suite that a network's tests inherit."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import ClassVar

import pytest
import torch
from torch import Tensor

from aiga.components import Life, Network, Percept, Space
from aiga.data import Leaves
from aiga.streams import Stream
from aiga.testing.sameness import same, some


class NetworkSuite:
    """Tests of an :class:`aiga.Network`; override :meth:`network`.

    Attributes:
        inputs, outputs: what it is built for.
        rows: agents in a batch.
        steps: length of a life.
    """

    inputs: ClassVar[Space] = Space((5,))
    outputs: ClassVar[Space] = Space((3,), low=-1.0, high=1.0)
    rows: ClassVar[int] = 8
    steps: ClassVar[int] = 4

    @pytest.fixture
    def network(self) -> Network:
        """What is tested."""
        raise NotImplementedError("override the fixture network")

    @pytest.fixture
    def leaves(self, network: Network) -> Leaves:
        """Random agents."""
        return network.init(Stream(1), network.build(network.structure, self.inputs, self.outputs), self.rows)

    @pytest.fixture
    def percepts(self) -> list[Percept]:
        """What each row perceives in each step: observations, rewards and earlier actions alike."""
        rows, drawn = self.rows, Stream(2)
        return [
            Percept(
                drawn.child("observation", t).normal(rows, *self.inputs.shape),
                drawn.child("reward", t).normal(rows),
                torch.zeros(rows, dtype=torch.bool),
                drawn.child("action", t).normal(rows, *self.outputs.shape),
            )
            for t in range(self.steps)
        ]

    def live(self, network: Network, leaves: Leaves, percepts: list[Percept], rows: Tensor) -> tuple[Tensor, Life]:
        """``[T, B, ...]`` actions of these rows, and the life at the end."""
        leaves, actions = some(leaves, rows), []
        life = network.newborn(leaves)
        for p in percepts:
            held = (p.observation, p.reward, p.done, p.previous_action)
            output, life = network.step(leaves, life, Percept(*(None if x is None else x[rows] for x in held)))  # type: ignore[arg-type]
            actions.append(output.action)
        return torch.stack(actions), life

    def test_the_structure_is_json_with_a_version(self, network: Network) -> None:
        assert json.loads(json.dumps(dict(network.structure))) == dict(network.structure)
        assert "version" in network.structure

    def test_agents_have_the_leaves_of_the_layout(self, network: Network, leaves: Leaves) -> None:
        layout = network.build(network.structure, self.inputs, self.outputs)
        assert {name: tuple(leaf.shape) for name, leaf in leaves.items()} == {n: (self.rows, *s) for n, s in layout.items()}
        assert all(bool(leaf.isfinite().all()) for leaf in leaves.values())

    def test_an_agent_is_born_of_its_row_key_alone(self, network: Network) -> None:
        layout, keys = network.build(network.structure, self.inputs, self.outputs), torch.tensor([4, 8, 15, 16])
        born = network.init(Stream(1).rows(keys), layout, 4)
        rows = torch.tensor([2, 0])
        assert same(network.init(Stream(1).rows(keys[rows]), layout, 2), some(born, rows))

    def test_a_life_begins_at_zero_and_keeps_shape(self, network: Network, leaves: Leaves, percepts: list[Percept]) -> None:
        begun = network.newborn(leaves)
        assert all(len(part) == self.rows and not bool(part.any()) for part in begun.values())
        _, life = self.live(network, leaves, percepts, torch.arange(self.rows))
        assert {name: part.shape for name, part in life.items()} == {name: part.shape for name, part in begun.items()}

    def test_answers_one_finite_action_a_row(self, network: Network, leaves: Leaves, percepts: list[Percept]) -> None:
        actions, _ = self.live(network, leaves, percepts, torch.arange(self.rows))
        assert actions.shape == (self.steps, self.rows, *self.outputs.shape)
        assert bool(actions.isfinite().all())

    def test_agents_act_by_their_own_parameters(self, network: Network, leaves: Leaves, percepts: list[Percept]) -> None:
        alike = [replace(p, observation=p.observation[:1].expand_as(p.observation)) for p in percepts]
        actions, _ = self.live(network, leaves, alike, torch.arange(self.rows))
        assert len(torch.unique(actions[-1].flatten(1), dim=0)) > 1

    def test_a_row_acts_the_same_in_any_place(self, network: Network, leaves: Leaves, percepts: list[Percept]) -> None:
        forward, back = torch.arange(self.rows), torch.arange(self.rows - 1, -1, -1)
        there, life = self.live(network, leaves, percepts, forward)
        again, mirrored = self.live(network, leaves, percepts, back)
        assert torch.equal(again, there[:, back])
        assert same(mirrored, some(life, back))

    def test_a_row_acts_the_same_beside_anybody(self, network: Network, leaves: Leaves, percepts: list[Percept]) -> None:
        crowd, alone = torch.arange(self.rows), torch.zeros(self.rows, dtype=torch.int64)
        there, _ = self.live(network, leaves, percepts, crowd)
        again, _ = self.live(network, leaves, percepts, alone)
        assert torch.equal(again[:, 0], there[:, 0])
        few, _ = self.live(network, leaves, percepts, crowd[:3])
        assert torch.allclose(few, there[:, :3], atol=1e-5), "with fewer rows not even the numbers agree"

    def test_a_step_changes_nothing_that_was_given(self, network: Network, leaves: Leaves, percepts: list[Percept]) -> None:
        life = network.newborn(leaves)
        before = ({n: x.clone() for n, x in leaves.items()}, {n: x.clone() for n, x in life.items()})
        network.step(leaves, life, percepts[0])
        assert same(leaves, before[0])
        assert same(life, before[1])
