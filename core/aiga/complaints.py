"""Mistakes of a configuration as a person reads them: the place, what was found, the remedy, all in one go."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.errors import PydanticInvalidForJsonSchema

from aiga import toml_lines
from aiga.errors import AigaError, InputError
from aiga.toml_lines import Place

_LONGEST_VALUE = 60
_OWN_WORDS = ("value_error", "assertion_error")
_NAMED = re.compile(r"\[(?P<table>[\w.-]+)\](?: (?P<key>[\w.]+))?: (?P<rest>.*)", re.DOTALL)
Schema = Mapping[str, Any]


@dataclass(frozen=True)
class Source:
    """Where a configuration was written.

    Attributes:
        label: the file's name, or another word for where the values come from.
        lines: the line of each place in it.
        overrides: places set on the command line, with the words they were set with.
    """

    label: str
    lines: Mapping[Place, int] = field(default_factory=dict)
    overrides: Sequence[tuple[Place, str]] = ()

    def line(self, place: Place) -> int | None:
        """The line of a place, else of the closest table around it; None where neither is in the file."""
        return next((self.lines[place[:n]] for n in range(len(place), 0, -1) if place[:n] in self.lines), None)

    def override(self, place: Place) -> tuple[Place, str] | None:
        """What on the command line set this place, a part of it or a table around it; the last word counts."""
        inside = [o for o in self.overrides if place[: len(o[0])] == o[0]]
        around = [o for o in self.overrides if o[0][: len(place)] == place] if place not in self.lines else []
        return next(reversed([*around, *inside]), None)

    def prefix(self, place: Place, table: bool = False) -> str:
        """``plugins.toml:14: [plugins.poet.options] minimal_criterion: ``, or ``--set run.seed=x: ``.

        Args:
            place: what is complained about.
            table: it is a table, or should be one.
        """
        override = self.override(place)
        if override is not None:
            return f"{override[1]}: " if place == override[0][: len(place)] else f"{override[1]}: {spell(place, table)}: "
        line = self.line(place) or (1 if place == ("api",) and self.lines else None)
        return f"{self.label}:{f'{line}:' if line else ''} {spell(place, table)}: "


class Complaints:
    """Collects the mistakes of one source, to report them together in the order of its lines."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._problems: list[tuple[bool, int, str]] = []

    def add(self, place: Place, message: str, table: bool = False) -> None:
        """Notes a mistake at a place; ``message`` says what was found and the remedy."""
        text = self.source.prefix(place, table) + message
        override = self.source.override(place)
        order = self.source.line(place) or 0 if override is None else list(self.source.overrides).index(override)
        if all(text != other for *_, other in self._problems):
            self._problems.append((override is not None, order, text))

    def add_text(self, text: str) -> None:
        """Notes a mistake that names its own place: ``[table] key: `` at its head is looked up in the source."""
        named = _NAMED.fullmatch(text)
        if named is not None:
            place = (*named["table"].split("."), *(named["key"].split(".") if named["key"] else ()))
            self.add(place, named["rest"], table=named["key"] is None)
            return
        if all(text != other for *_, other in self._problems):
            self._problems.append((True, 0, text))

    @contextmanager
    def collecting(self, place: Place | None = None) -> Iterator[None]:
        """Notes what is complained of within, and goes on after it; only a failure that is no mistake, and first, is raised.

        Args:
            place: what the complaints concern; without it they name their own place.
        """
        try:
            yield
        except InputError as error:
            for problem in error.problems:
                if place is None:
                    self.add_text(problem)
                else:
                    self.add(place, problem)
        except Exception as error:
            # After a mistake, more than it may fail: the mistake is what to mend.
            if not self._problems:
                raise
            if isinstance(error, AigaError):
                self.add_text(str(error))

    def __len__(self) -> int:
        return len(self._problems)

    def check(self) -> None:
        """Raises.

        Raises:
            InputError: if there was any mistake.
        """
        if self._problems:
            raise InputError(*self.texts)

    @property
    def texts(self) -> list[str]:
        """The mistakes in order."""
        return [text for *_, text in sorted(self._problems, key=lambda problem: problem[:2])]


