from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from aiga_hills import Hills, HillsDomain, track
from torch import Tensor

from aiga import (
    Batch,
    Domain,
    Event,
    Kind,
    Lab,
    Network,
    Output,
    Pairs,
    Percept,
    Population,
    Scores,
    Stream,
    Subject,
    Trajectory,
)
from aiga.components import Layout, Life, Space, Structure
from aiga.data import Leaves
from aiga.testing import DomainSuite, bench

CONFIG = {
    "run": {"workers": 0, "device": "cpu"},
    "population": {"domain": "hills", "networks": ["mlp"], "niches": 2},
    "plugins": {"hills": {}},
}


class TestHills(DomainSuite):
    """Everything that the core relies on."""

    @pytest.fixture
    def domain(self) -> Domain:
        return HillsDomain(steps=60)


class Constant:
    """Pushes with whatever its one parameter says."""

    def __init__(self) -> None:
        self.structure: Structure = {"version": 1}

    def build(self, structure: Structure, inputs: Space, outputs: Space) -> Layout:
        return {"push": outputs.shape}

    def init(self, rng: Stream, layout: Layout, count: int) -> Leaves:
        return {"push": torch.zeros(count, 1)}

    def newborn(self, leaves: Leaves) -> Life:
        return {}

    def step(self, leaves: Leaves, life: Life, percept: Percept) -> tuple[Output, Life]:
        return Output(leaves["push"]), life


def slopes(*values: float) -> Batch:
    """One track a value, of that slope from the start onwards."""
    envs = track.level(len(values))
    slope = torch.tensor(values, dtype=torch.float64)[:, None].expand(-1, track.KNOTS).clone()
    slope[:, :3] = 0.0
    return Batch.of(track.KIND, {**envs.leaves, "slope": slope})


def drive(envs: Batch, push: float, record: bool = False) -> Scores | tuple[Scores, Trajectory]:
    agents = Batch.of(Kind("constant"), {"push": torch.full((len(envs), 1), push)})
    rows = torch.arange(len(envs))
    network: Network = Constant()
    pairs = Pairs.of(Population((envs,)), Population((agents,)), rows, rows)
    return HillsDomain().live(pairs, network, torch.zeros(len(envs), dtype=torch.int64), record)


def fitness(envs: Batch, push: float) -> Tensor:
    scores = drive(envs, push)
    assert isinstance(scores, Scores)
    return scores.fitness


def test_full_thrust_solves_a_level_track_too_quickly_for_poets_criterion() -> None:
    (score,) = fitness(track.level(1), 1.0).tolist()
    assert score > 300


def test_without_thrust_a_cart_stays_about_where_it_is() -> None:
    (score,) = fitness(track.level(1), 0.0).tolist()
    assert abs(score) < 280 * 0.2 / 10 + 1e-6


def test_the_engine_holds_no_slope_beyond_its_strength() -> None:
    gentle, steep = fitness(slopes(0.3, 0.9), 1.0).tolist()
    assert gentle > 230
    assert steep < 50


def test_more_way_is_worth_more_in_every_step() -> None:
    answer = drive(slopes(0.1), 1.0, record=True)
    assert isinstance(answer, tuple)
    seen = answer[1]
    x = seen.extras["x"][:, 0]
    assert bool((x[1:] >= x[:-1]).all())
    assert float(x[-1]) == track.FLAG
    assert seen.done[:, 0].tolist() == [False] * (len(x) - 1) + [True]


def test_heights_are_the_slopes_added_up() -> None:
    assert track.heights(slopes(0.5))[0, -1].item() == pytest.approx(0.25 + 9 * 0.5)


def test_the_screen_rejects_what_rises_above_the_ceiling_and_says_why(lab: Lab) -> None:
    envs = slopes(0.2, 0.9)
    rows = torch.arange(2)
    pairs = Pairs.of(Population((envs,)), lab.niches.agents, rows, rows)
    screened = Hills(Hills.Options(ceiling=4.0)).screen_ceiling(lab, pairs)
    assert screened.rejected.tolist() == [1]
    assert screened.pairs.env.tolist() == [0]
    assert screened.reasons == ("rises 8.55 m, above the ceiling of 4 m",)


def test_the_summit_is_that_of_the_highest_track_solved_and_outlives_a_resume(lab: Lab) -> None:
    hills = Hills()
    assert hills.aiga_metrics(lab)["summit"] == 0.0
    hills._summit = 1.5
    hills.aiga_event(lab, Event("solved", 1, {"niche": lab.niches.key.tolist()}))
    assert hills.aiga_metrics(lab)["summit"] == 1.5
    again = Hills()
    again.load_state_dict(hills.state_dict(), hills.state_version)
    assert again.aiga_metrics(lab) == hills.aiga_metrics(lab)


def test_tracks_and_lives_are_drawn(lab: Lab) -> None:
    envs = slopes(0.1, 0.4)
    low, high = lab.render(Subject("environments", Population((envs,))))
    assert low.shape == high.shape == (96, 192, 3)
    assert (low != high).any()
    answer = drive(slopes(0.1), 1.0, record=True)
    assert isinstance(answer, tuple)
    one = Population((slopes(0.1),))
    assert lab.render(Subject("animation", one, answer[1])).shape == (len(answer[1].rewards), 96, 192, 3)
    assert lab.render(Subject("lifetime", one, answer[1])).shape == (96, 192, 3)


@pytest.fixture
def lab() -> Iterator[Lab]:
    with bench(CONFIG, plugin="hills") as lab:
        yield lab
