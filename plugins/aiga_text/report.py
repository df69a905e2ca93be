"""What is compared of trained agents: how surprised they are by parts of the text that none of them learnt from."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Final

import torch
from torch import Tensor

from aiga import Batch, Contestant, Pairs, Population, Report
from aiga_text.corpus import Corpus, Split
from aiga_text.reading import live

PARTS: Final[tuple[Split, ...]] = ("valid", "test")
PASSAGE: Final = 2000  # words read in one go: longer parts are cut, and begun anew with an empty memory


def report(
    contestants: Mapping[str, Contestant], corpus: Corpus, vocabulary: int, named: Callable[[str, int], Batch]
) -> Report:
    """Perplexities of the part to tune with and of the part to judge by, beside those of the words' frequencies.

    Args:
        contestants: by name.
        corpus: the text.
        vocabulary: words that a network tells apart.
        named: a part of the text, cut into so many passages.
    """
    cut = {part: max(1, len(corpus.parts[part]) // PASSAGE) for part in PARTS}
    rows = dict[str, dict[str, tuple[float, ...]]]()
    for name, each in contestants.items():
        read = {part: _read(each, corpus, vocabulary, named(part, cut[part]), cut[part]) for part in PARTS}
        rows[name] = {f"{part} perplexity": values for part, values in read.items()}
        rows[name]["parameters"] = (float(each.parameters),)
    chances = unigram(corpus)
    rows["frequencies"] = {f"{part} perplexity": (surprise(chances, corpus.parts[part][1:]),) for part in PARTS}
    rows["chance"] = {f"{part} perplexity": (float(len(corpus.words)),) for part in PARTS}
    sizes = ", ".join(f"{len(corpus.parts[part]):,} words to {use}" for part, use in zip(PARTS, ("tune", "judge"), strict=True))
    notes = (
        f"{len(corpus.parts['train']):,} words to learn from, {sizes}; {len(corpus.words):,} different ones",
        "frequencies: every word is as likely as it was among those to learn from, each counted once more",
    )
    return Report("next words: how many a network is in doubt between", rows, notes=notes)


def unigram(corpus: Corpus) -> Tensor:
    """``[V]`` float64 chances of words by their frequency in the part to learn from, each counted once more (Laplace)."""
    counts = torch.bincount(corpus.parts["train"], minlength=len(corpus.words)).double() + 1.0
    return counts / counts.sum()


def surprise(chances: Tensor, words: Tensor) -> float:
    """Perplexity of ``words`` under chances that do not hang on what came before."""
    return math.exp(-float(chances[words].log().mean()))


def _read(each: Contestant, corpus: Corpus, vocabulary: int, passages: Batch, count: int) -> tuple[float, ...]:
    pairs = Pairs.lives(Population((passages,)), Population((each.agents,)), count)
    scores, _ = live(pairs, each.network, corpus, vocabulary)
    return tuple(torch.exp(-scores.fitness.reshape(len(each.agents), count).mean(dim=1)).tolist())
