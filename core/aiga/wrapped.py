"""A network around another one, for whoever changes or counts a part of what it does."""

from __future__ import annotations

from aiga.components import Layout, Life, Network, Output, Percept, Space, Structure
from aiga.data import Leaves
from aiga.streams import Stream


class Wrapped:
    """Does what ``network`` does, whose capabilities it has not: derive from it, and change what is to be changed."""

    def __init__(self, network: Network) -> None:
        self.structure: Structure = network.structure
        self._network = network

    def build(self, structure: Structure, inputs: Space, outputs: Space) -> Layout:
        """As the network's."""
        return self._network.build(structure, inputs, outputs)

    def init(self, rng: Stream, layout: Layout, count: int) -> Leaves:
        """As the network's."""
        return self._network.init(rng, layout, count)

    def newborn(self, leaves: Leaves) -> Life:
        """As the network's."""
        return self._network.newborn(leaves)

    def step(self, leaves: Leaves, life: Life, percept: Percept) -> tuple[Output, Life]:
        """As the network's."""
        return self._network.step(leaves, life, percept)
