from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

import aiga_maze.plugin
from aiga import Batch, Kind, Lab, Network, Optimiser, Pairs, Percept, Population, Stream, Trajectory
from aiga.adam import descend, start_adam
from aiga.data import Leaves, flatten
from aiga.sums import tree_sum
from aiga.testing import OptimiserSuite, bench, linear
from aiga_cue.domain import CueDomain
from aiga_maze.domain import MazeDomain
from aiga_plasticity import A2cOptions, ActorCritic, BackpropamineNetwork, RnnNetwork
from aiga_plasticity.a2c import discounted
from aiga_plasticity.options import BackpropamineOptions, RnnOptions

MAZES: dict[str, Any] = {
    "run": {"workers": 0, "episodes": 1, "device": "cpu"},
    "population": {"domain": "maze", "networks": ["linear", "affine"]},
    "plugins": {
        "maze": {"path": aiga_maze.plugin.__file__, "options": {"max_steps": 80}},
        "linear": {"path": linear.__file__},
    },
}


class TestA2c(OptimiserSuite):
    """In mazes; agents without a memory learn to bump into fewer walls."""

    steps = 12

    @pytest.fixture
    def optimiser(self) -> Optimiser:
        return ActorCritic(A2cOptions(episodes=16, lr=0.1))

    @pytest.fixture
    def lab(self) -> Iterator[Lab]:
        with bench(MAZES) as lab:
            yield lab


def learner(**options: Any) -> ActorCritic:
    return ActorCritic(A2cOptions(**{"episodes": 4, **options}))


def rnn(units: int = 6) -> RnnNetwork:
    return RnnNetwork(RnnOptions(units=units))


def born(network: Network, domain: Any, count: int, seed: int = 1) -> Batch:
    layout = network.build(network.structure, domain.inputs, domain.outputs)
    return Batch.of(Kind("it", dict(network.structure)), network.init(Stream(seed), layout, count))


def update(it: ActorCritic, domain: Any, network: Network, agents: Batch, seeds: Tensor) -> tuple[Batch, dict[str, Tensor]]:
    envs, state = domain.initial(Stream(1), 1), it.start(Population((agents,)))[agents.kind.hash]
    home = torch.zeros(len(agents), dtype=torch.int64)
    new, state, _ = it.update(domain, network, Population((envs,)), home, agents, seeds, state)
    return new, state


def gradient(it: ActorCritic, domain: Any, network: Network, agents: Batch, seeds: Tensor) -> Tensor:
    """``[B, D]``: the first moment after a first step is a tenth of the gradient."""
    return update(it, domain, network, agents, seeds)[1]["m"] * 10.0


def by_hand(network: Network, leaves: Leaves, life: Trajectory, options: A2cOptions) -> Tensor:
    """The loss of one life, lived again alone and written down step by step."""
    state, reward, previous = network.newborn(leaves), torch.zeros(1), torch.zeros(1, life.extras["logits"].shape[2])
    logits, values = [], []
    for step in range(len(life.rewards)):
        output, state = network.step(leaves, state, Percept(life.observations[step], reward, None, previous))
        logits.append(output.action[0])
        assert output.value is not None
        values.append(output.value[0])
        reward = life.rewards[step]
        previous = torch.nn.functional.one_hot(life.actions[step], previous.shape[1]).float()
    total = torch.zeros(())
    for step in range(len(logits)):
        back = sum(options.gamma ** (later - step) * float(life.rewards[later, 0]) for later in range(step, len(logits)))
        chance = torch.softmax(logits[step], dim=0)
        mixed = (chance**2).sum() if options.bonus == "simpson" else (chance * chance.log()).sum()
        advantage = back - values[step].item()
        total = total - chance[life.actions[step, 0]].log() * advantage
        total = total + options.value * (back - values[step]) ** 2 + options.bonus_weight * mixed
    return total / len(logits)


