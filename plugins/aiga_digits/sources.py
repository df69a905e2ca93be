"""Sets of small labelled images: scikit-learn's digits, MNIST, Fashion-MNIST, CIFAR-10; and what of them is for which use.

What is tested on is what its publishers say, and what is validated on the last part of their training set; of scikit-learn's
digits, where they say nothing, random 500 and 297 of 1,797.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Final, Literal

import torch
from torch import Tensor

from aiga import InputError, Stream, downloads
from aiga.image_files import ARCHIVE, CLASSES, IDX, Labelled, cifar10, mnist
from aiga.streams import derive

SourceName = Literal["digits", "mnist", "fashion-mnist", "cifar-10"]
Split = Literal["train", "validation", "test"]
SPLITS: Final[tuple[Split, ...]] = ("train", "validation", "test")
SHAPES: Final[Mapping[SourceName, tuple[int, int, int]]] = {
    "digits": (1, 8, 8),
    "mnist": (1, 28, 28),
    "fashion-mnist": (1, 28, 28),
    "cifar-10": (3, 32, 32),
}
KEY: Final = "[plugins.digits.options]"
_DIGITS: Final = (1000, 297)  # of scikit-learn's, to learn from and to validate on; 500 are left
_VALIDATED: Final[Mapping[SourceName, int]] = {"mnist": 6, "fashion-mnist": 6, "cifar-10": 10}  # one part of so many


@dataclass(frozen=True)
class Published:
    """Where a set is to be had: the folder on a server, and SHA-256 of its files."""

    url: str
    files: Mapping[str, str]


def _four(*hashes: str) -> dict[str, str]:
    return {f"{name}.gz": digest for name, digest in zip(IDX, hashes, strict=True)}


PUBLISHED: Final[Mapping[SourceName, Published]] = {
    "mnist": Published(
        "https://ossci-datasets.s3.amazonaws.com/mnist",
        _four(
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        ),
    ),
    "fashion-mnist": Published(
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion",
        _four(
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        ),
    ),
    "cifar-10": Published(
        "https://www.cs.toronto.edu/~kriz",
        {ARCHIVE: "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"},
    ),
}


@dataclass(frozen=True, eq=False)
class Collection:
    """Images, and which of them are for which use.

    Attributes:
        images: ``[N, C, H, W]`` uint8.
        labels: ``[N]`` int64 from 0 to 9.
        splits: ``[n]`` int64 rows of the images, by use; no two share a row.
    """

    images: Tensor
    labels: Tensor
    splits: Mapping[Split, Tensor]

    @cached_property
    def digest(self) -> str:
        """16 hexadecimal digits of all that it holds."""
        parts = (self.images, self.labels, *(self.splits[split] for split in SPLITS))
        digest = hashlib.sha256()
        for part in parts:
            digest.update(part.contiguous().numpy().tobytes())
        return digest.hexdigest()[:16]

    @cached_property
    def scale(self) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of each channel of what is learnt from, float32 ``[C, 1, 1]``."""
        # Whole numbers: their sums are the same in any order.
        pixels = self.images[self.splits["train"]].transpose(0, 1).flatten(1)
        count = pixels.shape[1]
        mean = pixels.sum(dim=1).double() / count
        squares = torch.stack([channel.to(torch.int32).square().sum() for channel in pixels]).double() / count
        deviation = (squares - mean * mean).clamp(min=1e-6).sqrt()
        return mean.float()[:, None, None], deviation.float()[:, None, None]


@dataclass(frozen=True)
class Source:
    """Where images come from.

    Attributes:
        name: of the set.
        folder: with its files; where a download is kept, empty for the user's cache.
        download: whether files that are not there are downloaded.
        url: the folder on a server; empty for where the set is published.
        hashes: SHA-256 by file, where they differ from the published ones.
    """

    name: SourceName = "digits"
    folder: str = ""
    download: bool = False
    url: str = ""
    hashes: tuple[tuple[str, str], ...] = ()

    def check(self) -> None:
        """Reads the images, unless they may have to be downloaded: that is told, and done, later.

        Raises:
            InputError: for what is missing or damaged.
        """
        if not self.download:
            self.load()

    def load(self, say: Callable[[str], None] = downloads.silent) -> Collection:
        """The images; read or downloaded in this process at the first call alone.

        Args:
            say: shows a line to a person before a download.

        Raises:
            InputError: for what is missing or damaged, or cannot be downloaded.
        """
        held = _held(self)
        if not held:
            held.append(self._made(say))
        return held[0]

    def _made(self, say: Callable[[str], None]) -> Collection:
        if self.name == "digits":
            return _scikit_learns()
        folder = Path(self.folder).expanduser() if self.folder else downloads.cache("images") / self.name
        if self.download:
            published = PUBLISHED[self.name]
            files = {**published.files, **dict(self.hashes)}
            by_hand = f'Or put {" and ".join(files)} into a folder and write folder = "..." for it, without download.'
            downloads.fetch(folder, self.url or published.url, files, f"{KEY} hashes", by_hand, say)
        read = cifar10 if self.name == "cifar-10" else mnist
        return _split(read(folder, f"{KEY} folder"), self)


def _split(found: Labelled, source: Source) -> Collection:
    images, labels, training = found
    kept = training - max(1, training // _VALIDATED[source.name])
    parts = torch.tensor_split(torch.arange(len(images)), (kept, training))
    splits = dict(zip(SPLITS, parts, strict=True))
    for split, rows in splits.items():
        lost = sorted(set(range(CLASSES)) - set(labels[rows].tolist()))
        if lost:
            raise InputError(
                f"{KEY} source = {source.name!r}: no image of class {lost[0]} among the {len(rows):,} of the part {split}. "
                f"Give a folder with the whole set; found {str(source.folder)!r}."
            )
    return Collection(images, labels, splits)


def _scikit_learns() -> Collection:
    data: Any = _datasets().load_digits()
    images, labels = torch.from_numpy(data.images).to(torch.uint8)[:, None], torch.from_numpy(data.target).long()
    # In the order in which they are published one writer follows another.
    order = Stream(derive("digits", "split", 1)).permutation(len(images))
    return Collection(images, labels, dict(zip(SPLITS, torch.tensor_split(order, (_DIGITS[0], sum(_DIGITS))), strict=True)))


def _datasets() -> Any:
    try:
        from sklearn import datasets
    except ImportError:
        raise InputError(
            f'{KEY} source = "digits": these images are scikit-learn\'s, which is not installed. Install aiga[images], '
            "or write another source and its folder."
        ) from None
    return datasets


@lru_cache(maxsize=4)
def _held(source: Source) -> list[Collection]:  # noqa: ARG001  what it is kept by
    """Where a process keeps what it loaded, so that runs side by side share it."""
    return []
