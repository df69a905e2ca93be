"""Agents of unlike widths and what Adam keeps of them, as rows of as few batches as their buckets allow; and cut again.

Moments are filled up with zeros as agents are. Nothing is learnt in the filling, so that its moments and itself stay zero.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

import aiga
from aiga import padding
from aiga.adam import FLAT, Columns
from aiga.crossing import onto
from aiga.data import Batch, Population, State, flatten


class Filled:
    """Agents to improve, filled up to their buckets, where their networks have any; always, so that company plays no part.

    Args:
        agents: explicit, one batch a kind.
        networks: what they are made of.
        domain: where they live.

    Attributes:
        agents: the same, one batch a bucket.
        where: ``[N]`` int64, which row of these each is.
    """

    def __init__(self, agents: Population, networks: padding.Networks, domain: aiga.Domain) -> None:
        self._given, self._networks, self._domain = agents, networks, domain
        self.agents, self.where = padding.in_buckets(agents, networks, domain)

    def widen(self, state: State) -> State:
        """The state of the filled up agents, by hash of their buckets' kinds, of that of the agents by their own."""
        parts: dict[str, list[Columns]] = {}
        for batch, bucket, _ in self._members():
            own = state[batch.kind.hash]
            wide = own if batch.kind == bucket.kind else _filled(own, batch, bucket)
            parts.setdefault(bucket.kind.hash, []).append(wide)
        return {kind: some[0] if len(some) == 1 else _joined(some) for kind, some in parts.items()}

    def back(self, wide: Population, state: State) -> tuple[Population, State]:
        """The agents and their state as they were given, of the filled up ones after they were improved."""
        out: State = {}
        for batch, bucket, rows in self._members():
            columns = state[bucket.kind.hash]
            if len(rows) < len(bucket):
                columns = {name: column[onto(rows, column.device)] for name, column in columns.items()}
            out[batch.kind.hash] = columns if batch.kind == bucket.kind else _cut(columns, batch, bucket)
        return padding.out_of_buckets(wide, self.where, self._given, self._networks, self._domain), out

    def _members(self) -> Iterator[tuple[Batch, Batch, Tensor]]:
        """Each batch as given, the one of its bucket, and which rows of that it is; those of a bucket in their order there."""
        buckets = {bucket.kind: (first, bucket) for first, bucket in self.agents.parts()}
        for start, batch in self._given.parts():
            first, bucket = buckets[padding.bucket(self._networks(batch.kind.component), batch.kind)]
            yield batch, bucket, self.where[start : start + len(batch)] - first


def _filled(columns: Columns, batch: Batch, bucket: Batch) -> Columns:
    like, places = flatten(bucket.leaves), padding.places(batch.leaves, bucket.leaves)
    out = dict(columns)
    for name in FLAT:
        out[name] = columns[name].new_zeros(len(batch), like.shape[1])
        out[name][:, onto(places, like.device)] = columns[name]
    return out


def _cut(columns: Columns, batch: Batch, bucket: Batch) -> Columns:
    places = padding.places(batch.leaves, bucket.leaves)
    return {n: column[:, onto(places, column.device)] if n in FLAT else column for n, column in columns.items()}


def _joined(several: list[Columns]) -> Columns:
    return {name: torch.cat([each[name] for each in several]) for name in several[0]}
