from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from aiga_es.ranks import centred_ranks, strict_ranks

NAN, INF = float("nan"), float("inf")
fitnesses = st.lists(st.sampled_from([NAN, -INF, -3.0, 0.0, 0.5, 7.0]), min_size=2, max_size=12)
examples = settings(derandomize=True, max_examples=60, deadline=None)


def test_ranks_run_from_minus_a_half_to_a_half() -> None:
    assert centred_ranks(torch.tensor([[3.0, -1.0, 10.0, 9.0, 2.0]])).tolist() == [[0.0, -0.5, 0.5, 0.25, -0.25]]


def test_equal_values_share_the_average_of_their_ranks() -> None:
    assert centred_ranks(torch.tensor([[1.0, 5.0, 1.0, 5.0, 3.0]])).tolist() == [[-0.375, 0.375, -0.375, 0.375, 0.0]]


def test_failures_share_the_worst_ranks() -> None:
    assert centred_ranks(torch.tensor([[NAN, -1e300, NAN, 4.0, 5.0]], dtype=torch.float64)).tolist() == [
        [-0.375, 0.0, -0.375, 0.25, 0.5]
    ]


def test_where_nothing_differs_every_rank_is_zero() -> None:
    assert (centred_ranks(torch.tensor([[2.0] * 6, [NAN] * 6])) == 0.0).all()


@examples
@given(fitnesses)
def test_ranks_are_counted_against_every_other_value(values: list[float]) -> None:
    worst = [-INF if v != v else v for v in values]
    expected = [(sum(o < v for o in worst) - sum(o > v for o in worst)) / (2 * (len(worst) - 1)) for v in worst]
    assert torch.allclose(centred_ranks(torch.tensor([values]))[0], torch.tensor(expected, dtype=torch.float64))


@examples
@given(fitnesses, fitnesses)
def test_rows_are_ranked_apart(one: list[float], other: list[float]) -> None:
    size = min(len(one), len(other))
    both = centred_ranks(torch.tensor([one[:size], other[:size]]))
    assert torch.equal(both[1:], centred_ranks(torch.tensor([other[:size]])))


@examples
@given(fitnesses)
def test_strict_ranks_keep_the_order_and_put_the_first_of_equals_ahead(values: list[float]) -> None:
    ranks = strict_ranks(torch.tensor([values]))[0].tolist()
    worst = [-INF if v != v else v for v in values]
    best_first = sorted(range(len(values)), key=lambda i: (-worst[i], i))
    assert [ranks[i] for i in best_first] == list(range(len(values) - 1, -1, -1))
