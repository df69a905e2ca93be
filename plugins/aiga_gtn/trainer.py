"""The trainer ``gtn`` for ``aiga train``: meta-trains a teacher (Generative Teaching Networks, Such et al. 2020)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

import aiga
from aiga.data import Batch, Pairs, Population
from aiga_gtn import teacher as teachers
from aiga_gtn.learners import Nursery
from aiga_gtn.options import GtnOptions

if TYPE_CHECKING:
    from aiga_gtn.module import GtnModule


class GtnTrainer:
    """Trains a teacher for learners of all networks in ``[population]``, in the domain's first environment.

    What it trains are no agents; those that the domain's report compares are fresh ones, of each network's own architecture,
    taught by the teacher of the end.

    Args:
        options: of the plugin.
    """

    def __init__(self, options: GtnOptions) -> None:
        self._options = options
        self._fresh: Nursery | None = None

    def make(self, setup: aiga.Setup) -> tuple[GtnModule, Any]:
        """The module, and numbers to draw outer steps from.

        Raises:
            aiga.InputError: without a domain and a network in ``[population]``, and for a domain without examples and classes.
        """
        from aiga.training import draws
        from aiga_gtn.module import GtnModule

        domain, options = checked(setup), self._options
        first = domain.initial(setup.rng("environments"), 1)
        networks = {name: setup.component("network", name) for name in setup.networks}

        def examples(rng: aiga.Stream, count: int) -> tuple[Tensor, Tensor]:
            keys = rng.row_keys
            rows = torch.zeros(1 if keys is None else len(keys), dtype=torch.int64)
            x, labels = domain.examples(first.take(rows).to(setup.device), rng, count)
            return x, labels

        def judge(agents: Batch, seeds: Tensor) -> aiga.Scores:
            pairs = Pairs.lives(Population((first.to(agents.device),)), Population((agents,)), 1)
            return domain.live(pairs, networks[agents.kind.component], seeds)  # type: ignore[no-any-return]

        spaces = (domain.inputs, domain.outputs)
        teacher = teachers.new(options, *spaces, examples, setup.rng("teacher"))
        self._fresh = Nursery(networks, *spaces, "fixed", options.at_once)
        nursery = Nursery(networks, *spaces, options.architectures, options.at_once)
        return GtnModule(teacher, nursery, examples, judge, options, setup.rng()), draws(options.epoch)

    def agents(self, module: GtnModule) -> Population:
        """Fresh agents, one batch a network, that the teacher has taught."""
        assert self._fresh is not None
        groups, flats = module.taught(module.rng.child("taught"), self._fresh, self._options.taught)
        joined, _ = Population.join(*(Population((group.agents(flat),)) for group, flat in zip(groups, flats, strict=True)))
        return joined

    def files(self, module: GtnModule) -> Mapping[str, bytes]:
        """The teacher, for a search to use it; and pictures of what it shows and of how learners follow."""
        from aiga_gtn import pictures, storing

        assert self._fresh is not None
        return {**storing.packed(module.teacher, self._options), **pictures.drawn(module, self._fresh)}


def checked(setup: aiga.Setup) -> Any:
    """The domain, if a teacher can be trained for it.

    Raises:
        aiga.InputError: if not.
    """
    domain: Any = setup.domain
    if domain is None:
        raise aiga.InputError("[population]: missing, and the trainer gtn needs one. Write a table with domain and networks.")
    if not hasattr(domain, "examples"):
        what = f'the trainer gtn needs a domain with labelled examples, and "{setup.domain_name}" has none'
        raise aiga.InputError(f'[population] domain: {what}. Write "digits", or another domain with the capability examples.')
    if domain.outputs.kind != "discrete" or len(domain.outputs.shape) != 1:
        what = f'the trainer gtn teaches classes, and "{setup.domain_name}" asks for something else'
        raise aiga.InputError(f"[population] domain: {what}.")
    return domain
