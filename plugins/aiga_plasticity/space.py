"""The architectures of recurrent and plastic networks that a search may reach."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

from aiga.choices import Choices
from aiga.components import Structure
from aiga.spaces import ArchitectureSpace, Dice, Genome, choice, mixed
from aiga_plasticity.options import SearchedOptions
from aiga_plasticity.rules import LIMITS, MODULATIONS, RULES
from aiga_plasticity.wiring import UNITS

CHOICES: Final[dict[str, Sequence[Any]]] = {
    "alpha": ("shared", "connection"),
    "rule": RULES,
    "modulation": MODULATIONS,
    "limit": LIMITS,
    "fan_out": (False, True),
}
_SEEN: Final = ("reward", "previous_action", "target", "value")


class RecurrentSpace(ArchitectureSpace):
    """The width and, of networks with traces, how these come about; see :class:`aiga.spaces.ArchitectureSpace`.

    Wired networks are none of it: their width hangs on what they perceive.
    """

    def __init__(self, name: str, structure: Structure, options: SearchedOptions) -> None:
        super().__init__(name, structure, options.search)
        self._widths = options.widths
        self._known = {key: of for key, of in CHOICES.items() if key in structure}

    def _drawn(self, dice: Choices) -> Genome:
        width = {"units": dice.width(*self._widths)} if "width" in self._search else {}
        return {**self._base, **width, **{key: dice.pick(of) for key, of in self._known.items() if key in self._search}}

    def _changes(self, structure: Genome, dice: Dice) -> list[Genome]:
        out: list[Genome] = []
        if "width" in self._search:
            out.append({"units": dice.other_width(_units(structure), *self._widths)})
        for key, of in self._known.items():
            if key in self._search:
                out.append({key: dice.pick([each for each in of if each != structure[key]])})
        return out

    def _crossed(self, one: Genome, other: Genome, dice: Dice) -> Genome:
        return {**one, **mixed(one, other, ("units", *self._known), dice)}

    def _described(self, structure: Structure) -> list[float]:
        out = [math.log2(_units(structure)), math.log2(structure.get("bound", 1.0))]
        # Agents of before there were targets have structures without one.
        out += [float(structure.get(key, False)) for key in _SEEN]
        return out + [number for key, of in self._known.items() for number in choice(structure[key], of)]


def _units(structure: Structure) -> int:
    if structure["wiring"] != "projected":
        raise ValueError(f'only networks with wiring "projected" are searched, found "{structure["wiring"]}"')
    return UNITS if structure["units"] is None else int(structure["units"])
