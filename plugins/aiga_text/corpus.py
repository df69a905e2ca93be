"""A text as numbers: words, a vocabulary of the most frequent ones, and three parts to learn, to tune and to judge by."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final, Literal

import torch
from torch import Tensor

from aiga import InputError

Split = Literal["train", "valid", "test"]
Cut = Literal["words", "spaces"]
SPLITS: Final[tuple[Split, ...]] = ("train", "valid", "test")
SAMPLE: Final = Path(__file__).with_name("sample") / "keepers_year.txt"
UNKNOWN, END = "<unk>", "<eos>"  # a word that is not in the vocabulary, and the end of a line, as in the Penn Treebank's files
LEAST: Final = 20  # words of a part, below which it is no text
_SHARES: Final = (0.8, 0.9)  # where a single file's train and valid parts end
_WORD: Final = re.compile(r"[^\W_]+(?:['\u2019-][^\W_]+)*|[^\w\s]")


@dataclass(frozen=True)
class Source:
    """Which text, and how it is cut.

    Attributes:
        file: of UTF-8 text; empty for the sample that ships with aiga. Its lines are split 80 : 10 : 10, in order.
        valid, test: files of their own for these parts; ``file`` is then all ``train``.
        vocabulary: most different words, the unknown word and the end of a line among them.
        lower: whether capitals are small letters.
        cut: ``words`` finds words and signs; ``spaces`` takes what stands between spaces, for files that are cut already.
    """

    file: str = ""
    valid: str = ""
    test: str = ""
    vocabulary: int = 1000
    lower: bool = True
    cut: Cut = "words"

    def read(self) -> Corpus:
        """The text.

        Raises:
            InputError: for every file that is missing, is no UTF-8, or is too short.
        """
        problems: list[str] = []
        parts = self._parts(problems)
        if problems:
            raise InputError(*problems)
        frequent = Counter(parts["train"])
        for own in (UNKNOWN, END):
            frequent.pop(own, None)
        ranked = sorted(frequent, key=lambda word: (-frequent[word], word))
        words = (UNKNOWN, END, *ranked[: self.vocabulary - 2])
        number = {word: place for place, word in enumerate(words)}
        coded = {split: torch.tensor([number.get(word, 0) for word in part]) for split, part in parts.items()}
        return Corpus(words, coded)

    def _parts(self, problems: list[str]) -> dict[Split, list[str]]:
        if self.valid or self.test:
            files: dict[Split, str] = {"train": self.file, "valid": self.valid, "test": self.test}
            lines = {split: _lines(Path(name).expanduser(), problems) for split, name in files.items()}
            names = files
        else:
            path = Path(self.file).expanduser() if self.file else SAMPLE
            every = _lines(path, problems)
            one, two = (round(share * len(every)) for share in _SHARES)
            lines = {"train": every[:one], "valid": every[one:two], "test": every[two:]}
            names = dict.fromkeys(SPLITS, str(path))
        if problems:
            return {}
        parts = {split: [word for line in part for word in (*self._words(line), END)] for split, part in lines.items()}
        for split, part in parts.items():
            if len(part) < LEAST:
                problems.append(
                    f"{names[split]}: {len(part)} words to {_USES[split]} with, fewer than {LEAST}. Give a longer text."
                )
        return parts

    def _words(self, line: str) -> list[str]:
        line = line.lower() if self.lower else line
        return _WORD.findall(line) if self.cut == "words" else line.split()


@dataclass(frozen=True)
class Corpus:
    """A text as numbers.

    Attributes:
        words: the vocabulary, by number: the unknown word, the end of a line, then the most frequent ones.
        parts: ``[N]`` int64 of each split.
    """

    words: tuple[str, ...]
    parts: dict[Split, Tensor]

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the vocabulary and of all parts."""
        digest = hashlib.sha256("\n".join(self.words).encode())
        for split in SPLITS:
            digest.update(self.parts[split].numpy().tobytes())
        return digest.hexdigest()


_USES: Final[dict[Split, str]] = {"train": "learn", "valid": "tune", "test": "judge"}


def _lines(path: Path, problems: list[str]) -> list[str]:
    """The lines of a file that are not empty."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        what = f"byte {error.start} (0x{error.object[error.start]:02x}) is no UTF-8"
        problems.append(f"{path}: {what}. Convert it: iconv -f ISO-8859-1 -t UTF-8 {path.name}")
        return []
    except OSError as error:
        problems.append(f"{path}: cannot be read: {error.strerror}. Give the path of a UTF-8 text file.")
        return []
    return [line for line in text.splitlines() if line.strip()]