@pytest.mark.parametrize("bonus", ["simpson", "entropy"])
@pytest.mark.parametrize("network", [rnn(), BackpropamineNetwork(BackpropamineOptions(units=6, alpha_scale=0.5))])
def test_the_gradient_is_autograds_of_one_life_that_is_lived_alone(network: Network, bonus: str) -> None:
    domain = CueDomain("mini", max_bits=8, max_steps=40)
    it = learner(episodes=1, clip=1e9, bonus=bonus, bonus_weight=0.7)
    agents, seeds = born(network, domain, 1), torch.tensor([[77]])
    found = gradient(it, domain, network, agents, seeds)

    one = torch.zeros(1, dtype=torch.int64)
    pairs = Pairs.of(Population((domain.initial(Stream(1), 1),)), Population((agents,)), one, one)
    _, life = domain.live(pairs, network, seeds[0], record=True)  # type: ignore[misc]
    assert bool(life.rewards.any())
    leaves = {name: leaf.clone().requires_grad_() for name, leaf in agents.leaves.items()}
    loss = by_hand(network, leaves, life, it.options)
    parts = torch.autograd.grad(loss, list(leaves.values()), materialize_grads=True)
    expected = flatten(dict(zip(leaves, parts, strict=True)))
    assert float(expected.norm()) > 1e-3
    assert torch.allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_the_gradient_of_many_lives_and_agents_is_the_mean_of_each_ones_own() -> None:
    domain, network = CueDomain("mini", max_bits=8, max_steps=40), rnn()
    agents, seeds, it = born(network, domain, 3), Stream(4).words(3, 5), learner(clip=1e9)
    whole = gradient(it, domain, network, agents, seeds)
    for row in range(3):
        one = agents.take(torch.tensor([row]))
        each = torch.stack([gradient(it, domain, network, one, seeds[row : row + 1, life : life + 1])[0] for life in range(5)])
        assert torch.allclose(whole[row], each.mean(dim=0), rtol=1e-3, atol=1e-6)


def test_in_how_many_graphs_lives_are_lived_plays_no_part() -> None:
    domain, network = CueDomain("mini", max_bits=8, max_steps=40), rnn()
    agents, seeds = born(network, domain, 3), Stream(4).words(3, 5)
    whole = gradient(learner(clip=1e9), domain, network, agents, seeds)
    for block in (1, 2, 5, 7, 10):
        assert torch.allclose(
            gradient(learner(clip=1e9, block=block), domain, network, agents, seeds), whole, rtol=1e-3, atol=1e-6
        )


def trajectory(rewards: Tensor, values: Tensor | None, done: Tensor | None = None) -> Trajectory:
    steps, lives = rewards.shape
    logits = torch.zeros(steps, lives, 2, requires_grad=True)
    over = torch.arange(steps)[:, None].expand(steps, lives) == steps - 1 if done is None else done
    extras = {"logits": logits} if values is None else {"logits": logits, "values": values}
    return Trajectory(torch.zeros(steps, lives, 1), torch.zeros(steps, lives, dtype=torch.int64), rewards, over, extras)


def push(it: ActorCritic, life: Trajectory, lives: int) -> Tensor:
    """``[T, P]``: how far each life's loss pushes the logit of the action that was taken."""
    (found,) = torch.autograd.grad(it.losses(life, lives).sum(), life.extras["logits"])
    return -found[:, :, 0] * len(life.rewards) * 2.0  # of an even chance


def test_every_life_is_judged_by_its_own_value() -> None:
    it = learner(gamma=0.5, bonus_weight=0.0)
    rewards = torch.tensor([[0.0, 1.0], [2.0, 1.0]])
    values = torch.tensor([[0.25, 9.0], [0.5, -4.0]])
    assert torch.allclose(push(it, trajectory(rewards, values), 2), torch.tensor([[0.75, -7.5], [1.5, 5.0]]))


