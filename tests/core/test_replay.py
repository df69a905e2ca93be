"""Any stepping stone can be lived again from its id alone: the same score, a picture, an animation."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import support
from PIL import Image
from typer.testing import CliRunner

import aiga
from aiga.cli.app import app
from aiga.replay import replay

FILE = Path(__file__).with_name("cli_toy") / "plugins.toml"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> aiga.Run:
    return aiga.run(FILE, name="toy", runs=tmp_path_factory.mktemp("replay"))


def rows(run: aiga.Run) -> list[dict[str, Any]]:
    with run.reading() as journal:
        return [json.loads(line) for line in journal.lines()]


def shown(run: aiga.Run, *words: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["replay", str(run.path), *words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def stones(run: aiga.Run) -> dict[int, str]:
    with run.reading() as journal:
        return {entry.id: entry.role for entry in journal.stones(range(200))}


def unscored(run: aiga.Run, role: str) -> int:
    return next(id for id, kind in stones(run).items() if kind == role and run.stone(id).score is None)


KEEPING = """
    def aiga_generate(self, lab):
        if lab.iteration == 1:
            lab.remember(lab.niches.agents)
"""
FAILING = (
    KEEPING
    + """
    @aiga.wrapper
    def aiga_evaluate(self, lab, pairs):
        scores = yield
        return aiga.Scores.of(scores.fitness * float("nan"))
