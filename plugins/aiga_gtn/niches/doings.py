"""What agents did in their lives: what they perceived and answered, step by step, for others to imitate."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn import functional

import aiga
from aiga import padding
from aiga.components import Life
from aiga.crossing import onto
from aiga.data import Leaves, Pairs, Population, Trajectory


@dataclass(frozen=True)
class Doings:
    """Lives, or stretches of lives: ``E`` for each of ``P``, ``T`` steps each.

    Attributes:
        observation: ``[T, P, E, *inputs]``.
        reward: ``[T, P, E]`` of the step before; 0 where the domain shows agents no reward.
        previous: ``[T, P, E, A]``, the action before: of choices, 1 at the place of the one that was taken; likewise.
        target: ``[T, P, E, A]``, what to answer: of choices their chances, else the action's numbers.
        alive: ``[T, P, E]`` float: 0 where a life is over.
    """

    observation: Tensor
    reward: Tensor
    previous: Tensor
    target: Tensor
    alive: Tensor

    @property
    def percepts(self) -> aiga.Percept:
        """What is perceived."""
        return aiga.Percept(self.observation, self.reward, None, self.previous)

    def of(self, rows: Tensor) -> Doings:
        """Those of these of ``P``."""
        return Doings(*(part[:, rows] for part in vars(self).values()))


def answers(network: aiga.Network, leaves: Leaves, percepts: aiga.Percept) -> Tensor:
    """``[T, P, E, A]`` action parameters of ``P`` learners in lives whose percepts are known beforehand."""
    if hasattr(network, "unroll"):
        return cast(Any, network).unroll(leaves, percepts).action  # type: ignore[no-any-return]
    given = {name: part for name, part in vars(percepts).items() if part is not None}
    steps, agents, lives = percepts.observation.shape[:3]
    rows = torch.arange(agents, device=percepts.observation.device).repeat_interleave(lives)
    wide = {name: leaf[rows] for name, leaf in leaves.items()}
    life, out = network.newborn(wide), []
    for step in range(steps):
        now = aiga.Percept(**{name: part[step].flatten(0, 1) for name, part in given.items()})
        output, life = network.step(wide, life, now)
        out.append(output.action.reshape(agents, lives, -1))
    return torch.stack(out)


def imitation(network: aiga.Network, leaves: Leaves, doings: Doings, choices: bool) -> Tensor:
    """``[P]``: how far learners are from doing as was done, a mean over all steps of lives that are not over.

    Of choices it is the divergence of Kullback and Leibler, in nats, of the learner's chances from those that were; else the
    mean squared difference of the answers.
    """
    given = answers(network, leaves, doings.percepts)
    if choices:
        known = torch.special.xlogy(doings.target, doings.target)
        off = (known - doings.target * functional.log_softmax(given, dim=3)).sum(dim=3)
    else:
        off = (given - doings.target).square().mean(dim=3)
    mean: Tensor = (off * doings.alive).sum(dim=(0, 2)) / doings.alive.sum(dim=(0, 2)).clamp(min=1.0)
    return mean


def lived(lab: aiga.Lab, seeds: Tensor, horizon: int) -> tuple[Doings, Counter[str]]:
    """What the agents of all niches do in their environments, in the niches' order; and its counted work.

    Agents of one bucket live in one call.

    Args:
        lab: the run.
        seeds: ``[N, E]`` int64 of each niche's lives.
        horizon: steps, from birth on.
    """
    niches, domain = lab.niches, lab.domain
    networks: padding.Networks = lambda name: lab.component("network", name)  # noqa: E731
    agents, where = padding.in_buckets(niches.agents, networks, domain)
    agent, each, cost = where[niches.agent], seeds.shape[1], Counter[str]()
    parts, order = list[Doings](), list[int]()
    for start, batch in agents.parts():
        rows = torch.nonzero((agent >= start) & (agent < start + len(batch))).flatten()
        row = (agent[rows] - start).repeat_interleave(each)
        pairs = Pairs.of(niches.envs, Population((batch,)), niches.env[rows].repeat_interleave(each), row)
        listener = _Listener(networks(batch.kind.component))
        with torch.no_grad():
            answer = domain.live(pairs, cast(Any, listener), seeds[rows].flatten(), record=True)
        assert isinstance(answer, tuple), "a recorded life comes with its trajectory"
        scores, trajectory = answer
        cost.update({"episodes": len(pairs), **scores.cost})
        parts.append(recorded(domain, trajectory, listener.heard, len(rows), horizon, batch.device))
        order += rows.tolist()
    return _joined(parts).of(onto(torch.tensor(order).argsort(), parts[0].reward.device)), cost


class _Listener:
    """A network that notes which parts of a percept a domain gives; what a life never shows, an imitator cannot go by.

    Attributes:
        heard: names of the parts; None where no step was asked for, as of networks that a domain computes itself.
    """

    def __init__(self, network: aiga.Network) -> None:
        self._network, self.heard = network, cast("set[str] | None", None)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._network, name)

    def step(self, leaves: Leaves, life: Life, percept: aiga.Percept) -> tuple[aiga.Output, Life]:
        self.heard = (self.heard or set()) | {name for name, part in vars(percept).items() if part is not None}
        return self._network.step(leaves, life, percept)


def recorded(
    domain: aiga.Domain, trajectory: Trajectory, heard: set[str] | None, count: int, horizon: int, device: torch.device
) -> Doings:
    """Of a recorded batch of ``count`` agents' lives, who were shown what was ``heard``."""
    steps = min(horizon, len(trajectory.rewards))
    seen = trajectory.observations[:steps].to(device).float()
    actions, done = trajectory.actions[:steps].to(device), trajectory.done[:steps].to(device)
    alive = torch.cat([torch.ones_like(done[:1]), ~done[:-1]]).float()
    if domain.outputs.kind == "discrete":
        taken = functional.one_hot(actions.to(torch.int64), domain.outputs.shape[0]).float()
        logits = trajectory.extras.get("logits")
        target = taken if logits is None else functional.softmax(logits[:steps].detach().to(device).float(), dim=2)
    else:
        taken = target = actions.flatten(2).float()
    reward = trajectory.rewards[:steps].to(device).float()
    parts = (("reward", reward), ("previous_action", taken))
    before = [_before(part) if heard is None or name in heard else torch.zeros_like(part) for name, part in parts]
    whole = (seen, *before, target, alive)
    return Doings(*(part.reshape(steps, count, -1, *part.shape[2:]) for part in whole))


def _before(part: Tensor) -> Tensor:
    """What was in the step before, zeros at birth."""
    return torch.cat([torch.zeros_like(part[:1]), part[:-1]])


def _joined(parts: list[Doings]) -> Doings:
    """All agents' lives; shorter ones are over at their end."""
    steps = max(len(part.reward) for part in parts)
    columns = zip(*(vars(part).values() for part in parts), strict=True)
    return Doings(*(torch.cat([_longer(part, steps) for part in column], dim=1) for column in columns))


def _longer(part: Tensor, steps: int) -> Tensor:
    missing = steps - len(part)
    return torch.cat([part, part.new_zeros(missing, *part.shape[1:])]) if missing else part
