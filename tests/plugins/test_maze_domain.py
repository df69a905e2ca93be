from __future__ import annotations

from collections import deque
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from aiga import Batch, Domain, InputError, Kind, Pairs, Population, Status, Stream
from aiga.streams import derive
from aiga.testing import DomainSuite, LinearNetwork
from aiga_maze import genome, mutation
from aiga_maze.baselines import oracle_reward, random_reward
from aiga_maze.domain import MazeDomain
from aiga_maze.grid import FAR, connected, distances, nth
from aiga_maze.walks import Ground, Walks, par

Cell = tuple[int, int]
MOVES = ((-1, 0), (1, 0), (0, -1), (0, 1))


class TestMazeDomain(DomainSuite):
    generations = 8

    @pytest.fixture
    def domain(self) -> Domain:
        return MazeDomain(max_steps=90)

    @pytest.fixture
    def envs(self, domain: Domain) -> Batch:
        envs = domain.initial(Stream(1), self.pairs)
        for generation in range(self.generations):
            envs = domain.mutate(Stream(2).child(generation).rows(torch.arange(len(envs))), envs)
        return envs

    # Most named mazes do not fit lives of 90 steps; see the test below.
    def test_named_environments_and_shipped_agents_are_there(self, domain: Domain) -> None:
        assert {"L7", "L7-seen", "L7-unseen", "L11", "L13"} < set(MazeDomain.names)
        super().test_named_environments_and_shipped_agents_are_there(MazeDomain())


class TestMazeDomainWithPenalty(DomainSuite):
    @pytest.fixture
    def domain(self) -> Domain:
        return MazeDomain(max_steps=90, wall_penalty=0.1)

    def test_named_environments_and_shipped_agents_are_there(self, domain: Domain) -> None:
        assert {"L7", "L7-seen", "L7-unseen", "L11", "L13"} < set(MazeDomain.names)
        super().test_named_environments_and_shipped_agents_are_there(MazeDomain(wall_penalty=0.1))


