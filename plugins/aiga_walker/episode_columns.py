"""Columns of an episode file: arrays of integers, differenced and deflated; :mod:`aiga_walker.episode_file` says how."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

GREATEST: Final = 2**28  # of an integer, so that second differences, of differences of angles too, stay within 32 bits


def integers(values: Floats, per: int, what: str) -> Integers:
    """``values`` as numbers of parts, each within half a part.

    Raises:
        ValueError: naming ``what``, if one of them is not finite or too great.
    """
    scaled = np.rint(values * per)
    if not (np.abs(scaled) < GREATEST).all():
        raise ValueError(f"{what}: a number that is not finite, or beyond {GREATEST / per:.0f}")
    return scaled.astype(np.int64)


def pack(whole: Integers, per: int, differences: int) -> dict[str, Any]:
    """``[n]`` or ``[n, channels]`` integers as an object for JSON.

    Args:
        whole: each below ``GREATEST``, or the difference of two that are.
        per: how many of them make one of the unit; only noted.
        differences: how often each channel is replaced by its changes, 0 to 2: what leaves the smallest numbers.
    """
    shape = list(whole.shape)
    change = whole.reshape(len(whole), int(np.prod(shape[1:])))
    for _ in range(differences):
        change = np.diff(change, axis=0, prepend=0)
    zigzag = ((change << 1) ^ (change >> 63)).T
    count = 1 if not zigzag.size or zigzag.max() < 2**8 else 2 if zigzag.max() < 2**16 else 4
    planes = [(zigzag >> 8 * k & 255).astype(np.uint8).tobytes() for k in range(count)]
    data = base64.b64encode(_deflated(planes)).decode()
    return {"shape": shape, "per": per, "differences": differences, "bytes": count, "data": data}


def _deflated(planes: list[bytes]) -> bytes:
    """One zlib stream of all planes, each deflated as suits it best: low bytes are noise, high ones mostly zero."""
    ways, stream = (zlib.Z_DEFAULT_STRATEGY, zlib.Z_FILTERED, zlib.Z_HUFFMAN_ONLY), b"\x78\xda"
    for number, plane in enumerate(planes, 1):
        # Pieces that end in a full flush look back at nothing, so they can stand one after another.
        end = zlib.Z_FINISH if number == len(planes) else zlib.Z_FULL_FLUSH
        packers = [zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS, 9, way) for way in ways]
        stream += min((packer.compress(plane) + packer.flush(end) for packer in packers), key=len)
    return stream + zlib.adler32(b"".join(planes)).to_bytes(4, "big")


def unpack(column: Mapping[str, Any], per: int, *shape: int) -> Integers:
    """The integers of a column; ``-1`` in ``shape`` is any length.

    Raises:
        KeyError, TypeError, ValueError, OverflowError, zlib.error: if it is not a column of that shape and unit.
    """
    found = tuple(column["shape"])
    if len(found) != len(shape) or any(want not in (-1, have) for want, have in zip(shape, found, strict=True)):
        raise ValueError(f"a column of shape {list(found)} in place of {list(shape)}")
    length, channels, count = found[0], int(np.prod(found[1:])), column["bytes"]
    if count not in (1, 2, 4) or column["differences"] not in (0, 1, 2) or column["per"] != per:
        raise ValueError(f"a column of bytes {count}, differences {column['differences']}, per {column['per']}")
    size = count * length * channels
    # A bound, so that a small file cannot ask for all memory.
    raw = zlib.decompressobj().decompress(base64.b64decode(column["data"], validate=True), size + 1)
    if len(raw) != size:
        raise ValueError(f"{'more than ' * (len(raw) > size)}{min(len(raw), size)} bytes in a column of {size}")
    planes = np.frombuffer(raw, np.uint8).reshape(count, channels, length).astype(np.int64)
    zigzag = sum((planes[k] << 8 * k for k in range(count)), np.zeros((channels, length), np.int64)).T
    whole = (zigzag >> 1) ^ -(zigzag & 1)
    for _ in range(column["differences"]):
        whole = np.cumsum(whole, axis=0)
    return whole.reshape(found)


def floats(column: Mapping[str, Any], per: int, *shape: int) -> Floats:
    """The values of a column, in its unit; see :func:`unpack`."""
    return unpack(column, per, *shape) / per
