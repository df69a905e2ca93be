"""Steps of plastic units as functions that torch can go back through, computed by kernels on the processor.

Kernels have gradients of first order. Where a gradient shall have a graph itself, a step is computed anew by tensors.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from aiga_plasticity import rules
from aiga_plasticity.products import Fast, Products, per_life

_FAST = Fast()


def able(products: Products, x: Tensor, alpha: Tensor) -> bool:
    """Whether steps of these lives are computed here: on a processor, by float32, with a plasticity for each connection."""
    return isinstance(products, Fast) and x.device.type == "cpu" and x.dtype == torch.float32 and alpha.ndim == 3


def decay(x: Tensor, trace: Tensor, sums: Tensor, alpha: Tensor, eta: Tensor) -> tuple[Tensor, Tensor]:
    """``y = tanh(sums + x (alpha * trace))`` and the trace after it, ``(1 - eta) trace + eta x y``.

    Args:
        x: ``[B, N]`` activities.
        trace: ``[B, N, N]``.
        sums: ``[B, N]``, what the units get besides.
        alpha: ``[P, N, N]`` of the ``P`` agents.
        eta: ``[P]``.
    """
    return _Decay.apply(x, trace, sums, alpha, eta)  # type: ignore[no-any-return, no-untyped-call]


def simple(
    x: Tensor, trace: Tensor, sums: Tensor, alpha: Tensor, weight: Tensor, bias: Tensor, bound: float
) -> tuple[Tensor, Tensor]:
    """``y`` as of :func:`decay`, and ``clip(trace + m x y)`` with ``m = tanh(y weight + bias)``.

    ``weight`` is ``[P, N, 1]``, ``bias`` ``[P, 1]``, and ``bound`` the greatest absolute value of a trace.
    """
    return _Simple.apply(x, trace, sums, alpha, weight, bias, bound)  # type: ignore[no-any-return, no-untyped-call]


def retroactive(
    x: Tensor,
    trace: Tensor,
    eligibility: Tensor,
    sums: Tensor,
    alpha: Tensor,
    weight: Tensor,
    bias: Tensor,
    eta: Tensor,
    bound: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """``y`` as of :func:`decay`, ``clip(trace + m eligibility)``, and ``(1 - eta) eligibility + eta x y``."""
    return _Retroactive.apply(  # type: ignore[no-any-return, no-untyped-call]
        x, trace, eligibility, sums, alpha, weight, bias, eta, bound
    )


class _Decay(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *given: Tensor) -> tuple[Tensor, ...]:
        x, trace, sums, alpha, eta = (part.contiguous() for part in given)
        y, new = _activity(x, trace, sums, alpha), torch.empty_like(trace)
        _run("decay_forth", x, trace, y, eta, new)
        ctx.save_for_backward(*given, y)
        return y, new

    @staticmethod
    def backward(ctx: Any, *by: Tensor) -> tuple[Tensor | None, ...]:
        *given, y = ctx.saved_tensors
        if torch.is_grad_enabled():
            return _anew(_plain_decay, given, by)
        x, trace, _, alpha, eta = (part.contiguous() for part in given)
        made = (
            torch.empty_like(x),
            torch.empty_like(trace),
            torch.empty_like(x),
            torch.zeros_like(alpha),
            torch.zeros_like(eta),
        )
        _run("decay_back", x, trace, alpha, eta, y, *(part.contiguous() for part in by), *made)
        return made


class _Simple(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *given: Any) -> tuple[Tensor, ...]:
        *tensors, ctx.bound = given
        x, trace, sums, alpha, weight, bias = (part.contiguous() for part in tensors)
        y, m, new = _activity(x, trace, sums, alpha), x.new_empty(len(x)), torch.empty_like(trace)
        _run("simple_forth", x, trace, y, weight[:, :, 0], bias[:, 0], ctx.bound, m, new)
        ctx.save_for_backward(*tensors, y, m, new)
        return y, new

    @staticmethod
    def backward(ctx: Any, *by: Tensor) -> tuple[Tensor | None, ...]:
        *given, y, m, new = ctx.saved_tensors
        if torch.is_grad_enabled():
            return *_anew(partial(_plain_simple, ctx.bound), given, by), None
        x, trace, _, alpha, weight, bias = (part.contiguous() for part in given)
        lives = torch.empty_like(x), torch.empty_like(trace), torch.empty_like(x)
        agents = torch.zeros_like(alpha), torch.zeros_like(weight), torch.zeros_like(bias)
        views = agents[0], agents[1][:, :, 0], agents[2][:, 0]
        by_lives = (part.contiguous() for part in by)
        _run("simple_back", x, trace, alpha, weight[:, :, 0], ctx.bound, y, m, new, *by_lives, *lives, *views)
        return *lives, *agents, None


class _Retroactive(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *given: Any) -> tuple[Tensor, ...]:
        *tensors, ctx.bound = given
        x, trace, eligibility, sums, alpha, weight, bias, eta = (part.contiguous() for part in tensors)
        y, m = _activity(x, trace, sums, alpha), x.new_empty(len(x))
        new, eligible = torch.empty_like(trace), torch.empty_like(trace)
        _run("retroactive_forth", trace, eligibility, y, weight[:, :, 0], bias[:, 0], ctx.bound, m, new)
        _run("decay_forth", x, eligibility, y, eta, eligible)
        ctx.save_for_backward(*tensors, y, m, new)
        return y, new, eligible

    @staticmethod
    def backward(ctx: Any, *by: Tensor) -> tuple[Tensor | None, ...]:
        *given, y, m, new = ctx.saved_tensors
        if torch.is_grad_enabled():
            return *_anew(partial(_plain_retroactive, ctx.bound), given, by), None
        x, trace, eligibility, _, alpha, weight, bias, eta = (part.contiguous() for part in given)
        lives = torch.empty_like(x), torch.empty_like(trace), torch.empty_like(trace), torch.empty_like(x)
        agents = torch.zeros_like(alpha), torch.zeros_like(weight), torch.zeros_like(bias), torch.zeros_like(eta)
        views = agents[0], agents[1][:, :, 0], agents[2][:, 0], agents[3]
        by_lives = (part.contiguous() for part in by)
        of_agents = alpha, weight[:, :, 0], eta, ctx.bound
        _run("retroactive_back", x, trace, eligibility, *of_agents, y, m, new, *by_lives, *lives, *views)
        return *lives, *agents, None


def _run(name: str, *given: Tensor | float) -> None:
    # Numba takes a second to import, and who only evaluates needs none of it.
    from aiga_plasticity import kernels

    kernel: Callable[..., None] = getattr(kernels, name)
    kernel(*(part.detach().numpy() if isinstance(part, Tensor) else part for part in given))


def _activity(x: Tensor, trace: Tensor, sums: Tensor, alpha: Tensor) -> Tensor:
    """``[B, N]``. By torch's tanh: without plasticity it is to the bit that of networks that have none."""
    whole = torch.empty_like(sums)
    _run("through", x, trace, sums, alpha, whole)
    return whole.tanh_()


