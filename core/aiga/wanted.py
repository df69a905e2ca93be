"""What a configuration names besides its ``[plugins]``, and whether the plugins brought it."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from aiga.complaints import Complaints, closest, did_you_mean
from aiga.config import Document, TrainConfig
from aiga.registry import Components
from aiga.tables import PluginTable
from aiga.toml_lines import Place

if TYPE_CHECKING:
    from aiga.hooks import Plugin

GROUP = "aiga"
_NO_OPTIMISER = "none"
_OWNER_HOOK = "aiga_select"
_NAMES_A_PLUGIN = {"run": ("executor",), "population": ("domain", "networks"), "train": ("trainer",)}


def named(config: Document) -> Iterator[tuple[str, Place, str]]:
    """What must be there besides ``[plugins]``: kind of component (or ``owner``), place, name; mistakes are left out."""
    for kind, place, name in _all_named(config):
        if not any(place[: len(mistake)] == mistake for mistake in config.left_out):
            yield kind, place, name


def _all_named(config: Document) -> Iterator[tuple[str, Place, str]]:
    if config.population is not None:
        yield "domain", ("population", "domain"), config.population.domain
        for index, name in enumerate(config.population.networks):
            yield "network", ("population", "networks", index), name
    if isinstance(config, TrainConfig):
        yield "trainer", ("train", "trainer"), config.train.trainer
        return
    yield "owner", ("slots", "select"), config.slots.select
    if config.slots.improve != _NO_OPTIMISER:
        yield "optimiser", ("slots", "improve"), config.slots.improve
    yield "executor", ("run", "executor"), config.run.executor


def place_of(config: Document, plugin: str) -> Place:
    """Where a configuration names a plugin first."""
    if plugin in config.plugins:
        return ("plugins", plugin)
    return next((place for _, place, name in named(config) if name == plugin), ("plugins", plugin))


def hides_plugins(config: Document) -> bool:
    """Whether a mistake that was left out may keep a plugin from being found that would have brought a component."""

    def hides(place: Place) -> bool:
        if place[0] in _NAMES_A_PLUGIN and len(place) > 1:
            return place[1] in _NAMES_A_PLUGIN[str(place[0])]
        return place[2:] != ("on_error",)

    return any(hides(place) for place in config.left_out)


def lost_plugins(config: Document) -> bool:
    """Whether all plugin tables were left out, or some that stood under a slip of ``[plugins]``."""
    tables = (str(place[0]) for place in config.left_out if len(place) == 1)
    return any(table == "plugins" or (table not in Document.model_fields and _is_slip(table)) for table in tables)


def _is_slip(table: str) -> bool:
    return closest(table, Document.model_fields) == "plugins"


def lost_origin(config: Document, plugin: str, installed: bool) -> bool:
    """Whether a mistake that was left out may say where a plugin comes from: nothing is known of it then."""
    if {("plugins", plugin), ("plugins", plugin, "path")} & set(config.left_out):
        return True
    elsewhere = installed or config.plugins.get(plugin, PluginTable()).path is not None
    keys = [place[2] for place in config.left_out if place[:2] == ("plugins", plugin) and len(place) == 3]
    return not elsewhere and any(key not in PluginTable.model_fields for key in keys)


def lost_options(config: Document, plugin: str) -> bool:
    """Whether a mistake that was left out may hold options of a plugin: those that it misses may be there."""
    mine = [place for place in config.left_out if place[:2] == ("plugins", plugin) and place[2:] != ("on_error",)]
    return bool(mine) or lost_plugins(config)


def check_named(
    config: Document,
    classes: Mapping[str, type[Plugin]],
    components: Components,
    complaints: Complaints,
    whole: bool = True,
) -> None:
    """Complains of every component, owner and capability that is missing.

    Args:
        config: what names them.
        classes: of the plugins, by name.
        components: what they registered.
        complaints: told of what is missing.
        whole: all plugins are there; else a component is missed only where its name is likely a slip, as a plugin that is
            not there might have brought it.
    """
    installed = sorted({point.name for point in importlib.metadata.entry_points(group=GROUP)})
    for kind, place, name in named(config):
        if kind == "owner":
            if whole or name in classes:
                _check_owner(place, name, classes, complaints)
        elif name not in components.names(kind) and (whole or _likely_slip(config, kind, name, components, installed)):
            complaints.add(place, _no_component(kind, name, components, installed))
    domain = None if config.population is None else config.population.domain
    if domain is not None and domain in components.names("domain"):
        there = components.get("domain", domain)
        for plugin, found in classes.items():
            lacking = [capability for capability in found.needs if not callable(getattr(there, capability, None))]
            if lacking:
                what = f'needs a domain with {" and ".join(lacking)}, which "{domain}" has not.'
                remedy = f"Write what is missing, name another domain in [population], or do without {plugin}."
                complaints.add(place_of(config, plugin), f"{what} {remedy}", table=True)


def _likely_slip(config: Document, kind: str, name: str, components: Components, installed: Sequence[str]) -> bool:
    """Whether a name is close to one that is there, and that of no plugin which may yet bring the component."""
    expected = name in installed or name in config.plugins
    return not expected and closest(name, [*components.names(kind), *installed]) is not None


def _no_component(kind: str, name: str, components: Components, installed: Sequence[str]) -> str:
    registered = components.names(kind)
    brought = [f'{entry.kind} "{entry.name}"' for entry in components.entries() if entry.plugin == name]
    what = f'no {kind} named "{name}"'
    if brought:
        what += f"; the plugin {name} brings {', '.join(brought)}"
    close = closest(name, registered) or closest(name, [other for other in installed if other != name])
    if close is not None:
        return f'{what}. Did you mean "{close}"?'
    if not registered:
        return f"{what}. Name a plugin that brings one, or enable it in [plugins]."
    return f"{what}. {did_you_mean(name, registered, quote=chr(34))}"


def _check_owner(place: Place, name: str, classes: Mapping[str, type[Plugin]], complaints: Complaints) -> None:
    from aiga.hooks import Plugin

    able = [plugin for plugin, found in classes.items() if getattr(found, _OWNER_HOOK) is not getattr(Plugin, _OWNER_HOOK)]
    if name not in able:
        what = f'the plugin "{name}" does not decide admissions: it has no {_OWNER_HOOK}'
        choices = [*able, "keep"] if "keep" not in able else able
        complaints.add(place, f"{what}. {did_you_mean(name, choices, quote=chr(34))}")
