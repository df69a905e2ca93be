"""``aiga replay``: the score of a stepping stone once more, and its lifetime as a picture, an animation or an episode file."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import typer

from aiga.cli.outputs import check_out
from aiga.data import Population
from aiga.durable import storage, write_atomic
from aiga.errors import AigaError, InputError
from aiga.hooks import Subject
from aiga.images import ANIMATION, PICTURE, save_image
from aiga.replay import Lifetime, Replayed, draw, replay
from aiga.rundir import RunDirectory
from aiga.runs import Run

EPISODE = ".json"
KINDS = {PICTURE: "a picture", ANIMATION: "an animation", EPISODE: "the episode itself"}
WHAT = {PICTURE: "lifetime", ANIMATION: "animation", EPISODE: "episode"}


def show(path: Path, id: int, out: Path | None) -> None:
    """Replays a stepping stone, says whether the score is the same, and draws or keeps it where ``out`` is given.

    Raises:
        InputError: for a suffix that is not one of ``KINDS``, a stone that is not there, or nothing to draw.
        AigaError: if the score differs.
    """
    if out is not None:
        check_out(out, KINDS)
    run = Run(RunDirectory.open(path))
    made = replay(run, id, record=out is not None)
    subject = None if out is None else _subject(run, made, out)
    typer.echo(_words(made))
    if out is not None and subject is not None:
        _save(run, subject, out)
        typer.echo(f"written: {out}")
    if not made.same:
        raise AigaError(_apology(made))


def _words(made: Replayed) -> str:
    stone = made.stone
    if made.score is None:
        return f"{stone.role} {stone.id}: of iteration {stone.iteration}; the run never scored it"
    pair = f"environment {stone.env} with agent {stone.agent}"
    where = f"iteration {stone.iteration}, {stone.purpose}, {stone.episodes} episode{'s' * (stone.episodes != 1)}"
    verdict = "the same to the bit" if made.same else f"NOT the same: the journal has {stone.score!r}"
    return f"{pair} ({where})\nscore {made.score!r}: {verdict}"


def _apology(made: Replayed) -> str:
    known = "; ".join(made.differences) or "machine, versions of Python and torch, and device are as they were"
    remedy = "Compare the versions in plugins.lock with those of `aiga plugin list`"
    return f"stepping stone {made.stone.id} does not score what it did ({known}). {remedy}."


def _save(run: Run, subject: Subject, out: Path) -> None:
    answer = draw(run, subject)
    if answer is None:
        domain = run.config.population.domain
        does = "keeps an episode" if subject.what == "episode" else f"draws {subject.what}"
        raise InputError(f'--out {out}: no plugin of this run {does} of the domain "{domain}".')
    if subject.what == "episode":
        _write_episode(answer, out)
    else:
        _write_image(answer[0] if subject.what == "environments" else answer, out)


def _subject(run: Run, made: Replayed, out: Path) -> Subject:
    stone, suffix = made.stone, out.suffix.lower()
    if made.lifetime is not None:
        return _lived(run, made, made.lifetime, WHAT[suffix])
    if suffix != PICTURE:
        remedy = f"Draw {out.with_suffix(PICTURE)} instead" if stone.role == "environment" else "Choose a stone that was scored"
        raise InputError(
            f"--out {out}: the run never scored {stone.role} {stone.id}, so there is no lifetime to show. {remedy}."
        )
    if stone.role != "environment":
        raise InputError(
            f"--out {out}: the run never scored agent {stone.id}, so there is nothing to draw. Choose an environment."
        )
    return Subject("environments", Population(stone.genome.batches), None, f"{run.name}: environment {stone.id}")


def _lived(run: Run, made: Replayed, lifetime: Lifetime, what: str) -> Subject:
    stone = made.stone
    episode = f", episode 1 of {stone.episodes}: {lifetime.fitness:.1f}" if stone.episodes > 1 else ""
    caption = f"{run.name}: environment {stone.env}, agent {stone.agent}, score {made.score:.1f}{episode}"
    about = {"run": run.name, "env": stone.env, "agent": stone.agent, "score": made.score}
    about |= {"iteration": stone.iteration, "purpose": stone.purpose, "episode": 1, "episodes": stone.episodes}
    return Subject(what, lifetime.envs, lifetime.trajectory, caption, lifetime.fitness, about)


def _write_image(drawn: Any, out: Path) -> None:
    """Writes an ``[H, W, 3]`` or ``[N, H, W, 3]`` uint8 array, or a matplotlib figure; whole, or not at all."""
    if hasattr(drawn, "savefig"):
        content = io.BytesIO()
        drawn.savefig(content, format=out.suffix.lower().removeprefix("."))
        with storage(out, "writing the picture"):
            write_atomic(out, content.getvalue())
        return
    try:
        save_image(out, np.asarray(drawn))
    except ValueError as error:
        raise AigaError(f"{out}: what the plugin drew is no picture: {error}") from error


def _write_episode(kept: Any, out: Path) -> None:
    """Writes a plugin's own bytes, or text in UTF-8; whole, or not at all."""
    if not isinstance(kept, bytes | str):
        raise AigaError(f"{out}: for an episode the plugin answered {type(kept).__name__}; bytes or str of a file is needed")
    with storage(out, "writing the episode"):
        write_atomic(out, kept.encode() if isinstance(kept, str) else kept)
