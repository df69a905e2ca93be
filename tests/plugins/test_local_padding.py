"""PaddedNetwork: fixed rows for the network, the rows given for everybody else."""

from __future__ import annotations

import torch

from aiga.components import Layout, Life, Output, Percept, Space, Structure
from aiga.data import Leaves
from aiga.streams import Stream
from aiga_local.padding import PaddedNetwork


class Counting:
    """Remembers how often it was stepped in ``life`` and how many rows it worked on."""

    def __init__(self) -> None:
        self.structure: Structure = {"version": 1}
        self.rows: list[int] = []
        self.leaves: list[Leaves] = []

    def build(self, structure: Structure, inputs: Space, outputs: Space) -> Layout:
        return {"w": (2,)}

    def init(self, rng: Stream, layout: Layout, count: int) -> Leaves:
        return {"w": rng.normal(count, 2)}

    def newborn(self, leaves: Leaves) -> Life:
        return {"sum": torch.zeros(len(leaves["w"]))}

    def step(self, leaves: Leaves, life: Life, percept: Percept) -> tuple[Output, Life]:
        self.rows += [len(percept.observation), len(life["sum"]), len(leaves["w"])]
        self.leaves.append(leaves)
        total = life["sum"] + percept.observation.sum(dim=1)
        reward = torch.zeros_like(total) if percept.reward is None else percept.reward
        return Output(leaves["w"] * total[:, None] + reward[:, None], total), {"sum": total}

    def extra(self) -> str:
        return "a capability"


def leaves(count: int) -> Leaves:
    return {"w": torch.arange(2.0 * count).reshape(count, 2) + 1}


def test_the_network_always_works_on_whole_blocks_and_its_user_sees_only_the_rows_given() -> None:
    for count, whole in ((1, 4), (3, 4), (4, 4), (5, 8)):
        inner, given = Counting(), leaves(count)
        network = PaddedNetwork(inner, 4)
        life = network.newborn(given)
        for _ in range(3):
            percept = Percept(torch.ones(count, 3), reward=torch.arange(float(count)))
            output, life = network.step(given, life, percept)
        assert set(inner.rows) == {whole}
        assert life["sum"].tolist() == [9.0] * count
        assert output.value is not None
        assert output.value.tolist() == [9.0] * count
        assert torch.equal(output.action, given["w"] * 9 + torch.arange(float(count))[:, None])


def test_leaves_are_padded_once_and_not_at_every_step() -> None:
    inner, given = Counting(), leaves(3)
    network = PaddedNetwork(inner, 4)
    life = network.newborn(given)
    for _ in range(2):
        # A domain may well make the dict anew from the same tensors.
        _, life = network.step(dict(given), life, Percept(torch.ones(3, 3)))
    assert inner.leaves[0]["w"] is inner.leaves[1]["w"]


def test_a_domain_may_drop_rows_and_write_into_a_life_between_steps() -> None:
    inner, given = Counting(), leaves(3)
    network = PaddedNetwork(inner, 4)
    _, life = network.step(given, network.newborn(given), Percept(torch.ones(3, 3)))
    life["sum"][1] = 100.0
    _, life = network.step(given, life, Percept(torch.ones(3, 3)))
    assert life["sum"].tolist() == [6.0, 103.0, 6.0]
    life["sum"] = life["sum"] + 1
    _, life = network.step(given, life, Percept(torch.zeros(3, 3)))
    assert life["sum"].tolist() == [7.0, 104.0, 7.0]
    rest = torch.tensor([1, 2])
    fewer = {"w": given["w"][rest]}
    output, life = network.step(fewer, {"sum": life["sum"][rest]}, Percept(torch.zeros(2, 3)))
    assert life["sum"].tolist() == [104.0, 7.0]
    assert torch.equal(output.action, fewer["w"] * life["sum"][:, None])
    assert set(inner.rows) == {4}


def test_capabilities_and_the_structure_of_the_network_show_through() -> None:
    network = PaddedNetwork(Counting(), 4)
    assert network.extra() == "a capability"
    assert network.structure == {"version": 1}
    assert not hasattr(network, "learn")
