"""Teachers of policies: their meta-gradient, and the trainer ``gtn-policy`` under ``aiga train``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pl = pytest.importorskip("pytorch_lightning")

import torch  # noqa: E402
from safetensors.torch import load_file  # noqa: E402
from support import merge  # noqa: E402
from torch import Tensor  # noqa: E402
from training_support import Crash, differences, saved  # noqa: E402

import aiga  # noqa: E402
from aiga import Batch, Contestant, InputError, Pairs, Population, Report, Scores, Stream, training  # noqa: E402
from aiga.testing import linear, points  # noqa: E402
from aiga.threads import threads  # noqa: E402
from aiga_architectures.options import PerceptronOptions, PolicyOptions  # noqa: E402
from aiga_architectures.perceptron import PerceptronNetwork  # noqa: E402
from aiga_architectures.policy import PolicyNetwork  # noqa: E402
from aiga_cartpole.domain import CartPoleDomain  # noqa: E402
from aiga_gtn import load_policy  # noqa: E402
from aiga_gtn.learners import Group, Nursery  # noqa: E402
from aiga_gtn.outer import GRADIENT  # noqa: E402
from aiga_gtn.policies.lessons import LOSS, Judged, Outcome, follow, teach  # noqa: E402
from aiga_gtn.policies.lives import Lives  # noqa: E402
from aiga_gtn.policies.options import GtnPolicyOptions  # noqa: E402
from aiga_gtn.policies.teacher import PolicyTeacher, Shown  # noqa: E402
from aiga_plasticity.a2c import A2cOptions, ActorCritic  # noqa: E402

DOMAIN = CartPoleDomain(steps=8)
SPACES = (DOMAIN.inputs, DOMAIN.outputs)
SMALL: dict[str, Any] = {"batch": 6, "noise": 3, "hidden": (7, 5), "init_rate": 0.3}
TRAIN: dict[str, Any] = {
    "run": {"seed": 3},
    "population": {"domain": "cartpole", "networks": ["perceptron"]},
    "train": {"trainer": "gtn-policy", "accelerator": "cpu", "max_steps": 6, "checkpoint_every": 2, "log_every_n_steps": 1},
    "plugins": {
        "cartpole": {"options": {"steps": 10}},
        "perceptron": {
            "options": {
                "hidden": [11], "activation": "tanh", "norm": "none", "weight_norm": False, "search": ["width", "depth"],
                "widths": [3, 8], "depths": [1, 2],
            }
        },
        "a2c": {"options": {"gamma": 0.99, "bonus_weight": 0.0}},
        "gtn-policy": {
            "options": {
                "batch": 8, "noise": 3, "hidden": [8], "learners": 3, "lives": 2, "epoch": 3, "validated": 2, "taught": 2,
                "decay": 6,
            }
        },
    },
}  # fmt: skip
"""A teacher of three policies for six steps, in epochs of three."""


def short(domain: CartPoleDomain, start: Batch, contestants: dict[str, Contestant], rng: Stream) -> Report:
    """Mean returns over eight lives."""
    rows = {}
    for name, each in contestants.items():
        pairs = Pairs.lives(Population((start,)), Population((each.agents,)), 8)
        scores = domain.live(pairs, each.network, rng.each(len(pairs)).words(1)[:, 0])
        assert isinstance(scores, Scores)
        rows[name] = {"return": tuple(scores.fitness.reshape(-1, 8).mean(dim=1).tolist())}
    return Report("cartpole", rows)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Small tensors on one thread. Curves take longer to draw than the trainings; so does a report of all environments."""
    monkeypatch.setattr("aiga.training.judging.curves", lambda folder, networks: None)
    monkeypatch.setattr("aiga_cartpole.report.report", short)
    with threads(1):
        yield


def perceptron(**options: Any) -> PerceptronNetwork:
    given: dict[str, Any] = {"hidden": (6,), "activation": "tanh", "norm": "none", "weight_norm": False}
    space: dict[str, Any] = {"search": ("width",), "widths": (3, 9)}
    return PerceptronNetwork(PerceptronOptions(**{**given, **space, **options}))


