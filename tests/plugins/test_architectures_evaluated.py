"""Populations of unlike architectures: evaluated in one call a bucket, each agent with the same bits in any company."""

from __future__ import annotations

import random
from typing import Any

import torch
from torch import Tensor

from aiga import Batch, Kind, Network, Noise, Pairs, Population, Scores, Stream, Trajectory
from aiga.registry import Components
from aiga.testing.points import PointsDomain
from aiga_architectures import Perceptron, PerceptronNetwork, Policy, PolicyNetwork
from aiga_local.executor import LocalExecutor


class Counting(PointsDomain):
    """Notes how many pairs each call lives, and the shapes of its agents."""

    def __init__(self) -> None:
        self.calls: list[int] = []

    def live(self, pairs: Pairs, network: Network, seeds: Tensor, record: bool = False) -> Scores | tuple[Scores, Trajectory]:
        self.calls.append(len(pairs))
        return super().live(pairs, network, seeds, record)


def executor_of(domain: PointsDomain) -> tuple[LocalExecutor, PerceptronNetwork]:
    components, network = Components(), PerceptronNetwork(Perceptron.Options())
    components.domain("points", domain)
    components.network("perceptron", network)
    return LocalExecutor(components, device_block=64), network


def structures(count: int) -> list[dict[str, Any]]:
    chance, network = random.Random(1), PerceptronNetwork(Perceptron.Options())
    hidden = [[chance.randint(1, 70) for _ in range(chance.randint(1, 3))] for _ in range(count)]
    return [{**network.structure, "hidden": each} for each in hidden]


def batch_of(network: PerceptronNetwork, structure: dict[str, Any], key: int) -> Batch:
    layout = network.build(structure, PointsDomain.inputs, PointsDomain.outputs)
    return Batch.of(Kind("perceptron", structure), network.init(Stream(1).rows(torch.tensor([key])), layout, 1))


def everyone(network: PerceptronNetwork, count: int = 32) -> Population:
    return Population(tuple(batch_of(network, structure, key) for key, structure in enumerate(structures(count))))


def home(agents: Population) -> Pairs:
    """Each agent at one and the same point."""
    envs = PointsDomain().mutate(Stream(3).rows(torch.arange(1)), PointsDomain().initial(Stream(2), 1))
    return Pairs.of(Population((envs,)), agents, torch.zeros(len(agents), dtype=torch.int64), torch.arange(len(agents)))


def test_unlike_architectures_are_lived_in_one_call_a_bucket() -> None:
    domain = Counting()
    executor, network = executor_of(domain)
    scores = executor.run("points", home(everyone(network)), torch.zeros(32, 1, dtype=torch.int64))
    buckets = {str(network.bucket(structure)) for structure in structures(32)}
    assert bool(scores.ok.all())
    assert len(domain.calls) == len(buckets) < 14
    assert sum(domain.calls) == 32


def test_policies_and_perceptrons_live_side_by_side_in_a_call_a_bucket_each() -> None:
    domain, components = Counting(), Components()
    components.domain("points", domain)
    policy, perceptron = PolicyNetwork(Policy.Options()), PerceptronNetwork(Perceptron.Options())
    batches, buckets = [], set()
    for name, network in (("policy", policy), ("perceptron", perceptron)):
        components.network(name, network)
        for key, structure in enumerate(network.space.initial(Stream(4), 12)):
            layout = network.build(structure, PointsDomain.inputs, PointsDomain.outputs)
            born = network.init(Stream(1).rows(torch.tensor([key])), layout, 1)
            batches.append(Batch.of(Kind(name, structure), born))
            buckets.add(Kind(name, network.bucket(structure)))
    scores = LocalExecutor(components).run("points", home(Population(tuple(batches))), torch.zeros(24, 2, dtype=torch.int64))
    assert bool(scores.ok.all())
    assert len(domain.calls) == len(buckets) < 24


def test_an_agent_has_the_same_score_to_the_bit_beside_any_architectures() -> None:
    executor, network = executor_of(PointsDomain())
    pairs = home(everyone(network))
    whole = executor.run("points", pairs, torch.zeros(32, 1, dtype=torch.int64))
    for row in range(0, 32, 5):
        alone = executor.run("points", pairs.take(torch.tensor([row])), torch.zeros(1, 1, dtype=torch.int64))
        assert torch.equal(alone.fitness, whole.fitness[row : row + 1])
        recorded, _ = executor.record("points", pairs.take(torch.tensor([row])), torch.zeros(1, dtype=torch.int64))
        assert torch.equal(recorded.fitness, whole.fitness[row : row + 1])


def test_an_agent_scores_as_it_does_without_a_bucket_but_for_rounding() -> None:
    domain = PointsDomain()
    executor, network = executor_of(domain)
    pairs, seeds = home(everyone(network)), torch.zeros(32, 1, dtype=torch.int64)
    bare = [domain.live(pairs.take(torch.tensor([row])).compact(), network, seeds[:1, 0]) for row in range(32)]
    alone = torch.cat([scores.fitness for scores in bare if isinstance(scores, Scores)])
    assert torch.allclose(executor.run("points", pairs, seeds).fitness, alone, atol=1e-3)


def test_perturbed_agents_are_perturbed_before_they_are_filled_up() -> None:
    executor, network = executor_of(PointsDomain())
    explicit, implicit = [], []
    for key, structure in enumerate(structures(6)):
        batch = batch_of(network, structure, key)
        rows = torch.arange(4)
        noise = Noise(
            7, torch.zeros(4, dtype=torch.int64), rows // 2, torch.tensor([1.0, -1.0, 1.0, -1.0]), torch.full((1,), 0.3)
        )
        batch = Batch(batch.kind, torch.full((4,), -1), batch.leaves, noise)
        implicit.append(batch)
        explicit.append(batch.explicit())
    seeds = torch.zeros(24, 1, dtype=torch.int64)
    perturbed = executor.run("points", home(Population(tuple(implicit))), seeds)
    assert torch.equal(perturbed.fitness, executor.run("points", home(Population(tuple(explicit))), seeds).fitness)
    assert len(perturbed.fitness.unique()) == 24
