"""The architectures of ``policy`` that a search may reach."""

from __future__ import annotations

import math

from aiga.choices import Choices
from aiga.components import Structure
from aiga.spaces import ArchitectureSpace, Dice, Genome, choice, mixed
from aiga_architectures.activations import ACTIVATIONS
from aiga_architectures.options import MEMORIES, PolicyOptions

_SENSES = ("reward", "previous_action")
_PARTS = ("hidden", "memory", "activation", *_SENSES, "value")


class PolicySpace(ArchitectureSpace):
    """The width, the memory, the activation and what is perceived; see :class:`ArchitectureSpace`."""

    def __init__(self, structure: Structure, options: PolicyOptions) -> None:
        super().__init__("policy", structure, options.search)
        self._widths, self._memories, self._activations = options.widths, options.memories, options.activations

    def _drawn(self, dice: Choices) -> Genome:
        chosen = {
            "hidden": dice.width(*self._widths),
            "memory": dice.pick(self._memories),
            "activation": dice.pick(self._activations),
            **{key: dice.pick((True, False)) for key in _SENSES},
        }
        searched = {"hidden": "width" in self._search, **{key: key in self._search for key in _PARTS[1:]}}
        return {**self._base, **{key: value for key, value in chosen.items() if searched[key]}}

    def _changes(self, structure: Genome, dice: Dice) -> list[Genome]:
        out: list[Genome] = [{key: not structure[key]} for key in _SENSES if key in self._search]
        if "width" in self._search:
            out.append({"hidden": dice.other_width(structure["hidden"], *self._widths)})
        for key, known in (("memory", self._memories), ("activation", self._activations)):
            if key in self._search:
                out.append({key: dice.pick([each for each in known if each != structure[key]] or [structure[key]])})
        return out

    def _crossed(self, one: Genome, other: Genome, dice: Dice) -> Genome:
        return {**one, **mixed(one, other, _PARTS, dice)}

    def _described(self, structure: Structure) -> list[float]:
        known = [*choice(structure["memory"], MEMORIES), *choice(structure["activation"], tuple(ACTIVATIONS))]
        return [math.log2(structure["hidden"]), *known, *(float(structure[key]) for key in (*_SENSES, "value"))]