class School:
    """A teacher, learners and their lives; the same every time."""

    def __init__(
        self, network: aiga.Network | None = None, count: int = 3, dtype: torch.dtype = torch.float32, **options: Any
    ) -> None:
        self.options, self.rng = GtnPolicyOptions(**{**SMALL, **options}), Stream(5)
        self.teacher = PolicyTeacher(self.options, *SPACES, self.rng.child("teacher")).to(dtype)
        networks = {"taught": network or perceptron()}
        nursery = Nursery(networks, *SPACES, "sampled", 64)
        self.groups = nursery.draw(self.rng.child("learners"), count, self.teacher.rates)
        self.numbers = torch.arange(count)  # of the learners that are there, which their lives hang on
        critic = ActorCritic(A2cOptions(gamma=0.99, bonus_weight=0.1))
        self.lives = Lives(DOMAIN, DOMAIN.initial(self.rng, 1), networks, critic)

    def shown(self) -> Shown:
        return self.teacher.show(self.rng.child("lesson"))

    def judge(self, group: Group, flat: Tensor) -> Judged:
        return self.lives.judged(group, flat, self.rng.child("lives").rows(self.numbers[group.rows]).words(4))

    def follow(self) -> Outcome:
        return follow(self.shown(), self.groups, self.judge)

    def gradients(self) -> dict[str, Tensor]:
        shown, named = self.shown(), dict(self.teacher.named_parameters())
        slopes = follow(shown, self.groups, self.judge).slopes
        assert slopes is not None
        found = torch.autograd.grad(tuple(shown), list(named.values()), tuple(slopes), materialize_grads=True)
        return dict(zip(named, found, strict=True))

    def only(self, number: int) -> None:
        alone = self.numbers == number
        self.groups = [group.only(alone) for group in self.groups if len(group.only(alone))]
        self.numbers = self.numbers[alone]


def run(folder: Path, name: str = "t", callbacks: tuple[Any, ...] = (), **changes: Any) -> training.TrainingRun:
    return training.train(merge(TRAIN, changes), name=name, runs=folder, callbacks=callbacks)


@pytest.mark.parametrize("options", [{}, {"latents": "noise"}, {"steps": 3}], ids=["learned", "noise", "steps"])
@pytest.mark.parametrize("network", [perceptron(), perceptron(norm="mean", weight_norm=True)], ids=["plain", "normed"])
def test_the_meta_gradient_is_the_slope_of_the_losses_of_lives(network: PerceptronNetwork, options: dict[str, Any]) -> None:
    school = School(network, dtype=torch.float64, **options)
    for name, gradient in school.gradients().items():
        parameter, values = dict(school.teacher.named_parameters())[name], []
        along = torch.linspace(-1.0, 1.0, parameter.numel(), dtype=torch.float64).cos().reshape(parameter.shape)
        for step in (1e-6, -1e-6):
            with torch.no_grad():
                parameter.add_(along, alpha=step)
                values.append(float(school.follow().losses.mean()))
                parameter.sub_(along, alpha=step)
        assert float((gradient * along).sum()) == pytest.approx((values[0] - values[1]) / 2e-6, rel=1e-4, abs=1e-8), name


def test_one_step_is_that_of_the_mean_squared_error() -> None:
    school = School(count=1, dtype=torch.float64)
    (group,), shown = school.groups, school.shown()
    flat = group.flat.detach().requires_grad_()
    answer = group.network.answers(group.leaves(flat), {}, shown.x)  # type: ignore[attr-defined]
    (slope,) = torch.autograd.grad((answer - shown.y).square().mean(), flat)
    own = Shown(*(part.detach()[None] for part in shown))
    torch.testing.assert_close(teach(group, own), flat.detach() - float(shown.rate.detach()) * slope)


@pytest.mark.parametrize("memory", ["none", "recurrent"])
def test_policies_whose_values_nobody_taught_are_judged_without_them(memory: str) -> None:
    def school() -> School:
        options = PolicyOptions(memory=memory, search=("width",))  # type: ignore[arg-type]
        return School(PolicyNetwork(options), dtype=torch.float64)

    one, other = school(), school()
    for group in other.groups:
        for name, leaf in group.batch.leaves.items():
            if name.startswith("value."):
                leaf.add_(3.0)
    assert torch.equal(one.follow().losses, other.follow().losses)
    assert any(float(gradient.abs().max()) > 0.0 for gradient in one.gradients().values())


@pytest.mark.parametrize("count", [1, 4])
def test_learners_that_fail_are_left_out_with_a_reason(count: int) -> None:
    ill, well = School(count=count), School(count=count)
    for group in ill.groups:
        for leaf in group.batch.leaves.values():
            leaf[group.rows == 0] = torch.nan
    outcome = ill.follow()
    assert outcome.failures.keys() == {0}
    assert "not a finite number" in outcome.failures[0]
    assert outcome.losses.isnan().tolist() == [True] + [False] * (count - 1)
    if count == 1:
        assert outcome.slopes is None
        return
    each = []
    for number in range(1, count):
        alone = School(count=count)
        alone.only(number)
        each.append(alone.gradients())
    for name, gradient in ill.gradients().items():
        torch.testing.assert_close(gradient, torch.stack([one[name] for one in each]).mean(dim=0), rtol=1e-3, atol=1e-6)
    assert well.follow().failures == {}


def test_a_loss_and_a_gradient_that_are_no_numbers_are_told_apart() -> None:
    school = School(count=4)

    def judge(group: Group, flat: Tensor) -> Judged:
        judged = school.judge(group, flat)
        steep = (0.0 * flat[:, 0] + (group.rows != 2).float()).sqrt()  # whose slope at 0 is infinite, times 0
        spoilt = torch.where(group.rows == 1, torch.nan, 0.0) + steep
        return judged._replace(losses=judged.losses + spoilt)

    assert follow(school.shown(), school.groups, judge).failures == {1: LOSS, 2: GRADIENT}


