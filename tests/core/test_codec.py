"""Trees of values, tensors and aiga's data, to bytes and back; anything else is refused, and no bytes run code."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save

from aiga import codec
from aiga.data import Batch, Kind, Noise, Pairs, Population, Scores
from aiga.niches import Niches

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=4), inner, max_size=3)
        | st.dictionaries(st.integers(-3, 3), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(VALUES)
@settings(max_examples=100, deadline=None, derandomize=True)
def test_plain_values_come_back_with_their_types(value: Any) -> None:
    back = codec.loads(codec.dumps(value))
    assert back == value
    assert repr(back) == repr(value)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.int64, torch.uint8, torch.bool, torch.float16])
def test_tensors_come_back_bit_for_bit_views_and_scalars_and_empty_ones_too(dtype: torch.dtype) -> None:
    base = torch.arange(12).reshape(3, 4).to(dtype)
    tree = {"view": base.t(), "same": base, "scalar": base[1, 1], "empty": base[:0], "list": [base[0], (base[1],)]}
    back = codec.loads(codec.dumps(tree))
    assert back["view"].dtype == dtype
    assert torch.equal(back["view"], base.t())
    assert back["scalar"].shape == ()
    assert back["empty"].shape == (0, 4)
    assert torch.equal(back["list"][1][0], base[1])


def test_nan_and_infinity_come_back() -> None:
    back = codec.loads(codec.dumps([math.nan, math.inf, torch.tensor([math.nan])]))
    assert math.isnan(back[0])
    assert back[1] == math.inf
    assert bool(back[2].isnan())


def test_the_data_classes_come_back_whole() -> None:
    kind = Kind("net", {"version": 1, "hidden": [4, 4]})
    leaves = {"w": torch.randn(2, 3)}
    noise = Noise(3, torch.tensor([0, 1]), torch.tensor([7, 8]), torch.ones(2), torch.ones(2))
    population = Population((Batch.of(kind, leaves), Batch(kind, torch.tensor([4, 5]), leaves, noise)))
    pairs = Pairs.cross(population, population)
    scores = Scores({"fitness": torch.tensor([1.0])}, torch.tensor([2]), {0: "why"}, {"steps": 3})
    back = codec.loads(codec.dumps({"pairs": pairs, "scores": scores, "niches": Niches.none()}))
    assert torch.equal(back["pairs"].agents.hashes, population.hashes)
    assert back["pairs"].agents.batches[1].noise.stream == 3
    assert back["pairs"].operator == pairs.operator
    assert back["scores"].reasons == {0: "why"}
    assert len(back["niches"]) == 0


def test_what_is_taken_back_shares_no_memory_with_what_was_given() -> None:
    held = torch.zeros(3)
    back = codec.join(*codec.split({"held": held}))
    held += 1
    assert torch.equal(back["held"], torch.zeros(3))


@pytest.mark.parametrize("value", [object(), {1.5: 2}, {"a": {1, 2}}, b"bytes", [lambda: None], {1: 2, "a": 3}])
def test_anything_else_is_refused_by_name(value: Any) -> None:
    with pytest.raises(TypeError, match="cannot be saved"):
        codec.dumps(value)


@pytest.mark.parametrize(
    "skeleton",
    [
        {"$data": "Popen", "fields": {}},
        {"$data": "os.system", "fields": {"command": "true"}},
        {"$call": 1},
        {"$data": "Journal"},
    ],
)
def test_a_strangers_bytes_build_nothing_but_aigas_data(skeleton: Any) -> None:
    data = save({"_": torch.zeros(1)}, {"tree": json.dumps(skeleton)})
    with pytest.raises(ValueError, match="unknown entry"):
        codec.loads(data)


@given(st.binary(max_size=60))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_bytes_that_are_not_aigas_are_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError, match=r".*"):
        codec.loads(data)


@pytest.mark.parametrize("cut", [1, 9, 40])
def test_a_torn_file_is_a_value_error(cut: int) -> None:
    data = codec.dumps({"a": torch.arange(5)})
    with pytest.raises(ValueError, match=r".*"):
        codec.loads(data[:-cut])
