"""The domain ``cartpole``: the suite, agreement with Gymnasium, genes, ends of lives."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from torch import Tensor

import aiga
from aiga import Batch, Domain, InputError, Kind, Pairs, Population, Stream
from aiga.testing import DomainSuite
from aiga_cartpole import CartPole, genome
from aiga_cartpole.carts import LEAN, TRACK, Carts, born
from aiga_cartpole.domain import CartPoleDomain
from aiga_networks.mlp import MlpNetwork, MlpOptions

LINEAR = MlpNetwork(MlpOptions(hidden=(), output="identity"))
BALANCING = (0.3, 0.3, 8.0, 1.0)  # pushes to where the pole leans and the cart drifts


class TestCartPoleDomain(DomainSuite):
    @pytest.fixture
    def domain(self) -> Domain:
        return CartPoleDomain(steps=60)


class TestGreedyCartPole(DomainSuite):
    generations = 8

    @pytest.fixture
    def domain(self) -> Domain:
        return CartPoleDomain(steps=60, actions="greedy")


def agents(weights: Tensor) -> Batch:
    """Linear agents that push to the right where ``weights`` ``[B, 4]`` times what is seen exceed zero."""
    both = torch.stack([-weights, weights], dim=2).float()
    return Batch.of(Kind("mlp", {}), {"000.identity.weight": both, "000.identity.bias": torch.zeros(len(weights), 2)})


def lived(domain: CartPoleDomain, envs: Batch, weights: Tensor, seeds: Tensor, record: bool = True) -> Any:
    pairs = Pairs.of(Population((envs,)), Population((agents(weights),)), torch.arange(len(envs)), torch.arange(len(envs)))
    return domain.live(pairs, LINEAR, seeds, record=record)


def balancing(count: int, strength: float = 100.0) -> Tensor:
    return torch.tensor(BALANCING).expand(count, 4) * strength


def carts(state: Tensor, **doublings: float) -> Carts:
    physics = genome.physics(genome.environment(doublings))
    return Carts({name: value.expand(state.shape[1]) for name, value in physics.items()}, state)


@pytest.mark.parametrize("episode", range(12))
def test_random_actions_lead_where_they_lead_in_gymnasium(episode: int) -> None:
    env: Any = gymnasium.make("CartPole-v1")
    env.reset(seed=episode)
    ours, chance = carts(torch.tensor(np.array(env.unwrapped.state))[:, None]), np.random.default_rng(episode)
    over = False
    while not over:
        action = int(chance.integers(2))
        seen, reward, over, truncated, _ = env.step(action)
        ours.push(torch.tensor([action == 1]))
        assert np.abs(ours.state[:, 0].numpy() - env.unwrapped.state).max() <= 1e-9
        assert np.array_equal(ours.state[:, 0].float().numpy(), seen)
        assert bool(ours.fallen) == over
        assert (reward, truncated) == (1.0, False)


@pytest.mark.parametrize(("steps", "strength"), [(500, 100.0), (500, -100.0), (40, 100.0), (500, 1.0)])
def test_a_life_is_an_episode_of_gymnasiums_to_its_last_step(steps: int, strength: float) -> None:
    domain = CartPoleDomain(steps=steps)
    scores, life = lived(domain, domain.initial(Stream(1), 3), balancing(3, strength), Stream(2).words(3))
    for row in range(3):
        env: Any = gymnasium.make("CartPole-v1", max_episode_steps=steps)
        env.reset()
        state = born(torch.full((1,), 0.05, dtype=torch.float64), Stream(2).words(3)[[row]])[:, 0].numpy()
        env.unwrapped.state = state
        seen, total, over = state.astype(np.float32), 0.0, False
        for step in range(int(scores.fitness[row])):
            assert np.abs(life.observations[step, row].numpy() - seen).max() <= 1e-6
            assert not over
            seen, reward, terminated, truncated, _ = env.step(int(life.actions[step, row]))
            over, total = terminated or truncated, total + reward
            assert np.abs(life.extras["state"][step, row].numpy() - env.unwrapped.state).max() <= 1e-9
            assert (bool(life.done[step, row]), bool(life.extras["fallen"][step, row])) == (over, terminated)
            assert float(life.rewards[step, row]) == reward
            env.unwrapped.state = life.extras["state"][step, row].numpy()  # a fall would magnify the last places
        assert over
        assert float(scores.fitness[row]) == total


def test_a_pole_that_is_balanced_stands_to_the_end_and_one_that_is_not_falls() -> None:
    domain = CartPoleDomain()
    envs = domain.initial(Stream(1), 50)
    assert lived(domain, envs, balancing(50), Stream(2).words(50), record=False).fitness.eq(500.0).all()
    scores, life = lived(domain, envs, balancing(50, -100.0), Stream(2).words(50))
    assert float(scores.fitness.max()) < 15
    assert len(life.rewards) == int(scores.fitness.max())
    assert scores.cost == {"environment_steps": int(scores.fitness.sum())}


def test_a_fallen_pole_stays_as_it_fell() -> None:
    ours = carts(torch.tensor([[0.0, TRACK - 1e-3, 0.0], [0.0, 1.0, 0.0], [LEAN - 1e-3, 0.0, 0.0], [1.0, 0.0, 0.0]]).double())
    ours.push(torch.ones(3, dtype=torch.bool))
    assert ours.fallen.tolist() == [True, True, False]
    before = ours.state
    for _ in range(100):
        ours.push(torch.zeros(3, dtype=torch.bool))
    assert torch.equal(ours.state[:, :2], before[:, :2])
    assert bool(ours.state.isfinite().all())


def test_greedy_actions_are_the_likeliest_and_sampled_ones_are_drawn() -> None:
    envs, weights = CartPoleDomain().initial(Stream(1), 4), balancing(4, 0.25)
    for actions, mean in (("greedy", 1.0), ("sampled", 0.8)):
        _, life = lived(CartPoleDomain(actions=actions), envs, weights, Stream(3).words(4))  # type: ignore[arg-type]
        likeliest = life.extras["logits"].argmax(dim=2) == life.actions
        assert bool(likeliest.all()) is (actions == "greedy")
        assert float(likeliest.double().mean()) <= mean


def test_birth_is_within_the_spread_and_every_life_has_its_own() -> None:
    spread = torch.tensor([0.05, 0.2], dtype=torch.float64).repeat_interleave(4000)
    states = born(spread, torch.arange(8000))
    for part, most in zip(states.split(4000, dim=1), (0.05, 0.2), strict=True):
        assert bool((part.abs() <= most).all())
        assert part.double().std(dim=1).tolist() == pytest.approx([most / 3**0.5] * 4, rel=0.03)
        assert part.mean(dim=1).tolist() == pytest.approx([0.0] * 4, abs=0.06 * most)


def test_genes_are_doublings_of_the_plain_quantities() -> None:
    plain = {name: gene.plain for name, gene in genome.GENES.items()}
    assert {name: float(value) for name, value in genome.physics(genome.environment({})).items()} == plain
    for doublings in (-2.0, -0.7, 1.0, 2.0, 3.3, 4.0):
        found = genome.physics(genome.environment(dict.fromkeys(plain, doublings)))
        assert {n: float(v) for n, v in found.items()} == pytest.approx(
            {n: v * 2**doublings for n, v in plain.items()}, rel=1e-14
        )


def test_every_gene_changes_in_time_and_none_leaves_its_bounds() -> None:
    domain = CartPoleDomain(sigma=1.5)
    envs = domain.initial(Stream(1), 60)
    first = domain.mutate(Stream(2).rows(torch.arange(60)), envs)
    changed = torch.stack([first.leaves[name] != 0.0 for name in genome.GENES])
    assert bool((changed.sum(dim=1) >= 15).all())
    assert bool((changed.sum(dim=1) <= 55).all())
    assert bool(changed.any(dim=0).all())
    for generation in range(20):
        envs = domain.mutate(Stream(3).child(generation).rows(torch.arange(60)), envs)
    for name, gene in genome.GENES.items():
        assert float(envs.leaves[name].min()) == gene.low
        assert float(envs.leaves[name].max()) == gene.high


def stood(name: str, strength: float) -> float:
    """Mean steps of 200 lives of an agent that balances, the more clumsily the less strength there is in its logits."""
    domain = CartPoleDomain(steps=200)
    envs = domain.named(name).take(torch.zeros(200, dtype=torch.int64))
    return float(lived(domain, envs, balancing(200, strength), Stream(5).words(200), record=False).fitness.mean())


@pytest.mark.parametrize("name", CartPoleDomain.names)
def test_a_named_environment_can_be_lived_in_and_is_harder_than_the_plain_one(name: str) -> None:
    assert stood(name, 1000.0) == 200.0
    assert name == genome.PLAIN or stood(name, 0.8) < stood(genome.PLAIN, 0.8) - 5.0


def test_solved_is_195_of_200_steps_and_the_options_reach_the_domain() -> None:
    found: dict[str, Any] = {}
    registry: Any = SimpleNamespace(domain=found.__setitem__)
    CartPole(CartPole.Options()).aiga_register(registry)
    assert (found["cartpole"].steps, found["cartpole"].solved, found["cartpole"].actions) == (500, 487.5, "sampled")
    assert genome.describe(found["cartpole"].initial(Stream(1), 2)).tolist() == [[0.0] * 6] * 2
    CartPole(CartPole.Options(start="heavy-pole", steps=200, actions="greedy", sigma=0.1)).aiga_register(registry)
    domain = found["cartpole"]
    assert (domain.steps, domain.solved, domain.actions, domain.sigma) == (200, 195.0, "greedy", 0.1)
    assert domain.initial(Stream(1), 1).leaves["pole_mass"].tolist() == [4.0]


def test_an_unknown_name_is_refused_with_the_remedy() -> None:
    with pytest.raises(InputError, match="Did you mean 'long-pole'"):
        CartPoleDomain("long_pole")
    plugin = CartPole(CartPole.Options(start="tall"))
    with pytest.raises(aiga.InputError, match=r"\[plugins.cartpole.options\] start: no cartpole environment is named 'tall'"):
        plugin.aiga_register(SimpleNamespace())  # type: ignore[arg-type]


def test_environments_that_another_batch_holds_too_live_the_same() -> None:
    domain = CartPoleDomain(steps=80)
    envs = [domain.named(name) for name in domain.names[:3]]
    several = Population(tuple(replace(env, ids=env.ids + 1 + row) for row, env in enumerate(envs)))
    pairs = Pairs.of(
        several, Population((agents(balancing(1, 2.0)),)), torch.tensor([2, 0, 1]), torch.zeros(3, dtype=torch.int64)
    )
    scores: Any = domain.live(pairs, LINEAR, torch.tensor([7, 8, 9]))
    for row, which in enumerate((2, 0, 1)):
        alone = lived(domain, envs[which], balancing(1, 2.0), torch.tensor([[7, 8, 9][row]]), record=False)
        assert float(alone.fitness[0]) == float(scores.fitness[row])
