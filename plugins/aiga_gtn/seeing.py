"""How learners of any network see, are settled and answer: by its own capabilities, or by what every network can do."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor
from torch.nn import functional

import aiga
from aiga.components import Life
from aiga.data import Leaves


def see(network: aiga.Network, leaves: Leaves, x: Tensor) -> tuple[Tensor, Life]:
    """Logits ``[P, N, classes]`` of ``N`` examples that each of ``P`` learners sees together; and the life they make.

    Args:
        network: what the learners are made of.
        leaves: ``[P, ...]``.
        x: ``[P, N, *shape]``.
    """
    if hasattr(network, "see"):
        return cast(Any, network).see(leaves, x)  # type: ignore[no-any-return]
    life = network.newborn(leaves)
    return answers(network, leaves, life, x), life


def answers(network: aiga.Network, leaves: Leaves, life: Life, x: Tensor) -> Tensor:
    """Logits ``[P, N, classes]`` of ``N`` examples, each by itself; see :func:`see`."""
    if hasattr(network, "answers"):
        return cast(Any, network).answers(leaves, life, x)  # type: ignore[no-any-return]
    agents, each = x.shape[:2]
    rows = torch.arange(agents, device=x.device).repeat_interleave(each)
    many, lives = ({name: part[rows] for name, part in parts.items()} for parts in (leaves, life))
    action = network.step(many, lives, aiga.Percept(x.flatten(0, 1)))[0].action
    return action.reshape(agents, each, *action.shape[1:])


def settled(network: aiga.Network, leaves: Leaves, life: Life) -> Leaves:
    """Leaves of learners that answer at birth as these do in ``life``."""
    return cast(Any, network).settled(leaves, life) if hasattr(network, "settled") else leaves


def cross_entropy(logits: Tensor, y: Tensor) -> Tensor:
    """``[P]`` mean cross-entropies of ``logits`` ``[P, N, classes]`` with distributions ``[P, N, classes]``."""
    return (torch.log_softmax(logits, dim=2) * y).sum(dim=(1, 2)) / -logits.shape[1]


def loss(network: aiga.Network, leaves: Leaves, x: Tensor, labels: Tensor) -> Tensor:
    """``[P]`` mean cross-entropies of newborn learners on real examples ``[P, N, *shape]`` with labels ``[P, N]``."""
    logits = answers(network, leaves, network.newborn(leaves), x)
    each = functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none")
    return each.reshape(labels.shape).mean(dim=1)
