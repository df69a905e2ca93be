"""How a graph is laid out: boxes in columns from left to right, arrows bent around boxes that stand in their way."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from aiga.art_style import HAZE, INK, RULE, SLATE, png, style

ACROSS, DOWN = 1.5, 0.8  # inches from column to column, and from box to box of a column
HEAD, MARGIN = 0.2, 0.15  # inches for the title, and around everything
BENDS = tuple(sign * size for size in (0.0, 0.2, 0.3, 0.4, 0.5, 0.65) for sign in (-1, 1))  # below zero is upwards
TWIN = 0.25  # difference of the bends of two arrows between the same boxes
ALONG = (0.5, 0.6, 0.4, 0.68, 0.32, 0.76, 0.24)  # where on its arrow a text may stand


@dataclass
class Graph:
    """What is drawn.

    Attributes:
        boxes: by name: what is written in each, and the column it stands in, from left to right.
        arrows: from, to, and what is written beside.
        title: what is written above.
    """

    boxes: dict[str, tuple[str, int]] = field(default_factory=dict)
    arrows: list[tuple[str, str, str]] = field(default_factory=list)
    title: str = ""


@dataclass(frozen=True)
class _Block:
    """A rectangle that something stands in: its middle and half its sides, in inches."""

    x: float
    y: float
    wide: float
    high: float

    @staticmethod
    def of_box(text: str, x: float, y: float) -> _Block:
        lines = text.split("\n")
        return _Block(x, y, 0.07 + 0.038 * max(map(len, lines)), 0.06 + 0.07 * len(lines))

    def apart(self, x: float, y: float) -> float:
        """How far a place is from the rectangle; below zero within."""
        return max(abs(x - self.x) - self.wide, abs(y - self.y) - self.high)

    def meets(self, other: _Block) -> bool:
        """Whether the two overlap."""
        return abs(self.x - other.x) < self.wide + other.wide and abs(self.y - other.y) < self.high + other.high


@dataclass(frozen=True)
class _Arc:
    """From one place to another, bent upwards where ``bend`` is below zero."""

    start: tuple[float, float]
    end: tuple[float, float]
    bend: float

    def at(self, share: float) -> tuple[float, float]:
        """A place on it, as matplotlib's ``arc3`` has it."""
        (x, y), (u, v) = self.start, self.end
        middle = ((x + u) / 2 + self.bend * (v - y), (y + v) / 2 - self.bend * (u - x))
        one, two, three = (1 - share) ** 2, 2 * share * (1 - share), share**2
        return one * x + two * middle[0] + three * u, one * y + two * middle[1] + three * v

    def apart(self, blocks: list[_Block]) -> float:
        """The least distance of a place on it from any of these."""
        places = [self.at(step / 24) for step in range(1, 24)]
        return min((block.apart(*place) for block in blocks for place in places), default=math.inf)


def drawn(graph: Graph) -> bytes:
    """A PNG file."""
    boxes = dict(_placed(graph))
    arcs, texts = list[_Arc](), list[_Block]()
    for source, target, text in graph.arrows:
        arc = _arc(boxes, source, target, arcs)
        arcs.append(arc)
        texts.append(_text(text, arc, [*boxes.values(), *texts]))
    everything = [*boxes.values(), *texts, *(_Block(*arc.at(0.5), 0.0, 0.0) for arc in arcs)]
    left, right = (min(b.x - b.wide for b in everything), max(b.x + b.wide for b in everything))
    low, high = (min(b.y - b.high for b in everything), max(b.y + b.high for b in everything))
    wide, tall = max(right - left, 0.068 * len(graph.title)) + 2 * MARGIN, high - low + HEAD + 2 * MARGIN
    with style():
        from matplotlib.figure import Figure

        figure = Figure(figsize=(wide, tall))
        axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        axes.set_axis_off()
        axes.set_xlim(left - MARGIN, left - MARGIN + wide)
        axes.set_ylim(low - MARGIN, low - MARGIN + tall)
        axes.text(left, high + MARGIN, graph.title, color=SLATE, va="bottom")
        patches = {}
        for name, (text, _) in graph.boxes.items():
            box = {"boxstyle": "round,pad=0.4", "facecolor": "white", "edgecolor": HAZE}
            label = axes.text(boxes[name].x, boxes[name].y, text, ha="center", va="center", color=INK, bbox=box, zorder=3)
            patches[name] = label.get_bbox_patch()
        figure.draw_without_rendering()  # boxes have their size once they were drawn
        for (source, target, text), arc, block in zip(graph.arrows, arcs, texts, strict=True):
            _arrow(axes, arc, patches[source], patches[target])
            if text:
                frame = {"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": RULE, "lw": 0.5}
                axes.text(block.x, block.y, text, ha="center", va="center", fontsize=6.5, color=SLATE, bbox=frame, zorder=4)
        return png(figure)


def _placed(graph: Graph) -> Iterator[tuple[str, _Block]]:
    """Where each box stands: columns are centred."""
    columns, taken = Counter(column for _, column in graph.boxes.values()), Counter[int]()
    for name, (text, column) in graph.boxes.items():
        yield name, _Block.of_box(text, column * ACROSS, ((columns[column] - 1) / 2 - taken[column]) * DOWN)
        taken[column] += 1


def _arc(boxes: dict[str, _Block], source: str, target: str, others: list[_Arc]) -> _Arc:
    """The straightest arrow that passes no box and keeps off its twins; the one that passes widest where all meet one."""
    ends = [(boxes[name].x, boxes[name].y) for name in (source, target)]
    away = [block for name, block in boxes.items() if name not in (source, target)]
    taken = [arc.bend for arc in others if [arc.start, arc.end] == ends]
    free = [_Arc(ends[0], ends[1], bend) for bend in BENDS if all(abs(bend - other) > TWIN for other in taken)]
    clear = [arc for arc in free if arc.apart(away) > 0.06]
    return clear[0] if clear else max(free, key=lambda arc: arc.apart(away))


def _text(text: str, arc: _Arc, others: list[_Block]) -> _Block:
    """Where what is written on an arrow stands: in its middle, or beside that where something else is."""
    if not text:
        return _Block(*arc.at(0.5), 0.0, 0.0)
    blocks = [_Block(*arc.at(share), 0.03 + 0.029 * len(text), 0.065) for share in ALONG]
    return next((block for block in blocks if not any(block.meets(other) for other in others)), blocks[0])


def _arrow(axes: Any, arc: _Arc, source: Any, target: Any) -> None:
    """From the edge of one box to the edge of another."""
    shape = {"arrowstyle": "-|>", "color": HAZE, "patchA": source, "patchB": target, "shrinkA": 2, "shrinkB": 3}
    axes.annotate("", xy=arc.end, xytext=arc.start, arrowprops={**shape, "connectionstyle": f"arc3,rad={arc.bend}"})
