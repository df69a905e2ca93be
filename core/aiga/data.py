"""What the loop carries: batches of environments and agents, pairs of them, and what came of the pairs.

Everything here is frozen and has one leading axis; nothing describes a single individual. Rows of unlike kinds live side by
side in a :class:`Population`.
"""

from __future__ import annotations

import enum
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from aiga.streams import Stream, combine, mix

Leaves = dict[str, Tensor]
State = dict[str, dict[str, Tensor]]  # optimiser state: by hash of the agents' kind, rows aligned with that kind's batch
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
        on = rows.to(self.device)
        return replace(self, ids=self.ids[rows], leaves={name: leaf[on] for name, leaf in self.leaves.items()})

    def with_ids(self, ids: Tensor) -> Batch:
        return replace(self, ids=ids)

    def to(self, device: torch.device | str) -> Batch:
        return replace(self, leaves={name: leaf.to(device) for name, leaf in self.leaves.items()})

    def explicit(self) -> Batch:
        """The rows themselves, on the device of the leaves; the batch itself where it is not implicit."""
        noise = self.noise
        if noise is None:
            return self
        flat = flatten(self.leaves)
        base = noise.base.to(flat.device)
        normal = Stream(noise.stream, noise.keys).normal(flat.shape[1], device=flat.device)
        scale = noise.scale.to(flat.device)[base]
        scale = scale[:, None] if scale.ndim == 1 else scale
        rows = flat[base] + (noise.sign.to(flat.device)[:, None] * scale) * normal
        like = {name: leaf[base] for name, leaf in self.leaves.items()}
        return Batch(self.kind, self.ids, unflatten(rows, like))

    @cached_property
    def hashes(self) -> Tensor:
        """``[B]`` int64 on the host: what each row holds, kind included; ids play no part."""
        out = torch.full((len(self.ids),), int(self.kind.hash[:15], 16), dtype=torch.int64)
        noise = self.noise
        if noise is not None:
            base = Batch.of(self.kind, self.leaves).hashes[noise.base]
            scale = _digest(noise.scale)[noise.base]
            return combine(out, base, noise.stream, noise.keys, noise.sign.to(torch.int64), scale)
        for name in sorted(self.leaves):
            out = combine(out, _digest(self.leaves[name]))
        return out


def _digest(leaf: Tensor) -> Tensor:
    """``[B]`` int64 of the bits of each row of ``[B, ...]``."""
    leaf = leaf.detach().cpu().contiguous().reshape(len(leaf), -1)
    if leaf.dtype == torch.bool:
        leaf = leaf.to(torch.uint8)
    width = {8: torch.int64, 4: torch.int32, 2: torch.int16, 1: torch.uint8}[leaf.element_size()]
    words = leaf.view(width).to(torch.int64)
    place = mix(torch.arange(1, words.shape[1] + 1, dtype=torch.int64))
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
        return torch.cat([b.hashes for b in self.batches]) if self.batches else torch.empty(0, dtype=torch.int64)

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
            leaves = {n: torch.cat([b.leaves[n].to(first.device) for _, _, b in members]) for n in first.leaves}
            merged.append(Batch(first.kind, torch.cat([b.ids for _, _, b in members]), leaves))
        return Population(tuple(merged)), where


def _parents(count: int) -> Tensor:
    return torch.full((count, 2), NOBODY, dtype=torch.int64)


@dataclass(frozen=True)
class Pairs:
    """Who lives where: rows of two populations, so that a full matrix copies no parameters.

    Attributes:
        env, agent: ``[P]`` int64 rows of ``envs`` and ``agents``.
        env_parents, agent_parents: ``[P, 2]`` ids, -1 for none.
        operator: what made each pair, ``P`` words such as ``"mutate"``.
    """

    envs: Population
    agents: Population
    env: Tensor
    agent: Tensor
    env_parents: Tensor
    agent_parents: Tensor
    operator: tuple[str, ...]

    @staticmethod
    def of(envs: Population, agents: Population, env: Tensor, agent: Tensor, operator: str = "") -> Pairs:
        """Pairs without parents, all made by one operator."""
        count = len(env)
        return Pairs(envs, agents, env, agent, _parents(count), _parents(count), (operator,) * count)

    @staticmethod
    def cross(envs: Population, agents: Population) -> Pairs:
        """Every environment with every agent, the agents running fastest."""
        env = torch.arange(len(envs)).repeat_interleave(len(agents))
        return Pairs.of(envs, agents, env, torch.arange(len(agents)).repeat(len(envs)))

    def __len__(self) -> int:
        return len(self.env)

    def take(self, rows: Tensor) -> Pairs:
        """These pairs, in this order; both populations stay whole."""
        return replace(
            self,
            env=self.env[rows],
            agent=self.agent[rows],
            env_parents=self.env_parents[rows],
            agent_parents=self.agent_parents[rows],
            operator=tuple(self.operator[row] for row in rows.tolist()),
        )

    def compact(self) -> Pairs:
        """The same pairs over populations without rows that no pair names."""
        env_rows, env = torch.unique(self.env, return_inverse=True)
        agent_rows, agent = torch.unique(self.agent, return_inverse=True)
        envs, env_where = self.envs.take(env_rows)
        agents, agent_where = self.agents.take(agent_rows)
        return replace(self, envs=envs, agents=agents, env=env_where[env], agent=agent_where[agent])

    @staticmethod
    def join(*several: Pairs) -> Pairs:
        """All pairs, in the order given."""
        envs, env_where = Population.join(*(p.envs for p in several))
        agents, agent_where = Population.join(*(p.agents for p in several))
        empty = torch.empty(0, dtype=torch.int64)
        return Pairs(
            envs,
            agents,
            torch.cat([empty, *(w[p.env] for w, p in zip(env_where, several, strict=True))]),
            torch.cat([empty, *(w[p.agent] for w, p in zip(agent_where, several, strict=True))]),
            torch.cat([_parents(0), *(p.env_parents for p in several)]),
            torch.cat([_parents(0), *(p.agent_parents for p in several)]),
            tuple(word for p in several for word in p.operator),
        )


