"""Whole lives of plastic networks without their traces: Hebb with decay as attention to the activities so far.

The rule ``H <- (1 - eta) H + eta x y`` makes a trace a weighted sum of outer products, so that what comes through it is

    ``sum_i x_i(t-1) alpha_ij H_ij(t) = sum_s eta (1 - eta)^(t-1-s) y_j(s) sum_i x_i(t-1) x_i(s-1) alpha_ij``

The inner sums of all lives and all ``s`` are one matrix product with ``alpha``, which the lives of an agent share; with one
``alpha`` for all connections they are dot products (linear attention, Ba et al. 2016, Schlag et al. 2021). Work grows with the
square of the steps, where traces take memory and time in proportion to steps and to the square of the width.

Gradients are written out: automatic ones pass over every pair of steps twice as often. Those of gradients are automatic.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from aiga.data import Leaves
from aiga_plasticity.wiring import Entry


def pays(steps: int, units: int, shared: bool) -> bool:
    """Whether to do without traces is faster, as measured on a processor: where a life is short against the width.

    Args:
        steps: of the life.
        units: the width.
        shared: whether all connections share one plasticity.
    """
    if shared:
        return steps <= 2 * units
    # Products catch up with the traces' memory at 60 to 110 steps; of wide networks, traces no longer fit anywhere near.
    return steps <= min(units // 2, 64) or 8 * steps <= units


def sequence(leaves: Leaves, entry: Entry) -> Tensor:
    """``[P, T, E, N]``: activities from birth on, of what reaches ``P`` agents' ``E`` lives in ``T`` steps."""
    recurrent, alpha, eta = leaves["core.recurrent"], leaves["trace.alpha"], leaves["trace.eta"]
    steps = entry.shape[1]
    # What a trace still holds of each change of the steps so far, the latest first.
    held = eta[:, None] * (1.0 - eta)[:, None] ** torch.arange(max(steps - 1, 1), device=eta.device)
    activities: Tensor = _Activities.apply(recurrent, alpha, held, entry.drive, entry.hold)  # type: ignore[no-untyped-call]
    return activities


class _Activities(torch.autograd.Function):
    """``[P, T, E, N]`` activities; see :func:`_activities`."""

    @staticmethod
    def forward(ctx: Any, recurrent: Tensor, alpha: Tensor, held: Tensor, drive: Tensor | None, hold: Tensor | None) -> Tensor:
        entry, alikes = Entry(drive, hold), []
        agents, steps, lives = entry.shape
        ys = recurrent.new_empty(agents, steps, lives, recurrent.shape[1])
        for step in range(steps):
            pairs: Tensor | None = None
            if step > 1:
                alikes.append(_alike(ys[:, step - 1, None] * ys[:, : step - 1], alpha))
                pairs = _weighted(held[:, : step - 1].flip(1), alikes[-1] * ys[:, 1:step])
            ys[:, step] = _next(ys[:, step - 1] if step else None, recurrent, pairs, entry, step)
        ctx.save_for_backward(recurrent, alpha, held, drive, hold, ys, *alikes)
        return ys

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        recurrent, alpha, held, _, hold, ys, *alikes = ctx.saved_tensors
        needs = ctx.needs_input_grad
        if torch.is_grad_enabled():
            # Views, so that a leaf which was made of another is not gone through to it.
            given: list[Any] = [None if part is None else part.view_as(part) for part in ctx.saved_tensors[:5]]
            again = _activities(*given)
            wanted = [part for part, needed in zip(given, needs, strict=True) if needed]
            parts = iter(torch.autograd.grad(again, wanted, gradient, create_graph=True, materialize_grads=True))
            return tuple(next(parts) if needed else None for needed in needs)
        of_ys, of_drive = gradient.clone(), torch.empty_like(ys) if needs[3] else None
        of_hold = torch.empty_like(ys) if needs[4] else None
        of_recurrent, of_alpha, of_held = torch.zeros_like(recurrent), torch.zeros_like(alpha), torch.zeros_like(held)
        for step in range(ys.shape[1] - 1, -1, -1):
            of_sums = of_ys[:, step] * (1.0 - ys[:, step].square())
            if hold is not None:
                free = hold[:, step] == 0
                of_sums = torch.where(free, of_sums, 0.0)
                if of_hold is not None:
                    of_hold[:, step] = torch.where(free, 0.0, of_ys[:, step])
            if of_drive is not None:
                of_drive[:, step] = of_sums
            if step:
                of_recurrent.baddbmm_(ys[:, step - 1].transpose(1, 2), of_sums)
                of_ys[:, step - 1] += torch.bmm(of_sums, recurrent.transpose(1, 2))
            if step > 1:
                _through_pairs(step, ys, alpha, held, alikes[step - 2], of_sums, (of_ys, of_alpha, of_held))
        return of_recurrent, of_alpha, of_held, of_drive, of_hold


