from __future__ import annotations

from dataclasses import replace
from typing import cast

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import aiga
from aiga import Batch, Kind, Offers, Population, Scores, Status, Stream
from aiga_poet.contest import best_of_each
from aiga_poet.plugin import Poet
from aiga_poet.reproduction import draw_parents


@settings(derandomize=True, max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 2**40), min_size=2, max_size=20, unique=True), st.integers(1, 60), st.integers(0, 2**63))
def test_one_more_child_or_niche_changes_no_other_childs_parent(keys: list[int], children: int, seed: int) -> None:
    niches, stream = torch.tensor(keys), Stream(seed)
    drawn = niches[draw_parents(stream, niches, children)]
    assert torch.equal(niches[draw_parents(stream, niches, children + 1)][:children], drawn)
    fewer = niches[:-1][draw_parents(stream, niches[:-1], children)]
    assert torch.equal(torch.where(drawn == niches[-1], fewer, drawn), fewer)


def test_parents_are_drawn_uniformly() -> None:
    counts = torch.bincount(draw_parents(Stream(3), torch.tensor([5, 900, 17, 2]), 8000), minlength=4)
    assert (counts - 2000).abs().max() < 160  # four standard deviations


@settings(derandomize=True, max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from([-float("inf"), -1.0, 0.0, 2.0])), max_size=20))
def test_the_best_of_each_group_is_the_first_of_its_highest(rows: list[tuple[int, float]]) -> None:
    group = torch.tensor([g for g, _ in rows], dtype=torch.int64)
    value = torch.tensor([v for _, v in rows], dtype=torch.float64)
    expected = []
    for g in range(4):
        mine = [i for i, (other, v) in enumerate(rows) if other == g and v > -float("inf")]
        expected.append(max(mine, key=lambda i: (rows[i][1], -i), default=-1))
    assert best_of_each(value, group, 4).tolist() == expected


def test_offers_are_accepted_strictly_above_the_resident_and_one_a_niche() -> None:
    nan = float("nan")
    agents = Population((Batch.of(Kind("vector"), {"weights": torch.zeros(8, 2)}),))
    niche = torch.tensor([10, 11, 10, 10, 12, 13, 14, 15])
    offers = Offers(agents, torch.arange(8), niche, ("direct",) * 8, torch.zeros(8, dtype=torch.float64))
    resident = torch.tensor([1.0, 5.0, 1.0, 1.0, 1.0, nan, nan, 0.0], dtype=torch.float64)
    scores = Scores.of(torch.tensor([2.0, 5.0, 3.0, 3.0, nan, -7.0, nan, 9.0]), resident=resident)
    scores = replace(scores, status=torch.tensor([int(Status.OK)] * 7 + [int(Status.TIMEOUT)]))
    accepted = Poet().aiga_accept(cast(aiga.Lab, None), offers, scores)
    assert accepted.tolist() == [
        False,
        False,
        True,
        False,
        False,
        True,
        False,
        False,
    ]
