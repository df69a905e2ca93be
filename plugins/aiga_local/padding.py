"""Network work in a fixed number of rows, whatever number of lives is left: a row's bits then do not hang on its company."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from aiga.components import Layout, Life, Network, Output, Percept, Space, Structure
from aiga.data import Leaves
from aiga.streams import Stream


class PaddedNetwork:
    """A network that always works on a multiple of ``rows`` rows; who uses it sees only the rows given.

    Missing rows repeat the last one. Leaves, and a life handed back as it was answered, are padded once and not at every step;
    leaves are therefore not to be changed in place. Capabilities of the network (``space``, ``learn``) pass through unpadded.

    Args:
        network: the network that does the work.
        rows: rows of one block.
    """

    def __init__(self, network: Network, rows: int) -> None:
        self.structure: Structure = network.structure
        self._network = network
        self._rows = rows
        # What was given or answered last, and the same padded.
        self._leaves: tuple[Leaves, Leaves] = ({}, {})
        self._life: tuple[Life, Life] = ({}, {})

    def __getattr__(self, name: str) -> Any:
        return getattr(self._network, name)

    def build(self, structure: Structure, inputs: Space, outputs: Space) -> Layout:
        """As the wrapped network's."""
        return self._network.build(structure, inputs, outputs)

    def init(self, rng: Stream, layout: Layout, count: int) -> Leaves:
        """As the wrapped network's."""
        return self._network.init(rng, layout, count)

    def newborn(self, leaves: Leaves) -> Life:
        """The lifetime state of the rows given."""
        count, missing = self._missing(leaves)
        if not missing:
            return self._network.newborn(leaves)
        return self._cut(self._network.newborn(self._padded_leaves(leaves, missing)), count)

    def step(self, leaves: Leaves, life: Life, percept: Percept) -> tuple[Output, Life]:
        """One step of the rows given."""
        count, missing = self._missing(leaves)
        if not missing:
            return self._network.step(leaves, life, percept)
        whole_life = self._life[1] if _same(life, self._life[0]) else {n: _pad(t, missing) for n, t in life.items()}
        whole = Percept(
            _pad(percept.observation, missing),
            *(None if part is None else _pad(part, missing) for part in _optional(percept)),
        )
        output, after = self._network.step(self._padded_leaves(leaves, missing), whole_life, whole)
        value = None if output.value is None else output.value[:count]
        return Output(output.action[:count], value), self._cut(after, count)

    def _missing(self, leaves: Leaves) -> tuple[int, int]:
        count = len(next(iter(leaves.values())))
        return count, -count % self._rows

    def _padded_leaves(self, leaves: Leaves, missing: int) -> Leaves:
        if not _same(leaves, self._leaves[0]):
            self._leaves = (dict(leaves), {name: _pad(leaf, missing) for name, leaf in leaves.items()})
        return self._leaves[1]

    def _cut(self, life: Life, count: int) -> Life:
        # Views: what a domain writes into them in place is seen by the padded rows' tensor too.
        cut = {name: tensor[:count] for name, tensor in life.items()}
        self._life = (cut, life)
        return dict(cut)


def _optional(percept: Percept) -> tuple[Tensor | None, ...]:
    return percept.reward, percept.done, percept.previous_action, percept.target


def _same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(tensor is other[name] for name, tensor in one.items())


def _pad(rows: Tensor, missing: int) -> Tensor:
    return torch.cat([rows, rows[-1:].expand(missing, *rows.shape[1:])])
