"""Advantage actor-critic (Mnih et al. 2016) over whole lives, as plastic networks are trained (Miconi et al. 2018, 2019).

A life is lived once, recorded, and gone back through to its first step: through activities and traces alike. Agents of all
niches, and the lives of each, are rows of one graph; agents of unlike widths too, where their network has buckets.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

import aiga
from aiga.adam import Columns, descend, start_adam
from aiga.data import Batch, Leaves, Pairs, Population, State, Trajectory, flatten, unflatten
from aiga.sums import tree_sum
from aiga.threads import threads
from aiga_plasticity.buckets import Filled


class A2cOptions(aiga.Options):
    """Values of Backpropamine's maze (Miconi et al. 2019), but for a step size ten times as large.

    Attributes:
        episodes: lives of each agent in each step.
        lr: Adam's step size.
        eps: Adam's epsilon.
        gamma: discount of rewards from step to step; a life's end is worth nothing.
        value: weight of the squared error of the values.
        baseline: the value that a life's rewards are held against: its ``own``, or that of the agent's ``first`` life for all,
            a slip of Backpropamine's released code, kept for comparison.
        bonus: what keeps actions random: ``simpson``, the chance that two draws of an action differ, or ``entropy``.
        bonus_weight: weight of the bonus.
        clip: greatest norm of an agent's gradient, of the mean loss of a step of a life.
        block: lives in one graph; memory grows with it.
        agents: how many of each network ``aiga train`` trains side by side.
        epoch: steps of an epoch there.
        validate_on: a named environment that ``aiga train`` validates on; none where empty.
    """

    episodes: int = Field(default=30, ge=1)
    lr: float = Field(default=1e-3, gt=0.0)
    eps: float = Field(default=1e-6, gt=0.0)
    gamma: float = Field(default=0.9, ge=0.0, le=1.0)
    value: float = Field(default=0.1, ge=0.0)
    baseline: Literal["own", "first"] = "own"
    bonus: Literal["simpson", "entropy"] = "simpson"
    bonus_weight: float = Field(default=0.03, ge=0.0)
    clip: float = Field(default=4.0, gt=0.0)
    block: int = Field(default=512, ge=1)
    agents: int = Field(default=1, ge=1)
    epoch: int = Field(default=100, ge=1)
    validate_on: str = ""


class ActorCritic:
    """The optimiser ``a2c``: see :class:`aiga.Optimiser`. It needs a domain whose recorded lives hold their logits.

    State of each kind of agents: Adam's moments and the powers of its decays, one row an agent.
    """

    def __init__(self, options: A2cOptions) -> None:
        self.options = options

    def start(self, agents: Population) -> State:
        return {batch.kind.hash: start_adam(flatten(batch.leaves)) for batch in agents.explicit_kinds()}

    def improve(self, lab: aiga.Lab, niches: Pairs, state: State, steps: int) -> tuple[Population, State]:
        """``steps`` steps for every niche at once; agents of one bucket take them in one call.

        Raises:
            ValueError: if ``niches`` does not name each of its agents exactly once, the agents are implicit, or the domain's
                recorded lives hold no logits.
        """
        given, hashes = niches.homes(), niches.envs.hashes
        filled = Filled(niches.agents, lambda name: lab.component("network", name), lab.domain)
        home = torch.empty_like(given)
        home[filled.where] = given
        agents, columns = filled.agents, filled.widen(state)
        cost: Counter[str] = Counter()
        for step in range(steps):
            # A seed hangs on the environment and the step: one more niche changes nobody's lives.
            stream, batches = lab.rng("a2c", "lives", step), []
            for start, batch in agents.parts():
                env = home[start : start + len(batch)]
                seeds = stream.rows(hashes[env]).words(self.options.episodes)
                network, kind = lab.component("network", batch.kind.component), batch.kind.hash
                batch, columns[kind], spent = self.update(lab.domain, network, niches.envs, env, batch, seeds, columns[kind])
                batches.append(batch)
                cost.update(spent)
            agents = Population(tuple(batches))
        lab.meter.count(dict(cost), "improve")
        agents, columns = filled.back(agents, columns)
        return agents, {**state, **columns}

    def update(
        self,
        domain: aiga.Domain,
        network: aiga.Network,
        envs: Population,
        env: Tensor,
        agents: Batch,
        seeds: Tensor,
        state: Columns,
    ) -> tuple[Batch, Columns, Counter[str]]:
        """One step of Adam for each of ``B`` agents of one kind; an agent whose gradient is no number stays as it is.

        Args:
            domain: where they live.
            network: what they are made of.
            envs: environments.
            env: ``[B]`` int64, the row of ``envs`` where each agent lives.
            agents: explicit.
            seeds: ``[B, E]`` int64 of each agent's lives.
            state: as :meth:`start` made it for this kind; it is not changed.

        Returns:
            The agents, their state, and counted work.
        """
        some = max(1, self.options.block // seeds.shape[1])
        gradients, cost = [], Counter({"gradient_steps": len(agents)})
        with threads(1):
            for first in range(0, len(agents), some):
                rows = torch.arange(first, min(first + some, len(agents)))
                gradient, spent = self._gradient(domain, network, envs, env[rows], agents.take(rows), seeds[rows])
                gradients.append(gradient)
                cost.update(spent)
            new, state = descend(flatten(agents.leaves), torch.cat(gradients), state, self.options.lr, self.options.eps)
        return replace(agents, leaves=unflatten(new, agents.leaves)), state, cost

    def _gradient(
        self, domain: aiga.Domain, network: aiga.Network, envs: Population, env: Tensor, agents: Batch, seeds: Tensor
    ) -> tuple[Tensor, Counter[str]]:
        """``[B, D]`` gradients of the mean loss over each agent's lives, no longer than ``clip``."""
        count, episodes = seeds.shape
        leaves: Leaves = {n: x.detach().requires_grad_(x.is_floating_point()) for n, x in agents.leaves.items()}
        learnt = [leaf for leaf in leaves.values() if leaf.requires_grad]
        living = Population((replace(agents, leaves=leaves),))
        gradient, cost = None, Counter[str]()
        wide = max(1, min(episodes, self.options.block // count))
        for first in range(0, episodes, wide):
            part = seeds[:, first : first + wide]
            row = torch.arange(count).repeat_interleave(part.shape[1])
            with torch.enable_grad():
                answer = domain.live(Pairs.of(envs, living, env[row], row), network, part.reshape(-1), record=True)
                assert isinstance(answer, tuple), "a recorded life comes with its trajectory"
                scores, trajectory = answer
                losses = self.losses(trajectory, part.shape[1])
            found = torch.autograd.grad(losses.sum() / episodes, learnt, materialize_grads=True)
            named = dict(zip((n for n, x in leaves.items() if x.requires_grad), found, strict=True))
            flat = flatten(named)
            gradient = flat if gradient is None else gradient + flat
            cost.update({"episodes": part.numel(), **scores.cost})
        assert gradient is not None, "an agent lives at least once"
        length = tree_sum(gradient.double().square()).sqrt()
        return gradient * (self.options.clip / length.clamp(min=self.options.clip))[:, None].to(gradient.dtype), cost

    def losses(self, trajectory: Trajectory, lives: int) -> Tensor:
        """``[P]``: the loss of each of ``P`` lives, a mean over its steps; differentiable.

        With ``R`` the discounted rewards from a step on, ``v`` the value there and ``p`` the chances of the actions::

            -log p(action) * (R - v) + value * (R - v)^2 + bonus_weight * sum of p^2

        where the first ``R - v`` is a constant. Of networks without values, ``v`` is the mean ``R`` of the agent's other lives
        at that step, and its error plays no part.

        Args:
            trajectory: with the logits of its actions.
            lives: of each agent, one after another.

        Raises:
            ValueError: if the trajectory has no logits, or none that gradients go through.
        """
        options, extras = self.options, trajectory.extras
        if "logits" not in extras:
            raise ValueError(
                "a2c learns from the logits of discrete actions, and this domain's recorded lives hold none. "
                "Use another optimiser, such as es, or a domain with discrete actions."
            )
        logits = extras["logits"]
        if torch.is_grad_enabled() and not logits.requires_grad:
            raise ValueError(
                "a2c learns through recorded lives, and no gradient goes through this domain's. "
                "Use another optimiser, such as es, or meta-gradient where the domain has a loss."
            )
        done = trajectory.done.to(logits.device)
        alive = torch.cat([torch.ones_like(done[:1]), ~done[:-1]]).to(logits.dtype)
        returns = discounted(trajectory.rewards.to(logits) * alive, options.gamma)
        if "values" in extras:
            error = returns - (extras["values"] if options.baseline == "own" else _of_first(extras["values"], lives))
            advantage, loss = error.detach(), options.value * error.square()
        else:
            advantage, loss = returns - _of_others(returns, lives), torch.zeros_like(returns)
        log_chance = logits.log_softmax(dim=2)
        chosen = log_chance.gather(2, trajectory.actions.to(logits.device)[:, :, None])[:, :, 0]
        chance = log_chance.exp()
        same = (chance * (chance if options.bonus == "simpson" else log_chance)).sum(dim=2)
        loss = loss - chosen * advantage + options.bonus_weight * same
        return (loss * alive).sum(dim=0) / alive.sum(dim=0)


class A2c(aiga.Plugin):
    """Registers the optimiser ``a2c``, and for ``aiga train`` the trainer of that name."""

    name = "a2c"
    Options = A2cOptions
    options: A2cOptions

    def aiga_register(self, registry: aiga.Registry) -> None:
        from aiga_plasticity.trainer import A2cTrainer

        registry.optimiser("a2c", ActorCritic(self.options))
        registry.trainer("a2c", A2cTrainer(self.options))


def discounted(rewards: Tensor, gamma: float) -> Tensor:
    """``[T, P]``: the rewards of each step and, less with each step, of those to come."""
    out, later = torch.empty_like(rewards), torch.zeros_like(rewards[0])
    for step in range(len(rewards) - 1, -1, -1):
        later = rewards[step] + gamma * later
        out[step] = later
    return out


def _of_others(returns: Tensor, lives: int) -> Tensor:
    """``[T, P]``: at each step the mean over the agent's other lives; zero where there is no other."""
    each = returns.reshape(len(returns), -1, lives)
    others = (each.sum(dim=2, keepdim=True) - each) / max(1, lives - 1)
    return others.reshape(returns.shape)


def _of_first(values: Tensor, lives: int) -> Tensor:
    """``[T, P]``: at each step what the first of the agent's lives has."""
    each = values.reshape(len(values), -1, lives)
    return each[:, :, :1].expand_as(each).reshape(values.shape)
