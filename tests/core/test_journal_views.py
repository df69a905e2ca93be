"""ANNECS, lineage and coverage, by scripted scenarios."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aiga.journal import Journal


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "journal.db") as opened:
        yield opened


def admitted(
    env: int, *, at_birth: bool = False, passed: bool | None = None, niche: int | None = None
) -> tuple[str, dict[str, Any]]:
    data = {"env": env, "agent": 100 + env, "niche": env if niche is None else niche}
    return "admitted", {**data, "score": 1.0, "solved_at_birth": at_birth, "archive_passed": passed}


def solved(env: int, *, at_birth: bool = False) -> tuple[str, dict[str, Any]]:
    return "solved", {"env": env, "agent": 100 + env, "score": 250.0, "at_birth": at_birth}


def test_annecs_counts_an_environment_when_it_is_solved_not_when_it_is_created(journal: Journal) -> None:
    journal.commit(0, [])
    journal.commit(1, [admitted(1), admitted(2)])
    journal.commit(2, [])
    journal.commit(3, [solved(2)])
    assert journal.annecs()["annecs_active"].tolist() == [0, 0, 0, 1]


@pytest.mark.parametrize("at_birth", [False, True])
def test_annecs_does_not_count_an_environment_the_run_was_founded_with(journal: Journal, at_birth: bool) -> None:
    journal.commit(0, [admitted(1, at_birth=at_birth, passed=True)])
    journal.commit(1, [solved(1), admitted(2, passed=True)])
    journal.commit(2, [("retired", {"niche": 1, "env": 1, "agent": 101, "score": 0.0})])
    journal.commit(3, [admitted(1, passed=True)])  # comes back: it was there at the founding all the same
    journal.commit(4, [solved(1), solved(2)])
    frame = journal.annecs()
    assert frame["annecs_active"].tolist() == [0, 0, 0, 0, 1]
    assert frame["annecs"].tolist() == [0, 0, 0, 0, 1]
    assert frame["solved_at_birth"].tolist() == [0] * 5


def test_annecs_counts_an_environment_solved_again_once(journal: Journal) -> None:
    journal.commit(1, [admitted(1)])
    journal.commit(2, [solved(1)])
    journal.commit(3, [solved(1)])
    assert journal.annecs()["annecs_active"].tolist() == [0, 1, 1]


@pytest.mark.parametrize("told_by", ["admitted", "solved", "both"])
def test_solved_at_birth_is_counted_apart(journal: Journal, told_by: str) -> None:
    events = [admitted(1, at_birth=told_by != "solved", passed=True), admitted(2, passed=True)]
    journal.commit(1, events + ([solved(1, at_birth=True)] if told_by != "admitted" else []))
    journal.commit(2, [solved(1), solved(2)])
    frame = journal.annecs()
    assert frame["solved_at_birth"].tolist() == [1, 1]
    assert frame["annecs_active"].tolist() == [0, 1]
    assert frame["annecs"].tolist() == [0, 1]


def test_annecs_leaves_out_what_failed_the_check_against_the_archive(journal: Journal) -> None:
    journal.commit(1, [admitted(1, passed=True), admitted(2, passed=False), admitted(3)])
    journal.commit(2, [solved(1), solved(2), solved(3)])
    frame = journal.annecs()
    assert frame["annecs_active"].tolist() == [0, 3]
    assert frame["annecs"].tolist() == [0, 1]


def test_annecs_is_missing_where_the_archive_was_never_checked(journal: Journal) -> None:
    journal.commit(1, [admitted(1)])
    journal.commit(2, [solved(1)])
    assert journal.annecs()["annecs_active"].tolist() == [0, 1]
    assert journal.annecs()["annecs"].isna().all()


def test_annecs_does_not_count_a_solve_of_what_was_not_yet_or_never_admitted(journal: Journal) -> None:
    journal.commit(1, [solved(5), solved(6)])
    journal.commit(2, [admitted(6)])
    assert journal.annecs()["annecs_active"].tolist() == [0, 0]


def test_lineage_has_a_row_for_each_parent_of_an_environment(journal: Journal) -> None:
    born = {"operator": "mutate", "agent_parents": [-1, -1]}
    journal.commit(0, [("born", {"env": 1, "parents": [-1, -1], **born})])
    journal.commit(1, [("born", {"env": 2, "parents": [1, -1], **born}), ("born", {"env": 3, "parents": [1, 2], **born})])
    rows = [tuple(row) for row in journal.lineage()[["role", "child", "parent", "operator"]].itertuples(index=False)]
    assert rows == [("environment", 2, 1, "mutate"), ("environment", 3, 1, "mutate"), ("environment", 3, 2, "mutate")]


def test_lineage_follows_agents_through_admission_and_accepted_transfers_only(journal: Journal) -> None:
    journal.commit(0, [("born", {"env": 1, "parents": [-1, -1], "operator": "mutate", "agent_parents": [50, -1]}), admitted(1)])
    transfer = {"niche": 1, "env": 1, "from": 101, "operator": "direct"}
    journal.commit(
        1,
        [
            ("transferred", {**transfer, "agent": 7, "accepted": True}),
            ("transferred", {**transfer, "agent": -1, "accepted": False}),
        ],
    )
    rows = [tuple(row) for row in journal.lineage()[["role", "child", "parent", "operator"]].itertuples(index=False)]
    assert rows == [("agent", 101, 50, "mutate"), ("agent", 7, 101, "direct")]


def test_coverage_counts_niches_ever_held_and_environments_ever_admitted(journal: Journal) -> None:
    journal.commit(0, [admitted(1, niche=5)])
    journal.commit(1, [admitted(2, niche=5), admitted(3, niche=6)])
    journal.commit(2, [("retired", {"niche": 6, "env": 3, "agent": 103, "score": 0.0})])
    frame = journal.coverage()
    assert frame["niches"].tolist() == [1, 2, 2]
    assert frame["environments"].tolist() == [1, 3, 3]


def test_the_views_go_back_with_the_journal(journal: Journal) -> None:
    journal.commit(1, [admitted(1)])
    journal.commit(2, [solved(1)])
    assert journal.annecs()["annecs_active"].tolist() == [0, 1]
    journal.truncate(1)
    assert journal.annecs()["annecs_active"].tolist() == [0]


def test_any_reader_of_sqlite_finds_the_views(journal: Journal) -> None:
    journal.commit(1, [admitted(1)])
    journal.commit(2, [solved(1)])
    db = sqlite3.connect(journal.path)
    try:
        assert db.execute("SELECT annecs_active FROM annecs ORDER BY iteration").fetchall() == [(0,), (1,)]
        assert db.execute("SELECT niches FROM coverage").fetchall() == [(1,), (1,)]
        assert db.execute("SELECT COUNT(*) FROM lineage").fetchall() == [(0,)]
    finally:
        db.close()


def test_views_of_an_older_aiga_are_renewed(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    Journal(path).close()
    with sqlite3.connect(path) as db:
        db.execute("DROP VIEW annecs")
        db.execute("CREATE VIEW annecs AS SELECT 1 AS stale")
    db.close()
    with Journal(path) as journal:
        journal.commit(0, [])
    db = sqlite3.connect(path)
    assert db.execute("SELECT annecs_active FROM annecs").fetchall() == [(0,)]
    db.close()
