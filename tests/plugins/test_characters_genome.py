from __future__ import annotations

import pytest
import torch

from aiga import Batch, InputError, Pairs, Population, Stream
from aiga_characters import genome
from aiga_characters.domain import CharactersDomain
from aiga_characters.lessons import Lessons, shapes
from aiga_characters.recipes import DRAWERS
from aiga_characters.sets import drawn_set

DOMAIN = CharactersDomain()
SET = drawn_set("drawn", 0, 28)


def lessons(envs: Batch, seeds: list[int] | None = None) -> Lessons:
    """Of each environment, or of the first with each seed."""
    count = len(envs) if seeds is None else len(seeds)
    env = torch.arange(count) if seeds is None else torch.zeros(count, dtype=torch.int64)
    pairs = Pairs.of(Population((envs,)), Population(), env, env)
    return Lessons.of(pairs, torch.tensor(seeds or [0] * count), SET)


def stream(count: int = 1, **genes: object) -> Batch:
    return genome.streams(torch.arange(count), **genes)  # type: ignore[arg-type]


def test_a_search_starts_with_easy_streams_of_the_background() -> None:
    envs = DOMAIN.initial(Stream(1), 3)
    assert DOMAIN.describe(envs).tolist() == [[5.0, 5.0, 0.0, 0.0, 0.0, 0.0, 0.0]] * 3
    assert envs.kind == genome.kind("background")
    assert len(set(envs.leaves["seed"].tolist())) == 3


@pytest.mark.parametrize(
    ("start", "wanted"), [("meta-training", [600.0, 15.0]), ("5-way-1-shot-training", [5.0, 1.0]), ("stream", [5.0, 5.0])]
)
def test_a_search_may_start_with_what_learners_are_meta_trained_on(start: genome.Start, wanted: list[float]) -> None:
    envs = CharactersDomain(start=start).initial(Stream(1), 2)
    assert DOMAIN.describe(envs)[:, :2].tolist() == [wanted] * 2
    assert envs.kind == genome.kind("background")


def test_mutation_climbs_one_step_and_keeps_within_bounds() -> None:
    envs = stream(200, classes=10, examples=15, order=1.0)
    for generation in range(20):
        before = envs
        envs = genome.mutate(Stream(3).child(generation).rows(torch.arange(200)), before, 50)
        now, then = genome.describe(envs), genome.describe(before)
        assert set(now[:, 0].tolist()) <= {float(step) for step in genome.CLASSES if step <= 50}
        assert set(now[:, 1].tolist()) <= {float(step) for step in genome.EXAMPLES}
        shares = now[:, 2:5]
        assert bool(((shares >= 0.0) & (shares <= 1.0)).all())
        assert bool(((shares * 10.0).round() / 10.0 == shares).all()), "tenths, as a file would hold them"
        assert bool(((shares - then[:, 2:5]).abs() <= 0.2001).all())
        ladder = torch.tensor(genome.CLASSES)
        moved = torch.searchsorted(ladder, envs.leaves["classes"]) - torch.searchsorted(ladder, before.leaves["classes"])
        assert moved.abs().max() == 1
    assert len(torch.unique(genome.describe(envs), dim=0)) > 100


def test_children_of_an_evaluation_stream_learn_from_the_background() -> None:
    judged = DOMAIN.named("sequential-10")
    assert judged.kind == genome.kind("evaluation")
    assert DOMAIN.mutate(Stream(1).rows(torch.tensor([4])), judged).kind == genome.kind("background")


def test_a_child_of_a_length_off_the_ladder_is_back_on_it() -> None:
    child = genome.mutate(Stream(1).rows(torch.arange(50)), stream(50, classes=964), 600)
    assert set(child.leaves["classes"].tolist()) == {500, 600}
    tiny = genome.mutate(Stream(1).rows(torch.arange(50)), stream(50, classes=9), 9)
    assert set(tiny.leaves["classes"].tolist()) <= {5, 7}
    assert set(genome.mutate(Stream(1).rows(torch.arange(9)), stream(9, classes=2), 2).leaves["classes"].tolist()) == {2}


def test_distance_counts_doublings_and_nothing_of_the_seed() -> None:
    a, b = stream(1, classes=5), genome.streams(torch.tensor([9]), classes=20, order=0.5)
    assert genome.distance(a, b).item() == pytest.approx((2.0**2 + 2.0**2) ** 0.5)
    assert genome.distance(a, genome.streams(torch.tensor([9]), classes=5)).item() == 0.0


def test_the_named_streams_are_those_of_the_papers() -> None:
    assert {f"sequential-{n}" for n in (10, 50, 100, 200, 600)} <= set(DOMAIN.names)
    for length in (10, 600):
        one, oracle = DOMAIN.named(f"sequential-{length}"), DOMAIN.named(f"shuffled-{length}")
        assert genome.describe(one).tolist() == [[length, 15.0, 0.0, 0.0, 0.0, 0.0, 0.0]]
        assert genome.describe(oracle).tolist() == [[length, 15.0, 1.0, 0.0, 0.0, 0.0, 0.0]]
        assert torch.equal(lessons(one).classes, lessons(oracle).classes), "the oracle learns the same classes"
    assert {DOMAIN.named(name).kind for name in DOMAIN.names if "training" in name} == {genome.kind("background")}
    assert {DOMAIN.named(name).kind for name in DOMAIN.names if "training" not in name} == {genome.kind("evaluation")}
    assert len(set(DOMAIN.named("sequential-10", 30).leaves["seed"].tolist())) == 30


