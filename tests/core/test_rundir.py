"""Run directories: made whole, opened with clear words, held by one process."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from aiga import rundir
from aiga.errors import InputError, StorageError
from aiga.journal import Journal
from aiga.rundir import RunDirectory

FILES: dict[str, str | bytes] = {"run.toml": "api = 1\n", "plugins/mine.py": b"x = 1\n"}
HOLD = """
import sys, time
from pathlib import Path
from aiga.rundir import RunDirectory
lock = RunDirectory.open(Path(sys.argv[1])).lock()
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return RunDirectory.create(tmp_path / "runs", "first", FILES)


def held(run: RunDirectory) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(run.path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_run_is_made_with_its_files_its_journal_and_its_folders(run: RunDirectory) -> None:
    assert run.config_path.read_text() == "api = 1\n"
    assert (run.path / "plugins" / "mine.py").read_bytes() == b"x = 1\n"
    assert all(folder.is_dir() for folder in (run.stones, run.checkpoints, run.tb, run.art))
    with Journal(run.journal_path, readonly=True) as journal:
        assert journal.iteration is None
    assert RunDirectory.open(run.path).name == "first"
    assert [path.name for path in run.path.parent.iterdir()] == ["first"]


def test_a_name_that_is_taken_is_refused_with_the_way_to_resume(run: RunDirectory) -> None:
    before = sorted(run.path.rglob("*"))
    with pytest.raises(InputError, match=r"exists already.*aiga resume first --runs .*runs"):
        RunDirectory.create(run.path.parent, "first", {"run.toml": "other"})
    assert run.config_path.read_text() == "api = 1\n"
    assert sorted(run.path.rglob("*")) == before


def test_the_default_folder_needs_no_option_to_resume(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    RunDirectory.create(Path("runs"), "a", FILES)
    with pytest.raises(InputError, match="`aiga resume a`"):
        RunDirectory.create(Path("runs"), "a", FILES)


@pytest.mark.parametrize("what", ["folder", "file", "dangling link"])
def test_a_name_that_something_else_has_is_refused(tmp_path: Path, what: str) -> None:
    taken = tmp_path / "taken"
    if what == "folder":
        taken.mkdir()
    elif what == "file":
        taken.touch()
    else:
        taken.symlink_to("nowhere")
    with pytest.raises(InputError, match="not a run"):
        RunDirectory.create(tmp_path, "taken", FILES)
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", ".hidden", "-x", "a b", "ü", "a\n", "x" * 101])
def test_a_name_that_cannot_be_one_writes_nothing(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="cannot name a run"):
        RunDirectory.create(tmp_path / "runs", name, FILES)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("place", ["../x", "/tmp/x", "a/../../x", "journal.db", "aiga.json", ""])
def test_a_file_outside_the_run_or_in_place_of_its_own_is_refused(tmp_path: Path, place: str) -> None:
    with pytest.raises(ValueError, match="cannot be a file"):
        RunDirectory.create(tmp_path / "runs", "a", {**FILES, place: "x"})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("step", ["write_synced", "sync_folder", "_put", "Journal"])
def test_a_run_that_cannot_be_made_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(rundir, step, full)
    with pytest.raises(StorageError, match="No space left"):
        RunDirectory.create(tmp_path / "deep" / "runs", "a", FILES)
    assert list(tmp_path.iterdir()) == []


def test_of_two_processes_that_make_one_run_one_is_told_that_it_exists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = rundir._fill

    def slow(aside: Path, files: dict[str, str]) -> None:
        real(aside, files)
        monkeypatch.setattr(rundir, "_fill", real)
        RunDirectory.create(tmp_path, "a", {"run.toml": "quicker"})

    monkeypatch.setattr(rundir, "_fill", slow)
    with pytest.raises(InputError, match="exists already"):
        RunDirectory.create(tmp_path, "a", FILES)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a" / "run.toml").read_text() == "quicker"


def test_an_unknown_run_is_answered_with_the_nearest_name(run: RunDirectory) -> None:
    with pytest.raises(InputError, match="Did you mean first"):
        RunDirectory.open(run.path.parent / "frist")
    with pytest.raises(InputError, match="There are: first"):
        RunDirectory.open(run.path.parent / "zzz")
    with pytest.raises(InputError, match="--runs"):
        RunDirectory.open(run.path.parent / "nowhere" / "zzz")


@pytest.mark.parametrize("missing", ["run.toml", "aiga.json"])
def test_a_folder_that_is_no_run_says_what_it_lacks(run: RunDirectory, missing: str) -> None:
    (run.path / missing).unlink()
    with pytest.raises(InputError, match=f"not a run directory: it has no {missing}"):
        RunDirectory.open(run.path)


def test_a_run_of_a_newer_aiga_is_refused_with_its_version(run: RunDirectory) -> None:
    (run.path / "aiga.json").write_text(json.dumps({"format": 2, "aiga": "9.1"}))
    with pytest.raises(InputError, match=r"newer aiga, 9\.1 \(run format 2"):
        RunDirectory.open(run.path)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"format": "x"}', b"\xff", b"{}"])
def test_a_damaged_mark_is_named_with_its_remedy(run: RunDirectory, content: bytes) -> None:
    (run.path / "aiga.json").write_bytes(content)
    with pytest.raises(InputError, match=r"aiga\.json.*Restore it"):
        RunDirectory.open(run.path)


def test_a_run_without_its_empty_folders_is_a_run(run: RunDirectory) -> None:
    for folder in (run.stones, run.checkpoints, run.tb, run.art):
        folder.rmdir()
    assert RunDirectory.open(run.path) == run


def test_a_run_held_by_a_live_process_names_it_until_it_is_killed(run: RunDirectory) -> None:
    process = held(run)
    try:
        with pytest.raises(InputError, match=f"in use by process {process.pid}\\."):
            run.lock()
        holder = run.holder()
        assert holder is not None
        assert holder.pid == process.pid
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert run.holder() is None
    with run.lock():
        assert run.holder() is not None


def test_one_process_cannot_take_a_run_twice(run: RunDirectory) -> None:
    lock = run.lock()
    with pytest.raises(InputError, match=str(os.getpid())):
        RunDirectory.open(run.path).lock()
    lock.release()
    lock.release()
    run.lock().release()


def test_looking_at_a_run_does_not_take_it_away(run: RunDirectory) -> None:
    with run.lock():
        RunDirectory.open(run.path).holder()
        with pytest.raises(InputError):
            RunDirectory.open(run.path).lock()


def test_a_forked_worker_does_not_hold_the_run_past_its_parent(run: RunDirectory) -> None:
    lock = run.lock()
    worker = multiprocessing.get_context("fork").Process(target=time.sleep, args=(30,))
    worker.start()
    try:
        time.sleep(0.1)
        lock.release()
        with run.lock():
            assert worker.is_alive()
    finally:
        worker.kill()
        worker.join()


def test_a_lock_that_names_nobody_still_locks(run: RunDirectory) -> None:
    with run.lock():
        (run.path / "lock").write_bytes(b"")
        with pytest.raises(InputError, match="another process"):
            run.lock()


def test_a_moved_run_opens_and_a_copy_is_free(run: RunDirectory, tmp_path: Path) -> None:
    with run.lock():
        shutil.copytree(run.path, tmp_path / "copy")
        with RunDirectory.open(tmp_path / "copy").lock():
            pass
    moved = run.path.rename(tmp_path / "moved")
    assert RunDirectory.open(moved).name == "moved"


def test_nothing_in_a_new_run_names_where_it_lies(run: RunDirectory) -> None:
    for path in run.path.rglob("*"):
        if path.is_file():
            assert str(run.path.parent).encode() not in path.read_bytes()


def test_lines_of_the_log_carry_the_time_and_a_log_that_cannot_be_written_raises_nothing(run: RunDirectory) -> None:
    run.log("started \udcff")
    run.log("stopped")
    lines = run.log_path.read_text().splitlines()
    assert [line.split(" ", 1)[1] for line in lines] == ["started \\udcff", "stopped"]
    shutil.rmtree(run.path)
    run.log("gone")
