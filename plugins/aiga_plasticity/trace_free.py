"""Whole lives of plastic networks without their traces: Hebb with decay as attention to the activities so far.

The rule ``H <- (1 - eta) H + eta x y`` makes a trace a weighted sum of outer products, so that what comes through it is

    ``sum_i x_i(t-1) alpha_ij H_ij(t) = sum_s eta (1 - eta)^(t-1-s) y_j(s) sum_i x_i(t-1) x_i(s-1) alpha_ij``

The inner sums of all lives and all ``s`` are one matrix product with ``alpha``, which the lives of an agent share; with one
``alpha`` for all connections they are dot products (linear attention, Ba et al. 2016, Schlag et al. 2021). Work grows with the
square of the steps, where traces take memory and time in proportion to steps and to the square of the width.
"""

from __future__ import annotations

import torch
from torch import Tensor

from aiga.components import Life
from aiga.data import Leaves
from aiga_plasticity.products import Fast
from aiga_plasticity.wiring import Entry


def pays(steps: int, units: int) -> bool:
    """Whether to do without traces is faster: where a life is short against the width."""
    return 2 * steps <= units


def sequence(leaves: Leaves, entry: Entry, shape: tuple[int, int]) -> tuple[Tensor, Life]:
    """``T`` steps of ``B`` lives of ``P`` agents from birth, ``(T, B)`` being ``shape``.

    Returns:
        Activities ``[T, B, N]``, and the life after them.
    """
    (steps, rows), recurrent, alpha, eta = shape, leaves["core.recurrent"], leaves["trace.alpha"], leaves["trace.eta"]
    agents, units, _ = recurrent.shape
    lives, products = rows // agents, Fast()
    # What a trace still holds of each step, the latest first.
    ages = torch.arange(max(steps - 1, 1), device=eta.device)
    held = eta[:, None] * (1.0 - eta)[:, None] ** ages
    y, activities = recurrent.new_zeros(agents, lives, units), list[Tensor]()
    for step in range(steps):
        sums = products.multiply(y.flatten(0, 1), recurrent)
        if step > 1:
            before, after = torch.stack(activities[:-1], dim=1), torch.stack(activities[1:], dim=1)
            weighted = after * held[:, : step - 1].flip(1)[:, :, None, None]
            sums = sums + _recalled(y[:, None], before, weighted, alpha).flatten(0, 1)
        now = entry.at(step)
        y = now.onto(torch.tanh(sums if now.drive is None else sums + now.drive)).reshape(y.shape)
        activities.append(y)
    life = {"units": y.flatten(0, 1), "trace": _trace(activities, held)}
    return torch.stack(activities).flatten(1, 2), life


def _recalled(x: Tensor, before: Tensor, after: Tensor, alpha: Tensor) -> Tensor:
    """``[P, E, N]``: what comes through the plastic part; ``x`` ``[P, 1, E, N]``, ``before`` and ``after`` ``[P, S, E, N]``."""
    if alpha.ndim == 1:
        alike = (x * before).sum(dim=3, keepdim=True) * alpha[:, None, None, None]
    else:
        alike = torch.bmm((x * before).flatten(1, 2), alpha).reshape(before.shape)
    return (alike * after).sum(dim=1)


def _trace(activities: list[Tensor], held: Tensor) -> Tensor:
    """``[B, N, N]``: the trace at the end."""
    agents, lives, units = activities[0].shape
    if len(activities) == 1:
        return activities[0].new_zeros(agents * lives, units, units)
    before, after = torch.stack(activities[:-1], dim=2), torch.stack(activities[1:], dim=2)
    weighted = after * held.flip(1)[:, None, :, None]
    return torch.bmm(before.flatten(0, 1).transpose(1, 2), weighted.flatten(0, 1))
