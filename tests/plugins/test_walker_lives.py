from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from aiga import Batch, InputError, Kind, Output, Pairs, Percept, Population, Scores, Status, Stream, Trajectory
from aiga.components import Layout, Structure
from aiga.data import Leaves
from aiga_walker import genome
from aiga_walker.domain import WalkerDomain
from aiga_walker.env import CourseWalker
from aiga_walker.lives import pushes

LAYOUT: Layout = {"bias": (4,), "weight": (4, 24)}


class Linear:
    """A policy whose rows share no arithmetic; it writes down what it perceives."""

    def __init__(self) -> None:
        self.structure: Structure = {"version": 1}
        self.percepts: list[Percept] = []

    def build(self, structure: Structure, inputs: Any, outputs: Any) -> Layout:
        return LAYOUT

    def init(self, rng: Stream, layout: Layout, count: int) -> Leaves:
        return {name: 0.3 * rng.child(name).normal(count, *shape) for name, shape in layout.items()}

    def newborn(self, leaves: Leaves) -> Leaves:
        return {}

    def step(self, leaves: Leaves, life: Leaves, percept: Percept) -> tuple[Output, Leaves]:
        self.percepts.append(percept)
        total = leaves["bias"]
        for i in range(24):
            total = total + leaves["weight"][:, :, i] * percept.observation[:, i : i + 1]
        return Output(torch.tanh(total)), life


NETWORK = Linear()


def agents(count: int) -> Batch:
    return Batch.of(Kind("linear", NETWORK.structure), NETWORK.init(Stream(4), LAYOUT, count))


def pairs(count: int, **values: object) -> Pairs:
    envs = genome.courses(torch.arange(count), **values)  # type: ignore[arg-type]
    return Pairs.of(Population((envs,)), Population((agents(count),)), torch.arange(count), torch.arange(count))


def live(domain: WalkerDomain, who: Pairs, seeds: Tensor | None = None) -> Scores:
    scores = domain.live(who, NETWORK, torch.arange(len(who)) if seeds is None else seeds)
    assert isinstance(scores, Scores)
    return scores


def recorded(domain: WalkerDomain, who: Pairs, network: Linear = NETWORK) -> tuple[Scores, Trajectory]:
    both = domain.live(who, network, torch.arange(len(who)), record=True)
    assert isinstance(both, tuple)
    return both


def test_a_row_depends_on_its_own_course_agent_and_seed_alone() -> None:
    domain, who = WalkerDomain(steps=80), pairs(8, roughness=2.0, stump=(0.2, 0.6))
    whole = live(domain, who)
    assert len(whole.fitness.unique()) == 8
    order = torch.tensor([5, 2, 7, 0])
    some = live(domain, who.take(order), order)
    assert torch.equal(some.fitness, whole.fitness[order])
    alone = live(WalkerDomain(steps=80), who.take(order[:1]), order[:1])
    assert torch.equal(alone.fitness, whole.fitness[order[:1]])


def test_courses_of_both_kinds_live_in_one_call() -> None:
    domain = WalkerDomain(steps=40)
    envs, (poet, theirs) = Population.join(
        Population((genome.courses(torch.arange(2), 1.0),)), Population((domain.named("Hardcore", 2),))
    )
    env = torch.cat([theirs, poet])
    mixed = live(domain, Pairs.of(envs, Population((agents(4),)), env, torch.arange(4)))
    hard = live(
        domain, Pairs.of(Population((domain.named("Hardcore", 2),)), Population((agents(4),)), torch.arange(2), torch.arange(2))
    )
    assert torch.equal(mixed.fitness[:2], hard.fitness)


def test_the_cost_is_the_steps_lived_and_no_life_outlasts_the_limit() -> None:
    scores = live(WalkerDomain(steps=70), pairs(10))
    length = scores.columns["length"]
    assert scores.cost == {"environment_steps": int(length.sum())}
    assert length.max() == 70
    assert length.min() < 70
    assert scores.fitness.dtype == torch.float64


def test_a_fall_is_fined_and_a_cut_life_is_not() -> None:
    scores = live(WalkerDomain(steps=70), pairs(10))
    fell = scores.columns["length"] < 70
    assert (scores.fitness[fell] < -90).all()
    assert (scores.fitness[~fell] > -50).all()
    assert scores.columns["finished"].sum() == 0


def test_episode_seeds_draw_start_pushes_between_minus_five_and_five() -> None:
    drawn = torch.tensor(pushes(torch.arange(2000)))
    assert -5 < drawn.min() < -4.9
    assert 4.9 < drawn.max() < 5
    assert drawn.mean().abs() < 0.2
    domain, who = WalkerDomain(steps=1), pairs(1)
    assert live(domain, who, torch.tensor([1])).fitness != live(domain, who, torch.tensor([2])).fitness


def test_another_terrain_seed_is_another_life_in_an_environment_of_the_same_description() -> None:
    domain, who = WalkerDomain(steps=60), pairs(1, roughness=8.0)
    (envs,) = who.envs.batches
    redrawn = Batch.of(envs.kind, {**envs.leaves, "seed": envs.leaves["seed"] + 1})
    assert torch.equal(domain.describe(envs), domain.describe(redrawn))
    other = Pairs.of(Population((redrawn,)), who.agents, who.env, who.agent)
    _, before = recorded(domain, who)
    _, after = recorded(domain, other)
    # The lidar sees the far ground from the pad.
    assert not torch.equal(before.observations[:30], after.observations[:30])


