"""How a convolutional network is put together of cells, and how its architecture is read off its leaves.

A cell (Zoph et al. 2018; as Generative Teaching Networks search over them) has two inputs, the answers of the two cells before;
each of its nodes adds up what two operations make of two earlier states; what no node uses is the cell's answer. All cells of
a network have the same nodes. A cell that reduces halves the picture and doubles the channels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Final, Literal, NamedTuple

from aiga.components import Layout, Structure
from aiga_architectures.activations import known
from aiga_architectures.normalising import checked

Op = Literal["identity", "conv1", "conv3", "conv1x3", "conv1x7", "max2", "max3", "max5", "avg2", "avg3", "avg5"]
Step = tuple[int, str]  # number of an earlier state, 0 and 1 being the cell's inputs; operation
Node = tuple[Step, Step]

# Sizes of the convolutions that each operation is made of.
KERNELS: Final[Mapping[str, tuple[tuple[int, int], ...]]] = {
    "conv1": ((1, 1),),
    "conv3": ((3, 3),),
    "conv1x3": ((1, 3), (3, 1)),
    "conv1x7": ((1, 7), (7, 1)),
}
POOLS: Final[Mapping[str, tuple[str, int]]] = {f"{what}{side}": (what, side) for what in ("max", "avg") for side in (2, 3, 5)}
OPS: Final = ("identity", *KERNELS, *POOLS)


class Unit(NamedTuple):
    """A convolution with what belongs to it: its leaves are ``{name}.kernel``, ``.bias`` and perhaps ``.gain``."""

    name: str
    seen: int
    channels: int
    size: tuple[int, int]


@dataclass(frozen=True)
class Plan:
    """An architecture but for its channels.

    Attributes:
        squash: ``tanh`` or ``linear``, of the answer.
        activation: of every convolution.
        mean: whether sums are normalised by their mean.
        normed: whether weights are normalised by their length.
        cells: how many.
        reductions: how many of them reduce.
        nodes: of every cell.
    """

    squash: str
    activation: str
    mean: bool
    normed: bool
    cells: int
    reductions: int
    nodes: tuple[Node, ...]

    @cached_property
    def reducing(self) -> frozenset[int]:
        """The cells that reduce, spread evenly."""
        return frozenset((turn + 1) * self.cells // (self.reductions + 1) for turn in range(self.reductions))

    @cached_property
    def inputs(self) -> tuple[int, ...]:
        """Which of a cell's two inputs its nodes use."""
        used = {state for node in self.nodes for state, _ in node}
        return tuple(state for state in (0, 1) if state in used)

    @cached_property
    def loose(self) -> tuple[int, ...]:
        """The states of a cell that no later node uses: nodes alone."""
        used = {state for node in self.nodes for state, _ in node}
        return tuple(state for state in range(2, 2 + len(self.nodes)) if state not in used)

    @property
    def head(self) -> str:
        """What the names of the head's leaves begin with; they tell the plan."""
        nodes = "_".join("-".join(f"{state}{op}" for state, op in node) for node in self.nodes)
        norm = "mean" if self.mean else "none"
        return f"head.{self.squash}.{self.activation}.{norm}.{self.cells}.{self.reductions}.{nodes}"

    def units(self, seen: int, channels: int) -> list[Unit]:
        """All convolutions of a network that sees ``seen`` channels."""
        found, before, wide = [Unit("stem", seen, channels, (3, 3))], (channels, channels), channels
        for cell in range(self.cells):
            wide *= 2 if cell in self.reducing else 1
            found += [Unit(entering(cell, state), before[state], wide, (1, 1)) for state in self.inputs]
            for number, node in enumerate(self.nodes):
                for side, (_, op) in enumerate(node):
                    sizes = enumerate(KERNELS.get(op, ()))
                    found += [Unit(operating(cell, number, side, turn), wide, wide, size) for turn, size in sizes]
            before = (wide, before[0])
        return found


