from __future__ import annotations

from typing import Any

import pytest
import torch
from learners import Notebook, SgdHead
from torch import Tensor

from aiga import Batch, Kind, Network, Output, Pairs, Percept, Population, Scores, Status, Stream, Trajectory
from aiga.components import Life
from aiga.data import Leaves
from aiga_characters import genome
from aiga_characters.domain import CharactersDomain
from aiga_characters.images import Pictures, distorted
from aiga_characters.lessons import Lessons

DOMAIN = CharactersDomain(labels=20)
SEEDS = torch.tensor([11, 12, 13])


class Stub(SgdHead):
    """Answers what a test wants it to, and remembers what it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.learnt: list[tuple[Tensor, Tensor]] = []

    def learn(self, leaves: Leaves, life: Life, x: Tensor, y: Tensor, create_graph: bool) -> Life:
        self.learnt.append((x, y))
        return life

    def answers(self, leaves: Leaves, life: Life, x: Tensor) -> Tensor:
        """Always the label that was learnt last."""
        last = self.learnt[-1][1][:, -1:]
        return torch.nn.functional.one_hot(last, 20).float().expand(-1, x.shape[1], -1)


def stream(**genes: Any) -> Batch:
    return genome.streams(torch.tensor([3]), **genes)


def pairs_of(envs: Batch, network: Network, count: int, **changes: Tensor) -> Pairs:
    """``count`` agents, each in an environment of its own, or all in the only one."""
    leaves = network.init(Stream(3), network.build(network.structure, DOMAIN.inputs, DOMAIN.outputs), count)
    agents = Batch.of(Kind("learner", dict(network.structure)), {**leaves, **changes})
    rows = torch.arange(count)
    return Pairs.of(Population((envs,)), Population((agents,)), rows.clamp(max=len(envs) - 1), rows)


def live(envs: Batch, network: Network, seeds: Tensor = SEEDS) -> Scores:
    scores = DOMAIN.live(pairs_of(envs, network, len(seeds)), network, seeds)
    assert isinstance(scores, Scores)
    return scores


def record(envs: Batch, network: Network, seeds: Tensor = SEEDS) -> tuple[Scores, Trajectory]:
    made = DOMAIN.live(pairs_of(envs, network, len(seeds)), network, seeds, record=True)
    assert isinstance(made, tuple)
    return made


def test_a_stream_is_learnt_class_by_class_every_image_once() -> None:
    network = Stub()
    live(stream(classes=20, examples=15), network)
    assert [x.shape for x, _ in network.learnt] == [(3, 150, 1, 28, 28), (3, 150, 1, 28, 28)]
    labels = torch.cat([y for _, y in network.learnt], dim=1)
    assert torch.equal(labels, (torch.arange(300) // 15).expand(3, -1))
    images = torch.cat([x for x, _ in network.learnt], dim=1).flatten(2)
    assert all(len(torch.unique(life, dim=0)) == 300 for life in images)


@pytest.mark.parametrize(("classes", "last"), [(20, 50.0), (10, 100.0), (5, 100.0)])
def test_who_knows_the_last_class_alone_is_right_about_that_and_of_that_age(classes: int, last: float) -> None:
    scores = live(stream(classes=classes), Stub())
    assert scores.fitness.tolist() == pytest.approx([100.0 / classes] * 3)
    assert scores.columns["train_accuracy"].tolist() == pytest.approx([100.0 / classes] * 3)
    rest = [0.0] * (9 if classes >= 10 else 8)
    assert scores.columns["by_age"].tolist() == [[*[last] * (10 - len(rest)), *rest]] * 3


def test_gradients_forget_what_comes_first_and_the_oracle_does_not() -> None:
    seeds = Stream(8).words(6)
    one, oracle = (live(stream(classes=10, examples=15, order=order), SgdHead(3.0), seeds) for order in (0.0, 1.0))
    assert float(oracle.fitness.mean()) > float(one.fitness.mean()) + 10.0
    ages = one.columns["by_age"].mean(dim=0)
    assert float(ages[0]) > float(ages[3:].mean()) + 40.0
    assert bool((one.columns["train_accuracy"] > 10.0).all())


def test_one_notebook_remembers_a_stream_in_any_order() -> None:
    one, oracle = (live(stream(classes=10, examples=15, order=order), Notebook()) for order in (0.0, 1.0))
    assert torch.allclose(one.fitness, oracle.fitness, atol=4.1), "sums are rounded in another order"
    assert float(one.fitness.mean()) > 25.0


def test_a_few_shot_episode_is_told_and_asked_through_the_target() -> None:
    seen: list[Percept] = []

    class Watched(Notebook):
        def step(self, leaves: Leaves, life: Life, percept: Percept) -> tuple[Output, Life]:
            seen.append(percept)
            return super().step(leaves, life, percept)

    scores = live(DOMAIN.named("5-way-1-shot"), Watched())
    targets = torch.stack([percept.target for percept in seen if percept.target is not None])
    assert targets.shape == (5 + 25 + 5, 3, 20)
    assert bool((targets[:5].sum(dim=-1) == 1.0).all()), "five images with a label"
    assert not targets[5:].any(), "then tests without"
    assert scores.columns["train_accuracy"].tolist() == [100.0] * 3
    assert all(len(set(targets[:5, row].argmax(dim=-1).tolist())) == 5 for row in range(3))


def test_an_answer_that_is_no_number_fails_its_row_alone() -> None:
    network = SgdHead()
    pairs = pairs_of(stream(), network, 3)
    pairs.agents.batches[0].leaves["basis"][1] = torch.nan
    scores = DOMAIN.live(pairs, network, SEEDS)
    assert isinstance(scores, Scores)
    assert scores.status.tolist() == [int(Status.OK), int(Status.NAN), int(Status.OK)]
    assert scores.reasons == {1: "an answer to a test image is not a finite number"}
    assert bool(scores.fitness[1].isnan())
    assert bool(scores.columns["by_age"][1].isnan().all())
    assert torch.equal(scores.fitness[[0, 2]], live(stream(), SgdHead()).fitness[[0, 2]])


def test_more_classes_than_labels_are_refused() -> None:
    with pytest.raises(ValueError, match=r"a stream of 30 classes for networks of 20 outputs\. Raise labels"):
        live(stream(classes=30), Stub())


def test_agents_of_two_kinds_are_refused() -> None:
    pairs = pairs_of(stream(), Stub(), 1)
    other = Batch(Kind("other"), torch.tensor([-1]), pairs.agents.batches[0].leaves)
    two = Pairs.cross(pairs.envs, Population((*pairs.agents.batches, other)))
    with pytest.raises(ValueError, match="agents of one kind, not of 2"):
        DOMAIN.live(two, Stub(), SEEDS[:2])


def test_work_is_counted_in_images_shown_and_learnt() -> None:
    assert live(stream(classes=4, examples=3), Stub()).cost == {"environment_steps": 3 * 4 * (3 + 5 + 3), "examples": 36}


def test_a_film_shows_what_was_learnt_and_then_the_tests() -> None:
    scores, film = record(stream(classes=4, examples=3), Notebook())
    assert film.observations.shape == (12 + 20, 3, 1, 28, 28)
    assert film.extras["learning"][:, 0].tolist() == [True] * 12 + [False] * 20
    assert film.extras["label"][:12, 0].tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert torch.equal(film.rewards[12:].double().mean(dim=0) * 100.0, scores.fitness)
    right = film.actions[12:] == film.extras["label"][12:]
    assert torch.equal(right.float(), film.rewards[12:])
    assert not film.rewards[:12].any()
    assert film.extras["logits"].shape == (32, 3, 20)
    assert film.extras["values"].shape == (32, 3)
    assert film.done[:, 0].tolist() == [False] * 31 + [True]
    learnt, asked = film.observations[:12, 0].flatten(1), film.observations[12:, 0].flatten(1)
    assert float(torch.cdist(learnt, asked).min()) > 0.5, "no test image was learnt from"


def test_a_shorter_life_on_film_stays_at_its_last_image() -> None:
    short, long = stream(classes=2, examples=1), stream(classes=4, examples=3)
    both = Batch.of(short.kind, {name: torch.cat([long.leaves[name], short.leaves[name]]) for name in short.leaves})
    _, film = record(both, SgdHead(), SEEDS[:2])
    end = 2 + 10 - 1
    assert film.done[:, 1].tolist() == [False] * end + [True] * (32 - end)
    assert bool((film.observations[end:, 1] == film.observations[end, 1]).all())
    assert not film.extras["learning"][end:, 1].any()


def test_recording_leaves_gradients_to_the_caller_and_scoring_takes_none() -> None:
    for network, calls in ((Notebook(), None), (SgdHead(), [(25, True)])):
        layout = network.build(network.structure, DOMAIN.inputs, DOMAIN.outputs)
        grown = {name: leaf.requires_grad_() for name, leaf in network.init(Stream(3), layout, 1).items()}
        pairs = pairs_of(stream(), network, 1, **grown)
        made = DOMAIN.live(pairs, network, SEEDS[:1], record=True)
        assert isinstance(made, tuple)
        assert calls is None or network.calls == calls  # type: ignore[attr-defined]
        made[1].extras["logits"][-1].sum().backward()
        assert bool(grown["basis"].grad is not None and grown["basis"].grad.abs().sum() > 0.0)
        scores = DOMAIN.live(pairs, network, SEEDS[:1])
        assert isinstance(scores, Scores)
        assert not scores.fitness.requires_grad
    assert network.calls[-1] == (25, False)


def test_images_are_those_of_the_set_and_its_classes_turn_as_a_whole() -> None:
    characters = DOMAIN.characters
    env = DOMAIN.named("20-way-1-shot")
    lessons = Lessons.of(
        Pairs.of(Population((env,)), Population(), torch.tensor([0]), torch.tensor([0])), SEEDS[:1], characters
    )
    label, drawer = torch.arange(20).repeat(2)[None], torch.tensor([4, 9]).repeat_interleave(20)[None]
    shown = Pictures(characters, torch.device("cpu")).show(lessons, label, drawer)[0, :, 0]
    for place in range(40):
        plain = characters.images[lessons.classes[0, label[0, place]], drawer[0, place]].float() / 255.0
        quarters = int(lessons.quarter[0, label[0, place]])
        assert torch.equal(shown[place], torch.rot90(plain, quarters))
    assert len(torch.unique(lessons.quarter)) == 4


def test_distortion_moves_ink_but_makes_none_and_is_the_same_whenever_an_image_is_shown() -> None:
    still, moved = (record(stream(distortion=amount), Notebook())[1].observations for amount in (0.0, 1.0))
    assert not torch.equal(still, moved)
    assert bool(((moved >= 0.0) & (moved <= 1.0)).all())
    assert float(moved.sum()) == pytest.approx(float(still.sum()), rel=0.2)
    again = record(stream(distortion=1.0, examples=5), Notebook())[1].observations
    assert torch.equal(moved, again)


def test_what_is_not_distorted_stays_as_it_is() -> None:
    images = Stream(1).uniform(4, 28, 28).float()
    assert torch.allclose(distorted(images, torch.zeros(4, 6)), images, atol=1e-6)
    # Shifted by one standard deviation, 0.08 of 50 pixels: by four to the right.
    wide = Stream(1).uniform(1, 50, 50).float()
    right = distorted(wide, torch.tensor([[0.0, 0.0, 0.0, 0.0, 1.0, 0.0]]))
    assert torch.allclose(right[:, :, 4:], wide[:, :, :-4], atol=1e-4)
    assert not right[:, :, :3].any()
