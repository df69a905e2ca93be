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
_REMEDY = "Resume the training, which writes its agents anew."


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
                told |= {"agents": len(batch), "networks": networks}
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
        InputError: if a file is not as it was written, one is missing, or they are not all of one step, as where writing them
            was cut short.
    """
    kinds: dict[Kind, dict[int, dict[str, torch.Tensor]]] = {}
    steps: dict[int, Path] = {}
    counts, networks = dict[str, int](), set[str]()
    for file in found(path):
        if file.stem != name and not file.stem.startswith(f"{name}-"):
            continue
        try:
            told, leaves = json.loads(file.with_suffix(".json").read_text()), load(file.read_bytes())
            kind, row, step = Kind(told["network"], told["structure"]), int(told["row"]), int(told["step"])
            counts[kind.component] = int(told["agents"])
            networks |= set(told["networks"])
        except Exception as error:
            what = f"{file} or the JSON beside it is not what a training wrote ({type(error).__name__}: {error})"
            raise InputError(f"{what}. {_REMEDY}") from error
        kinds.setdefault(kind, {})[row] = leaves
        steps[step] = file
    if len(steps) > 1:
        older, newer = min(steps), max(steps)
        raise InputError(f"{steps[older]} is of step {older:,}, {steps[newer]} of step {newer:,}. {_REMEDY}")
    folder, batches = path / FOLDER, []
    lost = sorted(networks - {kind.component for kind in kinds})
    if lost:
        raise InputError(f"{folder}: the agents of {', '.join(lost)} are missing. {_REMEDY}")
    for kind, rows in kinds.items():
        ordered = [rows[row] for row in sorted(rows)]
        alike = all(_shapes(leaves) == _shapes(ordered[0]) for leaves in ordered)
        if sorted(rows) != list(range(counts[kind.component])) or not alike:
            what = f"{folder}: an agent of the network {kind.component!r} is missing, or another network's is in its place"
            raise InputError(f"{what}. {_REMEDY}")
        batches.append(Batch.of(kind, {leaf: torch.stack([leaves[leaf] for leaves in ordered]) for leaf in ordered[0]}))
    return Population(tuple(batches)), max(steps, default=0)


def _shapes(leaves: Mapping[str, torch.Tensor]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(leaf.shape) for name, leaf in leaves.items()}
