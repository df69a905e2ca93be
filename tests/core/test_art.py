"""Posters of a run, drawn from its directory alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.image import imread

from aiga import checkpoint
from aiga.art import draw
from aiga.art_annecs import annecs_figure
from aiga.art_phylogeny import phylogeny_figure
from aiga.art_pictures import barcodes
from aiga.art_story import Life, Move, Story, read
from aiga.art_style import style
from aiga.data import Batch, Kind, Population
from aiga.errors import InputError, StorageError
from aiga.journal import Journal
from aiga.niches import HISTORY, Niches
from aiga.rundir import RunDirectory
from aiga.stones import Stones
from aiga.testing import points

CONFIG = f"""
api = 1

[population]
domain = "points"
networks = ["mlp"]

[slots]
select = "keep"
improve = "none"

[plugins.points]
path = "{points.__file__}"
"""


def populated(runs: Path, name: str = "toy", config: str = CONFIG) -> RunDirectory:
    """A run of three iterations, two environments and a solve."""
    folder = RunDirectory.create(runs, name, {"run.toml": config})
    place = torch.tensor([[0.0, 0.0], [3.0, -2.0]], dtype=torch.float64)
    kind = Kind("points", {"version": 1})
    with Journal(folder.journal_path) as journal:
        stones = Stones(folder.stones, journal)
        stones.stage(0, envs=Batch(kind, torch.tensor([0, 2]), {"point": place, "seed": torch.zeros(2, dtype=torch.int64)}))
        common = {"operator": "mutate", "agent_parents": [-1, -1], "score": 10.0}
        first = {"env": 0, "niche": 0, "agent": 1, "parents": [-1, -1], **common}
        second = {"env": 2, "niche": 2, "agent": 3, "parents": [0, -1], **common}
        journal.commit(0, [("admitted", first), ("admitted", second)], stones=stones.write())
        journal.commit(1, [("solved", {"env": 2, "niche": 2, "agent": 4, "score": 240.0, "at_birth": False})])
        journal.commit(2, [])
    return folder


def words(figure: Any) -> str:
    return "\n".join(text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text")))


def story(count: int = 3, moves: int = 0) -> Story:
    lives = {
        i: Life(i, i, (i - 1,) if i else (), "mutate", 10.0 * i, i + 5 if i % 2 else None, False, 0 if i else None, None)
        for i in range(count)
    }
    return Story(count + 10, lives, tuple(Move(i % count, i % count, (i + 1) % count, False) for i in range(moves)))


def test_a_run_gets_both_posters_with_its_environments_drawn_by_its_plugins(tmp_path: Path) -> None:
    folder = populated(tmp_path)
    written = draw(folder.path)
    assert written == [folder.art / "phylogeny.png", folder.art / "annecs.png"]
    assert all(imread(path).shape[1] > 1000 for path in written)
    assert sorted(path.name for path in folder.art.iterdir()) == ["annecs.png", "phylogeny.png"]
    colours = (imread(written[0])[:, :, :3] * 255).round().astype(int)
    assert (colours == 240).all(axis=2).sum() > 1000, "the grounds of the points' pictures"


def test_active_environments_have_the_scores_of_the_newest_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, drawn = populated(tmp_path), []

    def watched(name: str, story: Story, *rest: Any) -> Any:
        drawn.append({env: life.score for env, life in story.lives.items()})
        return phylogeny_figure(name, story, *rest)

    monkeypatch.setattr("aiga.art.phylogeny_figure", watched)
    draw(folder.path)
    rows, score = torch.arange(2), torch.tensor([31.0, 263.0], dtype=torch.float64)
    envs = Population((Batch(Kind("points", {"version": 1}), torch.tensor([0, 2]), {"point": torch.zeros(2, 2)}),))
    niches = Niches(rows, rows, rows, rows, score, score[:, None].expand(-1, HISTORY).clone(), rows > 0, envs, envs, {})
    checkpoint.save(folder.checkpoints, 2, {"search": {"niches": niches}})
    draw(folder.path)
    assert drawn == [{0: 10.0, 2: 240.0}, {0: 31.0, 2: 263.0}]


def test_a_run_whose_plugins_are_gone_is_drawn_with_words(tmp_path: Path) -> None:
    folder = populated(tmp_path, config=CONFIG.replace(points.__file__, "./gone.py"))
    assert all(path.is_file() for path in draw(folder.path))


def test_drawing_a_run_changes_neither_its_journal_nor_its_stones(tmp_path: Path) -> None:
    folder = populated(tmp_path)
    kept = {path: path.read_bytes() for path in (folder.journal_path, *folder.stones.iterdir())}
    draw(folder.path)
    assert {path: path.read_bytes() for path in kept} == kept


def test_what_is_no_run_cannot_be_drawn(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a run directory"):
        draw(tmp_path)


def test_a_poster_that_cannot_be_written_leaves_the_old_one_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = populated(tmp_path)
    old = [path.read_bytes() for path in draw(folder.path)]

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("aiga.durable.write_synced", full)
    with pytest.raises(StorageError, match="No space left"):
        draw(folder.path)
    assert [path.read_bytes() for path in sorted(folder.art.iterdir(), reverse=True)] == old


def test_the_phylogeny_names_every_environment_and_its_fate() -> None:
    with style():
        found = words(phylogeny_figure("toy", story(), [0, 1, 2], {}))
    assert "1 environment founded, 2 admitted in 13 iterations; 3 active, 1 solved" in found
    assert "solved at 6 by 0's agent" in found
    assert "score 20" in found
    assert "left out" not in found


def test_the_phylogeny_says_what_it_leaves_out() -> None:
    with style():
        found = words(phylogeny_figure("toy", story(40, moves=400), list(range(30, 40)), {}))
    assert "30 environments left out" in found
    assert "of 400 transfers drawn" in found


def test_pictures_stand_in_the_rows_of_their_environments() -> None:
    pictures = {0: np.full((4, 30, 3), 10, np.uint8), 2: np.full((4, 30, 3), 20, np.uint8)}
    with style():
        figure = phylogeny_figure("toy", story(), [0, 1, 2], pictures)
    images = [image for axes in figure.axes for image in axes.images]
    assert [(image.get_array().max(), sum(image.get_extent()[2:]) / 2) for image in images] == [(10, 0.0), (20, 2.0)]


def test_annecs_against_every_agent_that_ever_was_is_drawn_where_it_was_checked(tmp_path: Path) -> None:
    for checked in (True, None):
        with Journal(tmp_path / f"{checked}.db") as journal:
            row = {"env": 0, "niche": 0, "agent": 1, "parents": [], "operator": "", "score": 1.0, "archive_passed": checked}
            journal.commit(0, [("admitted", {**row, "env": 2, "niche": 2, "agent": 3})])
            journal.commit(1, [("admitted", row)])
            journal.commit(2, [("solved", {"env": 0, "niche": 0, "agent": 1, "score": 1.0, "at_birth": False})])
            with style():
                found = words(annecs_figure("toy", journal.annecs(), read(journal)))
        assert "1  solved after birth" in found
        assert "1  environments\nadmitted" in found
        assert "1 of 1 environment admitted in 2 iterations" in found
        assert ("agent that ever was" in found) == bool(checked)
        assert "solved at birth" not in found


def test_a_run_without_an_iteration_can_be_drawn(tmp_path: Path) -> None:
    folder = RunDirectory.create(tmp_path, "empty", {"run.toml": CONFIG})
    assert all(path.is_file() for path in draw(folder.path))


def test_a_barcode_is_dark_where_a_number_is_high() -> None:
    low, high = barcodes(np.array([[0.0, 5.0, 1.0], [2.0, 5.0, 0.0]]))
    assert low[4, 6, 0] > high[4, 6, 0]
    assert (low[4, 18] == high[4, 18]).all()
    assert low[4, 30, 0] < high[4, 30, 0]


def test_a_users_own_plot_settings_are_left_alone() -> None:
    import matplotlib

    before = dict(matplotlib.rcParams)
    with style():
        assert matplotlib.rcParams["axes.spines.top"] is False
    assert dict(matplotlib.rcParams) == before
