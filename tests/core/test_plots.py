"""Pictures of experiments, as files that can be opened."""

from __future__ import annotations

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from aiga.plots import COLOURS, HEADING, Cloud, scatter, sheet


def pixels(content: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


def file(high: int, wide: int, shade: int) -> bytes:
    content = io.BytesIO()
    Image.fromarray(np.full((high, wide, 3), shade, np.uint8)).save(content, "png")
    return content.getvalue()


def cloud(**points: list[tuple[float, float]]) -> Cloud:
    columns = {name: (np.array([x for x, _ in some]), np.array([y for _, y in some])) for name, some in points.items()}
    return Cloud("title", "x", "y", columns)


def of_colour(picture: NDArray[np.uint8], colour: str) -> int:
    """Pixels in which this colour shows through, dots being a little transparent."""
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    wanted = np.array([255 - 0.65 * (255 - part) for part in (red, green, blue)])
    return int((np.abs(picture - wanted).max(axis=2) < 4).sum())


def test_dots_of_a_name_have_one_colour_in_every_panel() -> None:
    alone = of_colour(pixels(scatter(cloud(b=[(0.0, 1.0), (1.0, 2.0)]))), COLOURS[0])
    both = pixels(scatter(cloud(b=[(0.0, 1.0), (1.0, 2.0)]), cloud(b=[(0.0, 1.0), (1.0, 2.0)])))
    assert alone > 0
    assert of_colour(both, COLOURS[0]) == pytest.approx(2 * alone, rel=0.3)
    other = pixels(scatter(cloud(a=[(0.0, 1.0)], b=[(1.0, 2.0)])))
    assert of_colour(other, COLOURS[0]) > 0 < of_colour(other, COLOURS[1])


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_what_is_not_finite_is_no_dot(bad: float) -> None:
    some = [(1.0, 1.0), (2.0, 2.0)]
    assert scatter(cloud(a=[*some, (bad, 1.0), (1.0, bad)])) == scatter(cloud(a=some))


def test_a_logarithmic_axis_over_less_than_a_decade_has_ticks_as_plain_numbers() -> None:
    points = {"a": (np.array([300.0, 900.0]), np.array([1.0, 2.0]))}
    assert scatter(Cloud("t", "x", "y", points, log=True)) != scatter(Cloud("t", "x", "y", points))


def test_a_sheet_holds_its_files_pixel_by_pixel_under_their_headings() -> None:
    picture = pixels(sheet([("one", file(60, 200, 10)), ("two", file(90, 300, 20)), ("three", file(80, 300, 30))]))
    assert picture.shape == (HEADING + 90 + HEADING + 80, 600, 3)  # two beside one another, and one below
    assert (picture[HEADING : HEADING + 60, :200] == 10).all()
    assert (picture[HEADING : HEADING + 60, 200:300] == 255).all()
    assert (picture[HEADING : HEADING + 90, 300:] == 20).all()
    assert (picture[-80:, :300] == 30).all()
    assert (picture[-80:, 300:] == 255).all()
    assert (picture[:HEADING] < 100).any()


def test_high_files_stand_beside_one_another() -> None:
    assert pixels(sheet([("", file(400, 200, 10))] * 3)).shape == (HEADING + 400, 600, 3)
