"""The lives of taught learners in a domain, and the losses that an optimiser finds in them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

import torch
from torch import Tensor

import aiga
from aiga.data import Batch, Pairs, Population, Scores, Status, Trajectory
from aiga_gtn.learners import Group
from aiga_gtn.policies.lessons import Judged


class Critic(Protocol):
    """An optimiser with the capability ``losses``; see :class:`aiga.Optimiser`."""

    def losses(self, trajectory: Trajectory, lives: int) -> Tensor: ...


class Lives:
    """Where taught learners show what they can.

    Args:
        domain: whose actions are choices.
        env: one environment of it.
        networks: by name.
        critic: judges lives.
    """

    def __init__(self, domain: aiga.Domain, env: Batch, networks: Mapping[str, aiga.Network], critic: Critic) -> None:
        self._domain, self._env, self._networks, self._critic = domain, env, networks, critic

    def judged(self, group: Group, flat: Tensor, seeds: Tensor) -> Judged:
        """What came of ``E`` lives of each learner, with losses that are differentiable in its leaves.

        Args:
            group: of ``P`` learners.
            flat: ``[P, D]`` leaves.
            seeds: ``[P, E]`` int64 of their lives.
        """
        answer = self._live(replace(group.batch, leaves=group.leaves(flat)), seeds, record=True)
        assert isinstance(answer, tuple), "a recorded life comes with its trajectory"
        scores, trajectory = answer
        # Values are not taught: those of a head that is as it was born would hold a life against nothing but chance.
        extras = {name: extra for name, extra in trajectory.extras.items() if name != "values"}
        lives = seeds.shape[1]
        losses = self._critic.losses(replace(trajectory, extras=extras), lives).reshape(-1, lives).mean(dim=1)
        ill = torch.nonzero(scores.status != int(Status.OK)).flatten().tolist()
        failures = {life // lives: scores.reason(life) for life in reversed(ill)}
        return Judged(losses, _mean(scores, lives), failures, Counter(scores.cost))

    def followed(self, group: Group, seed: Tensor) -> bool:
        """Whether gradients go through recorded lives into who lives them; one learner of the group lives once to say so.

        Args:
            group: of learners.
            seed: int64 of that life.
        """
        first = group.batch.take(torch.zeros(1, dtype=torch.int64))
        leaves = {name: leaf.detach().requires_grad_(leaf.is_floating_point()) for name, leaf in first.leaves.items()}
        with torch.enable_grad():
            answer = self._live(replace(first, leaves=leaves), seed.reshape(1, 1), record=True)
        assert isinstance(answer, tuple), "a recorded life comes with its trajectory"
        logits = answer[1].extras.get("logits")
        return logits is not None and logits.requires_grad

    def fitness(self, agents: Batch, seeds: Tensor) -> Tensor:
        """``[P]`` float64 on the host: means over the ``E`` lives of ``P`` agents; NaN where one failed.

        Args:
            agents: explicit, of one kind.
            seeds: ``[P, E]`` int64.
        """
        with torch.no_grad():
            scores = self._live(agents, seeds, record=False)
        assert isinstance(scores, Scores), "lives that are not recorded come with scores alone"
        return _mean(scores, seeds.shape[1])

    def _live(self, agents: Batch, seeds: Tensor, record: bool) -> Scores | tuple[Scores, Trajectory]:
        envs = Population((self._env.to(agents.device),))
        pairs = Pairs.lives(envs, Population((agents,)), seeds.shape[1])
        return self._domain.live(pairs, self._networks[agents.kind.component], seeds.reshape(-1), record=record)


def _mean(scores: Scores, lives: int) -> Tensor:
    return scores.fitness.detach().cpu().double().reshape(-1, lives).mean(dim=1)
