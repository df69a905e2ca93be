"""From pictures to gated features: the representation and the neuromodulatory network of ANML (Beaulieu et al. 2020).

Normalisation is over the positions of one picture's channel, which is what batch normalisation amounts to where pictures come
one at a time: nothing is remembered between pictures, and no picture sees another.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from aiga.data import Leaves
from aiga.products import convolve, dense
from aiga_continual.architecture import Convolution, Plan

_PICTURES: Final = 512  # looked at in one piece where no gradient is wanted


def gate(leaves: Leaves, plan: Plan, x: Tensor, exact: bool) -> Tensor | None:
    """``[B, T, F]`` from 0 to 1, what features of pictures ``[B, T, C, H, W]`` are multiplied by; None for a gate of one."""
    if not plan.gate:
        return None
    if plan.frozen_gate:
        leaves = {name: leaf.detach() for name, leaf in leaves.items()}
    at = f"{plan.gate_name}.out"
    seen = dense(see(leaves, plan.gate, x, exact), leaves[f"{at}.weight"], leaves[f"{at}.bias"], exact)
    return 0.5 * torch.tanh(0.5 * seen) + 0.5  # the logistic function, whose own routine rounds by place


def features(leaves: Leaves, plan: Plan, x: Tensor, exact: bool) -> Tensor:
    """``[B, T, F]`` gated features of pictures ``[B, T, C, H, W]``, each looked at by itself."""
    if torch.is_grad_enabled():
        return _gated(leaves, plan, x, exact)
    pieces = torch.split(x, max(1, _PICTURES // len(x)), dim=1)
    return torch.cat([_gated(leaves, plan, some, exact) for some in pieces], dim=1)


def looks(leaves: Leaves, plan: Plan, x: Tensor, exact: bool) -> dict[str, Tensor]:
    """``[B, T, F]`` by name: ``features``; and where there is a gate ``gate``, its answer, and ``gated``, what is left."""
    seen, opened = see(leaves, plan.features, x, exact), gate(leaves, plan, x, exact)
    return {"features": seen} if opened is None else {"features": seen, "gate": opened, "gated": seen * opened}


def _gated(leaves: Leaves, plan: Plan, x: Tensor, exact: bool) -> Tensor:
    seen, open_ = see(leaves, plan.features, x, exact), gate(leaves, plan, x, exact)
    return seen if open_ is None else seen * open_


def see(leaves: Leaves, layers: Sequence[Convolution], x: Tensor, exact: bool) -> Tensor:
    """``[B, T, F]``: what a stack of convolutions makes of pictures ``[B, T, C, H, W]``."""
    for layer in layers:
        x = convolve(x, leaves[f"{layer.name}.kernel"], layer.stride, exact)
        rows, count, channels = x.shape[:3]
        x = functional.group_norm(x.flatten(0, 1), channels)
        if layer.pool > 1:
            x = functional.max_pool2d(x, layer.pool)
        scale, shift = (leaves[f"{layer.name}.{what}"][:, None, :, None, None] for what in ("scale", "shift"))
        x = torch.relu(x.reshape(rows, count, *x.shape[1:]) * scale + shift)
    return x.flatten(2)
