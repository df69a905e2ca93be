"""The suite that a domain's tests inherit."""

from __future__ import annotations

import json
from typing import Any, ClassVar, cast

import pytest
import torch
from torch import Tensor

from aiga import codec
from aiga.components import Domain, Network, Space
from aiga.data import NOBODY, Batch, Kind, Pairs, Population, Scores, Status, Trajectory
from aiga.streams import Stream
from aiga.testing.linear import LinearNetwork
from aiga.testing.sameness import same, some


class DomainSuite:
    """Tests of an :class:`aiga.Domain`; override :meth:`domain`.

    Attributes:
        seeds_matter: whether an episode's seed changes a score. False asserts that it does not.
        generations: how many mutations away from the start environments are tried.
        pairs: lives lived at a time.
    """

    seeds_matter: ClassVar[bool] = True
    generations: ClassVar[int] = 3
    pairs: ClassVar[int] = 6

    @pytest.fixture
    def domain(self) -> Domain:
        """What is tested."""
        raise NotImplementedError("override the fixture domain")

    @pytest.fixture
    def network(self) -> Network:
        """What the agents are made of; its rows must be the same in any company, bit by bit."""
        return LinearNetwork(bias=True)

    @pytest.fixture
    def envs(self, domain: Domain) -> Batch:
        """Environments a few mutations away from the start, one a pair."""
        envs = domain.initial(Stream(1), self.pairs)
        for generation in range(self.generations):
            envs = domain.mutate(Stream(2).child(generation).rows(torch.arange(len(envs))), envs)
        return envs

    @pytest.fixture
    def lives(self, domain: Domain, network: Network, envs: Batch) -> Pairs:
        """Every environment with an agent of its own."""
        layout = network.build(network.structure, domain.inputs, domain.outputs)
        agents = Batch.of(Kind("suite", dict(network.structure)), network.init(Stream(3), layout, len(envs)))
        rows = torch.arange(len(envs))
        return Pairs.of(Population((envs,)), Population((agents,)), rows, rows)

    @pytest.fixture
    def seeds(self, lives: Pairs) -> Tensor:
        """``[P]`` int64."""
        return Stream(4).words(len(lives))

    def live(self, domain: Domain, pairs: Pairs, network: Network, seeds: Tensor) -> Scores:
        """Scores alone."""
        answer = domain.live(pairs, network, seeds)
        return answer[0] if isinstance(answer, tuple) else answer

    def test_says_what_it_is(self, domain: Domain) -> None:
        assert domain.version >= 1
        assert domain.steps >= 1
        assert isinstance(domain.solved, (int, float))
        assert domain.parallelism in ("serial", "threads", "device")
        assert isinstance(domain.inputs, Space)
        assert isinstance(domain.outputs, Space)

    def test_initial_makes_new_environments_of_one_kind(self, domain: Domain) -> None:
        for count in (1, 5):
            envs = domain.initial(Stream(1), count)
            assert envs.ids.tolist() == [NOBODY] * count
            assert {len(leaf) for leaf in envs.leaves.values()} == {count}
            assert json.loads(json.dumps(envs.kind.structure)) == envs.kind.structure

    def test_initial_is_fixed_by_its_stream(self, domain: Domain) -> None:
        assert same(domain.initial(Stream(1), 4).leaves, domain.initial(Stream(1), 4).leaves)

    def test_mutate_makes_one_child_a_row_and_leaves_the_parents_alone(self, domain: Domain, envs: Batch) -> None:
        before = {name: leaf.clone() for name, leaf in envs.leaves.items()}
        children = domain.mutate(Stream(5).rows(torch.arange(len(envs))), envs)
        assert len(children) == len(envs)
        assert children.ids.tolist() == [NOBODY] * len(envs)
        assert {n: x.shape for n, x in children.leaves.items()} == {n: x.shape for n, x in envs.leaves.items()}
        assert same(envs.leaves, before)

    def test_a_child_hangs_on_its_parent_and_its_row_key_alone(self, domain: Domain, envs: Batch) -> None:
        keys = torch.arange(len(envs)) * 7 + 3
        children = domain.mutate(Stream(5).rows(keys), envs)
        rows = torch.arange(len(envs) - 1, -1, -2)
        again = domain.mutate(Stream(5).rows(keys[rows]), envs.take(rows))
        assert same(again.leaves, some(children.leaves, rows)), "a child changed with its place or its company"
        assert again.kind == children.kind

    def test_children_of_one_parent_differ(self, domain: Domain, envs: Batch) -> None:
        parents = envs.take(torch.zeros(16, dtype=torch.int64))
        children = domain.mutate(Stream(5).rows(torch.arange(16)), parents)
        assert len(set(children.hashes.tolist())) > 1

    def test_an_environment_survives_being_written(self, envs: Batch) -> None:
        assert torch.equal(codec.loads(codec.dumps(envs)).hashes, envs.hashes)

    def test_descriptions_are_finite_numbers_that_hang_on_the_row_alone(self, domain: Domain, envs: Batch) -> None:
        described = domain.describe(envs)
        assert described.ndim == 2
        assert len(described) == len(envs)
        assert described.dtype == torch.float64
        assert bool(described.isfinite().all())
        rows = torch.arange(len(envs) - 1, -1, -2)
        assert torch.equal(domain.describe(envs.take(rows)), described[rows])

    def test_distance_is_symmetric_and_zero_only_where_descriptions_agree(self, domain: Domain, envs: Batch) -> None:
        if not hasattr(domain, "distance"):
            pytest.skip("the domain has no distance")
        apart = cast(Any, domain).distance(envs, envs)
        assert apart.shape == (len(envs), len(envs))
        assert bool((apart.diagonal() == 0).all())
        assert bool((apart >= 0).all())
        assert torch.allclose(apart, apart.T)
        described = domain.describe(envs)
        assert bool(((apart > 0) | (described[:, None] == described[None]).all(dim=2)).all())

    def test_named_environments_and_shipped_agents_are_there(self, domain: Domain) -> None:
        able = cast(Any, domain)
        for name in getattr(domain, "names", ()):
            named = able.named(name)
            assert len(named) == 1, name
            assert named.leaves.keys() == domain.initial(Stream(1), 1).leaves.keys(), name
        for name, path in getattr(domain, "agents", {}).items():
            assert path.is_file(), name

    def test_every_life_is_scored_and_its_cost_counted(
        self, domain: Domain, lives: Pairs, network: Network, seeds: Tensor
    ) -> None:
        scores = self.live(domain, lives, network, seeds)
        assert scores.fitness.shape == (len(lives),)
        assert scores.fitness.dtype == torch.float64
        assert scores.status.tolist() == [int(Status.OK)] * len(lives)
        assert bool(scores.fitness.isfinite().all())
        assert {len(column) for column in scores.columns.values()} == {len(lives)}
        assert scores.cost
        assert all(type(amount) is int and amount > 0 for amount in scores.cost.values())

    def test_cost_is_that_of_each_life_added_up(self, domain: Domain, lives: Pairs, network: Network, seeds: Tensor) -> None:
        whole = self.live(domain, lives, network, seeds).cost
        parts = torch.tensor_split(torch.arange(len(lives)), 2)
        halves = [self.live(domain, lives.take(part), network, seeds[part]).cost for part in parts]
        assert dict(whole) == {kind: sum(half[kind] for half in halves) for kind in whole}

    def test_the_same_lives_score_the_same_again(self, domain: Domain, lives: Pairs, network: Network, seeds: Tensor) -> None:
        first, second = (self.live(domain, lives, network, seeds) for _ in range(2))
        assert same(first.columns, second.columns)

    def test_a_score_does_not_hang_on_the_order_of_rows(
        self, domain: Domain, lives: Pairs, network: Network, seeds: Tensor
    ) -> None:
        order = torch.arange(len(lives) - 1, -1, -1)
        there = self.live(domain, lives, network, seeds).columns
        back = self.live(domain, lives.take(order), network, seeds[order]).columns
        assert same(back, some(there, order))

    def test_a_score_does_not_hang_on_company(self, domain: Domain, lives: Pairs, network: Network, seeds: Tensor) -> None:
        whole = self.live(domain, lives, network, seeds).columns
        for rows in (torch.tensor([len(lives) - 1]), torch.tensor([1, 3])):
            assert same(self.live(domain, lives.take(rows).compact(), network, seeds[rows]).columns, some(whole, rows))

    def test_one_agent_lives_in_many_environments_and_one_environment_houses_many(
        self, domain: Domain, lives: Pairs, network: Network
    ) -> None:
        pairs = Pairs.cross(lives.envs.take(torch.tensor([0, 1]))[0], lives.agents.take(torch.tensor([0, 1]))[0])
        seeds = torch.full((4,), 9)
        whole = self.live(domain, pairs, network, seeds).columns
        alone = self.live(domain, pairs.take(torch.tensor([2])).compact(), network, seeds[:1]).columns
        assert same(alone, some(whole, torch.tensor([2])))

    def test_seeds_decide_chance_and_chance_alone(self, domain: Domain, lives: Pairs, network: Network) -> None:
        twelve = lives.take(torch.zeros(12, dtype=torch.int64))
        fixed = self.live(domain, twelve, network, torch.full((12,), 5)).fitness
        assert bool((fixed == fixed[0]).all())
        drawn = self.live(domain, twelve, network, Stream(6).words(12)).fitness
        assert bool((drawn != drawn[0]).any()) is self.seeds_matter

    def test_living_changes_nothing_that_was_given(self, domain: Domain, lives: Pairs, network: Network, seeds: Tensor) -> None:
        before = [{n: leaf.clone() for n, leaf in b.leaves.items()} for b in (*lives.envs.batches, *lives.agents.batches)]
        self.live(domain, lives, network, seeds)
        after = [b.leaves for b in (*lives.envs.batches, *lives.agents.batches)]
        assert all(same(one, other) for one, other in zip(before, after, strict=True))

    def test_a_recorded_life_is_the_life_that_was_scored(
        self, domain: Domain, lives: Pairs, network: Network, seeds: Tensor
    ) -> None:
        answer = domain.live(lives, network, seeds, record=True)
        assert isinstance(answer, tuple)
        scores, seen = answer
        assert isinstance(seen, Trajectory)
        assert same(scores.columns, self.live(domain, lives, network, seeds).columns)
        length = len(seen.rewards)
        assert 1 <= length <= domain.steps
        assert seen.rewards.shape == seen.done.shape == (length, len(lives))
        assert seen.done.dtype == torch.bool
        assert seen.observations.shape == (length, len(lives), *domain.inputs.shape)
        assert seen.actions.shape[:2] == (length, len(lives))
        assert all(extra.shape[:2] == (length, len(lives)) for extra in seen.extras.values())
        assert bool((seen.done[1:] | ~seen.done[:-1]).all()), "a life that ended goes on"
