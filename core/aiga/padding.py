"""Agents of unlike sizes as rows of one batch: leaves filled up with zeros at the end of every dimension.

A network with the capability ``bucket`` names, for each structure, the larger one that it may be filled up to. Evaluation
always runs on that form, so that an agent's numbers do not hang on which other architectures are evaluated beside it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional

from aiga.batches import Batch, Kind, Leaves, Population
from aiga.components import Domain, Layout, Network, Space

Networks = Callable[[str], Network]
"""A network by its name."""


def padded(leaves: Leaves, layout: Layout) -> Leaves:
    """``leaves`` ``[B, ...]`` with zeros up to the shapes of ``layout``; differentiable. What fits already is not copied.

    Raises:
        ValueError: where names differ, or a leaf does not fit.
    """
    _check(leaves, layout, grow=True)
    out = {}
    for name, leaf in leaves.items():
        missing = [wide - have for have, wide in zip(leaf.shape[1:], layout[name], strict=True)]
        ends = [length for side in reversed(missing) for length in (0, side)]
        out[name] = functional.pad(leaf, ends) if any(missing) else leaf
    return out


def cut(leaves: Leaves, layout: Layout) -> Leaves:
    """The reverse of :func:`padded`: views of ``leaves`` ``[B, ...]`` in the shapes of ``layout``.

    Raises:
        ValueError: where names differ, or a leaf is smaller than its shape.
    """
    _check(leaves, layout, grow=False)
    return {name: leaf[(slice(None), *(slice(length) for length in layout[name]))] for name, leaf in leaves.items()}


def bucket(network: Network, kind: Kind) -> Kind:
    """The kind that agents of ``kind`` are evaluated as: their bucket's, or their own where the network has no buckets."""
    of = getattr(network, "bucket", None)
    return kind if of is None else Kind(kind.component, of(kind.structure))


def filled(network: Network, batch: Batch, inputs: Space, outputs: Space) -> Batch:
    """The same agents, made of ``network`` for these spaces, explicit and as rows of their bucket's kind."""
    batch, kind = batch.explicit(), bucket(network, batch.kind)
    if kind == batch.kind:
        return batch
    return replace(batch, kind=kind, leaves=padded(batch.leaves, network.build(kind.structure, inputs, outputs)))


def in_buckets(agents: Population, networks: Networks, domain: Domain) -> tuple[Population, Tensor]:
    """The same agents, explicit and as rows of as few batches as their buckets allow, and ``[N]`` int64: where each went."""
    wide = [filled(networks(batch.kind.component), batch, domain.inputs, domain.outputs) for batch in agents.batches]
    population, (where,) = Population.join(Population(tuple(wide)))
    return population, where


def out_of_buckets(wide: Population, where: Tensor, agents: Population, networks: Networks, domain: Domain) -> Population:
    """The rows ``where`` of ``wide`` in the place and shape of ``agents``: the reverse of :func:`in_buckets`."""
    batches = []
    for start, batch in agents.parts():
        (rows,) = wide.in_order(where[start : start + len(batch)]).batches
        layout = networks(batch.kind.component).build(batch.kind.structure, domain.inputs, domain.outputs)
        leaves = {name: leaf.contiguous() for name, leaf in cut(rows.leaves, layout).items()}
        batches.append(replace(batch.explicit(), leaves=leaves))
    return Population(tuple(batches))


def places(leaves: Leaves, wide: Leaves) -> Tensor:
    """``[D]`` int64: where each number of the flattened rows of ``leaves`` stands in those of the same agents filled up.

    So what an optimiser keeps for each number is filled up and cut as the agents are: ``new[:, places] = old``.

    Args:
        leaves: of agents.
        wide: those that :func:`padded` makes of them, of any number of agents.

    Raises:
        ValueError: where names differ, or a leaf does not fit.
    """
    _check(leaves, {name: tuple(leaf.shape[1:]) for name, leaf in wide.items()}, grow=True)
    found, first = [], 0
    for name in sorted(name for name, leaf in wide.items() if leaf.is_floating_point()):
        shape = wide[name].shape[1:]
        numbers = torch.arange(first, first + math.prod(shape)).reshape(shape)
        found.append(numbers[tuple(slice(length) for length in leaves[name].shape[1:])].reshape(-1))
        first += math.prod(shape)
    return torch.cat(found)


def width_of_bucket(width: int, least: int = 16) -> int:
    """The width that layers of up to ``width`` units are filled up to: a power of two, ``least`` or more."""
    return max(least, 1 << (width - 1).bit_length())


def _check(leaves: Leaves, layout: Layout, grow: bool) -> None:
    if leaves.keys() != layout.keys():
        raise ValueError(f"leaves {sorted(leaves)} are not those of the layout, {sorted(layout)}")
    for name, leaf in leaves.items():
        have, shape = tuple(leaf.shape[1:]), tuple(layout[name])
        pairs = zip(have, shape, strict=True) if len(have) == len(shape) else [(1, 0), (0, 1)]
        if any(a > b if grow else a < b for a, b in pairs):
            raise ValueError(f"leaf {name!r} of shape {have} {'does not fit into' if grow else 'does not hold'} {shape}")
