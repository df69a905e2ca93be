"""Agents of unlike architectures, trained side by side: filled up to their buckets, one call a bucket, and cut again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

import aiga
from aiga import padding
from aiga.data import Pairs, Population
from aiga.threads import threads


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
    optimiser = optimiser_of(lab.component, name)
    networks: padding.Networks = lambda network: lab.component("network", network)  # noqa: E731
    taken, row = pairs.agents.take(pairs.agent)
    wide, where = padding.in_buckets(taken, networks, lab.domain)
    niches = replace(pairs, agents=wide, agent=where[row])
    with threads(1):
        improved, _ = optimiser.improve(lab, niches, optimiser.start(wide), steps)
    return replace(pairs, agents=padding.out_of_buckets(improved, where, taken, networks, lab.domain), agent=row)


def optimiser_of(component: Callable[[str, str], Any], name: str) -> aiga.Optimiser:
    """A registered optimiser.

    Args:
        component: finds one.
        name: of it.

    Raises:
        InputError: if there is none of this name.
    """
    try:
        found: aiga.Optimiser = component("optimiser", name)
    except KeyError as error:
        raise aiga.InputError(f"{error.args[0]}. Add [plugins.{name}] to the configuration, or name another.") from error
    return found


def parameters(agents: Population) -> Tensor:
    """``[N]`` int64: how many numbers each agent inherits."""
    counts = [[sum(leaf[0].numel() for leaf in batch.leaves.values())] * len(batch) for batch in agents.batches]
    return torch.tensor([count for some in counts for count in some], dtype=torch.int64)