def test_a_name_that_there_is_not_is_answered_with_those_that_are() -> None:
    with pytest.raises(InputError, match="There are sequential-10, shuffled-10, 5-way-1-shot"):
        CharactersDomain(labels=10).named("sequential-50")


@pytest.mark.parametrize("name", ["sequential-600", "5-way-1-shot", "meta-training", "20-way-1-shot-training"])
def test_classes_come_from_their_split_alone_and_each_once(name: str) -> None:
    env = DOMAIN.named(name)
    classes = lessons(env, [1, 2, 3]).classes
    inside = SET.classes(env.kind.structure["split"])
    assert all(len(set(row)) == len(row) and set(row) <= set(inside) for row in classes.tolist())


def test_meta_training_and_its_judges_share_no_class() -> None:
    trained = set(lessons(DOMAIN.named("meta-training", 5)).classes.flatten().tolist())
    judged = set(lessons(DOMAIN.named("sequential-600", 5)).classes.flatten().tolist())
    assert not trained & judged


def test_an_episode_draws_new_classes_and_a_stream_keeps_its_own() -> None:
    episodes = lessons(stream(episodic=True), [1, 2, 1]).classes
    assert torch.equal(episodes[0], episodes[2])
    assert not torch.equal(episodes[0], episodes[1])
    kept = lessons(stream(), [1, 2, 1])
    assert torch.equal(kept.classes[0], kept.classes[1])
    assert not torch.equal(kept.drawers()[0], kept.drawers()[1]), "but it learns from other images of them"


def test_similar_streams_come_from_few_alphabets() -> None:
    def alphabets(similarity: float) -> float:
        classes = lessons(stream(50, classes=20, similarity=similarity)).classes
        return sum(len(torch.unique(SET.alphabet[row])) for row in classes) / 50

    counts = [alphabets(similarity) for similarity in (0.0, 0.5, 1.0)]
    assert counts[0] > 12
    assert counts[0] > counts[1] > counts[2]
    # Every alphabet has twenty classes or more.
    assert counts[2] == 1.0


def test_order_goes_from_one_class_after_another_to_shuffled() -> None:
    def adjacent(order: float) -> float:
        """Share of neighbours in the stream that are of one class."""
        label = lessons(stream(20, classes=10, examples=15, order=order)).order(10, 15) // 15
        assert bool((torch.sort(label, dim=1).values == torch.arange(150) // 15).all()), "every image once"
        return float((label[:, 1:] == label[:, :-1]).double().mean())

    shares = [adjacent(order) for order in (0.0, 0.3, 0.6, 1.0)]
    assert shares[0] == pytest.approx(140 / 149)
    assert shares == sorted(shares, reverse=True)
    assert shares[-1] == pytest.approx(14 / 149, abs=0.03)


def test_a_life_without_mixing_learns_its_labels_in_order() -> None:
    assert torch.equal(lessons(stream(classes=4, examples=3)).order(4, 3)[0], torch.arange(12))


def test_drawers_to_learn_from_and_to_be_tested_on_are_different_ones() -> None:
    drawers = lessons(stream(3)).drawers()
    assert bool((drawers.sort(dim=-1).values == torch.arange(DRAWERS)).all())


def test_what_a_lifetime_is_about_does_not_hang_on_its_company() -> None:
    mixed = Population((DOMAIN.named("sequential-50", 2), stream(2, classes=3), DOMAIN.named("5-way-1-shot")))
    rows, seeds = torch.tensor([4, 0, 3, 2, 1]), torch.arange(5)
    together = Lessons.of(Pairs.of(mixed, Population(), rows, rows), seeds, SET)
    for place, row in enumerate(rows.tolist()):
        alone = Lessons.of(Pairs.of(mixed, Population(), torch.tensor([row]), torch.tensor([row])), seeds[[place]], SET)
        count = alone.classes.shape[1]
        assert torch.equal(together.classes[place, :count], alone.classes[0])
        assert torch.equal(together.drawers()[place, :count], alone.drawers()[0])
        assert torch.equal(together.labels(3)[place], alone.labels(3)[0])
        label, drawer = alone.remembered(7)
        assert torch.equal(together.remembered(7)[0][place], label[0])
        assert torch.equal(together.remembered(7)[1][place], drawer[0])
        assert bool((label < count).all())


def test_lives_of_one_shape_are_found_whatever_their_order() -> None:
    found = shapes(torch.tensor([5, 3, 5, 3, 5]), torch.tensor([1, 1, 1, 2, 1]))
    assert sorted(rows.tolist() for rows in found) == [[0, 2, 4], [1], [3]]


def test_a_stream_longer_than_its_split_is_refused() -> None:
    with pytest.raises(ValueError, match="a stream of 700 classes, but the evaluation split has 659"):
        lessons(stream(classes=700, split="evaluation"))


def test_environments_of_another_domain_are_refused() -> None:
    from aiga import Kind

    with pytest.raises(ValueError, match="environments of version 1, found"):
        lessons(Batch.of(Kind("characters", {"version": 9}), stream().leaves))
