"""A lab to test with: a run that was founded and does not go on by itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from aiga import config as configs
from aiga.components import Lab
from aiga.engine import Engine
from aiga.experiment import Silent, assemble
from aiga.rundir import RunDirectory
from aiga.testing import linear, points

POINTS: dict[str, Any] = {
    "run": {"workers": 0, "episodes": 1, "device": "cpu"},
    "population": {"domain": "points", "networks": ["linear"]},
    "plugins": {"points": {"path": points.__file__}, "linear": {"path": linear.__file__}},
}


@contextmanager
def bench(
    config: Mapping[str, Any] | None = None,
    plugin: str = "core",
    overrides: Sequence[str] = (),
    iterations: int = 0,
    base: Path | None = None,
) -> Iterator[Lab]:
    """The lab at the start of an iteration of a run that was just founded, in a folder that is gone afterwards.

    Args:
        config: what a ``plugins.toml`` holds; without one the domain ``points``, its agents of the network ``linear``.
        plugin: as whom the lab is asked: ``lab.rng`` and ``lab.meter`` are that plugin's own.
        overrides: as for :func:`aiga.run`.
        iterations: of the loop that are done before; without any, the lab is that of iteration 1.
        base: the folder that ``path`` of a plugin starts from.

    Raises:
        InputError: for every mistake in ``config``.
    """
    made = assemble(configs.from_dict(POINTS if config is None else config, base or Path(), overrides))
    with TemporaryDirectory(prefix="aiga-bench-") as folder:
        run = RunDirectory.create(Path(folder), "bench", {"run.toml": made.config.to_toml(), "plugins.lock": made.lock})
        engine = Engine(made.config, run, made.plugins, made.components, Silent(), made.device)
        try:
            engine.found()
            for _ in range(iterations):
                engine.step()
            engine.w.iteration += 1
            engine.w.events = []
            yield engine.w.lab(plugin)
        finally:
            engine.close()
