"""Leaves filled up with zeros, and the filling taken off again."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from aiga import Batch, Domain, Kind, Network, Population, Stream
from aiga.data import flatten
from aiga.padding import cut, in_buckets, out_of_buckets, padded, places, width_of_bucket
from aiga.testing import LinearNetwork, PointsDomain

LEAVES = {"a": torch.ones(3, 2, 4), "b": torch.ones(3)}


def test_zeros_are_added_at_the_end_of_every_dimension() -> None:
    filled = padded(LEAVES, {"a": (3, 6), "b": ()})
    assert filled["a"].shape == (3, 3, 6)
    assert torch.equal(filled["a"][:, :2, :4], LEAVES["a"])
    assert filled["a"].sum() == LEAVES["a"].sum()
    assert filled["b"] is LEAVES["b"]


def test_what_was_filled_up_is_cut_to_what_it_was() -> None:
    back = cut(padded(LEAVES, {"a": (8, 5), "b": ()}), {"a": (2, 4), "b": ()})
    assert all(torch.equal(back[name], leaf) for name, leaf in LEAVES.items())


def test_gradients_pass_through_the_filling() -> None:
    leaf = torch.ones(2, 3, requires_grad=True)
    padded({"a": leaf}, {"a": (5,)})["a"].square().sum().backward()
    assert leaf.grad is not None
    assert torch.equal(leaf.grad, torch.full((2, 3), 2.0))


@pytest.mark.parametrize("layout", [{"a": (1, 4), "b": ()}, {"a": (2, 4, 1), "b": ()}, {"a": (2, 4)}])
def test_leaves_that_do_not_fit_are_refused(layout: dict[str, tuple[int, ...]]) -> None:
    with pytest.raises(ValueError, match=r"leaf 'a'|leaves"):
        padded(LEAVES, layout)


def test_leaves_smaller_than_the_cut_are_refused() -> None:
    with pytest.raises(ValueError, match="does not hold"):
        cut(LEAVES, {"a": (3, 4), "b": ()})


class Wide(LinearNetwork):
    """Has a hidden leaf of as many numbers as the structure says, in buckets of powers of two."""

    def build(self, structure: Any, inputs: Any, outputs: Any) -> dict[str, tuple[int, ...]]:
        return {"hidden": (structure["hidden"], 2), "bias": (1,)}

    def init(self, rng: Stream, layout: Any, count: int) -> dict[str, torch.Tensor]:
        return {name: rng.child(name).normal(count, *shape) for name, shape in layout.items()}

    def bucket(self, structure: Any) -> dict[str, Any]:
        return {**structure, "hidden": width_of_bucket(structure["hidden"], 4)}


NETWORK: Network = Wide()
DOMAIN: Domain = PointsDomain()


def agents(*hidden: int) -> Population:
    structures = [{"version": 1, "hidden": width} for width in hidden]
    layouts = [NETWORK.build(structure, DOMAIN.inputs, DOMAIN.outputs) for structure in structures]
    born = [NETWORK.init(Stream(7).child(width), layout, 2) for width, layout in zip(hidden, layouts, strict=True)]
    return Population(tuple(Batch.of(Kind("wide", each), leaves) for each, leaves in zip(structures, born, strict=True)))


def network(name: str) -> Network:
    assert name == "wide"
    return NETWORK


def test_agents_of_one_bucket_become_one_batch_and_come_back_as_they_were() -> None:
    given = agents(3, 6, 4, 7)
    wide, where = in_buckets(given, network, DOMAIN)
    assert [len(batch) for batch in wide.batches] == [4, 4]
    assert where.tolist() == [0, 1, 4, 5, 2, 3, 6, 7]
    back = out_of_buckets(wide, where, given, network, DOMAIN)
    assert torch.equal(back.hashes, given.hashes)
    assert [batch.kind for batch in back.batches] == [batch.kind for batch in given.batches]


def test_what_is_kept_of_each_number_stands_where_the_number_does() -> None:
    thin, wide = (agents(width).batches[0].leaves for width in (3, 4))
    filled = padded(thin, {name: tuple(leaf.shape[1:]) for name, leaf in wide.items()})
    rows = flatten(wide) * 0.0
    rows[:, places(thin, wide)] = flatten(thin)
    assert torch.equal(rows, flatten(filled))
    assert torch.equal(places(thin, thin), torch.arange(7))
    with pytest.raises(ValueError, match="does not fit"):
        places(wide, thin)


@pytest.mark.parametrize(("width", "bucket"), [(1, 16), (16, 16), (17, 32), (32, 32), (33, 64)])
def test_a_bucket_is_as_wide_as_a_power_of_two(width: int, bucket: int) -> None:
    assert width_of_bucket(width) == bucket
