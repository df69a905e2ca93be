"""How traces change within a life. A trace ``H`` is ``[B, N, N]``: before, after; ``x`` and ``y`` are activities ``[B, N]``."""

from __future__ import annotations

from torch import Tensor

from aiga_plasticity.products import Products

RULES = ("decay", "oja", "clip", "soft-clip")
MODULATIONS = ("simple", "retroactive")
LIMITS = ("clip", "soft-clip")


def decay(trace: Tensor, x: Tensor, y: Tensor, eta: Tensor, products: Products) -> Tensor:
    """Hebb with decay: ``(1 - eta) H + eta x y`` (Miconi et al. 2018); ``eta`` ``[B, 1]``."""
    return products.add_outer((1.0 - eta)[:, :, None] * trace, x, eta * y)


def oja(trace: Tensor, x: Tensor, y: Tensor, eta: Tensor, products: Products) -> Tensor:
    """Oja's rule: ``H + eta y (x - H y)`` (Oja 1982), which keeps traces small without a bound."""
    return products.add_outer((1.0 - eta * y.square())[:, None, :] * trace, x, eta * y)


def clip(trace: Tensor, x: Tensor, y: Tensor, bound: float, products: Products) -> Tensor:
    """``H + x y``, cut off at ``bound`` (Miconi et al. 2019); ``y`` is scaled already, by a rate or a modulator."""
    return products.add_outer(trace, x, y).clamp(-bound, bound)


def within(trace: Tensor, change: Tensor, bound: float, soft: bool) -> Tensor:
    """``trace + change`` within ``bound``: cut off; or ``soft``, changes shrink with what is left up to the bound they near."""
    if soft:
        change = change.clamp(min=0.0) * (1.0 - trace / bound) + change.clamp(max=0.0) * (1.0 + trace / bound)
    return (trace + change).clamp(-bound, bound)


def soft_clip(trace: Tensor, x: Tensor, y: Tensor, bound: float) -> Tensor:
    """:func:`clip` with changes that shrink with what is left up to the bound that they near."""
    return within(trace, x[:, :, None] * y[:, None, :], bound, soft=True)
