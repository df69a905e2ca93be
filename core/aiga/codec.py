"""Trees of plain values, tensors and aiga's own data, as bytes: JSON for the shape, safetensors for the numbers, no pickle.

Loading builds the data classes named in ``_CLASSES`` and nothing else, so a stranger's bytes run no code.
"""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor

from aiga.data import Batch, Kind, Noise, Pairs, Population, Scores
from aiga.niches import Niches

_CLASSES: dict[str, type[Any]] = {cls.__name__: cls for cls in (Batch, Kind, Niches, Noise, Pairs, Population, Scores)}
_TREE = "tree"


def split(value: Any) -> tuple[Any, dict[str, Tensor]]:
    """A JSON-able skeleton of ``value``, and the tensors that were in it, by the number that stands in their place.

    Raises:
        TypeError: for anything but None, bool, int, float, str, tensors, lists, tuples, dicts with string keys and aiga's data.
    """
    tensors: dict[str, Tensor] = {}
    return _split(value, tensors), tensors


def _split(value: Any, tensors: dict[str, Tensor]) -> Any:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Tensor):
        name = str(len(tensors))
        # A copy of its own: safetensors refuses tensors that share memory.
        tensors[name] = value.detach().cpu().contiguous().clone()
        return {"$tensor": name}
    if isinstance(value, list):
        return [_split(item, tensors) for item in value]
    if isinstance(value, tuple):
        return {"$tuple": [_split(item, tensors) for item in value]}
    if isinstance(value, dict):
        if all(isinstance(key, str) for key in value):
            return {"$dict": {key: _split(item, tensors) for key, item in value.items()}}
        if all(isinstance(key, int) for key in value):
            return {"$rows": [[key, _split(item, tensors)] for key, item in value.items()]}
    if type(value).__name__ in _CLASSES and type(value) is _CLASSES[type(value).__name__]:
        fields = {f.name: _split(getattr(value, f.name), tensors) for f in dataclasses.fields(value)}
        return {"$data": type(value).__name__, "fields": fields}
    raise TypeError(
        f"cannot be saved: {type(value).__name__}; use None, bool, int, float, str, tensors, lists, tuples and dicts"
    )


def join(skeleton: Any, tensors: dict[str, Tensor]) -> Any:
    """The reverse of :func:`split`; tensors come back on the host.

    Raises:
        ValueError: if ``skeleton`` names something that is not aiga's data.
    """
    if isinstance(skeleton, list):
        return [join(item, tensors) for item in skeleton]
    if not isinstance(skeleton, dict):
        return skeleton
    if "$tensor" in skeleton:
        return tensors[skeleton["$tensor"]]
    if "$tuple" in skeleton:
        return tuple(join(item, tensors) for item in skeleton["$tuple"])
    if "$dict" in skeleton:
        return {key: join(item, tensors) for key, item in skeleton["$dict"].items()}
    if "$rows" in skeleton:
        return {key: join(item, tensors) for key, item in skeleton["$rows"]}
    if skeleton.get("$data") in _CLASSES:
        return _CLASSES[skeleton["$data"]](**{key: join(item, tensors) for key, item in skeleton["fields"].items()})
    raise ValueError(f"unknown entry {sorted(skeleton)[:3]}")


def dumps(value: Any) -> bytes:
    """``value`` as one safetensors file, its skeleton in the file's metadata."""
    skeleton, tensors = split(value)
    # A file without a tensor is legal, an empty one is not readable everywhere: always carry one.
    return save({**tensors, "_": torch.zeros(1)}, {_TREE: json.dumps(skeleton)})


def loads(data: bytes) -> Any:
    """The reverse of :func:`dumps`.

    Raises:
        ValueError: if ``data`` is not what :func:`dumps` wrote.
    """
    try:
        length = int.from_bytes(data[:8], "little")
        skeleton = json.loads(json.loads(data[8 : 8 + length])["__metadata__"][_TREE])
        return join(skeleton, load(data))
    except ValueError:
        raise
    except Exception as error:
        raise ValueError(f"not a file of aiga's: {error}") from error
