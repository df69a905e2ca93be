from __future__ import annotations

import math
from typing import Any

import torch
from learners import Notebook, SgdHead
from torch import Tensor

from aiga import Batch, Kind, Network, Pairs, Population, Scores, Stream
from aiga.components import Life
from aiga.data import Leaves
from aiga_characters import genome
from aiga_characters.domain import CharactersDomain
from aiga_characters.objective import Trial

TRIAL = Trial(trajectory=2, inner_steps=4, unseen=3, remember=6)
DOMAIN = CharactersDomain(labels=20, trial=TRIAL)
KEYS = torch.tensor([5, 6, 7])


class Watched(SgdHead):
    """Keeps what it was shown and asked."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: dict[str, Any] = {}

    def learn(self, leaves: Leaves, life: Life, x: Tensor, y: Tensor, create_graph: bool) -> Life:
        self.seen |= {"learnt": x, "labels": y}
        return super().learn(leaves, life, x, y, create_graph)

    def answers(self, leaves: Leaves, life: Life, x: Tensor) -> Tensor:
        self.seen |= {"asked": x, "logits": super().answers(leaves, life, x)}
        logits: Tensor = self.seen["logits"]
        return logits


def agents(network: Network, count: int = 3) -> Leaves:
    return network.init(Stream(3), network.build(network.structure, DOMAIN.inputs, DOMAIN.outputs), count)


def pairs_of(leaves: Leaves, envs: Batch) -> Pairs:
    count = len(next(iter(leaves.values())))
    batch = Batch.of(Kind("learner", {"version": 1}), leaves)
    return Pairs.of(
        Population((envs,)), Population((batch,)), torch.arange(count).clamp(max=len(envs) - 1), torch.arange(count)
    )


def loss(network: Network, leaves: Leaves, envs: Batch, keys: Tensor = KEYS, domain: CharactersDomain = DOMAIN) -> Tensor:
    return domain.loss(pairs_of(leaves, envs), network, Stream(1).rows(keys))


def many(**genes: Any) -> Batch:
    return genome.streams(torch.arange(3), **genes)


def test_a_trial_learns_few_classes_and_is_asked_about_those_and_all_others() -> None:
    network = Watched()
    loss(network, agents(network), many(classes=15))
    labels = network.seen["labels"]
    assert labels.shape == (3, 2 * 4)
    assert bool((labels[:, :4] == labels[:, :1]).all()), "one class after the other"
    assert bool((labels[:, 4:] == labels[:, 4:5]).all())
    assert bool((labels[:, 0] != labels[:, 4]).all())
    learnt, asked = network.seen["learnt"], network.seen["asked"]
    assert asked.shape[:2] == (3, 8 + 2 * 3 + 6)
    assert torch.equal(asked[:, :8], learnt)
    for row in range(3):
        assert float(torch.cdist(learnt[row].flatten(1), asked[row, 8:14].flatten(1)).min()) > 0.5, "unseen images are new"


def test_the_loss_is_the_mean_cross_entropy_over_the_lifes_own_labels() -> None:
    network = Watched()
    envs = many(classes=15)
    value = loss(network, agents(network), envs)
    labels, logits = network.seen["labels"], network.seen["logits"][..., :15]
    by_hand = torch.nn.functional.cross_entropy(logits[:, :8].transpose(1, 2), labels, reduction="none")
    new = labels[:, [0, 4]].repeat_interleave(3, dim=1)
    unseen = torch.nn.functional.cross_entropy(logits[:, 8:14].transpose(1, 2), new, reduction="none")
    known = CharactersDomain(labels=20, trial=Trial(2, 4, 3, 0))
    assert torch.allclose(
        loss(network, agents(network), envs, domain=known), torch.cat([by_hand, unseen], 1).mean(1), atol=1e-6
    )
    assert bool((value > 0.0).all())


def test_who_knows_nothing_loses_the_logarithm_of_the_number_of_classes() -> None:
    class Blank(Notebook):
        def logits(self, leaves: Leaves, life: Life, h: Tensor) -> Tensor:
            return 0.0 * super().logits(leaves, life, h)

    for env, classes in ((many(classes=10), 10), (DOMAIN.named("5-way-1-shot-training", 3), 5)):
        assert torch.allclose(loss(Blank(), agents(Blank()), env), torch.full((3,), math.log(classes)))


def test_remembered_images_are_of_any_class_of_the_stream() -> None:
    network, domain = Watched(), CharactersDomain(labels=20, trial=Trial(1, 1, 0, 400))
    loss(network, agents(network), many(classes=7), domain=domain)
    for row in network.seen["asked"][:, 1:].flatten(2):
        assert len(torch.unique(row, dim=0)) > 120, "of 140"


def test_with_no_class_to_learn_a_trial_is_images_to_be_named_without_a_life() -> None:
    network, domain = Watched(), CharactersDomain(labels=20, trial=Trial(trajectory=0, remember=30))
    leaves = agents(network)
    value = loss(network, leaves, many(classes=7), domain=domain)
    assert network.seen["asked"].shape[:2] == (3, 30)
    assert "learnt" not in network.seen
    innate = {name: leaf.requires_grad_(leaf.is_floating_point()) for name, leaf in leaves.items()}
    gradient = torch.autograd.grad(loss(network, innate, many(classes=7), domain=domain).sum(), innate["head"])[0]
    wanted = -gradient.sum(dim=1) if gradient.ndim == 3 else -gradient
    assert bool((wanted[..., 7:] == 0.0).all()), "labels that the stream does not have are not asked about"
    assert bool((wanted[..., :7] != 0.0).any())
    assert torch.equal(value, loss(network, leaves, many(classes=7), domain=domain))


def test_a_stream_of_fewer_classes_than_a_trial_learns_all_of_them() -> None:
    network, domain = Watched(), CharactersDomain(labels=20, trial=Trial(5, 2, 0, 3))
    loss(network, agents(network), many(classes=3), domain=domain)
    assert network.seen["labels"].shape == (3, 6)
    assert all(set(row) == {0, 1, 2} for row in network.seen["labels"].tolist())


def test_an_episode_is_learnt_whole_and_asked_about_images_that_are_new() -> None:
    network = Watched()
    loss(network, agents(network), DOMAIN.named("5-way-1-shot-training", 3))
    assert network.seen["labels"].sort(dim=1).values.tolist() == [[0, 1, 2, 3, 4]] * 3
    learnt, asked = network.seen["learnt"].flatten(2), network.seen["asked"].flatten(2)
    assert asked.shape[:2] == (3, 25)
    assert float(torch.cdist(learnt, asked).min()) > 0.5


def test_every_row_hangs_on_its_own_environment_agent_and_key_alone() -> None:
    network = SgdHead()
    leaves = agents(network)
    streams, episode = many(classes=12), DOMAIN.named("5-way-1-shot-training")
    assert streams.kind == episode.kind
    mixed = Batch.of(streams.kind, {n: torch.cat([x[:2], episode.leaves[n]]) for n, x in streams.leaves.items()})
    together = loss(network, leaves, mixed)
    for row in range(3):
        alone = loss(network, {n: x[[row]] for n, x in leaves.items()}, mixed.take(torch.tensor([row])), KEYS[[row]])
        assert torch.equal(alone, together[[row]])
    backwards = torch.tensor([2, 1, 0])
    turned = loss(network, {n: x[backwards] for n, x in leaves.items()}, mixed.take(backwards), KEYS[backwards])
    assert torch.equal(turned, together[backwards])
    assert not torch.equal(loss(network, leaves, mixed, KEYS + 1), together)


def test_without_row_keys_pairs_are_told_apart_by_their_place() -> None:
    network = SgdHead()
    one = {name: leaf[:1].expand(3, *leaf.shape[1:]) for name, leaf in agents(network).items()}
    value = DOMAIN.loss(pairs_of(one, many(classes=12).take(torch.zeros(3, dtype=torch.int64))), network, Stream(1))
    assert len(set(value.tolist())) == 3


def test_gradients_reach_through_the_learning_itself() -> None:
    """The slope along a random direction, in double precision, against the loss on both sides; the first order's is another."""

    class FirstOrder(SgdHead):
        def learn(self, leaves: Leaves, life: Life, x: Tensor, y: Tensor, create_graph: bool) -> Life:
            return {name: part.detach() for name, part in super().learn(leaves, life, x, y, create_graph).items()}

    network = SgdHead()
    leaves = {name: leaf.double() for name, leaf in agents(network).items()}
    way = {name: Stream(9).child(name).normal(*leaf.shape).double() for name, leaf in leaves.items()}
    envs = many(classes=12)

    def slope(learner: SgdHead) -> float:
        grown = {name: leaf.clone().requires_grad_() for name, leaf in leaves.items()}
        gradients = torch.autograd.grad(loss(learner, grown, envs).sum(), list(grown.values()))
        return float(sum((g * way[name]).sum() for name, g in zip(grown, gradients, strict=True)))

    def at(step: float) -> float:
        return float(loss(network, {n: x + step * way[n] for n, x in leaves.items()}, envs).sum())

    numeric = (at(1e-5) - at(-1e-5)) / 2e-5
    assert math.isclose(slope(network), numeric, rel_tol=1e-5)
    assert not math.isclose(slope(FirstOrder()), numeric, rel_tol=1e-2)


