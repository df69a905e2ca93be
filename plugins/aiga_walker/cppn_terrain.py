"""Ground whose heights a small network paints, as Enhanced POET's are (Wang et al. 2020): no obstacles, but any smooth shape.

A compositional pattern-producing network of eight nodes, each fed by the place along the course and by all nodes before it, is
drawn from the terrain seed; the height is a sum of all. What differs from the paper: it is drawn, and not evolved by NEAT.
"""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor

from aiga import Stream
from aiga.streams import derive
from aiga_walker.terrain import CELL, CELLS, GROUND, PAD, Terrain

NODES: Final = 8
SCALE: Final = 1.5  # standard deviation of weights: about three hills a course
_GRID: Final = 2.0**20  # parts of a metre that heights are rounded to, so that they hang on no machine's sine
_STREAM = Stream(derive("walker", "cppn", 1))
_ACTIVATIONS: Final = (lambda x: x, torch.sin, torch.sigmoid, torch.square, torch.tanh)


def painted(seeds: Tensor, amplitudes: Tensor) -> list[Terrain]:
    """The ground of ``B`` courses.

    Args:
        seeds: ``[B]`` int64, of which a network each is drawn.
        amplitudes: ``[B]`` float64, greatest distance in m from the height of the start pad; 0 is flat.
    """
    heights = _heights(seeds)
    reach = heights.abs().amax(dim=1, keepdim=True)
    heights = torch.where(reach > 0.0, heights / reach, 0.0) * amplitudes[:, None]
    heights = GROUND + torch.round(heights * _GRID) / _GRID
    pad = [(cell * CELL, GROUND) for cell in range(PAD)]
    return [Terrain((*pad, *((cell * CELL, y) for cell, y in enumerate(row, PAD))), ()) for row in heights.tolist()]


def _heights(seeds: Tensor) -> Tensor:
    """``[B, CELLS - PAD]`` float64, beginning with 0."""
    rows = _STREAM.rows(seeds)
    weight = SCALE * rows.child("weight").normal(NODES + 1, NODES + 2).double()
    activation = rows.child("activation").integers(0, len(_ACTIVATIONS), NODES)
    x = torch.linspace(-math.pi, math.pi, CELLS - PAD, dtype=torch.float64).expand(len(seeds), -1)
    values = [x, torch.ones_like(x)]
    for node in range(NODES):
        total = torch.zeros_like(x)
        for source, value in enumerate(values):
            total = total + weight[:, node, source, None] * value
        kinds = torch.stack([function(total) for function in _ACTIVATIONS])
        # A square of a square of a square would leave no room for the rest.
        values.append(kinds.gather(0, activation[None, :, node, None].expand(1, -1, x.shape[1]))[0].clamp(-4.0, 4.0))
    height = torch.zeros_like(x)
    for source, value in enumerate(values):
        height = height + weight[:, NODES, source, None] * value
    return height - height[:, :1]
