"""The meta-gradient: true by finite differences, the same when it is replayed, and without learners that come to nothing."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any, Literal

import pytest
import torch
from blobs import DOMAIN, Explosive, Small, examples
from torch import Tensor

from aiga import Network, Stream
from aiga.testing.linear import LinearNetwork
from aiga_gtn import inner, outer, replay
from aiga_gtn.learners import Group, Nursery
from aiga_gtn.lessons import Lesson
from aiga_gtn.options import GtnOptions
from aiga_gtn.outer import GRADIENT, LOSS, Outcome, meta_gradient
from aiga_gtn.teacher import Teacher, new

SMALL: dict[str, Any] = {"steps": 4, "batch": 6, "noise": 3, "hidden": (7, 5)}
TEACHERS: tuple[dict[str, Any], ...] = (
    {},
    {"teacher": "all-shuffled"},
    {"teacher": "pixels"},
    {"teacher": "data"},
    {"teacher": "subset", "labels": "learned"},
    {"labels": "learned", "intermediate": 2},
)


class School:
    """A teacher, learners and a lesson."""

    def __init__(
        self,
        network: Network | None = None,
        count: int = 3,
        dtype: torch.dtype = torch.float32,
        at_once: int = 64,
        architectures: Literal["common", "sampled", "fixed"] = "sampled",
        **options: Any,
    ) -> None:
        self.options, rng = GtnOptions(**{**SMALL, **options}), Stream(3)
        self.teacher: Teacher = new(self.options, DOMAIN.inputs, DOMAIN.outputs, examples, rng.child("teacher")).to(dtype)
        networks = {"small": network or Small()}
        nursery = Nursery(networks, DOMAIN.inputs, DOMAIN.outputs, architectures, at_once)
        self.groups: list[Group] = nursery.draw(rng.child("learners"), count, self.teacher.rates)
        self.lesson: Lesson = self.teacher.draw(rng.child("lesson"))
        x, labels = examples(rng.child("real").rows(torch.arange(count)), 12)
        self.real = (x.to(dtype), labels)

    def follow(self, **given: Any) -> Outcome:
        return meta_gradient(
            self.teacher, self.lesson, self.groups, self.real, **{"intermediate": self.options.intermediate, **given}
        )

    def loss(self) -> float:
        """Of what the meta-gradient follows."""
        with torch.no_grad():
            flats, lost = inner.teach(
                self.teacher, self.lesson, self.groups, judged=self.real, intermediate=self.options.intermediate
            )
            return float((inner.losses(self.groups, flats, *self.real) + lost).mean())

    def only(self, keep: list[int]) -> None:
        sound = torch.zeros(len(self.real[1]), dtype=torch.bool)
        sound[keep] = True
        self.groups = [group.only(sound) for group in self.groups if len(group.only(sound))]
        self.real = (self.real[0][sound], self.real[1][sound])


def same(one: Outcome, other: Outcome) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.gradients, other.gradients, strict=True))


@pytest.mark.parametrize("options", TEACHERS, ids=lambda options: "-".join(map(str, options.values())) or "full")
def test_it_is_the_slope_of_the_loss_for_everything_that_is_learned(options: dict[str, Any]) -> None:
    school = School(dtype=torch.float64, **options)
    gradients = school.follow().gradients
    for (name, parameter), gradient in zip(school.teacher.named_parameters(), gradients, strict=True):
        along, values = torch.linspace(-1.0, 1.0, parameter.numel(), dtype=torch.float64).cos().reshape(parameter.shape), []
        for step in (1e-5, -1e-5):
            with torch.no_grad():
                parameter.add_(along, alpha=step)
                values.append(school.loss())
                parameter.sub_(along, alpha=step)
        slope = (values[0] - values[1]) / 2e-5
        assert float((gradient * along).sum()) == pytest.approx(slope, rel=1e-5, abs=1e-9), name


def test_networks_that_only_step_are_taught_too() -> None:
    school = School(LinearNetwork(bias=True), dtype=torch.float64)
    gradients = school.follow().gradients
    assert any(float(gradient.abs().max()) > 0.0 for gradient in gradients)
    before = school.loss()
    with torch.no_grad():
        for parameter, gradient in zip(school.teacher.parameters(), gradients, strict=True):
            parameter.sub_(gradient, alpha=0.01)
    assert school.loss() < before


@pytest.mark.parametrize("block", [1, 3])
@pytest.mark.parametrize("options", TEACHERS, ids=lambda options: "-".join(map(str, options.values())) or "full")
def test_replayed_it_is_the_same_to_the_bit(options: dict[str, Any], block: int) -> None:
    school = School(**options)
    assert same(school.follow(block=block), school.follow(block=block, replay=False))


def peak(follow: Callable[[], object]) -> int:
    """The most bytes that autograd held for later at any time."""
    held, most = 0, 0

    class Kept:
        def __init__(self, tensor: Tensor) -> None:
            nonlocal held, most
            self.tensor = tensor
            held += tensor.nbytes
            most = max(most, held)

        def __del__(self) -> None:
            nonlocal held
            held -= self.tensor.nbytes

    with torch.autograd.graph.saved_tensors_hooks(Kept, lambda kept: kept.tensor):
        follow()
    return most


def test_replayed_it_needs_the_memory_of_a_block_and_not_of_all_steps() -> None:
    short, long = School(steps=4, teacher="none"), School(steps=24, teacher="none")
    once, many = (peak(lambda school=school: school.follow(block=2)) for school in (short, long))
    assert many < 1.1 * once
    assert peak(lambda: long.follow()) > 4 * peak(lambda: short.follow())


def test_replayed_a_chain_keeps_one_state_a_block() -> None:
    weight, made = torch.ones(3, requires_grad=True), list[weakref.ref[Tensor]]()

    def block(number: int, state: replay.State) -> replay.State:
        (x,) = state
        for _ in range(5):
            x = torch.sin(x)
            made.append(weakref.ref(x))
        return (x * weight,)

    (end,) = replay.chain(block, 6, (torch.rand(3, requires_grad=True),), (weight,), replay=True)
    gc.collect()
    assert not [one for one in made if one() is not None], "states within blocks are let go"
    assert [len(state) for state in end.grad_fn.starts] == [1] * 6  # type: ignore[union-attr]


@pytest.mark.parametrize("architectures", ["common", "sampled"])
def test_it_hangs_not_on_how_many_learners_are_taught_in_one_call(architectures: Literal["common", "sampled"]) -> None:
    whole = School(count=5, architectures=architectures).follow()
    for at_once in (1, 2, 4):
        cut = School(count=5, architectures=architectures, at_once=at_once)
        assert len(cut.groups) > 1
        outcome = cut.follow()
        assert torch.equal(outcome.losses, whole.losses)
        assert same(outcome, whole)


def test_filled_up_learners_learn_as_by_themselves() -> None:
    school = School(dtype=torch.float64)
    losses = school.follow().losses
    for number in range(3):
        alone = School(dtype=torch.float64)
        alone.only([number])
        assert alone.follow().losses[0] == losses[number]
    own = Small()
    own.bucket = lambda structure: structure  # type: ignore[method-assign]
    assert torch.allclose(School(own, dtype=torch.float64).follow().losses, losses, rtol=1e-12)


def test_a_learner_that_comes_to_no_numbers_is_left_out_with_a_reason() -> None:
    school = School(Explosive(), count=6)
    outcome = school.follow()
    lost = sorted(outcome.failures)
    assert lost
    assert len(lost) < 6
    assert set(outcome.failures.values()) <= {LOSS, GRADIENT}
    assert outcome.losses.isnan().nonzero().flatten().tolist() == lost
    school.only([number for number in range(6) if number not in lost])
    assert same(school.follow(), outcome)


def test_one_whose_gradient_alone_is_no_number_is_left_out_too(monkeypatch: pytest.MonkeyPatch) -> None:
    judged = outer.losses

    def steep(*given: Any) -> Tensor:
        each = judged(*given)
        if len(each) < 4:
            return each
        return torch.cat([each[:1] + (each[:1] - each[:1].detach()).sqrt(), each[1:]])  # infinitely steep at 0

    monkeypatch.setattr(outer, "losses", steep)
    school = School(count=4)
    outcome = school.follow()
    assert outcome.failures == {0: GRADIENT}
    school.only([1, 2, 3])
    assert same(school.follow(), outcome)


def test_where_all_fail_there_is_no_gradient() -> None:
    school = School(count=2)
    with torch.no_grad():
        school.teacher.rates.fill_(torch.nan)
    outcome = school.follow()
    assert outcome.gradients == ()
    assert outcome.failures == {0: LOSS, 1: LOSS}
