"""Every stepping stone of a run: ids and descriptions in memory, genomes on disk."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from aiga.data import Population
from aiga.stones import Stones


class StoneArchive:
    """The archive that a lab shows: what was ever admitted or remembered.

    Attributes:
        env_ids: ``[A]`` int64, every environment ever admitted, in order.
        agent_ids: ``[S]`` int64, every agent ever remembered, in order.
        descriptions: ``[A, d]`` float64 of ``env_ids``; ``[0, 0]`` before the first.
    """

    def __init__(self, stones: Stones) -> None:
        self._stones = stones
        self.env_ids = torch.empty(0, dtype=torch.int64)
        self.agent_ids = torch.empty(0, dtype=torch.int64)
        self.descriptions = torch.empty(0, 0, dtype=torch.float64)

    def environments(self, ids: Tensor) -> tuple[Population, Tensor]:
        """These environments, and where each asked-for one is among the rows."""
        return self._stones.read(ids)

    def agents(self, ids: Tensor) -> tuple[Population, Tensor]:
        """These agents, and where each asked-for one is among the rows."""
        return self._stones.read(ids)

    def add_environments(self, iteration: int, envs: Population, descriptions: Tensor) -> None:
        """Stages environments with ids to be written with this iteration."""
        if len(envs):
            self._stones.stage(iteration, envs=envs)
            self.env_ids = torch.cat([self.env_ids, envs.ids])
            known = self.descriptions if len(self.descriptions) else descriptions[:0]
            self.descriptions = torch.cat([known, descriptions])

    def add_agents(self, iteration: int, agents: Population) -> None:
        """Stages agents with ids to be written with this iteration."""
        if len(agents):
            self._stones.stage(iteration, agents=agents)
            self.agent_ids = torch.cat([self.agent_ids, agents.ids])

    def state_dict(self) -> dict[str, Any]:
        """Ids and descriptions."""
        return {"env_ids": self.env_ids, "agent_ids": self.agent_ids, "descriptions": self.descriptions}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes ids and descriptions back."""
        self.env_ids, self.agent_ids, self.descriptions = state["env_ids"], state["agent_ids"], state["descriptions"]
