"""The trainer ``a2c`` for ``aiga train``: advantage actor-critic under Lightning, with the losses of the optimiser ``a2c``."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

import aiga
from aiga.data import Batch, Pairs, Population
from aiga_plasticity.a2c import A2cOptions, ActorCritic

if TYPE_CHECKING:
    from aiga.training import AgentsModule


class A2cTrainer:
    """Trains agents of every network side by side, each with lives of its own, on the first environment of ``[population]``'s
    domain.

    A step draws ``episodes`` lives of each agent, the same for every network; their loss is that of
    :class:`aiga_plasticity.a2c.ActorCritic`, Adam has its ``lr`` and ``eps``. What bounds gradients is Lightning's
    ``gradient_clip_val``, agent by agent, and not the option ``clip``.

    Args:
        options: of the plugin.
    """

    def __init__(self, options: A2cOptions) -> None:
        self._options, self._critic = options, ActorCritic(options)

    def make(self, setup: aiga.Setup) -> tuple[AgentsModule, Any]:
        """The module, and numbers to draw lives from.

        Raises:
            InputError: without a domain and a network in ``[population]``, with an environment that is not the domain's, or
                where its actions are no choice.
        """
        from aiga.training import AgentsModule, draws

        options, agents, domain = self._options, setup.agents(self._options.agents), setup.domain
        assert domain is not None, "there are agents, and so a domain"
        if domain.outputs.kind != "discrete":
            raise aiga.InputError(
                f'[population] domain: the trainer a2c needs actions to choose from, and "{setup.domain_name}" has none. '
                "Name another domain, or another trainer."
            )

        def loss(envs: Batch, agents: Batch, stream: aiga.Stream) -> tuple[Tensor, dict[str, Tensor]]:
            pairs = Pairs.lives(Population((envs.to(agents.device),)), Population((agents,)), options.episodes)
            seeds = stream.rows(torch.arange(len(agents))).words(options.episodes).reshape(-1)
            answer = domain.live(pairs, setup.component("network", agents.kind.component), seeds, record=True)
            assert isinstance(answer, tuple), "a recorded life comes with its trajectory"
            scores, trajectory = answer
            return self._critic.losses(trajectory, options.episodes), {"fitness": scores.fitness}

        first = domain.initial(setup.rng("environments"), 1)
        judged = setup.named(options.validate_on, "validate_on") if options.validate_on else None
        optimiser = partial(torch.optim.Adam, lr=options.lr, eps=options.eps)
        validate = None if judged is None else partial(loss, judged)
        return AgentsModule(agents, partial(loss, first), optimiser, setup.rng(), validate), draws(options.epoch)

    def agents(self, module: AgentsModule) -> Population:
        """The trained agents."""
        return module.agents()
