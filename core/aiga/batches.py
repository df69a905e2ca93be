"""Rows of environments or agents: batches of one kind, populations of many.

Everything here is frozen and has one leading axis; nothing describes a single individual. Rows of unlike kinds live side by
side in a :class:`Population`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from aiga.crossing import onto, to_host
from aiga.streams import Stream, combine, mix

Leaves = dict[str, Tensor]
NOBODY = -1


@dataclass(frozen=True)
class Kind:
    """What a row is built of: a component's name and its versioned, JSON-able structure.

    Two rows of one kind have leaves of the same names, shapes and meaning.
    """

    component: str
    structure: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def hash(self) -> str:
        """16 hexadecimal digits that name the kind, stable over processes and machines."""
        text = json.dumps([self.component, self.structure], sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def __str__(self) -> str:
        """Component and hash, by which a journal tells one architecture from another."""
        return f"{self.component} {self.hash}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Kind) and self.hash == other.hash

    def __hash__(self) -> int:
        return hash(self.hash)


@dataclass(frozen=True)
class Noise:
    """How implicit rows are made of base rows: ``leaves[base] + sign * scale[base] * normal(stream, key)``.

    Attributes:
        stream: key of the stream the normal numbers come from; they run over all floating leaves, sorted by name.
        base: ``[B]`` int64, row of the batch's leaves that each implicit row perturbs.
        keys: ``[B]`` int64, row key of the stream; an antithetic pair shares one.
        sign: ``[B]`` float32: 1, -1, or 0 for the base itself.
        scale: ``[R]``, or ``[R, D]`` for a scale of each parameter: float32, by base row.
    """

    stream: int
    base: Tensor
    keys: Tensor
    sign: Tensor
    scale: Tensor

    def take(self, rows: Tensor) -> Noise:
        return replace(self, base=self.base[rows], keys=self.keys[rows], sign=self.sign[rows])


@dataclass(frozen=True)
class Batch:
    """Environments or agents of one kind.

    Attributes:
        kind: what every row is built of.
        ids: ``[B]`` int64 on the host; -1 where a row has no id (yet). An agent's id names its latest snapshot.
        leaves: tensors of ``[B, ...]``; of ``[R, ...]`` base rows where ``noise`` is set.
        noise: makes the batch implicit: its rows exist only once :meth:`explicit` makes them.
    """

    kind: Kind
    ids: Tensor
    leaves: Leaves
    noise: Noise | None = None

    @staticmethod
    def of(kind: Kind, leaves: Leaves) -> Batch:
        """A batch of rows without ids."""
        count = len(next(iter(leaves.values())))
        return Batch(kind, torch.full((count,), NOBODY, dtype=torch.int64), leaves)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def device(self) -> torch.device:
        return next(iter(self.leaves.values())).device

    def take(self, rows: Tensor) -> Batch:
        """These rows, in this order; of an implicit batch the base leaves are shared."""
        if self.noise is not None:
            return replace(self, ids=self.ids[rows], noise=self.noise.take(rows))
        on = onto(rows, self.device)
        taken = replace(self, ids=self.ids[rows], leaves={name: leaf[on] for name, leaf in self.leaves.items()})
        return taken._like(self, rows)

    def with_ids(self, ids: Tensor) -> Batch:
        return replace(self, ids=ids)._like(self)

    def to(self, device: torch.device | str) -> Batch:
        return replace(self, leaves={name: onto(leaf, device) for name, leaf in self.leaves.items()})._like(self)

    def explicit(self) -> Batch:
        """The rows themselves, on the device of the leaves; the batch itself where it is not implicit."""
        noise = self.noise
        if noise is None:
            return self
        flat = flatten(self.leaves)
        base = onto(noise.base, flat.device)
        # The twins of an antithetic pair share a key: draw each once.
        keys, which = torch.unique(noise.keys, return_inverse=True)
        normal = Stream(noise.stream, keys).normal(flat.shape[1], device=flat.device)[onto(which, flat.device)]
        scale = onto(noise.scale, flat.device)[base]
        scale = scale[:, None] if scale.ndim == 1 else scale
        rows = flat[base] + (onto(noise.sign, flat.device)[:, None] * scale) * normal
        like = {name: leaf[base] for name, leaf in self.leaves.items()}
        return Batch(self.kind, self.ids, unflatten(rows, like))

    @cached_property
    def digests(self) -> Tensor:
        """``[B]`` int64 on the device of the leaves, for which nobody waits: see :attr:`hashes`."""
        start, noise = int(self.kind.hash[:15], 16), self.noise
        if noise is not None:
            base = Batch.of(self.kind, self.leaves).digests
            on, keys, sign = (onto(part, base.device) for part in (noise.base, noise.keys, noise.sign))
            scale = _digest(onto(noise.scale, base.device))
            return combine(start, base[on], noise.stream, keys, sign.to(torch.int64), scale[on])
        out = torch.full((len(self.ids),), start, dtype=torch.int64, device=self.device)
        for name in sorted(self.leaves):
            out = combine(out, _digest(self.leaves[name]))
        return out

    @property
    def hashes(self) -> Tensor:
        """``[B]`` int64 on the host: what each row holds, kind included; ids play no part."""
        if not self.hashed:
            self.know(self.digests.cpu())
        return self._known[0]

    @property
    def hashed(self) -> bool:
        """Whether :attr:`hashes` are known on the host, which need not wait for them."""
        return bool(self._known[1].all())

    def know(self, hashes: Tensor) -> None:
        """Keeps ``[B]`` int64 on the host, the :attr:`digests`, as what is known there."""
        vars(self)["_known"] = hashes, torch.ones(len(hashes), dtype=torch.bool)

    @cached_property
    def _known(self) -> tuple[Tensor, Tensor]:
        """``[B]`` hashes on the host, and ``[B]`` of which rows they are known."""
        return torch.zeros(len(self.ids), dtype=torch.int64), torch.zeros(len(self.ids), dtype=torch.bool)

    def _like(self, other: Batch, rows: Tensor | None = None) -> Batch:
        """The same batch, which holds what these ``rows`` of ``other`` do: what is known of them is known of it."""
        known = other._known
        vars(self)["_known"] = known if rows is None else (known[0][rows], known[1][rows])
        return self


def _digest(leaf: Tensor) -> Tensor:
    """``[B]`` int64 of the bits of each row of ``[B, ...]``."""
    leaf = leaf.detach().contiguous().reshape(len(leaf), -1)
    if leaf.dtype == torch.bool:
        leaf = leaf.to(torch.uint8)
    width = {8: torch.int64, 4: torch.int32, 2: torch.int16, 1: torch.uint8}[leaf.element_size()]
    words = leaf.view(width).to(torch.int64)
    place = mix(torch.arange(1, words.shape[1] + 1, dtype=torch.int64, device=words.device))
    return mix(mix(words ^ place).sum(dim=1) + words.shape[1])


def flatten(leaves: Leaves) -> Tensor:
    """``[B, D]``: the floating leaves of every row, sorted by name, end to end."""
    return torch.cat([leaves[n].reshape(len(leaves[n]), -1) for n in sorted(leaves) if leaves[n].is_floating_point()], 1)


def unflatten(flat: Tensor, like: Leaves) -> Leaves:
    """The reverse of :func:`flatten`: ``[B, D]`` into the names and shapes of ``like``, whose other leaves are kept."""
    out, start = dict(like), 0
    for name in sorted(like):
        leaf = like[name]
        if leaf.is_floating_point():
            size = leaf[0].numel()
            out[name] = flat[:, start : start + size].reshape(len(flat), *leaf.shape[1:]).to(leaf.dtype)
            start += size
    return out


@dataclass(frozen=True)
class Population:
    """Batches of unlike kinds, their rows numbered through from the first batch to the last."""

    batches: tuple[Batch, ...] = ()

    def __len__(self) -> int:
        return sum(len(batch) for batch in self.batches)

    @property
    def ids(self) -> Tensor:
        """``[N]`` int64 on the host."""
        return torch.cat([b.ids for b in self.batches]) if self.batches else torch.empty(0, dtype=torch.int64)

    @property
    def hashes(self) -> Tensor:
        """``[N]`` int64 on the host: what each row holds."""
        self.hashed()
        return torch.cat([b.hashes for b in self.batches]) if self.batches else torch.empty(0, dtype=torch.int64)

    def hashed(self, *others: Tensor) -> list[Tensor]:
        """``others`` on the host, which learns :attr:`hashes` by the way: it waits once for all."""
        unknown = [batch for batch in self.batches if not batch.hashed]
        crossed = to_host(*(batch.digests for batch in unknown), *others)
        for batch, hashes in zip(unknown, crossed, strict=False):
            batch.know(hashes)
        return crossed[len(unknown) :]

    @property
    def kinds(self) -> list[Kind]:
        """``N`` of them, one a row."""
        return [batch.kind for batch in self.batches for _ in range(len(batch))]

    def parts(self) -> Iterator[tuple[int, Batch]]:
        """Each batch with the number of its first row."""
        start = 0
        for batch in self.batches:
            yield start, batch
            start += len(batch)

    def with_ids(self, ids: Tensor) -> Population:
        return Population(tuple(b.with_ids(ids[start : start + len(b)]) for start, b in self.parts()))

    def take(self, rows: Tensor) -> tuple[Population, Tensor]:
        """The wanted rows, grouped by batch, and where each wanted row went.

        Args:
            rows: ``[M]`` int64, repeats allowed.

        Returns:
            A population of ``M`` rows, and ``[M]`` int64: entry ``i`` is the new number of ``rows[i]``.
        """
        where, batches, done = torch.empty(len(rows), dtype=torch.int64), [], 0
        for start, batch in self.parts():
            wanted = torch.nonzero((rows >= start) & (rows < start + len(batch))).flatten()
            if len(wanted):
                batches.append(batch.take(rows[wanted] - start))
                where[wanted] = torch.arange(done, done + len(wanted))
                done += len(wanted)
        return Population(tuple(batches)), where

    def in_order(self, rows: Tensor) -> Population:
        """A population whose row ``i`` is row ``rows[i]`` of this one; a kind may then stand in several batches."""
        if not len(rows):
            return Population()
        starts = torch.tensor([start for start, _ in self.parts()])
        which = torch.searchsorted(starts, rows, right=True) - 1
        runs, counts = torch.unique_consecutive(which, return_counts=True)
        pieces = torch.split(rows, counts.tolist())
        return Population(tuple(self.batches[b].take(p - starts[b]) for b, p in zip(runs.tolist(), pieces, strict=True)))

    def explicit_kinds(self) -> tuple[Batch, ...]:
        """The batches, where each is explicit and of another kind, as agents of niches are.

        Raises:
            ValueError: where they are not.
        """
        several = len({batch.kind.hash for batch in self.batches}) < len(self.batches)
        if several or any(batch.noise is not None for batch in self.batches):
            raise ValueError("agents to improve must be explicit, one batch a kind")
        return self.batches

    def merged(self) -> tuple[Population, Tensor]:
        """The same rows, explicit and one batch a kind, and ``[N]`` int64: where each row went."""
        joined, (where,) = Population.join(Population(tuple(batch.explicit() for batch in self.batches)))
        return joined, where

    def to(self, device: torch.device | str) -> Population:
        return Population(tuple(batch.to(device) for batch in self.batches))

    @staticmethod
    def join(*populations: Population) -> tuple[Population, list[Tensor]]:
        """One population of all rows, explicit batches of one kind merged.

        Returns:
            The population, and for each one given the ``[N]`` int64 new numbers of its rows.
        """
        groups: dict[object, list[tuple[int, int, Batch]]] = {}
        for which, population in enumerate(populations):
            for start, batch in population.parts():
                key = batch.kind if batch.noise is None else (which, start)
                groups.setdefault(key, []).append((which, start, batch))
        where = [torch.empty(len(p), dtype=torch.int64) for p in populations]
        merged, done = [], 0
        for members in groups.values():
            for which, start, batch in members:
                where[which][start : start + len(batch)] = torch.arange(done, done + len(batch))
                done += len(batch)
            first = members[0][2]
            if len(members) == 1:
                merged.append(first)
                continue
            leaves = {n: torch.cat([onto(b.leaves[n], first.device) for _, _, b in members]) for n in first.leaves}
            whole = Batch(first.kind, torch.cat([b.ids for _, _, b in members]), leaves)
            known = [b._known for _, _, b in members]
            vars(whole)["_known"] = torch.cat([values for values, _ in known]), torch.cat([mask for _, mask in known])
            merged.append(whole)
        return Population(tuple(merged)), where
