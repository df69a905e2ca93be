"""On which line a key stands, and values written as TOML."""

from __future__ import annotations

import datetime
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiga import InputError, toml_lines

DOCUMENT = '''\
title = "a # no comment [x] = { }"
[a.b]      # [fake]
"quoted key".'x.y' = 1
text = """
[not.a.table]
key = "no key" \\""" still
"""
raw = \'\'\'
c = 1 \'\'\'\'\'
list = [ # ]
  1, [2,
  3], { z = "}", w = [
  5] },
]
[a]
last = 1979-05-27T07:32:00Z

[[many]]
x = 1
[[many]]
[many.deep]
y = 2
'''

EXPECTED = {
    ("title",): 1,
    ("a",): 15,
    ("a", "b"): 2,
    ("a", "b", "quoted key"): 3,
    ("a", "b", "quoted key", "x.y"): 3,
    ("a", "b", "text"): 4,
    ("a", "b", "raw"): 8,
    ("a", "b", "list"): 10,
    ("a", "b", "list", 0): 11,
    ("a", "b", "list", 1): 11,
    ("a", "b", "list", 1, 0): 11,
    ("a", "b", "list", 1, 1): 12,
    ("a", "b", "list", 2): 12,
    ("a", "b", "list", 2, "z"): 12,
    ("a", "b", "list", 2, "w"): 12,
    ("a", "b", "list", 2, "w", 0): 13,
    ("a", "last"): 16,
    ("many",): 18,
    ("many", 0): 18,
    ("many", 0, "x"): 19,
    ("many", 1): 20,
    ("many", 1, "deep"): 21,
    ("many", 1, "deep", "y"): 22,
}


def places(value: Any, place: toml_lines.Place = ()) -> set[toml_lines.Place]:
    """The place of every key and list item."""
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return {found for name, deeper in entries for found in ({(*place, name)} | places(deeper, (*place, name)))}


def test_every_key_of_a_document_is_found_on_its_line() -> None:
    assert toml_lines.key_lines(DOCUMENT) == EXPECTED
    assert set(EXPECTED) == places(tomllib.loads(DOCUMENT))


@pytest.mark.parametrize("document", ["", "\n\n", "# only a comment", "a=1", "a = 1 # end", "[t]", "a.b.c = 1\n"])
def test_small_documents_are_found_whole(document: str) -> None:
    assert set(toml_lines.key_lines(document)) == places(tomllib.loads(document))


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
VALUES = st.recursive(
    st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | TEXT,
    lambda deeper: st.lists(deeper, max_size=3) | st.dictionaries(TEXT, deeper, max_size=3),
    max_leaves=8,
)
TABLES = st.dictionaries(TEXT, st.dictionaries(TEXT, VALUES, max_size=4), max_size=4)


@settings(derandomize=True, max_examples=100, deadline=None)
@given(TABLES)
def test_what_is_written_reads_the_same_and_is_found_on_its_line(tables: dict[str, dict[str, Any]]) -> None:
    text = "".join(toml_lines.table((name,), values) for name, values in tables.items())
    assert tomllib.loads(text) == tables
    lines = toml_lines.key_lines(text)
    assert set(lines) == places(tables)
    count = 0
    for name, values in tables.items():
        count += 1
        assert lines[name,] == count
        for key in values:
            count += 1
            assert lines[name, key] == count


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (float("inf"), "inf"),
        (1e16, "1e+16"),
        ([1, "a"], '[1, "a"]'),
        ((1.0, 2), "[1.0, 2]"),
        ({"env": "KEY", "a b": {}}, '{ env = "KEY", "a b" = {} }'),
        (datetime.date(2020, 1, 2), "2020-01-02"),
        ('"\\\n\x7fé', '"\\"\\\\\\n\\u007fé"'),
    ],
)
def test_a_value_is_written_on_one_line(value: Any, text: str) -> None:
    assert toml_lines.inline(value) == text
    assert tomllib.loads(f"x = {text}")["x"] == (list(value) if isinstance(value, tuple) else value)


def test_nesting_that_no_parser_takes_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "deep.toml"
    file.write_text("x = " + "[" * 5000)
    with pytest.raises(InputError, match=r"deep.toml: cannot be read as TOML: RecursionError"):
        toml_lines.read(file)
