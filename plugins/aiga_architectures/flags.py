"""What networks that are normalised have in common in a search: two normalisations and an activation."""

from __future__ import annotations

from collections.abc import Sequence

from aiga.choices import Choices
from aiga.components import Structure
from aiga.spaces import Dice, Genome, choice
from aiga_architectures.activations import ACTIVATIONS


def flags(structure: Structure) -> list[float]:
    """The normalisations and the activation of a structure as numbers."""
    norms = [float(structure["norm"] == "mean"), float(structure["weight_norm"])]
    return [*norms, *choice(structure["activation"], tuple(ACTIVATIONS))]


def other_flags(structure: Genome, activations: Sequence[str], dice: Dice) -> dict[str, Genome]:
    """By part, how each normalisation and the activation may be otherwise."""
    rest = [each for each in activations if each != structure["activation"]] or [structure["activation"]]
    return {
        "activation": {"activation": dice.pick(rest)},
        "norm": {"norm": "none" if structure["norm"] == "mean" else "mean"},
        "weight_norm": {"weight_norm": not structure["weight_norm"]},
    }


def drawn_flags(activations: Sequence[str], dice: Choices) -> Genome:
    """Freely chosen ones."""
    norm, weight_norm = dice.pick(("mean", "none")), dice.pick((True, False))
    return {"activation": dice.pick(activations), "norm": norm, "weight_norm": weight_norm}
