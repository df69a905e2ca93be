"""How niches' teachers learn: their meta-gradient, whom it concerns, and what becomes of those who are taught."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

import aiga
from aiga import Batch, Stream, padding
from aiga.data import Kind, Population, flatten
from aiga.newborns import newborns
from aiga.testing.sameness import same
from aiga.threads import threads
from aiga_architectures.options import PerceptronOptions, PolicyOptions
from aiga_architectures.perceptron import PerceptronNetwork
from aiga_architectures.policy import PolicyNetwork
from aiga_cartpole.domain import CartPoleDomain
from aiga_gtn.learners import Group
from aiga_gtn.niches import rounds
from aiga_gtn.niches.doings import Doings, imitation
from aiga_gtn.niches.options import GtnNichesOptions
from aiga_gtn.niches.teachers import Teachers
from aiga_gtn.niches.teaching import taught, teach
from aiga_plasticity.backpropamine import BackpropamineNetwork
from aiga_plasticity.options import BackpropamineOptions

NICHES, STEPS, LIVES = 3, 5, 2
KEYS = torch.tensor([40, 41, 47])
DOMAIN = CartPoleDomain(steps=STEPS)
SMALL: dict[str, Any] = {"steps": 3, "batch": 2, "length": 3, "noise": 2, "hidden": 4, "train_steps": 1}


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    with threads(1):
        yield


class Stepped:
    """A network that can live step by step alone."""

    def __init__(self, network: Any) -> None:
        self.structure, self.space, self.bucket = network.structure, network.space, network.bucket
        self.build, self.init, self.newborn, self.step = network.build, network.init, network.newborn, network.step


def plastic() -> BackpropamineNetwork:
    return BackpropamineNetwork(BackpropamineOptions(units=4, alpha_scale=0.5, search=("width",), widths=(3, 5)))


def perceptron() -> PerceptronNetwork:
    given: dict[str, Any] = {"activation": "tanh", "norm": "none", "weight_norm": False}
    return PerceptronNetwork(PerceptronOptions(search=("width",), widths=(3, 6), **given))


MADE: dict[str, Callable[[], Any]] = {
    "unrolled": plastic, "stepped": lambda: Stepped(plastic()), "without-memory": perceptron,
}  # fmt: skip


def doings(dtype: torch.dtype = torch.float64, niches: int = NICHES) -> Doings:
    """Lives, some of which end early, as someone might have lived them."""
    rng, shape = Stream(6), (niches, STEPS, LIVES)
    rows = rng.rows(torch.arange(niches))
    observation = rows.child("seen").normal(STEPS, LIVES, 4).transpose(0, 1)
    previous = (rows.child("before").uniform(STEPS, LIVES, 2).transpose(0, 1) > 0.5).float()
    target = rows.child("target").normal(STEPS, LIVES, 2).mul(2.0).softmax(dim=3).transpose(0, 1)
    reward = rows.child("reward").normal(STEPS, LIVES).transpose(0, 1)
    length = 2 + torch.arange(shape[0] * shape[2]).reshape(niches, LIVES) % (STEPS - 1)
    alive = (torch.arange(STEPS)[:, None, None] < length).float()
    return Doings(*(part.to(dtype) for part in (observation, reward, previous, target, alive)))


def born(options: GtnNichesOptions, done: Doings, keys: Tensor = KEYS) -> Teachers:
    made = Teachers.born(options, keys, done, Stream(8).rows(keys))
    dtype = done.reward.dtype
    leaves, adam = ({name: part.to(dtype) for name, part in parts.items()} for parts in (made.leaves, made.adam))
    return replace(made, leaves=leaves, adam={**adam, "first": made.adam["first"], "second": made.adam["second"]})


class Round:
    """A round of meta-learning in which each niche has two learners; the same every time."""

    def __init__(self, network: Any, patch: pytest.MonkeyPatch, dtype: torch.dtype = torch.float64, **options: Any) -> None:
        self.options, self.doings = GtnNichesOptions(**{**SMALL, **options}), doings(dtype)
        self.teachers, self.network = born(self.options, self.doings), network
        self.slope = torch.empty(0)
        self.spoil: Callable[[dict[str, Tensor]], None] = lambda leaves: None
        draw, after = rounds._learners, Teachers.after

        def learners(*given: Any) -> Group:
            group = draw(*given)
            leaves = {name: leaf.to(dtype) for name, leaf in group.batch.leaves.items()}
            self.spoil(leaves)
            return Group(group.network, replace(group.batch, leaves=leaves), group.rows)

        def noted(teachers: Teachers, gradient: Tensor, options: GtnNichesOptions) -> Teachers:
            self.slope = gradient
            return after(teachers, gradient, options)

        patch.setattr(rounds, "_learners", learners)
        patch.setattr(Teachers, "after", noted)

    def learnt(self, rows: Tensor | None = None) -> tuple[Teachers, Tensor, int, Any]:
        rows = torch.arange(NICHES) if rows is None else rows
        given = self.teachers.take(rows), self.doings.of(rows)
        return rounds.learnt(self.options, *given, {"it": self.network}, DOMAIN, Stream(2))

    def named(self, slope: Tensor) -> dict[str, Tensor]:
        return aiga.data.unflatten(slope, self.teachers.leaves)


@pytest.mark.parametrize("lessons", ["generated", "lives"])
@pytest.mark.parametrize("name", MADE)
def test_the_meta_gradient_is_the_slope_of_the_last_imitation(name: str, lessons: str, monkeypatch: pytest.MonkeyPatch) -> None:
    it = Round(MADE[name](), monkeypatch, lessons=lessons)
    it.learnt()
    gradients = it.named(it.slope)
    assert {"latents", "first.weight", "first.bias", "second.weight", "second.bias", "rate", "momentum"} == gradients.keys()
    for leaf, gradient in gradients.items():
        if lessons == "lives" and leaf not in ("rate", "momentum"):
            assert float(gradient.abs().max()) == 0.0
            continue
        along = torch.linspace(-3.0, 3.0, gradient.numel(), dtype=torch.float64).cos().reshape(gradient.shape)
        values = []
        for step in (1e-5, -1e-5):
            it.teachers.leaves[leaf].add_(along, alpha=step)
            values.append(float(it.learnt()[1].sum()))
            it.teachers.leaves[leaf].sub_(along, alpha=step)
        slope = (values[0] - values[1]) / 2e-5
        assert float((gradient * along).sum()) == pytest.approx(slope, rel=1e-4, abs=1e-8), leaf
        assert abs(slope) > 1e-7, leaf


def test_kernels_in_single_precision_come_to_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for dtype in (torch.float64, torch.float32):
        with monkeypatch.context() as patch:
            it = Round(plastic(), patch, dtype)
            _, off, failed, _ = it.learnt()
            found.append((off, it.slope.double()))
            assert failed == 0
    torch.testing.assert_close(found[0][0], found[1][0], rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(found[0][1], found[1][1], rtol=1e-2, atol=1e-5)


def test_stepping_comes_to_the_same_as_unrolling(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for name in ("unrolled", "stepped"):
        with monkeypatch.context() as patch:
            it = Round(MADE[name](), patch, train_steps=2)
            found.append((flatten(it.learnt()[0].leaves), it.slope))
    torch.testing.assert_close(found[0], found[1], rtol=1e-8, atol=1e-10)


def test_a_teacher_hangs_on_its_own_niche_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    it = Round(perceptron(), monkeypatch, train_steps=2)
    rows = torch.tensor([2, 0])
    (whole, off, _, _), (few, less, _, _) = it.learnt(), it.learnt(rows)
    torch.testing.assert_close(flatten(whole.leaves)[rows], flatten(few.leaves), rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(off[rows], less)
    assert bool((flatten(whole.leaves) != flatten(it.teachers.leaves)).any(dim=1).all())


def unmoved(before: Teachers, after: Teachers, row: int) -> bool:
    mine = torch.tensor([row])
    one, other = before.take(mine), after.take(mine)
    return same(one.leaves, other.leaves) and same(one.adam, other.adam) and torch.equal(one.age, other.age)


@pytest.mark.parametrize("cause", ["leaves", "rate"])
@pytest.mark.parametrize("name", ["unrolled", "without-memory"])
def test_a_learner_that_fails_leaves_its_teacher_as_it_was_and_is_nothing_to_others(
    name: str, cause: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ill(leaves: dict[str, Tensor]) -> None:
        for leaf in leaves.values():
            leaf[3] = torch.nan  # the second learner of the second niche

    it = Round(MADE[name](), monkeypatch, torch.float32, train_steps=2, max_rate=1e30, init_rate=0.5)
    sound, _, none, _ = it.learnt()
    if cause == "leaves":
        it.spoil = ill
    else:
        it.teachers.leaves["rate"][1] = 60.0
    left, off, failed, _ = it.learnt()
    assert (none, failed) == (0, 2)
    assert off.isnan().tolist() == [False, True, False]
    assert unmoved(it.teachers, left, 1)
    for row in (0, 2):
        assert unmoved(sound, left, row)
        assert int(left.age[row]) == 2


def test_work_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    it = Round(perceptron(), monkeypatch, train_steps=2, learners=2)
    cost = it.learnt()[3]
    learners = 2 * NICHES * 2
    assert cost["gradient_steps"] == learners * 3 + 2 * NICHES
    assert cost["examples"] == learners * (3 * 2 * 3 + STEPS * LIVES)


def test_learners_of_teachers_that_have_learnt_do_as_was_done(monkeypatch: pytest.MonkeyPatch) -> None:
    it = Round(perceptron(), monkeypatch, torch.float32, train_steps=30, lr=0.03, steps=4, batch=4)
    it.doings = replace(it.doings, target=it.doings.observation[..., :2].mul(2.0).softmax(dim=3))

    def off(teachers: Teachers) -> float:
        options = it.options.model_copy(update={"train_steps": 1, "learners": 8})
        return float(rounds.learnt(options, teachers, it.doings, {"it": it.network}, DOMAIN, Stream(7))[1].mean())

    assert off(it.learnt()[0]) < 0.6 * off(it.teachers)


NETWORKS: dict[str, Any] = {"policy": PolicyNetwork(PolicyOptions(hidden=4)), "perceptron": perceptron(), "plastic": plastic()}
WIDTHS = (("policy", 3), ("plastic", 5), ("perceptron", 4), ("policy", 7), ("plastic", 4), ("policy", 3), ("perceptron", 6))


def school() -> tuple[Population, Any, Doings]:
    """Newborns of unlike architectures, what each is shown, and what each is compared with."""
    key = {"policy": "hidden", "plastic": "units", "perceptron": "hidden"}
    wide = [(name, [width] if name == "perceptron" else width) for name, width in WIDTHS]
    kinds = [Kind(name, {**NETWORKS[name].structure, key[name]: width}) for name, width in wide]
    count = torch.arange(len(kinds))
    agents, row = newborns(NETWORKS.__getitem__, kinds, Stream(3).rows(count), DOMAIN.inputs, DOMAIN.outputs)
    agents = agents.in_order(row).with_ids(100 + count)
    options, done = GtnNichesOptions(**SMALL), doings(torch.float32)
    teachers = born(options, done)
    shown = teachers.lessons(options, teachers.leaves, DOMAIN.outputs, tuple(DOMAIN.inputs.shape))
    return agents, shown.of(count % NICHES), done.of(count % NICHES)


def test_the_taught_come_back_in_their_place_and_kind_whoever_is_taught_beside_them() -> None:
    agents, shown, done = school()
    after, off = taught(agents, shown, NETWORKS.__getitem__, DOMAIN, done)
    assert torch.equal(after.ids, agents.ids)
    assert [batch.kind for batch in after.batches] == [batch.kind for batch in agents.batches]
    for row in range(len(agents)):
        mine = torch.tensor([row])
        (alone,), one = (
            (pair := taught(agents.in_order(mine), shown.of(mine), NETWORKS.__getitem__, DOMAIN, done.of(mine)))[0].batches,
            pair[1],
        )
        (found,), (was,) = after.in_order(mine).batches, agents.in_order(mine).batches
        torch.testing.assert_close(found.leaves, alone.leaves, rtol=1e-3, atol=1e-5)
        assert float(one) == pytest.approx(float(off[row]), rel=1e-3)
        assert {name: leaf.shape for name, leaf in found.leaves.items()} == {n: leaf.shape for n, leaf in was.leaves.items()}
        assert not same(found.leaves, was.leaves)
        again = imitation(NETWORKS[found.kind.component], found.leaves, done.of(mine), True)
        assert float(again) == pytest.approx(float(off[row]), rel=1e-3)


def test_who_is_compared_with_nobody_has_no_number() -> None:
    agents, shown, done = school()
    plain, off = taught(agents, shown, NETWORKS.__getitem__, DOMAIN)
    assert bool(off.isnan().all())
    assert torch.equal(plain.hashes, taught(agents, shown, NETWORKS.__getitem__, DOMAIN, done)[0].hashes)


def test_what_agents_are_filled_up_with_stays_zero() -> None:
    agents, shown, _ = school()
    for row, (name, _) in enumerate(WIDTHS):
        network, mine = NETWORKS[name], torch.tensor([row])
        (narrow,) = agents.in_order(mine).batches
        wide = padding.filled(network, narrow, DOMAIN.inputs, DOMAIN.outputs)
        group = Group(network, wide, torch.zeros(1, dtype=torch.int64))
        done: Batch = group.agents(teach(group, shown.of(mine), True))
        layouts = [network.build(batch.kind.structure, DOMAIN.inputs, DOMAIN.outputs) for batch in (narrow, wide)]
        assert flatten(wide.leaves).shape[1] > flatten(narrow.leaves).shape[1]
        assert same(padding.padded(padding.cut(done.leaves, layouts[0]), layouts[1]), done.leaves)
        assert not same(done.leaves, wide.leaves)


def test_a_step_goes_down_the_slope_of_the_lesson_with_momentum() -> None:
    agents, shown, _ = school()
    mine = torch.tensor([2])
    (batch,), lessons, network = agents.in_order(mine).batches, shown.of(mine), NETWORKS["perceptron"]
    group = Group(network, batch, torch.zeros(1, dtype=torch.int64))
    flat, speed = group.flat, torch.zeros_like(group.flat)
    for step, lesson in enumerate(lessons.shown):
        at = flat.clone().requires_grad_()
        (slope,) = torch.autograd.grad(imitation(network, group.leaves(at), lesson, True).sum(), at)
        speed = slope + lessons.momentum[:, step : step + 1].detach() * speed
        flat = flat - lessons.rate[:, step : step + 1].detach() * speed
    torch.testing.assert_close(teach(group, lessons, True), flat)
