"""Drawn sets on disk: compressed, named by what fixes their bits, checked by hash, made anew where they are damaged."""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor

from aiga.downloads import cache

_DIGEST: Final = 32  # bytes of SHA-256 in front of the compressed pixels


def folder() -> Path:
    """Where sets lie: ``AIGA_CACHE``, or the user's cache directory."""
    return cache("characters")


def kept(name: str, shape: tuple[int, ...], make: Callable[[], Tensor]) -> Tensor:
    """The uint8 images called ``name``, of ``shape``: read where they lie whole, else made and left there for the next process.

    A disk that is full or cannot be written only costs the next process its time.
    """
    path = folder() / f"{name}.pixels"
    held = _read(path, shape)
    if held is None:
        held = make()
        _write(path, held)
    return held


def _read(path: Path, shape: tuple[int, ...]) -> Tensor | None:
    try:
        data = path.read_bytes()
        pixels = zlib.decompress(data[_DIGEST:])
    except (OSError, zlib.error):
        return None
    if hashlib.sha256(pixels).digest() != data[:_DIGEST] or len(pixels) != int(np.prod(shape)):
        return None
    return torch.from_numpy(np.frombuffer(pixels, np.uint8).reshape(shape).copy())


def _write(path: Path, images: Tensor) -> None:
    pixels = images.numpy().tobytes()
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        # A name of its own: another process may be writing the same set.
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as file:
            part = Path(file.name)
        try:
            part.write_bytes(hashlib.sha256(pixels).digest() + zlib.compress(pixels, 1))
            part.replace(path)
        except OSError:
            part.unlink(missing_ok=True)
