"""What ``tomllib`` leaves out: on which line each key stands, faults in plain words, and writing values and tables."""

from __future__ import annotations

import bisect
import json
import math
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aiga.errors import InputError

Place = tuple[str | int, ...]  # keys and list indices from the top of a document

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_END_OF_SCALAR = re.compile(r"[,\]}\n#]")


_REMEDIES = (
    ("Cannot overwrite", "Something is there twice: keep one."),
    ("Cannot declare", "The table is there twice: keep one."),
    ("Duplicate", "Something is there twice: keep one."),
    ("Invalid value", "Strings stand in quotes; true and false are small."),
    ("Expected '='", "Write key = value."),
    ("Unclosed array", "Close the list with ]."),
    ("Unclosed inline table", "Close the table with }."),
    ("Unterminated string", "Close the string with a quote."),
    ("Illegal character", "Close the string in its line, or take the character out."),
    ("Expected newline", "Begin a new line after each value."),
    ("", "Write a line such as key = value or [table]."),
)


def read(file: Path) -> tuple[dict[str, Any], dict[Place, int]]:
    """A file's values, and the line of every table, key and list item.

    Raises:
        InputError: if it cannot be read, is not UTF-8 or is not TOML.
    """
    text = _decode(file)
    try:
        return tomllib.loads(text), key_lines(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(_not_toml(str(file), text, str(error))) from None
    except (RecursionError, IndexError, ValueError) as error:
        # Nested, or a number, beyond what Python's parser takes.
        raise InputError(f"{file}: cannot be read as TOML: {type(error).__name__}: {error}. Write it more simply.") from None


def _decode(file: Path) -> str:
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{file}: no such file. Name one that is there, or write one.") from None
    except IsADirectoryError:
        raise InputError(f"{file}: a folder. Name a file in it, such as {file / 'plugins.toml'}.") from None
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}. Name a file that can be.") from None
    try:
        # Editors on Windows put a mark before the first line.
        return data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        message = f"not UTF-8: byte 0x{data[error.start]:02x}. Save the file with the encoding UTF-8."
        raise InputError(f"{file}:{line}: {message}") from None


def _not_toml(label: str, text: str, message: str) -> str:
    found = re.fullmatch(r"(.*?) \(at (?:line (\d+), column (\d+)|end of document)\)", message, re.DOTALL)
    what = found[1] if found else message
    line = int(found[2]) if found and found[2] else text.count("\n") + (not text.endswith("\n"))
    column = f", column {found[3]}" if found and found[3] else ""
    remedy = next(remedy for start, remedy in _REMEDIES if what.startswith(start))
    return f"{label}:{max(line, 1)}: not TOML{column}: {what[:1].lower()}{what[1:]}. {remedy}"


def key_lines(text: str) -> dict[Place, int]:
    """The line, from 1, of every table, key and list item.

    Args:
        text: a document that ``tomllib`` accepts.

    Returns:
        Lines by place. A table that only its sub-tables name stands where the first of them does; one named later by a header
        of its own stands there.
    """
    scanner = _Scanner(text)
    scanner.document()
    return scanner.lines


