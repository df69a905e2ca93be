"""Damaged checkpoints, full disks, several processes: what was saved is used where it verifies, and a person is told."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pl = pytest.importorskip("pytorch_lightning")

import torch  # noqa: E402
from training_support import differences, plain, reach, saved  # noqa: E402

from aiga import training  # noqa: E402
from aiga.errors import InputError, StorageError  # noqa: E402


class Listener:
    """Keeps what a person would be told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def message(self, text: str) -> None:
        self.told.append(text)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return training.train(reach(train={"max_steps": 30}), name="whole", runs=tmp_path_factory.mktemp("whole")).path


@pytest.fixture
def half(tmp_path: Path, whole: Path) -> Path:
    """A training with checkpoints of steps 10 and 20, and one of step 25."""
    return training.train(reach(), name="half", runs=tmp_path).path


def damage(path: Path, how: str) -> None:
    (part,) = path.glob("lightning*")
    content = bytearray(part.read_bytes())
    content[len(content) // 2] ^= 1
    if how == "missing":
        part.unlink()
    else:
        part.write_bytes(content if how == "flipped" else content[:-9])


@pytest.mark.parametrize("how", ["truncated", "flipped", "missing"])
def test_a_damaged_checkpoint_is_never_used_and_the_one_before_it_is(half: Path, whole: Path, how: str) -> None:
    damage(half / "checkpoints" / "000025", how)
    listener = Listener()
    training.resume(half, overrides=["train.max_steps=30"], watcher=listener)
    assert f"The checkpoint {half / 'checkpoints' / '000025'} is not used: lightning.safetensors" in listener.told[0]
    assert listener.told[1] == "The run goes on from step 20; what came later is computed again."
    assert listener.told[2] == "goes on after step 20"
    assert list(differences(saved(half), saved(whole))) == []


def test_where_no_checkpoint_verifies_it_is_refused_and_left_as_it_is(half: Path) -> None:
    for path in (half / "checkpoints").glob("0*"):
        damage(path, "flipped")
    before = sorted((half / "checkpoints").rglob("*"))
    with pytest.raises(InputError, match=r"(?s)000010 is not used.*no checkpoint verifies, so there is nothing to resume from"):
        training.resume(half)
    assert sorted((half / "checkpoints").rglob("*")) == before
    shutil.rmtree(half / "checkpoints")
    with pytest.raises(InputError, match=r"empty, though step 25 was saved"):
        training.resume(half)


def test_killed_before_its_first_checkpoint_it_begins_anew(tmp_path: Path, whole: Path, half: Path) -> None:
    """As a folder looks whose process died in its first steps."""
    path = tmp_path / "early"
    shutil.copytree(half, path, ignore=shutil.ignore_patterns("0000*", "LATEST", "agents", "journal.db*"))
    from aiga.journal import Journal

    Journal(path / "journal.db").close()
    training.resume(path, overrides=["train.max_steps=30"])
    assert list(differences(saved(path), saved(whole))) == []


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one mebibyte."""
    place = tmp_path / "disk"
    place.mkdir()
    if os.geteuid() or shutil.which("mount") is None:
        pytest.skip("only root may mount a small file system")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place], check=False, capture_output=True).returncode:
        pytest.skip("mounting a small file system is not allowed here")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=True)


@pytest.mark.parametrize("spare", [0, 8192, 40_000])
def test_on_a_full_disk_it_ends_clearly_and_goes_on_once_there_is_space(disk: Path, spare: int, whole: Path) -> None:
    path = training.train(reach(train={"max_steps": 10}), name="r", runs=disk).path
    space = os.statvfs(disk)
    ballast = disk / "ballast"
    ballast.write_bytes(bytes(max(0, space.f_bavail * space.f_frsize - spare)))
    with pytest.raises(StorageError, match=r"(space|full)"):
        training.resume(path, overrides=["train.max_steps=5000", "train.checkpoint_every=1", "train.log_every_n_steps=1"])
    assert saved(path)[0] >= 10
    assert not [file for file in path.rglob("*") if file.suffix in (".partial", ".removed")]
    ballast.unlink()
    subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)
    step = saved(path)[0]
    training.resume(path, overrides=[f"train.max_steps={max(30, step + 1)}"])
    if step < 30:
        assert list(differences(saved(path), saved(whole))) == []


TWO = """
import json, sys
import torch
torch.set_num_threads(1)
from aiga import training
config = json.loads(sys.argv[1])
if sys.argv[3] == "train":
    training.train(config, name="two", runs=sys.argv[2])
else:
    training.resume(sys.argv[2] + "/two", overrides=["train.max_epochs=3"])
print("at the end")
"""


def test_two_processes_train_together_and_one_of_them_writes(tmp_path: Path) -> None:
    script = tmp_path / "two.py"
    script.write_text(TWO)
    ddp = {"devices": 2, "strategy": "ddp_find_unused_parameters_true", "max_epochs": 2, "checkpoint_every": 2}
    config = plain(train=ddp)

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(script), json.dumps(config), str(tmp_path), *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)

    done = run("train")
    # The other process ends where its training does: nothing of the script is done twice.
    assert (done.returncode, done.stdout) == (0, "at the end\n"), done.stderr
    path = tmp_path / "two"
    step, state = saved(path)
    assert step == 8  # of seven batches each process got four
    assert state["loops"]["fit_loop"]["epoch_progress"]["current"]["completed"] == 2
    assert training.open(path).operations("start").shape[0] == 1
    done = run("resume")
    assert (done.returncode, done.stdout) == (0, "at the end\n"), done.stderr
    assert saved(path)[0] == 12


def test_precision_is_lightnings(tmp_path: Path) -> None:
    run = training.train(reach(train={"precision": "64-true", "max_steps": 2}), name="s", runs=tmp_path)
    assert saved(run.path)[1]["state_dict"]["leaf_0"].dtype == torch.float64
