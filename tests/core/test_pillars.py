"""Which pillars act in a run: who is asked, what the journal keeps of it, and what a status shows."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import support
import torch
from typer.testing import CliRunner

import aiga
from aiga.changes import unlike
from aiga.cli.app import app
from aiga.cli.chronicle import Chronicle
from aiga.data import NOBODY, Pairs
from aiga.journal import Journal
from aiga.niches import Niches
from aiga.standings import NOBODY_OF_IT

OFF = {"plugin": None, "acts": False, "why": NOBODY_OF_IT}
NONE = [{"pillar": pillar, **OFF} for pillar in ("architectures", "learning", "environments")]
LEARNER = """
    pillar = "learning"

    def standing(self, lab):
        return ANSWER
"""


def learner(folder: Path, answer: str, name: str = "learner", **table: Any) -> dict[str, Any]:
    """A run of points, kept by ``keep``, with a plugin of the pillar ``learning`` that answers so."""
    made = support.plugin(folder, name, LEARNER.replace("ANSWER", answer))
    return support.bare(plugins={name: {**made, **table}})


def told(path: Path, plugin: str | None = "learner") -> list[tuple[int, bool, str]]:
    """What the journal was told of a plugin: iteration, acts, why."""
    with aiga.open(path).reading() as journal:
        rows = journal.operations("standing").to_dict("records")
    return [(row["iteration"], row["acts"], row["why"]) for row in rows if row["plugin"] == plugin]


def look(path: Path) -> dict[str, Any]:
    done = CliRunner().invoke(app, ["status", str(path), "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def text(path: Path) -> str:
    done = CliRunner().invoke(app, ["status", str(path)], env={"COLUMNS": "200"})
    assert done.exit_code == 0, done.output
    return done.stdout


def go(folder: Path, config: dict[str, Any], iterations: int = 6, **run: Any) -> Path:
    return aiga.run(support.merge(config, {"run": {"stop": {"iterations": iterations}, **run}}), name="r", runs=folder).path


def test_a_plugin_with_a_pillar_acts_unless_it_says_otherwise(tmp_path: Path) -> None:
    made = support.plugin(tmp_path, "plain", "pillar = 'learning'")
    path = go(tmp_path, support.bare(plugins={"plain": made}), 1)
    assert look(path)["pillars"] == [NONE[0], {"pillar": "learning", "plugin": "plain", "acts": True, "why": ""}, NONE[2]]


def test_a_pillar_without_a_plugin_is_off(tmp_path: Path) -> None:
    path = go(tmp_path, support.bare(), 1)
    assert look(path)["pillars"] == NONE
    lines = [line.split() for line in text(path).splitlines()]
    assert ["learning", "-", "off", *NOBODY_OF_IT.split()] in lines


def test_status_shows_every_plugin_of_a_pillar_and_why(tmp_path: Path) -> None:
    config = learner(tmp_path, "aiga.Standing(False, 'nobody   learns')")
    config["plugins"]["other"] = support.plugin(tmp_path, "other", LEARNER.replace("ANSWER", "aiga.Standing(True, 'all do')"))
    path = go(tmp_path, config, 1)
    assert [tuple(row.values()) for row in look(path)["pillars"] if row["pillar"] == "learning"] == [
        ("learning", "learner", False, "nobody learns"),
        ("learning", "other", True, "all do"),
    ]
    lines = [line.split() for line in text(path).splitlines()]
    assert ["learning", "learner", "off", "nobody", "learns"] in lines
    assert ["learning", "other", "acts", "all", "do"] in lines


def test_a_row_is_written_when_acts_changes_and_not_for_words_alone(tmp_path: Path) -> None:
    answer = "aiga.Standing(lab.iteration >= 4, f'in {lab.iteration}')"
    path = go(tmp_path, learner(tmp_path, answer), 6, checkpoint_every=100)
    # The last one is of the checkpoint with which the stretch ends.
    assert told(path) == [(0, False, "in 0"), (4, True, "in 4"), (6, True, "in 6")]


def test_words_that_changed_are_written_with_a_checkpoint(tmp_path: Path) -> None:
    path = go(tmp_path, learner(tmp_path, "aiga.Standing(True, f'in {lab.iteration}')"), 6, checkpoint_every=3)
    assert told(path) == [(0, True, "in 0"), (3, True, "in 3"), (6, True, "in 6")]
    assert look(path)["pillars"][1]["why"] == "in 6"


def test_a_standing_that_stays_is_written_once_a_stretch(tmp_path: Path) -> None:
    path = go(tmp_path, learner(tmp_path, "aiga.Standing(True, 'always')"), 4, checkpoint_every=1)
    assert told(path) == [(0, True, "always")]
    aiga.resume(path, overrides=["run.stop.iterations=7"])
    assert told(path) == [(0, True, "always"), (4, True, "always")]
    assert len(look(path)["pillars"]) == 3


def test_status_is_of_the_plugins_of_the_latest_stretch(tmp_path: Path) -> None:
    path = go(tmp_path, learner(tmp_path, "aiga.Standing(True, 'was here')"), 2)
    with Journal(path / "journal.db") as journal:
        journal.operation("resume", {})
        assert journal.standings()[1]["why"] == "was here"  # until the stretch that began has told
        for row in NONE:
            journal.operation("standing", row)
    assert look(path)["pillars"] == NONE


def test_no_standing_touches_the_search_stream(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for folder, answer in ((one, "aiga.Standing(True, f'{lab.iteration}')"), (other, "1 / 0")):
        folder.mkdir()
        config = learner(folder, answer)
        go(folder, config, 6)
    assert support.lines(one / "r") == support.lines(other / "r")
    assert not support.events(one / "r", "standing")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("1 / 0", "it cannot tell: ZeroDivisionError: division by zero"),
        ("exit(3)", "it cannot tell: SystemExit: 3"),
        ("True", "it cannot tell: TypeError: answers bool, not aiga.Standing"),
        ("aiga.Standing(torch.tensor(True), '')", "it cannot tell: TypeError: acts is tensor(True)"),
        ("aiga.Standing(True, 5)", "it cannot tell: TypeError: acts is True, why 5"),
    ],
)
@pytest.mark.parametrize("on_error", ["stop", "disable"])
def test_a_plugin_that_cannot_tell_stops_nobody_and_stays_enabled(
    tmp_path: Path, answer: str, said: str, on_error: str
) -> None:
    path = go(tmp_path, learner(tmp_path, answer, on_error=on_error), 3)
    ((iteration, acts, why),) = told(path)
    assert (iteration, acts) == (0, False)
    assert why.startswith(said)
    assert look(path)["iteration"] == 3
    assert not len(aiga.open(path).operations("plugin"))


def test_a_disabled_plugin_is_off_and_says_why_in_later_stretches_too(tmp_path: Path) -> None:
    fails = """
        def aiga_metrics(self, lab):
            if lab.iteration == 2:
                raise ValueError("no more")
    """
    config = learner(tmp_path, "aiga.Standing(True, 'well')", on_error="disable")
    file = Path(config["plugins"]["learner"]["path"])
    file.write_text(file.read_text() + fails.replace("\n    ", "\n"))
    path = go(tmp_path, config, 4, checkpoint_every=1)
    why = "disabled: it raised in metrics, iteration 2: ValueError('no more')"
    assert told(path) == [(0, True, "well"), (2, False, why)]
    aiga.resume(path, overrides=["run.stop.iterations=5"])
    assert told(path)[2:] == [(4, False, why)]


def test_a_run_of_before_has_no_pillars_and_nothing_wrong(tmp_path: Path) -> None:
    import sqlite3

    path = go(tmp_path, support.bare(), 1)
    with sqlite3.connect(path / "journal.db") as db:
        db.execute("DELETE FROM operations WHERE type = 'standing'")
    assert look(path)["pillars"] == []
    assert ["pillars", "not", "recorded"] in [line.split() for line in text(path).splitlines()]


def test_the_lab_says_who_owns_the_slots(tmp_path: Path) -> None:
    with support.founded(tmp_path, support.search()) as it:
        assert it.w.lab("core").slots == {"select": "poet", "improve": "es"}
    with support.founded(tmp_path / "bare", support.bare()) as it:
        assert it.w.lab("core").slots == {"select": "keep", "improve": "none"}


def test_networks_act_where_agents_of_niches_are_made_of_them(tmp_path: Path) -> None:
    with support.founded(tmp_path, support.bare(population={"niches": 3})) as it:
        lab = it.w.lab("core")
        assert sorted(lab.niches.networks) == ["affine", "linear", "linear"]
        assert aiga.Standing.of_networks(lab, "linear") == aiga.Standing(True, "2 of 3 niches' agents are linear")
        assert aiga.Standing.of_networks(lab, "linear", "affine").why == "3 of 3 niches' agents are linear or affine"
        assert aiga.Standing.of_networks(lab, "cubic") == aiga.Standing(False, "no niche's agent is cubic")


def test_what_moves_is_unlike_where_network_or_structure_of_its_origin_differs(tmp_path: Path) -> None:
    leaves = {"weight": torch.zeros(1, 1)}
    kinds = [aiga.Kind("a", {"hidden": 4}), aiga.Kind("a", {"hidden": 5}), aiga.Kind("b", {"hidden": 4})]
    agents = aiga.Population(tuple(aiga.Batch.of(kind, leaves) for kind in kinds))
    ours, theirs = torch.tensor([0, 0, 0, 1]), torch.tensor([0, 1, 2, 1])
    envs, home = aiga.Population((aiga.Batch.of(aiga.Kind("e"), leaves),)), torch.zeros(4, dtype=torch.int64)
    one, other = (Pairs.of(envs, agents, home, rows) for rows in (ours, theirs))
    nobody, gone = Niches.none(), torch.full((4,), 7)
    assert unlike(nobody, gone, one, other) == [False, True, True, False]
    assert unlike(nobody, torch.tensor([NOBODY, NOBODY, 7, 7]), one, other) == [False, False, True, False]
    # A skill comes from an agent of one kind and into one of the resident's own.
    active = replace(nobody, agents=agents.with_ids(torch.tensor([7, 8, 9])))
    assert unlike(active, torch.tensor([7, 8, 9, 7]), other, other) == [False, False, False, True]


def test_a_transfer_tells_whether_the_agents_are_unlike_and_status_counts_the_accepted(tmp_path: Path) -> None:
    run = aiga.run(support.search(run={"stop": {"iterations": 12}}), name="r", runs=tmp_path)
    tried = support.events(run.path, "transferred")
    network: dict[int, str] = {}
    for id in {row[name] for row in tried for name in ("from", "resident")}:
        network[id] = run.stone(id).genome.batches[0].kind.component if id >= 0 else ""
    known = [row for row in tried if row["from"] >= 0]
    assert known
    assert all(row["unlike"] == (network[row["from"]] != network[row["resident"]]) for row in known)
    accepted = [row["unlike"] for row in tried if row["accepted"]]
    assert 0 < sum(accepted) < len(accepted)
    assert look(run.path)["transfers"]["unlike"] == sum(accepted)
    assert f"{len(accepted)} of {len(tried)} accepted, {sum(accepted)} of them between unlike architectures" in text(run.path)


def test_a_chronicle_reads_transfers_of_before_that_do_not_tell() -> None:
    chronicle, row = Chronicle(), {"niche": 0, "accepted": True, "still_wins": None, "agent": 3, "score": 1.0}
    chronicle.add("transferred", 1, row)
    chronicle.add("transferred", 1, {**row, "unlike": True})
    chronicle.add("transferred", 1, {**row, "accepted": False, "unlike": True})
    assert (chronicle.accepted, chronicle.unlike) == (2, 1)
