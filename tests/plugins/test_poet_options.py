from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from aiga_poet import PoetOptions
from aiga_poet.options import deviations, misfits

CHANGED = ("minimal_criterion", "capacity", "children", "admit", "reproduce_every")


def values(options: PoetOptions) -> list[Any]:
    return [getattr(options, name) for name in CHANGED]


def test_the_defaults_are_the_papers() -> None:
    assert values(PoetOptions()) == [(50.0, 300.0), 20, 512, 3, 150]
    assert values(PoetOptions(preset="paper")) == values(PoetOptions())
    assert (PoetOptions().transfer_every, PoetOptions().reproduce_above, PoetOptions().episodes) == (25, 200.0, 5)


def test_a_preset_gives_what_was_not_given() -> None:
    assert values(PoetOptions(preset="original-code")) == [(25.0, 340.0), 25, 8, 1, 200]
    mixed = PoetOptions.model_validate({"preset": "original-code", "children": 16, "minimal_criterion": [50, 300]})
    assert values(mixed) == [(50.0, 300.0), 25, 16, 1, 200]


def test_resolved_options_resolve_to_themselves() -> None:
    options = PoetOptions(preset="original-code", capacity=7)
    assert PoetOptions.model_validate(options.model_dump()) == options


@pytest.mark.parametrize(
    ("band", "message"),
    [
        ([300, 50], "lower bound 300 must be below upper bound 50. Write [50, 300]."),
        ([80, 80], "lower bound 80 must be below upper bound 80. Write [50, 300]."),
    ],
)
def test_a_criterion_that_nothing_can_meet_is_refused_with_the_remedy(band: list[float], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        PoetOptions.model_validate({"minimal_criterion": band})
    (problem,) = caught.value.errors()
    assert (problem["loc"], str(problem["ctx"]["error"])) == (("minimal_criterion",), message)


@pytest.mark.parametrize(
    "given",
    [
        {"capacity": 0},
        {"children": 8.0},
        {"admit": True},
        {"episodes": "5"},
        {"preset": "dcd"},
        {"preset": ["paper"]},
        {"childern": 8},
        {"minimal_criterion": [50]},
        {"minimal_criterion": [float("nan"), 80]},
        {"minimal_criterion": ["50", "300"]},
    ],
)
def test_wrong_values_and_unknown_names_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        PoetOptions.model_validate(given)


@pytest.mark.parametrize(("preset", "normalise"), [("paper", True), ("original-code", False)])
def test_whether_novelty_is_normalised_comes_with_the_preset_unless_it_is_given(preset: str, normalise: bool) -> None:
    assert PoetOptions(preset=preset).normalise == normalise
    assert PoetOptions(preset=preset, normalise=not normalise).normalise != normalise


@pytest.mark.parametrize("options", [{}, {"preset": "original-code"}, {"transfer": False}])
def test_the_user_is_always_told_of_the_criterion_check_that_the_paper_does_not_have(options: dict[str, Any]) -> None:
    *others, last = deviations(PoetOptions(**options))
    assert last.startswith("beside the paper: ")
    assert "once more on fresh seeds" in last
    assert others


def test_bounds_beyond_a_domains_solved_score_are_told_with_a_remedy() -> None:
    assert misfits(PoetOptions(), 230.0) == []
    criterion, parents = misfits(PoetOptions(), 50.0)
    assert criterion.startswith("minimal_criterion [50, 300]: in this domain a score of 50 is solved")
    assert parents.startswith("reproduce_above 200: ")
    assert criterion.endswith("Write a lower one, such as 25.")
    assert misfits(PoetOptions(minimal_criterion=(10.0, 40.0), reproduce_above=20.0), 50.0) == []


def test_where_scores_are_negative_the_remedy_is_lower_still() -> None:
    assert all(line.endswith("such as -4.5.") for line in misfits(PoetOptions(), -2.996))