def spell(place: Place, table: bool = False) -> str:
    """``[run] stop.minutes``, ``[plugins.es.options] population``, or ``[plugins.es]`` for a table."""
    depth = 1
    if place[0] == "plugins":
        depth = 3 if place[2:3] == ("options",) else 2
    if table and len(place) <= depth:
        return toml_lines.header(place)
    depth = min(depth, len(place) - 1)
    name = ""
    for part in place[depth:]:
        name += f"[{part}]" if isinstance(part, int) else f"{'.' if name else ''}{toml_lines.key(part)}"
    return f"{toml_lines.header(place[:depth])} {name}" if depth else name


def did_you_mean(word: str, choices: Iterable[str], quote: str = "") -> str:
    """``Did you mean seed?``, or the list of choices where none is close."""
    names = list(choices)
    close = closest(word, names)
    if close is not None:
        return f"Did you mean {quote}{close}{quote}?"
    if not names:
        return "There is none."
    return f"There {'is' if len(names) == 1 else 'are'}: {', '.join(f'{quote}{name}{quote}' for name in names)}."


def closest(word: str, choices: Iterable[str]) -> str | None:
    """The choice that ``word`` is most likely a slip of; capitals, hyphens and underscores are alike."""
    folded = {name.lower().replace("-", "_"): name for name in choices}
    close = difflib.get_close_matches(word.lower().replace("-", "_"), folded, n=1, cutoff=0.6)
    return folded[close[0]] if close else None


def show(value: Any) -> str:
    """A found value on one line, cut where it is long."""
    text = toml_lines.inline(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 3]}..."


def explain(error: ValidationError, model: type[BaseModel], raw: Any, noun: str = "key") -> Iterator[tuple[Place, str, bool]]:
    """What a pydantic model complains of, in plain words with remedies.

    Args:
        error: what validating raised.
        model: that was validated against.
        raw: what was validated, as written; found values are quoted from it.
        noun: what a field of the model is called.

    Yields:
        The place in ``raw``, the message, and whether the place should be a table.
    """
    schema = _json_schema(model)
    found: dict[Place, list[Any]] = {}
    for detail in error.errors(include_url=False):
        place = _place(detail["loc"], raw)
        if detail["type"] == "missing":
            # A list that is too short misses an index: the list itself is at fault.
            last = detail["loc"][-1]
            place = (*place, last) if isinstance(last, str) else place
        found.setdefault(place, []).append(detail)
    for place, details in found.items():
        if details[0]["type"] == "too_short" and any(other[: len(place)] == place != other for other in found):
            # A wrong item does not count as one: the list is only as short as its items are wrong.
            continue
        there = _at_schema(schema, place, schema)
        yield place, _message(place, details, there, schema, raw, noun), _is_table(there, schema)


def _message(place: Place, details: list[Any], there: Schema, root: Schema, raw: Any, noun: str) -> str:
    first = details[0]
    expected = describe(there, root)
    if first["type"] == "missing" and isinstance(first["loc"][-1], str):
        return f"missing. Write {expected}." if expected else "missing."
    if first["type"] == "extra_forbidden":
        names = _at_schema(root, place[:-1], root).get("properties", {})
        return f"unknown {noun}. {did_you_mean(str(place[-1]), names)}"
    if len(details) == 1 and (first["type"] in _OWN_WORDS or not expected):
        text = str(first.get("ctx", {}).get("error", first["msg"]))
        return text if text.endswith((".", "?", "!")) else f"{text}."
    value = _at(raw, place)
    close = closest(value, _choices(there, root)) if isinstance(value, str) else None
    hint = f' Did you mean "{close}"?' if close is not None and close != value else ""
    default = ""
    if "default" in there and there["default"] is None:
        default = ", or leave it out"
    elif "default" in there and not isinstance(there["default"], Mapping):
        default = f"; the default is {show(there['default'])}"
    return f"found {show(value)}.{hint} Write {expected}{default}."


def _json_schema(model: type[BaseModel]) -> Schema:
    try:
        return model.model_json_schema()
    except PydanticInvalidForJsonSchema:
        # A field of a type that JSON schemas do not know: pydantic's own words have to do.
        return {}


def _place(location: Sequence[str | int], raw: Any) -> Place:
    """The part of pydantic's location that is in ``raw``; names of union members are left out."""
    place: list[str | int] = []
    for part in location:
        try:
            raw = raw[part]
        except (KeyError, IndexError, TypeError):
            continue
        place.append(part)
    return tuple(place)


def _at(raw: Any, place: Place) -> Any:
    for part in place:
        raw = raw[part]
    return raw


