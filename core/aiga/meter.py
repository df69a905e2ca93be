"""Counted work by plugin and purpose, and exclusive seconds by plugin and hook."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any


class Meter:
    """Counts what plugins ask for, and times what they do.

    Counts belong to the search and are saved with it; seconds belong to this stretch and decide nothing.
    """

    def __init__(self) -> None:
        self._counts: defaultdict[tuple[str, str, str], int] = defaultdict(int)
        self._seconds: defaultdict[tuple[str, str], float] = defaultdict(float)
        self._calls: defaultdict[tuple[str, str], int] = defaultdict(int)
        self._stack: list[float] = []

    def add(self, plugin: str, purpose: str, cost: Mapping[str, int]) -> None:
        """Adds counted work."""
        for kind, amount in cost.items():
            self._counts[plugin, purpose, kind] += amount

    def total(self, kind: str) -> int:
        """Work of one kind over the whole run."""
        return sum(amount for (_, _, counted), amount in self._counts.items() if counted == kind)

    def rows(self) -> Iterator[tuple[str, str, str, int]]:
        """(plugin, purpose, kind, amount) over the whole run."""
        for (plugin, purpose, kind), amount in sorted(self._counts.items()):
            yield plugin, purpose, kind, amount

    @contextmanager
    def timed(self, plugin: str, what: str) -> Iterator[None]:
        """Times its body; seconds of a ``timed`` inside it are not counted here again."""
        self._stack.append(0.0)
        start = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - start
            self._seconds[plugin, what] += spent - self._stack.pop()
            self._calls[plugin, what] += 1
            if self._stack:
                self._stack[-1] += spent

    def seconds(self) -> dict[tuple[str, str], float]:
        """Exclusive seconds by (plugin, hook) in this stretch."""
        return dict(self._seconds)

    def calls(self) -> dict[tuple[str, str], int]:
        """Calls by (plugin, hook) in this stretch."""
        return dict(self._calls)

    def state_dict(self) -> dict[str, Any]:
        """The counts; seconds are not part of a search."""
        return {"counts": [list(row) for row in self.rows()]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes counts back, in place of what was counted since."""
        self._counts.clear()
        self._stack.clear()  # an iteration that was abandoned may have left its clocks running
        for plugin, purpose, kind, amount in state["counts"]:
            self._counts[plugin, purpose, kind] = amount


class PluginMeter:
    """The meter as one plugin sees it: what it counts, it counts under its own name."""

    def __init__(self, meter: Meter, plugin: str) -> None:
        self._meter, self._plugin = meter, plugin
        self.total, self.rows, self.seconds = meter.total, meter.rows, meter.seconds

    def count(self, cost: Mapping[str, int], purpose: str) -> None:
        """Adds counted work of this plugin."""
        self._meter.add(self._plugin, purpose, cost)
