from __future__ import annotations

import math
from statistics import NormalDist

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from aiga import Stream, streams
from aiga.streams import combine, derive, mix, philox

examples = settings(derandomize=True, max_examples=30, deadline=None)
int64s = st.integers(-(2**63), 2**63 - 1)
seeds = st.integers(0, 2**64 - 1)


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [
        ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_philox_gives_random123s_known_answers(
    counter: tuple[int, int, int, int], key: tuple[int, int], words: tuple[int, int, int, int]
) -> None:
    a, b, c, d = (torch.tensor([word]) for word in counter)
    out = philox((a, b, c, d), key[0] | key[1] << 32)
    assert tuple(int(word) for word in out) == words


def test_a_row_key_and_a_place_are_the_counter() -> None:
    key, row = 0x299F31D0_A4093822, 0x85A308D3_243F6A88 - 2**64
    words = Stream(key).rows(torch.tensor([row])).words(8)
    counter = tuple(torch.tensor([word]) for word in (0x243F6A88, 0x85A308D3, 1, 0))
    assert words[0, 4:].tolist() == [int(word) for word in philox(counter, key)]  # type: ignore[arg-type]


def test_normal_numbers_are_quantiles_of_the_words() -> None:
    words = Stream(5).words(20_000)
    expected = [NormalDist().inv_cdf((word + 0.5) / 2**32) for word in words.tolist()]
    assert torch.allclose(Stream(5).normal(20_000).double(), torch.tensor(expected, dtype=torch.float64), rtol=3e-7, atol=1e-7)


def test_normal_quantiles_are_right_to_the_last_word() -> None:
    words = torch.cat([torch.arange(3000), 2**32 - 1 - torch.arange(3000), 2**31 + torch.arange(-50, 50)])
    p = (words.double() + 0.5) / 2**32
    expected = torch.tensor([NormalDist().inv_cdf(q) for q in p.tolist()], dtype=torch.float64)
    assert torch.allclose(streams._probit(p), expected, rtol=3e-7, atol=1e-7)
    assert 6.33 < expected.abs().max() < 6.34


def test_normal_numbers_have_the_moments_of_a_standard_normal() -> None:
    x = Stream(11).normal(400_000).double()
    # Five standard errors each.
    assert abs(x.mean()) < 0.008
    assert abs(x.var() - 1) < 0.012
    assert abs((x**3).mean()) < 0.031
    assert abs((x**4).mean() - 3) < 0.078


def test_gumbel_numbers_are_quantiles_of_the_words_to_the_last_one() -> None:
    words = torch.cat([torch.arange(3000), 2**32 - 1 - torch.arange(3000), 2**31 + torch.arange(-50, 50)])
    expected = torch.tensor([-math.log(-math.log((word + 0.5) / 2**32)) for word in words.tolist()], dtype=torch.float64)
    assert torch.allclose(streams._gumbel((words.double() + 0.5) / 2**32), expected, rtol=1e-6, atol=1e-6)
    drawn = Stream(5).words(500).double()
    assert torch.equal(Stream(5).gumbel(500), streams._gumbel((drawn + 0.5) / 2**32).float())


@examples
@given(seeds, st.lists(int64s, min_size=2, max_size=6, unique=True), st.integers(1, 40))
def test_a_rows_numbers_do_not_depend_on_its_mates(seed: int, keys: list[int], count: int) -> None:
    rows, stream = torch.tensor(keys), Stream(seed)
    together = stream.rows(rows).normal(count)
    for place, key in enumerate(keys):
        assert torch.equal(stream.rows(torch.tensor([key])).normal(count)[0], together[place])
    assert torch.equal(stream.rows(rows.flip(0)).normal(count), together.flip(0))


@examples
@given(seeds, st.integers(0, 100), st.integers(0, 100))
def test_a_longer_draw_begins_with_the_shorter_one(seed: int, short: int, more: int) -> None:
    rows = Stream(seed).rows(torch.tensor([3, -4]))
    assert torch.equal(rows.normal(short + more)[:, :short], rows.normal(short))
    assert torch.equal(Stream(seed).words(short + more)[:short], Stream(seed).words(short))


@pytest.mark.parametrize("piece", [4, 12, 64, 2**20])
@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, 13, 64, 130])
def test_numbers_do_not_depend_on_the_pieces_they_are_made_in(piece: int, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = torch.arange(7) * 999_983 - 4

    def draw() -> list[Tensor]:
        one, rows = Stream(2**63 + 1), Stream(2**63 + 1).rows(keys)
        return [one.normal(count), rows.normal(count), rows.words(count), rows.uniform(count, 2), rows.gumbel(count)]

    whole = draw()
    monkeypatch.setattr(streams, "_PIECE", piece)
    assert all(torch.equal(one, other) for one, other in zip(draw(), whole, strict=True))


def test_more_numbers_than_one_piece_holds_are_all_different() -> None:
    count = streams._PIECE + 10
    words = Stream(1).rows(torch.tensor([0, 1])).words(count)
    assert words.shape == (2, count)
    assert len(words.unique()) > 2 * count - 20  # 2 birthdays in 2**32 are expected


def test_a_draw_has_the_shape_asked_for_after_the_rows() -> None:
    assert Stream(0).normal().shape == ()
    assert Stream(0).rows(torch.arange(3)).normal().shape == (3,)
    assert Stream(0).rows(torch.arange(3)).uniform(2, 5).shape == (3, 2, 5)
    assert Stream(0).rows(torch.arange(0)).normal(4).shape == (0, 4)
    assert Stream(0).normal(2).dtype == torch.float32
    assert Stream(0).uniform(2).dtype == torch.float64


@examples
@given(seeds, st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
def test_uniform_numbers_lie_within_their_bounds(seed: int, low: float, width: float) -> None:
    x = Stream(seed).uniform(200, low=low, high=low + width)
    assert low <= x.min() <= x.max() <= low + width


@examples
@given(seeds, st.integers(-1000, 1000), st.integers(1, 2**31))
def test_integers_stay_below_their_upper_end(seed: int, low: int, width: int) -> None:
    x = Stream(seed).integers(low, low + width, 300)
    assert low <= int(x.min()) <= int(x.max()) < low + width


def test_integers_reach_each_value_alike() -> None:
    counts = torch.bincount(Stream(8).integers(0, 5, 50_000), minlength=5)
    assert len(counts) == 5
    assert (counts - 10_000).abs().max() < 450  # five standard deviations


@examples
@given(seeds, st.integers(0, 50))
def test_a_permutation_holds_every_number_once(seed: int, count: int) -> None:
    both = Stream(seed).rows(torch.tensor([1, 2])).permutation(count)
    assert torch.equal(both.sort(dim=1).values, torch.arange(count).expand(2, count))
    assert torch.equal(Stream(seed).permutation(count).sort().values, torch.arange(count))


def test_permutations_of_different_rows_differ() -> None:
    one, other = Stream(4).rows(torch.tensor([1, 2])).permutation(30)
    assert not torch.equal(one, other)


def test_children_differ_from_each_other_and_from_their_parent_and_keep_the_rows() -> None:
    parent = Stream(6).rows(torch.tensor([7, 8]))
    family = [parent, parent.child("a"), parent.child("b"), parent.child("a", "b"), parent.child(1), parent.child("1")]
    assert len({int(stream.words(1)[0, 0]) for stream in family}) == len(family)
    assert all(stream.words(3).shape == (2, 3) for stream in family)


def test_the_same_stream_asked_again_answers_the_same() -> None:
    stream = Stream(9).child("gap")
    assert torch.equal(stream.normal(10), stream.normal(10))


@examples
@given(st.lists(int64s, min_size=2, max_size=50, unique=True))
def test_mix_is_one_to_one(words: list[int]) -> None:
    assert len(mix(torch.tensor(words)).unique()) == len(words)


@examples
@given(int64s, int64s)
def test_combine_takes_ints_and_tensors_alike_and_minds_their_order(one: int, other: int) -> None:
    key = combine(torch.tensor([one]), other)
    assert key.tolist() == combine(torch.tensor([one]), torch.tensor([other])).tolist()
    assert (key.tolist() == combine(torch.tensor([other]), one).tolist()) == (one == other)


def test_derive_tells_numbers_from_words_and_keeps_its_keys_over_time() -> None:
    assert derive("a", 1) != derive("a", "1")
    assert derive("a", "b") != derive("ab")
    assert derive("mutate", 3) == 0x73E999D3C0AD60C4
    assert Stream(derive("mutate", 3)).normal(2).tolist() == [0.42262712121009827, -0.7403557896614075]
