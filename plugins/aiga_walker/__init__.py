"""The bipedal walker of POET (Wang et al. 2019): obstacle courses as genomes, lives in Gymnasium's Box2D walker.

Importing it registers ``aiga/Walker-v0`` with Gymnasium.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiga_walker.gym import register

if TYPE_CHECKING:
    from aiga_walker.plugin import Walker as Walker

__all__ = ["Walker"]

register()


def __getattr__(name: str) -> Any:
    # Who comes for the Gymnasium environment need not wait for torch before making one.
    if name != "Walker":
        raise AttributeError(f"module 'aiga_walker' has no attribute {name!r}")
    from aiga_walker.plugin import Walker

    return Walker
