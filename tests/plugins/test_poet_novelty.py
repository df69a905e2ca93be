from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from aiga_poet.novelty import novelty

points = st.lists(st.tuples(st.integers(-50, 50), st.integers(-50, 50)), min_size=1, max_size=12).map(
    lambda rows: torch.tensor(rows, dtype=torch.float64)
)


def column(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)[:, None]


def test_novelty_is_the_mean_distance_to_the_k_nearest() -> None:
    new = novelty(column(0), column(1, -2, 6, 100), k=3, normalise=False)
    assert new.tolist() == [3.0]


def test_with_fewer_than_k_archived_all_of_them_count() -> None:
    assert novelty(column(0), column(1, 3), k=5, normalise=False).tolist() == [2.0]


def test_every_environment_is_new_to_an_empty_archive() -> None:
    assert novelty(column(0, 1), torch.empty(0, 0), k=5).tolist() == [torch.inf, torch.inf]


def test_normalised_dimensions_weigh_the_same_whatever_their_units() -> None:
    archive = torch.tensor([[0.0, 0.0]])
    far_in_small_units = torch.tensor([[0.0, 10.0], [2.0, 0.0]])
    assert novelty(far_in_small_units, archive, normalise=True).tolist() == [1.0, 1.0]
    assert novelty(far_in_small_units, archive, normalise=False).tolist() == [10.0, 2.0]


def test_a_dimension_in_which_all_agree_adds_nothing_and_divides_by_nothing() -> None:
    assert novelty(torch.tensor([[7.0, 1.0]]), torch.tensor([[7.0, 0.0]])).tolist() == [1.0]


def test_an_archived_description_is_at_distance_zero_however_large_the_archive() -> None:
    archive = torch.linspace(0, 1, 3000, dtype=torch.float64)[:, None] * torch.tensor([[1.1, 7.3, 1e6]], dtype=torch.float64)
    assert novelty(archive[::100], archive, k=1).tolist() == [0.0] * 30


def test_descriptions_of_unlike_length_are_refused() -> None:
    with pytest.raises(ValueError, match="differ in length: 1 and 2"):
        novelty(column(0), torch.zeros(1, 2))


@settings(derandomize=True, max_examples=40, deadline=None)
@given(points, points, st.integers(1, 6))
def test_normalised_novelty_does_not_depend_on_units(candidates: Tensor, archive: Tensor, k: int) -> None:
    units = torch.tensor([4.0, 0.125], dtype=torch.float64)
    assert torch.equal(novelty(candidates, archive, k), novelty(candidates * units, archive * units, k))


@settings(derandomize=True, max_examples=40, deadline=None)
@given(points, points, st.integers(1, 6))
def test_without_normalising_a_candidate_is_judged_by_the_archive_alone(candidates: Tensor, archive: Tensor, k: int) -> None:
    alone = torch.cat([novelty(row[None], archive, k, normalise=False) for row in candidates])
    assert torch.equal(novelty(candidates, archive, k, normalise=False), alone)
