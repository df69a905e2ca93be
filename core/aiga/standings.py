"""Which pillars act in a run: asked of its plugins, and told to the journal's operations where that changes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from aiga.errors import RAISED, Abandoned, PluginError, StorageError
from aiga.hooks import Plugin
from aiga.journal import Journal
from aiga.lab import Workspace
from aiga.pillars import PILLARS, Standing

NOBODY_OF_IT = "no plugin of this run is of it"
_DISABLED = "disabled: "

Row = tuple[str, dict[str, Any]]


class Standings:
    """What stands in the journal of this stretch, and what is to be added.

    A stretch begins with a row for every plugin that has a pillar, and one for every pillar that has no plugin. After that a
    row is added when ``acts`` changes. Words may change with every iteration: alone they are told when a checkpoint is written.

    Args:
        w: of the run.
        journal: that earlier stretches wrote to.
    """

    def __init__(self, w: Workspace, journal: Journal) -> None:
        self._w, self._journal = w, journal
        self._told: dict[tuple[str, str | None], Standing] = {}
        self._reasons: dict[str, str] = {}  # of disabled plugins

    def begin(self) -> list[Row]:
        """Rows that a stretch begins with."""
        self._told = {}
        earlier = [row for row in self._journal.standings() if row["plugin"] and row["why"].startswith(_DISABLED)]
        self._reasons = {row["plugin"]: row["why"] for row in earlier}
        return list(self._changed(words=True))

    def news(self, words: bool = False) -> list[Row]:
        """Rows of what changed since last told; ``words`` too where they are asked for. None before the stretch began."""
        return list(self._changed(words)) if self._told else []

    def _changed(self, words: bool) -> Iterator[Row]:
        for (pillar, plugin), now in self._ask().items():
            before = self._told.get((pillar, plugin))
            if before is None or before.acts != now.acts or (words and before.why != now.why):
                self._told[pillar, plugin] = now
                yield "standing", {"plugin": plugin, "pillar": pillar, "acts": now.acts, "why": now.why}

    def _ask(self) -> dict[tuple[str, str | None], Standing]:
        host = self._w.host
        for failure in host.failures:
            if failure.disabled:
                what = f"it raised in {failure.hook}, iteration {failure.iteration}: {failure.error!r}"
                self._reasons[failure.plugin] = _DISABLED + what
        out: dict[tuple[str, str | None], Standing] = {}
        for pillar in PILLARS:
            mine = [plugin for plugin in host.plugins if plugin.pillar == pillar]
            out |= {(pillar, plugin.name): self._of(plugin) for plugin in mine}
            if not mine:
                out[pillar, None] = Standing(False, NOBODY_OF_IT)
        return out

    def _of(self, plugin: Plugin) -> Standing:
        """A plugin's answer; what it raises keeps nobody from going on, and disables nobody: no search may hang on it."""
        if plugin.name in self._w.host.disabled:
            return Standing(False, self._reasons.get(plugin.name, _DISABLED + "it raised"))
        with self._w.meter.timed(plugin.name, "standing"):
            try:
                found = plugin.standing(self._w.lab(plugin.name))
                _check(found)
            except (Abandoned, PluginError, StorageError):
                raise
            except RAISED as error:
                return Standing(False, f"it cannot tell: {type(error).__name__}: {error}")
        return Standing(found.acts, " ".join(found.why.split()))


def _check(found: Any) -> None:
    if not isinstance(found, Standing):
        raise TypeError(f"answers {type(found).__name__}, not aiga.Standing")
    if not isinstance(found.acts, bool) or not isinstance(found.why, str):
        raise TypeError(f"acts is {found.acts!r}, why {found.why!r}; write a bool and a text")
