"""How Lightning takes steps along gradients that are known already."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn


class Pace(Protocol):
    """Options of Adam; ``decay`` is 0, or the outer steps over which its step size falls to a tenth along a cosine."""

    lr: float
    beta1: float
    beta2: float
    epsilon: float
    decay: int


def adam(parameters: Iterable[nn.Parameter], pace: Pace) -> Any:
    """Adam, perhaps with a step size that falls; what ``configure_optimizers`` returns."""
    optimiser = torch.optim.Adam(parameters, lr=pace.lr, betas=(pace.beta1, pace.beta2), eps=pace.epsilon)
    if not pace.decay:
        return optimiser

    def share(step: int) -> float:
        return 0.55 + 0.45 * math.cos(math.pi * min(step / pace.decay, 1.0))

    falling = torch.optim.lr_scheduler.LambdaLR(optimiser, share)
    return {"optimizer": optimiser, "lr_scheduler": {"scheduler": falling, "interval": "step"}}


def known(loss: float, gradients: Sequence[Tensor], parameters: Sequence[Tensor]) -> Tensor:
    """A loss whose gradient for each parameter is there already, so that Lightning clips, accumulates and steps as ever."""
    return _Known.apply(loss, len(parameters), *gradients, *parameters)  # type: ignore[no-any-return, no-untyped-call]


class _Known(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, loss: float, count: int, *given: Tensor) -> Tensor:
        ctx.save_for_backward(*given[:count])
        return given[0].new_tensor(loss)

    @staticmethod
    def backward(ctx: Any, *slope: Tensor) -> tuple[Tensor | None, ...]:
        gradients = ctx.saved_tensors
        return None, None, *(None for _ in gradients), *(gradient * slope[0] for gradient in gradients)
