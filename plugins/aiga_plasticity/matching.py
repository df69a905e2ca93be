"""Networks of equal size: what a fair comparison needs."""

from __future__ import annotations

import math
from typing import Final

from aiga import Network, Space
from aiga.components import Structure

WIDEST: Final = 2**20


def parameters(network: Network, inputs: Space, outputs: Space, structure: Structure | None = None) -> int:
    """How many numbers an agent of ``network`` inherits; of its own structure where none is given."""
    layout = network.build(network.structure if structure is None else structure, inputs, outputs)
    return sum(math.prod(shape) for shape in layout.values())


def matched_units(network: Network, like: Network, inputs: Space, outputs: Space) -> int:
    """With how many units ``network`` has as many parameters as ``like``, as nearly as can be.

    Args:
        network: any whose structure has ``units``; what that says plays no part.
        like: any, of the structure it has.
        inputs: what both perceive.
        outputs: what both answer.

    Raises:
        ValueError: if the structure of ``network`` has no ``units``, or it cannot be built for these spaces at any width.
    """
    if "units" not in network.structure:
        raise ValueError(f"a structure without units has no width to match; it has {', '.join(network.structure)}")
    goal = parameters(like, inputs, outputs)

    def count(units: int) -> int:
        try:
            return parameters(network, inputs, outputs, {**network.structure, "units": units})
        except ValueError:
            if units >= WIDEST:
                raise
            return 0  # fewer than a wiring needs

    low, high = 0, 1
    while count(high) < goal:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if count(middle) < goal else (low, middle)
    if low == 0 or count(low) == 0:
        return high
    return min((low, high), key=lambda units: abs(count(units) - goal))
