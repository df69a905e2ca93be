"""Newborn agents of unlike architectures, each drawn by its own key."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from aiga.batches import Batch, Kind, Population
from aiga.components import Network, Space
from aiga.streams import Stream


def newborns(
    networks: Callable[[str], Network], kinds: Sequence[Kind], rng: Stream, inputs: Space, outputs: Space
) -> tuple[Population, Tensor]:
    """A random agent of each kind, on the host, and ``[B]`` int64: which row of the population each is.

    Args:
        networks: by name.
        kinds: ``B`` of them, repeats allowed.
        rng: with a row key for each; an agent hangs on its kind and its key alone.
        inputs: of the domain that they are to live in.
        outputs: of it.
    """
    rng = rng.each(len(kinds))
    assert rng.row_keys is not None
    members: dict[Kind, list[int]] = {}
    for place, kind in enumerate(kinds):
        members.setdefault(kind, []).append(place)
    batches, order = list[Batch](), list[int]()
    for kind, places in members.items():
        network = networks(kind.component)
        layout = network.build(kind.structure, inputs, outputs)
        batches.append(Batch.of(kind, network.init(rng.rows(rng.row_keys[places]), layout, len(places))))
        order += places
    return Population(tuple(batches)), torch.tensor(order, dtype=torch.int64).argsort()
