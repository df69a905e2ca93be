"""What happened in an iteration, a sentence each: for plain lines and for the recent messages of the live display."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from aiga.data import NOBODY, Event

_TOLD = ("admitted", "transferred", "solved", "retired")


def rows(event: Event) -> Iterator[dict[str, Any]]:
    """The rows of an event, each with a value for every column."""
    for row in range(len(event)):
        yield {name: column[row] for name, column in event.columns.items()}


def sentences(events: Sequence[Event]) -> Iterator[str]:
    """A sentence for each admission, accepted transfer, solve and retirement."""
    for event in events:
        if event.type not in _TOLD:
            continue
        for row in rows(event):
            if event.type != "transferred" or row["accepted"]:
                yield _SAY[event.type](row)


def number(value: float | None) -> str:
    """A score for a person: one decimal, or a dash."""
    return "-" if value is None or math.isnan(value) else f"{value:,.1f}"


def _admitted(row: Mapping[str, Any]) -> str:
    parents = [str(parent) for parent in row["parents"] if parent != NOBODY]
    origin = f" (child of {' and '.join(parents)})" if parents else ""
    return f"admitted: environment {row['env']}{origin} with agent {row['agent']}, score {number(row['score'])}"


def _transferred(row: Mapping[str, Any]) -> str:
    source = f" (from agent {row['from']}, {row['operator']})" if row["from"] != NOBODY else f" ({row['operator']})"
    again = {True: ", wins again on fresh seeds", False: ", loses on fresh seeds", None: ""}[row["still_wins"]]
    better = f"{number(row['score'])} against {number(row['resident_score'])}"
    return f"transferred: agent {row['agent']}{source} into environment {row['env']}, {better}{again}"


def _solved(row: Mapping[str, Any]) -> str:
    birth = ", at birth" if row["at_birth"] else ""
    return f"solved{birth}: environment {row['env']} by agent {row['agent']}, score {number(row['score'])}"


def _retired(row: Mapping[str, Any]) -> str:
    return f"retired: environment {row['env']} and agent {row['agent']}, score {number(row['score'])}"


_SAY = {"admitted": _admitted, "transferred": _transferred, "solved": _solved, "retired": _retired}
