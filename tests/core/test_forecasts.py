"""Forecasts choose while they are above chance, and what they are worth is known without bias."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from aiga import codec, forecasts
from aiga.forecasts import Chosen, Trust
from aiga.streams import Stream

ONES = torch.ones(1)


def asked(trust: Trust, forecast: Tensor, group: Tensor | None = None, key: int = 0) -> Chosen:
    rows = torch.arange(len(forecast))
    return trust.choose(Stream(3).child(key).rows(rows), forecast, torch.zeros_like(rows) if group is None else group)


def drawn(key: int, groups: int, each: int, rho: float) -> tuple[Tensor, Tensor, Tensor]:
    """Forecasts of this correlation with truths, and their groups, each of which has a level of its own."""
    one, other, level = Stream(11).child(key).normal(3, groups, each).double().unbind(0)
    truth = rho * one + math.sqrt(1.0 - rho * rho) * other + 10.0 * level[:, :1]
    return one.flatten(), truth.flatten(), torch.arange(groups).repeat_interleave(each)


def went(trust: Trust, key: int, rho: float, groups: int = 12, each: int = 12) -> None:
    """One round: chosen from, and what was chosen judged."""
    forecast, truth, group = drawn(key, groups, each, rho)
    chosen = asked(trust, forecast, group, key)
    on = chosen.on
    trust.tell(forecast[on], truth[on], chosen.weight[on], group[on])


def brute(groups: list[tuple[list[float], list[float], list[float]]]) -> float:
    """Kendall's tau, pair by pair."""
    agreed = total = 0.0
    for forecast, truth, weight in groups:
        for i in range(len(truth)):
            for j in range(i):
                w = weight[i] * weight[j]
                if truth[i] == truth[j]:
                    continue
                total += w
                if forecast[i] != forecast[j]:
                    agreed += w if (forecast[i] > forecast[j]) == (truth[i] > truth[j]) else -w
    return agreed / total


def told(groups: list[tuple[list[float], list[float], list[float]]], **options: float) -> Trust:
    trust = Trust(0.5, **options)  # type: ignore[arg-type]
    for number, columns in enumerate(groups):
        trust.tell(*(torch.tensor(column) for column in columns), torch.full((len(columns[0]),), number))
    return trust


def test_the_best_share_of_each_group_goes_on_and_others_say_which_place_they_had() -> None:
    forecast = torch.tensor([1.0, 4.0, 2.0, 3.0, -1.0, 7.0])
    chosen = asked(Trust(0.5, sample=1e-12), forecast, torch.tensor([5, 5, 5, 5, 9, 9]))
    assert chosen.on.tolist() == [False, True, False, True, False, True]
    assert chosen.weight.tolist() == [0.0, 1.0, 0.0, 1.0, 0.0, 1.0]
    assert chosen.reasons == ("forecast 1, place 4 of 4", "", "forecast 2, place 3 of 4", "", "forecast -1, place 2 of 2", "")


def test_one_of_a_group_goes_on_at_least_and_forecasts_that_are_no_numbers_never() -> None:
    forecast = torch.tensor([math.nan, 1.0, 2.0, math.nan])
    chosen = asked(Trust(0.01, sample=1.0), forecast, torch.tensor([0, 0, 0, 1]))
    assert chosen.on.tolist() == [False, True, True, False]
    assert chosen.reasons == ("its forecast is no number", "", "", "its forecast is no number")
    assert asked(Trust(0.01, sample=1e-12), torch.tensor([1.0, 1.0])).on.tolist() == [True, False]


def test_as_many_of_the_rejected_as_shall_go_on_all_the_same_and_stand_for_those_that_do_not() -> None:
    trust = Trust(0.25, sample=0.1)
    chosen = asked(trust, Stream(1).normal(4000), torch.arange(4000) % 4)
    best, lucky = chosen.weight == 1.0, chosen.weight == 10.0
    assert int(best.sum()) == 1000
    assert 240 < int(lucky.sum()) < 360
    assert torch.equal(best | lucky, chosen.on)
    counted = trust.metrics()
    assert counted["forecast_sampled"] == float(lucky.sum())
    assert counted["forecast_rejected"] == float((~chosen.on).sum())
    assert counted["forecast_lots"] == 0.0


def test_who_goes_on_hangs_on_a_rows_key_and_its_group_alone() -> None:
    forecast, group = Stream(1).normal(60), torch.arange(60) // 6
    whole = asked(Trust(0.34), forecast, group)
    order = Stream(2).permutation(60)
    mixed = Trust(0.34).choose(Stream(3).child(0).rows(order), forecast[order], group[order])
    assert torch.equal(mixed.on, whole.on[order])
    alone = Trust(0.34).choose(Stream(3).child(0).rows(torch.arange(6)), forecast[:6], group[:6])
    assert torch.equal(alone.on, whole.on[:6])


