"""What tests of the core share: a search that takes milliseconds an iteration, one-file plugins, and what a run left behind."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiga
from aiga import checkpoint, codec, experiment
from aiga import config as configs
from aiga.engine import Engine
from aiga.rundir import RunDirectory
from aiga.stop import Stop
from aiga.testing import linear, points

SEARCH: dict[str, Any] = {
    "run": {"seed": 7, "checkpoint_every": 3, "workers": 0, "episodes": 2, "confirmations": 3, "stop": {"iterations": 12}},
    "population": {"domain": "points", "networks": ["linear", "affine"], "niches": 2},
    "slots": {"select": "poet", "improve": "es"},
    "plugins": {
        "points": {"path": points.__file__},
        "linear": {"path": linear.__file__},
        "es": {"options": {"population": 8}},
        "poet": {
            "options": {
                "capacity": 4,
                "reproduce_every": 2,
                "transfer_every": 3,
                "children": 4,
                "admit": 1,
                "minimal_criterion": [-1000.0, 299.0],
                "reproduce_above": -1000.0,
            }
        },
    },
}
"""POET with ES on points: two networks of unlike structure, admissions, retirements and transfers within twelve iterations."""


def merge(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of ``base`` with ``changes`` laid over it, table by table."""
    out = copy.deepcopy(dict(base))
    for name, value in changes.items():
        out[name] = merge(out.get(name, {}), value) if isinstance(value, Mapping) else value
    return out


def search(**changes: Any) -> dict[str, Any]:
    """:data:`SEARCH` with ``changes`` laid over it."""
    return merge(SEARCH, changes)


def bare(**changes: Any) -> dict[str, Any]:
    """A search without poet and es: the founding niches, kept by ``keep``, improved by nobody."""
    config = copy.deepcopy(SEARCH)
    del config["slots"], config["plugins"]["poet"], config["plugins"]["es"]
    return merge(config, changes)


def plugin(folder: Path, name: str, body: str, head: str = "") -> dict[str, Any]:
    """The table of a one-file plugin with these methods; its file goes to ``folder``."""
    imports = "import json\n\nimport torch\n\nimport aiga\nfrom aiga.data import Offers, Verdict\n"
    methods = textwrap.indent(textwrap.dedent(body), "    ")
    file = folder / f"{name}.py"
    file.write_text(f'{imports}\n{textwrap.dedent(head)}\n\nclass It(aiga.Plugin):\n    name = "{name}"\n\n{methods}\n')
    return {"path": str(file)}


def lines(path: Path) -> list[str]:
    """The search stream of a run, as ``aiga journal`` prints it."""
    with aiga.open(path).reading() as journal:
        return list(journal.lines())


def events(path: Path, type: str) -> list[dict[str, Any]]:
    """The rows of one type in the search stream."""
    return [row for row in map(json.loads, lines(path)) if row["type"] == type]


def saved(path: Path) -> bytes:
    """The newest checkpoint as bytes: niches, optimiser state, archive, counts, and the state of every plugin."""
    newest, complaints = checkpoint.newest(path / "checkpoints")
    assert newest is not None, complaints
    return codec.dumps(newest.tree)


def same(one: Path, other: Path) -> None:
    """Whether two runs have byte-equal search streams and equal saved states."""
    assert lines(one) == lines(other)
    assert saved(one) == saved(other)


@contextmanager
def engine(folder: Path, config: Mapping[str, Any], name: str = "it") -> Iterator[Engine]:
    """A run in this process, neither founded nor restored, whose parts a test can look at."""
    made = experiment.assemble(configs.from_dict(config))
    path = folder / name
    if path.exists():
        run = RunDirectory.open(path)
    else:
        run = RunDirectory.create(folder, name, {"run.toml": made.config.to_toml(), "plugins.lock": made.lock})
    it = Engine(made.config, run, made.plugins, made.components, experiment.Silent(), made.device)
    with it.running():
        yield it


@contextmanager
def founded(folder: Path, config: Mapping[str, Any], iterations: int = 0) -> Iterator[Engine]:
    """A run in this process after ``iterations`` of the loop."""
    with engine(folder, config) as it:
        it.found()
        for _ in range(iterations):
            it.step()
        yield it


def limit(iterations: int | None = None, **others: Any) -> Stop:
    """A stop after so many iterations."""
    return Stop(**{"seconds": None, "evaluations": None, "grace": 20.0, **others}, iterations=iterations)


def script(config: Mapping[str, Any], runs: Path, name: str, overrides: Sequence[str] = ()) -> list[str]:
    """The command of a process that starts this run, or goes on with it where it exists."""
    call = f"""
        import json, sys
        from pathlib import Path
        import aiga
        runs, name = Path({str(runs)!r}), {name!r}
        if (runs / name).exists():
            aiga.resume(runs / name, overrides={list(overrides)!r})
        else:
            aiga.run(json.loads({json.dumps(config)!r}), name=name, runs=runs, overrides={list(overrides)!r})
    """
    return [sys.executable, "-c", textwrap.dedent(call)]


def carry(command: Sequence[str], timeout: float = 120.0) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end."""
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