class Status(enum.IntEnum):
    """What became of one row of an evaluation."""

    OK = 0
    NAN = 1
    ERROR = 2
    TIMEOUT = 3


@dataclass(frozen=True)
class Scores:
    """What came of pairs.

    Attributes:
        columns: ``[P, ...]`` tensors by name; ``fitness`` (float64) is always there, NaN where a row failed.
        status: ``[P]`` int64 on the host, values of :class:`Status`.
        reasons: why a row failed, by row.
        cost: counted work by kind, such as ``{"environment_steps": 12000}``; never seconds.
    """

    columns: dict[str, Tensor]
    status: Tensor
    reasons: Mapping[int, str] = field(default_factory=dict)
    cost: Mapping[str, int] = field(default_factory=dict)

    @staticmethod
    def of(fitness: Tensor, cost: Mapping[str, int] | None = None, **columns: Tensor) -> Scores:
        """Scores of rows that all went well."""
        status = torch.full((len(fitness),), int(Status.OK), dtype=torch.int64)
        return Scores({"fitness": fitness.double(), **columns}, status, {}, dict(cost or {}))

    def __len__(self) -> int:
        return len(self.status)

    @property
    def fitness(self) -> Tensor:
        """``[P]`` float64, NaN where a row failed; higher is better."""
        return self.columns["fitness"]

    @property
    def ok(self) -> Tensor:
        """``[P]`` bool on the host."""
        return self.status == int(Status.OK)

    def take(self, rows: Tensor) -> Scores:
        """These rows, in this order; the cost stays with the whole."""
        columns = {name: column[rows.to(column.device)] for name, column in self.columns.items()}
        reasons = {i: self.reasons[row] for i, row in enumerate(rows.tolist()) if row in self.reasons}
        return Scores(columns, self.status[rows], reasons)

    def with_columns(self, **columns: Tensor) -> Scores:
        """The same scores with columns of ``[P, ...]`` added."""
        return replace(self, columns={**self.columns, **columns})


@dataclass(frozen=True)
class Verdict:
    """What the owner of ``select`` decided.

    Attributes:
        admit: ``[P]`` bool over the proposals.
        niche: ``[P]`` int64 key of the niche each admitted row takes; an active niche of that key is replaced.
        retire: ``[R]`` int64 keys of niches to retire.
        reason: ``P`` words, why a row was not admitted; empty where it was.
    """

    admit: Tensor
    niche: Tensor
    retire: Tensor
    reason: Sequence[str]


@dataclass(frozen=True)
class Offers:
    """Agents, existing or new, for target niches.

    Attributes:
        agents: the population offered; ids of existing agents are kept and become the new agent's parents.
        agent: ``[O]`` int64 rows of ``agents``.
        niche: ``[O]`` int64 keys of the niches they are meant for.
        operator: ``O`` words such as ``"direct"``.
        claimed: ``[O]`` float64, the score that made the plugin offer; the core scores anew.
    """

    agents: Population
    agent: Tensor
    niche: Tensor
    operator: tuple[str, ...]
    claimed: Tensor

    def __len__(self) -> int:
        return len(self.agent)


@dataclass(frozen=True)
class Trajectory:
    """A recorded batch of lifetimes: ``[T, P, ...]`` tensors; rows past the end of a lifetime repeat its last entry."""

    observations: Tensor
    actions: Tensor
    rewards: Tensor
    done: Tensor
    extras: dict[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Event:
    """Something that happened to rows: one event a type and phase, with columns of equal length.

    ``type`` is one of born, rejected, admitted, transferred, solved, retired, iteration. Columns hold JSON-able values.
    """

    type: str
    iteration: int
    columns: Mapping[str, Sequence[Any]]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))
