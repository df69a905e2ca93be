"""The domain ``digits``: its three parts, what a task shows and says of its images, and what lives and losses are made of."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from image_sets import small_cifar, small_mnist
from torch import Tensor

from aiga import Batch, Kind, Output, Pairs, Percept, Population, Scores, Status, Stream
from aiga.components import Life
from aiga.data import Leaves
from aiga.streams import combine
from aiga.testing import LinearNetwork
from aiga_digits import genome
from aiga_digits.domain import DigitsDomain
from aiga_digits.genome import CATEGORIES, RANGES, members
from aiga_digits.sources import SPLITS, Source
from aiga_networks.mlp import MlpNetwork, MlpOptions

pytest.importorskip("sklearn")

DOMAIN = DigitsDomain()
CPU = torch.device("cpu")


class Prototypes:
    """Learns within a life the mean image of each class, and names the nearest; who learnt nothing names all alike."""

    structure: ClassVar[dict[str, Any]] = {"version": 1}

    def newborn(self, leaves: Leaves) -> Life:
        count = len(leaves["sure"])
        return {"sum": torch.zeros(count, 10, 64), "met": torch.zeros(count, 10, 1)}

    def learn(self, leaves: Leaves, life: Life, x: Tensor, y: Tensor, create_graph: bool) -> Life:
        which = torch.nn.functional.one_hot(y, 10).to(x.dtype).transpose(1, 2)
        return {"sum": life["sum"] + which @ x.flatten(2), "met": life["met"] + which.sum(dim=2, keepdim=True)}

    def answers(self, leaves: Leaves, life: Life, x: Tensor) -> Tensor:
        apart = (x.flatten(2)[:, :, None] - (life["sum"] / life["met"].clamp(min=1.0))[:, None]).square().sum(dim=3)
        return -apart * leaves["sure"][:, None, None]

    def step(self, leaves: Leaves, life: Life, percept: Percept) -> tuple[Output, Life]:
        raise AssertionError("it has answers")


def env(**numbers: float) -> Batch:
    """The plain task with other numbers."""
    one = DOMAIN.named("all")
    leaves = {name: torch.full_like(leaf, numbers.get(name, leaf.item())) for name, leaf in one.leaves.items()}
    return Batch.of(one.kind, leaves)


def agents(network: Any, leaves: Leaves | None = None, count: int = 1) -> Batch:
    if leaves is None:
        leaves = network.init(Stream(8), network.build(network.structure, DOMAIN.inputs, DOMAIN.outputs), count)
    return Batch.of(Kind("n", dict(network.structure)), leaves)


def lived(envs: Batch, network: Any, who: Batch, domain: DigitsDomain = DOMAIN, seed: int = 3) -> Scores:
    pairs = Pairs.cross(Population((envs,)), Population((who,)))
    scores = domain.live(pairs, network, torch.full((len(pairs),), seed))
    assert isinstance(scores, Scores)
    return scores


@pytest.fixture(scope="module")
def evolved() -> Batch:
    envs = DOMAIN.initial(Stream(1), 40)
    for generation in range(20):
        envs = DOMAIN.mutate(Stream(2).child(generation), envs)
    return envs


def test_scikit_learns_digits_are_split_as_in_the_study() -> None:
    found = Source().load()
    assert [len(found.splits[split]) for split in SPLITS] == [1000, 297, 500]
    assert torch.equal(torch.cat([found.splits[split] for split in SPLITS]).sort().values, torch.arange(1797))
    assert len(found.images.flatten(1).unique(dim=0)) == 1797  # so that no image is in two parts under two numbers


def test_the_last_part_of_the_official_training_set_validates(tmp_path: Path) -> None:
    mnist = Source("mnist", str(small_mnist(tmp_path / "mnist"))).load()
    assert {split: (int(rows[0]), int(rows[-1])) for split, rows in mnist.splits.items()} == {
        "train": (0, 99),
        "validation": (100, 119),
        "test": (120, 159),
    }
    cifar = Source("cifar-10", str(small_cifar(tmp_path / "cifar", 40))).load()
    assert [len(cifar.splits[split]) for split in SPLITS] == [180, 20, 40]


def test_images_are_standardised_by_what_is_learnt_from(tmp_path: Path) -> None:
    domain = DigitsDomain(Source("cifar-10", str(small_cifar(tmp_path, 40))))
    images = domain.images(CPU)
    seen = images.show(domain.named("all").leaves, torch.arange(180)[None])[0].transpose(0, 1).flatten(1).double()
    assert torch.allclose(seen.mean(dim=1), torch.zeros(3).double(), atol=1e-5)
    assert torch.allclose(seen.std(dim=1), torch.ones(3).double(), atol=1e-4)


def test_lives_losses_and_examples_never_touch_what_is_tested_on() -> None:
    domain, network = DigitsDomain(), LinearNetwork(bias=True)
    pairs = Pairs.cross(Population((domain.initial(Stream(0), 4),)), Population((agents(network),)))
    del domain.images(CPU).shelves["test"]
    domain.live(pairs, network, torch.arange(4))
    domain.loss(pairs, network, Stream(0))
    domain.examples(pairs.envs.batches[0], Stream(0), 9)
    with pytest.raises(KeyError, match="test"):
        domain.report({}, Stream(0))


def test_what_is_learnt_from_judged_by_and_tested_on_are_shown_by_different_calls(tmp_path: Path) -> None:
    # Test images are of one grey, which no other image is.
    domain = DigitsDomain(Source("mnist", str(small_mnist(tmp_path, test_pixel=255))), asked=1000)
    images = domain.images(CPU)
    known = images.show(domain.named("all").leaves, torch.arange(100)[None])[0]
    x, _ = domain.examples(domain.named("all"), Stream(0), 500)
    assert bool(_among(x[0], known).all())
    network = LinearNetwork(bias=True)
    who = agents(network, network.init(Stream(8), network.build(network.structure, domain.inputs, domain.outputs), 1))
    pairs = Pairs.cross(Population((domain.named("all"),)), Population((who,)))
    answer = domain.live(pairs, network, torch.zeros(1, dtype=torch.int64), record=True)
    assert isinstance(answer, tuple)
    seen = answer[1].observations[:, 0]
    assert len(seen) == 20
    assert not bool(_among(seen, known).any())
    assert float(seen.max()) < float(images.show(domain.named("all").leaves, torch.tensor([[130]])).max())


def _among(some: Tensor, others: Tensor) -> Tensor:
    """Whether each of these images is one of those."""
    return (some.flatten(1)[:, None] == others.flatten(1)[None]).all(dim=2).any(dim=1)


def test_searches_start_from_the_plain_task() -> None:
    first = DOMAIN.initial(Stream(5), 6)
    assert first.hashes[0] == DOMAIN.named("all").hashes[0]
    assert DOMAIN.describe(first)[0].tolist() == [*[1.0] * 10, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 1000.0]
    assert len(set(first.hashes.tolist())) == 6


@pytest.mark.parametrize("category", [None, *CATEGORIES])
def test_children_differ_from_their_parents_in_what_may_change(category: Any) -> None:
    domain = DOMAIN if category is None else DigitsDomain(categories=[category])
    parents = domain.initial(Stream(0), 30)
    for generation in range(15):
        children = domain.mutate(Stream(generation), parents)
        changed = domain.describe(children) != domain.describe(parents)
        assert bool(changed.any(dim=1).all())
        names = [*["classes"] * 10, *(one.category for one in RANGES.values()), "examples"]
        if category == "classes":  # of fewer classes there are fewer examples
            names[-1] = "classes"
        found = {name for name, some in zip(names, changed.any(dim=0).tolist(), strict=True) if some}
        assert category is None or found == {category}
        parents = children


def test_tasks_stay_within_their_bounds(evolved: Batch) -> None:
    leaves = evolved.leaves
    assert int(members(leaves["classes"]).sum(dim=1).min()) >= 2
    for name, one in RANGES.items():
        assert one.low - 1e-9 <= float(leaves[name].min()) < float(leaves[name].max()) <= one.high + 1e-9, name
        steps = leaves[name] / one.step
        assert torch.equal(leaves[name], steps.round() * one.step), "the same number by any way"
    assert 0 == int(leaves["halvings"].min()) < int(leaves["halvings"].max()) <= 5


def test_examples_are_of_the_tasks_classes_and_as_many_as_it_has(evolved: Batch) -> None:
    images = DOMAIN.images(CPU)
    chosen = images.learnable(evolved.leaves)
    assert torch.equal(chosen.total.double(), DOMAIN.describe(evolved)[:, -1])
    train = set(Source().load().splits["train"].tolist())
    for row in range(len(evolved)):
        rows = images.shelves["train"].at(
            type(chosen)(*(part[row : row + 1] for part in chosen)), torch.arange(int(chosen.total[row]))[None]
        )[0]
        assert len(set(rows.tolist())) == int(chosen.total[row])
        assert set(rows.tolist()) <= train
        assert bool(members(evolved.leaves["classes"])[row][images.label(rows)].all())


def test_classes_keep_their_shares_when_examples_are_halved() -> None:
    images = DOMAIN.images(CPU)
    half = images.learnable(env(halvings=1).leaves)
    rows = images.shelves["train"].at(half, torch.arange(500)[None])
    apart = torch.bincount(images.label(rows)[0], minlength=10) - images.shelves["train"].count / 2
    assert bool((apart.abs() <= 1).all())


def test_another_seed_chooses_other_examples() -> None:
    images, few = DOMAIN.images(CPU), [env(halvings=4, seed=seed) for seed in (1, 2)]
    one, other = (
        set(images.shelves["train"].at(images.learnable(each.leaves), torch.arange(62)[None])[0].tolist()) for each in few
    )
    assert len(one & other) < 30


def test_examples_hang_on_their_own_task_and_row_key_alone(evolved: Batch) -> None:
    keys = torch.arange(len(evolved)) * 5 + 1
    x, y = DOMAIN.examples(evolved, Stream(3).rows(keys), 11)
    assert (x.shape, x.dtype, y.shape, y.dtype) == ((40, 11, 1, 8, 8), torch.float32, (40, 11), torch.int64)
    some = torch.tensor([17, 3])
    again = DOMAIN.examples(evolved.take(some), Stream(3).rows(keys[some]), 11)
    assert torch.equal(again[0], x[some])
    assert torch.equal(again[1], y[some])
    assert bool(members(evolved.leaves["classes"]).gather(1, y).all())


def test_jitter_moves_examples_and_nothing_else(evolved: Batch) -> None:
    jittered, keys = DigitsDomain(jitter=1.5), torch.arange(len(evolved)) * 5 + 1
    still, (x, y) = (domain.examples(evolved, Stream(3).rows(keys), 11) for domain in (DOMAIN, jittered))
    assert torch.equal(still[1], y)
    some = torch.tensor([17, 3])
    again = jittered.examples(evolved.take(some), Stream(3).rows(keys[some]), 11)
    assert torch.equal(again[0], x[some]), "an image moves as its own row key says"
    plain = DOMAIN.named("all")
    before, after = (domain.examples(plain, Stream(3), 200)[0][0, :, 0] for domain in (DOMAIN, jittered))
    moved = middles(after) - middles(before)
    assert 1.0 < float(moved.abs().max()) < 1.6
    assert abs(float(moved.mean())) < 0.15
    # To the sides, where most digits leave room.
    assert float(moved[:, 0].std()) == pytest.approx(1.5 / 3.0**0.5, rel=0.15)
    who = agents(MlpNetwork(MlpOptions()))
    assert torch.equal(
        lived(plain, MlpNetwork(MlpOptions()), who).fitness, lived(plain, MlpNetwork(MlpOptions()), who, jittered).fitness
    )


def middles(images: Tensor) -> Tensor:
    """``[T, 2]``: where the light of images that are dark at their edges has its middle."""
    light = images - images.amin(dim=(1, 2), keepdim=True)
    where = torch.arange(8.0)
    return torch.stack([(light.sum(dim=over) * where).sum(dim=1) / light.sum(dim=(1, 2)) for over in (1, 2)], dim=1)


@pytest.mark.parametrize("classes", [0b11, 0b1010010010, genome.ALL])
def test_wrong_labels_have_their_share_and_are_always_the_same(classes: int) -> None:
    images = DOMAIN.images(CPU)
    for noise in (0.0, 0.1, 0.4):
        shares = []
        for seed in range(6):
            task = env(noise=noise, classes=classes, seed=seed)
            chosen = images.learnable(task.leaves)
            rows = images.shelves["train"].at(chosen, torch.arange(int(chosen.total))[None])
            told, label = images.told(task.leaves, rows), images.label(rows)
            assert torch.equal(told, images.told(task.leaves, rows))
            assert bool(members(task.leaves["classes"])[0][told].all())
            shares.append((told != label).double().mean())
            if noise and classes != 0b11:
                wrong = told[told != label]
                assert len(torch.unique(wrong)) == int(members(task.leaves["classes"]).sum())
        assert abs(float(torch.stack(shares).mean()) - noise) < 0.04


def test_images_are_turned_and_moved_as_the_task_says() -> None:
    images, rows = DOMAIN.images(CPU), torch.tensor([[4, 9]])
    plain = images.show(env().leaves, rows)
    dark = images.show(env().leaves, rows).amin()
    right = images.show(env(right=0.125).leaves, rows)
    assert torch.allclose(right[..., 1:], plain[..., :-1])
    assert torch.allclose(right[..., 0], dark.expand(1, 2, 1, 8))
    down = images.show(env(down=-0.125).leaves, rows)
    assert torch.allclose(down[..., :-1, :], plain[..., 1:, :])
    assert torch.allclose(images.show(env(contrast=0.4).leaves, rows), 0.4 * plain)
    around = images.show(env(rotation=30.0).leaves, rows)
    mass = (around - dark).sum() / (plain - dark).sum()
    assert 0.8 < float(mass) < 1.1
    # Turned clockwise, what is right of the middle goes down.
    bar = replace(Source().load(), images=torch.zeros(1797, 1, 8, 8, dtype=torch.uint8))
    bar.images[:, :, 3:5, 4:] = 16
    turned = type(images)(bar, CPU).show(env(rotation=30.0).leaves, torch.tensor([[0]]))[0, 0, 0]
    assert float(turned[4:, 4:].sum()) > float(turned[:4, 4:].sum()) + 1.0


def test_noise_in_pixels_is_an_images_own_and_of_the_tasks_strength() -> None:
    images, rows = DOMAIN.images(CPU), torch.arange(400)[None]
    noise = images.show(env(pixels=0.5, seed=7).leaves, rows) - images.show(env().leaves, rows)
    assert abs(float(noise.std()) - 0.5) < 0.01
    assert abs(float(noise.mean())) < 0.01
    backwards = images.show(env(pixels=0.5, seed=7).leaves, rows.flip(1)).flip(1)
    assert torch.equal(backwards - images.show(env().leaves, rows), noise)
    other = images.show(env(pixels=0.5, seed=8).leaves, rows) - images.show(env().leaves, rows)
    assert abs(float((noise * other).mean())) < 0.01


def test_the_loss_is_the_mean_cross_entropy_of_the_tasks_classes_on_its_examples() -> None:
    network, tasks = LinearNetwork(bias=True), env(classes=0b101, noise=0.2)
    who = agents(network)
    pairs = Pairs.cross(Population((tasks,)), Population((who,)))
    stream = Stream(6).rows(torch.tensor([9]))
    x, y = DOMAIN.examples(tasks, stream, DOMAIN.batch)
    leaves = {name: leaf.expand(64, *leaf.shape[1:]) for name, leaf in who.leaves.items()}
    logits = network.step(leaves, {}, Percept(x[0]))[0].action[:, [0, 2]]
    expected = torch.nn.functional.cross_entropy(logits, y[0] // 2)
    assert torch.allclose(DOMAIN.loss(pairs, network, stream), expected[None], rtol=1e-5)


def test_descending_the_loss_makes_agents_that_name_validation_images() -> None:
    network = MlpNetwork(MlpOptions(hidden=(20,), output="identity"))
    leaves = {name: leaf.requires_grad_() for name, leaf in agents(network, count=2).leaves.items()}
    for step in range(150):
        pairs = Pairs.cross(Population((DOMAIN.named("all"),)), Population((agents(network, leaves),)))
        slopes = torch.autograd.grad(DOMAIN.loss(pairs, network, Stream(step)).sum(), list(leaves.values()))
        leaves = {
            name: (leaf - 0.3 * slope).detach().requires_grad_()
            for (name, leaf), slope in zip(leaves.items(), slopes, strict=True)
        }
    scores = lived(env(), network, agents(network, {name: leaf.detach() for name, leaf in leaves.items()}))
    assert float(scores.fitness.min()) > 90.0
    assert float(scores.columns["loss"].max()) < 0.4
    assert scores.cost == {"examples": 2 * 297}


def test_a_network_that_learns_within_its_life_learns_before_it_is_asked() -> None:
    who = agents(Prototypes(), {"sure": torch.ones(1)})
    scores = lived(env(), Prototypes(), who)
    assert float(scores.fitness) > 75.0
    assert scores.cost == {"examples": 297 + DOMAIN.learnt}
    born = lived(env(), Prototypes(), who, DigitsDomain(learnt=0))
    assert float(born.fitness) < 20.0
    pairs = Pairs.cross(Population((env(),)), Population((who,)))
    assert float(DOMAIN.loss(pairs, Prototypes(), Stream(1))) < float(
        DigitsDomain(learnt=0).loss(pairs, Prototypes(), Stream(1))
    )


def test_two_classes_are_judged_among_themselves() -> None:
    two = lived(env(classes=0b11), Prototypes(), agents(Prototypes(), {"sure": torch.zeros(1)}), DigitsDomain(asked=10**6))
    assert 40.0 < float(two.fitness) < 60.0
    assert torch.allclose(two.columns["loss"], torch.tensor(2.0).double().log(), atol=1e-5)


def test_the_seed_of_a_life_chooses_what_is_asked_where_there_is_more() -> None:
    few, images, tasks = DigitsDomain(asked=30), DOMAIN.images(CPU), env()
    network, who = LinearNetwork(bias=True), agents(LinearNetwork(bias=True))
    scores = [float(lived(tasks, network, who, few, seed).fitness) for seed in range(6)]
    assert len(set(scores)) > 1
    from aiga_digits.lives import asked

    keys = combine(tasks.leaves["seed"], torch.tensor([3]))
    rows = images.shelves["validation"].at(asked(images, tasks.leaves, "validation", 30, keys), torch.arange(30)[None])
    assert len(set(rows[0].tolist())) == 30
    assert set(rows[0].tolist()) <= set(Source().load().splits["validation"].tolist())


def test_answers_that_are_no_numbers_fail_their_life_alone() -> None:
    network = MlpNetwork(MlpOptions(hidden=()))
    who = agents(network, count=2)
    who.leaves["000.tanh.bias"][1, 4] = torch.nan
    scores = lived(env(), network, who)
    assert scores.status.tolist() == [int(Status.OK), int(Status.NAN)]
    assert bool(scores.fitness[0].isfinite())
    assert bool(scores.fitness[1].isnan())
    assert "not a finite number" in scores.reasons[1]
    # Of a class that is not in the task no answer is wanted.
    assert lived(env(classes=0b11), network, who).status.tolist() == [int(Status.OK), int(Status.OK)]


def test_environments_of_other_images_are_refused(tmp_path: Path) -> None:
    domain = DigitsDomain(Source("mnist", str(small_mnist(tmp_path))))
    with pytest.raises(ValueError, match="digits live in environments of"):
        domain.examples(DOMAIN.named("all"), Stream(0), 3)
