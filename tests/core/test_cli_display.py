"""What a person sees of a run that is going on: the display on a terminal, the lines elsewhere."""

from __future__ import annotations

import io
import math
from pathlib import Path

import pytest
from rich.console import Console

import aiga
from aiga.cli.following import Following, best_of, clock, mean_of
from aiga.cli.live import Display
from aiga.cli.news import sentences
from aiga.cli.plain import Plain
from aiga.data import Event
from aiga.engine import Progress

FILE = Path(__file__).with_name("cli_toy") / "plugins.toml"


def progress(iteration: int, scores: tuple[float, ...], environments: tuple[int, ...], *events: Event) -> Progress:
    return Progress(iteration, events, scores, environments, {}, 0.5, 1234.5, 100.0, 10.0)


def told(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def screen(height: int = 40) -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=80, height=height, color_system=None, legacy_windows=False)


def drawn(display: Display) -> str:
    console = screen()
    console.print(display.render())
    return told(console)


def test_the_display_shows_the_counts_of_the_whole_run_and_every_niche(tmp_path: Path) -> None:
    console = screen()
    display = Display(tmp_path / "shown", console)
    with display:
        run = aiga.run(FILE, name="shown", runs=tmp_path, watcher=display)
    picture = drawn(display)
    transferred = run.journal("transferred")
    assert "iteration 8" in picture
    assert f"{int(transferred['accepted'].sum())} of {len(transferred)}" in picture
    assert f"{transferred['still_wins'].dropna().mean():.0%} still win" in picture
    assert "solved" in picture
    assert "checkpoint" in picture
    assert all(f" {env} " in picture for env in run.environments[run.environments["retired"].isna()].index)
    assert "admitted: environment" in told(console)


def test_the_display_of_a_resumed_run_counts_on_from_before(tmp_path: Path) -> None:
    aiga.run(FILE, name="on", runs=tmp_path, overrides=["run.stop.iterations=6"])
    display = Display(tmp_path / "on", screen())
    with display:
        run = aiga.resume(tmp_path / "on", overrides=["run.stop.iterations=8"], watcher=display)
    transferred = run.journal("transferred")
    assert set(transferred["iteration"]) == {3, 6}, "before this stretch"
    assert f"{int(transferred['accepted'].sum())} of {len(transferred)}" in drawn(display)


def test_the_display_leaves_niches_out_that_do_not_fit_and_says_how_many(tmp_path: Path) -> None:
    aiga.run(FILE, name="low", runs=tmp_path, overrides=["run.stop.iterations=1"])
    display = Display(tmp_path / "low", screen(height=10))
    display.iteration(progress(9, tuple(float(i) for i in range(20)), tuple(range(100, 120))))
    display.close()
    picture = drawn(display)
    assert "119" in picture, "the best are shown"
    assert "and 17 more" in picture


def test_a_terminal_keeps_its_cursor_should_the_process_end_at_once(tmp_path: Path) -> None:
    aiga.run(FILE, name="cursor", runs=tmp_path, overrides=["run.stop.iterations=1"])
    console = screen()
    display = Display(tmp_path / "cursor", console)
    display.iteration(progress(2, (1.0,), (0,)))
    written = told(console)
    display.close()
    assert written.rindex("\x1b[?25h") > written.rindex("\x1b[?25l")


def test_best_scores_are_kept_for_environments_that_are_active(tmp_path: Path) -> None:
    aiga.run(FILE, name="best", runs=tmp_path, overrides=["run.stop.iterations=1"])
    following = Following(tmp_path / "best")
    following.take(progress(2, (5.0, 1.0), (0, 7)))
    following.take(progress(3, (2.0, math.nan, 3.0), (0, 7, 8)))
    assert following.best == {0: 5.0, 7: 1.0, 8: 3.0}
    following.take(progress(4, (4.0,), (8,)))
    assert following.best == {8: 4.0}


def test_scores_that_are_no_numbers_count_for_nothing() -> None:
    assert best_of((1.0, math.nan, 3.0)) == 3.0
    assert mean_of((1.0, math.nan, 3.0)) == 2.0
    assert best_of((math.nan,)) is None
    assert mean_of(()) is None


def test_times_are_told_as_clocks_do() -> None:
    assert [clock(0.9), clock(61), clock(3723)] == ["0:00", "1:01", "1:02:03"]


def test_lines_tell_all_that_happened_and_quiet_iterations_once_a_second(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    aiga.run(FILE, name="lines", runs=tmp_path, overrides=["run.stop.iterations=1"])
    now = 100.0
    monkeypatch.setattr("aiga.cli.plain.time.monotonic", lambda: now)
    plain = Plain(tmp_path / "lines")
    retired = Event("retired", 4, {"niche": [7], "env": [7], "agent": [9], "score": [1.25]})
    for iteration, passed, events in ((2, 0.0, ()), (3, 0.1, ()), (4, 0.1, (retired,)), (5, 0.1, ()), (6, 1.0, ())):
        now += passed
        plain.iteration(progress(iteration, (5.0, math.nan), (0, 7), *events))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["iteration 2", "iteration 4", "  retired", "iteration 6"]
    assert lines[0] == "iteration 2: 2 niches, best 5.0, mean 5.0, 1,234 steps/s, 0.50 s"
    assert lines[2] == "  retired: environment 7 and agent 9, score 1.2"


def test_offers_that_were_refused_are_no_news() -> None:
    columns = {
        "niche": [0, 1],
        "env": [0, 1],
        "from": [5, -1],
        "agent": [8, -1],
        "operator": ["direct", "new"],
        "score": [2.0, math.nan],
        "resident_score": [1.0, 1.0],
        "accepted": [True, False],
        "still_wins": [False, None],
    }
    news = list(sentences([Event("transferred", 3, columns), Event("born", 3, {"env": [1]})]))
    assert news == ["transferred: agent 8 (from agent 5, direct) into environment 0, 2.0 against 1.0, loses on fresh seeds"]
