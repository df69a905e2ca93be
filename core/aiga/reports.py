"""What came of an experiment: a table with a row for each contestant, and the pictures of the paper that it follows."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from aiga.components import Domain, Network
from aiga.data import Batch, Pairs, Population, Scores, Trajectory


@dataclass(frozen=True)
class Contestant:
    """Agents of one network that were trained alike, and what a domain's report compares with others.

    Attributes:
        network: the component.
        agents: ``P`` explicit ones of one kind, each trained by itself from a beginning of its own.
    """

    network: Network
    agents: Batch

    @property
    def parameters(self) -> int:
        """How many numbers of one agent are learnt."""
        return sum(leaf[0].numel() for leaf in self.agents.leaves.values() if leaf.is_floating_point())


def same_lives(
    domain: Domain, network: Network, agents: Batch, env: Batch, seeds: Tensor, at_once: int = 512
) -> Iterator[tuple[Scores, Trajectory]]:
    """Recorded lives of all agents in one environment, with the same chance for each of them.

    Args:
        domain: where they live.
        network: what they are made of.
        agents: ``A`` of one kind.
        env: one row.
        seeds: ``[L]``, of the lives.
        at_once: lives in one call, as nearly as there may be so many.

    Yields:
        For some of the seeds after another, ``l`` of them: ``A * l`` lives, an agent's one after another.
    """
    for some in torch.split(seeds, max(1, at_once // len(agents))):
        pairs = Pairs.lives(Population((env.to(agents.device),)), Population((agents,)), len(some))
        lived = domain.live(pairs, network, some.repeat(len(agents)), record=True)
        assert isinstance(lived, tuple), "a recorded life comes with its trajectory"
        yield lived


@dataclass(frozen=True)
class Report:
    """A table and its pictures.

    Attributes:
        title: what was measured, in one line.
        rows: by the row's name and the column's, a value for each agent; the first row's columns come first. Percentages,
            bits and the like are named by the column, such as ``test %``.
        pictures: PNG files by their names without the ending.
        notes: what a reader must know of the figures: how agents were judged, what chance would give.
    """

    title: str
    rows: Mapping[str, Mapping[str, tuple[float, ...]]]
    pictures: Mapping[str, bytes] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Of all rows, in the order in which they first appear."""
        return tuple(dict.fromkeys(column for row in self.rows.values() for column in row))

    def lines(self) -> list[str]:
        """The table for a terminal: the middle agent's value, and the lowest and highest where there are several."""
        cells = [["", *self.columns]]
        cells += [[name, *(_cell(row.get(column, ())) for column in self.columns)] for name, row in self.rows.items()]
        wide = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
        table = [
            "  ".join([line[0].ljust(wide[0]), *(c.rjust(w) for c, w in zip(line[1:], wide[1:], strict=True))])
            for line in cells
        ]
        several = any(len(values) > 1 for row in self.rows.values() for values in row.values())
        notes = [*(["median (lowest to highest) over the agents of each row"] if several else []), *self.notes]
        return [self.title, "", *(line.rstrip() for line in table), *([""] if notes else []), *notes]

    def plain(self) -> dict[str, Any]:
        """For JSON: everything but the pictures, which are named; None for what is no finite number."""
        rows = {
            name: {
                column: [float(value) if math.isfinite(value) else None for value in values] for column, values in row.items()
            }
            for name, row in self.rows.items()
        }
        return {"title": self.title, "rows": rows, "pictures": sorted(self.pictures), "notes": list(self.notes)}


def _cell(values: tuple[float, ...]) -> str:
    """The finite values; and how many are not."""
    finite = [value for value in values if math.isfinite(value)]
    lost = f"{len(values) - len(finite)} of {len(values)} no numbers"
    if not finite:
        return lost if values else "-"
    middle = _number(statistics.median(finite))
    shown = middle if len(values) == 1 else f"{middle} ({_number(min(finite))} to {_number(max(finite))})"
    return shown if len(finite) == len(values) else f"{shown}, {lost}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if float(value).is_integer() and abs(value) >= 100 else f"{value:,.4g}"
