"""Activations: 0 at 0, so that units filled up with zeros stay silent, and with bits that hang on their argument alone.

Made of operations that round correctly: ``torch.sigmoid`` and its like round otherwise in a vector's tail.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, Literal

import torch
from torch import Tensor
from torch.nn import functional

Activation = Literal["leaky-relu", "relu", "tanh", "silu", "gelu", "softsign"]
SLOPE: Final = 0.1  # of leaky-relu below 0, as learners of Generative Teaching Networks have it


def _leaky_relu(x: Tensor) -> Tensor:
    return functional.leaky_relu(x, SLOPE)


def _silu(x: Tensor) -> Tensor:
    return x * (0.5 * torch.tanh(0.5 * x) + 0.5)


def _gelu(x: Tensor) -> Tensor:
    return 0.5 * x * (1.0 + torch.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * (x * x * x))))


def _softsign(x: Tensor) -> Tensor:
    return x / (1.0 + x.abs())


def _linear(x: Tensor) -> Tensor:
    return x


ACTIVATIONS: Final[dict[str, Callable[[Tensor], Tensor]]] = {
    "leaky-relu": _leaky_relu,
    "relu": torch.relu,
    "tanh": torch.tanh,
    "silu": _silu,
    "gelu": _gelu,
    "softsign": _softsign,
}
FUNCTIONS: Final = {**ACTIVATIONS, "linear": _linear}

# Of Kaiming's rule (He et al. 2015): deviation of a newborn weight, in units of 1 / sqrt(fan-in).
GAINS: Final = {
    "leaky-relu": math.sqrt(2.0 / (1.0 + SLOPE**2)),
    "relu": math.sqrt(2.0),
    "tanh": 5.0 / 3.0,
    "silu": math.sqrt(2.0),
    "gelu": math.sqrt(2.0),
    "softsign": 1.0,
    "linear": 1.0,
}


def known(who: str, activation: object) -> str:
    """``activation``, if there is such a one.

    Raises:
        ValueError: if not.
    """
    if activation not in ACTIVATIONS:
        raise ValueError(f"{who} has no activation {activation!r}; it has {', '.join(ACTIVATIONS)}")
    return str(activation)
