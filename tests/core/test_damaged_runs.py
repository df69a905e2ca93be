"""Runs whose parts are missing, or not of one time, are refused and left as they are; what fails in a run is told."""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
import support

import aiga


class Listener:
    """Keeps what a person would be told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def iteration(self, progress: aiga.Progress) -> None:
        """Nothing."""

    def message(self, text: str) -> None:
        self.told.append(text)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = support.search(run={"stop": {"iterations": 6}})
    return aiga.run(config, name="whole", runs=tmp_path_factory.mktemp("finished")).path


def copied(finished: Path, to: Path) -> Path:
    return Path(shutil.copytree(finished, to / "copy"))


def test_a_run_whose_checkpoints_are_gone_is_refused_and_keeps_its_journal(finished: Path, tmp_path: Path) -> None:
    path = copied(finished, tmp_path)
    shutil.rmtree(path / "checkpoints")
    before = support.lines(path)
    with pytest.raises(aiga.InputError, match="no checkpoint verifies"):
        aiga.resume(path, overrides=["run.stop.iterations=8"])
    assert support.lines(path) == before
    assert list((path / "stones").iterdir())


def test_a_run_whose_journal_is_gone_is_refused_and_gets_no_empty_one(finished: Path, tmp_path: Path) -> None:
    path = copied(finished, tmp_path)
    for file in path.glob("journal.db*"):
        file.unlink()
    with pytest.raises(aiga.InputError, match=r"journal\.db is missing"):
        aiga.resume(path)
    assert not (path / "journal.db").exists()


def test_a_journal_older_than_the_checkpoint_is_refused(finished: Path, tmp_path: Path) -> None:
    path = copied(finished, tmp_path)
    with aiga.open(path).reading() as journal:
        assert journal.iteration == 6
    older = aiga.run(support.search(run={"stop": {"iterations": 2}}), name="older", runs=tmp_path).path
    for file in path.glob("journal.db*"):
        file.unlink()
    for file in older.glob("journal.db*"):
        shutil.copy(file, path)
    with pytest.raises(aiga.InputError, match="ends at iteration 2, before the checkpoint of iteration 6"):
        aiga.resume(path, overrides=["run.stop.iterations=8"])


def test_pairs_that_fail_are_told_and_journalled_with_their_reason(tmp_path: Path) -> None:
    body = """
        @aiga.wrapper
        def aiga_evaluate(self, lab, pairs):
            scores = yield
            fitness = scores.fitness.clone()
            fitness[0] = float("nan")
            return scores.with_columns(fitness=fitness)
    """
    config = support.bare(run={"stop": {"iterations": 1}}, plugins={"spoil": support.plugin(tmp_path, "spoil", body)})
    listener = Listener()
    run = aiga.run(config, name="spoilt", runs=tmp_path, watcher=listener)
    assert [text for text in listener.told if "1 pairs failed: fitness is not a finite number" in text]
    failed = run.operations("failed")
    assert failed["reason"].iloc[0] == "fitness is not a finite number"
    assert (failed["pairs"] >= 1).all()


def test_an_edited_path_plugin_is_told_and_journalled_on_resume(finished: Path, tmp_path: Path) -> None:
    path = copied(finished, tmp_path)
    with (path / "plugins" / "points.py").open("a") as file:
        file.write("# edited\n")
    listener = Listener()
    run = aiga.resume(path, overrides=["run.stop.iterations=7"], watcher=listener)
    assert [text for text in listener.told if "plugin points is not what the run was started with: sha256" in text]
    assert "points" in run.operations("plugins")["text"].iloc[0]


@pytest.mark.parametrize("content", [None, "{", json.dumps([1])])
def test_a_lock_that_cannot_be_read_is_told_on_resume(finished: Path, tmp_path: Path, content: str | None) -> None:
    path = copied(finished, tmp_path)
    (path / "plugins.lock").unlink() if content is None else (path / "plugins.lock").write_text(content)
    listener = Listener()
    aiga.resume(path, overrides=["run.stop.iterations=7"], watcher=listener)
    assert [text for text in listener.told if "plugins.lock: cannot be read" in text]


def test_an_unedited_run_tells_of_no_change(finished: Path, tmp_path: Path) -> None:
    listener = Listener()
    aiga.resume(copied(finished, tmp_path), overrides=["run.stop.iterations=7"], watcher=listener)
    assert listener.told == ["goes on after iteration 6"]


def test_options_must_be_finite() -> None:
    config: dict[str, Any] = support.search(plugins={"es": {"options": {"population": 8, "sigma": float("inf")}}})
    with pytest.raises(aiga.InputError, match="sigma"):
        aiga.run(config, name="never")


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("seed = 7", "seed = 9", "[run] seed: found 9, but the run was started with 7"),
        ("children = 4", "children = 5", "[plugins.poet.options] children: found 5, but the run was started with 4"),
        ("niches = 2", "niches = 3", "[population] niches: found 3"),
    ],
)
def test_a_run_whose_search_was_edited_is_refused_with_the_line(
    finished: Path, tmp_path: Path, before: str, after: str, said: str
) -> None:
    file = copied(finished, tmp_path) / "run.toml"
    assert before in file.read_text()
    file.write_text(file.read_text().replace(before, after))
    line = file.read_text().splitlines().index(after) + 1
    with pytest.raises(aiga.InputError) as caught:
        aiga.resume(file.parent, overrides=["run.stop.iterations=8"])
    assert str(caught.value).startswith(f"{file}:{line}: {said}")


def test_stepping_stones_that_are_gone_are_told_of_at_the_resume(finished: Path, tmp_path: Path) -> None:
    path, listener = copied(finished, tmp_path), Listener()
    first = sorted((path / "stones").iterdir())[0]
    first.unlink()
    with contextlib.suppress(aiga.AigaError):
        aiga.resume(path, overrides=["run.stop.iterations=7"], watcher=listener)
    assert any(f"{first}: missing. Its stepping stones cannot be read" in text for text in listener.told)


def test_a_row_that_is_no_json_is_told_as_damage(finished: Path, tmp_path: Path) -> None:
    path = copied(finished, tmp_path)
    with sqlite3.connect(path / "journal.db") as db:
        db.execute("UPDATE search SET data = '{\"score\":037}' WHERE type = 'admitted'")
    with pytest.raises(aiga.AigaError, match=r"journal.db: a row is damaged"):
        aiga.open(path).journal("admitted")
