"""What can be set of the networks, and of the spaces that a search over their architectures stays within."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

import aiga
from aiga_architectures.activations import Activation
from aiga_architectures.cells import Op, nodes_of_text
from aiga_architectures.normalising import Norm

DEPTH: Final = 8  # most hidden layers that a search has
NODES: Final = 6  # most nodes of a cell that a search has
MEMORIES: Final = ("none", "recurrent", "plastic")

Memory = Literal["none", "recurrent", "plastic"]
_Count = Annotated[int, Field(strict=True, ge=1)]
_Whole = Annotated[int, Field(strict=True, ge=0)]
_Activations = Annotated[tuple[Activation, ...], Field(strict=False, min_length=1)]
_ALL: Final = ("leaky-relu", "relu", "tanh", "silu", "gelu", "softsign")


def _ordered(bounds: tuple[int, int]) -> tuple[int, int]:
    if bounds[0] > bounds[1]:
        raise ValueError(f"the lower bound {bounds[0]} is above the upper bound {bounds[1]}. Write the lower one first.")
    return bounds


_Bounds = Annotated[tuple[_Count, _Count], Field(strict=False), AfterValidator(_ordered)]
_Depths = Annotated[
    tuple[Annotated[_Whole, Field(le=DEPTH)], Annotated[_Whole, Field(le=DEPTH)]], Field(strict=False), AfterValidator(_ordered)
]


class PerceptronOptions(aiga.Options):
    """A multilayer perceptron, and the architectures that a search may reach from it."""

    hidden: Annotated[tuple[_Count, ...], Field(strict=False)] = Field(
        default=(64, 64), description="units of each hidden layer; none at all makes a linear network"
    )
    activation: Activation = Field(default="leaky-relu", description="of the hidden layers")
    skip: bool = Field(default=False, description="let the observation reach every later layer too")
    norm: Norm = Field(default="mean", description="subtract the mean over what is seen together, or nothing")
    weight_norm: bool = Field(default=True, description="scale what a unit sums up by a gain over the length of its weights")
    search: Annotated[
        tuple[Literal["width", "depth", "activation", "skip", "norm", "weight_norm"], ...], Field(strict=False)
    ] = Field(default=("width", "depth", "activation", "skip"), description="what a search varies; all else stays as set")
    widths: _Bounds = Field(default=(8, 128), description="fewest and most units of a layer in a search")
    depths: _Depths = Field(default=(1, 4), description="fewest and most hidden layers in a search")
    activations: _Activations = Field(default=_ALL, description="what a search chooses from")


class ConvnetOptions(aiga.Options):
    """A small convolutional network of cells, and the architectures that a search may reach from it."""

    channels: int = Field(default=16, ge=1, description="of the first convolution; each reduction doubles them")
    cells: int = Field(default=2, ge=1, description="one after another, each of the same nodes")
    reductions: int = Field(default=1, ge=0, description="how many of the cells halve the picture, spread evenly")
    nodes: Annotated[tuple[str, ...], Field(strict=False)] = Field(
        default=("0 conv3 + 1 identity", "2 conv3 + 0 identity"),
        description="of a cell: what two earlier states are made into, to be added up; 0 and 1 are the answers of the two "
        "cells before, 2 is the first node",
    )
    activation: Activation = Field(default="leaky-relu", description="of every convolution")
    norm: Norm = Field(default="mean", description="subtract the mean over what is seen together, or nothing")
    weight_norm: bool = Field(default=True, description="scale what a unit sums up by a gain over the length of its weights")
    search: Annotated[
        tuple[Literal["width", "depth", "reductions", "nodes", "activation", "norm", "weight_norm"], ...], Field(strict=False)
    ] = Field(
        default=("width", "depth", "reductions", "nodes", "activation"),
        description="what a search varies; all else stays as set",
    )
    widths: _Bounds = Field(default=(4, 32), description="fewest and most channels in a search")
    depths: _Bounds = Field(default=(1, 4), description="fewest and most cells in a search")
    most_reductions: int = Field(default=2, ge=0, description="most reductions in a search; pictures must be large enough")
    most_nodes: int = Field(default=4, ge=1, le=NODES, description="most nodes of a cell in a search")
    ops: Annotated[tuple[Op, ...], Field(strict=False, min_length=1)] = Field(
        default=("identity", "conv1", "conv3", "conv1x3", "max2", "max3", "avg2", "avg3"),
        description="operations that a search chooses from; for larger pictures there are conv1x7, max5 and avg5 too",
    )
    activations: _Activations = Field(default=_ALL, description="what a search chooses from")

    @field_validator("nodes")
    @classmethod
    def _nodes_are_nodes(cls, nodes: tuple[str, ...]) -> tuple[str, ...]:
        nodes_of_text(nodes)
        return nodes

    @model_validator(mode="after")
    def _reductions_are_cells(self) -> ConvnetOptions:
        if self.reductions > self.cells:
            raise ValueError(f"reductions is {self.reductions} with {self.cells} cells. Write at most one for each cell.")
        return self


class PolicyOptions(aiga.Options):
    """A policy with or without a memory, and the architectures that a search may reach from it."""

    hidden: int = Field(default=32, ge=1, description="units")
    memory: Memory = Field(
        default="recurrent", description="nothing; the units' activity of the step before; or Hebbian traces beside it"
    )
    activation: Activation = Field(default="tanh", description="of the units")
    reward: bool = Field(default=True, description="perceive the reward of the step before, where the domain has one")
    previous_action: bool = Field(default=True, description="perceive the last action, where the domain has one")
    value: bool = Field(default=True, description="answer a value too, as actor-critic optimisers need")
    weight_scale: float = Field(
        default=0.9, ge=0.0, description="standard deviation of newborn recurrent weights, in units of 1 / sqrt(hidden)"
    )
    alpha_scale: float = Field(default=0.01, ge=0.0, description="standard deviation of newborn plasticities")
    eta: float = Field(default=0.01, description="rate of change of traces within a life at birth; it is learned")
    search: Annotated[
        tuple[Literal["width", "memory", "activation", "reward", "previous_action"], ...], Field(strict=False)
    ] = Field(default=("width", "memory", "activation"), description="what a search varies; all else stays as set")
    widths: _Bounds = Field(default=(4, 64), description="fewest and most units in a search")
    memories: Annotated[tuple[Memory, ...], Field(strict=False, min_length=1)] = Field(
        default=MEMORIES, description="what a search chooses from"
    )
    activations: _Activations = Field(default=("tanh", "softsign", "relu"), description="what a search chooses from")
