"""The architectures of ``perceptron`` that a search may reach."""

from __future__ import annotations

import math

from aiga.choices import Choices
from aiga.components import Structure
from aiga.spaces import ArchitectureSpace, Dice, Genome, mixed
from aiga_architectures.flags import drawn_flags, flags, other_flags
from aiga_architectures.options import DEPTH, PerceptronOptions

_FLAGS = ("activation", "skip", "norm", "weight_norm")


class PerceptronSpace(ArchitectureSpace):
    """Widths of layers, how many there are, the activation, skips and normalisations; see :class:`ArchitectureSpace`."""

    def __init__(self, structure: Structure, options: PerceptronOptions) -> None:
        super().__init__("perceptron", structure, options.search)
        self._widths, self._depths, self._activations = options.widths, options.depths, options.activations

    def _drawn(self, dice: Choices) -> Genome:
        hidden = list(self._base["hidden"])
        if "depth" in self._search:
            depth = dice.integer(*self._depths)
            hidden = (hidden + [hidden[-1] if hidden else self._widths[0]] * depth)[:depth]
        if "width" in self._search:
            hidden = [dice.width(*self._widths) for _ in hidden]
        chosen = {**drawn_flags(self._activations, dice), "skip": dice.pick((True, False))}
        return {**self._base, "hidden": hidden, **{key: chosen[key] for key in _FLAGS if key in self._search}}

    def _changes(self, structure: Genome, dice: Dice) -> list[Genome]:
        hidden, (least, most) = list(structure["hidden"]), self._depths
        changes = {**other_flags(structure, self._activations, dice), "skip": {"skip": not structure["skip"]}}
        out = [changes[key] for key in _FLAGS if key in self._search]
        if "width" in self._search and hidden:
            at = dice.integer(0, len(hidden) - 1)
            new = dice.other_width(hidden[at], *self._widths)
            out.append({"hidden": [*hidden[:at], new, *hidden[at + 1 :]]})
        if "depth" in self._search and len(hidden) < most:
            at = dice.integer(0, len(hidden))
            out.append({"hidden": [*hidden[:at], dice.pick(hidden or self._widths), *hidden[at:]]})
        if "depth" in self._search and len(hidden) > least:
            at = dice.integer(0, len(hidden) - 1)
            out.append({"hidden": hidden[:at] + hidden[at + 1 :]})
        return out

    def _crossed(self, one: Genome, other: Genome, dice: Dice) -> Genome:
        layers = (one["hidden"], other["hidden"])
        depth = len(dice.pick(layers))
        hidden = [dice.pick([each[at] for each in layers if at < len(each)]) for at in range(depth)]
        return {**one, "hidden": hidden, **mixed(one, other, _FLAGS, dice)}

    def _described(self, structure: Structure) -> list[float]:
        hidden = structure["hidden"]
        if len(hidden) > DEPTH:
            raise ValueError(f"a description of perceptron has room for {DEPTH} hidden layers, found {len(hidden)}")
        widths = [1.0 + math.log2(width) for width in hidden]
        return [*widths, *[0.0] * (DEPTH - len(hidden)), float(structure["skip"]), *flags(structure)]
