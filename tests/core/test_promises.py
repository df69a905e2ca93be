"""The promises: killed at any moment, asked to stop, moved, copied, damaged, a run goes on to the same end, byte for byte."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import support

import aiga
from aiga.rundir import RunDirectory

ITERATIONS = 16
CONFIG = support.search(run={"checkpoint_every": 4, "stop": {"iterations": ITERATIONS}})
SLOW = """
    def aiga_generate(self, lab):
        import time
        inside = lab.path / "inside"
        if lab.iteration == 4 and lab.path.name == "run" and not inside.exists():
            inside.touch()
            time.sleep(SECONDS)
"""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing happened to."""
    return aiga.run(CONFIG, name="whole", runs=tmp_path_factory.mktemp("whole")).path


@pytest.mark.parametrize("seed", range(5))
def test_killed_at_random_moments_a_run_goes_on_to_the_same_end(tmp_path: Path, whole: Path, seed: int) -> None:
    draw, path = random.Random(seed), tmp_path / "run"
    with subprocess.Popen(support.script(CONFIG, tmp_path, "run"), stderr=subprocess.PIPE) as process:
        deadline, target = time.monotonic() + 60.0, draw.randrange(ITERATIONS - 1)
        while process.poll() is None and time.monotonic() < deadline and reached(path) < target:
            time.sleep(0.002)
        time.sleep(draw.random() * 0.1)
        process.kill()
    assert RunDirectory.open(path).holder() is None
    aiga.resume(path)
    support.same(path, whole)
    assert not [file for file in path.rglob("*") if file.suffix in (".partial", ".removed")]


def reached(path: Path) -> int:
    """The last committed iteration of a run that another process writes; -1 before there is one."""
    try:
        with aiga.open(path).reading() as journal:
            found = journal.iteration
        return -1 if found is None else found
    except aiga.AigaError:
        return -1


def slow(folder: Path, seconds: float, grace: str) -> dict[str, Any]:
    table = support.plugin(folder, "slow", SLOW.replace("SECONDS", str(seconds)))
    return support.merge(CONFIG, {"run": {"grace": grace, "stop": {"iterations": 7}}, "plugins": {"slow": table}})


