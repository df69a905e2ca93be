"""What the loop carries: pairs of environments and agents, what came of them, and what plugins decide and offer.

Everything here is frozen and has one leading axis; nothing describes a single individual. The rows themselves are in
:mod:`aiga.batches`, whose names stand here too.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from aiga.batches import NOBODY as NOBODY
from aiga.batches import Batch as Batch
from aiga.batches import Kind as Kind
from aiga.batches import Leaves as Leaves
from aiga.batches import Noise as Noise
from aiga.batches import Population as Population
from aiga.batches import flatten as flatten
from aiga.batches import unflatten as unflatten
from aiga.crossing import onto

State = dict[str, dict[str, Tensor]]  # optimiser state: by hash of the agents' kind, rows aligned with that kind's batch


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

    @staticmethod
    def lives(envs: Population, agents: Population, each: int) -> Pairs:
        """``each`` pairs of every agent in a row, dealt out over the environments in turn."""
        turn = torch.arange(each) % len(envs)
        return Pairs.of(envs, agents, turn.repeat(len(agents)), torch.arange(len(agents)).repeat_interleave(each))

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

    def agents_of_one_kind(self) -> tuple[Batch, Tensor]:
        """The agents as one explicit batch, and ``[P]`` int64, on the host, the row of it that each pair names.

        Raises:
            ValueError: if they are not of one kind, as those that a domain's lifetimes are asked for always are.
        """
        population, (where,) = Population.join(self.agents)
        if len(population.batches) != 1:
            raise ValueError(f"a call lives agents of one kind, not of {len(population.batches)}")
        return population.batches[0].explicit(), where[self.agent.cpu()]

    def homes(self) -> Tensor:
        """``[N]`` int64: the row of ``envs`` that each row of ``agents`` lives in, as optimisers are given them.

        Raises:
            ValueError: if agents are implicit, a kind has several batches, or an agent does not live in exactly one.
        """
        self.agents.explicit_kinds()
        order = self.agent.argsort()
        if not torch.equal(self.agent[order], torch.arange(len(self.agents))):
            raise ValueError(f"each of {len(self.agents)} agents must live in exactly one niche, found {self.agent.tolist()}")
        return self.env[order]

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

    @property
    def words(self) -> str:
        """Why a row of this status failed, where its domain says nothing."""
        return "an answer of the network is not a finite number" if self is Status.NAN else "failed without a reason"


@dataclass(frozen=True)
class Scores:
    """What came of pairs.

    Attributes:
        columns: ``[P, ...]`` tensors by name; ``fitness`` (float64) is always there, NaN where a row failed.
        status: ``[P]`` int64, values of :class:`Status`; on the host in whatever an executor answers.
        reasons: why a row failed, by row; an executor gives a reason to those that a domain gave none.
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
        """``[P]`` bool, where the status is."""
        return self.status == int(Status.OK)

    def reason(self, row: int) -> str:
        """Why this row failed; for a row on a device it waits."""
        return self.reasons.get(row) or Status(int(self.status[row])).words

    @staticmethod
    def on_host(several: Sequence[Scores], agents: Population) -> list[Scores]:
        """All these scores on the host, where the hashes of the agents that they are of are known then; it waits once."""
        crossed = iter(agents.hashed(*(column for s in several for column in (s.status, *s.columns.values()))))
        return [replace(s, status=next(crossed), columns={name: next(crossed) for name in s.columns}) for s in several]

    def take(self, rows: Tensor) -> Scores:
        """These rows, in this order; the cost stays with the whole."""
        columns = {name: column[onto(rows, column.device)] for name, column in self.columns.items()}
        reasons = {i: self.reasons[row] for i, row in enumerate(rows.tolist()) if row in self.reasons}
        return Scores(columns, self.status[rows], reasons)

    def best_above(self, group: Tensor, bar: Tensor) -> Tensor:
        """Of each group the row of highest fitness, if that is strictly above its bar; of equal rows the first.

        Args:
            group: ``[P]`` int64, such as the niche a row is meant for.
            bar: ``[P]`` the fitness to exceed; NaN is exceeded by any number.

        Returns:
            ``[P]`` bool on the host.
        """
        fitness, bar = self.fitness.cpu(), torch.nan_to_num(bar.cpu().double(), nan=-torch.inf)
        ranked = torch.where(self.ok & (fitness > bar), fitness, -torch.inf)
        order = torch.argsort(ranked, descending=True, stable=True)
        _, which = torch.unique(group[order], return_inverse=True)
        count = int(which.max()) + 1 if len(which) else 0
        first = torch.full((count,), len(order)).scatter_reduce(0, which, torch.arange(len(order)), "amin")
        best = torch.zeros(len(order), dtype=torch.bool)
        best[order[first]] = True
        return best & (ranked > -torch.inf)

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
        reason: ``P`` words, why a row was not admitted; empty where it was, and for a row of an active environment that shall
            be offered to the niches where that environment lives.
        notes: columns of ``P`` JSON-able values that the event of an admission shall carry.
    """

    admit: Tensor
    niche: Tensor
    retire: Tensor
    reason: Sequence[str]
    notes: Mapping[str, Sequence[Any]] = field(default_factory=dict)


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

    @staticmethod
    def join(*several: Offers) -> Offers:
        """All offers, in the order given."""
        agents, where = Population.join(*(offers.agents for offers in several))
        empty = torch.empty(0, dtype=torch.int64)
        return Offers(
            agents,
            torch.cat([empty, *(rows[offers.agent] for rows, offers in zip(where, several, strict=True))]),
            torch.cat([empty, *(offers.niche for offers in several)]),
            tuple(word for offers in several for word in offers.operator),
            torch.cat([empty.double(), *(offers.claimed.double().cpu() for offers in several)]),
        )


@dataclass(frozen=True)
class Trajectory:
    """A recorded batch of lifetimes: ``[T, P, ...]`` tensors; rows past the end of a lifetime repeat its last entry."""

    observations: Tensor
    actions: Tensor
    rewards: Tensor
    done: Tensor
    extras: dict[str, Tensor] = field(default_factory=dict)

    def take(self, rows: Tensor) -> Trajectory:
        """These lifetimes, in this order."""
        rows = rows.to(self.rewards.device)
        return Trajectory(
            self.observations[:, rows],
            self.actions[:, rows],
            self.rewards[:, rows],
            self.done[:, rows],
            {name: part[:, rows] for name, part in self.extras.items()},
        )


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