def entering(cell: int, state: int) -> str:
    """Name of the convolution through which a cell gets its input."""
    return f"cell{cell:02d}.in{state}"


def operating(cell: int, node: int, side: int, turn: int) -> str:
    """Name of a convolution of a node's first or second operation."""
    return f"cell{cell:02d}.node{node:02d}.{side}.{turn}"


def plan_of_structure(structure: Structure, squash: str) -> Plan:
    """The plan of a structure.

    Raises:
        ValueError: for a structure of another version, or of what there is not.
    """
    if structure.get("version") != 1:
        raise ValueError(f"convnet reads structures of version 1, found version {structure.get('version')!r}")
    activation, mean = known("convnet", structure["activation"]), checked("convnet", structure["norm"])
    channels, cells, reductions = structure["channels"], structure["cells"], structure["reductions"]
    if channels < 1 or cells < 1 or not 0 <= reductions <= cells:
        raise ValueError(
            f"convnet has at least one channel and one cell, and reduces at most once a cell; found channels {channels}, "
            f"cells {cells}, reductions {reductions}"
        )
    nodes = nodes_of(structure["nodes"])
    return Plan(squash, activation, mean, bool(structure["weight_norm"]), cells, reductions, nodes)


def nodes_of_text(lines: Sequence[str]) -> list[list[list[Any]]]:
    """Nodes as JSON, from lines such as ``0 conv3 + 1 identity``.

    Raises:
        ValueError: for a line that is not so, and as :func:`nodes_of` does.
    """
    nodes = []
    for line in lines:
        steps = [step.split() for step in line.split("+")]
        if any(len(step) != 2 or not step[0].isdigit() for step in steps):
            raise ValueError(f'a node is two earlier states with an operation each, such as "0 conv3 + 1 max3"; found {line!r}')
        nodes.append([[int(state), op] for state, op in steps])
    nodes_of(nodes)
    return nodes


def nodes_of(given: Sequence[Any]) -> tuple[Node, ...]:
    """Nodes from JSON.

    Raises:
        ValueError: where there are none, a node has not two steps, a step names a later state or no operation, or no step
            names state 0.
    """
    nodes = tuple(tuple((int(state), str(op)) for state, op in node) for node in given)
    if not nodes:
        raise ValueError("a cell of convnet has at least one node")
    for number, node in enumerate(nodes):
        if len(node) != 2:
            raise ValueError(f"a node of convnet has two operations, node {number} has {len(node)}")
        for state, op in node:
            if not 0 <= state < 2 + number:
                raise ValueError(f"node {number} of convnet comes after states 0 to {1 + number}, found {state}")
            if op not in OPS:
                raise ValueError(f"convnet has no operation {op!r}; it has {', '.join(OPS)}")
    if all(state != 0 for node in nodes for state, _ in node):  # what nothing uses has no gradient
        raise ValueError("no node of convnet uses state 0, the answer of the cell before")
    return nodes  # type: ignore[return-value]


def plan_of(names: Layout | Mapping[str, Any]) -> Plan:
    """The plan of agents with these leaves."""
    (head,) = (name for name in names if name.startswith("head.") and name.endswith(".weight"))
    return _plan(head, "stem.gain" in names)


@lru_cache(maxsize=1024)
def _plan(head: str, normed: bool) -> Plan:
    _, squash, activation, norm, cells, reductions, nodes, _ = head.split(".")
    steps = (tuple((int(state), op) for state, op in _steps(node)) for node in nodes.split("_"))
    return Plan(squash, activation, norm == "mean", normed, int(cells), int(reductions), tuple(steps))  # type: ignore[arg-type]


def _steps(node: str) -> list[tuple[str, str]]:
    """Number and operation of each step of ``0conv3-11max3``."""
    out = []
    for step in node.split("-"):
        digits = len(step) - len(step.lstrip("0123456789"))
        out.append((step[:digits], step[digits:]))
    return out
