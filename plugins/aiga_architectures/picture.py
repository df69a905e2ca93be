"""A picture of an architecture: boxes for what is computed, arrows for where it goes."""

from __future__ import annotations

from itertools import pairwise

from aiga.components import Structure
from aiga_architectures.cells import Plan, plan_of_structure
from aiga_architectures.drawing import Graph, drawn


def picture(structure: Structure) -> bytes:
    """A PNG file of a structure of ``perceptron``, ``convnet`` (one of its cells) or ``policy``."""
    if "nodes" in structure:
        graph = _cell(structure)
    elif "memory" in structure:
        graph = _policy(structure)
    else:
        graph = _layers(structure)
    return drawn(graph)


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
