"""Omniglot's own layout on disk: ``images_background|images_evaluation/ALPHABET/characterNN/ID_NN.png``, black on white."""

from __future__ import annotations

import io
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from aiga import AigaError, InputError
from aiga_characters.recipes import CANVAS, DRAWERS
from aiga_characters.sets import SPLITS, Characters
from aiga_characters.shrink import shrunk

_MOST: Final = 10  # complaints of one folder that are told
_CHARACTER: Final = re.compile(r"character\d+")
_IMAGE: Final = re.compile(r"(?P<id>\d+)_(?P<drawer>\d+)\.png", re.IGNORECASE)
_CHUNK: Final = 1000
# What Pillow raises for files that are none of its images, or are cut short.
_UNREADABLE: Final = (OSError, SyntaxError, ValueError, zlib.error, struct.error, EOFError, zipfile.BadZipFile)


def read(folder: Path, size: int) -> Characters:
    """The characters in ``folder``: in two folders of Omniglot's names, or in its two zip archives.

    Args:
        folder: holds ``images_background`` and ``images_evaluation``, or ``.zip`` files of these names.
        size: pixels of a side that the images are made smaller to; 105 leaves them.

    Raises:
        InputError: naming every file or folder that is not as it should be, up to ten of them.
    """
    problems: list[str] = []
    with ExitStack() as stack:
        shelves, classes = _listed(folder, stack, problems)
        ink = _ink([(shelf, one) for shelf, of_split in zip(shelves, classes, strict=True) for one in of_split], size, problems)
        _check(problems)
    every = [one for of_split in classes for one in of_split]
    names = tuple(dict.fromkeys(one.alphabet for one in every))
    number = {name: place for place, name in enumerate(names)}
    return Characters(ink, torch.tensor([number[one.alphabet] for one in every]), len(classes[0]), names)


def check(folder: Path) -> None:
    """Whether ``folder`` holds both splits, every class with its twenty files, and no alphabet twice; no image is opened.

    Raises:
        InputError: naming everything that is missing or in a wrong place, up to ten of them.
    """
    with ExitStack() as stack:
        _listed(folder, stack, [])


def write(characters: Characters, folder: Path) -> None:
    """Characters of 105 x 105 pixels as PNG files in Omniglot's layout, black on white, one bit a pixel.

    Raises:
        ValueError: for characters of another size.
        AigaError: if ``folder`` exists, or cannot be written.
    """
    if characters.size != CANVAS:
        raise ValueError(f"Omniglot's images are {CANVAS} x {CANVAS}; these are {characters.size} x {characters.size}")
    try:
        folder.mkdir(parents=True)
        for split in SPLITS:
            seen: dict[int, int] = {}
            for number in characters.classes(split):
                alphabet = int(characters.alphabet[number])
                seen[alphabet] = seen.get(alphabet, 0) + 1
                place = folder / f"images_{split}" / characters.names[alphabet] / f"character{seen[alphabet]:02d}"
                place.mkdir(parents=True)
                for drawer, pixels in enumerate(characters.images[number].numpy() < 128):
                    Image.fromarray(pixels).save(place / f"{number + 1:04d}_{drawer + 1:02d}.png")
    except FileExistsError as error:
        raise AigaError(f"{folder}: is there already. Name a folder that is not.") from error
    except OSError as error:
        raise AigaError(f"{folder}: the characters could not be written: {error.strerror}. Name another folder.") from error


@dataclass
class _Class:
    """A class as it lies on a shelf: its image files in order of their drawers."""

    alphabet: str
    character: str
    files: list[str] = field(default_factory=list)


class _Shelf(Protocol):
    """A split on disk: a folder or an archive."""

    name: str

    def files(self) -> Iterator[str]:
        """Paths of all files, from the split's folder on."""
        ...

    def bytes(self, path: str) -> bytes:
        """What a file holds."""
        ...


class _Folder:
    def __init__(self, path: Path) -> None:
        self.name, self._path = str(path), path

    def files(self) -> Iterator[str]:
        return (path.relative_to(self._path).as_posix() for path in self._path.glob("*/*/*") if path.is_file())

    def bytes(self, path: str) -> bytes:
        return (self._path / path).read_bytes()


class _Archive:
    def __init__(self, path: Path, split: str, file: zipfile.ZipFile) -> None:
        self.name, self._root, self._file = str(path), f"images_{split}/", file

    def files(self) -> Iterator[str]:
        names = (name for name in self._file.namelist() if name.startswith(self._root) and not name.endswith("/"))
        return (name.removeprefix(self._root) for name in names)

    def bytes(self, path: str) -> bytes:
        return self._file.read(self._root + path)


