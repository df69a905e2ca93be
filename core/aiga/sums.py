"""Sums whose bits hang on nothing but what is added."""

from __future__ import annotations

import torch
from torch import Tensor


def tree_sum(terms: Tensor) -> Tensor:
    """``[B, ...]``: the sum of ``[B, K, ...]`` over ``K``, halves onto halves: the order of additions hangs on ``K`` alone."""
    while (count := terms.shape[1]) > 1:
        half = count // 2
        folded = terms[:, :half] + terms[:, half : 2 * half]
        terms = torch.cat([folded, terms[:, 2 * half :]], dim=1)
    return terms[:, 0]
