"""A linear head that learns one example after another, without a gradient being taken: OML and ANML on a frozen representation.

With features ``h[t]``, logits ``z[t] = W h[t] + b`` and the cross-entropy of class ``y[t]``, one step of gradient descent is
``W -= rate * (softmax(z[t]) - onehot(y[t])) outer h[t]``, and ``b`` likewise. All examples can thus be encoded at once, and
within a block of examples no ``W`` need be made: with ``d[s]`` the step that example ``s`` made,
``z[t] = W h[t] + b + sum over s < t of d[s] * (h[s] . h[t] + 1)``.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from aiga.products import BLOCK, matmul


@dataclass(frozen=True)
class Learnt:
    """What the heads of ``B`` agents have learnt so far in this life.

    Attributes:
        weight: ``[B, F, n]`` difference from the innate one; ``bias`` ``[B, n]`` likewise.
        met: ``[B, n]``: 1 for classes whose innate row this life has put aside, else 0.
    """

    weight: Tensor
    bias: Tensor
    met: Tensor


def first_sights(y: Tensor, met: Tensor) -> Tensor:
    """``[B, T]`` bool: where a class is met that neither ``met`` ``[B, n]`` nor an earlier ``y`` knows; -1 is no class."""
    known = met.gather(1, y.clamp(min=0)) > 0
    earlier = (y[:, :, None] == y[:, None, :]).tril(-1).any(dim=2)
    return (y >= 0) & ~known & ~earlier


def unroll(
    weight: Tensor,
    bias: Tensor,
    learnt: Learnt,
    h: Tensor,
    y: Tensor,
    rate: Tensor,
    anew: bool,
    first_order: bool,
    exact: bool,
) -> Learnt:
    """What is learnt after one step of gradient descent for each example, in their order.

    Args:
        weight: ``[B, F, n]``, innate.
        bias: ``[B, n]``, innate.
        learnt: before the first of them.
        h: ``[B, T, F]`` features.
        y: ``[B, T]`` int64 classes; -1 where there is no example, and nothing is learnt.
        rate: ``[B]``.
        anew: a class's row is set to zero, and counts as met, when the class is first met.
        first_order: let no gradient through the steps.
        exact: let a row's bits hang on nothing beside it.
    """
    if first_order:
        weight, bias, h = weight.detach(), bias.detach(), h.detach()
    size = BLOCK if exact else min(BLOCK, h.shape[1])
    missing = -h.shape[1] % size
    h, y = functional.pad(h, (0, 0, 0, missing)), functional.pad(y, (0, missing), value=-1)
    for some, classes in zip(torch.split(h, size, dim=1), torch.split(y, size, dim=1), strict=True):
        new = first_sights(classes, learnt.met) & anew
        there = 1.0 - learnt.met
        before = matmul(some, weight * there[:, None] + learnt.weight, exact) + (bias * there + learnt.bias)[:, None]
        old, steps = _steps(before, some, classes, new, rate, first_order, exact)
        learnt = Learnt(
            weight=learnt.weight * old[:, None] + matmul(some.transpose(1, 2), steps, exact),
            bias=learnt.bias * old + steps.sum(dim=1),
            met=torch.maximum(learnt.met, 1.0 - old),
        )
    return learnt


def _steps(
    before: Tensor, h: Tensor, y: Tensor, new: Tensor, rate: Tensor, first_order: bool, exact: bool
) -> tuple[Tensor, Tensor]:
    """Of one block: ``[B, n]`` 0 for rows begun anew, else 1; and ``[B, T, n]`` what each example added to the logits' bias.

    ``before`` ``[B, T, n]`` are the logits of the head as it was before the block.
    """
    alike = matmul(h, h.transpose(1, 2), exact) + 1.0
    wanted = functional.one_hot(y.clamp(min=0), before.shape[2]).to(h.dtype)
    rates = rate[:, None] * (y >= 0)
    old, steps = torch.ones_like(before[:, 0]), before[:, :0]
    for t, begins in enumerate(new.any(dim=0).tolist()):
        if begins:  # what the row was, and what it learnt since, is forgotten
            keep = 1.0 - wanted[:, t] * new[:, t, None]
            old, steps = old * keep, steps * keep[:, None]
        logits = before[:, t] * old + (alike[:, t, :t, None] * steps).sum(dim=1)
        wrong = torch.softmax(logits, dim=1) - wanted[:, t]
        step = -rates[:, t, None] * (wrong.detach() if first_order else wrong)
        steps = torch.cat([steps, step[:, None]], dim=1)
    return old, steps
