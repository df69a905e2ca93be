"""The domain ``text``: passages that are read word by word, the next word being foretold."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property
from typing import Literal

from torch import Tensor

from aiga import Batch, Contestant, InputError, Network, Pairs, Report, Scores, Space, Stream, Trajectory
from aiga_text import genome
from aiga_text.corpus import SPLITS, Corpus, Source
from aiga_text.reading import live, loss
from aiga_text.report import report

_SOURCE = Source()


class TextDomain:
    """Passages of a text; implements :class:`aiga.Domain`, with ``distance``, ``named``, ``loss``, ``check`` and ``path``.

    Observations are words, one-hot ``[vocabulary]``; outputs are logits of the next word.

    Args:
        source: the text; read when first needed.
        passage: words of a passage that a search starts with.
        steps: words through which :meth:`loss` back-propagates.
        burn_in: words that it reads before.

    Attributes:
        solved: a perplexity of 20.
    """

    version = genome.VERSION
    solved = -math.log(20.0)
    parallelism: Literal["serial", "threads", "device"] = "device"
    names = SPLITS

    def __init__(self, source: Source = _SOURCE, passage: int = 200, steps: int = 35, burn_in: int = 0) -> None:
        self.source, self.passage, self.bptt, self.burn_in = source, passage, steps, burn_in
        self.inputs = Space((source.vocabulary,), "discrete")
        self.outputs = Space((source.vocabulary,), "discrete")
        self.steps = 2**31 - 1  # as long as the text is, which is not read before it is needed

    @cached_property
    def corpus(self) -> Corpus:
        """The text, read when first asked for."""
        return self.source.read()

    def check(self) -> None:
        """Reads the text, so that a mistake in it is told before a run is begun.

        Raises:
            InputError: for every file that is missing, is no UTF-8, or is too short.
        """
        _ = self.corpus

    def path(self, network: Network) -> str:
        """Which text agents read; a run goes on with the same alone."""
        return f"with the text {self.corpus.hash[:16]}"

    def initial(self, rng: Stream, count: int) -> Batch:
        """``count`` passages of what is to be learnt with."""
        return genome.initial(rng, count, len(self.corpus.parts["train"]), self.passage)

    def mutate(self, rng: Stream, parents: Batch) -> Batch:
        """One child for each row; see :func:`aiga_text.genome.mutate`."""
        return genome.mutate(rng, parents, len(self.corpus.parts["train"]))

    def describe(self, envs: Batch) -> Tensor:
        """``[B, 2]`` float64: first word and number of words."""
        return genome.describe(envs)

    def distance(self, a: Batch, b: Batch) -> Tensor:
        """``[A, B]`` float64, Euclidean, in words."""
        return (self.describe(a)[:, None] - self.describe(b)[None]).square().sum(dim=-1).sqrt()

    def named(self, name: str, count: int = 1) -> Batch:
        """``train``, ``valid`` or ``test``, whole or cut into ``count`` passages of one length.

        Raises:
            InputError: for another name, or more passages than there are pairs of words.
        """
        for split in SPLITS:
            if split == name:
                length = len(self.corpus.parts[split])
                if length < 2 * count:
                    raise InputError(f"{name} has {length} words, too few for {count} passages. Ask for fewer.")
                return genome.named(length, split, count)
        raise InputError(f"a text has no part {name!r}; there are {', '.join(SPLITS)}")

    def live(self, pairs: Pairs, network: Network, seeds: Tensor, record: bool = False) -> Scores | tuple[Scores, Trajectory]:
        """Reads every passage once; there is no chance in that. See :func:`aiga_text.reading.live`."""
        scores, trajectory = live(pairs, network, self.corpus, self.source.vocabulary, record)
        return (scores, trajectory) if record else scores

    def loss(self, pairs: Pairs, network: Network, stream: Stream) -> Tensor:
        """``[P]`` nats a word of a random stretch of each passage; see :func:`aiga_text.reading.loss`.

        ``stream`` decides where a stretch begins: by its row key of each pair where it has row keys, else by the pair's place.
        """
        rows = stream.each(len(pairs))
        return loss(pairs, network, self.corpus, self.source.vocabulary, rows.uniform(), self.bptt, self.burn_in)

    def report(self, contestants: Mapping[str, Contestant], rng: Stream) -> Report:
        """Perplexities of what none learnt from; there is no chance in that. See :func:`aiga_text.report.report`."""
        return report(contestants, self.corpus, self.source.vocabulary, self.named)