def _shelf(folder: Path, split: str, stack: ExitStack, problems: list[str]) -> _Shelf:
    plain, archive = folder / f"images_{split}", folder / f"images_{split}.zip"
    if plain.is_dir():
        return _Folder(plain)
    if archive.is_file():
        try:
            return _Archive(archive, split, stack.enter_context(zipfile.ZipFile(archive)))
        except (zipfile.BadZipFile, OSError) as error:
            problems.append(f"{archive}: no zip archive, or cut short ({error}). Download it again.")
            return _Folder(plain)
    lacking = "has neither" if folder.is_dir() else "is no folder, so there is neither"
    problems.append(
        f"{folder}: {lacking} images_{split} nor images_{split}.zip. "
        "Give the folder that Omniglot's two folders or archives are in."
    )
    return _Folder(plain)


def _listed(folder: Path, stack: ExitStack, problems: list[str]) -> tuple[list[_Shelf], list[list[_Class]]]:
    """Both splits and their classes; raises where anything is a problem."""
    shelves = [_shelf(folder, split, stack, problems) for split in SPLITS]
    _check(problems)
    classes = [_classes(shelf, problems) for shelf in shelves]
    if not problems:
        _check_disjoint(folder, classes[0], classes[1], problems)
    _check(problems)
    return shelves, classes


def _classes(shelf: _Shelf, problems: list[str]) -> list[_Class]:
    """Every class of a split, sorted by name."""
    found: dict[tuple[str, str], dict[int, str]] = {}
    for path in sorted(shelf.files()):
        parts = path.split("/")
        if any(part.startswith((".", "__")) for part in parts) or not path.lower().endswith(".png"):
            continue
        name = _IMAGE.fullmatch(parts[-1])
        if len(parts) != 3 or not _CHARACTER.fullmatch(parts[1]) or name is None:
            problems.append(f"{shelf.name}: {path} is not ALPHABET/characterNN/ID_NN.png. Move it out of there, or rename it.")
            continue
        drawers = found.setdefault((parts[0], parts[1]), {})
        if int(name["drawer"]) in drawers:
            problems.append(f"{shelf.name}: {path} is the second image of its class by drawer {name['drawer']}. Remove one.")
        drawers[int(name["drawer"])] = path
    for (alphabet, character), drawers in found.items():
        if len(drawers) != DRAWERS:
            what = f"{alphabet}/{character} has {len(drawers)} images, not one of each of {DRAWERS} drawers"
            problems.append(f"{shelf.name}: {what}. Copy the folder again, or remove the class.")
    if not found and not problems:
        problems.append(f"{shelf.name}: holds no ALPHABET/characterNN/ID_NN.png at all. Copy Omniglot's images there.")
    return [_Class(*key, [path for _, path in sorted(drawers.items())]) for key, drawers in sorted(found.items())]


def _check_disjoint(folder: Path, background: list[_Class], evaluation: list[_Class], problems: list[str]) -> None:
    for alphabet in sorted({one.alphabet for one in background} & {one.alphabet for one in evaluation}):
        problems.append(
            f"{folder}: alphabet {alphabet} is in both splits: what is judged by would have been learnt. Remove one of the two."
        )


def _ink(classes: list[tuple[_Shelf, _Class]], size: int, problems: list[str]) -> Tensor:
    """``[C, 20, size, size]`` uint8; a file that cannot be used is a problem and blank."""
    files = [(shelf, path) for shelf, one in classes for path in one.files]
    out = torch.empty(len(files), size, size, dtype=torch.uint8)
    for start in range(0, len(files), _CHUNK):
        if len(problems) >= _MOST:
            break
        pixels = np.stack([_pixels(shelf, path, problems) for shelf, path in files[start : start + _CHUNK]])
        out[start : start + len(pixels)] = shrunk(torch.from_numpy(pixels), size)
    return out.reshape(-1, DRAWERS, size, size)


def _pixels(shelf: _Shelf, path: str, problems: list[str]) -> NDArray[np.uint8]:
    """``[105, 105]``: 1 ink, 0 paper."""
    blank = np.zeros((CANVAS, CANVAS), np.uint8)
    try:
        with Image.open(io.BytesIO(shelf.bytes(path)), formats=["PNG"]) as image:
            found = image.size
            pixels = np.asarray(image.convert("L"))
    except _UNREADABLE as error:
        problems.append(f"{shelf.name}: {path} is no whole PNG image{_why(error)}. Copy that file again.")
        return blank
    if found != (CANVAS, CANVAS):
        what = f"{path} is {found[0]} x {found[1]} pixels, not {CANVAS} x {CANVAS}"
        problems.append(f"{shelf.name}: {what}. Give Omniglot's images as they are; the option size makes them smaller.")
        return blank
    return (pixels < 128).astype(np.uint8)


def _why(error: Exception) -> str:
    """What Pillow says of a file, where it says it of the file and not of the buffer that the file was read into."""
    return "" if "BytesIO" in str(error) else f" ({error})"


def _check(problems: list[str]) -> None:
    if problems:
        rest = len(problems) - _MOST
        raise InputError(*problems[:_MOST], *([f"... and {rest} more like these"] if rest > 0 else []))
