"""How well one order forecasts another: Spearman's rank correlation, ties sharing their mean rank."""

from __future__ import annotations

import torch
from torch import Tensor


def ranks(scores: Tensor) -> Tensor:
    """``[N]`` float64 ranks from 1, the lowest score first; equal scores share the mean of their ranks."""
    _, which, counts = torch.unique(scores.double(), return_inverse=True, return_counts=True)
    last = counts.cumsum(0).double()
    middle: Tensor = last - (counts - 1) / 2
    return middle[which]


def spearman(one: Tensor, other: Tensor) -> float:
    """The correlation of two ``[N]`` columns' ranks; NaN where one of them has no order at all."""
    a, b = (ranks(each) - (len(each) + 1) / 2 for each in (one, other))
    return float((a * b).sum() / (a.square().sum() * b.square().sum()).sqrt())


def top_half(scores: Tensor) -> Tensor:
    """``[(N + 1) // 2]`` int64 rows of the highest scores; of equal ones the first."""
    return scores.argsort(descending=True, stable=True)[: (len(scores) + 1) // 2]


def averaged(*several: Tensor) -> Tensor:
    """``[N]`` float64: the mean of several columns' ranks, a forecast made of several."""
    return torch.stack([ranks(each) for each in several]).mean(dim=0)
