"""Gradient descent within a life, unrolled: one step of SGD an example, second order or first (Finn et al. 2017)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.func import grad
from torch.nn import functional

from aiga.components import Life


def descend(
    logits: Callable[[Life, int], Tensor],
    life: Life,
    y: Tensor,
    rate: Tensor,
    begin: Callable[[Life, Tensor], Life],
    create_graph: bool,
) -> Life:
    """The life after one step for each example, in their order.

    Args:
        logits: ``[B, n]`` of example ``t`` in a life; a row's hang on its own row alone.
        life: before the first example; a step goes along what is called ``fast.``.
        y: ``[B, T]`` int64 classes; -1 where there is no example, and nothing is learnt.
        rate: ``[B]``.
        begin: what a life is once it has seen that ``y[:, t]`` is to be learnt.
        create_graph: let a gradient through the steps.
    """

    def loss(fast: Life, rest: Life, t: int) -> Tensor:
        each = functional.cross_entropy(logits({**rest, **fast}, t), y[:, t].clamp(min=0), reduction="none")
        return (each * (y[:, t] >= 0)).sum()  # rows share no parameters: the sum's gradient is each row's own

    for t in range(y.shape[1]):
        life = begin(life, y[:, t])
        fast = {name: part for name, part in life.items() if name.startswith("fast.")}
        rest = {name: part for name, part in life.items() if name not in fast}
        with torch.set_grad_enabled(create_graph):
            steps = grad(loss)(fast, rest, t)
        life = {**rest, **{name: part - rate.reshape(-1, *[1] * (part.ndim - 1)) * steps[name] for name, part in fast.items()}}
    return life
