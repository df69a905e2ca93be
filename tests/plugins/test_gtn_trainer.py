"""The trainer ``gtn`` under ``aiga train``: what it trains, logs, leaves and resumes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pl = pytest.importorskip("pytorch_lightning")

import torch  # noqa: E402
from blobs import TEACH, teach  # noqa: E402
from safetensors.torch import load_file  # noqa: E402
from support import merge  # noqa: E402
from training_support import Crash, differences, saved  # noqa: E402

from aiga import InputError, Stream, training  # noqa: E402
from aiga.testing import linear, points  # noqa: E402
from aiga_gtn.learners import Nursery  # noqa: E402
from aiga_gtn.outer import LOSS  # noqa: E402


@pytest.fixture(autouse=True)
def _no_curves(monkeypatch: pytest.MonkeyPatch) -> None:
    """They take longer to draw than the trainings."""
    monkeypatch.setattr("aiga.training.judging.curves", lambda folder, networks: None)
    monkeypatch.setattr("aiga_gtn.pictures.inner", lambda module, nursery: b"")


def test_learners_of_a_taught_teacher_know_what_newborn_ones_do_not(tmp_path: Path) -> None:
    changes: dict[str, Any] = {"train": {"max_steps": 60}, "plugins": {"gtn": {"options": {"lr": 0.05, "decay": 0}}}}
    run = teach(tmp_path, **changes)
    assert run.report is not None
    assert min(run.report["rows"]["small"]["test %"]) > 85.0
    assert [path.name for path in run.agents] == ["last-0.safetensors", "last-1.safetensors", "last-2.safetensors"]
    about = json.loads(run.agents[0].with_suffix(".json").read_text())
    assert about["structure"]["hidden"] == [6]


def test_a_training_that_crashed_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    whole = teach(tmp_path, "whole")
    for batch in (2, 9):
        with pytest.raises(Exception, match="crashed"):
            teach(tmp_path, f"cut{batch}", callbacks=(Crash(batch),))
        cut = training.resume(tmp_path / f"cut{batch}")
        assert list(differences(saved(cut.path), saved(whole.path))) == []
        for name in ("teacher.safetensors", "samples.png"):
            assert (cut.path / "files" / name).read_bytes() == (whole.path / "files" / name).read_bytes()


def test_its_bits_hang_not_on_how_many_learners_are_taught_in_one_call(tmp_path: Path) -> None:
    options = {"learners": 3, "architectures": "sampled"}
    whole = teach(tmp_path, "whole", plugins={"gtn": {"options": options}})
    single = teach(tmp_path, "single", plugins={"gtn": {"options": {**options, "at_once": 1}}})
    assert list(differences(saved(single.path), saved(whole.path))) == []


def test_several_networks_are_taught_side_by_side(tmp_path: Path) -> None:
    run = teach(tmp_path, population={"networks": ["small", "leaky"]})
    assert {path.stem for path in run.agents} == {f"last-{name}-{i}" for name in ("small", "leaky") for i in range(3)}
    assert run.report is not None
    assert run.report["rows"].keys() == {"small", "leaky"}


def test_no_learner_is_met_in_training_and_in_validation_or_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    met: dict[str, set[int]] = {}
    draw = Nursery.draw

    def followed(self: Nursery, rng: Stream, each: int, like: torch.Tensor) -> Any:
        groups = draw(self, rng, each, like)
        use = {2: "trained", 5: "validated", 3: "taught"}[each]
        met.setdefault(use, set()).update(hash(tuple(row)) for group in groups for row in group.flat.tolist())
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


def test_a_domain_without_examples_is_refused(tmp_path: Path) -> None:
    population = {"domain": "points", "networks": ["linear"]}
    plugins = {"points": {"path": points.__file__}, "linear": {"path": linear.__file__}}
    with pytest.raises(InputError, match="examples"):
        teach(tmp_path, population=population, plugins=plugins)
    config = merge(TEACH, {})
    del config["population"]
    with pytest.raises(InputError, match=r"\[population\]"):
        training.train(config, name="t", runs=tmp_path)