def test_an_action_that_is_not_a_number_fails_its_row_and_no_other() -> None:
    who = pairs(3)
    (batch,) = who.agents.batches
    batch.leaves["bias"][1, 2] = torch.nan
    domain = WalkerDomain(steps=30)
    scores = live(domain, who)
    assert scores.status.tolist() == [int(Status.OK), int(Status.NAN), int(Status.OK)]
    assert "action of step 0" in scores.reasons[1]
    assert scores.fitness.isnan().tolist() == [False, True, False]
    assert torch.equal(scores.fitness[[0, 2]], live(domain, pairs(3)).fitness[[0, 2]])


@pytest.mark.parametrize("method", ["begin", "step"])
def test_physics_that_raises_fails_its_row_with_the_reason(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    domain = WalkerDomain(steps=20, physics="box2d")
    expected = live(domain, pairs(3)).fitness
    assert domain._box2d is not None
    broken = domain._box2d._walkers[1]

    def fail(*args: Any) -> None:
        raise AssertionError("area > b2_epsilon")

    monkeypatch.setattr(broken, method, fail)
    scores = live(domain, pairs(3))
    assert scores.status.tolist() == [int(Status.OK), int(Status.ERROR), int(Status.OK)]
    assert scores.reasons == {1: "AssertionError: area > b2_epsilon"}
    assert torch.equal(scores.fitness[[0, 2]], expected[[0, 2]])


def test_the_network_perceives_reward_end_and_its_last_action() -> None:
    network = Linear()
    _, trajectory = recorded(WalkerDomain(steps=50), pairs(6), network)
    first, later = network.percepts[0], network.percepts[20]
    assert first.reward is not None
    assert first.previous_action is not None
    assert first.reward.abs().sum() == first.previous_action.abs().sum() == 0
    assert torch.equal(later.reward, trajectory.rewards[19])  # type: ignore[arg-type]
    assert torch.equal(later.previous_action, trajectory.actions[19])  # type: ignore[arg-type]
    assert network.percepts[-1].done.any()


def test_a_recorded_life_is_the_life_that_is_scored() -> None:
    domain, who = WalkerDomain(steps=70), pairs(6)
    scores, trajectory = recorded(domain, who)
    assert torch.equal(scores.fitness, live(domain, who).fitness)
    length = scores.columns["length"].long()
    for row, steps in enumerate(length.tolist()):
        assert trajectory.rewards[:steps, row].double().sum().item() == pytest.approx(scores.fitness[row].item())
        assert bool(trajectory.done[steps - 1, row]) == (steps < 70)
        assert not trajectory.done[: steps - 1, row].any()
        for column in (trajectory.observations, trajectory.actions, trajectory.extras["poses"]):
            assert (column[steps:, row] == column[steps - 1, row]).all()
    assert trajectory.observations.shape == (70, 6, 24)
    assert trajectory.actions.shape == (70, 6, 4)
    assert trajectory.extras["poses"].shape == (70, 6, 5, 3)


def test_worlds_are_let_go_when_the_lives_are_over() -> None:
    domain = WalkerDomain(steps=20, physics="box2d")
    live(domain, pairs(4))
    assert domain._box2d is not None
    assert [walker.world for walker in domain._box2d._walkers] == [None] * 4


def test_agents_of_two_kinds_are_refused() -> None:
    who = pairs(2)
    other = Batch.of(Kind("other"), agents(2).leaves)
    both = Pairs.of(who.envs, Population((*who.agents.batches, other)), torch.arange(2), torch.tensor([0, 3]))
    with pytest.raises(ValueError, match="agents of one kind, not of 2"):
        live(WalkerDomain(steps=5), both)


def test_first_hit_lidar_is_an_option_that_reaches_the_walkers() -> None:
    who = pairs(4, gap=(1.0, 4.0))
    seen = {}
    for lidar in ("nearest", "first-hit"):
        domain = WalkerDomain(steps=60, lidar=lidar, physics="box2d")  # type: ignore[arg-type]
        _, trajectory = recorded(domain, who)
        seen[lidar] = trajectory.observations
    assert not torch.equal(seen["nearest"], seen["first-hit"])


def test_every_named_course_can_be_lived_in() -> None:
    domain = WalkerDomain(steps=3)
    assert {"flat", "BipedalWalker", "Hardcore", "Roughness", "Stump", "PitGap", "Stairs"} <= set(domain.names)
    for name in domain.names:
        batch = domain.named(name, 2)
        who = Pairs.of(Population((batch,)), Population((agents(2),)), torch.arange(2), torch.arange(2))
        assert live(domain, who).ok.all()
        assert len(batch.leaves["seed"].unique()) == 2
        assert torch.equal(domain.named(name).hashes, batch.hashes[:1])


def test_a_held_out_course_has_its_published_size() -> None:
    domain = WalkerDomain()
    assert domain.describe(domain.named("Stairs")).tolist() == [[0, 0, 0, 0, 0, 2, 2, 5]]
    assert domain.describe(domain.named("WidePitGap")).tolist() == [[0, 10, 10, 0, 0, 0, 0, 0]]
    assert domain.describe(domain.named("Roughness")).tolist() == [[5, 0, 0, 0, 0, 0, 0, 0]]


def test_an_unknown_course_is_answered_with_the_nearest_name() -> None:
    with pytest.raises(InputError, match="Did you mean 'PitGap'"):
        WalkerDomain().named("PitGaps")


def test_walkers_that_finish_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    begin = CourseWalker.begin

    def near_the_end(self: CourseWalker, *args: Any) -> np.ndarray:
        observation = begin(self, *args)
        for body in (self.hull, *self.legs):
            body.position = (body.position[0] + 84.2, body.position[1])
        return observation

    monkeypatch.setattr(CourseWalker, "begin", near_the_end)
    scores = live(WalkerDomain(steps=20, physics="box2d"), pairs(2))
    assert scores.columns["finished"].tolist() == [1.0, 1.0]
    assert (scores.columns["length"] < 20).all()
