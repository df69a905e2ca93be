"""Sets of labelled pictures as they are published: MNIST's idx files (LeCun 1998) and CIFAR-10's records (Krizhevsky 2009)."""

from __future__ import annotations

import gzip
import io
import tarfile
import zlib
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aiga.errors import InputError

IDX: Final = tuple(f"{part}-{what}-ubyte" for part in ("train", "t10k") for what in ("images-idx3", "labels-idx1"))
CIFAR: Final = (*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin")
ARCHIVE: Final = "cifar-10-binary.tar.gz"
CLASSES: Final = 10
_UNPACKED: Final = "cifar-10-batches-bin"  # the folder in that archive
_SIDE, _CIFAR_SIDE = 28, 32
_RECORD: Final = 1 + 3 * _CIFAR_SIDE**2  # bytes of an image of CIFAR-10: its class, then red, green and blue
_GZIP: Final = b"\x1f\x8b"
_BYTES: Final = 8  # idx's code for numbers that are unsigned bytes

Bytes = NDArray[np.uint8]


class Labelled(NamedTuple):
    """Pictures and what is on them, in the order in which they are published.

    Attributes:
        images: ``[N, C, H, W]`` uint8.
        labels: ``[N]`` int64 from 0 to 9.
        training: the first so many are the official training set, the others the official test set.
    """

    images: Tensor
    labels: Tensor
    training: int


def mnist(folder: Path, key: str) -> Labelled:
    """MNIST, or a set in its form: four idx files of 28 x 28 pictures, as they are or by gzip.

    Args:
        folder: holds ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte``, and ``t10k-`` of both; or these with ``.gz``.
        key: the option that names the folder, for messages.

    Raises:
        InputError: naming the first file that is missing, cut off or of another kind, and what is wrong with it.
    """
    _is_folder(folder, key, f"{IDX[0]}.gz and its three companions")
    paths = {name: next((p for p in (folder / name, folder / f"{name}.gz") if p.is_file()), None) for name in IDX}
    _check_there(folder, key, [f"{name}.gz" for name, path in paths.items() if path is None], "Copy these files there.")
    parts = []
    for images, labels in (IDX[:2], IDX[2:]):
        pixels, marks = idx(_given(paths[images]), 3), idx(_given(paths[labels]), 1)
        if pixels.shape[1:] != (_SIDE, _SIDE):
            found = f"{pixels.shape[1]} x {pixels.shape[2]}"
            raise InputError(f"{paths[images]}: holds images of {found}, not of {_SIDE} x {_SIDE}. Give those of MNIST's form.")
        if len(pixels) != len(marks):
            what = f"{paths[images]}: {len(pixels):,} images, and {len(marks):,} labels in {paths[labels]}"
            raise InputError(f"{what}: they belong to different sets. Download both anew.")
        _check_classes(_given(paths[labels]), marks, "Download it anew.")
        parts.append((pixels, marks))
    pixels, marks = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Labelled(torch.from_numpy(pixels)[:, None], torch.from_numpy(marks).long(), len(parts[0][0]))


def idx(path: Path, axes: int) -> Bytes:
    """The bytes of an idx file of so many axes, in their shape.

    Raises:
        InputError: if it cannot be read or unpacked, begins otherwise, holds nothing, or more or fewer bytes than it says.
    """
    anew = "It is cut off or damaged. Download it anew."
    try:
        data = path.read_bytes()
        if data[:2] == _GZIP:
            data = gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: cannot be unpacked: {error}. {anew}") from error
    magic, head = bytes((0, 0, _BYTES, axes)), 4 + 4 * axes
    if data[:4] != magic:
        what = f"begins with {data[:4].hex() or 'nothing'}, not with {magic.hex()}, as idx files of {axes} axes do"
        raise InputError(f"{path}: {what}. It is another file, or damaged. Download it anew.")
    shape = [int(size) for size in np.frombuffer(data[4:head], ">u4")] if len(data) >= head else []
    count = 1
    for size in shape:
        count *= size
    if not shape or not count or len(data) != head + count:
        said = " x ".join(f"{size:,}" for size in shape) or "no"
        raise InputError(f"{path}: says that it holds {said} bytes, and has {max(0, len(data) - head):,}. {anew}")
    return np.frombuffer(data, np.uint8, offset=head).reshape(shape).copy()


def cifar10(folder: Path, key: str) -> Labelled:
    """CIFAR-10: colour pictures of 32 x 32, from its binary version.

    Args:
        folder: holds ``data_batch_1.bin`` to ``test_batch.bin``, or their folder, or the archive that they come in.
        key: the option that names the folder, for messages.

    Raises:
        InputError: if the folder is not that of the binary version, or a file of it is cut off or damaged.
    """
    _is_folder(folder, key, f"{CIFAR[0]} to {CIFAR[-1]}")
    if not any((folder / name).is_file() for name in CIFAR):
        if (folder / _UNPACKED).is_dir():
            folder = folder / _UNPACKED
        elif (folder / ARCHIVE).is_file():
            return _joined(_unpacked(folder / ARCHIVE))
    missing = [name for name in CIFAR if not (folder / name).is_file()]
    _check_there(folder, key, missing, f"Unpack {ARCHIVE} and name its {_UNPACKED}.")
    return _joined([_records(folder / name, np.fromfile(folder / name, dtype=np.uint8)) for name in CIFAR])


def _unpacked(archive: Path) -> list[Bytes]:
    parts = []
    try:
        # A tar file is read up to its last member, and gzip's sum of everything comes after that.
        whole = gzip.decompress(archive.read_bytes())
        with tarfile.open(fileobj=io.BytesIO(whole), mode="r:") as tar:
            for name in CIFAR:
                member = tar.extractfile(f"{_UNPACKED}/{name}")
                if member is None:
                    raise KeyError(name)
                parts.append(_records(archive / name, np.frombuffer(member.read(), np.uint8)))
    except (tarfile.TarError, KeyError, OSError, EOFError, zlib.error) as error:
        what = f"{archive}: cannot be unpacked: {str(error).strip(chr(34))}"
        raise InputError(f"{what}. It is cut off or damaged. Download it anew.") from error
    return parts


def _records(file: Path, raw: Bytes) -> Bytes:
    """``[N, 3073]``."""
    anew = f"Unpack {ARCHIVE} anew."
    if raw.size == 0 or raw.size % _RECORD:
        raise InputError(
            f"{file} has {raw.size:,} bytes, which is no whole number of images of {_RECORD:,}: it is cut off, or not "
            f"CIFAR-10's binary version. {anew}"
        )
    records = raw.reshape(-1, _RECORD)
    _check_classes(file, records[:, 0], anew)
    return records


def _joined(parts: list[Bytes]) -> Labelled:
    records = torch.from_numpy(np.concatenate(parts))
    images = records[:, 1:].reshape(-1, 3, _CIFAR_SIDE, _CIFAR_SIDE)
    return Labelled(images, records[:, 0].long(), sum(len(part) for part in parts[:-1]))


def _check_classes(file: Path, labels: Bytes, remedy: str) -> None:
    if labels.max() >= CLASSES:
        place = int((labels >= CLASSES).argmax())
        what = f"{file} gives image {place} the class {int(labels[place])}, where there are 0 to {CLASSES - 1}"
        raise InputError(f"{what}: it is damaged. {remedy}")


def _is_folder(folder: Path, key: str, held: str) -> None:
    if not folder.is_dir():
        raise InputError(f"{key} = {str(folder)!r} is no folder. Name the one that has {held}.")


def _check_there(folder: Path, key: str, missing: list[str], remedy: str) -> None:
    if missing:
        there = ", ".join(sorted(path.name for path in folder.iterdir())[:8]) or "nothing"
        raise InputError(f"{key} = {str(folder)!r} lacks {', '.join(missing)}; it has {there}. {remedy}")


def _given(path: Path | None) -> Path:
    assert path is not None, "all files are there"
    return path
