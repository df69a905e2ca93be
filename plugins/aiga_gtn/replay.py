"""Chains of blocks whose gradient needs the memory of one block: states between blocks are kept, what is within is replayed.

``torch.utils.checkpoint`` does the same for what has no gradient within; around an inner gradient it costs five times as much.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

State = tuple[Tensor, ...]
Block = Callable[[int, State], State]


def chain(block: Block, count: int, state: State, shared: Sequence[Tensor], replay: bool) -> State:
    """``state`` after ``block(0, state)`` to ``block(count - 1, state)``.

    With and without ``replay`` the gradients are the same to the bit: each block is computed and differentiated as it is
    without, and what reaches ``shared`` from the blocks is added in the order of autograd, from the last block to the first.

    Args:
        block: the same for the same arguments. Of what needs gradients it uses the state and ``shared`` only, and of that each
            in one operation: autograd would add up several one by one.
        count: of blocks.
        state: floating tensors; a block may make it of another number of tensors.
        shared: leaves that the blocks use.
        replay: keep no graph, and compute every block again in the backward pass.
    """
    if not replay:
        for number in range(count):
            state = block(number, state)
        return state
    return _Replay.apply(block, count, len(state), *state, *shared)  # type: ignore[no-any-return, no-untyped-call]


class _Replay(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, block: Block, count: int, width: int, *given: Tensor) -> State:
        ctx.block, ctx.width = block, width
        ctx.save_for_backward(*given)
        state, ctx.starts = given[:width], []
        for number in range(count):
            ctx.starts.append(state)
            state = block(number, state)
        return state

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor | None, ...]:
        wanted = [tensor for tensor in ctx.saved_tensors[ctx.width :] if tensor.requires_grad]
        totals: list[Tensor | None] = [None] * len(wanted)
        for number in range(len(ctx.starts) - 1, -1, -1):
            start = tuple(part.detach().requires_grad_() for part in ctx.starts.pop())
            with torch.enable_grad():
                ends = ctx.block(number, start)
                pairs = [(end, slope) for end, slope in zip(ends, slopes, strict=True) if end.requires_grad]
                found = torch.autograd.grad(
                    [end for end, _ in pairs], [*start, *wanted], [slope for _, slope in pairs], allow_unused=True
                )
            del ends, pairs
            slopes = tuple(
                torch.zeros_like(part) if slope is None else slope for part, slope in zip(start, found, strict=False)
            )
            totals = [_sum(*two) for two in zip(totals, found[len(start) :], strict=True)]
        reached = iter(totals)
        others = [next(reached) if tensor.requires_grad else None for tensor in ctx.saved_tensors[ctx.width :]]
        return None, None, None, *slopes, *others


def _sum(total: Tensor | None, more: Tensor | None) -> Tensor | None:
    return more if total is None else total if more is None else total + more
