"""The trainer ``meta-gradient`` for ``aiga train``: descent of the domain's own loss under Lightning, through whole lives."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

import aiga
from aiga.data import Batch, Pairs, Population
from aiga_continual.meta_gradient import MetaGradientOptions, loss_of

if TYPE_CHECKING:
    from aiga.training import AgentsModule


class MetaGradientTrainer:
    """Trains agents of every network side by side, by the mean loss of lives in the domain's first environment.

    A step lives ``lifetimes`` lives of each agent, the same for every network; Adam has the options of the optimiser. What
    bounds gradients is Lightning's ``gradient_clip_val``, agent by agent, and not the option ``clip``. With ``validate_on``,
    agents are judged by ``live`` in a named environment, as a search would score them.

    Args:
        options: of the plugin.
    """

    def __init__(self, options: MetaGradientOptions) -> None:
        self._options = options

    def make(self, setup: aiga.Setup) -> tuple[AgentsModule, Any]:
        """The module, and numbers to draw lives from.

        Raises:
            InputError: without a domain and a network in ``[population]``, for a domain without a loss, or an environment
                that is not the domain's.
        """
        from aiga.training import AgentsModule, draws

        options, agents, domain = self._options, setup.agents(self._options.agents), setup.domain
        assert domain is not None, "there are agents, and so a domain"
        if not hasattr(domain, "loss"):
            raise aiga.InputError(
                f'[population] domain: the trainer meta-gradient descends a domain\'s loss, and "{setup.domain_name}" has none'
            )

        def lives(envs: Batch, agents: Batch, stream: aiga.Stream) -> tuple[Pairs, aiga.Network, aiga.Stream]:
            pairs = Pairs.lives(Population((envs.to(agents.device),)), Population((agents,)), options.lifetimes)
            return pairs, setup.component("network", agents.kind.component), stream.rows(torch.arange(len(pairs)))

        def loss(envs: Batch, agents: Batch, stream: aiga.Stream) -> Tensor:
            return loss_of(domain)(*lives(envs, agents, stream))  # type: ignore[no-any-return]

        def judge(envs: Batch, agents: Batch, stream: aiga.Stream) -> tuple[Tensor, dict[str, Tensor]]:
            pairs, network, rows = lives(envs, agents, stream)
            with torch.no_grad():
                scores = domain.live(pairs, network, rows.words(1)[:, 0])
            assert isinstance(scores, aiga.Scores), "nothing was to be recorded"
            return -scores.fitness, {name: column for name, column in scores.columns.items() if column.ndim == 1}

        first = domain.initial(setup.rng("environments"), 1)
        judged = setup.named(options.validate_on, "validate_on") if options.validate_on else None
        adam = partial(torch.optim.Adam, lr=options.lr, betas=(options.beta1, options.beta2), eps=options.epsilon)
        validate = None if judged is None else partial(judge, judged)
        return AgentsModule(agents, partial(loss, first), adam, setup.rng(), validate), draws(options.epoch)

    def agents(self, module: AgentsModule) -> Population:
        """The trained agents."""
        return module.agents()
