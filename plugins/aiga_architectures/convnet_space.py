"""The architectures of ``convnet`` that a search may reach."""

from __future__ import annotations

import math
from typing import Any

from aiga.choices import Choices
from aiga.components import Structure
from aiga.spaces import ArchitectureSpace, Dice, Genome, choice, mixed
from aiga_architectures.cells import OPS
from aiga_architectures.flags import drawn_flags, flags, other_flags
from aiga_architectures.options import NODES, ConvnetOptions

_FLAGS = ("activation", "norm", "weight_norm")
_STATES = tuple(str(state) for state in range(1 + NODES))
Nodes = list[list[list[Any]]]


class ConvnetSpace(ArchitectureSpace):
    """Channels, cells, reductions, nodes, the activation and normalisations; see :class:`ArchitectureSpace`.

    The two steps of a node may be swapped, so they are kept in order; and some node uses state 0.
    """

    def __init__(self, structure: Structure, options: ConvnetOptions) -> None:
        super().__init__("convnet", structure, options.search)
        self._options = options

    def _drawn(self, dice: Choices) -> Genome:
        own, options = dict(self._base), self._options
        if "width" in self._search:
            own["channels"] = dice.width(*options.widths)
        if "depth" in self._search:
            own["cells"] = dice.integer(*options.depths)
            own["reductions"] = min(own["reductions"], own["cells"])
        if "reductions" in self._search:
            own["reductions"] = dice.integer(0, min(options.most_reductions, own["cells"]))
        if "nodes" in self._search:
            count = dice.integer(1, options.most_nodes)
            own["nodes"] = [[self._step(number, dice) for _ in range(2)] for number in range(count)]
        chosen = drawn_flags(options.activations, dice)
        return self._whole({**own, **{key: chosen[key] for key in _FLAGS if key in self._search}})

    def _changes(self, structure: Genome, dice: Dice) -> list[Genome]:
        options, cells, reductions = self._options, structure["cells"], structure["reductions"]
        changes = other_flags(structure, options.activations, dice)
        out = [changes[key] for key in _FLAGS if key in self._search]
        if "width" in self._search:
            out.append({"channels": dice.other_width(structure["channels"], *options.widths)})
        if "depth" in self._search:
            counts = [count for count in (cells - 1, cells + 1) if options.depths[0] <= count <= options.depths[1]]
            out += [{"cells": count, "reductions": min(reductions, count)} for count in counts]
        if "reductions" in self._search:
            most = min(options.most_reductions, cells)
            out += [{"reductions": count} for count in (reductions - 1, reductions + 1) if 0 <= count <= most]
        if "nodes" in self._search:
            out += [{"nodes": nodes} for nodes in self._other_nodes(structure["nodes"], dice)]
        return out

    def _other_nodes(self, nodes: Nodes, dice: Dice) -> list[Nodes]:
        """Another operation, another state, one node more, one less."""
        at, side = dice.integer(0, len(nodes) - 1), dice.integer(0, 1)
        state, op = nodes[at][side]
        states = [each for each in range(2 + at) if each != state]
        ops = [each for each in self._options.ops if each != op] or [op]
        steps = ([state, dice.pick(ops)], [dice.pick(states), op])
        out = [[*nodes[:at], self._paired(nodes[at], side, step), *nodes[at + 1 :]] for step in steps]
        if len(nodes) < self._options.most_nodes:
            out.append([*nodes, [self._step(len(nodes), dice) for _ in range(2)]])
        if len(nodes) > 1:
            out.append(_without(nodes, dice.integer(0, len(nodes) - 1)))
        return out

    @staticmethod
    def _paired(node: list[list[Any]], side: int, step: list[Any]) -> list[list[Any]]:
        return [step, node[1]] if side == 0 else [node[0], step]

    def _step(self, number: int, dice: Choices) -> list[Any]:
        """A step of a node."""
        return [dice.integer(0, 1 + number), dice.pick(self._options.ops)]

    def _crossed(self, one: Genome, other: Genome, dice: Dice) -> Genome:
        both = (one["nodes"], other["nodes"])
        count = len(dice.pick(both))
        # A node uses earlier states alone, so that it fits in its place whoever's it is.
        nodes = [dice.pick([each[at] for each in both if at < len(each)]) for at in range(count)]
        child = {**one, **mixed(one, other, ("channels", "cells", "reductions", *_FLAGS), dice), "nodes": nodes}
        return self._whole({**child, "reductions": min(child["reductions"], child["cells"])})

    def _whole(self, structure: Genome) -> Genome:
        nodes = [[list(step) for step in node] for node in structure["nodes"]]
        if all(state != 0 for node in nodes for state, _ in node):
            nodes[0][0][0] = 0
        return {**structure, "nodes": [sorted(node, key=lambda step: (step[0], OPS.index(step[1]))) for node in nodes]}

    def _described(self, structure: Structure) -> list[float]:
        nodes = self._whole(dict(structure))["nodes"]
        if len(nodes) > NODES:
            raise ValueError(f"a description of convnet has room for {NODES} nodes, found {len(nodes)}")
        out = [math.log2(structure["channels"]), float(structure["cells"]), float(structure["reductions"]), *flags(structure)]
        for node in nodes:
            out += [number for state, op in node for number in (*choice(str(state), _STATES), *choice(op, OPS))]
        return out + [0.0] * ((NODES - len(nodes)) * 2 * (len(_STATES) + len(OPS)))


def _without(nodes: Nodes, gone: int) -> Nodes:
    """The nodes but for one; who used it uses what it used first."""
    stand_in = nodes[gone][0][0]

    def state_of(state: int) -> int:
        return stand_in if state == 2 + gone else state - (state > 2 + gone)

    return [[[state_of(state), op] for state, op in node] for number, node in enumerate(nodes) if number != gone]
