"""Reading: a word is seen, the next one foretold; what is lost is the surprise, in nats a word."""

from __future__ import annotations

from typing import Any, Final, cast

import torch
from torch import Tensor

from aiga import Network, Pairs, Percept, Scores, Status, Trajectory
from aiga.crossing import onto
from aiga.data import Leaves
from aiga_text.corpus import Corpus, Split
from aiga_text.genome import VERSION, kind

_SPLITS: Final[dict[object, Split]] = {kind("train"): "train", kind("valid"): "valid", kind("test"): "test"}


class Passages:
    """The words of ``P`` passages of any lengths.

    Args:
        pairs: whose environments they are.
        corpus: the text.

    Attributes:
        words: ``[P, L]`` int64, on the host; past a passage's end its last word.
        length: ``[P]`` int64.

    Raises:
        ValueError: for an environment of another domain, or a passage that its text does not have.
    """

    def __init__(self, pairs: Pairs, corpus: Corpus) -> None:
        rows, start, length, part = pairs.env.cpu(), [], [], []
        texts = [corpus.parts[split] for split in corpus.parts]
        offset = dict(zip(corpus.parts, [0, *torch.tensor([len(text) for text in texts]).cumsum(0).tolist()], strict=False))
        for batch in pairs.envs.batches:
            if batch.kind not in _SPLITS:
                raise ValueError(f"text is read in environments of version {VERSION}, found {dict(batch.kind.structure)}")
            split = _SPLITS[batch.kind]
            first, many = batch.leaves["start"].cpu(), batch.leaves["length"].cpu()
            there = len(corpus.parts[split])
            if bool(((first < 0) | (many < 2) | (first + many > there)).any()):
                raise ValueError(f"a passage reaches beyond the {there} words of {split}. Was it made of another text?")
            start.append(first)
            length.append(many)
            part.append(torch.full((len(batch),), offset[split]))
        begin = (torch.cat(start) + torch.cat(part))[rows]
        self.length = torch.cat(length)[rows]
        at = torch.arange(int(self.length.max())).minimum(self.length[:, None] - 1)
        self.words = torch.cat(texts)[begin[:, None] + at]


def live(pairs: Pairs, network: Network, corpus: Corpus, vocabulary: int, record: bool = False) -> tuple[Scores, Trajectory]:
    """Reads every passage once, from its first word to its last.

    Args:
        pairs: passages with agents of one kind.
        network: what the agents are made of.
        corpus: the text.
        vocabulary: words that a network tells apart.
        record: keep the trajectory, gradients being left as they are; else it is empty.

    Returns:
        Scores with ``fitness`` (the cross-entropy in nats a word, negative) and ``perplexity``; and the trajectory, whose
        rewards are the logarithms of the chances given to the words that came, with ``logits`` beside them.
    """
    passages = Passages(pairs, corpus)
    agents, at = pairs.agents_of_one_kind()
    leaves: Leaves = {name: leaf[onto(at, leaf.device)] for name, leaf in agents.leaves.items()}
    words, count = onto(passages.words, agents.device), len(pairs)
    total, film = torch.zeros(count, dtype=torch.float64, device=agents.device), _Film(count, vocabulary)
    with torch.set_grad_enabled(record and torch.is_grad_enabled()):
        life = network.newborn(leaves)
        for step in range(words.shape[1] - 1):
            seen = torch.nn.functional.one_hot(words[:, step], vocabulary).float()
            output, life = network.step(leaves, life, Percept(seen))
            gained = _chances(output.action, words[:, step + 1])
            reading = onto(passages.length > step + 1, agents.device)
            total = total + torch.where(reading, gained.detach().double(), 0.0)
            if record:
                film.add(reading, seen, output.action, gained)
    steps = passages.length - 1
    return _scores(total.cpu() / steps, int(steps.sum())), film.trajectory(passages.length)


