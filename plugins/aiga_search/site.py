"""Where a search takes place: one environment, one network whose architectures are searched, and who lives there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor

import aiga
from aiga.components import Structure
from aiga.data import Kind, Pairs, Population
from aiga.newborns import newborns


@dataclass(frozen=True)
class Residents:
    """Architectures that were tried and live, oldest first.

    Attributes:
        structures: of each.
        keys: ``[N]`` int64 of their niches: the numbers of their trials.
        scores: ``[N]`` float64, the latest; minus infinity where there is none.
        agents: ``[N]`` int64 ids.
    """

    structures: list[Structure]
    keys: Tensor
    scores: Tensor
    agents: Tensor

    def __len__(self) -> int:
        return len(self.keys)

    @staticmethod
    def of(niches: aiga.Niches) -> Residents:
        """Those of all niches but the ones that the run was founded with, whose agents were never trained."""
        rows = torch.nonzero(niches.born > 0).flatten()
        rows = rows[niches.key[rows].argsort()]
        kinds = kinds_of(niches.agents)
        scores = torch.nan_to_num(niches.score[rows], nan=-torch.inf)
        structures = [kinds[agent].structure for agent in niches.agent[rows].tolist()]
        return Residents(structures, niches.key[rows], scores, niches.agent_ids[rows])


def no_space(network: str) -> str:
    """What to say of a network whose architectures cannot be searched."""
    what = f'the network "{network}" has no space of architectures to search'
    return f'{what}. Name another in [population] networks, such as "perceptron".'


@dataclass(frozen=True)
class Site:
    """Where a search takes place.

    Attributes:
        name: of the network.
        network: whose architectures are searched.
        envs: the environment, one row.
        device: of agents.
    """

    name: str
    network: aiga.Network
    envs: Population
    device: torch.device

    @staticmethod
    def of(lab: aiga.Lab) -> Site:
        """Where the niches are.

        Raises:
            InputError: if these are several environments or networks, or the network has no space.
        """
        niches = lab.niches
        ids, names = torch.unique(niches.env_ids), sorted({batch.kind.component for batch in niches.agents.batches})
        if len(ids) != 1 or len(names) != 1:
            raise aiga.InputError(
                f"architectures of one network are searched in one environment, found {len(ids)} environments and the networks "
                f"{', '.join(names)}. Write niches = 1 and one of the networks in [population]."
            )
        network: aiga.Network = lab.component("network", names[0])
        if not hasattr(network, "space"):
            raise aiga.InputError(no_space(names[0]))
        envs, _ = niches.envs.take(niches.env[:1])
        return Site(names[0], network, envs, niches.agents.batches[0].device)

    @property
    def space(self) -> Any:
        """Of architectures; see :class:`aiga.Network`."""
        return cast(Any, self.network).space

    def newborns(self, rng: aiga.Stream, domain: aiga.Domain, structures: Sequence[Structure]) -> tuple[Population, Tensor]:
        """A random agent of each structure, and ``[B]`` int64: which row each is.

        Args:
            rng: with a row key for each.
            domain: that they are to live in.
            structures: ``B`` of them.
        """
        kinds = [Kind(self.name, structure) for structure in structures]
        agents, where = newborns(lambda _: self.network, kinds, rng, domain.inputs, domain.outputs)
        return agents.to(self.device), where

    def here(self, pairs: Pairs) -> Tensor:
        """``[P]`` bool: which pairs are of this environment and network."""
        mine = torch.tensor([kind.component == self.name for kind in kinds_of(pairs.agents)], dtype=torch.bool)
        return (pairs.envs.ids[pairs.env] == self.envs.ids[0]) & mine[pairs.agent]


def kinds_of(agents: Population) -> list[Kind]:
    """The kind of each row."""
    return [batch.kind for batch in agents.batches for _ in range(len(batch))]
