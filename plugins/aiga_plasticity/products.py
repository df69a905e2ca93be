"""Two ways to multiply: with the same bits in any company, or fast."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor


class Products(Protocol):
    """Products of ``B`` lives, which belong to ``P`` agents, ``B / P`` in a row to each."""

    def multiply(self, x: Tensor, weight: Tensor) -> Tensor:
        """``[B, out]``: ``x`` ``[B, in]`` under ``weight`` ``[P, in, out]``."""
        ...

    def through(self, x: Tensor, weight: Tensor, alpha: Tensor, trace: Tensor) -> Tensor:
        """``[B, out]``: ``x`` under ``weight + alpha * trace``; ``alpha`` ``[P, in, out]`` or ``[P]``, a trace a life."""
        ...

    def add_outer(self, base: Tensor, x: Tensor, y: Tensor) -> Tensor:
        """``[B, in, out]``: ``base`` and the outer product of ``x`` ``[B, in]`` and ``y`` ``[B, out]``."""
        ...


class Exact:
    """Elementwise products and sums over one axis: on a CPU a row has the same bits in any batch, which MKL's has not."""

    def multiply(self, x: Tensor, weight: Tensor) -> Tensor:
        """See :class:`Products`."""
        (agents, sources, targets), lives = weight.shape, len(x) // len(weight)
        product = weight[:, None] * x.reshape(agents, lives, sources, 1)
        return product.reshape(len(x), sources, targets).sum(dim=1)

    def through(self, x: Tensor, weight: Tensor, alpha: Tensor, trace: Tensor) -> Tensor:
        """See :class:`Products`."""
        plastic = _of_agents(trace, alpha) * _beside(alpha)
        whole = (plastic + weight[:, None]).reshape(trace.shape)
        return (whole * x[:, :, None]).sum(dim=1)

    def add_outer(self, base: Tensor, x: Tensor, y: Tensor) -> Tensor:
        """See :class:`Products`."""
        return base + x[:, :, None] * y[:, None, :]


class Fast:
    """Matrix products."""

    def multiply(self, x: Tensor, weight: Tensor) -> Tensor:
        """See :class:`Products`."""
        return torch.bmm(x.reshape(len(weight), -1, x.shape[-1]), weight).reshape(len(x), -1)

    def through(self, x: Tensor, weight: Tensor, alpha: Tensor, trace: Tensor) -> Tensor:
        """See :class:`Products`."""
        innate = self.multiply(x, weight)
        if alpha.ndim == 1:
            return innate + torch.bmm(x[:, None], trace)[:, 0] * per_life(alpha, len(x))
        plastic = (_of_agents(trace, alpha) * _beside(alpha)).reshape(trace.shape)
        return innate + torch.bmm(x[:, None], plastic)[:, 0]

    def add_outer(self, base: Tensor, x: Tensor, y: Tensor) -> Tensor:
        """See :class:`Products`."""
        return torch.baddbmm(base, x[:, :, None], y[:, None, :])


def products_of(weight: Tensor) -> Products:
    """Fast ones on a GPU and where gradients are wanted, else exact ones."""
    return Fast() if weight.is_cuda or (torch.is_grad_enabled() and weight.requires_grad) else Exact()


def per_life(leaf: Tensor, lives: int) -> Tensor:
    """``[B, ...]`` of ``[P, ...]``: an agent's leaf for each of its lives, ``[B, 1]`` where it is one number."""
    leaf = leaf[:, None] if leaf.ndim == 1 else leaf
    return leaf if len(leaf) == lives else leaf.repeat_interleave(lives // len(leaf), dim=0)


def _of_agents(trace: Tensor, alpha: Tensor) -> Tensor:
    return trace.reshape(len(alpha), -1, *trace.shape[1:])


def _beside(alpha: Tensor) -> Tensor:
    return alpha[:, None] if alpha.ndim == 3 else alpha[:, None, None, None]
