from __future__ import annotations

from typing import Any

import pytest

from aiga import Domain, Network, Optimiser, Plugin
from aiga.discovery import Components, register
from aiga.testing import DomainSuite, LinearNetwork, NetworkSuite, OptimiserSuite, PointsDomain, bench
from aiga_es import Cem, Es, Pgpe
from aiga_networks import Mlp
from aiga_walker import Walker

pytest_plugins = ["pytester"]


def component(plugin: type[Plugin], kind: str, **options: Any) -> Any:
    components = Components()
    register(plugin(plugin.Options(**options)), components)
    return components.get(kind, plugin.name)


class TestPoints(DomainSuite):
    @pytest.fixture
    def domain(self) -> Domain:
        return PointsDomain()


class TestWalker(DomainSuite):
    pairs = 4

    @pytest.fixture
    def domain(self) -> Domain:
        return component(Walker, "domain", steps=30)


class TestMlp(NetworkSuite):
    @pytest.fixture
    def network(self) -> Network:
        return component(Mlp, "network", hidden=[7, 5])


class TestLinear(NetworkSuite):
    @pytest.fixture(params=[False, True])
    def network(self, request: pytest.FixtureRequest) -> Network:
        return LinearNetwork(bias=request.param)


class TestEs(OptimiserSuite):
    @pytest.fixture
    def optimiser(self) -> Optimiser:
        return component(Es, "optimiser", population=16, lr=0.05)


class TestPgpe(OptimiserSuite):
    @pytest.fixture(params=["clipup", "adam"])
    def optimiser(self, request: pytest.FixtureRequest) -> Optimiser:
        return component(Pgpe, "optimiser", population=16, optimizer=request.param)


class TestCem(OptimiserSuite):
    @pytest.fixture
    def optimiser(self) -> Optimiser:
        return component(Cem, "optimiser", population=16)


FAULTS = """
from dataclasses import replace

import pytest
import torch

from aiga import Output, Scores
from aiga.testing import DomainSuite, LinearNetwork, NetworkSuite, OptimiserSuite, PointsDomain


class Shaken(PointsDomain):
    def mutate(self, rng, parents):  # a child's noise hangs on its place
        return super().mutate(rng.rows(torch.arange(len(parents))), parents)


class Gossiping(PointsDomain):
    def live(self, pairs, network, seeds, record=False):  # a score hangs on who else lives
        scores, seen = super().live(pairs, network, seeds, record=True)
        scores = replace(scores, columns={"fitness": scores.fitness - scores.fitness.mean()})
        return (scores, seen) if record else scores


class Free(PointsDomain):
    def live(self, pairs, network, seeds, record=False):  # work is not counted
        scores, seen = super().live(pairs, network, seeds, record=True)
        scores = Scores(scores.columns, scores.status)
        return (scores, seen) if record else scores


class Deaf(PointsDomain):
    def live(self, pairs, network, seeds, record=False):  # no seed arrives
        return super().live(pairs, network, torch.zeros_like(seeds), record)


class Meddling(PointsDomain):
    def mutate(self, rng, parents):  # the parents change
        parents.leaves["point"].add_(1.0)
        return super().mutate(rng, parents)


class Crowd(LinearNetwork):
    def step(self, leaves, life, percept):  # a row sees the others
        output, life = super().step(leaves, life, percept)
        return Output(output.action - output.action.mean(dim=0)), life


class Counted(LinearNetwork):
    def init(self, rng, layout, count):  # an agent is born of its place
        return super().init(rng.rows(torch.arange(count)), layout, count)


class Idle:
    def start(self, agents):
        return {}

    def improve(self, lab, niches, state, steps):  # nothing is learnt
        return niches.agents, state


class Wandering(Idle):
    def improve(self, lab, niches, state, steps):  # noise by place, not by niche
        batches = []
        for start, batch in niches.agents.parts():
            keys = torch.arange(start, start + len(batch))
            noise = lab.rng("walk").rows(keys)
            leaves = {n: x + steps * noise.child(n).normal(*x.shape[1:]) for n, x in batch.leaves.items()}
            batches.append(replace(batch, leaves=leaves))
        return replace(niches.agents, batches=tuple(batches)), state


def suite(base, fixture, faulty):
    made = pytest.fixture(lambda self: faulty())
    return type(f"Test{faulty.__name__}", (base,), {fixture: made, "steps": 4, "__module__": __name__})


TestShaken, TestGossiping, TestFree, TestDeaf, TestMeddling = (
    suite(DomainSuite, "domain", d) for d in (Shaken, Gossiping, Free, Deaf, Meddling)
)
TestCrowd, TestCounted = (suite(NetworkSuite, "network", n) for n in (Crowd, Counted))
TestIdle, TestWandering = (suite(OptimiserSuite, "optimiser", o) for o in (Idle, Wandering))
"""

FOUND = {
    ("TestShaken", "test_a_child_hangs_on_its_parent_and_its_row_key_alone"),
    ("TestGossiping", "test_a_score_does_not_hang_on_company"),
    ("TestFree", "test_every_life_is_scored_and_its_cost_counted"),
    ("TestDeaf", "test_seeds_decide_chance_and_chance_alone"),
    ("TestMeddling", "test_mutate_makes_one_child_a_row_and_leaves_the_parents_alone"),
    ("TestCrowd", "test_a_row_acts_the_same_beside_anybody"),
    ("TestCounted", "test_an_agent_is_born_of_its_row_key_alone"),
    ("TestIdle", "test_agents_become_better"),
    ("TestIdle", "test_a_step_changes_agents_and_nothing_that_was_given"),
    ("TestWandering", "test_a_niche_learns_the_same_without_the_others"),
}


def test_the_suites_find_the_faults_they_are_for(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(FAULTS)
    _, _, failed = pytester.inline_run("-p", "no:cacheprovider").listoutcomes()
    found = {tuple(report.nodeid.split("::")[1:]) for report in failed}
    assert found >= FOUND, FOUND - found


def test_the_bench_is_a_founded_run_that_can_be_asked() -> None:
    with bench(plugin="mine", overrides=["population.niches=3"], iterations=2) as lab:
        assert (lab.iteration, len(lab.niches)) == (3, 3)
        scores = lab.evaluate(lab.niches.pairs(), purpose="test")
        assert scores.fitness.shape == (3,)
        assert ("mine", "test", "episodes", 3) in set(lab.meter.rows())
        before = len(lab.archive.agent_ids)
        lab.remember(lab.niches.agents)
        assert len(lab.archive.agent_ids) == before + 3
        folder = lab.path
        assert folder.is_dir()
    assert not folder.exists()
