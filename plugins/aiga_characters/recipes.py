"""How characters are made up: the numbers behind each drawn set, and what its bytes hash to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

VERSION: Final = 1  # of how recipes are drawn; other bits are another version
DRAWERS: Final = 20  # images of a class, as in Omniglot
CANVAS: Final = 105  # pixels of a side, as in Omniglot
BACKGROUND: Final = (30, 964)  # alphabets and classes, as in Omniglot
EVALUATION: Final = (20, 659)


@dataclass(frozen=True)
class Recipe:
    """A drawn set. Lengths are shares of the canvas' side, angles are in radians.

    Attributes:
        name: of the set.
        parts: strokes that the classes of an alphabet share; 0 gives every class strokes of its own.
        wobble: standard deviation of a vertex between two drawings of a class.
        rotation, scale, shear, shift: standard deviations of a drawing as a whole.
        width: least and greatest width of a drawing's pen, as shares of ``pen``.
        pen: half the width of the pen.
        candidates: characters tried for each class, the first that may stay being kept.
        least_extent: of a character's longer side; smaller ones are tiny, and rejected.
        least_difference: between two characters of an alphabet, 0 where they cover each other and 1 where they do not touch;
            a nearer one is a near-duplicate, and rejected.
    """

    name: str
    parts: int
    wobble: float
    rotation: float
    scale: float
    shear: float
    shift: float
    width: tuple[float, float] = (0.85, 1.25)
    pen: float = 0.03
    candidates: int = 1
    least_extent: float = 0.0
    least_difference: float = 0.0


RECIPES: Final = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            name="drawn",
            parts=8,
            wobble=0.035,
            rotation=0.19,
            scale=0.13,
            shear=0.16,
            shift=0.056,
            candidates=24,
            least_extent=0.35,
            least_difference=0.3,
        ),
        # The set of the study that came before: no shared strokes, nothing rejected, and drawn more alike.
        Recipe(name="drawn-easy", parts=0, wobble=0.022, rotation=0.12, scale=0.08, shear=0.1, shift=0.035, pen=0.034),
    )
}
