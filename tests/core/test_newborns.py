"""Newborns of unlike kinds: each hangs on its kind and its key alone."""

from __future__ import annotations

import torch

from aiga.components import Network, Space
from aiga.data import Kind, Population
from aiga.newborns import newborns
from aiga.streams import Stream
from aiga.testing import LinearNetwork
from aiga.testing.sameness import same

NETWORKS: dict[str, Network] = {"linear": LinearNetwork(), "affine": LinearNetwork(bias=True)}
LINEAR, AFFINE = (Kind(name, network.structure) for name, network in NETWORKS.items())
SPACES = (Space((3,)), Space((2,)))


def born(kinds: list[Kind], keys: list[int]) -> tuple[Population, torch.Tensor]:
    return newborns(NETWORKS.__getitem__, kinds, Stream(4).rows(torch.tensor(keys, dtype=torch.int64)), *SPACES)


def test_each_is_found_where_it_is_said_to_be_and_is_of_its_kind() -> None:
    kinds = [AFFINE, LINEAR, AFFINE, LINEAR, LINEAR]
    population, row = born(kinds, [5, 6, 7, 8, 5])
    assert [len(batch) for batch in population.batches] == [2, 3]
    assert sorted(row.tolist()) == list(range(5))
    ordered = population.in_order(row)
    assert [batch.kind for batch in ordered.batches for _ in range(len(batch))] == kinds


def test_an_agent_hangs_on_its_kind_and_key_and_not_on_its_company() -> None:
    kinds, keys = [AFFINE, LINEAR, AFFINE, LINEAR], [5, 6, 7, 5]
    population, row = born(kinds, keys)
    for place, (kind, key) in enumerate(zip(kinds, keys, strict=True)):
        (alone,), (found,) = born([kind], [key])[0].batches, population.in_order(row[place : place + 1]).batches
        assert same(alone.leaves, found.leaves)
    assert len(set(population.hashes.tolist())) == 4


def test_nobody_is_born_of_no_kinds() -> None:
    population, row = born([], [])
    assert (len(population), len(row)) == (0, 0)
