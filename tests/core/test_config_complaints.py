"""What a plugin's options model complains of, in plain words."""

from __future__ import annotations

import json
from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from aiga.complaints import Complaints, Source, closest, did_you_mean, explain, spell
from aiga.config import Duration
from aiga.errors import InputError


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    depth: int = 1


class Model(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    size: int = Field(default=512, ge=1)
    rate: float = Field(default=0.5, gt=0, le=1)
    steps: int = Field(default=3, ge=1, le=9)
    band: tuple[float, float] = (50, 300)
    pair: tuple[str, int] = ("a", 1)
    preset: Literal["paper", "original-code"] = "paper"
    colour: Colour = Colour.RED
    on: bool = True
    path: str | None = None
    either: Annotated[int, Field(ge=0)] | Literal["auto"] = "auto"
    every: Duration | int = 1
    weights: dict[str, float] = Field(default_factory=dict)
    inner: Inner = Inner()
    inners: list[Inner] = Field(default_factory=list)
    sizes: list[int] = Field(default=[1], min_length=1, max_length=3)
    needed: str = Field(default="x", json_schema_extra={"words": "the name of a colour"})

    @field_validator("band")
    @classmethod
    def _order(cls, band: tuple[float, float]) -> tuple[float, float]:
        low, high = band
        if low >= high:
            raise ValueError(f"lower bound {low:g} must be below upper bound {high:g}. Write [{high:g}, {low:g}].")
        return band

    @model_validator(mode="after")
    def _together(self) -> Model:
        if self.steps > self.size:
            raise ValueError("more steps than size; lower one")
        return self


CASES: dict[str, tuple[dict[str, Any], str, str]] = {
    "least": ({"size": 0}, "size", "found 0. Write a whole number of at least 1; the default is 512."),
    "between": ({"rate": 2}, "rate", "found 2. Write a number above 0 and at most 1; the default is 0.5."),
    "range": ({"steps": 10}, "steps", "found 10. Write a whole number from 1 to 9; the default is 3."),
    "fraction": ({"size": 1.5}, "size", "found 1.5. Write a whole number of at least 1; the default is 512."),
    "too short": ({"band": [50]}, "band", "found [50]. Write a list of 2 numbers; the default is [50, 300]."),
    "too long": ({"band": [1, 2, 3]}, "band", "found [1, 2, 3]. Write a list of 2 numbers; the default is [50, 300]."),
    "item": ({"band": [1, "b"]}, "band[1]", 'found "b". Write a number.'),
    "own words": ({"band": [300, 50]}, "band", "lower bound 300 must be below upper bound 50. Write [50, 300]."),
    "mixed": ({"pair": 3}, "pair", 'found 3. Write a list of a string and a whole number; the default is ["a", 1].'),
    "choice": (
        {"preset": "papper"},
        "preset",
        'found "papper". Did you mean "paper"? Write "paper" or "original-code"; the default is "paper".',
    ),
    "enum": ({"colour": "rad"}, "colour", 'found "rad". Did you mean "red"? Write "red" or "blue"; the default is "red".'),
    "truth": ({"on": "yes"}, "on", 'found "yes". Write true or false; the default is true.'),
    "optional": ({"path": 3}, "path", "found 3. Write a string, or leave it out."),
    "union": (
        {"either": "autom"},
        "either",
        'found "autom". Did you mean "auto"? Write a whole number of at least 0 or "auto"; the default is "auto".',
    ),
    "duration": (
        {"every": "5x"},
        "every",
        'found "5x". Write a duration such as "90s", "5m" or "1h30m" or a whole number; the default is 1.',
    ),
    "value of a table": ({"weights": {"a": "b"}}, "weights.a", 'found "b". Write a number.'),
    "deep slip": ({"inner": {"dept": 1}}, "inner.dept", "unknown option. Did you mean depth?"),
    "deep in a list": (
        {"inners": [{}, {"depth": "x"}]},
        "inners[1].depth",
        'found "x". Write a whole number; the default is 1.',
    ),
    "bounded list": (
        {"sizes": [1, 2, 3, 4]},
        "sizes",
        "found [1, 2, 3, 4]. Write a list of at least 1 and at most 3 whole numbers; the default is [1].",
    ),
    "words": ({"needed": 3}, "needed", 'found 3. Write the name of a colour; the default is "x".'),
    "long": ({"path": ["x" * 99]}, "path", f'found ["{"x" * 55}.... Write a string, or leave it out.'),
    "slip": ({"SIZE": 1}, "SIZE", "unknown option. Did you mean size?"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_wrong_option_is_explained(case: str) -> None:
    raw, where, message = CASES[case]
    with pytest.raises(ValidationError) as caught:
        Model.model_validate_json(json.dumps(raw))
    found = [
        (spell(("plugins", "p", "options", *place)), text) for place, text, _ in explain(caught.value, Model, raw, "option")
    ]
    assert found == [(f"[plugins.p.options] {where}", message)]


def test_what_concerns_several_options_is_said_of_their_table() -> None:
    raw = {"size": 1, "steps": 3}
    with pytest.raises(ValidationError) as caught:
        Model.model_validate(raw)
    assert list(explain(caught.value, Model, raw)) == [((), "more steps than size; lower one.", True)]


def test_an_option_that_must_be_given_is_missed() -> None:
    class Needy(BaseModel):
        token: str
        level: int = Field(ge=1)

    with pytest.raises(ValidationError) as caught:
        Needy.model_validate({})
    assert list(explain(caught.value, Needy, {})) == [
        (("token",), "missing. Write a string.", False),
        (("level",), "missing. Write a whole number of at least 1.", False),
    ]


def test_a_type_without_a_schema_is_explained_in_pydantics_words() -> None:
    class Odd(BaseModel):
        model_config = ConfigDict(arbitrary_types_allowed=True)
        thing: complex
        other: Complaints | None = None

    with pytest.raises(ValidationError) as caught:
        Odd.model_validate({"thing": "x"})
    assert [place for place, _, _ in explain(caught.value, Odd, {"thing": "x"})] == [("thing",)]


def test_a_slip_is_recognised_whatever_its_capitals_and_hyphens() -> None:
    assert closest("Original_Code", ["paper", "original-code"]) == "original-code"
    assert closest("zzz", ["paper"]) is None
    assert did_you_mean("zzz", ["a", "b"], quote='"') == 'There are: "a", "b".'
    assert did_you_mean("zzz", ["a"]) == "There is: a."
    assert did_you_mean("zzz", []) == "There is none."


def test_one_mistake_seen_twice_is_told_once() -> None:
    complaints = Complaints(Source("f", {("a",): 2}))
    complaints.add(("a",), "bad.")
    complaints.add(("a",), "bad.")
    with pytest.raises(InputError) as caught:
        complaints.check()
    assert caught.value.problems == ("f:2: a: bad.",)