CASES = [
    [([1.0, 2.0, 3.0], [1.0, 2.0, 3.0], [1.0, 1.0, 1.0])],
    [([1.0, 2.0, 3.0, 4.0], [2.0, 1.0, 4.0, 3.0], [1.0, 10.0, 1.0, 10.0])],
    [([1.0, 1.0, 3.0], [2.0, 1.0, 1.0], [1.0, 2.0, 3.0])],
    [([0.0, 0.0, 0.0], [1.0, 2.0, 3.0], [1.0, 1.0, 1.0])],
    [([5.0], [1.0], [1.0]), ([1.0, 2.0], [4.0, 3.0], [2.0, 1.0]), ([3.0, 1.0, 2.0], [9.0, 7.0, 7.0], [1.0, 1.0, 5.0])],
]


@pytest.mark.parametrize("groups", CASES, ids=["sorted", "weighted", "ties", "no-opinion", "groups"])
def test_the_correlation_is_that_of_all_pairs_within_groups_whose_truths_differ(
    groups: list[tuple[list[float], list[float], list[float]]],
) -> None:
    assert told(groups).correlation == pytest.approx(brute(groups), abs=1e-12)


def test_there_is_no_correlation_where_there_is_no_pair_to_tell_apart() -> None:
    for groups in ([], [([1.0], [2.0], [1.0])], [([1.0, 2.0], [3.0, 3.0], [1.0, 1.0])]):
        trust = told(groups)
        assert math.isnan(trust.correlation)
        assert trust.p == 1.0
        assert "forecast_correlation" not in trust.metrics()


def test_the_chance_is_that_of_shuffled_truths() -> None:
    # Of the 24 orders of four truths one agrees with the forecast as well as this one does, and four are as good as one swap.
    assert told([([1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 4.0], [1.0] * 4)]).p == pytest.approx(1 / 24, abs=0.025)
    assert told([([1.0, 2.0, 3.0, 4.0], [2.0, 1.0, 3.0, 4.0], [1.0] * 4)]).p == pytest.approx(4 / 24, abs=0.06)
    assert told([([1.0, 2.0, 3.0, 4.0], [4.0, 3.0, 2.0, 1.0], [1.0] * 4)]).p == 1.0


def test_a_range_cut_short_is_weighed_as_if_it_were_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forecasts, "_SHUFFLES", 0)
    whole, plain, rho = [], [], 0.6
    for key in range(12):
        forecast, truth, group = drawn(key, 150, 12, rho)
        weighed, cut = Trust(0.34, window=10**6), Trust(0.34, window=10**6)
        chosen = asked(weighed, forecast, group, key)
        on, best = chosen.on, chosen.weight == 1.0
        weighed.tell(forecast[on], truth[on], chosen.weight[on], group[on])
        cut.tell(forecast[best], truth[best], chosen.weight[best], group[best])
        whole.append(weighed.correlation)
        plain.append(cut.correlation)
    true = 2.0 / math.pi * math.asin(rho)
    assert sum(whole) / len(whole) == pytest.approx(true, abs=0.04)
    assert sum(plain) / len(plain) < true - 0.1


def test_a_forecast_has_its_say_until_it_was_judged_often_enough() -> None:
    trust = Trust(0.34, least=30)
    for key in (0, 1):
        went(trust, key, 0.0, groups=2)
        assert trust.judged < 30
        assert trust.acts
        assert trust.words.startswith("on trial, chooses so far: ")


@pytest.mark.parametrize("rounds", [1, 4])
def test_a_worthless_forecast_loses_its_say_but_for_chance(rounds: int) -> None:
    seeds, acting = (100, 0) if rounds == 1 else (20, 0)
    for seed in range(seeds):
        trust = Trust(0.34)
        for turn in range(rounds):
            went(trust, 1000 * (seed + 1) + turn, 0.0)
        acting += trust.acts
    assert acting <= seeds // 10


@pytest.mark.parametrize(("rho", "turns", "least"), [(0.8, 1, 29), (0.6, 2, 27)])
def test_a_good_forecast_keeps_its_say(rho: float, turns: int, least: int) -> None:
    acting = 0
    for seed in range(30):
        trust = Trust(0.34)
        for turn in range(turns):
            went(trust, 500 * seed + turn, rho)
        acting += trust.acts
    assert acting >= least


