"""``aiga train`` and what other verbs make of a training: what is said, what lies in its folder, how it ends and goes on."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pl = pytest.importorskip("pytorch_lightning")

import torch  # noqa: E402
from safetensors.torch import load_file  # noqa: E402
from support import bare, merge  # noqa: E402
from training_support import LEARNERS, Crash, reach, saved  # noqa: E402
from typer.testing import CliRunner  # noqa: E402

import aiga  # noqa: E402
from aiga import toml_lines, training  # noqa: E402
from aiga.cli.app import app  # noqa: E402
from aiga.errors import AigaError, InputError, PluginError  # noqa: E402
from aiga.rundir import RunDirectory  # noqa: E402


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def command(*words: str | Path) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, list(map(str, words)))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def write(folder: Path, config: dict[str, Any], name: str = "train.toml") -> Path:
    """``config`` as a file."""
    tables = ["api = 1\n"]
    for table, values in config.items():
        if table != "plugins":
            tables.append(toml_lines.table((table,), values))
    for plugin, values in config["plugins"].items():
        plain = {key: value for key, value in values.items() if key != "options"}
        tables.append(toml_lines.table(("plugins", plugin), plain))
        if "options" in values:
            tables.append(toml_lines.table(("plugins", plugin, "options"), values["options"]))
    file = folder / name
    file.write_text("\n".join(tables))
    return file


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of runs in which ``first`` was trained by the command line, and what was said."""
    folder = tmp_path_factory.mktemp("training")
    config = reach(run={"episodes": 2}, slots={"select": "keep"}, train={"early_stop": {"monitor": "val_loss"}})
    code, out, error = command("train", write(folder, config), "--name", "first", "--runs", folder / "runs")
    assert (code, error) == (0, "")
    return folder / "runs", out


def copied(done: tuple[Path, str], to: Path) -> Path:
    return Path(shutil.copytree(done[0] / "first", to / "copy"))


def status(path: Path) -> dict[str, Any]:
    code, out, _ = command("status", path, "--json")
    assert code == 0
    return json.loads(out)  # type: ignore[no-any-return]


def test_it_says_what_it_trains_how_it_ended_and_what_to_type_next(done: tuple[Path, str]) -> None:
    runs, out = done
    opening = out.splitlines()
    assert f"{runs / 'first'}: trainer reach, from " in opening[0]
    assert opening[1] == "seed 7, 8 parameters, cpu, 32-true; ends after 25 steps"
    assert opening[2] == "left to `aiga run`: [slots], [run] episodes"
    assert opening[3] == "learners: what they learn means nothing"
    assert "stopped: 25 steps are done; step 25 is saved" in out
    assert f"tensorboard --logdir {runs / 'first' / 'tb'}" in out
    assert f"agent:        {runs / 'first' / 'agents' / 'last-0.safetensors'}" in out
    assert f"aiga resume first --runs {runs} --set train.max_steps=50" in out


def test_its_folder_holds_tensorboard_logs_checkpoints_and_nothing_that_could_run(done: tuple[Path, str]) -> None:
    path = done[0] / "first"
    assert [file.name for file in sorted((path / "checkpoints").iterdir())] == ["000010", "000020", "000025", "LATEST"]
    logged = b"".join(file.read_bytes() for file in (path / "tb").glob("events.out.*"))
    assert all(name in logged for name in (b"loss_step", b"loss_epoch", b"val_loss", b"far_epoch"))
    suffixes = {file.suffix for file in path.rglob("*") if file.is_file()}
    assert not suffixes & {".ckpt", ".pt", ".pth", ".pkl"}
    assert not list(path.rglob("*.partial"))
    assert "`Trainer.fit` stopped: `max_steps=25` reached" in (path / "log.txt").read_text()


def test_its_configuration_is_resolved_and_holds_what_a_training_is_about(done: tuple[Path, str]) -> None:
    config = training.open(done[0] / "first").config
    assert (config.train.trainer, config.train.max_steps, config.train.precision) == ("reach", 25, "32-true")
    assert config.plugins["learners"].options["epoch"] == 10
    text = (done[0] / "first" / "run.toml").read_text()
    assert "[slots]" not in text
    assert "episodes" not in text


