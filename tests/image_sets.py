"""Small sets of labelled images in the files of MNIST and of CIFAR-10."""

from __future__ import annotations

import gzip
import struct
import tarfile
from pathlib import Path
from typing import Any

import numpy as np

from aiga.image_files import ARCHIVE, CIFAR, IDX

Bytes = np.ndarray[Any, np.dtype[np.uint8]]
TRAINING, TEST = 120, 40  # images


def idx(array: Bytes) -> bytes:
    """The bytes of an idx file."""
    return bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def small_mnist(folder: Path, zipped: bool = True, test_pixel: int | None = None) -> Path:
    """Four idx files of random images, their class in their first pixel; test images are of one grey if asked for."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    for name, count in zip(IDX, (TRAINING, TRAINING, TEST, TEST), strict=True):
        labels = (np.arange(count) % 10).astype(np.uint8)
        images = random.integers(0, 200, (count, 28, 28), dtype=np.uint8)
        images[:, 0, 0] = labels
        if test_pixel is not None and name.startswith("t10k"):
            images[:] = test_pixel
        data = idx(images if "images" in name else labels)
        path = folder / (f"{name}.gz" if zipped else name)
        path.write_bytes(gzip.compress(data) if zipped else data)
    return folder


def records(count: int, seed: int = 0) -> Bytes:
    """Random records of CIFAR-10, classes in turn."""
    made = np.random.default_rng(seed).integers(0, 256, (count, 3073), dtype=np.uint8)
    made[:, 0] = np.arange(count) % 10
    return made


def small_cifar(folder: Path, count: int = 30) -> Path:
    """CIFAR-10's six files, of so many images each."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed, name in enumerate(CIFAR):
        records(count, seed).tofile(folder / name)
    return folder


def packed(folder: Path, into: Path) -> Path:
    """The archive of a folder of CIFAR-10's files."""
    into.mkdir(parents=True, exist_ok=True)
    with tarfile.open(into / ARCHIVE, "w:gz") as tar:
        tar.add(folder, "cifar-10-batches-bin")
    return into / ARCHIVE
