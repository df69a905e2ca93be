"""Recall of binary patterns: what an episode shows, how it is scored, and that plastic networks learn it by their traces."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

from aiga import Batch, Kind, Network, Pairs, Percept, Population, Status, Stream
from aiga.data import Leaves
from aiga.testing import LinearNetwork
from aiga_plasticity import Lstm, LstmNetwork, Plastic, PlasticNetwork
from aiga_recall import genome, lives
from aiga_recall.domain import RecallDomain
from aiga_recall.episodes import Binary, Episodes, episodes
from aiga_recall.genome import NAMED

WIDTH = 20
DOMAIN = RecallDomain(Binary(WIDTH))
TASK = {"bits": 16, "patterns": 3, "cycles": 4, "presentation": 2, "gap": 1, "probe": 5, "blank": 0.5}


def shown(count: int = 200, **numbers: float) -> Episodes:
    envs = genome.tasks(Kind("recall"), count, {**TASK, **numbers})
    return episodes(Stream(1).rows(torch.arange(count)), envs.leaves, Binary(WIDTH))


def pairs(network: Network, agents: int, lives_each: int, task: str = "pair", leaves: Leaves | None = None) -> Pairs:
    born = network.init(Stream(3), network.build(network.structure, DOMAIN.inputs, DOMAIN.outputs), agents)
    rows = torch.arange(agents).repeat_interleave(lives_each)
    batch = Batch.of(Kind("it", dict(network.structure)), born if leaves is None else leaves)
    return Pairs.of(Population((DOMAIN.named(task),)), Population((batch,)), torch.zeros_like(rows), rows)


def plastic(**options: Any) -> PlasticNetwork:
    return PlasticNetwork(Plastic.Options(**{"wiring": "additive", "value": False, **options}))


def test_patterns_are_balanced_and_differ_between_patterns_and_episodes() -> None:
    seen = shown().observations
    first = seen[0]
    assert set(first.unique().tolist()) == {-1.0, 0.0, 1.0}
    assert bool((first[:, 16:] == 0).all())
    assert bool((first.sum(dim=1) == 0).all())
    assert len(first.unique(dim=0)) > 190
    assert bool((shown(bits=15).observations[0].sum(dim=1) == -1).all())


def test_every_cycle_shows_every_pattern_once_in_an_order_of_its_own() -> None:
    seen = shown().observations[: 4 * 3 * 3].unflatten(0, (4, 3, 3))  # cycle, turn, step
    assert torch.equal(seen[:, :, 0], seen[:, :, 1])
    assert not bool(seen[:, :, 2].any())
    code = (seen[:, :, 0] * torch.arange(1.0, WIDTH + 1) ** 3).sum(dim=3)  # [cycle, turn, episode]: one number a pattern
    in_order = code.sort(dim=1).values
    assert bool((in_order == in_order[:1]).all())
    assert bool((in_order[0, 1:] != in_order[0, :-1]).all())
    orders = code.argsort(dim=1).permute(2, 0, 1)
    assert len(orders.flatten(0, 1).unique(dim=0)) == 6
    assert len(orders.flatten(1).unique(dim=0)) > 100


def test_the_probe_is_one_of_the_patterns_without_exactly_so_many_bits() -> None:
    for blank, count in ((0.5, 8), (0.25, 4), (0.9, 14)):
        seen = shown(blank=blank)
        probe = seen.observations[36:]
        assert len(probe) == 5
        assert bool((probe == probe[:1]).all())
        assert bool(((probe[0] == 0) & seen.used).sum(dim=1).eq(count).all())
        assert torch.equal(torch.where(seen.blanked, 0.0, seen.target), probe[0])
        turns = torch.stack([(seen.observations[turn] == seen.target).all(dim=1) for turn in (0, 3, 6)])
        assert bool((turns.sum(dim=0) == 1).all())
        assert bool((turns.double().mean(dim=1) > 0.2).all()), "patterns are not probed equally often"
        assert len(seen.blanked.unique(dim=0)) > 90


def test_episodes_of_unlike_tasks_lie_side_by_side_and_end_each_in_its_time() -> None:
    numbers = [{**TASK, "patterns": 2}, {**TASK, "cycles": 1, "gap": 0, "bits": 20}]
    leaves = [genome.tasks(Kind("recall"), 1, each).leaves for each in numbers]
    both = {name: torch.cat([leaf[name] for leaf in leaves]) for name in leaves[0]}
    together = episodes(Stream(1).rows(torch.tensor([7, 9])), both, Binary(WIDTH))
    assert together.length.tolist() == [4 * 2 * 3 + 5, 3 * 2 + 5]
    for row, key in enumerate((7, 9)):
        alone = episodes(Stream(1).rows(torch.tensor([key])), leaves[row], Binary(WIDTH))
        assert torch.equal(together.observations[: len(alone.observations), row], alone.observations[:, 0])
        assert torch.equal(together.target[row], alone.target[0])
        assert not bool(together.observations[len(alone.observations) :, row].any())


class Teller:
    """Answers what it sees, and a leaf on top."""

    structure: ClassVar[dict[str, int]] = {"version": 1}

    def newborn(self, leaves: Leaves) -> dict[str, Tensor]:
        return {}

    def step(self, leaves: Leaves, life: dict[str, Tensor], percept: Percept) -> Any:
        from aiga import Output

        return Output(percept.observation + leaves["told"]), life


def test_fitness_is_the_share_of_bits_whose_sign_is_right() -> None:
    told = torch.tensor([0.0, 2.0, -2.0, math.nan])[:, None].expand(4, WIDTH)
    network: Any = Teller()
    made = pairs(LinearNetwork(), 4, 50, leaves={"told": told})
    scores = DOMAIN.live(made, network, torch.arange(50).repeat(4))
    assert not isinstance(scores, tuple)
    fitness = scores.fitness.reshape(4, 50)
    assert bool((fitness[0] == 0.5).all()), "who repeats the probe has half the bits right"
    assert bool((fitness[1] == 0.5).all()), "patterns are balanced"
    assert bool((fitness[2] == 0.5).all())
    assert bool(fitness[3].isnan().all())
    assert torch.equal(scores.columns["error"][:150], 1.0 - scores.fitness[:150])
    assert scores.status.reshape(4, 50)[:, 0].tolist() == [int(Status.OK)] * 3 + [int(Status.NAN)]
    assert scores.reasons[150] == "an answer is not a number"
    assert scores.cost == {"environment_steps": 200 * 11}


def test_an_error_is_the_share_of_wrong_signs_or_what_is_left_of_the_blanked_part() -> None:
    seen = shown()
    changed = torch.where(seen.blanked, 0.5, 0.1) * seen.target
    changed[:, 0] *= -1
    assert not bool(lives.errors(changed.clone().abs() * seen.target, seen, signs=True).any())
    assert torch.allclose(lives.errors(changed, seen, signs=True), torch.tensor(1 / 16).double())
    assert torch.allclose(lives.errors(0.5 * seen.target, seen, signs=False), torch.tensor(0.25).double())
    assert torch.allclose(lives.errors(0.0 * seen.target, seen, signs=False), torch.tensor(1.0).double())
    assert bool(lives.errors(torch.nan * seen.target, seen, signs=False).isnan().all())


def test_the_loss_of_a_life_is_the_squared_error_of_its_last_answer() -> None:
    network = plastic(alpha_scale=0.5)
    made = pairs(network, 3, 4)
    answer, seen = lives.recall(made, network, Stream(5), DOMAIN.source)
    stepped = lives.recall(made, Bare(network), Stream(5), DOMAIN.source)[0]
    assert torch.allclose(answer, stepped, atol=1e-5)
    wanted = (answer - seen.target).square().mean(dim=1)
    assert torch.allclose(DOMAIN.loss(made, network, Stream(5)), wanted)


class Bare:
    """A network without capabilities."""

    def __init__(self, network: Network) -> None:
        self.structure, self.newborn, self.step = network.structure, network.newborn, network.step


@pytest.mark.parametrize("network", [plastic(alpha_scale=0.5), LstmNetwork(Lstm.Options(wiring="additive", units=30))])
def test_a_loss_and_its_gradients_hang_on_the_pair_alone(network: Network) -> None:
    made = pairs(network, 3, 4)
    keys = torch.arange(12) * 5
    order = torch.randperm(12, generator=torch.Generator().manual_seed(0))
    some = torch.tensor([0, 1, 5, 11, 10])
    leaves = made.agents.batches[0].leaves
    for leaf in leaves.values():
        leaf.requires_grad_()

    def found(rows: Tensor) -> tuple[Tensor, Tensor]:
        mine = made.take(rows)
        loss = DOMAIN.loss(mine, network, Stream(5).rows(keys[rows]))
        last = next(leaf for name, leaf in leaves.items() if name.endswith("recurrent"))
        return loss.detach(), torch.autograd.grad(loss[0], last)[0][made.agent[rows[0]]]

    whole, first = found(torch.arange(12))
    for rows in (order, some):  # of the second, agents have unequally many lives
        loss, gradient = found(rows)
        assert torch.allclose(loss, whole[rows], atol=1e-5)
        assert bool(gradient.any())
        if rows[0] == 0:
            assert torch.allclose(gradient, first, atol=1e-6)


def test_a_stream_without_row_keys_numbers_the_pairs() -> None:
    network = plastic()
    made = pairs(network, 1, 6)
    numbered = DOMAIN.loss(made, network, Stream(5).rows(torch.arange(6)))
    assert torch.equal(DOMAIN.loss(made, network, Stream(5)), numbered)
    assert not torch.equal(DOMAIN.loss(made, network, Stream(6)), numbered)


def trained(network: PlasticNetwork, updates: int) -> Leaves:
    leaves = network.init(Stream(1), network.build(network.structure, DOMAIN.inputs, DOMAIN.outputs), 1)
    leaves = {name: leaf.requires_grad_() for name, leaf in leaves.items()}
    made = pairs(network, 1, 64, leaves=leaves)
    optimiser = torch.optim.Adam(leaves.values(), lr=0.03)
    for update in range(updates):
        loss = DOMAIN.loss(made, network, Stream(1).child(update)).mean()
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return {name: leaf.detach() for name, leaf in leaves.items()}


def test_a_trained_network_recalls_by_its_traces_and_shuffling_them_across_episodes_destroys_it() -> None:
    network = plastic()
    leaves = {name: leaf.expand(200, *leaf.shape[1:]) for name, leaf in trained(network, 80).items()}
    envs = DOMAIN.named("pair", 200)
    seen = episodes(Stream(9).rows(torch.arange(200)), envs.leaves, DOMAIN.source)
    begin = int(genome.shown(envs.leaves)[0])

    def error(between: Any) -> float:
        life = network.newborn(leaves)
        for step, observation in enumerate(seen.observations):
            life = between(life) if step == begin else life
            output, life = network.step(leaves, life, Percept(observation))
        return float(lives.errors(output.action, seen, signs=True).mean())

    order = torch.arange(200).roll(1)
    assert error(lambda life: life) < 0.06
    assert error(lambda life: {**life, "units": life["units"][order]}) < 0.06
    assert error(lambda life: {**life, "trace": life["trace"][order]}) > 0.2
    assert error(lambda life: {**life, "trace": torch.zeros_like(life["trace"])}) > 0.2


def test_mutation_moves_the_chosen_numbers_by_one_step_within_their_ranges() -> None:
    domain = RecallDomain(Binary(WIDTH), categories=("bits", "patterns", "blank"), steps=60)
    envs = domain.initial(Stream(0), 300)
    seen = []
    for generation in range(30):
        children = domain.mutate(Stream(generation), envs)
        moved = domain.describe(children) - domain.describe(envs)
        assert set(moved[:, 0].tolist()) <= {-2.0, 0.0, 2.0}
        assert set(moved[:, 1].tolist()) <= {-1.0, 0.0, 1.0}
        assert bool((moved[:, 2:6] == 0).all())
        assert bool((moved[:, 6].abs() < 0.11).all())
        envs = children
        seen.append(domain.describe(envs))
    every = torch.cat(seen)
    assert every[:, 0].min() == 4
    assert every[:, 0].max() == WIDTH
    assert every[:, 1].min() == 1
    assert every[:, 6].min() == 0.1
    assert every[:, 6].max() == 0.9
    assert int(genome.length(envs.leaves).max()) <= 60
    assert every[:, 1].max() == (60 - 3) // 4


def test_named_tasks_are_those_of_the_paper_that_fit() -> None:
    assert DOMAIN.names == ("pair", "five", "three")
    assert RecallDomain(Binary(WIDTH), steps=110).names == ("pair", "five")
    assert {name: int(genome.length(DOMAIN.named(name).leaves)[0]) for name in NAMED} == {"pair": 11, "five": 106, "three": 201}


def test_distance_counts_steps_of_mutation() -> None:
    one, other = (genome.tasks(Kind("recall"), 1, {**TASK, **change}) for change in ({}, {"bits": 20, "blank": 0.8}))
    assert DOMAIN.distance(one, other).item() == pytest.approx(math.hypot(2, 3))


def test_agents_of_unlike_kinds_are_refused() -> None:
    network = plastic()
    first, second = pairs(network, 1, 1), pairs(LinearNetwork(), 1, 1)
    both = Pairs.join(first, second)
    with pytest.raises(ValueError, match="agents of one kind, not of 2"):
        DOMAIN.live(both, network, torch.arange(2))
