"""``aiga train`` and what other verbs make of a training: what is said, what lies in its folder, how it ends and goes on."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pl = pytest.importorskip("pytorch_lightning")

import torch  # noqa: E402
from safetensors.torch import load_file  # noqa: E402
from support import bare, plugin  # noqa: E402
from training_support import LEARNERS, command, reach, saved, status, write  # noqa: E402

import aiga  # noqa: E402
from aiga import training  # noqa: E402
from aiga.errors import AigaError, InputError  # noqa: E402
from aiga.rundir import RunDirectory  # noqa: E402


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


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


def test_a_training_is_resumed_with_the_data_it_was_started_with_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    head = """
        import os

        from aiga.testing.points import PointsDomain


        class Told(PointsDomain):
            def path(self, network):
                return f"with the points {os.environ['POINTS']}"
    """
    body = """
        def aiga_register(self, registry):
            registry.domain("told", Told())
    """
    config = reach(population={"domain": "told"}, train={"max_steps": 10})
    config["plugins"]["told"] = plugin(tmp_path, "told", body, head)
    monkeypatch.setenv("POINTS", "abc")
    path = training.train(config, name="t", runs=tmp_path).path
    more = ["train.max_steps=20"]
    monkeypatch.setenv("POINTS", "def")
    with pytest.raises(
        InputError, match=r"network linear: .* with the points abc .* now they would be with the points def\. Go"
    ):
        training.resume(path, overrides=more)
    monkeypatch.setenv("POINTS", "abc")
    assert saved(training.resume(path, overrides=more).path)[0] == 20


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
    assert held["pictures"] == [str(path / "report" / "curves.png")]
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


def test_on_a_terminal_there_is_a_bar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from aiga.cli import training as verb

    monkeypatch.setattr(verb, "interactive", lambda: True)
    code, out, _ = command("train", write(tmp_path, reach(train={"max_steps": 3})), "--name", "r", "--runs", tmp_path)
    assert code == 0
    assert "Epoch 0: 100%" in out
    assert "loss_step=" in out


def test_lines_tell_what_was_logged_since_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    from aiga.cli import train_lines

    monkeypatch.setattr(train_lines, "QUIET", 0.0)
    said: list[str] = []
    lines = train_lines.Lines(said.extend)
    metrics = {"loss": torch.tensor(2.0), "val_loss": torch.tensor(3.0)}
    trainer: Any = SimpleNamespace(global_step=1, current_epoch=0, is_global_zero=True, callback_metrics=metrics)
    lines.on_train_batch_end(trainer)
    metrics["loss"] = torch.tensor(1.0)
    lines.on_train_batch_end(trainer)
    assert "step 1, epoch 0: loss 2, val_loss 3, " in said[0]
    assert "step 1, epoch 0: loss 1, " in said[1]
    assert "val_loss" not in said[1]


def test_the_trainer_that_the_authors_guide_shows_trains(tmp_path: Path) -> None:
    guide = (Path(__file__).parents[2] / "docs" / "plugins.md").read_text()
    samples = re.findall(r"^```python\n(.*?)^```$", guide, re.MULTILINE | re.DOTALL)
    needed = [text for text in samples if re.search("^class (Thermostat|Elman|Proportional):", text, re.MULTILINE)]
    assert len(needed) == 3
    (tmp_path / "heating.py").write_text("import torch\nimport aiga\n\n" + "\n\n".join(needed))
    blocks = re.findall(r"^```toml\n(.*?)^```$", guide, re.MULTILINE | re.DOTALL)
    (tmp_path / "heating.toml").write_text(next(block for block in blocks if "[train]" in block))
    run = training.train(tmp_path / "heating.toml", name="first", runs=tmp_path, overrides=["train.accelerator=cpu"])
    losses = run.operations("checkpoint")["metrics"].iloc[-1]
    assert losses["val_loss"] < 0.1
    assert len(run.agents) == 4


def test_the_plugin_is_kept_with_the_training(done: tuple[Path, str]) -> None:
    assert (done[0] / "first" / "plugins" / "learners.py").read_bytes() == Path(LEARNERS).read_bytes()


def test_an_error_of_the_verb_is_aigas(tmp_path: Path) -> None:
    with pytest.raises(AigaError, match="no such file"):
        training.train(tmp_path / "none.toml", runs=tmp_path)
