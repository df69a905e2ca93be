"""What tests of trainings share: configurations of the toy's trainers, crashes, and what a training left behind."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from support import merge
from typer.testing import CliRunner

from aiga import checkpoint, toml_lines
from aiga.cli.app import app
from aiga.testing import linear, points

LEARNERS = str(Path(__file__).parent / "core" / "train_toy" / "learners.py")
REACH: dict[str, Any] = {
    "run": {"seed": 7},
    "population": {"domain": "points", "networks": ["linear"]},
    "train": {"trainer": "reach", "accelerator": "cpu", "max_steps": 25, "checkpoint_every": 10, "log_every_n_steps": 5},
    "plugins": {
        "points": {"path": points.__file__},
        "linear": {"path": linear.__file__},
        "learners": {"path": LEARNERS},
    },
}
"""Two agents learn for 25 steps, in epochs of ten."""

PLAIN: dict[str, Any] = {
    "run": {"seed": 7},
    "train": {"trainer": "plain", "accelerator": "cpu", "max_epochs": 3, "checkpoint_every": 1, "log_every_n_steps": 1},
    "plugins": {"learners": {"path": LEARNERS}},
}
"""A plain module of Lightning's for three epochs of seven batches, saved wherever it can be."""


def reach(**changes: Any) -> dict[str, Any]:
    """:data:`REACH` with ``changes`` laid over it."""
    return merge(REACH, changes)


def plain(**changes: Any) -> dict[str, Any]:
    """:data:`PLAIN` with ``changes`` laid over it."""
    return merge(PLAIN, changes)


def command(*words: str | Path) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, list(map(str, words)))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def write(folder: Path, config: dict[str, Any], name: str = "train.toml") -> Path:
    """``config`` as a file."""
    tables = ["api = 1\n"]
    for table, values in config.items():
        if table != "plugins":
            tables.append(toml_lines.table((table,), values))
    for plugin, values in config["plugins"].items():
        plain = {key: value for key, value in values.items() if key != "options"}
        tables.append(toml_lines.table(("plugins", plugin), plain))
        if "options" in values:
            tables.append(toml_lines.table(("plugins", plugin, "options"), values["options"]))
    file = folder / name
    file.write_text("\n".join(tables))
    return file


def status(path: Path) -> dict[str, Any]:
    code, out, _ = command("status", path, "--json")
    assert code == 0
    return json.loads(out)  # type: ignore[no-any-return]


class Crash(pl.Callback):
    """Raises at the start of the ``batch``-th batch of a stretch, as if the process had died there."""

    def __init__(self, batch: int) -> None:
        self.left = batch

    def on_train_batch_start(self, *_: Any) -> None:
        self.left -= 1
        if not self.left:
            raise ConnectionError("crashed")


def saved(path: Path) -> tuple[int, dict[str, Any]]:
    """The step of the newest checkpoint, and all of its state but the seconds that it took."""
    found, complaints = checkpoint.newest(path / "checkpoints")
    assert found is not None, complaints
    state = dict(found.tree["lightning"])
    state["callbacks"] = {
        name: {key: value for key, value in kept.items() if key != "seconds"} for name, kept in state["callbacks"].items()
    }
    return found.iteration, state


def differences(one: Any, other: Any, place: str = "") -> Iterator[str]:
    """Places in which two states are not the same to the bit."""
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        if one.dtype != other.dtype or not torch.equal(one, other):
            yield place
    elif isinstance(one, dict) and isinstance(other, dict):
        for key in {**one, **other}:
            if key in one and key in other:
                yield from differences(one[key], other[key], f"{place}.{key}")
            else:
                yield f"{place}.{key}"
    elif isinstance(one, (list, tuple)) and type(one) is type(other) and len(one) == len(other):
        for number, pair in enumerate(zip(one, other, strict=True)):
            yield from differences(*pair, f"{place}.{number}")
    elif one != other:
        yield place