def test_the_released_codes_slip_judges_every_life_by_the_value_of_the_agents_first() -> None:
    it = learner(gamma=0.5, bonus_weight=0.0, value=0.5, baseline="first")
    rewards = torch.tensor([[0.0, 1.0, 4.0, 8.0], [2.0, 1.0, 0.0, 0.0]])
    values = torch.tensor([[0.25, 9.0, 1.0, 7.0], [0.5, -4.0, 2.0, 5.0]], requires_grad=True)
    life = trajectory(rewards, values)
    assert torch.allclose(push(it, life, 2), torch.tensor([[0.75, 1.25, 3.0, 7.0], [1.5, 0.5, -2.0, -2.0]]))
    (by_values,) = torch.autograd.grad(it.losses(life, 2).sum(), values)
    assert torch.allclose(by_values, torch.tensor([[-1.0, 0.0, -5.0, 0.0], [-1.0, 0.0, 2.0, 0.0]]))


def test_lives_that_no_gradient_goes_through_are_refused() -> None:
    life = trajectory(torch.ones(2, 2), None)
    still = replace(life, extras={"logits": life.extras["logits"].detach()})
    with pytest.raises(ValueError, match="no gradient goes through"):
        learner().losses(still, 2)
    with torch.no_grad():
        assert learner().losses(still, 2).shape == (2,)


def test_without_values_lives_are_judged_by_the_agents_others() -> None:
    it = learner(gamma=0.0, bonus_weight=0.0)
    rewards = torch.tensor([[3.0, 1.0, 2.0, 10.0, 20.0, 30.0]])
    assert torch.allclose(push(it, trajectory(rewards, None), 3), torch.tensor([[1.5, -1.5, 0.0, -15.0, 0.0, 15.0]]))
    assert torch.allclose(push(it, trajectory(rewards[:, :2], None), 1), torch.tensor([[3.0, 1.0]]))


def test_what_comes_after_the_end_of_a_life_plays_no_part() -> None:
    it, done = learner(gamma=1.0, bonus_weight=0.3, value=0.5), torch.tensor([[False, True], [True, True]])
    rewards, values = torch.tensor([[1.0, 5.0], [1.0, 5.0]]), torch.zeros(2, 2, requires_grad=True)
    life = trajectory(rewards, values, done)
    losses = it.losses(life, 2)
    by_logits, by_values = torch.autograd.grad(losses.sum(), (life.extras["logits"], values))
    assert by_logits[1, 1].tolist() == [0.0, 0.0]
    assert float(by_values[1, 1]) == 0.0
    assert torch.allclose(by_values, torch.tensor([[-1.0, -5.0], [-0.5, 0.0]]))
    # Simpson's sum of an even choice is a half; -log(1 / 2) weighs 2 and 1, and 5.
    log = float(torch.tensor(2.0).log())
    assert losses.tolist() == pytest.approx([(3 * log + 0.5 * 5 + 0.3) / 2, 5 * log + 0.5 * 25 + 0.15])


def test_rewards_are_discounted_from_the_end() -> None:
    assert discounted(torch.tensor([[1.0], [0.0], [4.0]]), 0.5)[:, 0].tolist() == [2.0, 2.0, 4.0]


def test_each_agents_gradient_is_cut_to_the_same_length_by_itself() -> None:
    domain, network = MazeDomain(max_steps=80), rnn()
    agents, seeds = born(network, domain, 3), Stream(4).words(3, 6)
    whole = gradient(learner(clip=1e9), domain, network, agents, seeds)
    length = whole.norm(dim=1)
    clip = float(length.sort().values[1] * 0.9)
    cut = gradient(learner(clip=clip), domain, network, agents, seeds)
    assert torch.allclose(cut.norm(dim=1), length.clamp(max=clip), rtol=1e-4)
    assert torch.allclose(cut / cut.norm(dim=1)[:, None], whole / length[:, None], atol=1e-5)
    assert len(set((length > clip).tolist())) == 2


def test_an_agent_that_answers_no_numbers_stays_as_it_is_and_the_others_learn() -> None:
    domain, network = MazeDomain(max_steps=80), rnn()
    agents = born(network, domain, 3)
    next(iter(agents.leaves.values()))[1] = torch.nan
    new, state = update(learner(), domain, network, agents, Stream(4).words(3, 4))
    for name, leaf in agents.leaves.items():
        assert torch.equal(new.leaves[name][1].nan_to_num(), leaf[1].nan_to_num())
        assert bool(new.leaves[name][[0, 2]].isfinite().all())
    assert state["first"].tolist() == pytest.approx([0.9, 1.0, 0.9])
    assert bool((state["m"][[0, 2]] != 0).any(dim=1).all())


