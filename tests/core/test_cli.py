"""The verbs run, resume, status and journal, on a toy that takes milliseconds."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from aiga.cli.app import app
from aiga.cli.chronicle import Chronicle
from aiga.cli.failures import Defect, defect
from aiga.cli.places import command, find

FILE = str(Path(__file__).with_name("cli_toy") / "plugins.toml")
AIGA = (sys.executable, "-c", "from aiga.cli import main; main()")


def aiga(*words: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, list(words))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli") / "runs"
    code, _, error = aiga("run", FILE, "--name", "toy", "--runs", str(folder))
    assert (code, error) == (0, "")
    return folder


def status(runs: Path, name: str = "toy") -> dict[str, object]:
    code, out, _ = aiga("status", name, "--runs", str(runs), "--json")
    assert code == 0
    return json.loads(out)  # type: ignore[no-any-return]


def lines(runs: Path, name: str) -> str:
    return aiga("journal", name, "--runs", str(runs))[1]


def test_help_waits_for_nothing_heavy() -> None:
    heavy = ("torch", "numpy", "pandas", "pydantic", "matplotlib", "sqlite3")
    code = f"""
import sys
sys.argv = ["aiga", "--help"]
from aiga.cli import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
print([name for name in {heavy} if name in sys.modules], file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
    assert all(verb in done.stdout for verb in ("run", "resume", "status", "journal", "replay", "plugin"))


def test_tables_are_named_in_the_help() -> None:
    out = subprocess.run([sys.executable, "-m", "aiga", "train", "--help"], capture_output=True, text=True, check=True).stdout
    assert "[train]" in out


def test_reading_a_journal_does_not_wait_for_torch(runs: Path) -> None:
    code = f"""
import sys
sys.argv = ["aiga", "journal", "toy", "--runs", {str(runs)!r}]
from aiga.cli import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
assert "torch" not in sys.modules and "pandas" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)


def test_run_tells_what_it_is_what_happens_and_what_to_type_next(tmp_path: Path) -> None:
    code, out, error = aiga("run", FILE, "--name", "told", "--runs", str(tmp_path / "r"), "--set", "run.seed=4")
    assert (code, error) == (0, "")
    opening = out.splitlines()[:4]
    assert "line with dot, select by toy, improve by halve" in opening[0]
    assert "seed 4" in opening[1]
    assert "ends after 8 iterations" in opening[1]
    assert "2 episodes" in opening[2]
    assert "confirmed by 3 fresh ones" in opening[2]
    assert opening[3] == "toy: a toy: nothing that it finds means anything"
    assert "admitted: environment" in out
    assert "transferred: agent" in out
    assert "solved: environment" in out
    assert f"aiga resume told --runs {tmp_path / 'r'} --set run.stop.iterations=16" in out
    assert str(tmp_path / "r" / "told" / "art" / "phylogeny.png") in out
    assert (tmp_path / "r" / "told" / "art" / "phylogeny.png").stat().st_size > 0


def test_run_without_a_name_takes_the_next_free_number(tmp_path: Path) -> None:
    for _ in range(2):
        assert aiga("run", FILE, "--runs", str(tmp_path), "--set", "run.stop.iterations=1")[0] == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["line-1", "line-2"]


def test_a_run_stopped_and_resumed_has_the_journal_of_one_that_was_not(runs: Path, tmp_path: Path) -> None:
    assert aiga("run", FILE, "--name", "half", "--runs", str(tmp_path), "--set", "run.stop.iterations=3")[0] == 0
    code, out, _ = aiga("resume", "half", "--runs", str(tmp_path), "--set", "run.stop.iterations=8")
    assert code == 0
    assert "8 iterations are done" in out
    assert lines(tmp_path, "half") == lines(runs, "toy")


def test_resume_for_a_time_ends_when_it_is_up(tmp_path: Path) -> None:
    run = ("--runs", str(tmp_path))
    assert aiga("run", FILE, "--name", "timed", *run, "--set", "run.stop.iterations=1")[0] == 0
    code, out, _ = aiga("resume", "timed", *run, "--for", "0.4s", "--set", "run.stop.iterations=100000")
    assert code == 0
    assert "stopped: time is up" in out


def test_a_run_can_be_named_by_its_path(runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert aiga("journal", str(runs / "toy"))[1] == lines(runs, "toy")
    monkeypatch.chdir(runs)
    assert aiga("journal", "toy")[1] == lines(runs, "toy")


def test_a_name_in_runs_comes_before_a_folder_of_that_name_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a").mkdir()
    assert find("a", Path("runs")) == Path("a")
    (tmp_path / "runs" / "a").mkdir(parents=True)
    assert find("a", Path("runs")) == Path("runs/a")
    assert find("./a", Path("runs")) == Path("a")


def test_commands_are_told_as_they_must_be_typed() -> None:
    assert command("resume", Path("runs/a")) == "aiga resume a"
    assert command("resume", Path("my runs/a"), "--for", "8h") == "aiga resume a --runs 'my runs' --for 8h"
    assert command("resume", Path("a")) == "aiga resume ./a"


def test_the_journal_is_json_lines_and_times_are_told_on_request_alone(runs: Path) -> None:
    rows = [json.loads(line) for line in lines(runs, "toy").splitlines()]
    assert [row["id"] for row in rows] == list(range(1, len(rows) + 1))
    assert not any("time" in row for row in rows)
    code, out, _ = aiga("journal", "toy", "--runs", str(runs), "--since", str(len(rows) - 2), "--times")
    assert code == 0
    later = [json.loads(line) for line in out.splitlines()]
    assert [row["id"] for row in later] == [len(rows) - 1, len(rows)]
    assert all("time" in row for row in later)


def test_a_reader_that_leaves_early_is_no_failure(runs: Path) -> None:
    reading = subprocess.Popen(
        [*AIGA, "journal", "toy", "--runs", str(runs)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
    )
    assert reading.stdout is not None
    assert reading.stderr is not None
    reading.stdout.close()
    error = reading.stderr.read()
    reading.stderr.close()
    assert (reading.wait(), error) == (0, b"")


def test_a_run_goes_on_when_nobody_reads_it_any_more(tmp_path: Path) -> None:
    running = subprocess.Popen(
        [*AIGA, "run", FILE, "--name", "alone", "--runs", str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert running.stdout is not None
    assert running.stderr is not None
    running.stdout.close()
    error = running.stderr.read()
    running.stderr.close()
    assert (running.wait(), error) == (0, b"")
    assert status(tmp_path, "alone")["iteration"] == 8


def test_sigterm_stops_a_run_with_exit_code_0_and_it_can_be_resumed(tmp_path: Path) -> None:
    words = ("run", FILE, "--name", "told", "--runs", str(tmp_path), "--set", "run.stop.iterations=1000000")
    running = subprocess.Popen([*AIGA, *words], stdout=subprocess.PIPE, text=True)
    assert running.stdout is not None
    for line in running.stdout:
        if line.startswith("iteration"):
            break
    running.send_signal(signal.SIGTERM)
    rest = running.stdout.read()
    running.stdout.close()
    assert running.wait() == 0
    assert "stopped: SIGTERM received" in rest
    held = status(tmp_path, "told")
    assert held["live"] is False
    assert held["stopped"] == "SIGTERM received"
    assert held["checkpoint"]["iteration"] == held["iteration"]  # type: ignore[index]


def test_status_adds_up_what_the_journal_holds(runs: Path) -> None:
    rows = [json.loads(line) for line in lines(runs, "toy").splitlines()]
    held = status(runs)
    transferred = [row for row in rows if row["type"] == "transferred"]
    accepted = [row for row in transferred if row["accepted"]]
    assert held["iteration"] == 8
    assert held["admissions"] == sum(row["type"] == "admitted" and row["iteration"] > 0 for row in rows) == 4
    assert held["transfers"] == {
        "tried": len(transferred),
        "accepted": len(accepted),
        "unlike": 0,
        "audited": len(accepted),
        "still_winning": sum(row["still_wins"] for row in accepted),
    }
    assert held["events"]["born"] == sum(row["type"] == "born" for row in rows)  # type: ignore[index]
    solved = {row["env"] for row in rows if row["type"] == "solved" and not row["at_birth"]}
    founders = {row["env"] for row in rows if row["type"] == "admitted" and row["iteration"] == 0}
    assert held["solves"] == len(solved - founders)
    assert held["founders_solved"] == len(solved & founders)
    assert held["annecs_active"] == len(solved - founders) > 0
    assert solved & founders, "the founder's solve shows that it is left out of ANNECS"
    assert held["environment_steps"] == rows[-1]["environment_steps"]
    counted = sum(row["amount"] for row in held["meter"] if row["kind"] == "environment_steps")  # type: ignore[attr-defined]
    assert counted == rows[-1]["environment_steps"]


def test_status_shows_the_niches_that_live_now_with_their_latest_scores(runs: Path) -> None:
    held = status(runs)
    niches: list[dict[str, float]] = held["niches"]  # type: ignore[assignment]
    assert len(niches) == 3
    assert max(niche["score"] for niche in niches) == held["best"]
    assert [niche["born"] for niche in niches] == sorted(niche["born"] for niche in niches)


def test_status_says_whether_a_process_holds_the_run(runs: Path) -> None:
    from aiga.rundir import RunDirectory

    with RunDirectory.open(runs / "toy").lock():
        held = status(runs)
        assert held["live"] is True
        assert held["process"]["pid"] == os.getpid()  # type: ignore[index]
        assert f"running in process {os.getpid()}" in aiga("status", "toy", "--runs", str(runs))[1]
    held = status(runs)
    assert (held["live"], held["process"]) == (False, None)
    # Its eight iterations are done: resumed as it is, it would stop at once.
    assert held["resume"] == f"aiga resume toy --runs {runs} --set run.stop.iterations=16"
    assert "--set run.stop.iterations=16" in " ".join(aiga("status", "toy", "--runs", str(runs))[1].split())


def test_status_watched_as_json_tells_anew_until_ctrl_c(runs: Path) -> None:
    watching = subprocess.Popen(
        [*AIGA, "status", "toy", "--runs", str(runs), "--json", "--watch"], stdout=subprocess.PIPE, text=True, bufsize=1
    )
    assert watching.stdout is not None
    assert json.loads(watching.stdout.readline()) == status(runs)
    time.sleep(0.1)
    watching.send_signal(signal.SIGINT)
    watching.stdout.close()
    assert watching.wait() == 0


def test_status_of_a_run_that_was_killed_does_not_tell_how_it_stopped_before(tmp_path: Path) -> None:
    assert aiga("run", FILE, "--name", "dead", "--runs", str(tmp_path), "--set", "run.stop.iterations=1")[0] == 0
    assert status(tmp_path, "dead")["stopped"] == "1 iterations are done"
    running = subprocess.Popen(
        [*AIGA, "resume", "dead", "--runs", str(tmp_path), "--set", "run.stop.iterations=1000000"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert running.stdout is not None
    assert running.stdout.readline() == "goes on after iteration 1\n"
    assert running.stdout.readline().startswith("iteration 2")
    running.kill()
    running.wait()
    running.stdout.close()
    held = status(tmp_path, "dead")
    assert (held["live"], held["stopped"], held["failure"]) == (False, None, None)
    assert "killed before it could save" in aiga("status", "dead", "--runs", str(tmp_path))[1]


def test_counts_start_again_where_a_run_went_back_behind_what_was_read() -> None:
    class Journal:
        def __init__(self, iteration: int, rows: list[str]) -> None:
            self.iteration, self._rows = iteration, rows

        def lines(self, since: int) -> list[str]:
            return self._rows[since:]

    admitted = '{{"id":{0},"iteration":{0},"type":"admitted","niche":{0},"env":{0},"agent":9,"score":1.0}}'
    chronicle = Chronicle()
    chronicle.read(Journal(3, [admitted.format(i) for i in (1, 2, 3)]))  # type: ignore[arg-type]
    assert chronicle.admissions == 3
    chronicle.read(Journal(1, [admitted.format(1)]))  # type: ignore[arg-type]
    assert (chronicle.admissions, chronicle.last, list(chronicle.niches)) == (1, 1, [1])


def test_a_plugin_that_raises_ends_the_run_with_its_name_and_exit_code_1(tmp_path: Path) -> None:
    code, out, error = aiga("run", FILE, "--name", "ill", "--runs", str(tmp_path), "--set", "plugins.toy.options.fail_at=3")
    assert code == 1
    assert error.count("\n") == 1
    assert "plugin 'toy' raised in generate, iteration 3: ValueError: as asked" in error
    assert f"aiga resume ill --runs {tmp_path}" in out
    assert "Traceback" not in out + error
    assert "ValueError: as asked" in (tmp_path / "ill" / "log.txt").read_text()
    held = status(tmp_path, "ill")
    assert held["iteration"] == 2
    assert held["stopped"] is None
    assert "ValueError: as asked" in str(held["failure"])


def test_a_fault_of_aigas_own_is_one_line_and_its_traceback_goes_to_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from aiga.engine import Engine

    def broken(self: Engine) -> bool:
        raise RuntimeError("a bug\nof two lines")

    monkeypatch.setattr(Engine, "_checkpoint_due", broken)
    code, _, error = aiga("run", FILE, "--name", "bug", "--runs", str(tmp_path))
    log = tmp_path / "bug" / "log.txt"
    assert code == 1
    assert error == f"aiga itself failed: RuntimeError: a bug of two lines (the traceback is in {log})\n"
    assert "in broken" in log.read_text()


def test_a_fault_outside_any_run_leaves_its_traceback_in_a_file_of_its_own() -> None:
    try:
        raise KeyError("x")
    except KeyError as error:
        told = defect(error, None)
    assert isinstance(told, Defect)
    log = Path(str(told).rpartition(" is in ")[2].rstrip(")"))
    assert "KeyError: 'x'" in log.read_text()
    log.unlink()


def test_a_notice_that_raises_does_not_keep_the_run_from_starting(tmp_path: Path) -> None:
    toy = (
        Path(FILE)
        .with_name("toy.py")
        .read_text()
        .replace('return ["a toy: nothing that it finds means anything"]', "return 1 / 0")
    )
    (tmp_path / "toy.py").write_text(toy)
    (tmp_path / "plugins.toml").write_text(Path(FILE).read_text())
    code, out, _ = aiga(
        "run", str(tmp_path / "plugins.toml"), "--runs", str(tmp_path / "runs"), "--set", "run.stop.iterations=1"
    )
    assert code == 0
    assert "toy: its notice cannot be shown: ZeroDivisionError" in out


def test_a_run_whose_output_is_closed_goes_on(tmp_path: Path) -> None:
    code = f"import sys; sys.stdout = None; sys.argv = ['aiga', 'run', {FILE!r}, '--name', 'mute', '--runs', {str(tmp_path)!r}]"
    done = subprocess.run([sys.executable, "-c", f"{code}\nfrom aiga.cli import main\nmain()"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert status(tmp_path, "mute")["iteration"] == 8


def test_a_name_that_no_file_system_takes_is_refused() -> None:
    code, out, error = aiga("status", "x" * 300)
    assert (code, out) == (2, "")
    assert "no run can have such a name" in error
