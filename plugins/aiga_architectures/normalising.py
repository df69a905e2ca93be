"""How learners of Generative Teaching Networks (Such et al. 2020) are normalised: weights by norm, batches by their mean alone.

Weight normalisation multiplies what a unit sums up by ``g / ||v||``; its bias is not scaled. Mean-only batch normalisation
subtracts the mean over the batch, and remembers that of the last batch (a running momentum of 0) until it sees another.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor

Norm = Literal["mean", "none"]


def length(v: Tensor, dims: tuple[int, ...]) -> Tensor:
    """Of the weights ``v`` of each unit, summed over ``dims``; 1 where they are all zero, also in every derivative."""
    squared = v.square().sum(dim=dims)
    return torch.where(squared > 0, squared, 1.0).sqrt()


def scale(v: Tensor, gain: Tensor, dims: tuple[int, ...]) -> Tensor:
    """``g / ||v||`` of each unit: what multiplies what it sums up."""
    return gain / length(v, dims)


def exact(*several: Mapping[str, Tensor]) -> bool:
    """Whether bits may hang on nothing but the row: on a CPU, where no gradient is wanted."""
    tensors = [tensor for each in several for tensor in each.values()]
    wanted = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)
    return tensors[0].device.type == "cpu" and not wanted


def checked(who: str, norm: object) -> bool:
    """Whether a structure's ``norm`` is by the mean.

    Raises:
        ValueError: for a norm there is not.
    """
    if norm not in ("mean", "none"):
        raise ValueError(f"{who} has no norm {norm!r}; it has mean, none")
    return norm == "mean"
