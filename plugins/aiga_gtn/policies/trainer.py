"""The trainer ``gtn-policy`` for ``aiga train``: meta-trains a teacher of policies by the lives of those it has taught."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import aiga
from aiga.data import Population
from aiga_gtn.learners import Group, Nursery
from aiga_gtn.policies.lives import Lives
from aiga_gtn.policies.options import GtnPolicyOptions
from aiga_gtn.policies.teacher import PolicyTeacher

if TYPE_CHECKING:
    from aiga_gtn.policies.module import GtnPolicyModule


class GtnPolicyTrainer:
    """Trains a teacher for learners of all networks in ``[population]``, in the domain's first environment.

    What it trains are no agents; those that the domain's report compares are fresh ones, of each network's own architecture,
    taught by the teacher of the end. An architecture of its own that its space does not reach is one that no learner of the
    training has had.

    Args:
        options: of the plugin.
    """

    def __init__(self, options: GtnPolicyOptions) -> None:
        self._options = options

    def make(self, setup: aiga.Setup) -> tuple[GtnPolicyModule, Any]:
        """The module, and numbers to draw outer steps from.

        Raises:
            aiga.InputError: without a domain and a network in ``[population]``, for a domain whose actions are no choice or
                whose recorded lives let no gradient through; for an optimiser that is not there or finds no losses in lives.
        """
        from aiga.training import draws
        from aiga_gtn.policies.module import GtnPolicyModule

        options, domain, critic = self._options, checked(setup), _critic(setup, self._options.optimiser)
        networks = {name: setup.component("network", name) for name in setup.networks}
        spaces = (domain.inputs, domain.outputs)
        lives = Lives(domain, domain.initial(setup.rng("environments"), 1), networks, critic)
        teacher = PolicyTeacher(options, *spaces, setup.rng("teacher"))
        nursery = Nursery(networks, *spaces, options.architectures, options.at_once)
        fresh = Nursery(networks, *spaces, "fixed", options.at_once)
        _check_followed(setup, lives, fresh.draw(setup.rng("probe"), 1, teacher.rates.detach()))
        return GtnPolicyModule(teacher, nursery, fresh, lives, options, setup.rng()), draws(options.epoch)

    def agents(self, module: GtnPolicyModule) -> Population:
        """Fresh agents, one batch a network, that the teacher has taught."""
        joined, _ = Population.join(*(Population((batch,)) for batch in module.agents()))
        return joined

    def files(self, module: GtnPolicyModule) -> Mapping[str, bytes]:
        """The teacher, for others to be taught by."""
        from aiga_gtn.policies import storing

        return storing.packed(module.teacher, self._options)


def checked(setup: aiga.Setup) -> aiga.Domain:
    """The domain, if a teacher of policies can be trained for it.

    Raises:
        aiga.InputError: if not.
    """
    domain = setup.domain
    if domain is None:
        what = "missing, and the trainer gtn-policy needs one. Write a table with domain and networks."
        raise aiga.InputError(f"[population]: {what}")
    if domain.outputs.kind != "discrete":
        what = f'the trainer gtn-policy needs actions to choose from, and "{setup.domain_name}" has none'
        raise aiga.InputError(f'[population] domain: {what}. Write "cartpole", or another domain of choices.')
    return domain


def _check_followed(setup: aiga.Setup, lives: Lives, groups: list[Group]) -> None:
    """Whether losses can be followed through the lives of every network: else the first step would find out.

    Raises:
        aiga.InputError: if not.
    """
    for group in groups:
        if not lives.followed(group, setup.rng("probe").words(1)):
            what = f'the trainer gtn-policy follows losses through lives, and lives in "{setup.domain_name}" have no logits'
            remedy = 'Write "cartpole", or another domain in which the optimiser can improve agents'
            raise aiga.InputError(f"[population] domain: {what} that gradients go through. {remedy}.")


def _critic(setup: aiga.Setup, name: str) -> Any:
    where = "[plugins.gtn-policy.options] optimiser"
    try:
        found = setup.component("optimiser", name)
    except KeyError as error:
        what = f'no plugin of this configuration registers an optimiser "{name}"'
        raise aiga.InputError(f"{where}: {what}. Write a table [plugins.{name}].") from error
    if not hasattr(found, "losses"):
        raise aiga.InputError(f'{where}: "{name}" finds no losses in recorded lives. Write "a2c".')
    return found
