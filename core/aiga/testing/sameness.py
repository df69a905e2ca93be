"""Tensors by name: whether two sets of them are equal bit by bit, and rows of them."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor


def same(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    """Whether two dicts of tensors hold the same names, shapes, types and numbers; NaN equals NaN."""
    if one.keys() != other.keys():
        return False
    pairs = [(one[name], other[name]) for name in one]
    alike = all(a.shape == b.shape and a.dtype == b.dtype for a, b in pairs)
    return alike and all(bool(((a == b) | ((a != a) & (b != b))).all()) for a, b in pairs)


def some(leaves: Mapping[str, Tensor], rows: Tensor) -> dict[str, Tensor]:
    """These rows of every tensor."""
    return {name: leaf[rows] for name, leaf in leaves.items()}
