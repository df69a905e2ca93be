"""Which plugins a configuration asks for, and the plugins themselves; nothing is imported unless it is named there."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from aiga.complaints import Complaints, closest, did_you_mean, explain
from aiga.config import D, Document
from aiga.errors import RAISED
from aiga.plugin_classes import PluginFault, PluginSource, check_class, import_class
from aiga.registry import Components, Entry, register
from aiga.tables import PluginTable
from aiga.toml_lines import Place
from aiga.wanted import GROUP, check_named, hides_plugins, lost_options, lost_origin, lost_plugins, named, place_of

if TYPE_CHECKING:
    from aiga.hooks import Plugin

__all__ = [
    "Components",
    "Entry",
    "Gathered",
    "PluginSource",
    "assemble",
    "available",
    "check",
    "check_shadows",
    "find",
    "gather",
    "load",
    "lock",
    "recipes",
    "register",
    "resolve",
]


@dataclass(frozen=True)
class Gathered:
    """The plugins that a configuration names, as far as they can be had.

    Attributes:
        sources: where they come from, in call order.
        plugins: those that could be made, in call order.
        components: what they registered.
    """

    sources: list[PluginSource]
    plugins: list[Plugin]
    components: Components


def available() -> list[PluginSource]:
    """Every installed plugin, by name; nothing of them is imported. Two of one name are both listed."""
    sources = []
    for point in importlib.metadata.entry_points(group=GROUP):
        distribution, version = (point.dist.name, point.dist.version) if point.dist is not None else ("", "")
        sources.append(PluginSource(point.name, point.value, distribution=distribution, version=version))
    return sorted(sources, key=lambda source: (source.name, source.distribution))


def find(config: Document) -> list[PluginSource]:
    """Where the plugins that ``config`` names come from, in call order, before anything of them is imported.

    First those of ``[plugins]`` in file order; then those that ``[population]``, ``[slots]`` and ``[run] executor`` name, where
    a plugin of that name is installed.

    Raises:
        InputError: naming every plugin that is not there, or there twice.
    """
    complaints = Complaints(config.source)
    sources = _find(config, complaints)
    complaints.check()
    return sources


def load(config: Document, sources: Sequence[PluginSource] | None = None) -> list[Plugin]:
    """The plugins that ``config`` names, in call order, with checked options; none has registered its components yet.

    Args:
        config: what names them.
        sources: what :func:`find` returned, where it was asked already.

    Raises:
        InputError: naming every plugin that cannot be had, and every wrong option of those that can.
    """
    complaints = Complaints(config.source)
    if sources is None:
        sources = _find(config, complaints)
    plugins, _ = _load_all(config, sources, complaints)
    if complaints:
        check_named(config, {}, Components(), complaints, whole=False)
    complaints.check()
    return plugins


def check(config: Document, plugins: Sequence[Plugin], components: Components) -> None:
    """Whether everything that ``config`` names was registered, and the domain can do what the plugins need.

    Raises:
        InputError: naming every component, owner and capability that is missing.
    """
    complaints = Complaints(config.source)
    check_named(config, {plugin.name: type(plugin) for plugin in plugins}, components, complaints)
    complaints.check()


def gather(config: Document, complaints: Complaints) -> Gathered:
    """All of :func:`find`, :func:`load`, registering and :func:`check`, each as far as the mistakes before it let it.

    Args:
        config: what names the plugins; may be what is left of one with mistakes.
        complaints: told of every mistake; holds those of ``config`` already.
    """
    before = len(complaints)
    sources = _find(config, complaints)
    plugins, classes = _load_all(config, sources, complaints)
    components = Components(recipes(sources))
    for plugin in plugins:
        with complaints.collecting():
            register(plugin, components)
    whole = len(complaints) == before and not hides_plugins(config)
    check_named(config, classes, components, complaints, whole)
    return Gathered(sources, plugins, components)


def check_shadows(config: Document, complaints: Complaints) -> None:
    """Complains of files under the name of an installed plugin: nobody could tell which one a run was started with."""
    installed = {source.name: source.origin for source in available()}
    for name, table in config.plugins.items():
        if table.path is not None and name in installed:
            what = f'"{name}" is the name of an installed plugin too, of {installed[name]}. Give yours another name.'
            complaints.add(("plugins", name, "path"), what)


def resolve(config: D, sources: Sequence[PluginSource], plugins: Sequence[Plugin], paths: Mapping[str, str] | None = None) -> D:
    """The configuration to write into a run: every plugin in call order, every option with its value, no secret's value.

    Args:
        config: as the user wrote it.
        sources: what :func:`find` returned.
        plugins: what :func:`load` returned.
        paths: where the files of plugins from a path are from now on, by the plugin's name.
    """
    tables = {}
    for source, plugin in zip(sources, plugins, strict=True):
        table = config.plugins.get(source.name, PluginTable())
        update = {"options": _public_options(source, plugin), "path": (paths or {}).get(source.name, table.path)}
        tables[source.name] = table.model_copy(update=update)
    return config.with_plugins(tables)


def lock(sources: Sequence[PluginSource], plugins: Sequence[Plugin]) -> dict[str, dict[str, Any]]:
    """What exactly a run uses: by plugin its origin, versions, and SHA-256 of its options and of its file."""
    locked = {}
    for source, plugin in zip(sources, plugins, strict=True):
        entry: dict[str, Any] = {"name": source.name}
        if source.path is not None:
            entry |= {"path": source.path.name, "sha256": hashlib.sha256(source.path.read_bytes()).hexdigest()}
        else:
            entry |= {"value": source.value, "distribution": source.distribution, "version": source.version}
        text = json.dumps(_public_options(source, plugin), sort_keys=True, default=str)
        options = hashlib.sha256(text.encode()).hexdigest()
        locked[source.name] = {**entry, "state_version": plugin.state_version, "options": options}
    return locked


def recipes(sources: Sequence[PluginSource]) -> list[dict[str, Any]]:
    """How another process makes each plugin; for :class:`Components`. Secrets are in the clear: never write them."""
    out = []
    for source in sources:
        where = {"path": str(source.path)} if source.path is not None else {"value": source.value}
        out.append({"name": source.name, **where, "options": _reveal(source.options)})
    return out


def assemble(recipe: str) -> Components:
    """The components that ``Components.recipe`` describes, made anew in this process."""
    made = json.loads(recipe)["plugins"]
    components = Components(made)
    for entry in made:
        path = Path(entry["path"]) if "path" in entry else None
        found = import_class(PluginSource(entry["name"], entry.get("value"), path))
        register(found(found.Options.model_validate_json(json.dumps(entry["options"]))), components)
    return components


def _find(config: Document, complaints: Complaints) -> list[PluginSource]:
    installed: dict[str, list[PluginSource]] = {}
    for source in available():
        installed.setdefault(source.name, []).append(source)
    wanted = dict.fromkeys(config.plugins)
    for kind, place, name in named(config):
        if name in installed:
            wanted.setdefault(name)
        elif kind == "owner" and name not in config.plugins and not lost_plugins(config):
            names = dict.fromkeys([*config.plugins, *installed])
            complaints.add(place, f'no plugin named "{name}". {did_you_mean(name, names, quote=chr(34))}')
    sources = []
    for name in wanted:
        if lost_origin(config, name, name in installed):
            continue
        table = config.plugins.get(name, PluginTable())
        place = place_of(config, name)
        from_file = table.path is not None
        found = _find_file(config, name, complaints) if from_file else _find_installed(name, place, installed, complaints)
        if found is not None:
            sources.append(replace(found, place=place, options=table.options))
    return sources


def _find_file(config: Document, name: str, complaints: Complaints) -> PluginSource | None:
    path = config.plugins[name].path or ""
    file = (config.base / path).resolve()
    place = ("plugins", name, "path")
    if file.is_dir():
        complaints.add(place, f'"{path}" is a folder. Name a Python file in it.')
    elif not file.is_file():
        complaints.add(place, f'no file "{path}" in {config.base.resolve()}. Paths start from the folder of plugins.toml.')
    else:
        return PluginSource(name, path=file)
    return None


def _find_installed(
    name: str, place: Place, installed: Mapping[str, list[PluginSource]], complaints: Complaints
) -> PluginSource | None:
    found = installed.get(name, [])
    if len(found) == 1:
        return found[0]
    if found:
        origins = " and ".join(source.origin for source in found)
        remove = " or ".join(f"pip uninstall {source.distribution}" for source in found)
        complaints.add(place, f'two distributions bring a plugin "{name}": {origins}. Remove one: {remove}', table=True)
        return None
    hint = did_you_mean(name, installed)
    if closest(name, installed) is None:
        hint += f' A file of your own needs path = "./{name}.py".'
    complaints.add(place, f"no such plugin is installed. {hint}", table=True)
    return None


def _load_all(
    config: Document, sources: Sequence[PluginSource], complaints: Complaints
) -> tuple[list[Plugin], dict[str, type[Plugin]]]:
    """The plugins that can be made, and the classes of all that can be imported, by name."""
    plugins, classes = [], {}
    for source in sources:
        try:
            found = import_class(source)
            check_class(source, found)
        except PluginFault as fault:
            complaints.add(source.place, str(fault), table=True)
            continue
        classes[source.name] = found
        plugin = _make(source, found, complaints, lost_options(config, source.name))
        if plugin is not None:
            plugins.append(plugin)
    return plugins, classes


def _make(source: PluginSource, found: type[Plugin], complaints: Complaints, partial: bool) -> Plugin | None:
    """A plugin; None where its options do not let it be made, or are ``partial`` and it cannot do with them alone."""
    before = len(complaints)
    options = _check_options(source, found.Options, complaints, partial)
    if options is None or len(complaints) > before:
        return None
    try:
        return found(options)
    # The constructor is the plugin's own: it may raise anything, and the message must name the plugin.
    except RAISED as error:
        if partial:
            return None
        what = f"raised {type(error).__name__} when it was made: {error}. Mend that, or disable the plugin."
        complaints.add(source.place, _masked(what, source.options), table=True)
        return None


def _check_options(source: PluginSource, model: type[BaseModel], complaints: Complaints, partial: bool) -> BaseModel | None:
    """The options, checked; where they are ``partial``, what they miss may be among those not here: no word of it."""
    place = ("plugins", source.name, "options")
    unset = {where: name for where, name in _secrets(source.options) if name not in os.environ}
    for where, name in unset.items():
        complaints.add((*place, *where), f"the environment variable {name} is not set. Set it: export {name}=...")
    try:
        # As JSON, because strict pydantic takes no list for a tuple from Python.
        return model.model_validate_json(json.dumps(_reveal(source.options), default=str))
    except ValidationError as error:
        for where, message, table in explain(error, model, source.options, noun="option"):
            missed = not where or message.startswith("missing.")
            if where not in unset and not (partial and missed):
                complaints.add((*place, *where), _masked(message, source.options), table)
    return None


def _secrets(options: Any, place: Place = ()) -> Iterator[tuple[Place, str]]:
    """Every ``{env = "NAME"}`` in options: its place and the variable's name."""
    if isinstance(options, Mapping):
        if options.keys() == {"env"} and isinstance(options["env"], str):
            yield place, options["env"]
            return
        for name, value in options.items():
            yield from _secrets(value, (*place, name))
    elif isinstance(options, (list, tuple)):
        for index, value in enumerate(options):
            yield from _secrets(value, (*place, index))


