"""Networks that keep nothing of what they learn within a life: what a report holds learners against."""

from __future__ import annotations

from aiga.components import Layout, Life, Network, Output, Percept, Space, Structure
from aiga.data import Leaves
from aiga.streams import Stream


def forgetful(network: Network) -> Network | None:
    """``network`` with its ``traces`` as at birth in every step of a life; None where it has none."""
    traces = frozenset(getattr(network, "traces", ()))
    return _Forgetful(network, traces) if traces else None


class _Forgetful:
    """Capabilities are not passed on: whoever computes lives in another way would not forget."""

    def __init__(self, network: Network, traces: frozenset[str]) -> None:
        self._network, self._traces = network, traces
        self.structure: Structure = network.structure

    def build(self, structure: Structure, inputs: Space, outputs: Space) -> Layout:
        return self._network.build(structure, inputs, outputs)

    def init(self, rng: Stream, layout: Layout, count: int) -> Leaves:
        return self._network.init(rng, layout, count)

    def newborn(self, leaves: Leaves) -> Life:
        return self._network.newborn(leaves)

    def step(self, leaves: Leaves, life: Life, percept: Percept) -> tuple[Output, Life]:
        """One step, after which there is no trace of it."""
        output, after = self._network.step(leaves, life, percept)
        born = self._network.newborn(leaves)
        return output, {part: born[part] if part in self._traces else tensor for part, tensor in after.items()}
