"""``aiga plugin list`` and ``aiga plugin show``: what is installed, and what a plugin is made of."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from aiga import discovery
from aiga.cli.screen import console
from aiga.complaints import describe, did_you_mean
from aiga.errors import AigaError, InputError
from aiga.pillars import PILLARS
from aiga.plugin_classes import PluginFault, PluginSource, check_class, import_class

if TYPE_CHECKING:
    from pydantic import BaseModel

    from aiga.hooks import Plugin


def show_all(as_json: bool) -> None:
    """Prints every installed plugin; none is imported."""
    found = [
        {"name": s.name, "distribution": s.distribution, "version": s.version, "value": s.value} for s in discovery.available()
    ]
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    _print_table(("plugin", "distribution", "version", "class"), [list(map(str, plugin.values())) for plugin in found])


def show_one(name: str, as_json: bool) -> None:
    """Prints what a plugin is, does, registers and takes.

    Raises:
        InputError: if there is no such plugin, or it cannot be used.
    """
    about = describe_plugin(_source(name))
    if as_json:
        typer.echo(json.dumps(about, indent=2))
        return
    typer.echo(f"{about['name']} ({about['origin']}, API {about['api']}, state version {about['state_version']})")
    if about["doc"]:
        typer.echo(f"\n{about['doc']}")
    if about["needs"]:
        typer.echo(f"\nneeds a domain with: {', '.join(about['needs'])}")
    if about["pillar"]:
        typer.echo(f"\npillar: {about['pillar']}, {PILLARS[about['pillar']]}")
    for title, key, columns in (
        ("hooks", "hooks", ("name", "about")),
        ("components", "components", ("kind", "name", "cost")),
        ("options", "options", ("name", "type", "default", "about")),
    ):
        typer.echo(f"\n{title}: {'' if about[key] else 'none'}".rstrip(" "))
        if about[key]:
            _print_table(columns, [["" if row[c] is None else str(row[c]) for c in columns] for row in about[key]])
    if about["components_error"]:
        typer.echo(f"\ncomponents are known only once it has its options: {about['components_error']}")


def describe_plugin(source: PluginSource) -> dict[str, Any]:
    """What ``plugin show --json`` prints.

    Raises:
        InputError: if the plugin cannot be imported or is none of this aiga.
    """
    try:
        found = import_class(source)
        if source.path is None:
            check_class(source, found)
    except PluginFault as fault:
        raise InputError(f"plugin {source.name}: {fault}") from None
    components, error = _components(found)
    return {
        "name": getattr(found, "name", source.name),
        "origin": source.origin,
        "value": source.value,
        "api": found.api,
        "state_version": found.state_version,
        "doc": inspect.getdoc(found) or "",
        "needs": list(found.needs),
        "pillar": found.pillar,
        "hooks": _hooks(found),
        "components": components,
        "components_error": error,
        "options": options(found.Options),
    }


def _source(name: str) -> PluginSource:
    if name.endswith(".py"):
        path = Path(name)
        if not path.is_file():
            raise InputError(f"{name}: no such file. Name a Python file with a plugin in it, or an installed plugin.")
        return PluginSource(path.stem, path=path.resolve())
    available = discovery.available()
    found = [source for source in available if source.name == name]
    if len(found) > 1:
        origins = " and ".join(source.origin for source in found)
        raise InputError(
            f"plugin {name}: two distributions bring it, {origins}. Remove one: pip uninstall {found[0].distribution}"
        )
    if not found:
        raise InputError(f"plugin {name}: no such plugin is installed. {did_you_mean(name, [s.name for s in available])}")
    return found[0]


def _hooks(found: type[Plugin]) -> list[dict[str, str]]:
    from aiga.hooks import PREFIX, Plugin

    names = [name for name in vars(Plugin) if name.startswith(PREFIX)]
    mine = [name for name in names if getattr(found, name) is not getattr(Plugin, name)]
    return [{"name": name, "about": _first_sentence(inspect.getdoc(getattr(Plugin, name)) or "")} for name in mine]


def _components(found: type[Plugin]) -> tuple[list[dict[str, str | None]], str | None]:
    """What it registers with its default options; or why that cannot be said."""
    components = discovery.Components()
    try:
        discovery.register(found(found.Options()), components)
    # The constructor and the hook are the plugin's own, and options may be required: that much can be shown all the same.
    except Exception as error:
        return [], " ".join(str(error).split()) if isinstance(error, AigaError) else f"{type(error).__name__}: {error}"
    entries = components.entries()
    return [{"kind": e.kind, "name": e.name, "cost": None if e.cost is None else e.cost.name} for e in entries], None


def options(model: type[BaseModel]) -> list[dict[str, Any]]:
    """Name, type in words, default and meaning of every option; a meaning is the field's description, or the docstring's."""
    from pydantic.errors import PydanticInvalidForJsonSchema

    try:
        schema: dict[str, Any] = model.model_json_schema()
    except PydanticInvalidForJsonSchema:
        schema = {}
    meanings = _attributes(inspect.getdoc(model) or "")
    out = []
    for name, field in model.model_fields.items():
        shown = field.alias or name
        words = describe(schema.get("properties", {}).get(shown, {}), schema) or _type_words(field.annotation)
        default = "required" if field.is_required() else _plain(field.get_default(call_default_factory=True))
        about = field.description or meanings.get(name, "")
        out.append({"name": shown, "type": words, "default": default, "about": about})
    return out


def _attributes(doc: str) -> dict[str, str]:
    """The entries of a docstring's ``Attributes:`` by name; one may be for several names."""
    _, _, section = doc.partition("Attributes:\n")
    out: dict[str, str] = {}
    for entry in re.split(r"\n(?=    \S)", section.split("\n\n")[0]):
        names, colon, text = entry.strip().partition(":")
        if colon:
            out |= dict.fromkeys((name.strip() for name in names.split(",")), " ".join(text.split()))
    return out


def _plain(value: Any) -> str:
    from aiga.complaints import show

    if value is None:
        return "none"
    try:
        return show(list(value) if isinstance(value, tuple) else value)
    except (TypeError, ValueError):
        return repr(value)


def _type_words(annotation: Any) -> str:
    return getattr(annotation, "__name__", str(annotation))


def _first_sentence(doc: str) -> str:
    return " ".join(doc.split("\n\n")[0].split())


def _print_table(columns: tuple[str, ...], rows: list[list[str]] | list[Mapping[str, str]]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2), header_style="dim")
    for column in columns:
        table.add_column(column, no_wrap=column == "name", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console().print(table)
