"""What comes of a training: agents of several networks, the domain's report on them, and curves of what was logged."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

pl = pytest.importorskip("pytorch_lightning")

import torch  # noqa: E402
from support import merge  # noqa: E402
from training_support import Crash, command, reach, write  # noqa: E402

from aiga import training  # noqa: E402
from aiga.errors import PluginError  # noqa: E402
from aiga.training import curves  # noqa: E402

JUDGED = str(Path(__file__).parent / "train_toy" / "judged.py")
PNG = b"\x89PNG"


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def judged(wrong: str = "", **changes: Any) -> dict[str, Any]:
    """Two agents of each of two networks, and a domain that compares them."""
    plugins = {"judged": {"path": JUDGED, "options": {"wrong": wrong}}}
    config = reach(population={"domain": "judged", "networks": ["linear", "affine"]}, plugins=plugins)
    return merge(config, changes)


def begin(folder: Path, **changes: Any) -> tuple[Path, str]:
    """The folder of a training by the command line, and what was said."""
    code, out, error = command("train", write(folder, judged(**changes)), "--name", "first", "--runs", folder)
    assert (code, error) == (0, "")
    return folder / "first", out


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    return begin(tmp_path_factory.mktemp("judged"))


def content(path: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in (path / "report").iterdir()}


def test_a_table_is_said_with_a_row_for_each_network_and_where_the_pictures_are(done: tuple[Path, str]) -> None:
    path, out = done
    lines = out.splitlines()
    start = lines.index("how far from 16 points")
    assert lines[start + 2].split() == ["far", "parameters"]
    assert [line.split()[0] for line in lines[start + 3 : start + 6]] == ["linear", "affine", "nobody"]
    assert lines[start + 7 : start + 9] == ["median (lowest to highest) over the agents of each row", "0 is best"]
    assert f"report:       {path / 'report' / 'report.json'}, of step 25" in lines
    assert f"picture:      {path / 'report' / 'curves.png'}" in lines
    assert f"picture:      {path / 'report' / 'far.png'}" in lines


def test_the_report_lies_in_the_trainings_folder(done: tuple[Path, str]) -> None:
    run = training.open(done[0])
    made = run.report
    assert made is not None
    assert (made["domain"], made["trainer"], made["seed"], made["step"]) == ("judged", "reach", 7, 25)
    assert made["networks"]["affine"] == {"agents": 2, "parameters": 6}
    assert len(made["rows"]["linear"]["far"]) == 2
    assert made["rows"]["nobody"]["far"] == [None]
    assert [file.name for file in run.pictures] == ["curves.png", "far.png"]
    assert all(file.read_bytes().startswith(PNG) for file in run.pictures)
    assert not list(run.path.rglob("*.partial"))


def test_agents_of_several_networks_are_files_by_their_names(done: tuple[Path, str]) -> None:
    agents = training.open(done[0]).agents
    assert [file.stem for file in agents] == ["last-affine-0", "last-affine-1", "last-linear-0", "last-linear-1"]
    told = json.loads(agents[1].with_suffix(".json").read_text())
    assert (told["network"], told["row"], told["step"]) == ("affine", 1, 25)


def test_a_finished_training_that_is_resumed_has_the_same_report(done: tuple[Path, str], tmp_path: Path) -> None:
    path = Path(shutil.copytree(done[0], tmp_path / "copy"))
    before = content(path)
    shutil.rmtree(path / "report")
    code, out, _ = command("resume", path)
    assert code == 0
    assert "how far from 16 points" in out
    assert content(path) == before


def test_a_training_that_stopped_early_is_reported_from_its_files(tmp_path: Path) -> None:
    path, _ = begin(tmp_path, train={"early_stop": {"monitor": "val_loss/linear", "patience": 1, "min_delta": 9.0}})
    assert {file.stem for file in training.open(path).agents} >= {"best-affine-0", "last-linear-1"}
    before = content(path)
    shutil.rmtree(path / "report")
    assert "how far from 16 points" in command("resume", path)[1]
    assert content(path) == before


def test_a_report_can_be_made_again(done: tuple[Path, str], tmp_path: Path) -> None:
    path = Path(shutil.copytree(done[0], tmp_path / "copy"))
    before = content(path)
    (path / "report" / "old.png").write_bytes(PNG)
    code, out, error = command("report", path)
    assert (code, error) == (0, "")
    assert "how far from 16 points" in out
    assert content(path) == before


def test_ctrl_c_under_a_report_is_told_and_takes_nothing_away(
    done: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path(shutil.copytree(done[0], tmp_path / "again"))
    before = (path / "report" / "report.json").read_bytes()

    def interrupted(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(training.session, "judge", interrupted)
    assert command("report", path) == (130, "", "interrupted\n")
    assert (path / "report" / "report.json").read_bytes() == before


def test_without_agents_there_is_nothing_to_report(done: tuple[Path, str], tmp_path: Path) -> None:
    path = Path(shutil.copytree(done[0], tmp_path / "copy"))
    shutil.rmtree(path / "agents")
    code, _, error = command("report", path)
    assert (code, "there are no trained agents yet. Resume the training" in error) == (2, True)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("raise", "plugin 'judged' raised in report: ValueError: as asked (judged.py:"),
        ("nothing", "plugin 'judged' raised in report: TypeError: an aiga.Report is needed, found NoneType"),
        ("name", "plugin 'judged' raised in report: ValueError: a picture named '../far'"),
    ],
)
def test_a_report_that_fails_is_told_and_takes_nothing_away(wrong: str, message: str, tmp_path: Path) -> None:
    path, out = begin(tmp_path, wrong=wrong)
    assert f"there is no report, but the agents are written: {message}" in out
    assert len(training.open(path).agents) == 4
    assert training.open(path).report is None
    assert "stopped: 25 steps are done" in out
    assert "Traceback" in (path / "log.txt").read_text()
    code, _, error = command("report", path)
    assert (code, message in error) == (1, True)


def test_an_agent_that_was_damaged_is_named(done: tuple[Path, str], tmp_path: Path) -> None:
    path = Path(shutil.copytree(done[0], tmp_path / "copy"))
    (path / "agents" / "last-linear-0.safetensors").write_bytes(b"")
    code, _, error = command("report", path)
    assert code == 2
    assert "last-linear-0.safetensors or the JSON beside it is not what a training wrote" in error


class Asked(pl.Callback):  # type: ignore[misc]
    """A person presses Ctrl-C in the third step."""

    def on_train_batch_start(self, trainer: Any, module: Any, batch: Any, number: int) -> None:
        if number == 2:
            os.kill(os.getpid(), signal.SIGINT)


def test_whoever_asks_for_a_stop_does_not_wait_for_a_report(tmp_path: Path) -> None:
    run = training.train(judged(), name="r", runs=tmp_path, callbacks=[Asked()])
    assert run.operations("stop")["reason"].iloc[-1] == "SIGINT received"
    assert len(run.agents) == 4
    assert (run.report, run.pictures) == (None, [])


def test_a_report_that_takes_too_long_is_left_out_on_request(tmp_path: Path) -> None:
    path, out = begin(tmp_path, wrong="slow", run={"grace": "0.1s"})
    assert "the report is left out, as asked" in out
    assert "stopped: 25 steps are done" in out
    assert (training.open(path).report, len(training.open(path).agents)) == (None, 4)


def test_curves_of_a_training_that_was_cut_are_those_of_one_that_was_not(done: tuple[Path, str], tmp_path: Path) -> None:
    with pytest.raises(PluginError):
        training.train(judged(), name="r", runs=tmp_path, callbacks=[Crash(19)])
    run = training.resume(tmp_path / "r")
    assert content(run.path)["curves.png"] == content(done[0])["curves.png"]


def test_what_is_logged_by_network_is_one_panel(done: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> None:
    panels: list[Any] = []
    monkeypatch.setattr(curves, "plot", lambda *given: panels.extend(given) or PNG)
    assert curves.curves(done[0] / "tb", ["linear", "affine"]) == PNG
    assert [panel.title for panel in panels] == ["loss", "far", "val_loss", "val_far"]
    assert all(list(panel.curves) == ["linear", "affine"] for panel in panels)
    assert panels[0].curves["linear"].x.tolist() == [4.0, 9.0, 14.0, 19.0, 24.0]


def test_a_training_without_a_domain_has_its_curves(tmp_path: Path) -> None:
    from training_support import plain

    run = training.train(plain(train={"max_epochs": 1}), name="r", runs=tmp_path)
    assert [file.name for file in run.pictures] == ["curves.png"]
    assert run.report is None


def test_a_full_disk_under_the_report_is_told_and_takes_nothing_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from aiga.training import judging

    def full(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(judging, "write_atomic", full)
    _, out = begin(tmp_path)
    assert "there is no report, but the agents are written: " in out
    assert "No space left on device. Free some space there" in out


def test_a_report_that_cannot_be_made_anew_leaves_the_older_one(tmp_path: Path) -> None:
    path, _ = begin(tmp_path)
    before, agent = content(path), path / "agents" / "last-linear-1.safetensors"
    agent.write_bytes(agent.read_bytes()[:10])
    code, _, error = command("report", "first", "--runs", tmp_path)
    assert code != 0
    assert agent.name in error
    assert content(path) == before


def test_a_table_needs_no_tensorboard(tmp_path: Path) -> None:
    path, _ = begin(tmp_path)
    before = content(path)
    for file in (path / "tb").iterdir():
        file.unlink()
    (path / "tb").rmdir()
    code, _, error = command("report", "first", "--runs", tmp_path)
    assert (code, error) == (0, "")
    assert content(path)["report.json"] == before["report.json"]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda agents: (agents / "last-linear-1.safetensors").unlink(), "an agent of the network 'linear' is missing"),
        (lambda agents: [file.unlink() for file in agents.glob("last-affine-*.safetensors")], "agents of affine are missing"),
        (
            lambda agents: (agents / "last-linear-0.safetensors").write_bytes(
                (agents / "last-affine-0.safetensors").read_bytes()
            ),
            "another network's is in its place",
        ),
        (
            lambda agents: (agents / "last-linear-0.json").write_text(
                (agents / "last-linear-0.json").read_text().replace('"step": 25', '"step": 7')
            ),
            "is of step 7",
        ),
        (lambda agents: (agents / "last-linear-0.json").unlink(), "last-linear-0.safetensors"),
    ],
    ids=["one missing", "a network missing", "exchanged", "of two steps", "json missing"],
)
def test_a_report_is_made_of_all_agents_of_one_step_or_not_at_all(damage: Any, message: str, tmp_path: Path) -> None:
    path, _ = begin(tmp_path)
    before = content(path)
    damage(path / "agents")
    code, _, error = command("report", "first", "--runs", tmp_path)
    assert code == 2
    assert message in " ".join(error.split())
    assert content(path) == before