def loss(pairs: Pairs, network: Network, corpus: Corpus, vocabulary: int, chance: Tensor, steps: int, burn_in: int) -> Tensor:
    """Cross-entropy of a stretch of each passage, back-propagated through all of it (truncated BPTT, Williams & Peng 1990).

    Args:
        pairs: passages with agents of one kind.
        network: what the agents are made of; by its ``unroll`` where it has one and nothing is read before.
        corpus: the text.
        vocabulary: words that a network tells apart.
        chance: ``[P]`` float64 in [0, 1): where in its passage a stretch begins.
        steps: words foretold of each; a passage that has fewer is read whole.
        burn_in: words read before, without gradients, so that a stretch is not begun with an empty memory.

    Returns:
        ``[P]`` nats a word, differentiable in the agents' leaves, on their device.
    """
    passages = Passages(pairs, corpus)
    agents, at = pairs.agents_of_one_kind()
    wide = burn_in + steps + 1
    begin = (chance.cpu() * (passages.length - wide + 1).clamp(min=1)).long()
    last = passages.length - 1
    places = (begin[:, None] + torch.arange(wide)).minimum(last[:, None])
    words, many = onto(passages.words.gather(1, places), agents.device), (last - begin).clamp(max=burn_in + steps)
    if not burn_in and hasattr(network, "unroll"):
        return _unrolled(agents.leaves, onto(at, agents.device), network, words, onto(many, agents.device), vocabulary)
    leaves: Leaves = {name: leaf[onto(at, leaf.device)] for name, leaf in agents.leaves.items()}
    skipped = burn_in - (burn_in + steps - many).clamp(max=burn_in)  # a short passage is foretold rather than burnt in
    life, total = network.newborn(leaves), torch.zeros(len(pairs), device=agents.device)
    for step in range(wide - 1):
        burning = onto(skipped > step, agents.device)
        seen = torch.nn.functional.one_hot(words[:, step], vocabulary).float()
        output, life = network.step(leaves, life, Percept(seen))
        # Row by row, so that what a passage teaches does not hang on how long others are.
        life = {name: torch.where(_like(burning, part), part.detach(), part) for name, part in life.items()}
        counts = ~burning & onto(many > step, agents.device)
        total = total - torch.where(counts, _chances(output.action, words[:, step + 1]), 0.0)
    return total / onto(many - skipped, agents.device)


def _unrolled(leaves: Leaves, row: Tensor, network: Network, words: Tensor, many: Tensor, vocabulary: int) -> Tensor:
    """``[P]`` nats a word of whole stretches at once; agents' lives side by side where they stand so, equally many of each."""
    agents, counts = torch.unique_consecutive(row, return_counts=True)
    count = int(counts[0])
    if bool((counts != count).any()) or len(agents.unique()) < len(agents):
        agents, count = row, 1
    mine = {name: leaf[agents] for name, leaf in leaves.items()}
    seen = torch.nn.functional.one_hot(words[:, :-1].T.reshape(-1, len(agents), count), vocabulary).float()
    logits = cast(Any, network).unroll(mine, Percept(seen)).action.flatten(1, 2)
    chances = logits.log_softmax(dim=-1).gather(2, words[:, 1:].T[:, :, None])[:, :, 0]
    counts = torch.arange(len(chances), device=row.device)[:, None] < many
    return -torch.where(counts, chances, 0.0).sum(dim=0) / many


def _chances(logits: Tensor, word: Tensor) -> Tensor:
    """``[P]`` logarithms of the chances that ``[P, V]`` logits give to ``[P]`` words."""
    return logits.log_softmax(dim=-1).gather(1, word[:, None])[:, 0]


def _like(rows: Tensor, part: Tensor) -> Tensor:
    """``[P]`` rows in the shape of ``part`` ``[P, ...]``."""
    return rows.reshape(-1, *[1] * (part.ndim - 1))


def _scores(fitness: Tensor, steps: int) -> Scores:
    void = ~fitness.isfinite()
    columns = {"fitness": torch.where(void, torch.nan, fitness)}
    columns["perplexity"] = torch.exp(-columns["fitness"])
    status = torch.where(void, int(Status.NAN), int(Status.OK))
    reasons = dict.fromkeys(torch.nonzero(void).flatten().tolist(), "an answer is not a finite number")
    return Scores(columns, status, reasons, {"environment_steps": steps})


class _Film:
    """Lives word by word; one that is over stays at its last word."""

    def __init__(self, count: int, vocabulary: int) -> None:
        self._steps: list[tuple[Tensor, ...]] = []
        self._empty = torch.zeros(0, count, vocabulary)

    def add(self, reading: Tensor, *now: Tensor) -> None:
        before = self._steps[-1] if self._steps else now
        kept = (torch.where(_like(reading, new), new, old) for new, old in zip(now, before, strict=True))
        self._steps.append(tuple(kept))

    def trajectory(self, length: Tensor) -> Trajectory:
        if not self._steps:
            none = self._empty[..., 0]
            return Trajectory(self._empty, self._empty, none, none.bool())
        seen, logits, gained = (torch.stack(column) for column in zip(*self._steps, strict=True))
        done = torch.arange(len(seen))[:, None] >= length - 2
        return Trajectory(seen, logits.argmax(dim=-1), gained, done, {"logits": logits})