def test_steps_are_those_of_adam() -> None:
    rows = torch.tensor([[0.5, -1.0, 2.0], [0.1, 0.0, -3.0]])
    state, x = start_adam(rows), torch.nn.Parameter(rows[0].double())
    adam = torch.optim.Adam([x], lr=0.05, eps=1e-4)
    for step in range(5):
        slope = torch.tensor([[0.3, -2.0, 1e-3], [9.0, 9.0, 9.0]]) * (step + 1)
        rows, state = descend(rows, slope, state, 0.05, 1e-4)
        x.grad = slope[0].double()
        adam.step()
        assert torch.allclose(rows[0].double(), x.detach(), atol=1e-6)


def test_a_sum_of_any_length_is_a_sum() -> None:
    terms = Stream(1).rows(torch.arange(3)).normal(37).double()
    assert torch.allclose(tree_sum(terms), terms.sum(dim=1))
    assert torch.equal(tree_sum(terms)[1:2], tree_sum(terms[1:2]))


def test_memories_are_trained_within_seconds() -> None:
    """In the smallest of the study's mazes agents that remember are soon paid half as often again, and more."""
    domain, network = MazeDomain(max_size=7, max_steps=80), rnn(24)
    agents, it = born(network, domain, 3), learner(episodes=32, lr=5e-3)
    envs = Population((domain.initial(Stream(1), 1),))
    state = it.start(Population((agents,)))[agents.kind.hash]
    home, lives = torch.zeros(3, dtype=torch.int64), torch.arange(300)

    def reward() -> float:
        pairs = Pairs.of(envs, Population((agents,)), torch.zeros_like(lives), lives % 3)
        scores = domain.live(pairs, network, lives + 10**6)
        assert not isinstance(scores, tuple)
        return float(scores.columns["reward"].mean())

    before = reward()
    for step in range(160):
        agents, state, _ = it.update(domain, network, envs, home, agents, Stream(9).child(step).words(3, 32), state)
    assert reward() > 1.5 * before


def test_work_is_counted_under_the_optimisers_name() -> None:
    with bench(MAZES, plugin="a2c") as lab:
        niches, it = lab.niches, learner(episodes=3)
        pairs = Pairs.of(niches.envs, niches.agents, niches.env, niches.agent)
        it.improve(lab, pairs, it.start(niches.agents), 2)
        counted = {
            kind: amount for plugin, purpose, kind, amount in lab.meter.rows() if (plugin, purpose) == ("a2c", "improve")
        }
    assert counted == {"episodes": 12, "gradient_steps": 4, "environment_steps": 12 * 80}


def test_a_domain_without_logits_is_refused_with_the_remedy() -> None:
    with bench() as lab:
        niches, it = lab.niches, learner()
        pairs = Pairs.of(niches.envs, niches.agents, niches.env, niches.agent)
        with pytest.raises(ValueError, match="recorded lives hold none"):
            it.improve(lab, pairs, it.start(niches.agents), 1)


def test_agents_that_are_implicit_or_live_twice_are_refused() -> None:
    with bench(MAZES) as lab:
        niches, it = lab.niches, learner()
        twice = Pairs.of(niches.envs, niches.agents, niches.env, torch.zeros_like(niches.agent))
        with pytest.raises(ValueError, match="must live in exactly one niche"):
            it.improve(lab, twice, it.start(niches.agents), 1)
        (batch, *_) = niches.agents.batches
        with pytest.raises(ValueError, match="explicit, one batch a kind"):
            it.start(Population((batch, replace(batch))))


@pytest.mark.parametrize("options", [{"gamma": 1.5}, {"episodes": 0}, {"bonus": "none"}, {"clip": 0.0}])
def test_options_that_make_no_sense_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        A2cOptions(**options)
