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
    """Trains agents side by side, each by the mean loss of lives of its own, on the domain's first environment.

    A step lives ``lifetimes`` lives of each agent; Adam has the options of the optimiser. What bounds gradients is Lightning's
    ``gradient_clip_val``, agent by agent, and not the option ``clip``. With ``validate_on``, agents are judged by ``live`` in a
    named environment, as a search would score them.

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

        options, agents = self._options, setup.agents(self._options.agents)
        domain, network = setup.domain, setup.component("network", setup.networks[0])
        assert domain is not None, "there are agents, and so a domain"
        if not hasattr(domain, "loss"):
            raise aiga.InputError(
                f'[population] domain: the trainer meta-gradient descends a domain\'s loss, and "{setup.domain_name}" has none'
            )
        envs = domain.initial(setup.rng("environments"), 1)

        def pairs(envs: Batch, agents: Batch) -> tuple[Pairs, Tensor]:
            row = torch.arange(len(agents)).repeat_interleave(options.lifetimes)
            env = torch.arange(options.lifetimes).repeat(len(agents)) % len(envs)
            return Pairs.of(Population((envs.to(agents.device),)), Population((agents,)), env, row), row

        def loss(agents: Batch, stream: aiga.Stream) -> Tensor:
            lives, row = pairs(envs, agents)
            number = torch.arange(options.lifetimes).repeat(len(agents))
            return _mean(loss_of(domain)(lives, network, stream.rows(row * options.lifetimes + number)), agents)

        def judge(judged: Batch, agents: Batch, stream: aiga.Stream) -> tuple[Tensor, dict[str, Tensor]]:
            lives, row = pairs(judged, agents)
            number = torch.arange(options.lifetimes).repeat(len(agents))
            seeds = stream.rows(row * options.lifetimes + number).words(1)[:, 0]
            with torch.no_grad():
                scores = domain.live(lives, network, seeds)
            assert isinstance(scores, aiga.Scores), "nothing was to be recorded"
            columns = {name: _mean(column, agents) for name, column in scores.columns.items() if column.ndim == 1}
            return -columns["fitness"], columns

        judged = _named(domain, setup.domain_name, options.validate_on) if options.validate_on else None
        adam = partial(torch.optim.Adam, lr=options.lr, betas=(options.beta1, options.beta2), eps=options.epsilon)
        validate = None if judged is None else partial(judge, judged)
        return AgentsModule(agents, loss, adam, setup.rng(), validate), draws(options.epoch)

    def agents(self, module: AgentsModule) -> Batch:
        """The trained agents."""
        return module.agents()


def _mean(values: Tensor, agents: Batch) -> Tensor:
    return values.reshape(len(agents), -1).mean(dim=1)


def _named(domain: Any, name: str, environment: str) -> Batch:
    if environment not in getattr(domain, "names", ()):
        there = ", ".join(getattr(domain, "names", ())) or "none"
        raise aiga.InputError(
            f'[plugins.meta-gradient.options] validate_on: found "{environment}"; the domain "{name}" has these: {there}'
        )
    return domain.named(environment)  # type: ignore[no-any-return]