class _Scanner:
    """Reads a valid document from its start to its end, noting where keys are; values are passed over."""

    def __init__(self, text: str) -> None:
        self.text = text + "\n"
        self.at = 0
        self.lines: dict[Place, int] = {}
        self._newlines = [i for i, character in enumerate(self.text) if character == "\n"]
        self._arrays: dict[Place, int] = {}

    def document(self) -> None:
        table: Place = ()
        while self._blank():
            if self.text[self.at] == "[":
                table = self._header()
            else:
                self._assignment(table)

    def _header(self) -> Place:
        line, array = self._line(), self.text.startswith("[[", self.at)
        self.at += 2 if array else 1
        keys = self._key()
        self.at += 2 if array else 1
        place: Place = ()
        for key in keys[:-1]:
            place = (*place, key)
            self.lines.setdefault(place, line)
            if place in self._arrays:
                place = (*place, self._arrays[place])
        place = (*place, keys[-1])
        if array:
            self._arrays[place] = self._arrays.get(place, -1) + 1
            self.lines.setdefault(place, line)
            place = (*place, self._arrays[place])
        self.lines[place] = line
        return place

    def _assignment(self, table: Place) -> None:
        line, keys = self._line(), self._key()
        for depth in range(1, len(keys) + 1):
            self.lines.setdefault((*table, *keys[:depth]), line)
        self.at += 1  # the equals sign
        self._value((*table, *keys))

    def _key(self) -> tuple[str, ...]:
        """A dotted key and the blanks round it; stops at what follows."""
        keys = []
        while True:
            self._spaces()
            if self.text[self.at] in "\"'":
                start = self.at
                self._string()
                keys.append(tomllib.loads(f"key = {self.text[start : self.at]}")["key"])
            else:
                match = _BARE_KEY.match(self.text, self.at)
                assert match is not None
                keys.append(match.group())
                self.at = match.end()
            self._spaces()
            if self.text[self.at] != ".":
                return tuple(keys)
            self.at += 1

    def _value(self, place: Place) -> None:
        self._spaces()
        character = self.text[self.at]
        if character in "\"'":
            self._string()
        elif character == "[":
            self._list(place)
        elif character == "{":
            self._inline_table(place)
        else:
            match = _END_OF_SCALAR.search(self.text, self.at)
            assert match is not None
            self.at = match.start()

    def _string(self) -> None:
        quote = self.text[self.at]
        if self.text.startswith(quote * 3, self.at):
            self.at += 3
            while not self.text.startswith(quote * 3, self.at):
                self.at += 2 if quote == '"' and self.text[self.at] == "\\" else 1
            # A text may end in one or two quotes of its own.
            while self.text[self.at] == quote:
                self.at += 1
            return
        self.at += 1
        while self.text[self.at] != quote:
            self.at += 2 if quote == '"' and self.text[self.at] == "\\" else 1
        self.at += 1

    def _list(self, place: Place) -> None:
        self.at += 1
        index = 0
        while self._blank() and self.text[self.at] != "]":
            self.lines[(*place, index)] = self._line()
            self._value((*place, index))
            self._blank()
            if self.text[self.at] == ",":
                self.at += 1
            index += 1
        self.at += 1

    def _inline_table(self, place: Place) -> None:
        self.at += 1
        while self._blank() and self.text[self.at] != "}":
            self._assignment(place)
            self._blank()
            if self.text[self.at] == ",":
                self.at += 1
        self.at += 1

    def _spaces(self) -> None:
        while self.text[self.at] in " \t":
            self.at += 1

    def _blank(self) -> bool:
        """Passes blanks, line ends and comments; False at the end of the text."""
        while self.at < len(self.text):
            if self.text[self.at] == "#":
                self.at = self.text.index("\n", self.at)
            elif self.text[self.at] in " \t\r\n":
                self.at += 1
            else:
                return True
        return False

    def _line(self) -> int:
        return bisect.bisect_left(self._newlines, self.at) + 1


def inline(value: Any) -> str:
    """A value as TOML writes it on one line; what TOML has no word for (None) as Python writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else str(value)
    if isinstance(value, Mapping):
        entries = ", ".join(f"{key(str(name))} = {inline(entry)}" for name, entry in value.items())
        return f"{{ {entries} }}" if entries else "{}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(inline(item) for item in value)}]"
    # Dates and times.
    return str(value.isoformat()) if hasattr(value, "isoformat") else repr(value)


def key(name: str) -> str:
    """A key as TOML writes it: quoted where it must be."""
    return name if _BARE_KEY.fullmatch(name) else inline(name)


def header(place: Place) -> str:
    """A table's place in brackets."""
    return f"[{'.'.join(key(str(name)) for name in place)}]"


def table(place: Place, values: Mapping[str, Any]) -> str:
    """A table under its header, every value on one line; without a header at the top of a document."""
    lines = [header(place)] if place else []
    return "\n".join([*lines, *(f"{key(name)} = {inline(value)}" for name, value in values.items())]) + "\n"
