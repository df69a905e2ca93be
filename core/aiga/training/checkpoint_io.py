"""Lightning's checkpoints as aiga keeps them: safetensors and JSON, hashed, put in place whole; nothing that could run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.plugins import CheckpointIO

from aiga import checkpoint as checkpoints
from aiga.checkpoint import Checkpoint
from aiga.errors import PluginError

# What a module was made with is in run.toml, and may be anything.
_LEFT_OUT = ("hyper_parameters", "hparams_name", "hparams_type")
_PLAIN = (type(None), bool, int, float, str, torch.Tensor)


class TensorCheckpoints(CheckpointIO):
    """Writes to ``checkpoints/STEP`` of the run's folder, and hands out what was found there when it was opened.

    Args:
        plugin: that the trainer belongs to, for complaints.
        found: the newest checkpoint that verifies; None where there is none.
    """

    def __init__(self, plugin: str, found: Checkpoint | None = None) -> None:
        self._plugin, self._found = plugin, found

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Saves the state of everything under training as the checkpoint of the step that ``path`` names.

        Raises:
            StorageError: if it cannot be written; the former checkpoints stay.
            PluginError: if the state holds something else than plain values and tensors.
        """
        path = Path(path)
        if not path.name.isdigit():
            what = f"plugin {self._plugin!r}: its module keeps checkpoints of its own, such as {path.name}"
            raise PluginError(f"{what}. Take ModelCheckpoint out of it: aiga train keeps them, and the best agents.")
        state = {key: value for key, value in checkpoint.items() if key not in _LEFT_OUT}
        try:
            checkpoints.save(path.parent, int(path.name), {"lightning": state})
        except TypeError as error:
            place, value = _unknown(state)
            what = f"{place}, of type {type(value).__name__}" if place else str(error)
            remedy = "Keep None, bool, int, float, str, tensors, lists, tuples and dicts of these"
            raise PluginError(f"plugin {self._plugin!r}: a checkpoint cannot hold {what}. {remedy}.") from error

    def load_checkpoint(self, path: str | Path, map_location: Any = None, weights_only: bool | None = None) -> dict[str, Any]:
        """What was found; every tensor on the host."""
        assert self._found is not None, "Lightning asks for what it was told of"
        return dict(self._found.tree["lightning"])

    def remove_checkpoint(self, path: str | Path) -> None:
        """Nothing: the newest few are kept as others are written."""


def _unknown(value: Any, place: str = "") -> tuple[str, Any]:
    """The first part that is neither plain nor made of plain ones, and where it is; empty and None where there is none."""
    if isinstance(value, _PLAIN):
        return "", None
    if isinstance(value, (list, tuple)):
        items: list[tuple[Any, Any]] = list(enumerate(value))
    elif isinstance(value, dict):
        items = list(value.items())
        odd = next((key for key in value if not isinstance(key, (str, int))), None)
        if odd is not None:
            return f"{place} a key {odd!r}".strip(), odd
    else:
        return place, value
    found = (_unknown(item, f"{place}.{key}" if place else str(key)) for key, item in items)
    return next((pair for pair in found if pair[0]), ("", None))