def test_its_agents_are_what_a_run_can_start_from(done: tuple[Path, str], tmp_path: Path) -> None:
    agents = training.open(done[0] / "first").agents
    assert [file.name for file in agents] == [f"{when}-{row}.safetensors" for when in ("last", "best") for row in (0, 1)]
    told = json.loads(agents[0].with_suffix(".json").read_text())
    assert (told["trainer"], told["domain"], told["network"], told["step"]) == ("reach", "points", "linear", 25)
    config = bare(run={"stop": {"iterations": 1}}, population={"networks": ["linear"], "initial_agent": str(agents[1])})
    run = aiga.run(config, name="r", runs=tmp_path)
    leaf = load_file(agents[1])["weight"]
    assert torch.equal(run.niches.agents.batches[0].leaves["weight"], leaf.expand(2, 2, 2))
    # Newborn ones answer next to nothing; what was trained answers with what it sees, more or less.
    assert float(leaf.diagonal().min()) > 0.3 > float((leaf - leaf.diagonal().diag()).abs().max())


def test_a_training_starts_from_an_agent_too(done: tuple[Path, str], tmp_path: Path) -> None:
    agent = training.open(done[0] / "first").agents[0]
    shutil.copy(agent, tmp_path / "mine.safetensors")
    config = reach(population={"initial_agent": "mine.safetensors"}, train={"max_steps": 1})
    file = write(tmp_path, config)
    code, _, error = command("train", file, "--name", "more", "--runs", tmp_path)
    assert (code, error) == (0, "")
    (tmp_path / "mine.safetensors").unlink()
    (tmp_path / "more").rename(tmp_path / "moved")
    assert command("resume", tmp_path / "moved", "--set", "train.max_steps=2")[0] == 0
    # Adam's first steps are of its rate, 0.02, in every parameter.
    moved = load_file(training.open(tmp_path / "moved").agents[0])["weight"] - load_file(agent)["weight"]
    assert float(moved.abs().max()) < 0.05


def test_resumed_with_more_steps_it_goes_on_and_with_none_it_stops_at_once(done: tuple[Path, str], tmp_path: Path) -> None:
    path = copied(done, tmp_path)
    before = saved(path)
    code, out, error = command("resume", path)
    assert (code, error) == (0, "")
    assert "goes on after step 25" in out
    assert "stopped: 25 steps are done" in out
    assert saved(path)[0] == before[0]
    code, out, _ = command("resume", path, "--set", "train.max_steps=32")
    assert code == 0
    assert "stopped: 32 steps are done; step 32 is saved" in out
    assert saved(path)[0] == 32


def test_status_shows_a_training(done: tuple[Path, str]) -> None:
    path = done[0] / "first"
    held = status(path)
    assert (held["trainer"], held["live"], held["step"], held["epoch"], held["max_steps"]) == ("reach", False, 25, 2, 25)
    assert held["stopped"] == "25 steps are done"
    assert held["resume"] == f"aiga resume first --runs {done[0]} --set train.max_steps=50"
    assert held["checkpoint"]["step"] == 25
    assert held["metrics"]["val_loss"] > 0
    assert held["agents"] == [str(file) for file in training.open(path).agents]
    shown = command("status", "first", "--runs", done[0])[1]
    assert "25 of 25" in shown
    assert "val_loss" in shown
    with RunDirectory.open(path).lock():
        assert status(path)["process"]["pid"] == os.getpid()


def test_verbs_for_runs_do_not_fall_over_a_training(done: tuple[Path, str]) -> None:
    path = done[0] / "first"
    assert command("journal", path) == (0, "", "")
    code, _, error = command("replay", path, "3")
    assert (code, "no stepping stone" in error) == (2, True)
    with pytest.raises(InputError, match=r"a training, not a run.*aiga\.training\.open"):
        aiga.open(path)
    with pytest.raises(InputError, match=r"a training, not a run.*aiga resume"):
        aiga.resume(path)