"""
)


def with_plugin(folder: Path, body: str) -> aiga.Run:
    """A run of one iteration, with one more plugin."""
    config = tomllib.loads(FILE.read_text())
    config["plugins"]["toy"]["path"] = str(FILE.with_name("toy.py"))
    more = {"run": {"seed": 1, "stop": {"iterations": 1}}, "plugins": {"more": support.plugin(folder, "more", body)}}
    return aiga.run(support.merge(config, more), name="young", runs=folder)


def scored(run: aiga.Run, purpose: str) -> int:
    return next(id for id in stones(run) if run.stone(id).purpose == purpose)


def test_every_stone_that_was_scored_scores_the_same_again(run: aiga.Run) -> None:
    purposes = set()
    for id in stones(run):
        made = replay(run, id)
        assert made.same, id
        if made.score is not None:
            assert made.score == made.stone.score
            purposes.add(made.stone.purpose)
    assert purposes == {"score", "transfer", "confirm"}


def test_an_agent_replays_the_score_with_which_it_took_a_niche_over(run: aiga.Run) -> None:
    row = next(row for row in rows(run) if row["type"] == "transferred" and row["accepted"])
    made = replay(run, row["agent"])
    assert (made.stone.env, made.stone.iteration, made.score) == (row["env"], row["iteration"], row["score"])


def test_what_is_recorded_is_an_episode_that_was_scored(run: aiga.Run) -> None:
    id = next(row["env"] for row in rows(run) if row["type"] == "solved")
    made = replay(run, id, record=True)
    assert made.stone.episodes == 3
    assert made.lifetime is not None
    assert made.lifetime.trajectory.rewards[:, 0].sum().item() == made.lifetime.fitness
    assert made.lifetime.fitness != made.score, "one of three episodes, whose mean the score is"
    assert made.lifetime.envs.ids.tolist() == [id]


def test_a_score_of_one_episode_is_the_recorded_one(tmp_path: Path) -> None:
    single = aiga.run(FILE, name="single", runs=tmp_path, overrides=["run.episodes=1", "run.stop.iterations=4"])
    made = replay(single, scored(single, "score"), record=True)
    assert made.lifetime is not None
    assert made.lifetime.fitness == made.score


def test_a_run_that_redraws_its_environments_is_replayed_in_the_same_draws(tmp_path: Path) -> None:
    drawn = aiga.run(FILE, name="drawn", runs=tmp_path, overrides=["population.redraw=true", "run.stop.iterations=6"])
    fixed = aiga.run(FILE, name="fixed", runs=tmp_path, overrides=["run.stop.iterations=6"])
    id = scored(drawn, "transfer")
    made = replay(drawn, id, record=True)
    assert made.same
    assert made.score is not None
    assert made.lifetime is not None
    kept = drawn.stone(made.stone.env or 0).genome.batches[0].leaves["seed"]
    assert made.lifetime.envs.batches[0].leaves["seed"].item() != kept.item()
    assert rows(drawn) != rows(fixed)


def test_a_founding_agent_replays_the_score_it_began_with(run: aiga.Run) -> None:
    row = next(row for row in rows(run) if row["type"] == "admitted" and row["iteration"] == 0)
    made = replay(run, row["agent"], record=True)
    assert (made.stone.env, made.stone.iteration, made.stone.purpose) == (row["env"], 0, "score")
    assert made.score == row["score"] is not None
    assert made.lifetime is not None


def test_a_stone_that_was_only_remembered_was_never_scored_and_says_so(tmp_path: Path) -> None:
    young = with_plugin(tmp_path, KEEPING)
    id = unscored(young, "agent")
    assert id not in young.agents.index
    code, out, error = shown(young, str(id))
    assert (code, error) == (0, "")
    assert out == f"agent {id}: of iteration 1; the run never scored it\n"


def test_the_score_is_told_with_what_it_is_the_score_of(run: aiga.Run) -> None:
    row = next(row for row in rows(run) if row["type"] == "transferred" and row["accepted"])
    code, out, _ = shown(run, str(row["agent"]))
    assert code == 0
    assert out.splitlines() == [
        f"environment {row['env']} with agent {row['agent']} (iteration {row['iteration']}, transfer, 2 episodes)",
        f"score {row['score']!r}: the same to the bit",
    ]


def test_another_score_than_the_journals_is_told_and_fails(run: aiga.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from aiga import replay as module

    real: Callable[..., Any] = module.episode_seeds
    monkeypatch.setattr(module, "episode_seeds", lambda seed, *rest: real(seed + 1, *rest))
    id = scored(run, "transfer")
    code, out, error = shown(run, str(id))
    assert code == 1
    assert f"NOT the same: the journal has {run.stone(id).score!r}" in out
    assert f"stepping stone {id} does not score what it did" in error


def test_what_differs_from_the_run_is_told_beside_another_score(run: aiga.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from aiga import replay as module

    now = module.machine()
    monkeypatch.setattr(module, "machine", lambda: {**now, "torch": "0.0.1"})
    made = replay(run, scored(run, "transfer"))
    assert made.differences == (f"torch was {now['torch']}, is 0.0.1",)
    assert made.same


def test_a_lifetime_becomes_a_picture_and_an_animation(run: aiga.Run, tmp_path: Path) -> None:
    id = str(scored(run, "transfer"))
    assert shown(run, id, "--out", str(tmp_path / "life.png"))[0] == 0
    assert shown(run, id, "--out", str(tmp_path / "life.gif"))[0] == 0
    with Image.open(tmp_path / "life.png") as picture:
        assert (np.asarray(picture)[:, :4, 0] == 255).all(), "the toy draws a column for each of four steps"
    with Image.open(tmp_path / "life.gif") as animation:
        assert animation.n_frames == 4  # type: ignore[attr-defined]


def test_a_lifetime_is_kept_as_its_plugins_own_file_with_what_it_is_and_where_it_comes_from(
    run: aiga.Run, tmp_path: Path
) -> None:
    id = scored(run, "transfer")
    made = replay(run, id, record=True)
    assert made.lifetime is not None
    out = tmp_path / "life.JSON"
    assert shown(run, str(id), "--out", str(out))[0] == 0
    kept = json.loads(out.read_bytes())
    assert kept["actions"] == made.lifetime.trajectory.actions[:, 0].tolist()
    assert kept["fitness"] == made.lifetime.fitness != made.score
    stone = made.stone
    assert kept["about"] == {
        **{"run": "toy", "env": stone.env, "agent": stone.agent, "score": stone.score},
        **{"iteration": stone.iteration, "purpose": "transfer", "episode": 1, "episodes": stone.episodes},
    }
    assert stone.episodes == 2


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [
        ("None", 2, 'no plugin of this run keeps an episode of the domain "line"'),
        (
            "subject.trajectory.rewards.numpy()",
            1,
            "for an episode the plugin answered ndarray; bytes or str of a file is needed",
        ),
    ],
)
def test_an_episode_that_no_plugin_keeps_is_told(tmp_path: Path, answer: str, code: int, said: str) -> None:
    toy = tmp_path / "toy.py"
    toy.write_text(FILE.with_name("toy.py").read_text() + f"\nToy.aiga_render = lambda self, lab, subject: {answer}\n")
    config = tomllib.loads(FILE.read_text())
    config["plugins"]["toy"]["path"] = str(toy)
    run = aiga.run(support.merge(config, {"run": {"stop": {"iterations": 1}}}), name="young", runs=tmp_path)
    out = tmp_path / "life.json"
    found, _, error = shown(run, str(scored(run, "score")), "--out", str(out))
    assert found == code
    assert said in error
    assert error.count("\n") == 1
    assert not out.exists()


def test_an_answer_that_is_no_picture_is_told_and_not_written(
    run: aiga.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from aiga.cli import replaying

    for answer in (np.zeros((2, 3, 3)), np.zeros((0, 4, 4, 3), np.uint8)):
        monkeypatch.setattr(replaying, "draw", lambda run, subject, answer=answer: answer)
        code, _, error = shown(run, str(scored(run, "score")), "--out", str(tmp_path / "life.gif"))
        assert code == 1
        assert "what the plugin drew is no picture: uint8 of [H, W, 3] or [N, H, W, 3] is needed" in error
    assert list(tmp_path.iterdir()) == []


def test_an_environment_that_was_never_scored_still_has_a_picture(tmp_path: Path) -> None:
    young = with_plugin(tmp_path, FAILING)
    env = str(unscored(young, "environment"))
    out = tmp_path / "env.png"
    code, said, _ = shown(young, env, "--out", str(out))
    assert code == 0
    assert said.splitlines()[-1] == f"written: {out}"
    with Image.open(out) as picture:
        assert (np.asarray(picture)[:, :1, 0] == 255).all()
    for lived in ("env.gif", "env.json"):
        code, said, error = shown(young, env, "--out", str(tmp_path / lived))
        assert (code, said) == (2, "")
        assert f"Draw {tmp_path / 'env.png'} instead" in error
        assert not (tmp_path / lived).exists()
    code, said, error = shown(young, str(unscored(young, "agent")), "--out", str(tmp_path / "agent.png"))
    assert (code, said) == (2, "")
    assert "Choose an environment" in error
    assert not (tmp_path / "agent.png").exists()


def test_replaying_changes_nothing_in_the_run(run: aiga.Run) -> None:
    def held() -> dict[str, bytes]:
        files = (path for path in run.path.rglob("*") if path.is_file() and path.suffix not in (".pyc", ".db-shm", ".db-wal"))
        return {str(path): path.read_bytes() for path in files}

    before = held()
    replay(run, scored(run, "confirm"), record=True)
    assert held() == before


def test_a_run_in_use_can_be_replayed(run: aiga.Run) -> None:
    with run.folder.lock():
        assert replay(run, scored(run, "confirm")).same
