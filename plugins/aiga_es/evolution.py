"""The optimiser around every rule: perturb the agents of all niches, score all of it in one call, tell the rule.

The noise is aiga's own and keyed by what it concerns (environment, step, number of the draw), so that neither a further niche
nor the order of rows changes anybody's; from evotorch come update rules alone.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

import torch
from torch import Tensor

import aiga
from aiga.crossing import onto
from aiga.data import Pairs, Population, State, flatten, unflatten
from aiga.streams import combine
from aiga_es.draws import Draws

Columns = dict[str, Tensor]


class Rule(Protocol):
    """How one distribution-based search samples and learns, for all niches of one kind of agents at once.

    Attributes:
        antithetic: whether draws come in pairs, ``+`` before ``-``.
    """

    antithetic: bool

    def start(self, centre: Tensor) -> Columns:
        """Fresh state, tensors ``[B, ...]``, of searches that start at ``centre`` ``[B, D]``."""
        ...

    def stdev(self, state: Columns) -> Tensor:
        """``[B]``, or ``[B, D]``: how far to perturb."""
        ...

    def tell(self, centre: Tensor, draws: Draws, fitness: Tensor, state: Columns) -> tuple[Tensor, Columns]:
        """One step.

        Args:
            centre: ``[B, D]`` float32, what was perturbed.
            draws: the perturbations.
            fitness: ``[B, M]`` float64 of each perturbation; NaN where it failed.
            state: as :meth:`start` or an earlier step made it; it is not changed.

        Returns:
            ``[B, D]`` new centres, and their state.
        """
        ...


class Evolution:
    """The optimiser: see :class:`aiga.Optimiser`.

    Its state holds what the rule keeps, ``[B, ...]`` tensors by name for each kind of agents.
    """

    def __init__(self, name: str, rule: Rule, population: int, episodes: int) -> None:
        """Scores ``population`` perturbations of every agent in each step, over ``episodes`` lifetimes each."""
        self._name, self._rule, self._episodes = name, rule, episodes
        self._draws = population // 2 if rule.antithetic else population

    def start(self, agents: Population) -> State:
        return {batch.kind.hash: self._rule.start(flatten(batch.leaves)) for batch in agents.explicit_kinds()}

    def improve(self, lab: aiga.Lab, niches: Pairs, state: State, steps: int) -> tuple[Population, State]:
        """``steps`` steps for every niche at once, one ``lab.evaluate`` a step.

        Raises:
            ValueError: if ``niches`` does not name each of its agents exactly once, or the agents are implicit.
        """
        home = niches.homes()
        agents, state = niches.agents, dict(state)
        if len(agents) == 0:
            return agents, state
        hashes = niches.envs.hashes
        for step in range(steps):
            draws = self._sample(lab, hashes, home, agents, step)
            fitness = self._score(lab, niches, home, agents, state, draws, step)
            batches = []
            for batch, drawn, told in zip(agents.batches, draws, fitness, strict=True):
                kind = batch.kind.hash
                centre, state[kind] = self._rule.tell(flatten(batch.leaves), drawn, told, state[kind])
                batches.append(replace(batch, leaves=unflatten(centre, batch.leaves)))
            agents = Population(tuple(batches))
        return agents, state

    def _sample(self, lab: aiga.Lab, hashes: Tensor, home: Tensor, agents: Population, step: int) -> list[Draws]:
        stream = lab.rng(self._name, "noise").key
        number = torch.arange(self._draws)
        return [
            Draws(stream, combine(hashes[home[start : start + len(b)], None], step, number[None]), self._rule.antithetic)
            for start, b in agents.parts()
        ]

    def _score(
        self,
        lab: aiga.Lab,
        niches: Pairs,
        home: Tensor,
        agents: Population,
        state: State,
        draws: list[Draws],
        step: int,
    ) -> list[Tensor]:
        """``[B, M]`` float64 fitness of every draw, by kind."""
        perturbed = Population(
            tuple(
                drawn.implicit(batch, self._rule.stdev(state[batch.kind.hash]))
                for batch, drawn in zip(agents.batches, draws, strict=True)
            )
        )
        count = len(perturbed) // len(agents)
        pairs = Pairs.of(niches.envs, perturbed, home.repeat_interleave(count), torch.arange(len(perturbed)), self._name)
        # A purpose of its own for each step: its episodes must not be those that the step before has learnt from.
        scores = lab.evaluate(pairs, episodes=self._episodes, purpose=f"improve/{step}")
        fitness = torch.where(scores.ok, scores.fitness, torch.nan).reshape(-1, count)
        return [onto(fitness[start : start + len(b)], b.device) for start, b in agents.parts()]
