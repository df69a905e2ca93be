"""The active niches: environments paired with the agents that live in them now."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from aiga.crossing import onto
from aiga.data import Pairs, Population, State

HISTORY = 5  # scores kept a niche: Enhanced POET's transfer gate looks at five


@dataclass(frozen=True)
class Niches:
    """Columns over the ``N`` active niches, oldest first.

    Attributes:
        key: ``[N]`` int64, opaque to the core: an environment, a cell, a level.
        env, agent: ``[N]`` int64 rows of ``envs`` and ``agents``.
        born: ``[N]`` int64, iteration of admission.
        score: ``[N]`` float64, the latest; NaN before the first.
        history: ``[N, 5]`` float64, the latest first, NaN where there is none.
        solved: ``[N]`` bool: confirmed above the domain's ``solved``.
        state: optimiser state by hash of the agents' kind, rows aligned with that kind's batch of ``agents``.

    ``agents`` are explicit, one batch a kind, and each of them lives in exactly one niche.
    """

    key: Tensor
    env: Tensor
    agent: Tensor
    born: Tensor
    score: Tensor
    history: Tensor
    solved: Tensor
    envs: Population
    agents: Population
    state: State

    @staticmethod
    def none() -> Niches:
        """No niche at all."""
        ints = torch.empty(0, dtype=torch.int64)
        floats = torch.empty(0, dtype=torch.float64)
        return Niches(ints, ints, ints, ints, floats, floats.reshape(0, HISTORY), ints.bool(), Population(), Population(), {})

    def __len__(self) -> int:
        return len(self.key)

    @property
    def env_ids(self) -> Tensor:
        """``[N]`` int64 ids of the niches' environments."""
        return self.envs.ids[self.env]

    @property
    def agent_ids(self) -> Tensor:
        """``[N]`` int64: the latest snapshot of each niche's agent."""
        return self.agents.ids[self.agent]

    @property
    def networks(self) -> list[str]:
        """The network that each niche's agent is made of."""
        names = [batch.kind.component for batch in self.agents.batches for _ in range(len(batch))]
        return [names[row] for row in self.agent.tolist()]

    def pairs(self) -> Pairs:
        """Each niche's environment with its agent, in the order of the niches."""
        return Pairs.of(self.envs, self.agents, self.env, self.agent)

    def rows(self, keys: Tensor) -> Tensor:
        """``[K]`` int64: the row of each niche key, -1 where no active niche has it."""
        if len(self) == 0:
            return torch.full((len(keys),), -1, dtype=torch.int64)
        match = keys[:, None] == self.key[None, :]
        return torch.where(match.any(dim=1), match.to(torch.int64).argmax(dim=1), -1)

    def with_agents(self, agents: Population, state: State) -> Niches:
        """The same niches after their agents were improved: same rows, new leaves."""
        return replace(self, agents=agents, state=state)

    def with_scores(self, score: Tensor) -> Niches:
        """The same niches with ``[N]`` float64 new scores, the old ones pushed down the history."""
        history = torch.cat([score[:, None], self.history[:, :-1]], dim=1)
        return replace(self, score=score, history=history)

    def take(self, rows: Tensor) -> Niches:
        """These niches, in this order, over populations that hold nothing else."""
        envs, env = self.envs.take(self.env[rows])
        agents, agent = self.agents.take(self.agent[rows])
        state: State = {}
        for start, batch in self.agents.parts():
            mine = self.agent[rows]
            mine = mine[(mine >= start) & (mine < start + len(batch))] - start
            if len(mine) and batch.kind.hash in self.state:
                state[batch.kind.hash] = {n: t[onto(mine, t.device)] for n, t in self.state[batch.kind.hash].items()}
        picked = {n: getattr(self, n)[rows] for n in ("key", "born", "score", "history", "solved")}
        return Niches(env=env, agent=agent, envs=envs, agents=agents, state=state, **picked)

    @staticmethod
    def join(one: Niches, other: Niches) -> Niches:
        """``one``'s niches, then ``other``'s."""
        envs, (env_one, env_other) = Population.join(one.envs, other.envs)
        agents, (agent_one, agent_other) = Population.join(one.agents, other.agents)
        state: State = {}
        for some in (one.state, other.state):
            for kind, columns in some.items():
                held, leaves = state.get(kind), columns
                if held is not None:
                    leaves = {name: torch.cat([part, onto(leaves[name], part.device)]) for name, part in held.items()}
                state[kind] = leaves
        cat = {n: torch.cat([getattr(one, n), getattr(other, n)]) for n in ("key", "born", "score", "history", "solved")}
        return Niches(
            env=torch.cat([env_one[one.env], env_other[other.env]]),
            agent=torch.cat([agent_one[one.agent], agent_other[other.agent]]),
            envs=envs,
            agents=agents,
            state=state,
            **cat,
        )
