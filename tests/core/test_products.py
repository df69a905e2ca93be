from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from aiga import Stream, products
from aiga.products import convolve, dense, matmul

examples = settings(derandomize=True, max_examples=30, deadline=None)
sizes = st.integers(1, 40)


@examples
@given(sizes, sizes, sizes, st.integers(0, 2**31))
def test_a_product_has_the_same_bits_in_any_batch(many: int, inner: int, out: int, seed: int) -> None:
    a, b = Stream(seed).normal(9, many, inner), Stream(seed + 1).normal(9, inner, out)
    whole = matmul(a, b, exact=True)
    assert torch.allclose(whole, torch.bmm(a, b), atol=1e-4)
    for rows in (torch.tensor([4]), torch.arange(8, -1, -1), torch.tensor([1, 5, 2])):
        assert torch.equal(matmul(a[rows], b[rows], exact=True), whole[rows])


@examples
@given(sizes, sizes, st.integers(1, 70), st.integers(0, 2**31))
def test_a_layer_has_the_same_bits_beside_any_rows_and_times(inner: int, out: int, times: int, seed: int) -> None:
    drawn = Stream(seed)
    x, weight, bias = drawn.normal(5, times, inner), drawn.child("w").normal(5, inner, out), drawn.child("b").normal(5, out)
    whole = dense(x, weight, bias, exact=True)
    assert torch.allclose(whole, dense(x, weight, bias, exact=False), atol=1e-4)
    assert torch.equal(dense(x[2:3], weight[2:3], bias[2:3], exact=True), whole[2:3])
    assert torch.equal(dense(x[:, : times // 2 + 1], weight, bias, exact=True), whole[:, : times // 2 + 1])


@examples
@given(st.integers(1, 20), st.integers(1, 20), st.integers(3, 14), st.integers(1, 3), st.integers(0, 2**31))
def test_a_convolution_has_the_same_bits_beside_any_pictures(inner: int, out: int, side: int, stride: int, seed: int) -> None:
    drawn = Stream(seed)
    x, kernel = drawn.normal(4, 7, inner, side, side), drawn.child("kernel").normal(4, out, inner, 3, 3)
    whole = convolve(x, kernel, stride, exact=True)
    for row in range(4):
        alone = functional.conv2d(x[row].double(), kernel[row].double(), stride=stride)
        assert torch.allclose(whole[row].double(), alone, atol=1e-4)
        only = slice(row, row + 1)
        assert torch.equal(convolve(x[only, 3:4], kernel[only], stride, exact=True), whole[only, 3:4])
    assert torch.allclose(convolve(x, kernel, stride, exact=False), whole, atol=1e-4)
    assert torch.equal(convolve(x.flip(0, 1), kernel.flip(0), stride, exact=True), whole.flip(0, 1))


def test_memory_is_bounded_by_cutting_and_no_bit_shows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    x, kernel = Stream(1).normal(2, 40, 3, 9, 9), Stream(2).normal(2, 5, 3, 3, 3)
    whole = convolve(x, kernel, 1, exact=True)
    monkeypatch.setattr(products, "_NUMBERS", 10_000)
    assert torch.equal(convolve(x, kernel, 1, exact=True), whole)
