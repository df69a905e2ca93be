"""What Gymnasium calls when it is imported: registers ``aiga/Walker-v0`` without importing anything else."""

from __future__ import annotations


def register() -> None:
    """Registers ``aiga/Walker-v0`` with Gymnasium (entry point of the group ``gymnasium.envs``)."""
    import gymnasium

