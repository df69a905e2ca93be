"""The report of ``text``: perplexities of parts that none learnt from, beside those of the words' frequencies."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from aiga import Batch, Contestant, Kind, Stream
from aiga_plasticity import Rnn, RnnNetwork
from aiga_text import report as module
from aiga_text.corpus import Source
from aiga_text.domain import TextDomain


@pytest.fixture
def domain(tmp_path: Path) -> TextDomain:
    parts = {}
    for name, words in (("train", "a a b c"), ("valid", "a b a b"), ("test", "b b b d")):
        (tmp_path / name).write_text("\n".join([words] * 10))
        parts[name] = str(tmp_path / name)
    return TextDomain(Source(parts["train"], parts["valid"], parts["test"], vocabulary=8))


def doubtful(domain: TextDomain, count: int = 2) -> Contestant:
    """Agents that find every word as likely as any other."""
    network = RnnNetwork(Rnn.Options(units=3, value=False))
    layout = network.build(network.structure, domain.inputs, domain.outputs)
    leaves = {name: torch.zeros(count, *shape) for name, shape in layout.items()}
    return Contestant(network, Batch.of(Kind("rnn", dict(network.structure)), leaves))


def test_who_knows_nothing_is_in_doubt_between_all_words(domain: TextDomain) -> None:
    report = domain.report({"rnn": doubtful(domain)}, Stream(1))
    assert list(report.rows) == ["rnn", "frequencies", "chance"]
    for part in ("valid", "test"):
        assert report.rows["rnn"][f"{part} perplexity"] == pytest.approx((8.0, 8.0))
    assert report.rows["chance"]["valid perplexity"] == (5.0,)
    assert report.rows["rnn"]["parameters"] == (float(doubtful(domain).parameters),)


def test_frequencies_are_those_of_what_is_learnt_from(domain: TextDomain) -> None:
    # a 20, b 10, c 10, the line's end 10, and the unknown word never; each counted once more, of 55.
    chances = {word: count / 55 for word, count in (("<unk>", 1), ("<eos>", 11), ("a", 21), ("b", 11), ("c", 11))}
    assert dict(zip(domain.corpus.words, module.unigram(domain.corpus).tolist(), strict=True)) == pytest.approx(chances)
    expected = math.exp(-(29 * math.log(11 / 55) + 10 * math.log(1 / 55) + 10 * math.log(11 / 55)) / 49)
    report = domain.report({}, Stream(1))
    assert report.rows["frequencies"]["test perplexity"] == pytest.approx((expected,))


def test_a_long_part_is_read_in_passages(domain: TextDomain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PASSAGE", 10)
    report = domain.report({"rnn": doubtful(domain)}, Stream(1))
    assert report.rows["rnn"]["test perplexity"] == pytest.approx((8.0, 8.0))
