"""The trainer ``a2c`` for ``aiga train``: advantage actor-critic under Lightning, with the losses of the optimiser ``a2c``."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

import aiga
from aiga.data import Batch, Pairs, Population, Scores, Trajectory
from aiga_plasticity.a2c import A2cOptions, ActorCritic

if TYPE_CHECKING:
    from aiga.training import AgentsModule


class A2cTrainer:
    """Trains agents side by side, each with lives of its own, on the first environment of ``[population]``'s domain.

    A step draws ``episodes`` lives of each agent; their loss is that of :class:`aiga_plasticity.a2c.ActorCritic`, Adam has its
    ``lr`` and ``eps``. What bounds gradients is Lightning's ``gradient_clip_val``, agent by agent, and not the option ``clip``.

    Args:
        options: of the plugin.
    """

    def __init__(self, options: A2cOptions) -> None:
        self._options, self._critic = options, ActorCritic(options)

    def make(self, setup: aiga.Setup) -> tuple[AgentsModule, Any]:
        """The module, and numbers to draw lives from.

        Raises:
            InputError: without a domain and a network in ``[population]``, or with an environment that is not the domain's.
        """
        from aiga.training import AgentsModule, draws

        options, agents = self._options, setup.agents(self._options.agents)
        domain, network = setup.domain, setup.component("network", setup.networks[0])
        assert domain is not None, "there are agents, and so a domain"
        envs = domain.initial(setup.rng("environments"), 1)
        optimiser = partial(torch.optim.Adam, lr=options.lr, eps=options.eps)
        judged = _named(domain, setup.domain_name, options.validate_on) if options.validate_on else None

        def lived(envs: Batch, agents: Batch, stream: aiga.Stream) -> tuple[Scores, Trajectory]:
            row = torch.arange(len(agents)).repeat_interleave(options.episodes)
            env = torch.arange(options.episodes).repeat(len(agents)) % len(envs)
            pairs = Pairs.of(Population((envs.to(agents.device),)), Population((agents,)), env, row)
            seeds = stream.rows(torch.arange(len(agents))).words(options.episodes).reshape(-1)
            answer = domain.live(pairs, network, seeds, record=True)
            assert isinstance(answer, tuple), "a recorded life comes with its trajectory"
            return answer

        def loss(envs: Batch, agents: Batch, stream: aiga.Stream) -> tuple[Tensor, dict[str, Tensor]]:
            scores, trajectory = lived(envs, agents, stream)
            losses = self._critic.losses(trajectory, options.episodes)
            return _mean(losses, agents), {"fitness": _mean(scores.fitness, agents)}

        validate = None if judged is None else partial(loss, judged)
        return AgentsModule(agents, partial(loss, envs), optimiser, setup.rng(), validate), draws(options.epoch)

    def agents(self, module: AgentsModule) -> Batch:
        """The trained agents."""
        return module.agents()


def _mean(values: Tensor, agents: Batch) -> Tensor:
    return values.reshape(len(agents), -1).mean(dim=1)


def _named(domain: Any, name: str, environment: str) -> Batch:
    if environment not in getattr(domain, "names", ()):
        there = ", ".join(getattr(domain, "names", ())) or "none"
        raise aiga.InputError(
            f'[plugins.a2c.options] validate_on: found "{environment}"; the domain "{name}" has these environments: {there}'
        )
    return domain.named(environment)  # type: ignore[no-any-return]
