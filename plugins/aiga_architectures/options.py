"""What can be set of the networks, and of the spaces that a search over their architectures stays within."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

import aiga
from aiga_architectures.activations import Activation
from aiga_architectures.normalising import Norm

_Count = Annotated[int, Field(strict=True, ge=1)]


class PerceptronOptions(aiga.Options):
    """A multilayer perceptron, and the architectures that a search may reach from it."""

    hidden: Annotated[tuple[_Count, ...], Field(strict=False)] = Field(
        default=(64, 64), description="units of each hidden layer; none at all makes a linear network"
    )
    activation: Activation = Field(default="leaky-relu", description="of the hidden layers")
    skip: bool = Field(default=False, description="let the observation reach every later layer too")
    norm: Norm = Field(default="mean", description="subtract the mean over what is seen together, or nothing")
    weight_norm: bool = Field(default=True, description="scale what a unit sums up by a gain over the length of its weights")