class Slow:
    """One maze and one life, as one would write them down without tensors."""

    def __init__(self, free: list[list[bool]], size: int, reach: list[int], split: int, steps: int, seed: int) -> None:
        self.free = {(r, c) for r in range(size) for c in range(size) if free[r][c]}
        self.cell: Cell = (size // 2, size // 2)
        self.steps = steps
        walk = self.walks(self.cell)
        cells = sorted(cell for cell in walk if cell != self.cell)
        asked = [cell for cell in cells if reach[0] <= walk[cell] <= reach[1]] or cells
        by_walk = sorted(cells, key=lambda cell: (walk[cell], cell))
        fourth = {cell for place, cell in enumerate(by_walk) if place % 4 == 2}
        kept = [cell for cell in asked if split == 0 or (cell in fourth) == (split == 2)] or asked
        stream = Stream(derive("maze", "life", 1)).rows(torch.tensor([seed]))
        self.goal = kept[int(stream.child("goal").words(1)[0, 0]) * len(kept) >> 32]
        self.landings = stream.child("landing").words(steps)[0].tolist()
        self.par = 10.0 * (1 + max(0, steps - self.walks(self.goal)[self.first]) / self.mean_walk())

    @property
    def first(self) -> Cell:
        return self.cell

    def walks(self, start: Cell) -> dict[Cell, int]:
        found, waiting = {start: 0}, deque([start])
        while waiting:
            r, c = waiting.popleft()
            for dr, dc in MOVES:
                if (beside := (r + dr, c + dc)) in self.free and beside not in found:
                    found[beside] = found[r, c] + 1
                    waiting.append(beside)
        return found

    def mean_walk(self) -> float:
        walk = self.walks(self.goal)
        return sum(walk.values()) / (len(self.free) - 1)

    def act(self, step: int, action: int) -> float:
        r, c = self.cell[0] + MOVES[action][0], self.cell[1] + MOVES[action][1]
        if (r, c) in self.free:
            self.cell = (r, c)
        if self.cell != self.goal:
            return 0.0
        others = sorted(self.free - {self.goal})
        self.cell = others[self.landings[step] * len(others) >> 32]
        return 10.0

    def sees(self) -> list[float]:
        r, c = self.cell
        return [float((r + dr, c + dc) not in self.free) for dr in (-1, 0, 1) for dc in (-1, 0, 1)]


def agents(domain: MazeDomain, count: int, scale: float = 20.0) -> tuple[LinearNetwork, Batch]:
    network = LinearNetwork(bias=True)
    layout = network.build(network.structure, domain.inputs, domain.outputs)
    leaves = {n: x * scale for n, x in network.init(Stream(3), layout, count).items()}
    return network, Batch.of(Kind("affine", dict(network.structure)), leaves)


def evolved(domain: MazeDomain, count: int, generations: int, seed: int = 2) -> Batch:
    envs = domain.initial(Stream(1), count)
    for generation in range(generations):
        envs = domain.mutate(Stream(seed).child(generation).rows(torch.arange(count)), envs)
    return envs


def lived(domain: MazeDomain, envs: Batch, seeds: Tensor) -> Any:
    network, batch = agents(domain, len(envs))
    rows = torch.arange(len(envs))
    return domain.live(Pairs.of(Population((envs,)), Population((batch,)), rows, rows), network, seeds, record=True)


def test_lives_are_those_of_a_slow_and_plain_maze() -> None:
    domain = MazeDomain(max_steps=100)
    envs = evolved(domain, 30, 6)
    envs.leaves["split"][:] = torch.arange(30) % 3
    seeds = Stream(8).words(30)
    scores, life = lived(domain, envs, seeds)
    paid = 0
    for row in range(30):
        leaves = {name: leaf[row].tolist() for name, leaf in envs.leaves.items()}
        slow = Slow(leaves["free"], leaves["size"], leaves["goal"], leaves["split"], leaves["steps"], int(seeds[row]))
        total, thirds, reward, previous = 0.0, [0.0, 0.0, 0.0], 0.0, [0.0] * 4
        for step in range(slow.steps):
            seen = [*slow.sees(), reward / 10.0, *previous, 1.0, step / slow.steps]
            assert life.observations[step, row].tolist() == pytest.approx(seen)
            action = int(life.actions[step, row])
            reward, previous = slow.act(step, action), [float(action == move) for move in range(4)]
            total += reward
            thirds[0] += reward * (3 * step < slow.steps)
            thirds[2] += reward * (3 * step >= 2 * slow.steps)
            assert float(life.rewards[step, row]) == reward
            assert divmod(int(life.extras["cells"][step, row]), 15) == slow.cell
            assert bool(life.done[step, row]) is (step == slow.steps - 1)
        columns = {name: float(column[row]) for name, column in scores.columns.items()}
        assert columns["reward"] == total
        assert columns["goals"] == total / 10.0
        assert (columns["first_third"], columns["last_third"]) == (thirds[0], thirds[2])
        assert columns["fitness"] == pytest.approx(100.0 * total / slow.par)
        paid += total > 0
    assert paid > 8
    assert scores.cost == {"environment_steps": int(envs.leaves["steps"].sum())}


def test_a_move_into_a_wall_costs_what_was_said() -> None:
    plain, strict = MazeDomain(max_steps=80), MazeDomain(max_steps=80, wall_penalty=0.25)
    envs, seeds = plain.initial(Stream(1), 4), Stream(5).words(4)
    (one, life), (two, other) = (lived(domain, envs, seeds) for domain in (plain, strict))
    start = torch.full((1, 4), 3 * 15 + 3)
    for row in range(4):
        first = int((life.actions[:, row] != other.actions[:, row]).int().argmax()) or 80
        at = torch.cat([start, life.extras["cells"]])[:, row]
        bumps = (at[1:] == at[:-1]) & ~life.extras["reached"][:, row]
        assert torch.allclose(other.rewards[:first, row], life.rewards[:first, row] - 0.25 * bumps[:first])
    assert bool((two.columns["reward"] < one.columns["reward"]).any())


def test_an_answer_that_is_no_number_fails_its_row_alone() -> None:
    domain = MazeDomain(max_steps=80)
    network, batch = agents(domain, 3)
    batch.leaves["weight"][1] = torch.nan
    rows = torch.arange(3)
    scores = domain.live(Pairs.of(Population((domain.initial(Stream(1), 3),)), Population((batch,)), rows, rows), network, rows)
    assert scores.status.tolist() == [int(Status.OK), int(Status.NAN), int(Status.OK)]
    assert scores.fitness.isnan().tolist() == [False, True, False]


@settings(derandomize=True, max_examples=25, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 25), st.sampled_from([(15, 250), (9, 40), (7, 21)]))
def test_whatever_mutates_can_be_solved(seed: int, generations: int, limits: tuple[int, int]) -> None:
    max_size, max_steps = limits
    envs = MazeDomain(max_size=15).initial(Stream(1), 12)
    envs.leaves["steps"][:] = 20
    for generation in range(generations):
        envs = mutation.mutate(Stream(seed).child(generation).rows(torch.arange(12)), envs, max_size, max_steps)
    leaves = envs.leaves
    free, size = leaves["free"], leaves["size"]
    assert bool(connected(free).all())
    assert bool((size % 2 == 1).all())
    assert bool(((size >= 5) & (size <= max_size)).all())
    assert bool((leaves["steps"] <= max_steps).all())
    for row in range(12):
        inner = free[row, 1 : size[row] - 1, 1 : size[row] - 1]
        assert int(inner.sum()) == int(free[row].sum()) >= mutation.LEAST_FREE, "a free cell on the rim, or outside"
        assert bool(free[row, size[row] // 2, size[row] // 2])
    goals, walk = genome.goals(envs)
    low, high = leaves["goal"][:, 0], leaves["goal"][:, 1]
    asked = (walk >= low[:, None, None]) & (walk <= high[:, None, None]) & (walk < FAR) & (walk > 0)
    assert torch.equal(goals, asked), "the goal's rule leaves no cell"
    assert int(goals.flatten(1).sum(dim=1).min()) >= mutation.LEAST_GOALS, "agents can be born knowing where the goal is"
    farthest = torch.where(goals, walk, 0).flatten(1).amax(dim=1)
    assert bool((2 * farthest <= leaves["steps"].clamp(min=2)).all())


def test_every_gene_changes_in_time() -> None:
    domain = MazeDomain()
    parents = domain.initial(Stream(1), 40)
    children = domain.mutate(Stream(3).rows(torch.arange(40)), parents)
    same = {name: (children.leaves[name] == leaf).flatten(1 if leaf.ndim > 1 else 0) for name, leaf in parents.leaves.items()}
    for name in ("size", "free", "goal", "steps"):
        changed = ~(same[name].all(dim=1) if same[name].ndim > 1 else same[name])
        assert 5 <= int(changed.sum()) <= 38, name
    assert bool(same["split"].all())
    assert set(children.leaves["size"].tolist()) == {5, 7, 9}


def test_a_larger_maze_keeps_its_inside_and_a_smaller_one_what_still_fits() -> None:
    domain = MazeDomain()
    parents = evolved(domain, 60, 6)
    for row, (old, new) in enumerate(zip(parents.leaves["size"].tolist(), (parents.leaves["size"] + 2).tolist(), strict=True)):
        rng = Stream(row).rows(torch.tensor([row]))
        size, free = mutation._resized(rng, parents.take(torch.tensor([row])), torch.tensor([True]), 15)
        before = parents.leaves["free"][row]
        if int(size) == new:
            assert torch.equal(free[0, 2 : new - 2, 2 : new - 2], before[1 : old - 1, 1 : old - 1])
        elif int(size) == old - 2:
            inside = before[2 : old - 2, 2 : old - 2]
            assert not bool((free[0, 1 : old - 3, 1 : old - 3] & ~inside).any())


def test_seen_and_unseen_goals_share_none_and_lack_none() -> None:
    domain = MazeDomain()
    (both, _), (seen, walk), (unseen, _) = (genome.goals(domain.named(name)) for name in ("L7", "L7-seen", "L7-unseen"))
    assert not bool((seen & unseen).any())
    assert torch.equal(seen | unseen, both)
    assert (int(seen.sum()), int(unseen.sum())) == (15, 5)
    near = [float(walk[cells].double().mean()) for cells in (seen, unseen)]
    assert abs(near[0] - near[1]) < 0.3


def test_a_rule_that_leaves_no_cell_is_not_asked_for() -> None:
    envs = genome.mazes(genome.pillars(7, 9), 7, goal=(30, 40), split=genome.ALL)
    assert int(genome.goals(envs)[0].sum()) == 20
    one = genome.mazes(genome.pillars(7, 9), 7, goal=(6, 6), split=genome.UNSEEN)
    assert bool(genome.goals(one)[0].any())


def test_the_named_mazes_are_as_large_as_they_say_and_as_far_as_the_studies_found() -> None:
    domain = MazeDomain()
    mazes = Population.join(*(Population((domain.named(name),)) for name in ("L7", "L11", "L13")))[0].batches[0]
    assert mazes.leaves["free"].flatten(1).sum(dim=1).tolist() == [21, 65, 97]
    oracle, chance = oracle_reward(mazes, 400, Stream(1)), random_reward(mazes, 400, Stream(1))
    assert oracle.tolist() == pytest.approx([219.0, 325.0, 265.0], rel=0.03)
    assert chance.tolist() == pytest.approx([11.8, 7.5, 5.7], rel=0.35)
    walks = Walks(Ground(mazes), torch.arange(3).repeat_interleave(400), 200)
    walks.begin(torch.arange(1200), torch.arange(1200))
    assert par(walks).reshape(3, 400).mean(dim=1).tolist() == pytest.approx(oracle.tolist(), rel=0.04)


def test_a_maze_that_does_not_fit_is_refused_with_the_remedy() -> None:
    with pytest.raises(InputError, match="has 11 cells along a side, max_size is 9: raise it"):
        MazeDomain(start="L11", max_size=9)
    with pytest.raises(InputError, match="last 200 steps, max_steps is 100: raise it"):
        MazeDomain(start="L11", max_steps=100)


def test_walks_are_the_shortest_and_cells_are_counted_in_reading_order() -> None:
    free = torch.zeros(1, 5, 5, dtype=torch.bool)
    free[0, 1, 1:4] = free[0, 3, 1:4] = free[0, 2, 3] = True
    source = torch.zeros_like(free)
    source[0, 3, 1] = True
    assert distances(free, source)[0, 1].tolist() == [FAR, 6, 5, 4, FAR]
    assert nth(free, torch.tensor([[0, 3, 6]])).tolist() == [[6, 13, 18]]
    free[0, 2, 3] = False
    assert not bool(connected(free))
    assert int(distances(free, source)[0, 1, 1]) == FAR


def test_a_description_says_what_it_says() -> None:
    maze = genome.mazes(genome.pillars(7, 9), 7, goal=(2, 3), steps=80)
    size, *walls, dead, near, mean, far, steps = genome.describe(maze)[0].tolist()
    assert (size, dead, near, far, steps) == (7.0, 0.0, 2.0, 3.0, 8.0)
    assert walls == pytest.approx([100 / 4, 100 / 6, 100 / 6, 100 / 9])
    _, walk = genome.goals(maze)
    there = walk[(walk >= 2) & (walk <= 3)].double()
    assert mean == pytest.approx(float(there.mean()))


def test_mazes_on_unlike_canvases_are_lived_in_side_by_side() -> None:
    small, large = MazeDomain(max_size=9), MazeDomain(max_size=13)
    network, batch = agents(large, 2)
    rows = torch.tensor([0, 1])
    both = Population((small.named("L7"), large.named("L7")))
    scores = large.live(
        Pairs.of(both, Population((batch.take(torch.tensor([0, 0])),)), rows, rows), network, torch.tensor([6, 6])
    )
    assert scores.fitness[0] == scores.fitness[1]
