"""Forecasts: what they are worth, what they cost, and that they are made of all architectures at once."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import torch
from search_runs import born, network, site
from torch import Tensor

import aiga
from aiga import Population, Stream
from aiga.components import Life
from aiga.data import Leaves
from aiga_architectures import PerceptronNetwork
from aiga_digits.domain import DigitsDomain
from aiga_search.proxies import Forecast, Judged, ParameterCount, RealSteps
from aiga_search.ranking import averaged, ranks, spearman, top_half

DOMAIN = DigitsDomain()
ENVS = DOMAIN.named("all")


class Counting:
    """A network that counts how often it is asked to see."""

    def __init__(self, network: PerceptronNetwork) -> None:
        self.network, self.calls = network, 0

    def __getattr__(self, name: str) -> object:
        return getattr(self.network, name)

    def see(self, leaves: Leaves, x: Tensor) -> tuple[Tensor, Life]:
        self.calls += 1
        return self.network.see(leaves, x)


HERE = site()


def networks(name: str) -> aiga.Network:
    assert name == "perceptron"
    return HERE.network


def real(steps: int, **options: float) -> RealSteps:
    return RealSteps(networks, DOMAIN, ENVS, steps, batch=32, **options)  # type: ignore[arg-type]


def judged(teach: RealSteps) -> Judged:
    return Judged(teach, networks, DOMAIN, ENVS)


def test_ranks_of_equal_scores_are_the_mean_of_theirs() -> None:
    assert ranks(torch.tensor([3.0, 1.0, 3.0, 2.0, 3.0])).tolist() == [4.0, 1.0, 4.0, 2.0, 4.0]


def test_the_rank_correlation_is_that_of_scipy_ties_included() -> None:
    stats = pytest.importorskip("scipy.stats")
    one, other = (Stream(seed).integers(0, 6, 40).double() for seed in (1, 2))
    other = other + 0.3 * one
    assert spearman(one, other) == pytest.approx(stats.spearmanr(one, other).statistic)


def test_the_rank_correlation_sees_the_order_alone() -> None:
    scores = torch.tensor([0.1, 5.0, 2.0, 90.0])
    assert spearman(scores, scores.exp()) == pytest.approx(1.0)
    assert spearman(scores, -scores) == pytest.approx(-1.0)
    assert spearman(torch.tensor([-torch.inf, 1.0, 2.0]), torch.tensor([0.0, 3.0, 9.0])) == pytest.approx(1.0)


def test_without_any_order_there_is_no_correlation() -> None:
    assert spearman(torch.ones(3), torch.arange(3)) != spearman(torch.ones(3), torch.arange(3))


def test_the_top_half_are_the_highest() -> None:
    assert sorted(top_half(torch.tensor([4.0, 9.0, 1.0, 7.0, 3.0])).tolist()) == [0, 1, 3]


def test_averaged_ranks_count_every_forecast_alike_whatever_its_scale() -> None:
    both = averaged(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([300.0, 100.0, 200.0]))
    assert both.tolist() == [2.0, 1.5, 2.5]


def test_the_larger_architecture_is_forecast_to_be_the_better_for_nothing() -> None:
    found = ParameterCount()(born(HERE, [[20], [40, 9]]), Stream(0))
    assert found.scores[1] > found.scores[0]
    assert not found.cost


def test_more_real_steps_make_better_agents_and_cost_more() -> None:
    agents, found = born(HERE, [[24], [40, 20]]), dict[int, Forecast]()
    for steps in (1, 40):
        found[steps] = judged(real(steps))(agents, Stream(0))
        assert found[steps].cost["gradient_steps"] == 2 * steps
        assert found[steps].cost["examples"] == 2 * steps * 32 + 2 * 297
    assert (found[40].scores > found[1].scores + 30.0).all()
    assert (found[40].scores > 75.0).all()


def test_calls_do_not_grow_with_the_number_of_architectures() -> None:
    counting, calls = Counting(network()), list[int]()
    for count in (1, 10):
        counting.calls = 0
        teach = RealSteps(lambda name: counting, DOMAIN, ENVS, 3, batch=16)  # type: ignore[arg-type, return-value]
        teach(born(HERE, [[17 + number] for number in range(count)]), Stream(0))
        calls.append(counting.calls)
    assert calls == [4, 4]  # one to settle by


def test_an_architecture_learns_as_it_would_alone() -> None:
    agents = born(HERE, [[20], [40, 9], [31]])
    together, _ = real(5)(agents, Stream(0))
    alone, _ = real(5)(agents.in_order(torch.tensor([0])), Stream(0))
    (one,), (other,) = together.in_order(torch.tensor([0])).batches, alone.batches
    assert one.kind == other.kind == agents.in_order(torch.tensor([0])).batches[0].kind
    for name, leaf in other.leaves.items():
        torch.testing.assert_close(one.leaves[name], leaf, atol=1e-5, rtol=1e-4)


def test_taught_agents_are_settled_by_what_they_saw_last() -> None:
    agents, rng = born(HERE, [[20]]), Stream(0)
    (taught,) = real(1, lr=1e-12)(agents, rng)[0].batches
    x, _ = DOMAIN.examples(ENVS, rng.rows(torch.zeros(1, dtype=torch.int64)), 32)
    learner, leaves = network(), agents.batches[0].leaves
    expected, _ = learner.see(leaves, x)
    found = learner.answers(taught.leaves, learner.newborn(taught.leaves), x)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_an_architecture_whose_numbers_run_away_is_forecast_the_worst() -> None:
    found = judged(real(3, lr=1e30))(born(HERE, [[20], [40]]), Stream(0))
    assert found.scores.tolist() == [-torch.inf, -torch.inf]


def test_whatever_teaches_can_be_judged() -> None:
    def teach(agents: Population, rng: Stream) -> tuple[Population, Mapping[str, int]]:
        return agents, {"lessons": 7}

    found = Judged(teach, networks, DOMAIN, ENVS)(born(HERE, [[20], [40], [20, 20]]), Stream(0))
    assert found.cost == {"lessons": 7, "examples": 3 * 297}
    assert (found.scores < 40.0).all()
