"""The plugin ``walker``: registers the domain and draws courses and lives."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field, model_validator

import aiga
from aiga_walker.genome import Category


def _distinct(categories: list[Category]) -> list[Category]:
    if len(set(categories)) < len(categories):
        raise ValueError("names a category twice. Name each once.")
    return categories


class WalkerOptions(aiga.Options):
    """Options of the walker.

    Attributes:
        physics: ``fast``, the compiled simulator; ``cuda``, the same on a GPU; or ``box2d``, Gymnasium's, whose bits it has.
        categories: what mutation may change: ``roughness``, ``pit``, ``stump``, ``stair``.
        steps: the longest life, in steps of 1/50 s.
        max_gap: greatest width of a pit, in cells of 14/30 m: 10 in the paper, 8 in the original code.
        lidar: ``nearest`` hit, or ``first-hit`` as in the original POET, which needs ``box2d``.
    """

    physics: Literal["fast", "cuda", "box2d"] = "fast"
    categories: Annotated[list[Category], Field(min_length=1), AfterValidator(_distinct)] = Field(
        default=["roughness", "pit", "stump", "stair"]
    )
    steps: int = Field(default=2000, ge=1, le=100_000)
    max_gap: float = Field(default=10.0, ge=0.8)
    lidar: Literal["nearest", "first-hit"] = "nearest"

    @model_validator(mode="after")
    def _tree(self) -> WalkerOptions:
        if self.lidar == "first-hit" and self.physics != "box2d":
            raise ValueError(
                'lidar "first-hit" follows the order of Box2D\'s own tree. Add physics = "box2d", or write "nearest".'
            )
        return self


class Walker(aiga.Plugin):
    """Bipedal walkers on POET's obstacle courses."""

    name: ClassVar[str] = "walker"
    Options: ClassVar[type[WalkerOptions]] = WalkerOptions
    options: WalkerOptions

    def notice(self) -> list[str]:
        """What differs from POET's values."""
        poet = WalkerOptions()
        mine = {name: getattr(self.options, name) for name in WalkerOptions.model_fields}
        off = [f"{name} {value} (POET: {getattr(poet, name)})" for name, value in mine.items() if value != getattr(poet, name)]
        return [f"unlike POET: {', '.join(off)}"] if off else []

    def aiga_register(self, registry: aiga.Registry) -> None:
        """Registers the domain ``walker``."""
        from aiga_walker.domain import WalkerDomain

        options = self.options
        registry.domain(
            "walker", WalkerDomain(options.steps, options.categories, options.max_gap, options.lidar, options.physics)
        )

    def checkup(self) -> list[str]:
        """What is compiled of the simulator, and for which lanes."""
        from aiga_walker.physics import store

        if trouble := store.disabled() or store.unwritable():
            raise aiga.InputError(f"the walker's simulator: {trouble}")
        from aiga_walker.compiling import checkup

        return [checkup()]

    def aiga_render(self, lab: aiga.Lab, subject: aiga.Subject) -> Any:
        """Courses as strips; a life as a strip, an animation or an episode file; see :func:`aiga_walker.render.render`."""
        from aiga_walker.render import render

        return render(subject)
