"""How large an architecture is."""

from __future__ import annotations

import math

import aiga
from aiga.components import Structure


def parameters(network: aiga.Network, structure: Structure, inputs: aiga.Space, outputs: aiga.Space) -> int:
    """How many numbers an agent of this structure inherits."""
    return sum(math.prod(shape) for shape in network.build(structure, inputs, outputs).values())
