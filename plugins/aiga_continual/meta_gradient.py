"""Gradient descent on agents' innate leaves, through whatever their lives do: the meta-gradient of the domain's own loss.

The domain says what a life is worth by ``loss(pairs, network, stream)``; Adam (Kingma & Ba 2015) descends its mean over a
number of lives, for the agents of all niches at once. With networks that learn within a life this is meta-training as in MAML,
OML and ANML; with plastic ones, differentiable plasticity.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import torch
from pydantic import Field
from torch import Tensor

import aiga
from aiga.data import Batch, Leaves, Pairs, Population, State, flatten, unflatten
from aiga.streams import combine
from aiga_continual.counted import Counted

Columns = dict[str, Tensor]


class MetaGradientOptions(aiga.Options):
    """Options of ``meta-gradient``.

    Attributes:
        lr: Adam's step size.
        beta1: decay of the mean of gradients.
        beta2: decay of the mean of their squares.
        epsilon: added to the root of that mean.
        lifetimes: lives that each agent lives in a step; the step follows the mean of their gradients.
        clip: largest norm of an agent's gradient; 0 for none.
        agents: how many of each network ``aiga train`` trains side by side.
        epoch: steps of an epoch there.
        validate_on: a named environment that ``aiga train`` validates on; none where empty.
    """

    lr: float = Field(default=1e-3, gt=0.0)
    beta1: float = Field(default=0.9, ge=0.0, lt=1.0)
    beta2: float = Field(default=0.999, ge=0.0, lt=1.0)
    epsilon: float = Field(default=1e-8, gt=0.0)
    lifetimes: int = Field(default=1, ge=1)
    clip: float = Field(default=0.0, ge=0.0)
    agents: int = Field(default=1, ge=1)
    epoch: int = Field(default=100, ge=1)
    validate_on: str = ""


class MetaGradient:
    """The optimiser: see :class:`aiga.Optimiser`.

    State of each agent: ``m`` and ``v`` ``[B, D]``, means of its gradients and of their squares; ``decay1`` and ``decay2``
    ``[B]``, what is left in them of their beginnings at zero; ``loss`` ``[B]`` of the last step that went well; ``failed``
    ``[B]``, steps that did not. An agent whose loss or gradient is no finite number stays as it is for that step, state too.
    """

    def __init__(self, options: MetaGradientOptions) -> None:
        self._options = options

    def start(self, agents: Population) -> State:
        return {batch.kind.hash: _start(flatten(batch.leaves)) for batch in agents.explicit_kinds()}

    def improve(self, lab: aiga.Lab, niches: Pairs, state: State, steps: int) -> tuple[Population, State]:
        """``steps`` steps for every niche, one call of the domain's loss a step and kind of agents.

        Raises:
            ValueError: if ``niches`` does not name each of its agents exactly once, the agents are implicit, the domain has no
                loss, or its loss is not one number a pair.
        """
        home = niches.homes()
        hashes, batches, state = niches.envs.hashes, [], dict(state)
        for start, batch in niches.agents.parts():
            env = home[start : start + len(batch)]
            network = Counted(lab.component("network", batch.kind.component))
            columns = state[batch.kind.hash]
            for step in range(steps):
                pairs, stream = self._lives(lab, niches.envs, batch, env, hashes[env], step)
                loss, gradient = self._follow(lab, pairs, network, stream)
                batch, columns = self._descend(batch, loss, gradient, columns)
            batches.append(batch)
            state[batch.kind.hash] = columns
            work = {**network.work, "gradient_steps": network.work["gradient_steps"] + steps * len(batch)}
            lab.meter.count({kind: amount for kind, amount in work.items() if amount}, "improve")
        return Population(tuple(batches)), state

    def _lives(
        self, lab: aiga.Lab, envs: Population, batch: Batch, env: Tensor, hashes: Tensor, step: int
    ) -> tuple[Pairs, aiga.Stream]:
        """Every agent so many times over, each life with chance of its own that hangs on its environment, step and number."""
        number = torch.arange(self._options.lifetimes)
        agent = torch.arange(len(batch)).repeat_interleave(len(number))
        pairs = Pairs.of(envs, Population((batch,)), env[agent], agent, "meta-gradient")
        return pairs, lab.rng("meta-gradient", step).rows(combine(hashes[:, None], number[None]).flatten())

    def _follow(self, lab: aiga.Lab, pairs: Pairs, network: Counted, stream: aiga.Stream) -> tuple[Tensor, Tensor]:
        """``[B]`` mean losses, and ``[B, D]`` their gradients."""
        (batch,) = pairs.agents.batches
        leaves = {n: x.detach().requires_grad_(x.is_floating_point()) for n, x in batch.leaves.items()}
        wanted = {name: leaf for name, leaf in leaves.items() if leaf.requires_grad}
        following = replace(pairs, agents=Population((replace(batch, leaves=leaves),)))
        with torch.enable_grad():
            loss = loss_of(lab.domain)(following, network, stream)
            if loss.shape != (len(pairs),):
                raise ValueError(f"the domain's loss must be [{len(pairs)}], one number a pair; found {list(loss.shape)}")
            mean = loss.reshape(len(batch), -1).mean(dim=1)
            slopes = torch.autograd.grad(mean.sum(), list(wanted.values()), allow_unused=True)
        given: Leaves = {
            name: torch.zeros_like(leaf) if slope is None else slope
            for (name, leaf), slope in zip(wanted.items(), slopes, strict=True)
        }
        return mean.detach(), flatten(given)

    def _descend(self, batch: Batch, loss: Tensor, gradient: Tensor, columns: Columns) -> tuple[Batch, Columns]:
        """One step of Adam for each agent whose numbers are sound.

        Only products, sums, quotients and roots one by one, each rounded correctly: a fused or transcendental operation
        would round by an element's place.
        """
        options, before = self._options, flatten(batch.leaves)
        sound = loss.isfinite() & gradient.isfinite().all(dim=1)
        gradient = torch.where(sound[:, None], gradient, 0.0)
        if options.clip:
            norm = gradient.double().square().sum(dim=1).sqrt()
            share = torch.clamp(options.clip / norm.clamp(min=1e-30), max=1.0)
            gradient = gradient * share.to(gradient.dtype)[:, None]
        decay1, decay2 = columns["decay1"] * options.beta1, columns["decay2"] * options.beta2
        m = columns["m"] * options.beta1 + gradient * (1.0 - options.beta1)
        v = columns["v"] * options.beta2 + gradient * gradient * (1.0 - options.beta2)
        along = m / (1.0 - decay1).to(m.dtype)[:, None]
        scale = (v / (1.0 - decay2).to(v.dtype)[:, None]).sqrt() + options.epsilon
        after = before - options.lr * (along / scale)
        sound = sound & after.isfinite().all(dim=1)
        now = {"m": m, "v": v, "decay1": decay1, "decay2": decay2, "loss": loss.to(columns["loss"].dtype)}
        kept = {name: torch.where(_beside(sound, part), part, columns[name]) for name, part in now.items()}
        leaves = unflatten(torch.where(sound[:, None], after, before), batch.leaves)
        return replace(batch, leaves=leaves), {**kept, "failed": columns["failed"] + (~sound).to(torch.int64)}


class MetaGradientPlugin(aiga.Plugin):
    """Registers the optimiser ``meta-gradient`` and the trainer of that name, and follows its losses and failures."""

    name = "meta-gradient"
    Options = MetaGradientOptions
    options: MetaGradientOptions
    needs = ("loss",)

    def aiga_register(self, registry: aiga.Registry) -> None:
        from aiga_continual.trainer import MetaGradientTrainer

        registry.optimiser("meta-gradient", MetaGradient(self.options))
        registry.trainer("meta-gradient", MetaGradientTrainer(self.options))

    def aiga_metrics(self, lab: aiga.Lab) -> dict[str, float] | None:
        """``loss``, the mean over the niches' agents; ``failed``, steps in which an agent was left as it was."""
        # Another optimiser may improve the niches' agents, and keep columns of its own.
        state = [columns for columns in lab.niches.state.values() if {"loss", "failed"} <= columns.keys()]
        if not state:
            return None
        loss = torch.cat([columns["loss"].cpu() for columns in state])
        return {
            "loss": float(loss.nanmean()),
            "failed": float(sum(int(columns["failed"].sum()) for columns in state)),
        }


def _start(rows: Tensor) -> Columns:
    one = torch.ones(len(rows), dtype=torch.float64, device=rows.device)
    return {
        "m": torch.zeros_like(rows),
        "v": torch.zeros_like(rows),
        "decay1": one,
        "decay2": one.clone(),
        "loss": torch.zeros_like(one),
        "failed": torch.zeros_like(one, dtype=torch.int64),
    }


def _beside(rows: Tensor, like: Tensor) -> Tensor:
    return rows.reshape(-1, *[1] * (like.ndim - 1))


def loss_of(domain: aiga.Domain) -> Any:
    """The loss of a domain; ValueError where it has none."""
    if not hasattr(domain, "loss"):
        raise ValueError(
            f"meta-gradient descends the loss of a domain, and {type(domain).__name__} has none. "
            'Write [slots] improve = "es", or choose a domain with a loss.'
        )
    return cast(Any, domain).loss
