"""The architectures that a search found best, each drawn by its own network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import aiga
from aiga import config as configs
from aiga.components import Structure
from aiga.experiment import assemble
from aiga.plots import sheet
from aiga_search.curves import admitted


@dataclass(frozen=True)
class Tried:
    """An architecture that was tried, as the journal has its best trial.

    Attributes:
        structure: of it.
        score: of the trial.
        parameters: numbers that an agent of it inherits.
        trial: its number.
        agent: id of the agent that was scored.
    """

    structure: Structure
    score: float
    parameters: int
    trial: int
    agent: int


def best(run: aiga.Run, count: int) -> list[Tried]:
    """The best ``count`` architectures, or all where there are fewer; each stands once, of equal ones the smaller first.

    Raises:
        InputError: if the run admitted no architectures.
    """
    rows = admitted(run).sort_values(["score", "parameters", "niche"], ascending=[False, True, True])
    rows = rows.drop_duplicates("structure_hash").head(count)
    return [
        Tried(row["structure"], float(row["score"]), int(row["parameters"]), int(row["niche"]), int(row["agent"]))
        for row in rows.to_dict("records")
    ]


def drawn(run: aiga.Run, count: int) -> bytes:
    """A PNG file of the best architectures, each under its rank, score and size.

    Raises:
        InputError: if the run is no search, its plugins cannot be had, or its network cannot draw.
    """
    found = best(run, count)
    name = run.stone(found[0].agent).genome.batches[0].kind.component
    network = _network(run, name)
    if not hasattr(network, "picture"):
        raise aiga.InputError(
            f'{run.path}: the network "{name}" cannot draw an architecture. Give it picture(structure), which makes a PNG file.'
        )
    headings = [f"{place}.  {_words(one)}" for place, one in enumerate(found, 1)]
    return sheet([(heading, network.picture(one.structure)) for heading, one in zip(headings, found, strict=True)])


def _words(one: Tried) -> str:
    return f"score {one.score:.4g}  ·  {one.parameters:,} parameters  ·  trial {one.trial}"


def _network(run: aiga.Run, name: str) -> Any:
    """The network of this name, made by the run's own plugins."""
    made = assemble(configs.load(run.folder.config_path, ["run.workers=0"]))
    made.components.get("executor", made.config.run.executor).close()
    return made.components.get("network", name)
