"""The bipedal walker of POET (Wang et al. 2019): obstacle courses as genomes, lives in Gymnasium's Box2D walker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aiga_walker.plugin import Walker as Walker

__all__ = ["Walker"]


def __getattr__(name: str) -> Any:
    # Importing gymnasium imports this package (entry point gymnasium.envs): it must not wait for torch.
    if name != "Walker":
        raise AttributeError(f"module 'aiga_walker' has no attribute {name!r}")
    from aiga_walker.plugin import Walker

    return Walker