def test_one_agent_in_many_trials_gets_all_their_gradients() -> None:
    network = SgdHead()
    leaves = {name: leaf.requires_grad_() for name, leaf in agents(network, 1).items()}
    batch = Batch.of(Kind("learner", {"version": 1}), leaves)
    zeros = torch.zeros(3, dtype=torch.int64)
    pairs = Pairs.of(Population((many(classes=12),)), Population((batch,)), torch.arange(3), zeros)
    DOMAIN.loss(pairs, network, Stream(1).rows(KEYS)).sum().backward()
    whole = leaves["head"].grad
    each = torch.zeros_like(leaves["head"])
    for row in range(3):
        leaves["head"].grad = None
        DOMAIN.loss(pairs.take(torch.tensor([row])), network, Stream(1).rows(KEYS[[row]])).sum().backward()
        assert leaves["head"].grad is not None
        each += leaves["head"].grad
    assert whole is not None
    assert torch.allclose(whole, each, atol=1e-5)


def test_meta_training_on_the_background_helps_with_classes_that_were_never_seen() -> None:
    domain = CharactersDomain(labels=50, trial=Trial(1, 10, 0, 32))
    network, eight, four = SgdHead(), torch.zeros(8, dtype=torch.int64), torch.arange(4)
    layout = network.build(network.structure, domain.inputs, domain.outputs)
    leaves = {name: leaf.requires_grad_() for name, leaf in network.init(Stream(3), layout, 1).items()}
    batch, judged = Batch.of(Kind("learner", {"version": 1}), leaves), domain.named("sequential-10", 4)

    def accuracy() -> float:
        scores = domain.live(
            Pairs.of(Population((judged,)), Population((batch,)), four, torch.zeros(4, dtype=torch.int64)),
            network,
            Stream(4).words(4),
        )
        assert isinstance(scores, Scores)
        return float(scores.fitness.mean())

    before = accuracy()
    optimiser = torch.optim.Adam(leaves.values(), lr=0.01)
    trials = Pairs.of(Population((domain.named("meta-training"),)), Population((batch,)), eight, eight)
    for step in range(40):
        optimiser.zero_grad()
        domain.loss(trials, network, Stream(9).child(step).rows(torch.arange(8))).mean().backward()
        optimiser.step()
    assert accuracy() > before + 10.0
