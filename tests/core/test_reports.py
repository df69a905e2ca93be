"""Reports as a person reads them."""

from __future__ import annotations

from aiga import Report


def test_a_table_says_what_several_values_stand_for() -> None:
    report = Report("what", {"one": {"error %": (3.0, 1.0, 2.0)}, "chance": {"error %": (25.0,)}}, notes=("a note",))
    lines = report.lines()
    assert lines[3] == "one     2 (1 to 3)"
    assert lines[4] == "chance          25"
    assert lines[-2:] == ["median (lowest to highest) over the agents of each row", "a note"]


def test_single_values_need_no_explanation() -> None:
    assert Report("what", {"one": {"error %": (3.0,)}}).lines()[-1] == "one        3"


def test_columns_are_those_of_all_rows_and_what_is_missing_is_a_dash() -> None:
    report = Report("what", {"one": {"a": (1.0,)}, "two": {"b": (float("nan"),)}})
    assert report.columns == ("a", "b")
    assert report.lines()[3].split() == ["one", "1", "-"]
    assert report.plain()["rows"]["two"] == {"b": [None]}


def test_values_that_are_no_numbers_are_counted_beside_those_that_are() -> None:
    nan = float("nan")
    report = Report("what", {"some": {"a": (nan, 1.0, 3.0)}, "none": {"a": (nan, nan)}})
    assert report.lines()[3].split(maxsplit=1)[1] == "2 (1 to 3), 1 of 3 no numbers"
    assert report.lines()[4].split(maxsplit=1)[1] == "2 of 2 no numbers"
