"""New architectures for niches: mutants of what lives there, and random ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, cast

import torch
from torch import Tensor

import aiga
from aiga.data import NOBODY, Kind, Pairs, Population
from aiga.newborns import newborns
from aiga.streams import combine

MUTANT, RANDOM = "mutate+taught", "random+taught"


def networks_of(component: Callable[[str, str], Any], names: Sequence[str], agents: Iterable[str]) -> dict[str, aiga.Network]:
    """The networks whose architectures are tried, by name.

    Args:
        component: finds one.
        names: of them; none for those that the niches' agents are made of and that have a space.
        agents: networks that these are made of.

    Raises:
        InputError: for a name that is no registered network, or one without a space.
    """
    given = list(names) or sorted(set(agents))
    found, where = dict[str, aiga.Network](), "[plugins.gtn-niches.options] networks"
    for name in given:
        try:
            network: aiga.Network = component("network", name)
        except KeyError as error:
            raise aiga.InputError(f"{where}: {error.args[0]}. Add [plugins.{name}], or name another.") from error
        if hasattr(network, "space"):
            found[name] = network
        elif names:
            raise aiga.InputError(
                f'{where}: "{name}" has no space of architectures. Name one that has, such as "policy", or write what is to be '
                f'searched into [plugins.{name}.options], such as search = ["width"], where it has that option.'
            )
    return found


def proposed(lab: aiga.Lab, rows: Tensor, networks: dict[str, aiga.Network], each: int) -> tuple[Pairs, Tensor]:
    """Newborn agents of new architectures for these niches: by turns a mutant of what lives there and a random one.

    Args:
        lab: the run.
        rows: ``[M]`` int64 of the niches.
        networks: by name.
        each: for each niche.

    Returns:
        ``P`` pairs, and ``[P]`` int64 keys of the niches that they are for.
    """
    niches, names = lab.niches, sorted(networks)
    niche, number = rows.repeat_interleave(each), torch.arange(each).repeat(len(rows))
    keys = combine(niches.key[niche], number)
    kinds = [batch.kind for batch in niches.agents.batches for _ in range(len(batch))]
    homes = [kinds[agent] for agent in niches.agent[niche].tolist()]
    mutant = [turn % 2 == 0 and home.component in networks for turn, home in zip(number.tolist(), homes, strict=True)]
    lot = lab.rng("network").rows(keys).integers(0, len(names), 1)[:, 0].tolist()
    name = [home.component if yes else names[some] for yes, home, some in zip(mutant, homes, lot, strict=True)]
    made = list[Kind | None]([None] * len(niche))
    for component in names:
        space = cast(Any, networks[component]).space
        for changed in (True, False):
            mine = [place for place, yes in enumerate(mutant) if yes == changed and name[place] == component]
            if not mine:
                continue
            rng = lab.rng("architecture").rows(keys[mine])
            structures = space.mutate(rng, [homes[p].structure for p in mine]) if changed else space.initial(rng, len(mine))
            for place, structure in zip(mine, structures, strict=True):
                made[place] = Kind(component, structure)
    wanted = [kind for kind in made if kind is not None]
    network = lambda which: networks[which]  # noqa: E731
    agents, agent = newborns(network, wanted, lab.rng("newborn").rows(keys), lab.domain.inputs, lab.domain.outputs)
    agents.hashed()  # here on the host, where nobody needs to wait for them
    agents = agents.to(niches.agents.batches[0].device) if len(agents) else Population()
    words = tuple(MUTANT if yes else RANDOM for yes in mutant)
    nobody = torch.full((len(niche), 2), NOBODY, dtype=torch.int64)
    parents = torch.where(
        torch.tensor(mutant, dtype=torch.bool)[:, None] & torch.tensor([True, False]), niches.agent_ids[niche][:, None], nobody
    )
    return Pairs(niches.envs, agents, niches.env[niche], agent, nobody, parents, words), niches.key[niche]
