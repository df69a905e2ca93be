"""The components of one run: what plugins registered, by kind and name, and who brought it."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiga.errors import RAISED, AigaError, InputError, PluginError

if TYPE_CHECKING:
    from aiga.components import Cost, Domain, Executor, Network, Optimiser, Screen, Trainer
    from aiga.hooks import Plugin

KINDS = ("domain", "network", "optimiser", "executor", "screen", "trainer", "logger")
_NEEDED_BY_WORKERS = ("domain", "network")


@dataclass(frozen=True)
class Entry:
    """One registered component, and the plugin that registered it; ``cost`` of a screen alone."""

    kind: str
    name: str
    plugin: str
    component: Any
    cost: Cost | None = None


class Components:
    """Implements :class:`aiga.components.Registry`.

    Args:
        recipes: how another process makes each plugin, by the plugin's name; see :func:`aiga.discovery.recipes`.
    """

    def __init__(self, recipes: Sequence[dict[str, Any]] = ()) -> None:
        self._recipes = tuple(recipes)
        self._entries: dict[tuple[str, str], Entry] = {}
        self._plugin = ""

    @contextmanager
    def registering(self, plugin: str) -> Iterator[None]:
        """Within it, whatever is registered is this plugin's."""
        before, self._plugin = self._plugin, plugin
        try:
            yield
        finally:
            self._plugin = before

    def domain(self, name: str, domain: Domain) -> None:
        self._put("domain", name, domain)

    def network(self, name: str, network: Network) -> None:
        self._put("network", name, network)

    def optimiser(self, name: str, optimiser: Optimiser) -> None:
        self._put("optimiser", name, optimiser)

    def executor(self, name: str, executor: Executor) -> None:
        self._put("executor", name, executor)

    def screen(self, name: str, screen: Screen, cost: Cost) -> None:
        self._put("screen", name, screen, cost)

    def trainer(self, name: str, trainer: Trainer) -> None:
        self._put("trainer", name, trainer)

    def logger(self, name: str, logger: Any) -> None:
        self._put("logger", name, logger)

    def _put(self, kind: str, name: str, component: Any, cost: Cost | None = None) -> None:
        held = self._entries.get((kind, name))
        if held is not None:
            if held.plugin == self._plugin:
                raise InputError(f'{kind} "{name}": plugin {self._plugin} registers it twice. Give one another name.')
            raise InputError(
                f'{kind} "{name}": registered by two plugins, {held.plugin} and {self._plugin}. '
                "Disable one of them, or give its component another name."
            )
        self._entries[kind, name] = Entry(kind, name, self._plugin, component, cost)

    def get(self, kind: str, name: str) -> Any:
        """A registered component.

        Raises:
            KeyError: naming what there is.
        """
        return self._entry(kind, name).component

    def owner(self, kind: str, name: str) -> str:
        """The plugin that registered a component.

        Raises:
            KeyError: naming what there is.
        """
        return self._entry(kind, name).plugin

    def all(self, kind: str) -> dict[str, Any]:
        """Every component of one kind by name, in order of registration."""
        return {entry.name: entry.component for entry in self.entries(kind)}

    def names(self, kind: str) -> tuple[str, ...]:
        """Names of one kind, in order of registration."""
        return tuple(entry.name for entry in self.entries(kind))

    def screens(self) -> list[tuple[str, str, Screen]]:
        """Plugin, name and screen, cheapest first, those of one cost in order of registration."""
        entries = sorted(self.entries("screen"), key=lambda entry: int(entry.cost or 0))
        return [(entry.plugin, entry.name, entry.component) for entry in entries]

    def entries(self, kind: str | None = None) -> tuple[Entry, ...]:
        """What is registered, of one kind or of all, in order of registration."""
        return tuple(entry for entry in self._entries.values() if kind in (None, entry.kind))

    def _entry(self, kind: str, name: str) -> Entry:
        if kind not in KINDS:
            raise KeyError(f"no kind of component named {kind!r}; there are {', '.join(KINDS)}")
        if (kind, name) not in self._entries:
            there = ", ".join(self.names(kind)) or "none"
            raise KeyError(f"no {kind} named {name!r}; there are: {there}")
        return self._entries[kind, name]

    @property
    def recipe(self) -> str:
        """JSON from which :func:`aiga.discovery.assemble` makes the domains and networks again in another process.

        Plugins that brought neither are left out: a worker needs no optimiser, and must not load what one is made of. Holds
        secrets in the clear, so it may go through a pipe and never to a disk.
        """
        needed = {entry.plugin for entry in self._entries.values() if entry.kind in _NEEDED_BY_WORKERS}
        return json.dumps({"plugins": [recipe for recipe in self._recipes if recipe["name"] in needed]}, default=str)


def register(plugin: Plugin, components: Components) -> None:
    """Lets a plugin put its components into ``components``.

    Raises:
        PluginError: if it raises.
    """
    try:
        with components.registering(plugin.name):
            # A hook may leave out the arguments that it does not use.
            if inspect.signature(plugin.aiga_register).parameters:
                plugin.aiga_register(components)
            else:
                plugin.aiga_register()  # type: ignore[call-arg]
    except AigaError:
        raise
    except RAISED as error:
        what = f"plugin {plugin.name!r} raised in register, before the first iteration: {type(error).__name__}: {error}"
        raise PluginError(f"{what}. Mend that, or take [plugins.{plugin.name}] out of the configuration") from error
