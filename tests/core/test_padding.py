"""Leaves filled up with zeros, and the filling taken off again."""

from __future__ import annotations

import pytest
import torch

from aiga.padding import cut, padded

LEAVES = {"a": torch.ones(3, 2, 4), "b": torch.ones(3)}


def test_zeros_are_added_at_the_end_of_every_dimension() -> None:
    filled = padded(LEAVES, {"a": (3, 6), "b": ()})
    assert filled["a"].shape == (3, 3, 6)
    assert torch.equal(filled["a"][:, :2, :4], LEAVES["a"])
    assert filled["a"].sum() == LEAVES["a"].sum()
    assert filled["b"] is LEAVES["b"]


def test_what_was_filled_up_is_cut_to_what_it_was() -> None:
    back = cut(padded(LEAVES, {"a": (8, 5), "b": ()}), {"a": (2, 4), "b": ()})
    assert all(torch.equal(back[name], leaf) for name, leaf in LEAVES.items())


def test_gradients_pass_through_the_filling() -> None:
    leaf = torch.ones(2, 3, requires_grad=True)
    padded({"a": leaf}, {"a": (5,)})["a"].square().sum().backward()
    assert leaf.grad is not None
    assert torch.equal(leaf.grad, torch.full((2, 3), 2.0))


@pytest.mark.parametrize("layout", [{"a": (1, 4), "b": ()}, {"a": (2, 4, 1), "b": ()}, {"a": (2, 4)}])
def test_leaves_that_do_not_fit_are_refused(layout: dict[str, tuple[int, ...]]) -> None:
    with pytest.raises(ValueError, match=r"leaf 'a'|leaves"):
        padded(LEAVES, layout)


def test_leaves_smaller_than_the_cut_are_refused() -> None:
    with pytest.raises(ValueError, match="does not hold"):
        cut(LEAVES, {"a": (3, 4), "b": ()})
