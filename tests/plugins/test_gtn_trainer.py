"""The trainer ``gtn`` under ``aiga train``: what it trains, logs, leaves and resumes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pl = pytest.importorskip("pytorch_lightning")

import blobs  # noqa: E402
import torch  # noqa: E402
from blobs import DOMAIN, examples  # noqa: E402
from safetensors.torch import load_file  # noqa: E402
from support import merge  # noqa: E402
from training_support import Crash, differences, saved  # noqa: E402

from aiga import InputError, Stream, training  # noqa: E402
from aiga.testing import linear, points  # noqa: E402
from aiga_gtn import load  # noqa: E402
from aiga_gtn.learners import Nursery  # noqa: E402
from aiga_gtn.outer import LOSS  # noqa: E402

TEACH: dict[str, Any] = {
    "run": {"seed": 7},
    "population": {"domain": "blobs", "networks": ["small"]},
    "train": {"trainer": "gtn", "accelerator": "cpu", "max_steps": 12, "checkpoint_every": 2, "log_every_n_steps": 1},
    "plugins": {
        "blobs": {"path": blobs.__file__},
        "gtn": {
            "options": {
                "steps": 3, "batch": 9, "noise": 3, "hidden": [8], "learners": 2, "examples": 20, "epoch": 5,
                "validated": 2, "taught": 3, "decay": 10,
            }
        },
    },
}  # fmt: skip


def teach(folder: Path, name: str = "t", callbacks: tuple[Any, ...] = (), **changes: Any) -> training.TrainingRun:
    return training.train(merge(TEACH, changes), name=name, runs=folder, callbacks=callbacks)


def test_learners_of_a_taught_teacher_know_what_newborn_ones_do_not(tmp_path: Path) -> None:
    changes: dict[str, Any] = {"train": {"max_steps": 60}, "plugins": {"gtn": {"options": {"lr": 0.05, "decay": 0}}}}
    run = teach(tmp_path, **changes)
    assert run.report is not None
    assert min(run.report["rows"]["small"]["test %"]) > 85.0
    assert [path.name for path in run.agents] == ["last-0.safetensors", "last-1.safetensors", "last-2.safetensors"]
    about = json.loads(run.agents[0].with_suffix(".json").read_text())
    assert about["structure"]["hidden"] == [6]


def test_its_teacher_is_left_as_a_file_and_teaches_from_it(tmp_path: Path) -> None:
    run = teach(tmp_path)
    assert {"teacher.safetensors", "teacher.json", "inner.png", "samples.png", "lessons.png"} == {p.name for p in run.files}
    assert {"inner.png", "samples.png", "lessons.png", "curves.png"} <= {path.name for path in run.pictures}
    teacher = load(run.path / "files" / "teacher.safetensors", DOMAIN.inputs, DOMAIN.outputs, examples)
    state = saved(run.path)[1]["state_dict"]
    assert all(torch.equal(value, state[f"teacher.{name}"]) for name, value in teacher.state_dict().items())


@pytest.mark.parametrize("batch", [2, 4, 6, 9])
def test_a_training_that_crashed_goes_on_to_the_same_bits(batch: int, tmp_path: Path) -> None:
    whole = teach(tmp_path, "whole")
    with pytest.raises(Exception, match="crashed"):
        teach(tmp_path, "cut", callbacks=(Crash(batch),))
    training.resume(tmp_path / "cut")
    assert list(differences(saved(tmp_path / "cut"), saved(whole.path))) == []
    for name in ("teacher.safetensors", "samples.png"):
        assert (tmp_path / "cut" / "files" / name).read_bytes() == (whole.path / "files" / name).read_bytes()


@pytest.mark.parametrize("architectures", ["common", "sampled"])
def test_its_bits_hang_not_on_how_many_learners_are_taught_in_one_call(architectures: str, tmp_path: Path) -> None:
    options = {"learners": 3, "architectures": architectures}
    whole = teach(tmp_path, "whole", plugins={"gtn": {"options": options}})
    single = teach(tmp_path, "single", plugins={"gtn": {"options": {**options, "at_once": 1}}})
    assert list(differences(saved(single.path), saved(whole.path))) == []


def test_several_networks_are_taught_side_by_side(tmp_path: Path) -> None:
    run = teach(tmp_path, population={"networks": ["small", "leaky"]})
    assert {path.stem for path in run.agents} == {f"last-{name}-{i}" for name in ("small", "leaky") for i in range(3)}
    assert run.report is not None
    assert run.report["rows"].keys() == {"small", "leaky"}


def test_no_learner_is_met_in_training_and_in_validation_or_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    met: dict[str, set[int]] = {}
    draw = Nursery.draw

    def followed(self: Nursery, rng: Stream, each: int, like: torch.Tensor) -> Any:
        groups = draw(self, rng, each, like)
        use = {2: "trained", 5: "validated", 3: "taught"}[each]
        met.setdefault(use, set()).update(hash(tuple(row[:8])) for group in groups for row in group.flat.tolist())
        return groups

    monkeypatch.setattr(Nursery, "draw", followed)
    teach(tmp_path, plugins={"gtn": {"options": {"validated": 5}}})
    assert len(met["trained"]) == 24
    assert not met["trained"] & met["validated"]
    assert not (met["trained"] | met["validated"]) & met["taught"]


def test_learners_that_fail_are_counted_and_the_training_goes_on(tmp_path: Path) -> None:
    run = teach(tmp_path, population={"networks": ["explosive"]}, plugins={"gtn": {"options": {"learners": 4}}})
    step, state = saved(run.path)
    assert step == 12
    assert 0 < sum(state["gtn"]["failures"].values()) < 48
    assert set(state["gtn"]["failures"]) == {LOSS}
    assert all(value.isfinite().all() for value in state["state_dict"].values())
    metrics = run.operations("checkpoint")["metrics"].iloc[-1]
    assert metrics["val_failed"] >= 0.0


def test_early_stopping_keeps_the_best_teacher(tmp_path: Path) -> None:
    run = teach(
        tmp_path,
        train={"max_steps": 200, "early_stop": {"monitor": "val_fitness", "mode": "max", "patience": 1}},
        plugins={"gtn": {"options": {"lr": 0.05}}},
    )
    assert "got no better" in str(run.operations("stop")["reason"].iloc[-1])
    best = load_file(run.path / "files" / "best" / "teacher.safetensors")
    last = load_file(run.path / "files" / "teacher.safetensors")
    assert any(not torch.equal(best[name], last[name]) for name in best)


def test_what_is_replayed_trains_as_what_is_kept(tmp_path: Path) -> None:
    options = {"steps": 4, "block": 2}
    replayed = saved(teach(tmp_path, "replayed", plugins={"gtn": {"options": options}}).path)[1]["state_dict"]
    kept = saved(teach(tmp_path, "kept", plugins={"gtn": {"options": {"steps": 4}}}).path)[1]["state_dict"]
    assert all(torch.allclose(value, kept[name], atol=1e-3) for name, value in replayed.items())


def test_a_domain_without_examples_is_refused(tmp_path: Path) -> None:
    population = {"domain": "points", "networks": ["linear"]}
    plugins = {"points": {"path": points.__file__}, "linear": {"path": linear.__file__}}
    with pytest.raises(InputError, match="examples"):
        teach(tmp_path, population=population, plugins=plugins)
    config = merge(TEACH, {})
    del config["population"]
    with pytest.raises(InputError, match=r"\[population\]"):
        training.train(config, name="t", runs=tmp_path)
