"""Where boxes and arrows of a graph stand."""

from __future__ import annotations

import io

from PIL import Image

from aiga_architectures.drawing import Graph, _arc, _placed, _text, drawn

ROW = Graph({"a": ("a", 0), "b": ("b", 1), "c": ("c", 2), "d": ("d", 3)})


def test_columns_stand_from_left_to_right_and_are_centred() -> None:
    boxes = dict(_placed(Graph({"a": ("a", 0), "b": ("b", 1), "c": ("c", 1)})))
    assert boxes["a"].x < boxes["b"].x == boxes["c"].x
    assert boxes["b"].y + boxes["c"].y == 2 * boxes["a"].y


def test_an_arrow_is_straight_unless_a_box_stands_in_its_way() -> None:
    boxes = dict(_placed(ROW))
    assert _arc(boxes, "a", "b", []).bend == 0.0
    past = _arc(boxes, "a", "d", [])
    assert past.bend != 0.0
    assert past.apart([boxes["b"], boxes["c"]]) > 0.0


def test_two_arrows_between_the_same_boxes_keep_apart() -> None:
    boxes = dict(_placed(ROW))
    one = _arc(boxes, "a", "b", [])
    other = _arc(boxes, "a", "b", [one])
    assert abs(one.at(0.5)[1] - other.at(0.5)[1]) > 0.15


def test_a_text_makes_room_for_one_that_is_there_already() -> None:
    boxes = dict(_placed(ROW))
    arc = _arc(boxes, "a", "b", [])
    first = _text("conv3", arc, [])
    assert not _text("conv3", arc, [first]).meets(first)


def test_the_picture_is_as_large_as_what_is_in_it() -> None:
    small = Image.open(io.BytesIO(drawn(Graph({"a": ("a", 0)})))).size
    large = Image.open(io.BytesIO(drawn(Graph(ROW.boxes, [("a", "d", "far"), ("a", "b", "")], "title")))).size
    assert large[0] > 3 * small[0]
    assert large[1] > small[1]