def _anew(step: Callable[..., tuple[Tensor, ...]], given: list[Tensor], by: tuple[Tensor, ...]) -> tuple[Tensor | None, ...]:
    """The gradients of a step, with a graph of their own."""
    apart = [part.view_as(part) for part in given]  # one that was made of another must not be gone through to it
    wanted = [part for part in apart if part.requires_grad]
    found = iter(torch.autograd.grad(step(*apart), wanted, by, create_graph=True, materialize_grads=True))
    return tuple(next(found) if part.requires_grad else None for part in apart)


def _plain_answer(x: Tensor, trace: Tensor, sums: Tensor, alpha: Tensor) -> Tensor:
    plastic = (trace.reshape(len(alpha), -1, *trace.shape[1:]) * alpha[:, None]).reshape(trace.shape)
    return torch.tanh(sums + torch.bmm(x[:, None], plastic)[:, 0])


def _plain_modulator(y: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return torch.tanh(_FAST.multiply(y, weight) + per_life(bias, len(y)))


def _plain_decay(x: Tensor, trace: Tensor, sums: Tensor, alpha: Tensor, eta: Tensor) -> tuple[Tensor, ...]:
    y = _plain_answer(x, trace, sums, alpha)
    return y, rules.decay(trace, x, y, per_life(eta, len(x)), _FAST)


def _plain_simple(
    bound: float, x: Tensor, trace: Tensor, sums: Tensor, alpha: Tensor, weight: Tensor, bias: Tensor
) -> tuple[Tensor, ...]:
    y = _plain_answer(x, trace, sums, alpha)
    return y, rules.clip(trace, x, _plain_modulator(y, weight, bias) * y, bound, _FAST)


def _plain_retroactive(
    bound: float,
    x: Tensor,
    trace: Tensor,
    eligibility: Tensor,
    sums: Tensor,
    alpha: Tensor,
    weight: Tensor,
    bias: Tensor,
    eta: Tensor,
) -> tuple[Tensor, ...]:
    y = _plain_answer(x, trace, sums, alpha)
    new = rules.within(trace, _plain_modulator(y, weight, bias)[:, None] * eligibility, bound, soft=False)
    return y, new, rules.decay(eligibility, x, y, per_life(eta, len(x)), _FAST)