def _next(y: Tensor | None, recurrent: Tensor, pairs: Tensor | None, entry: Entry, step: int) -> Tensor:
    """``[P, E, N]``: activities of a step, made of those of the step before and of what comes through the plastic part."""
    now = Entry(*(None if part is None else part[:, step] for part in entry))
    # In the order in which other networks add, so that without plasticity the bits are theirs.
    parts = [None if y is None else torch.bmm(y, recurrent), now.drive, pairs]
    sums = None
    for part in parts:
        sums = part if sums is None else sums if part is None else sums + part
    if sums is None:
        sums = recurrent.new_zeros(1).expand(len(recurrent), entry.shape[2], recurrent.shape[1])
    return now.onto(torch.tanh(sums))


def _through_pairs(
    step: int, ys: Tensor, alpha: Tensor, held: Tensor, alike: Tensor, of_sums: Tensor, into: tuple[Tensor, Tensor, Tensor]
) -> None:
    """Adds what flows back through the plastic part of one step to the gradients of activities, plasticities and ``held``."""
    of_ys, of_alpha, of_held = into
    x, before, after = ys[:, step - 1, None], ys[:, : step - 1], ys[:, 1:step]
    of_held[:, : step - 1] += _dotted(of_sums, alike * after).flip(1)
    scaled = held[:, : step - 1].flip(1)[:, :, None, None] * of_sums[:, None]
    of_ys[:, 1:step].addcmul_(scaled, alike)
    of_alike, mixed = scaled.mul_(after), x * before
    if alpha.ndim == 1:
        total = of_alike.sum(dim=3, keepdim=True)
        of_alpha += (total * mixed.sum(dim=3, keepdim=True)).sum(dim=(1, 2, 3))
        of_mixed = (total * alpha[:, None, None, None]).expand_as(mixed)
    else:
        of_alpha.baddbmm_(mixed.flatten(1, 2).transpose(1, 2), of_alike.flatten(1, 2))
        of_mixed = torch.bmm(of_alike.flatten(1, 2), alpha.transpose(1, 2)).reshape(mixed.shape)
    of_ys[:, step - 1] += (of_mixed * before).sum(dim=1)
    of_ys[:, : step - 1].addcmul_(of_mixed, x)


def _activities(recurrent: Tensor, alpha: Tensor, held: Tensor, drive: Tensor | None, hold: Tensor | None) -> Tensor:
    """``[P, T, E, N]`` activities, whose gradients are automatic.

    Args:
        recurrent: ``[P, N, N]`` weights.
        alpha: ``[P, N, N]`` or ``[P]`` plasticities.
        held: ``[P, T - 1]``, what a trace still holds of each change of the steps so far, the latest first.
        drive: see :class:`Entry`.
        hold: see :class:`Entry`.
    """
    entry, ys = Entry(drive, hold), list[Tensor]()
    for step in range(entry.shape[1]):
        pairs = None
        if step > 1:
            before, after = torch.stack(ys[:-1], dim=1), torch.stack(ys[1:], dim=1)
            pairs = _weighted(held[:, : step - 1].flip(1), _alike(ys[-1][:, None] * before, alpha) * after)
        ys.append(_next(ys[-1] if ys else None, recurrent, pairs, entry, step))
    return torch.stack(ys, dim=1)


def _alike(mixed: Tensor, alpha: Tensor) -> Tensor:
    """How activities are like ``S`` earlier ones: ``[P, S, E, N]``, or ``[P, S, E, 1]`` where one plasticity is for all."""
    if alpha.ndim == 1:
        return mixed.sum(dim=3, keepdim=True) * alpha[:, None, None, None]
    return torch.bmm(mixed.flatten(1, 2), alpha).reshape(mixed.shape)


def _dotted(one: Tensor, of: Tensor) -> Tensor:
    """``[P, S]``: the sums over lives and units of ``one`` ``[P, E, N]`` times each of ``of`` ``[P, S, E, N]``."""
    # A row times a matrix: the other way round takes ten times as long.
    return torch.bmm(one.flatten(1)[:, None], of.flatten(2).transpose(1, 2))[:, 0]


def _weighted(weights: Tensor, of: Tensor) -> Tensor:
    """``[P, E, N]``: the sum of ``of`` ``[P, S, E, N]`` by ``weights`` ``[P, S]``."""
    return torch.bmm(weights[:, None], of.flatten(2)).reshape(len(of), *of.shape[2:])
