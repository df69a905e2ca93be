"""A walker's life out of a run as a file of its own: what it says is what was lived, and it is drawn without the run."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

import aiga
from aiga.cli.app import app as cli
from aiga.replay import replay
from aiga_walker.__main__ import app as tools
from aiga_walker.courses import course_of
from aiga_walker.episode_file import loads, read
from aiga_walker.render import render

CONFIG: dict[str, Any] = {
    "api": 1,
    "run": {"seed": 3, "device": "cpu", "workers": 0, "episodes": 2, "stop": {"iterations": 1}},
    "population": {"domain": "walker", "networks": ["mlp"], "initial_agent": "walker-flat"},
    "slots": {"improve": "none"},
    "plugins": {"walker": {"options": {"steps": 90}}, "mlp": {}, "local": {}},
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> aiga.Run:
    return aiga.run(CONFIG, name="short", runs=tmp_path_factory.mktemp("replay"))


def invoked(app: Any, *words: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, [str(word) for word in words])
    return result.exit_code, result.stdout, result.stderr


def kept(run: aiga.Run, out: Path) -> Path:
    code, _, error = invoked(cli, "replay", run.path, 0, "--out", out)
    assert (code, error) == (0, "")
    return out


def test_a_stones_life_is_kept_with_its_exact_score_and_where_it_comes_from(run: aiga.Run, tmp_path: Path) -> None:
    made, life = replay(run, 0, record=True), read(kept(run, tmp_path / "life.json"))
    stone, lifetime = run.stone(0), made.lifetime
    assert lifetime is not None
    assert life.score == lifetime.fitness != stone.score
    assert dict(life.about) == {
        **{"run": "short", "env": 0, "agent": stone.agent, "score": stone.score, "iteration": stone.iteration},
        **{"purpose": stone.purpose, "episode": 1, "episodes": 2, "caption": life.about["caption"]},
    }
    assert life.about["caption"].startswith(f"short: environment 0, agent {stone.agent}, score {stone.score:.1f}")
    trajectory = lifetime.trajectory
    assert len(life) == len(trajectory.done) == 90
    assert np.abs(life.poses - trajectory.extras["poses"][:, 0].numpy()).max() < 0.00051
    assert np.abs(life.actions - trajectory.actions[:, 0].numpy()).max() < 0.0051


def test_the_score_is_the_fitness_as_it_was_told_not_a_sum_made_anew(run: aiga.Run) -> None:
    lifetime = replay(run, 0, record=True).lifetime
    assert lifetime is not None
    exact = math.nextafter(lifetime.fitness, math.inf)
    subject = aiga.Subject("episode", lifetime.envs, lifetime.trajectory, fitness=exact)
    assert loads(render(subject)).score == exact
    assert render(aiga.Subject("episode", lifetime.envs)) is None


@pytest.mark.parametrize("redraw", [False, True])
def test_the_course_and_its_seed_are_those_of_the_environment_as_it_was_lived_in(tmp_path: Path, redraw: bool) -> None:
    config = {**CONFIG, "population": {**CONFIG["population"], "redraw": redraw}}
    run = aiga.run(config, name="run", runs=tmp_path)
    life, lifetime = read(kept(run, tmp_path / "life.json")), replay(run, 0, record=True).lifetime
    assert lifetime is not None
    assert isinstance(life.course, dict)
    assert life.terrain_seed is not None
    batch = course_of(life.course).rows(torch.tensor([life.terrain_seed]))
    assert batch.hashes.tolist() == lifetime.envs.hashes.tolist()
    born = run.stone(0).genome.hashes
    assert (batch.hashes.tolist() != born.tolist()) == redraw


def test_the_file_alone_is_drawn_as_the_run_draws_it(run: aiga.Run, tmp_path: Path) -> None:
    moved = aiga.open(shutil.copytree(run.path, tmp_path / "short"))
    path = kept(moved, tmp_path / "life.json")
    kept(moved, tmp_path / "run.png")
    kept(moved, tmp_path / "run.gif")
    shutil.rmtree(moved.path)
    for suffix in ("png", "gif"):
        out = tmp_path / f"file.{suffix}"
        words = [sys.executable, "-m", "aiga_walker", "draw", path, "--out", out]
        assert subprocess.run(words, capture_output=True, text=True, check=True).stdout == f"written: {out}\n"
        with Image.open(out) as mine, Image.open(tmp_path / f"run.{suffix}") as theirs:
            assert getattr(mine, "n_frames", 1) == getattr(theirs, "n_frames", 1) == {"png": 1, "gif": 31}[suffix]
            pictures = [np.asarray(image.convert("RGB")).astype(int) for image in (mine, theirs)]
            # Half a millimetre moves no outline by a pixel; it shades some of their edges.
            assert np.abs(pictures[0] - pictures[1]).mean() < 0.5


def of_a_newer_version(content: bytes) -> bytes:
    text = content[: content.rindex(b',\n"crc32"')].replace(b'"version":1,', b'"version":2,', 1)
    return text + f',\n"crc32":"{zlib.crc32(text):08x}"}}\n'.encode()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (None, "cannot be read: No such file or directory. Name a file"),
        (lambda content: content[:-40], "truncated or damaged"),
        (lambda content: content.replace(b'"done":false', b'"done":true'), "its checksum does not fit. Copy it again"),
        (of_a_newer_version, "version 2; this aiga reads up to 1. Upgrade aiga."),
        (lambda content: b"GIF89a", "not a walker's episode: it begins with b'GIF89a'. Name a file that `aiga replay"),
    ],
)
def test_a_file_that_cannot_be_drawn_is_told_in_one_line(run: aiga.Run, tmp_path: Path, change: Any, said: str) -> None:
    path = kept(run, tmp_path / "life.json")
    content = path.read_bytes()
    path.unlink()
    if change is not None:
        path.write_bytes(change(content))
    code, out, error = invoked(tools, "draw", path, "--out", tmp_path / "life.gif")
    assert (code, out, error.count("\n")) == (2, "", 1)
    assert error.startswith(f"{path}: ")
    assert said in error
    assert not (tmp_path / "life.gif").exists()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("a.json", 'found ".json". Write a file that ends in .png for a picture or .gif for an animation.'),
        ("a", "found no suffix. Write a file that ends in .png for a picture or .gif for an animation."),
        ("nowhere/a.gif", "Make it first, or name another."),
    ],
)
def test_a_picture_that_cannot_be_written_is_told_before_the_file_is_read(tmp_path: Path, name: str, said: str) -> None:
    code, out, error = invoked(tools, "draw", tmp_path / "none.json", "--out", tmp_path / name)
    assert (code, out, error.count("\n")) == (2, "", 1)
    assert error.startswith(f"--out {tmp_path / name}: ")
    assert said in error


def test_a_kept_life_is_json_that_anything_reads(run: aiga.Run, tmp_path: Path) -> None:
    values = json.loads(kept(run, tmp_path / "life.json").read_text(encoding="utf-8"))
    assert (values["format"], values["steps"], values["about"]["run"]) == ("aiga-walker-episode", 90, "short")
    assert values["terrain_seed"] == str(run.stone(0).genome.batches[0].leaves["seed"].item())
