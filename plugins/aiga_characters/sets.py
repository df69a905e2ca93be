"""Sets of characters, wherever they come from: loaded when first asked for, and once a process."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Final, Literal

import torch
from torch import Tensor

from aiga.downloads import silent
from aiga_characters import download, store
from aiga_characters.recipes import BACKGROUND, EVALUATION, RECIPES, VERSION

Split = Literal["background", "evaluation"]
SourceName = Literal["drawn", "drawn-easy", "folder", "omniglot"]
SPLITS: Final = ("background", "evaluation")


@dataclass(frozen=True, eq=False)
class Characters:
    """Characters of two splits that share no class, nor even an alphabet.

    Attributes:
        images: ``[C, 20, size, size]`` uint8 from 0 (paper) to 255 (ink): classes of the background split first, alphabet by
            alphabet; of each class one image a drawer.
        alphabet: ``[C]`` int64, whose class it is.
        background: how many of the classes are of the background split, to learn with; the others are to judge by.
        names: of the alphabets.
    """

    images: Tensor
    alphabet: Tensor
    background: int
    names: tuple[str, ...]

    @cached_property
    def hash(self) -> str:
        """SHA-256 of every pixel and of where the alphabets and the splits end."""
        digest = hashlib.sha256(self.images.numpy().tobytes())
        digest.update(self.alphabet.numpy().tobytes())
        digest.update(f"{self.background} {tuple(self.images.shape)}".encode())
        return digest.hexdigest()

    @property
    def size(self) -> int:
        """Pixels of a side."""
        return self.images.shape[-1]

    def classes(self, split: Split) -> range:
        """The classes of one split."""
        return range(self.background) if split == "background" else range(self.background, len(self.images))


@dataclass(frozen=True)
class Source:
    """Where characters come from.

    Attributes:
        name: ``drawn`` and ``drawn-easy`` are made here, from ``seed``; ``folder`` is on this machine, ``omniglot`` downloaded.
        folder: of the images, for ``folder``; where the archives are kept, for ``omniglot``: empty for the user's cache.
        seed: of a drawn set.
        size: pixels of a side.
        url: the folder that ``omniglot``'s archives are downloaded from.
        hashes: SHA-256 of the archives, background and evaluation.
    """

    name: SourceName = "drawn"
    folder: str = ""
    seed: int = 0
    size: int = 28
    url: str = download.URL
    hashes: tuple[str, str] = download.HASHES

    def check(self) -> None:
        """Whether a folder holds what it should, its images not yet opened; other sources have nothing to look at.

        Raises:
            InputError: naming everything that is missing or in a wrong place.
        """
        if self.name == "folder" and not _held(self):
            from aiga_characters import omniglot

            omniglot.check(Path(self.folder).expanduser())

    def load(self, say: Callable[[str], None] = silent) -> Characters:
        """The characters; drawn, read or downloaded in this process at the first call alone.

        Args:
            say: shows a line to a person before something takes seconds.

        Raises:
            InputError: naming everything that is wrong with a folder or an archive.
        """
        held = _held(self)
        if not held:
            held.append(self._made(say))
        return held[0]

    def _made(self, say: Callable[[str], None]) -> Characters:
        from aiga_characters import omniglot

        if self.name == "folder":
            say(f"reading characters from {self.folder}")
            return omniglot.read(Path(self.folder).expanduser(), self.size)
        if self.name == "omniglot":
            folder = Path(self.folder).expanduser() if self.folder else store.folder() / "omniglot"
            return omniglot.read(download.fetch(folder, self.url, self.hashes, say), self.size)
        return drawn_set(self.name, self.seed, self.size, say)


@lru_cache(maxsize=4)
def _held(source: Source) -> list[Characters]:  # noqa: ARG001  what it is kept by
    """Where a process keeps what it loaded, so that runs side by side share it."""
    return []


def drawn_set(name: str, seed: int, size: int, say: Callable[[str], None] = silent) -> Characters:
    """A drawn set, from this machine's cache or made now and kept there.

    Args:
        name: ``drawn`` or ``drawn-easy``.
        seed: what all its bits hang on.
        size: pixels of a side.
        say: shows a line to a person before it is made.
    """
    from aiga_characters.drawn import alphabets, draw

    def made() -> Tensor:
        say(f"drawing the characters of the set {name}: some seconds, once on this machine")
        return draw(RECIPES[name], seed, size)

    classes = BACKGROUND[1] + EVALUATION[1]
    recipe = hashlib.sha256(f"{VERSION} {RECIPES[name]}".encode()).hexdigest()[:8]
    images = store.kept(f"{name}-{recipe}-seed{seed}-{size}", (classes, 20, size, size), made)
    sizes = torch.cat(alphabets(seed))
    names = tuple(f"Drawn_{number + 1:02d}" for number in range(len(sizes)))
    return Characters(images, torch.arange(len(sizes)).repeat_interleave(sizes), BACKGROUND[1], names)