def _resolve(schema: Schema, root: Schema) -> Schema:
    """The schema that a reference stands for, with what was written beside the reference."""
    if "$ref" not in schema:
        return schema
    target = root.get("$defs", {}).get(schema["$ref"].rsplit("/", 1)[-1], {})
    return _resolve({**target, **{name: value for name, value in schema.items() if name != "$ref"}}, root)


def _members(schema: Schema, root: Schema) -> list[Schema]:
    schema = _resolve(schema, root)
    members = schema.get("anyOf") or schema.get("oneOf")
    return [member for each in members for member in _members(each, root)] if members else [schema]


def _at_schema(schema: Schema, place: Place, root: Schema) -> Schema:
    """The schema of a place; empty where there is none."""
    if not place:
        return _resolve(schema, root)
    for member in _members(schema, root):
        if isinstance(place[0], int):
            items = member.get("prefixItems", [])
            deeper = items[place[0]] if place[0] < len(items) else member.get("items")
        else:
            deeper = member.get("properties", {}).get(place[0], member.get("additionalProperties"))
        if isinstance(deeper, Mapping):
            return _at_schema(deeper, place[1:], root)
    return {}


def _is_table(schema: Schema, root: Schema) -> bool:
    return all(member.get("type") == "object" for member in _members(schema, root))


def _choices(schema: Schema, root: Schema) -> list[str]:
    options = [*_resolve(schema, root).get("examples", [])]
    for member in _members(schema, root):
        options += [*member.get("enum", []), *([member["const"]] if "const" in member else [])]
    return [option for option in options if isinstance(option, str)]


def describe(schema: Schema, root: Schema) -> str:
    """What a value must be, in plain words: ``a whole number of at least 1``; empty where the schema does not say.

    A field can bring its own: ``Field(json_schema_extra={"words": "the name of a colour"})``.
    """
    return _describe(schema, root, plural=False)


def _describe(schema: Schema, root: Schema, plural: bool) -> str:
    schema = _resolve(schema, root)
    if "words" in schema:
        return str(schema["words"])
    if "anyOf" in schema or "oneOf" in schema:
        members = [member for member in _members(schema, root) if member.get("type") != "null"]
        words = [_describe(member, root, plural) for member in members]
        return _either(words) if all(words) else ""
    if "enum" in schema:
        return _either([toml_lines.inline(choice) for choice in schema["enum"]])
    if "const" in schema:
        return toml_lines.inline(schema["const"])
    if schema.get("type") == "boolean":
        return "true or false"
    noun = {
        "integer": "whole number",
        "number": "number",
        "string": "string",
        "array": "list",
        "object": "table",
    }.get(schema.get("type", ""))
    if noun is None:
        return ""
    suffix = {"integer": _range, "number": _range, "array": lambda s: _items(s, root), "string": _text}.get(schema["type"])
    return f"{noun}s" * plural + f"a {noun}" * (not plural) + (suffix(schema) if suffix else "")


def _range(schema: Schema) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    if low is not None and high is not None:
        return f" from {low} to {high}"
    bounds = (("at least", low), ("above", above), ("at most", high), ("below", below))
    words = " and ".join(f"{word} {bound}" for word, bound in bounds if bound is not None)
    return f" {'of ' * words.startswith('at')}{words}" if words else ""


def _text(schema: Schema) -> str:
    if "pattern" in schema:
        return f" that matches {schema['pattern']}"
    return " that is not empty" if schema.get("minLength") == 1 else ""


def _items(schema: Schema, root: Schema) -> str:
    low, high = schema.get("minItems"), schema.get("maxItems")
    fixed = [_describe(item, root, plural=False) for item in schema.get("prefixItems", [])]
    if fixed and len(set(fixed)) > 1:
        return f" of {', '.join(fixed[:-1])} and {fixed[-1]}" if all(fixed) else ""
    item = schema["prefixItems"][0] if fixed else schema.get("items", {})
    items = _describe(item, root, plural=True) or "items"
    if low is not None and low == high:
        return f" of {low} {items}"
    bounds = (("at least", low), ("at most", high))
    words = " and ".join(f"{word} {bound}" for word, bound in bounds if bound is not None)
    return f" of {words} {items}" if words else f" of {items}"


def _either(words: Sequence[str]) -> str:
    unique = list(dict.fromkeys(words))
    return unique[0] if len(unique) == 1 else f"{', '.join(unique[:-1])} or {unique[-1]}"