def test_verbs_for_trainings_refuse_a_run(tmp_path: Path) -> None:
    run = aiga.run(bare(run={"stop": {"iterations": 1}}), name="r", runs=tmp_path)
    with pytest.raises(InputError, match=r"a run, not a training.*aiga\.open"):
        training.resume(run.path)


def test_a_run_takes_a_file_with_a_table_train_and_leaves_it_out(tmp_path: Path) -> None:
    run = aiga.run(bare(run={"stop": {"iterations": 1}}, train={"trainer": "none such"}), name="r", runs=tmp_path)
    assert "[train]" not in (run.path / "run.toml").read_text()
    with pytest.raises(InputError, match=r"\[train\] max_steps: found 0\. Write a whole number of at least 1"):
        aiga.run(bare(train={"trainer": "x", "max_steps": 0}), name="s", runs=tmp_path)


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
    assert error == "plugin 'learners' raised in training, step 13: ValueError: as asked (learners.py:65)\n"
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


def test_a_taken_name_is_refused_and_the_training_kept(done: tuple[Path, str], tmp_path: Path) -> None:
    before = saved(done[0] / "first")[0]
    code, _, error = command("train", write(tmp_path, reach()), "--name", "first", "--runs", done[0])
    assert code == 2
    assert f"this run exists already. Resume it with `aiga resume first --runs {done[0]}`" in error
    assert saved(done[0] / "first")[0] == before
    code, out, _ = command("train", write(tmp_path, reach(train={"max_steps": 1})), "--runs", done[0])
    assert code == 0
    assert f"{done[0] / 'reach-1'}: trainer reach" in out


def test_one_process_at_a_time_writes_it(done: tuple[Path, str], tmp_path: Path) -> None:
    path = copied(done, tmp_path)
    with RunDirectory.open(path).lock():
        code, _, error = command("resume", path)
    assert code == 2
    assert f"in use by process {os.getpid()}" in error


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("run.seed=3", "results hang on it"),
        ("train.precision=bf16-mixed", "results hang on it"),
        ("plugins.learners.options.epoch=3", "only train.* and run.* can change"),
        ("train.max_step=3", "unknown key. Did you mean max_steps?"),
    ],
)
def test_a_resume_changes_how_long_and_where_and_nothing_else(done: tuple[Path, str], setting: str, message: str) -> None:
    code, _, error = command("resume", done[0] / "first", "--set", setting)
    assert (code, message in error) == (2, True)


def test_a_configuration_that_was_changed_by_hand_is_refused(done: tuple[Path, str], tmp_path: Path) -> None:
    path = copied(done, tmp_path)
    text = (path / "run.toml").read_text()
    (path / "run.toml").write_text(text.replace("accumulate_grad_batches = 1", "accumulate_grad_batches = 2"))
    with pytest.raises(InputError, match=r"accumulate_grad_batches: found 2, but the run was started with 1\. Write it back"):
        training.resume(path)


@pytest.fixture
def going(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A training in a process of its own that takes a second a batch, and its folder."""
    options = {"learners": {"options": {"pause": 0.4}}}
    file = write(tmp_path, reach(train={"max_steps": 1000, "checkpoint_every": "1h"}, plugins=options))
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


def test_on_a_terminal_there_is_a_bar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from aiga.cli import training as verb

    monkeypatch.setattr(verb, "interactive", lambda: True)
    code, out, _ = command("train", write(tmp_path, reach(train={"max_steps": 3})), "--name", "r", "--runs", tmp_path)
    assert code == 0
    assert "Epoch 0: 100%" in out
    assert "loss_step=" in out


def test_the_plugin_is_kept_with_the_training(done: tuple[Path, str]) -> None:
    assert (done[0] / "first" / "plugins" / "learners.py").read_bytes() == Path(LEARNERS).read_bytes()


def test_an_error_of_the_verb_is_aigas(tmp_path: Path) -> None:
    with pytest.raises(AigaError, match="no such file"):
        training.train(tmp_path / "none.toml", runs=tmp_path)
