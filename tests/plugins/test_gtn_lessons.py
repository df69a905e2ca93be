"""What is taught: curricula and their controls, generators, rates, learners, and teachers as files."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
import torch
from blobs import DOMAIN, Small, examples
from safetensors.torch import load_file, save_file

from aiga import InputError, Space, Stream
from aiga_gtn import load, storing
from aiga_gtn.inner import courses, teach
from aiga_gtn.learners import Nursery
from aiga_gtn.lessons import Lesson, one_each
from aiga_gtn.options import GtnOptions
from aiga_gtn.teacher import Teacher, new

IMAGES, CLASSES = Space((3, 12, 8)), Space((5,), "discrete")


def teacher(inputs: Space = DOMAIN.inputs, outputs: Space = DOMAIN.outputs, **options: object) -> Teacher:
    given = GtnOptions(**{"steps": 5, "batch": 7, "noise": 3, "hidden": (6,), **options})  # type: ignore[arg-type]
    return new(given, inputs, outputs, examples, Stream(1))


def shown(made: Teacher, lesson: Lesson) -> torch.Tensor:
    with torch.no_grad():
        return made.show(lesson, 0, made.steps).x


def lessons(made: Teacher) -> tuple[Lesson, Lesson]:
    return made.draw(Stream(1)), made.draw(Stream(2))


@pytest.mark.parametrize("name", ["full", "pixels", "subset"])
def test_some_teachers_give_the_same_lesson_again(name: str) -> None:
    made = teacher(teacher=name)
    one, other = lessons(made)
    assert torch.equal(shown(made, one), shown(made, other))
    assert torch.equal(one.labels, other.labels)


@pytest.mark.parametrize("name", ["none", "data"])
def test_some_never_do(name: str) -> None:
    made = teacher(teacher=name)
    one, other = lessons(made)
    assert not torch.equal(shown(made, one), shown(made, other))
    assert not torch.equal(one.labels, other.labels)


def test_shuffled_batches_are_the_same_batches_in_another_order() -> None:
    made = teacher(teacher="batch-shuffled", steps=12)
    one, other = (lesson.chosen for lesson in lessons(made))
    assert one is not None
    assert other is not None
    assert not torch.equal(one, other)
    assert {tuple(batch) for batch in one.tolist()} == {tuple(batch) for batch in other.tolist()}


def test_shuffled_latents_come_in_batches_that_never_were() -> None:
    made = teacher(teacher="all-shuffled")
    one, other = (lesson.chosen for lesson in lessons(made))
    assert one is not None
    assert other is not None
    assert {frozenset(batch) for batch in one.tolist()}.isdisjoint(frozenset(batch) for batch in other.tolist())
    assert sorted(one.flatten().tolist()) == list(range(35))


@pytest.mark.parametrize("name", ["full", "batch-shuffled", "all-shuffled", "pixels"])
def test_the_label_of_a_learned_example_is_its_number_modulo_the_classes(name: str) -> None:
    lesson = teacher(teacher=name).draw(Stream(4))
    assert lesson.chosen is not None
    assert torch.equal(lesson.labels, lesson.chosen % 3)


def test_a_lesson_can_be_given_in_another_order() -> None:
    made = teacher()
    lesson = made.draw(Stream(1))
    order = torch.tensor([3, 0, 4, 1, 2])
    assert torch.allclose(shown(made, lesson.take(order)), shown(made, lesson)[order], atol=1e-6)


@pytest.mark.parametrize("generator", ["dense", "convolutional"])
def test_generated_examples_have_the_shape_of_inputs_and_keep_their_range(generator: str) -> None:
    made = teacher(IMAGES, CLASSES, generator=generator, units=20, channels=(6, 4), reach=1.5)
    x = shown(made, made.draw(Stream(1)))
    assert x.shape == (5, 7, 3, 12, 8)
    assert 0.5 < float(x.abs().max()) <= 1.5


def test_batches_are_normalised_each_by_itself() -> None:
    made = teacher(IMAGES, CLASSES, generator="convolutional", units=20, channels=(6, 4))
    lesson = made.draw(Stream(1))
    whole = shown(made, lesson)
    with torch.no_grad():
        assert torch.allclose(made.show(lesson, 2, 3).x[0], whole[2], atol=1e-5)


@pytest.mark.parametrize("shape", [(64,), (1, 10, 8), (1, 4, 4)])
def test_a_convolutional_generator_refuses_other_shapes(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r'multiples of 4, and at least 8.*Write "dense"'):
        teacher(Space(shape), CLASSES, generator="convolutional")


def test_rates_and_momenta_stay_within_their_bounds_however_far_they_are_driven() -> None:
    made = teacher(max_rate=4.0)
    rate, momentum = (part.detach() for part in made.pace)
    assert torch.allclose(rate, torch.tensor(0.3))
    assert torch.allclose(momentum, torch.tensor(0.5))
    with torch.no_grad():
        made.rates.copy_(torch.tensor([-50.0, -5.0, 0.0, 5.0, 50.0]))
        made.momenta.copy_(made.rates)
    rate, momentum = (part.detach() for part in made.pace)
    assert float(rate.min()) > 0.0
    assert float(rate.max()) <= 4.0
    assert float(momentum.max()) <= 1.0


def test_a_first_rate_beyond_the_bound_is_refused() -> None:
    with pytest.raises(ValueError, match="init_rate 12 must be below max_rate 10"):
        GtnOptions(init_rate=12.0)


def test_learned_labels_begin_with_the_class_and_are_distributions() -> None:
    made = teacher(labels="learned")
    lesson = made.draw(Stream(1))
    y = made.show(lesson, 0, 5).y
    assert torch.equal(y.argmax(dim=2), lesson.labels)
    assert torch.allclose(y.sum(dim=2), torch.tensor(1.0))
    assert any(name == "labels" for name, _ in made.named_parameters())


def test_learners_are_fresh_for_every_stream_and_row() -> None:
    nursery = Nursery({"small": Small()}, DOMAIN.inputs, DOMAIN.outputs, "common", 64)
    seen = [nursery.draw(Stream(0).child(*key), 4, torch.zeros(1)) for key in (("a", 1), ("a", 2), ("b", 1))]
    rows = [row for (group,) in seen for row in group.flat.tolist()]
    assert all(one != other for one, other in itertools.combinations(rows, 2))


@pytest.mark.parametrize(("architectures", "several"), [("sampled", True), ("common", False), ("fixed", False)])
def test_architectures_are_sampled_for_each_learner_or_once_or_not(architectures: str, several: bool) -> None:
    network = Small()
    network.bucket = lambda structure: structure  # type: ignore[method-assign]
    nursery = Nursery({"small": network}, DOMAIN.inputs, DOMAIN.outputs, architectures, 64)  # type: ignore[arg-type]
    draws = [nursery.draw(Stream(seed), 6, torch.zeros(1)) for seed in range(6)]
    widths = [{group.batch.kind.structure["hidden"][0] for group in groups} for groups in draws]
    assert any(len(each) > 1 for each in widths) == several
    assert (set.union(*widths) == {6}) == (architectures == "fixed")


def test_a_learner_is_the_same_beside_others_and_in_groups_of_any_size() -> None:
    def leaves(count: int, at_once: int) -> dict[int, torch.Tensor]:
        nursery = Nursery({"small": Small()}, DOMAIN.inputs, DOMAIN.outputs, "sampled", at_once)
        groups = nursery.draw(Stream(5), count, torch.zeros(1))
        return {int(row): flat for group in groups for row, flat in zip(group.rows, group.flat, strict=True)}

    whole = leaves(6, 64)
    assert sorted(whole) == list(range(6))
    for count, at_once in ((6, 2), (3, 64)):
        assert all(torch.equal(flat, whole[row]) for row, flat in leaves(count, at_once).items())


def test_what_learners_are_after_each_step_ends_with_what_they_are_taught() -> None:
    made = teacher()
    groups = Nursery({"small": Small()}, DOMAIN.inputs, DOMAIN.outputs, "fixed", 64).draw(Stream(5), 3, made.rates)
    lesson = made.draw(Stream(1))
    (course,) = courses(made, lesson, groups)
    (taught,), _ = teach(made, lesson, groups)
    assert len(course) == 6
    assert torch.equal(course[0], groups[0].flat)
    assert torch.allclose(course[-1], taught, atol=1e-5)


@pytest.mark.parametrize("name", ["full", "subset", "data", "pixels"])
def test_a_teacher_comes_back_from_its_files(name: str, tmp_path: Path) -> None:
    made, options = teacher(teacher=name, steps=5, batch=7), {"steps": 5, "batch": 7, "noise": 3, "hidden": (6,)}
    with torch.no_grad():
        made.rates.add_(0.5)
    packed = storing.packed(made, GtnOptions(**{**options, "teacher": name}))  # type: ignore[arg-type]
    for file, content in packed.items():
        (tmp_path / file).write_bytes(content)
    again = load(tmp_path / "teacher.safetensors", DOMAIN.inputs, DOMAIN.outputs, examples)
    lesson = made.draw(Stream(1))
    assert torch.equal(shown(again, again.draw(Stream(1))), shown(made, lesson))
    assert torch.equal(again.pace[0], made.pace[0])
    (tmp_path / "teacher.json").write_text("{}")
    with pytest.raises(InputError, match="is no teacher"):
        load(tmp_path / "teacher.safetensors", DOMAIN.inputs, DOMAIN.outputs, examples)


def test_a_teacher_for_other_inputs_or_classes_is_refused(tmp_path: Path) -> None:
    packed = storing.packed(teacher(), GtnOptions(steps=5, batch=7, noise=3, hidden=(6,)))
    for file, content in packed.items():
        (tmp_path / file).write_bytes(content)
    for inputs, outputs in ((IMAGES, DOMAIN.outputs), (DOMAIN.inputs, CLASSES)):
        with pytest.raises(InputError, match="is no teacher for inputs"):
            load(tmp_path / "teacher.safetensors", inputs, outputs, examples)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda value: value.double(), "is of torch.float64, not of torch.float32"),
        (lambda value: torch.full_like(value, torch.nan), "has numbers that are not finite"),
        (lambda value: value[:1], "size mismatch"),
    ],
    ids=["type", "nan", "shape"],
)
def test_a_damaged_teacher_is_refused_in_one_line(spoil: Any, words: str, tmp_path: Path) -> None:
    for file, content in storing.packed(teacher(), GtnOptions(steps=5, batch=7, noise=3, hidden=(6,))).items():
        (tmp_path / file).write_bytes(content)
    path = tmp_path / "teacher.safetensors"
    state = load_file(path)
    name = max(state, key=lambda name: state[name].numel())
    save_file({**state, name: spoil(state[name]).contiguous()}, path)
    with pytest.raises(InputError, match=f"is no teacher .*{words}") as caught:
        load(path, DOMAIN.inputs, DOMAIN.outputs, examples)
    assert "\n" not in str(caught.value)


def test_of_each_class_the_first_example_is_shown_and_of_none_the_darkest() -> None:
    x = torch.tensor([[1.0, 2.0], [3.0, -4.0], [5.0, 6.0]])
    shown = one_each(x, torch.tensor([2, 0, 2]), 3)
    assert shown.tolist() == [[3.0, -4.0], [-4.0, -4.0], [1.0, 2.0]]
