"""Agents of unlike sizes as rows of one batch: leaves filled up with zeros at the end of every dimension.

A network with the capability ``bucket`` names, for each structure, the larger one that it may be filled up to. Evaluation
always runs on that form, so that an agent's numbers do not hang on which other architectures are evaluated beside it.
"""

from __future__ import annotations

from dataclasses import replace

from torch.nn import functional

from aiga.batches import Batch, Kind, Leaves
from aiga.components import Layout, Network, Space


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


def _check(leaves: Leaves, layout: Layout, grow: bool) -> None:
    if leaves.keys() != layout.keys():
        raise ValueError(f"leaves {sorted(leaves)} are not those of the layout, {sorted(layout)}")
    for name, leaf in leaves.items():
        have, shape = tuple(leaf.shape[1:]), tuple(layout[name])
        pairs = zip(have, shape, strict=True) if len(have) == len(shape) else [(1, 0), (0, 1)]
        if any(a > b if grow else a < b for a, b in pairs):
            raise ValueError(f"leaf {name!r} of shape {have} {'does not fit into' if grow else 'does not hold'} {shape}")
