"""The journal: rows, their order and their text; going back; reading while another writes; errors in plain words."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiga.errors import InputError, StorageError
from aiga.journal import Journal, Segment, StoneEntry, canonical


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "journal.db") as opened:
        yield opened


def segment(iteration: int, *ids: int) -> Segment:
    name = f"{iteration:06d}.safetensors"
    entries = tuple(StoneEntry(id, "agent", name, row, "kind", iteration) for row, id in enumerate(ids))
    return Segment(name, iteration, "0" * 64, 10, entries)


def test_a_line_begins_with_id_iteration_and_type_and_sorts_the_data(journal: Journal) -> None:
    journal.commit(3, [("born", {"parents": [1, -1], "env": 7, "operator": "mutate"})])
    assert list(journal.lines()) == ['{"id":1,"iteration":3,"type":"born","env":7,"operator":"mutate","parents":[1,-1]}']


def test_a_row_without_data_is_a_whole_line_too(journal: Journal) -> None:
    journal.commit(0, [("iteration", {})])
    assert list(journal.lines()) == ['{"id":1,"iteration":0,"type":"iteration"}']


def test_lines_do_not_depend_on_the_order_of_keys(tmp_path: Path) -> None:
    with Journal(tmp_path / "a.db") as one, Journal(tmp_path / "b.db") as other:
        one.commit(0, [("solved", {"env": 1, "score": 0.1})])
        other.commit(0, [("solved", {"score": 0.1, "env": 1})])
        assert list(one.lines()) == list(other.lines())


def test_numbers_that_json_lacks_are_written_so_that_any_reader_takes_them(journal: Journal) -> None:
    journal.commit(0, [("solved", {"a": math.nan, "b": math.inf, "c": [-math.inf, 1.5]})])
    (line,) = journal.lines()
    assert json.loads(line, parse_constant=pytest.fail)["c"] == ["-Infinity", 1.5]
    row = journal.frame("solved").iloc[0]
    assert row["a"] is None
    assert row["b"] == math.inf


@settings(derandomize=True, max_examples=50)
@given(st.floats(allow_nan=False, allow_infinity=False), st.text())
def test_floats_and_words_come_back_as_they_were(number: float, word: str) -> None:
    assert json.loads(canonical({"x": number, "w": word})) == {"x": number, "w": word}


@pytest.mark.parametrize("key", ["id", "iteration", "type", "time"])
def test_data_cannot_hide_the_journals_own_keys(journal: Journal, key: str) -> None:
    with pytest.raises(ValueError, match=key):
        journal.commit(0, [("born", {key: 1})])
    assert journal.iteration is None


def test_an_iteration_cannot_be_committed_twice(journal: Journal) -> None:
    journal.commit(4, [("born", {"env": 1})])
    with pytest.raises(ValueError, match="iteration 4"):
        journal.commit(4, [("born", {"env": 1})])
    assert len(list(journal.lines())) == 1


def test_a_commit_that_fails_halfway_leaves_nothing(journal: Journal) -> None:
    journal.commit(0, [("born", {"env": 1})], stones=segment(0, 5))
    with pytest.raises(ValueError, match="already"):
        journal.commit(1, [("born", {"env": 2})], [("times", {})], stones=segment(1, 6, 5))
    assert journal.iteration == 0
    assert len(list(journal.lines())) == 1
    assert journal.stones([6]) == []
    assert len(journal.operations()) == 0
    journal.commit(1, [("born", {"env": 2})])


def test_recomputed_rows_get_the_ids_they_had(journal: Journal) -> None:
    for iteration in range(6):
        journal.commit(iteration, [("born", {"env": iteration}), ("rejected", {"env": iteration})])
    before = list(journal.lines())
    assert journal.truncate(2) == 6
    assert list(journal.lines()) == before[:6]
    for iteration in range(3, 6):
        journal.commit(iteration, [("born", {"env": iteration}), ("rejected", {"env": iteration})])
    assert list(journal.lines()) == before


def test_going_back_to_before_the_first_iteration_empties_the_search_stream(journal: Journal) -> None:
    journal.commit(0, [("born", {"env": 1})], stones=segment(0, 9))
    journal.truncate(-1)
    assert journal.iteration is None
    assert list(journal.lines()) == []
    assert journal.stones([9]) == []


def test_going_back_keeps_operations_and_drops_stepping_stones(journal: Journal) -> None:
    journal.operation("start", {"seed": 0})
    journal.commit(0, [], [("times", {"seconds": 1.0})], stones=segment(0, 1, 2))
    journal.commit(1, [], stones=segment(1, 3))
    journal.truncate(0)
    assert [entry.id for entry in journal.stones([1, 2, 3])] == [1, 2]
    with pytest.raises(KeyError):
        journal.segment("000001.safetensors")
    assert list(journal.operations()["type"]) == ["start", "times"]


def test_an_operation_belongs_to_the_last_iteration_unless_told(journal: Journal) -> None:
    journal.operation("start", {})
    journal.commit(8, [])
    journal.operation("checkpoint", {})
    journal.operation("abandoned", {}, iteration=9)
    found = journal.operations()["iteration"]
    assert found.isna().tolist() == [True, False, False]
    assert found.tolist()[1:] == [8, 9]


def test_lines_since_an_id_leave_that_row_out(journal: Journal) -> None:
    journal.commit(0, [("born", {"env": n}) for n in range(4)])
    assert [json.loads(line)["id"] for line in journal.lines(since=2)] == [3, 4]


def test_lines_run_over_many_pages_without_loss(journal: Journal) -> None:
    journal.commit(0, [("born", {"env": n}) for n in range(2500)])
    assert [json.loads(line)["env"] for line in journal.lines()] == list(range(2500))
    journal.commit(1, [("solved", {"env": 1}), ("born", {"env": 2500})])
    assert list(journal.frame("born")["env"]) == list(range(2501))


def test_times_are_added_only_when_asked_for(journal: Journal) -> None:
    journal.commit(0, [("born", {"env": 1}), ("iteration", {})])
    assert all("time" not in json.loads(line) for line in journal.lines())
    for line in journal.lines(times=True):
        assert pd.Timestamp(json.loads(line)["time"]).tzinfo is not None


def test_a_frame_has_a_column_for_every_key_and_keeps_all_digits_of_a_key(journal: Journal) -> None:
    key = 2**62 + 1
    journal.commit(0, [("born", {"env": 1}), ("admitted", {"env": 1, "niche": key, "score": 2, "archive_passed": True})])
    frame = journal.frame()
    assert list(frame.columns) == ["id", "iteration", "type", "env", "archive_passed", "niche", "score"]
    assert frame["niche"].iloc[1] == key
    assert frame["env"].dtype == "int64"
    assert list(journal.frame("admitted")["niche"]) == [key]
    assert list(journal.frame("solved").columns) == ["id", "iteration", "type"]


def test_counts_last_and_about_find_rows(journal: Journal) -> None:
    journal.commit(0, [("born", {"env": 1}), ("born", {"env": 2}), ("iteration", {"niches": 1})])
    journal.commit(1, [("solved", {"env": 2, "score": 9.0}), ("iteration", {"niches": 2})])
    assert journal.counts() == {"born": 2, "iteration": 2, "solved": 1}
    assert journal.last("iteration") == {"id": 5, "iteration": 1, "niches": 2}
    assert journal.last("retired") is None
    assert [row["type"] for row in journal.about("env", 2, ("born", "solved"))] == ["born", "solved"]


def test_a_reader_sees_what_another_connection_commits(journal: Journal) -> None:
    with Journal(journal.path, readonly=True) as reader:
        assert list(reader.lines()) == []
        journal.commit(0, [("born", {"env": 1})])
        assert len(list(reader.lines())) == 1


def test_a_reader_in_the_middle_of_its_lines_stops_no_writer(journal: Journal) -> None:
    journal.commit(0, [("born", {"env": n}) for n in range(3000)])
    with Journal(journal.path, readonly=True) as reader:
        lines = reader.lines()
        next(lines)
        journal.commit(1, [("born", {"env": 3000})])
        assert sum(1 for _ in lines) == 3000


def test_a_reader_cannot_write(journal: Journal) -> None:
    with Journal(journal.path, readonly=True) as reader, pytest.raises(StorageError, match="readonly"):
        reader.commit(0, [])


def test_a_missing_journal_is_an_error_for_a_reader_and_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no such file"):
        Journal(tmp_path / "journal.db", readonly=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("readonly", [True, False])
def test_a_file_that_is_no_journal_is_named(tmp_path: Path, readonly: bool) -> None:
    path = tmp_path / "journal.db"
    path.write_bytes(b"no database at all, but long enough to look like one" * 20)
    with pytest.raises(StorageError, match=r"journal\.db.*Restore it"):
        Journal(path, readonly=readonly)


def test_a_newer_journal_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    Journal(path).close()
    with sqlite3.connect(path) as db:
        db.execute("UPDATE meta SET value = '99'")
        db.execute("DROP VIEW annecs")
    db.close()
    for readonly in (True, False):
        with pytest.raises(InputError, match=r"newer aiga.*99"):
            Journal(path, readonly=readonly)
    with sqlite3.connect(path) as db:
        assert not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'annecs'").fetchall()
    db.close()


def test_an_exception_from_outside_in_the_middle_of_a_commit_rolls_it_back(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(journal, "_add_operations", interrupted)
        with pytest.raises(KeyboardInterrupt):
            journal.commit(0, [("born", {"env": 1})])
    assert list(journal.lines()) == []
    journal.commit(0, [("born", {"env": 1})])
    assert len(list(journal.lines())) == 1


def test_a_torn_log_gives_a_whole_number_of_iterations_and_the_run_can_go_on(tmp_path: Path) -> None:
    source = tmp_path / "source.db"
    writer = Journal(source)
    for iteration in range(8):
        writer.commit(iteration, [("born", {"env": iteration, "n": n}) for n in range(5)])
    main, log = source.read_bytes(), source.with_name("source.db-wal").read_bytes()
    expected = list(writer.lines())
    writer.close()
    seen = set()
    for number, length in enumerate(range(0, len(log) + 1, max(1, len(log) // 40))):
        path = tmp_path / f"torn{number}.db"
        path.write_bytes(main)
        path.with_name(path.name + "-wal").write_bytes(log[:length])
        try:
            with Journal(path) as torn:
                last = torn.iteration
                whole = -1 if last is None else last
                assert list(torn.lines()) == expected[: 5 * (whole + 1)]
                torn.commit(whole + 1, [("born", {"env": whole + 1, "n": n}) for n in range(5)])
                assert list(torn.lines())[: 5 * 8] == expected[: 5 * (whole + 2)]
        finally:
            path.unlink()
        seen.add(whole)
    assert {-1, 3, 6} <= seen


def test_the_log_of_a_killed_run_is_read_from_a_copy(tmp_path: Path) -> None:
    writer = Journal(tmp_path / "journal.db")
    writer.commit(0, [("born", {"env": 1})])
    copy = tmp_path / "copy"
    copy.mkdir()
    for suffix in ("", "-wal"):
        (copy / f"journal.db{suffix}").write_bytes((tmp_path / f"journal.db{suffix}").read_bytes())
    writer.close()
    with Journal(copy / "journal.db", readonly=True) as reader:
        assert len(list(reader.lines())) == 1