def _reveal(options: Any) -> Any:
    """The same with the values of secrets; empty where the variable is not set."""
    if isinstance(options, Mapping):
        if options.keys() == {"env"} and isinstance(options["env"], str):
            return os.environ.get(options["env"], "")
        return {name: _reveal(value) for name, value in options.items()}
    return [_reveal(value) for value in options] if isinstance(options, (list, tuple)) else options


def _masked(message: str, options: Mapping[str, Any]) -> str:
    """A validator's own words may quote a secret: the variable's name stands in its place."""
    for _, name in _secrets(options):
        if os.environ.get(name):
            message = message.replace(os.environ[name], f"${name}")
    return message


def _public_options(source: PluginSource, plugin: Plugin) -> dict[str, Any]:
    """All options with their values, secrets as ``{env = "NAME"}`` again, wherever the model keeps them."""
    names = {os.environ[name]: name for _, name in _secrets(source.options) if os.environ.get(name)}

    def hide(value: Any, written: Any) -> Any:
        if isinstance(written, Mapping) and list(_secrets(written)) == [((), written.get("env"))]:
            return dict(written)
        if isinstance(value, str) and value in names:
            return {"env": names[value]}
        if isinstance(value, Mapping):
            deeper = written if isinstance(written, Mapping) else {}
            return {name: hide(entry, deeper.get(name)) for name, entry in value.items()}
        if isinstance(value, (list, tuple)):
            items = written if isinstance(written, (list, tuple)) and len(written) == len(value) else [None] * len(value)
            return [hide(item, other) for item, other in zip(value, items, strict=True)]
        return value

    options = plugin.options.model_dump(mode="json", by_alias=True, exclude_none=True)
    return {name: hide(value, source.options.get(name)) for name, value in options.items()}