def test_no_width_of_the_judged_ones_is_met_in_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    met: dict[str, set[int]] = {}
    draw = Nursery.draw

    def followed(self: Nursery, rng: Stream, each: int, like: Tensor) -> list[Group]:
        use = {1: "probed", 3: "trained", 5: "validated", 2: "taught"}[each]
        space = self._networks["perceptron"].space  # type: ignore[attr-defined]
        initial = space.initial

        def noted(stream: Stream, count: int) -> Any:
            structures = initial(stream, count)
            met.setdefault(use, set()).update(width for structure in structures for width in structure["hidden"])
            return structures

        monkeypatch.setattr(space, "initial", noted)
        groups = draw(self, rng, each, like)
        monkeypatch.setattr(space, "initial", initial)
        if use in ("validated", "taught"):
            met.setdefault(use, set()).update(*(group.batch.kind.structure["hidden"] for group in groups))
        return groups

    monkeypatch.setattr(Nursery, "draw", followed)
    options = {"validated": 5, "architectures": "sampled"}
    taught = run(tmp_path, plugins={"gtn-policy": {"options": options}})
    assert met["validated"] == met["taught"] == {11}
    assert len(met["trained"]) > 2
    assert met["trained"] <= set(range(3, 9))
    assert taught.report is not None


def test_a_training_that_crashed_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    whole = run(tmp_path, "whole")
    for batch in (1, 4):
        with pytest.raises(Exception, match="crashed"):
            run(tmp_path, f"cut{batch}", callbacks=(Crash(batch),))
        cut = training.resume(tmp_path / f"cut{batch}")
        assert list(differences(saved(cut.path), saved(whole.path))) == []
        name = "teacher.safetensors"
        assert (cut.path / "files" / name).read_bytes() == (whole.path / "files" / name).read_bytes()


def test_it_counts_the_simulator_steps_of_training_and_leaves_a_teacher_that_can_be_read(tmp_path: Path) -> None:
    done = run(tmp_path)
    step, state = saved(done.path)
    lived = state["gtn-policy"]["cost"]["environment_steps"]
    assert step == 6
    assert 6 * 3 * 2 * 8 <= lived <= 6 * 3 * 2 * 10
    metrics = done.operations("checkpoint")["metrics"].iloc[-1]
    assert metrics["environment_steps"] == lived
    assert metrics["val_failed"] == 0.0
    file = done.path / "files" / "teacher.safetensors"
    teacher = load_policy(file, *SPACES)
    assert teacher.show(Stream(0)).x.shape == (1, 8, 4)
    assert set(load_file(file)) == set(teacher.state_dict())
    with pytest.raises(InputError, match="outputs"):
        load_policy(file, DOMAIN.inputs, aiga.Space((3,), "discrete"))


def test_taught_policies_stand_longer_than_newborn_ones(tmp_path: Path) -> None:
    options = {"batch": 64, "noise": 16, "hidden": [32], "learners": 8, "lives": 4, "taught": 8, "validated": 0, "lr": 0.01}
    changes: dict[str, Any] = {
        "train": {"max_steps": 15, "gradient_clip_val": 1.0},
        "plugins": {
            "cartpole": {"options": {"steps": 40}},
            "perceptron": {"options": {"hidden": [40], "widths": [12, 32]}},
            "gtn-policy": {"options": {**options, "decay": 0, "epoch": 15}},
        },
    }
    done = run(tmp_path, **changes)
    assert done.report is not None
    returns = done.report["rows"]["perceptron"]["return"]
    assert sum(returns) / len(returns) > 34.0


def test_what_it_cannot_be_trained_with_is_refused(tmp_path: Path) -> None:
    config = merge(TRAIN, {})
    del config["population"]
    with pytest.raises(InputError, match=r"\[population\]"):
        training.train(config, name="t", runs=tmp_path)
    for name in ("es", "a3c"):
        with pytest.raises(InputError, match=rf"optimiser.*{name}"):
            run(tmp_path, plugins={"gtn-policy": {"options": {"optimiser": name}}, "es": {}})
    plugins = {"points": {"path": points.__file__}, "linear": {"path": linear.__file__}}
    with pytest.raises(InputError, match="choose from"):
        run(tmp_path, population={"domain": "points", "networks": ["linear"]}, plugins=plugins)
    with pytest.raises(InputError, match=r'domain: .* lives in "digits" have no logits that gradients go through. Write'):
        run(tmp_path, population={"domain": "digits"}, plugins={"digits": {}})
    assert not (tmp_path / "t").exists()
    with pytest.raises(InputError, match="max_rate"):
        run(tmp_path, plugins={"gtn-policy": {"options": {"init_rate": 11.0}}})
