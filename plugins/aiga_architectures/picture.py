"""A picture of an architecture: boxes for what is computed, arrows for where it goes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from aiga.art_style import HAZE, INK, RULE, SLATE, png, style
from aiga.components import Structure
from aiga_architectures.cells import Plan, plan_of_structure


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


def picture(structure: Structure) -> bytes:
    """A PNG file of a structure of ``perceptron``, ``convnet`` (one of its cells) or ``policy``."""
    if "nodes" in structure:
        graph = _cell(structure)
    elif "memory" in structure:
        graph = _policy(structure)
    else:
        graph = _layers(structure)
    return _drawn(graph)


def _layers(structure: Structure) -> Graph:
    sizes = [str(width) for width in structure["hidden"]]
    graph, names = Graph(title=_title(structure)), ["seen", *(f"layer {number}" for number in range(len(sizes))), "answer"]
    for column, (name, text) in enumerate(zip(names, ["seen", *sizes, "answer"], strict=True)):
        graph.boxes[name] = (text, column)
    graph.arrows = [(one, other, "") for one, other in pairwise(names)]
    if structure["skip"]:
        graph.arrows += [("seen", name, "") for name in names[2:]]
    return graph


def _policy(structure: Structure) -> Graph:
    seen = ["seen", *["reward"] * structure["reward"], *["previous action"] * structure["previous_action"]]
    memory = {"none": ""}.get(structure["memory"], f"\n{structure['memory']}")
    answers = ["answer", *["value"] * structure["value"]]
    graph = Graph(title=structure["activation"])
    graph.boxes = {"units": (f"{structure['hidden']}{memory}", 1)}
    graph.boxes |= {name: (name, 0) for name in seen} | {name: (name, 2) for name in answers}
    graph.arrows = [(name, "units", "") for name in seen] + [("units", name, "") for name in answers]
    return graph


def _cell(structure: Structure) -> Graph:
    plan: Plan = plan_of_structure(structure, "linear")
    halved = f", {plan.reductions} of them halving" if plan.reductions else ""
    graph = Graph(title=f"{structure['channels']} channels, cells: {plan.cells}{halved}, {_title(structure)}")
    graph.boxes = {str(state): (("cell before", "the one before")[state], 0) for state in plan.inputs}
    for number, node in enumerate(plan.nodes):
        state = str(2 + number)
        graph.boxes[state] = (state, 1 + max(graph.boxes[str(source)][1] for source, _ in node))
        graph.arrows += [(str(source), state, op) for source, op in node]
    last = 1 + max(column for _, column in graph.boxes.values())
    graph.boxes["answer"] = ("answer", last)
    graph.arrows += [(str(state), "answer", "") for state in plan.loose]
    return graph


def _title(structure: Structure) -> str:
    norms = [*["mean"] * (structure["norm"] == "mean"), *["weights"] * bool(structure["weight_norm"])]
    return f"{structure['activation']}" + (f", normalised: {' and '.join(norms)}" if norms else "")


def _drawn(graph: Graph) -> bytes:
    columns = Counter(column for _, column in graph.boxes.values())
    across, down = len(columns), max(columns.values())
    place: dict[str, tuple[float, float]] = {}
    taken: Counter[int] = Counter()
    for name, (_, column) in graph.boxes.items():
        # Columns are staggered a little, so that arrows past a box do not run through it.
        place[name] = (column, (columns[column] - 1) / 2 - taken[column] + 0.18 * (column % 2))
        taken[column] += 1
    with style():
        from matplotlib.figure import Figure

        figure = Figure(figsize=(0.6 + 1.6 * across, 0.8 + 1.0 * down), layout="constrained")
        axes = figure.subplots()
        axes.set_axis_off()
        axes.set_title(graph.title, loc="left", color=SLATE)
        axes.set_xlim(-0.5, across - 0.5)
        axes.set_ylim(-down / 2 - 0.2, down / 2 + 0.3)
        bends: Counter[tuple[str, str]] = Counter()
        for source, target, text in graph.arrows:
            far = graph.boxes[target][1] - graph.boxes[source][1] > 1
            bend = (-0.3 if far else 0.0) + 0.35 * bends[source, target]
            bends[source, target] += 1
            _arrow(axes, place[source], place[target], text, bend)
        for name, (text, _) in graph.boxes.items():
            box = {"boxstyle": "round,pad=0.5", "facecolor": "white", "edgecolor": HAZE}
            axes.text(*place[name], text, ha="center", va="center", color=INK, bbox=box, zorder=3)
        return png(figure)


def _arrow(axes: Any, start: tuple[float, float], end: tuple[float, float], text: str, bend: float) -> None:
    """From one place to another, bent upwards where ``bend`` is below zero; ``text`` is written in its middle."""
    shape = {"arrowstyle": "-|>", "color": HAZE, "shrinkA": 14, "shrinkB": 18, "connectionstyle": f"arc3,rad={bend}"}
    axes.annotate("", xy=end, xytext=start, arrowprops=shape)
    if text:
        (x, y), (across, up) = start, (end[0] - start[0], end[1] - start[1])
        middle = (x + 0.5 * across + 0.5 * bend * up, y + 0.5 * up - 0.5 * bend * across)
        box = {"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": RULE, "lw": 0.5}
        axes.text(*middle, text, ha="center", va="center", fontsize=6.5, color=SLATE, bbox=box, zorder=4)
