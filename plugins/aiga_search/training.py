"""Agents of unlike architectures, trained side by side: filled up to their buckets, one call a bucket, and cut again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

import aiga
from aiga import padding
from aiga.data import Pairs, Population
from aiga.threads import threads

Networks = Callable[[str], aiga.Network]
"""A network by its name."""


def filled(agents: Population, networks: Networks, domain: aiga.Domain) -> tuple[Population, Tensor]:
    """The agents as rows of as few batches as their buckets allow, and ``[N]`` int64: where each went."""
    wide = [padding.filled(networks(batch.kind.component), batch, domain.inputs, domain.outputs) for batch in agents.batches]
    population, (where,) = Population.join(Population(tuple(wide)))
    return population, where


def cut(wide: Population, where: Tensor, agents: Population, networks: Networks, domain: aiga.Domain) -> Population:
    """The rows ``where`` of ``wide`` in the place and shape of ``agents``: the reverse of :func:`filled`."""
    batches = []
    for start, batch in agents.parts():
        (rows,) = wide.in_order(where[start : start + len(batch)]).batches
        layout = networks(batch.kind.component).build(batch.kind.structure, domain.inputs, domain.outputs)
        leaves = {name: leaf.contiguous() for name, leaf in padding.cut(rows.leaves, layout).items()}
        batches.append(replace(batch.explicit(), leaves=leaves))
    return Population(tuple(batches))


def trained(lab: aiga.Lab, pairs: Pairs, name: str, steps: int) -> Pairs:
    """The same pairs, each with an agent of its own: theirs after steps of an optimiser that begins anew.

    Args:
        lab: counts the work.
        pairs: agents of any kinds.
        name: of the optimiser.
        steps: of it.

    Raises:
        InputError: if there is no such optimiser.
    """
    if not len(pairs):
        return pairs
    optimiser = optimiser_of(lab, name)
    networks: Networks = lambda network: lab.component("network", network)  # noqa: E731
    taken, row = pairs.agents.take(pairs.agent)
    wide, where = filled(taken, networks, lab.domain)
    niches = replace(pairs, agents=wide, agent=where[row])
    with threads(1):
        improved, _ = optimiser.improve(lab, niches, optimiser.start(wide), steps)
    return replace(pairs, agents=cut(improved, where, taken, networks, lab.domain), agent=row)


def optimiser_of(lab: aiga.Lab, name: str) -> aiga.Optimiser:
    """A registered optimiser.

    Raises:
        InputError: if there is none of this name.
    """
    try:
        found: aiga.Optimiser = lab.component("optimiser", name)
    except KeyError as error:
        raise aiga.InputError(f"{error.args[0]}. Add [plugins.{name}] to the configuration, or name another.") from error
    return found


def parameters(agents: Population) -> Tensor:
    """``[N]`` int64: how many numbers each agent inherits."""
    counts = [[sum(leaf[0].numel() for leaf in batch.leaves.values())] * len(batch) for batch in agents.batches]
    return torch.tensor([count for some in counts for count in some], dtype=torch.int64)
