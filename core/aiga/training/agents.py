"""Trained agents as files that a run can start from: safetensors of one agent's leaves, and what they are in JSON beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import save

from aiga.data import Batch
from aiga.durable import storage, write_atomic
from aiga.errors import PluginError

FOLDER = "agents"  # of a training's directory


def write(folder: Path, name: str, agents: Any, plugin: str, about: Mapping[str, Any]) -> list[Path]:
    """Writes every agent of a batch: ``NAME.safetensors``, or ``NAME-0.safetensors`` and so on where there are several.

    Args:
        folder: made where it is missing.
        name: ``last`` or ``best``.
        agents: what the trainer's ``agents`` answered.
        plugin: that the trainer belongs to, for complaints.
        about: for the JSON file beside each.

    Returns:
        The files of leaves, in order.

    Raises:
        PluginError: if ``agents`` is no explicit batch.
        StorageError: if they cannot be written; each file is there whole, or as it was.
    """
    if not isinstance(agents, Batch) or agents.noise is not None:
        raise PluginError(f"plugin {plugin!r}: agents of its trainer must answer an explicit Batch, not {agents!r:.80}")
    written = []
    with storage(folder, "writing the agents"):
        folder.mkdir(exist_ok=True)
        for row in range(len(agents)):
            path = folder / (f"{name}.safetensors" if len(agents) == 1 else f"{name}-{row}.safetensors")
            leaves = {leaf: value[row].detach().cpu().contiguous().clone() for leaf, value in agents.leaves.items()}
            told = {"network": agents.kind.component, "structure": dict(agents.kind.structure), **about}
            told["finite"] = all(bool(leaf.isfinite().all()) for leaf in leaves.values())
            write_atomic(path, save(leaves))
            write_atomic(path.with_suffix(".json"), (json.dumps(told, indent=2) + "\n").encode())
            written.append(path)
    return written


def found(path: Path) -> list[Path]:
    """The agents in a training's directory: the last ones first, then the best ones."""
    return sorted((path / FOLDER).glob("*.safetensors"), key=lambda file: (file.name.startswith("best"), file.name))
