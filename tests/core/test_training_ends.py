"""How a training ends: limits, early stops, signals, faults of its trainer; and that what was saved can be gone on from."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pl = pytest.importorskip("pytorch_lightning")

import torch  # noqa: E402
from support import merge  # noqa: E402
from training_support import LEARNERS, Crash, command, reach, saved, status, write  # noqa: E402

from aiga import training  # noqa: E402
from aiga.errors import InputError, PluginError  # noqa: E402


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def test_an_early_stop_keeps_the_best_agents_and_is_not_gone_on_from(tmp_path: Path) -> None:
    early = {"monitor": "val_loss", "patience": 1, "min_delta": 0.5}
    config = reach(train={"max_steps": 200, "early_stop": early})
    run = training.train(config, name="r", runs=tmp_path)
    stop = run.operations("stop").iloc[-1]
    assert "val_loss got no better in 1 checks; the best was 0.59" in stop["reason"]
    assert stop["iteration"] == saved(run.path)[0] == 20
    best, last = run.agents[2], run.agents[0]
    assert json.loads(best.with_suffix(".json").read_text())["step"] == 10
    assert best.read_bytes() != last.read_bytes()
    training.resume(run.path)
    assert run.operations("stop")["reason"].tolist() == [stop["reason"]] * 2
    assert saved(run.path)[0] == 20
    training.resume(run.path, overrides=["train.early_stop.patience=2"])
    assert saved(run.path)[0] == 30


def test_without_validations_an_early_stop_checks_at_the_ends_of_epochs(tmp_path: Path) -> None:
    early = {"monitor": "loss_epoch", "patience": 1, "min_delta": 10.0}
    config = reach(train={"val_check_interval": 3, "early_stop": early, "max_steps": 100})
    config = merge(config, {"plugins": {"learners": {"options": {"validated": False}}}})
    run = training.train(config, name="r", runs=tmp_path)
    assert saved(run.path)[0] == 20


def test_a_value_to_watch_that_is_not_logged_is_told_with_those_that_are(tmp_path: Path) -> None:
    file = write(tmp_path, reach(train={"early_stop": {"monitor": "val_los"}}))
    code, _, error = command("train", file, "--name", "r", "--runs", tmp_path)
    assert code == 2
    assert '[train] early_stop.monitor: the trainer logs no "val_los". Did you mean "val_loss"?' in error


def test_time_is_up_where_it_says_so(tmp_path: Path) -> None:
    config = reach(train={"max_steps": None, "max_time": "1s", "checkpoint_every": "1h"})
    run = training.train(merge(config, {"plugins": {"learners": {"options": {"pause": 0.05}}}}), name="r", runs=tmp_path)
    assert run.operations("stop")["reason"].iloc[-1] == "time is up"
    step = saved(run.path)[0]
    assert 0 < step < 30
    code, out, _ = command("resume", run.path, "--for", "0.3s", "--set", "train.max_time=1h")
    assert code == 0
    assert "stopped: time is up" in out
    assert saved(run.path)[0] > step


def test_a_module_that_raises_ends_it_with_plugin_and_step_and_exit_code_1(tmp_path: Path) -> None:
    file = write(tmp_path, reach(plugins={"learners": {"options": {"fail_at": 13}}}))
    code, out, error = command("train", file, "--name", "ill", "--runs", tmp_path)
    assert code == 1
    line = next(n for n, text in enumerate(Path(LEARNERS).read_text().splitlines(), 1) if "options.fail_at:" in text) + 1
    assert error == f"plugin 'learners' raised in training, step 13: ValueError: as asked (learners.py:{line})\n"
    assert f"aiga resume ill --runs {tmp_path}" in out
    assert "Traceback" in (tmp_path / "ill" / "log.txt").read_text()
    assert "as asked" in status(tmp_path / "ill")["failure"]
    assert saved(tmp_path / "ill")[0] == 10
    assert not (tmp_path / "ill" / "agents").exists()


@pytest.mark.parametrize(
    ("wrong", "message", "code"),
    [
        ("raise", "plugin 'learners' raised in make: ValueError: as asked (learners.py", 1),
        ("nothing", "make of its trainer must answer a LightningModule and its data, not None", 1),
        ("refuse", "learners: cannot teach that. Teach something else.", 2),
    ],
)
def test_a_trainer_that_makes_nothing_leaves_nothing(tmp_path: Path, wrong: str, message: str, code: int) -> None:
    file = write(tmp_path, reach(plugins={"learners": {"options": {"wrong": wrong}}}))
    found, _, error = command("train", file, "--name", "r", "--runs", tmp_path / "runs")
    assert (found, message in error) == (code, True)
    assert not (tmp_path / "runs").exists()


def test_a_trainer_that_needs_a_population_says_so(tmp_path: Path) -> None:
    config = reach()
    del config["population"]
    with pytest.raises(InputError, match=r'\[population\]: missing, and the trainer "reach" needs one'):
        training.train(config, name="r", runs=tmp_path)


def test_what_no_checkpoint_can_hold_is_named_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(PluginError, match=r"'learners': a checkpoint cannot hold kept\.here\.1, of type object\. Keep None"):
        training.train(reach(plugins={"learners": {"options": {"odd": True}}}), name="r", runs=tmp_path)


@pytest.fixture
def going(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A training in a process of its own whose batches take so many seconds, and its folder."""
    options = {"learners": {"options": {"pause": request.param}}}
    train = {"max_steps": 1000, "checkpoint_every": 1}
    file = write(tmp_path, reach(run={"grace": "0.5s"}, train=train, plugins=options))
    words = (
        sys.executable,
        "-c",
        "from aiga.cli import main; main()",
        "train",
        str(file),
        "--name",
        "r",
        "--runs",
        str(tmp_path),
    )
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("step"):
                break
        yield process, tmp_path / "r"
        process.kill()


@pytest.mark.parametrize("going", [3.0], indirect=True)
def test_a_step_that_outlasts_the_grace_is_given_up(going: tuple[subprocess.Popen[str], Path]) -> None:
    process, path = going
    while not (path / "checkpoints" / "LATEST").exists():
        time.sleep(0.01)
    step = saved(path)[0]
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert f"stopped: SIGINT received; the step under way was given up; step {step} is saved" in out
    assert saved(path)[0] == step > 0
    assert training.open(path).agents == []
    with pytest.raises(PluginError, match="crashed"):
        training.resume(path, callbacks=[Crash(1)])


@pytest.mark.parametrize("going", [0.2], indirect=True)
def test_asked_to_stop_it_ends_after_the_step_saves_and_exits_with_0(going: tuple[subprocess.Popen[str], Path]) -> None:
    process, path = going
    process.send_signal(signal.SIGTERM)
    out, error = process.communicate(timeout=60)
    assert process.returncode == 0
    assert error == "SIGTERM received: stopping at the end of this step; once more to stop at once\n"
    step = saved(path)[0]
    assert step > 0
    assert f"stopped: SIGTERM received; step {step} is saved" in out
    assert [file.name for file in training.open(path).agents] == ["last-0.safetensors", "last-1.safetensors"]
    with pytest.raises(PluginError, match="crashed"):
        training.resume(path, callbacks=[Crash(2)])
    assert status(path)["failure"] is not None


def test_without_lightning_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import importlib.util

    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *_: None if name == "pytorch_lightning" else found(name))
    code, _, error = command("train", write(tmp_path, reach()), "--runs", tmp_path / "runs")
    assert code == 1
    assert error == "aiga train needs pytorch-lightning, which is not installed. Install it: pip install 'aiga[train]'\n"
    assert not (tmp_path / "runs").exists()
