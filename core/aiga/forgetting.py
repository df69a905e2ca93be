"""Networks that keep nothing of what they learn within a life: what a report holds learners against."""

from __future__ import annotations

from aiga.components import Life, Network, Output, Percept
from aiga.data import Leaves
from aiga.wrapped import Wrapped


def forgetful(network: Network) -> Network | None:
    """``network`` with its ``traces`` as at birth in every step of a life; None where it has none."""
    traces = frozenset(getattr(network, "traces", ()))
    return _Forgetful(network, traces) if traces else None


class _Forgetful(Wrapped):
    """Without the network's capabilities: whoever computes lives in another way would not forget."""

    def __init__(self, network: Network, traces: frozenset[str]) -> None:
        super().__init__(network)
        self._traces = traces

    def step(self, leaves: Leaves, life: Life, percept: Percept) -> tuple[Output, Life]:
        """One step, after which there is no trace of it."""
        output, after = super().step(leaves, life, percept)
        born = self.newborn(leaves)
        return output, {part: born[part] if part in self._traces else tensor for part, tensor in after.items()}