def test_without_its_say_lots_choose_as_many_and_all_of_them_stand_for_the_same() -> None:
    trust = Trust(0.25)
    went(trust, 1, -0.9)
    assert not trust.acts
    assert "lots choose" in trust.words
    forecast = torch.arange(400).double()
    chosen = asked(trust, forecast, torch.arange(400) // 20)
    assert int(chosen.on.sum()) == 20 * 5
    assert set(chosen.weight[chosen.on].tolist()) == {4.0}
    assert abs(float(forecast[chosen.on].mean()) - float(forecast.mean())) < 30.0
    places = (forecast[chosen.on] % 20).mean()
    assert abs(float(places) - 9.5) < 2.0
    (reason,) = {reason for reason in chosen.reasons if reason}
    assert reason == "not drawn among 20: the forecast is no better than chance"
    assert trust.metrics()["forecast_lots"] == 300.0
    assert trust.metrics()["forecast_chooses"] == 0.0


def test_a_forecast_that_becomes_good_gets_its_say_back() -> None:
    trust, said = Trust(0.34, window=100), []
    for turn in range(12):
        went(trust, 70 + turn, 0.0 if turn < 4 else 0.85, groups=6)
        said.append(trust.acts)
    assert not said[3]
    assert all(said[8:])
    assert sum(one != other for one, other in pairwise(said[3:])) == 1


@pytest.mark.parametrize(("each", "keep"), [(2, 0.5), (4, 0.34), (5, 0.2)])
def test_where_a_single_one_of_a_group_would_go_on_a_forecast_that_was_bad_gets_its_say_back_too(
    each: int, keep: float
) -> None:
    trust, said = Trust(keep), []
    for turn in range(60):
        went(trust, turn, -1.0 if turn < 10 else 1.0, groups=10, each=each)
        said.append(trust.acts)
    assert not said[9]
    assert all(said[40:])


def test_lots_let_two_of_a_group_on_where_it_has_two() -> None:
    trust = told([([1.0, 2.0], [2.0, 1.0], [1.0, 1.0])], least=2)
    assert not trust.acts
    chosen = asked(trust, torch.arange(7).double(), torch.tensor([0, 0, 0, 0, 1, 1, 2]))
    assert [int(chosen.on[some].sum()) for some in (slice(4), slice(4, 6), slice(6, 7))] == [2, 2, 1]
    assert chosen.weight[chosen.on].tolist() == [2.0, 2.0, 1.0, 1.0, 1.0]


def test_a_forecast_whose_correlation_is_not_above_0_does_not_choose() -> None:
    # Many light pairs agree, and a few that stand for many more do not.
    agreed = ([1.0, 2.0, 3.0], [1.0, 2.0, 3.0], [1.0, 1.0, 1.0])
    trust = told([agreed] * 8 + [([1.0, 2.0], [2.0, 1.0], [10.0, 10.0])], least=2)
    assert trust.p <= 0.05
    assert trust.correlation < 0.0
    assert not trust.acts
    assert trust.metrics()["forecast_chooses"] == 0.0
    assert "no better than chance" in trust.words


def test_the_latest_rows_are_kept_in_whole_groups() -> None:
    trust = Trust(0.5, window=10)
    for turn in range(9):
        trust.tell(torch.arange(4.0) + turn, torch.arange(4.0), ONES.expand(4), torch.zeros(4, dtype=torch.int64))
        assert trust.judged == min(4 * (turn + 1), 12)
    trust.tell(torch.arange(40.0), torch.arange(40.0), ONES.expand(40), torch.zeros(40, dtype=torch.int64))
    assert trust.judged == 40


def test_rows_whose_truth_is_no_number_are_not_judged() -> None:
    trust = Trust(0.5)
    truth = torch.tensor([1.0, math.nan, 2.0, math.inf])
    trust.tell(torch.arange(4.0), truth, ONES.expand(4), torch.zeros(4, dtype=torch.int64))
    assert trust.judged == 2
    assert trust.correlation == 1.0


def test_what_is_saved_and_loaded_goes_on_as_if_it_had_not_been() -> None:
    one = Trust(0.34)
    for turn in range(3):
        went(one, turn, 0.5)
    other = Trust(0.34)
    other.load_state_dict(codec.loads(codec.dumps(one.state_dict())))
    for trust in (one, other):
        went(trust, 9, 0.5)
    assert codec.dumps(one.state_dict()) == codec.dumps(other.state_dict())
    assert (one.metrics(), one.words) == (other.metrics(), other.words)
    assert (one.correlation, one.p) == (other.correlation, other.p)


def test_ranks_within_groups_are_what_is_drawn() -> None:
    trust = told([([3.0, 1.0, 1.0], [5.0, 9.0, 7.0], [1.0] * 3), ([4.0], [2.0], [1.0])])
    assert trust.scatter() == ([1.0, 0.25, 0.25, 0.5], [0.0, 1.0, 0.5, 0.5])
