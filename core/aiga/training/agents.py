"""Trained agents as files that a run can start from: safetensors of one agent's leaves, and what they are in JSON beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load, save

from aiga.data import Batch, Kind, Population
from aiga.durable import storage, write_atomic
from aiga.errors import InputError, PluginError

FOLDER = "agents"  # of a training's directory


def write(folder: Path, name: str, agents: Any, plugin: str, about: Mapping[str, Any]) -> list[Path]:
    """Writes every agent: as ``NAME.safetensors``, of several networks as ``NAME-NETWORK.safetensors``; with ``-0`` and so on
    before the dot where a network has several agents.

    Args:
        folder: made where it is missing.
        name: ``last`` or ``best``.
        agents: what the trainer's ``agents`` answered.
        plugin: that the trainer belongs to, for complaints.
        about: for the JSON file beside each.

    Returns:
        The files of leaves, in order.

    Raises:
        PluginError: if ``agents`` is no explicit batch, nor a population of such, one a network.
        StorageError: if they cannot be written; each file is there whole, or as it was.
    """
    batches = (agents,) if isinstance(agents, Batch) else agents.batches if isinstance(agents, Population) else ()
    networks = [batch.kind.component for batch in batches]
    if not batches or any(batch.noise is not None for batch in batches) or len(set(networks)) < len(networks):
        what = "an explicit Batch, or a Population with one for each network"
        raise PluginError(f"plugin {plugin!r}: agents of its trainer must answer {what}, not {agents!r:.80}")
    written = []
    with storage(folder, "writing the agents"):
        folder.mkdir(exist_ok=True)
        for batch in batches:
            stem = f"{name}-{batch.kind.component}" if len(batches) > 1 else name
            for row in range(len(batch)):
                path = folder / (f"{stem}.safetensors" if len(batch) == 1 else f"{stem}-{row}.safetensors")
                leaves = {leaf: value[row].detach().cpu().contiguous().clone() for leaf, value in batch.leaves.items()}
                told = {"network": batch.kind.component, "structure": dict(batch.kind.structure), "row": row, **about}
                told["finite"] = all(bool(leaf.isfinite().all()) for leaf in leaves.values())
                write_atomic(path, save(leaves))
                write_atomic(path.with_suffix(".json"), (json.dumps(told, indent=2) + "\n").encode())
                written.append(path)
    return written


def found(path: Path) -> list[Path]:
    """The agents in a training's directory: the last ones first, then the best ones."""
    return sorted((path / FOLDER).glob("*.safetensors"), key=lambda file: (file.name.startswith("best"), file.name))


def read(path: Path, name: str) -> tuple[Population, int]:
    """The agents of a training's directory that :func:`write` wrote under ``name``, one batch a network; and of which step.

    Raises:
        InputError: if a file is not as it was written.
        StorageError: if one cannot be read.
    """
    kinds: dict[Kind, list[tuple[int, dict[str, torch.Tensor]]]] = {}
    step = 0
    with storage(path / FOLDER, "reading the agents"):
        for file in found(path):
            if file.stem != name and not file.stem.startswith(f"{name}-"):
                continue
            try:
                told, leaves = json.loads(file.with_suffix(".json").read_text()), load(file.read_bytes())
                kind, row, step = Kind(told["network"], told["structure"]), int(told["row"]), int(told["step"])
            except OSError:
                raise
            except Exception as error:
                what = f"{file} or the JSON beside it is not what a training wrote ({type(error).__name__}: {error})"
                raise InputError(f"{what}. Resume the training, which writes it anew.") from error
            kinds.setdefault(kind, []).append((row, leaves))
    batches = []
    for kind, rows in kinds.items():
        ordered = [leaves for _, leaves in sorted(rows, key=lambda each: each[0])]
        batches.append(Batch.of(kind, {leaf: torch.stack([leaves[leaf] for leaves in ordered]) for leaf in ordered[0]}))
    return Population(tuple(batches)), step