def inside(config: dict[str, Any], folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A run in another process, in the midst of its fourth iteration."""
    with subprocess.Popen(support.script(config, folder, "run"), stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 60.0
        while not (folder / "run" / "inside").exists():
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < deadline
            time.sleep(0.01)
        yield process


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_asked_once_it_finishes_the_iteration_saves_and_exits_with_0(tmp_path: Path, number: signal.Signals) -> None:
    config = slow(tmp_path, 0.5, "20s")
    for process in inside(config, tmp_path):
        process.send_signal(number)
        assert process.wait(30) == 0, process.communicate()[1]
    run = aiga.open(tmp_path / "run")
    assert run.journal()["iteration"].max() == 4
    assert run.operations("stop")["reason"].iloc[-1] == f"{number.name} received"
    assert (run.path / "checkpoints" / "LATEST").read_text().strip() == "000004"
    aiga.resume(run.path)
    support.same(run.path, aiga.run(config, name="other", runs=tmp_path).path)


def test_an_iteration_past_its_grace_is_given_up_and_computed_again(tmp_path: Path) -> None:
    config = slow(tmp_path, 20.0, "0.2s")
    for process in inside(config, tmp_path):
        process.terminate()
        begun = time.monotonic()
        assert process.wait(30) == 0, process.communicate()[1]
        assert time.monotonic() - begun < 10.0
    run = aiga.open(tmp_path / "run")
    assert run.journal()["iteration"].max() == 3
    assert (run.path / "checkpoints" / "LATEST").read_text().strip() == "000003"
    assert list(run.operations("abandoned")["iteration"]) == [4]
    aiga.resume(run.path)
    support.same(run.path, aiga.run(config, name="other", runs=tmp_path).path)


def test_asked_twice_it_exits_at_once_and_loses_nothing(tmp_path: Path) -> None:
    config = slow(tmp_path, 20.0, "60s")
    for process in inside(config, tmp_path):
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        # Two signals that nobody looked at yet are one.
        assert any("SIGINT received" in line and "once more to stop at once" in line for line in process.stderr)
        begun = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 1
        assert time.monotonic() - begun < 5.0
    aiga.resume(tmp_path / "run")
    support.same(tmp_path / "run", aiga.run(config, name="other", runs=tmp_path).path)


def test_a_request_before_the_first_iteration_is_kept(tmp_path: Path) -> None:
    body = """
        def aiga_event(self, lab, event):
            import os, signal
            if lab.iteration == 0 and event.type == "born":
                os.kill(os.getpid(), signal.SIGTERM)
    """
    config = support.merge(CONFIG, {"plugins": {"asks": support.plugin(tmp_path, "asks", body)}})
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGALRM)
    run = aiga.run(config, name="r", runs=tmp_path)
    assert run.operations("stop")["reason"].iloc[-1] == "SIGTERM received"
    assert run.journal()["iteration"].max() == 0
    assert before == (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGALRM))
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0.0 or before[2] is not signal.SIG_DFL


@pytest.fixture
def half(tmp_path: Path) -> Path:
    """A run with three checkpoints, not at its end, in a place of its own."""
    return aiga.run(CONFIG, name="half", runs=tmp_path / "runs", overrides=["run.stop.iterations=14"]).path


def test_a_moved_run_goes_on_to_the_same_end(tmp_path: Path, half: Path, whole: Path) -> None:
    moved = (tmp_path / "elsewhere").resolve()
    moved.mkdir()
    half.rename(moved / "renamed")
    aiga.resume(moved / "renamed", overrides=[f"run.stop.iterations={ITERATIONS}"])
    support.same(moved / "renamed", whole)


def test_a_copy_and_the_original_go_on_to_the_same_end(tmp_path: Path, half: Path, whole: Path) -> None:
    shutil.copytree(half, tmp_path / "copy")
    for path in (tmp_path / "copy", half):
        aiga.resume(path, overrides=[f"run.stop.iterations={ITERATIONS}"])
        support.same(path, whole)


@pytest.mark.parametrize("damage", ["truncated", "flipped", "missing"])
def test_a_damaged_checkpoint_is_never_used_and_the_user_is_told(half: Path, whole: Path, damage: str) -> None:
    newest = half / "checkpoints" / (half / "checkpoints" / "LATEST").read_text().strip()
    part = next(newest.glob("search*"))
    content = bytearray(part.read_bytes())
    content[len(content) // 2] ^= 1
    if damage == "missing":
        part.unlink()
    else:
        part.write_bytes(content if damage == "flipped" else content[:-9])
    told: list[str] = []

    class Listener:
        def iteration(self, progress: Any) -> None: ...
        def message(self, text: str) -> None:
            told.append(text)

    aiga.resume(half, overrides=[f"run.stop.iterations={ITERATIONS}"], watcher=Listener())
    assert str(newest) in told[0]
    assert any("goes on from iteration 12" in text for text in told)
    assert any("iterations 13 to 14 will be done again" in text for text in told)
    assert told[-1] == "goes on after iteration 12"
    assert set(aiga.open(half).operations("complaint")["text"]) <= set(told[:-1])
    assert str(newest) in aiga.open(half).operations("complaint")["text"].iloc[0]
    support.same(half, whole)


def test_without_any_checkpoint_that_verifies_nothing_is_touched(half: Path) -> None:
    for part in half.glob("checkpoints/*/search*"):
        part.write_bytes(b"")
    before = support.lines(half)
    with pytest.raises(aiga.InputError, match="no checkpoint verifies"):
        aiga.resume(half)
    assert support.lines(half) == before


def test_killed_before_the_founding_was_saved_it_is_founded_again(tmp_path: Path, whole: Path) -> None:
    with support.engine(tmp_path, CONFIG, "run") as it:
        it.save = lambda: None  # type: ignore[method-assign]
        it.found()
    aiga.resume(tmp_path / "run")
    assert support.lines(tmp_path / "run") == support.lines(whole)


def test_another_directory_and_another_name_change_nothing(tmp_path: Path, whole: Path) -> None:
    support.same(aiga.run(CONFIG, name="quite-another", runs=tmp_path / "a" / "b").path, whole)


def test_another_seed_changes_what_is_found(tmp_path: Path, whole: Path) -> None:
    other = aiga.run(CONFIG, name="other", runs=tmp_path, overrides=["run.seed=8"])
    assert support.lines(other.path) != support.lines(whole)


def test_how_often_it_is_saved_changes_nothing(tmp_path: Path, whole: Path) -> None:
    often = aiga.run(CONFIG, name="often", runs=tmp_path, overrides=["run.checkpoint_every=1"])
    seldom = aiga.run(CONFIG, name="seldom", runs=tmp_path, overrides=['run.checkpoint_every="1h"'])
    support.same(often.path, whole)
    support.same(seldom.path, whole)


SERIAL = """
class Serial(PointsDomain):
    parallelism = "serial"
"""


def test_the_number_of_workers_changes_nothing(tmp_path: Path) -> None:
    body = 'def aiga_register(self, registry):\n    registry.domain("serial", Serial())\n'
    table = support.plugin(tmp_path, "serial", body, "from aiga.testing.points import PointsDomain\n" + SERIAL)
    config = support.search(population={"domain": "serial"}, plugins={"serial": table}, run={"stop": {"iterations": 4}})
    del config["plugins"]["points"]
    runs = [aiga.run(config, name=f"w{n}", runs=tmp_path, overrides=[f"run.workers={n}"]) for n in (0, 1, 2)]
    support.same(runs[1].path, runs[0].path)
    support.same(runs[2].path, runs[0].path)


def test_workers_and_limits_may_change_on_the_way_but_not_what_results_hang_on(half: Path) -> None:
    aiga.resume(half, overrides=["run.stop.iterations=15", "run.workers=1", "run.checkpoint_every=2"])
    for override in ("run.seed=3", "run.episodes=9", "population.niches=2", "plugins.es.options.lr=0.5", "slots.select=keep"):
        with pytest.raises(aiga.InputError, match=override.split("=")[0]):
            aiga.resume(half, overrides=[override])
    assert aiga.open(half).journal()["iteration"].max() == 15


def test_a_run_that_is_being_carried_is_refused(half: Path) -> None:
    with RunDirectory.open(half).lock(), pytest.raises(aiga.InputError, match=f"process {os.getpid()}"):
        aiga.resume(half)
