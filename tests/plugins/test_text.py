from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

import aiga
from aiga import Batch, Domain, InputError, Kind, Output, Pairs, Percept, Population, Scores, Space, Status, Stream
from aiga.components import Layout, Life, Structure
from aiga.data import Leaves
from aiga.testing import DomainSuite, LinearNetwork
from aiga_text import Text, genome
from aiga_text.corpus import END, SAMPLE, UNKNOWN, Source
from aiga_text.domain import TextDomain

SMALL = TextDomain(Source(vocabulary=60), passage=40, steps=8)


class Bigram:
    """Foretells by the word before, and in its life holds the one before that, which weighs too."""

    def __init__(self) -> None:
        self.structure: Structure = {"version": 1}

    def build(self, structure: Structure, inputs: Space, outputs: Space) -> Layout:
        return {"one": (*inputs.shape, *outputs.shape), "two": (*inputs.shape, *outputs.shape)}

    def init(self, rng: Stream, layout: Layout, count: int) -> Leaves:
        rng = rng.each(count)
        return {name: 0.1 * rng.child(name).normal(*shape) for name, shape in layout.items()}

    def newborn(self, leaves: Leaves) -> Life:
        return {"before": leaves["one"].new_zeros(leaves["one"].shape[:2])}

    def step(self, leaves: Leaves, life: Life, percept: Percept) -> tuple[Output, Life]:
        now = percept.observation.to(leaves["one"].dtype)
        logits = (now[..., None] * leaves["one"]).sum(dim=1) + (life["before"][..., None] * leaves["two"]).sum(dim=1)
        # Scaled by a leaf, so that gradients flow through the life itself.
        return Output(logits), {"before": now * leaves["two"][:, 0, :1]}


class TestTextDomain(DomainSuite):
    seeds_matter = False

    @pytest.fixture
    def domain(self) -> Domain:
        return TextDomain(Source(vocabulary=60), passage=30)


class TestReadingWithAMemory(DomainSuite):
    seeds_matter = False

    @pytest.fixture
    def domain(self) -> Domain:
        return TextDomain(Source(vocabulary=60), passage=30)

    @pytest.fixture
    def network(self) -> Any:
        return Bigram()


def write(folder: Path, name: str, text: str | bytes) -> str:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return str(path)


def problems(source: Source) -> tuple[str, ...]:
    with pytest.raises(InputError) as caught:
        source.read()
    return caught.value.problems


def pairs_of(leaves: Leaves, envs: Batch) -> Pairs:
    count = len(next(iter(leaves.values())))
    agents = Batch.of(Kind("reader", {"version": 1}), leaves)
    return Pairs.of(
        Population((envs,)), Population((agents,)), torch.arange(count).clamp(max=len(envs) - 1), torch.arange(count)
    )


def readers(count: int, domain: TextDomain = SMALL) -> Leaves:
    network = Bigram()
    return network.init(Stream(3), network.build(network.structure, domain.inputs, domain.outputs), count)


def read(domain: TextDomain, envs: Batch, network: Any, leaves: Leaves) -> Scores:
    scores = domain.live(pairs_of(leaves, envs), network, torch.zeros(len(envs), dtype=torch.int64))
    assert isinstance(scores, Scores)
    return scores


def test_the_sample_is_a_few_thousand_words_in_three_parts_that_share_no_line() -> None:
    corpus = Source().read()
    sizes = {split: len(part) for split, part in corpus.parts.items()}
    assert 3000 < sum(sizes.values()) < 6000
    assert sizes["train"] > 7 * sizes["valid"] > 0
    lines = [line for line in SAMPLE.read_text(encoding="utf-8").splitlines() if line]
    assert sum(int((part == 1).sum()) for part in corpus.parts.values()) == len(lines)
    assert "CC0 1.0 Universal" in SAMPLE.with_name("LICENSE").read_text()


def test_words_are_numbered_by_how_often_they_are_learnt_from(tmp_path: Path) -> None:
    train = write(tmp_path, "train.txt", "the sea the Sea, the end\n\n" + "the sea\n" * 10)
    other = write(tmp_path, "other.txt", "the whale sea\n" * 10)
    corpus = Source(train, other, other).read()
    assert corpus.words == (UNKNOWN, END, "the", "sea", ",", "end")
    assert corpus.parts["train"][:8].tolist() == [2, 3, 2, 3, 4, 2, 5, 1]
    assert corpus.parts["test"][:4].tolist() == [2, 0, 3, 1], "a word that was never learnt is unknown"
    assert Source(train, other, other, vocabulary=4).read().words == (UNKNOWN, END, "the", "sea")


def test_capitals_and_cuts_are_as_asked(tmp_path: Path) -> None:
    text = write(tmp_path, "a.txt", "Don't well-known N.Y. <unk> $ 42\n" * 30)
    assert set(Source(text).read().words[2:]) == {"don't", "well-known", "n", ".", "y", "<", "unk", ">", "$", "42"}
    assert set(Source(text, lower=False, cut="spaces").read().words) == {UNKNOWN, END, "Don't", "well-known", "N.Y.", "$", "42"}
    treebank = Source(text, cut="spaces").read()
    assert treebank.parts["train"][3].item() == 0, "the files' own unknown word is the unknown word"


def test_a_byte_order_mark_is_no_word(tmp_path: Path) -> None:
    plain, marked = (
        write(tmp_path, name, head + b"one two three\n" * 60) for name, head in (("a", b""), ("b", b"\xef\xbb\xbf"))
    )
    assert Source(plain).read().hash == Source(marked).read().hash


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    (only,) = problems(Source(str(tmp_path / "none.txt")))
    assert only == f"{tmp_path / 'none.txt'}: cannot be read: No such file or directory. Give the path of a UTF-8 text file."
    (folder,) = problems(Source(str(tmp_path)))
    assert "Is a directory" in folder


def test_a_file_that_is_no_utf_8_is_told_where_and_how_to_mend_it(tmp_path: Path) -> None:
    path = write(tmp_path, "latin.txt", "the caf\xe9\n".encode("latin-1") * 50)
    (only,) = problems(Source(path))
    assert only.startswith(f"{path}: byte 7 (0xe9) is no UTF-8. Convert it: iconv")


@pytest.mark.parametrize("text", ["", "\n \n", "a few words\n", "a few words\n" * 9])
def test_a_text_that_is_too_short_is_told_in_words(tmp_path: Path, text: str) -> None:
    told = problems(Source(write(tmp_path, "short.txt", text)))
    assert all("fewer than 20. Give a longer text." in line for line in told)
    assert "words to judge with" in told[-1]


def test_every_wrong_file_is_told_at_once(tmp_path: Path) -> None:
    good, bad = write(tmp_path, "good.txt", "one two three\n" * 60), write(tmp_path, "bad.txt", b"\xff" * 90)
    first, second = problems(Source(good, str(tmp_path / "none"), bad))
    assert "none: cannot be read" in first
    assert "bad.txt: byte 0 (0xff)" in second


def test_parts_are_named_and_may_be_cut() -> None:
    corpus = SMALL.corpus
    (whole,) = SMALL.describe(SMALL.named("test")).tolist()
    assert whole == [0.0, float(len(corpus.parts["test"]))]
    cut = SMALL.describe(SMALL.named("train", 7))
    each = len(corpus.parts["train"]) // 7
    assert cut.tolist() == [[float(each * place), float(each)] for place in range(7)]
    with pytest.raises(InputError, match="no part 'dev'; there are train, valid, test"):
        SMALL.named("dev")
    with pytest.raises(InputError, match="too few for 9999 passages"):
        SMALL.named("valid", 9999)


def test_children_stay_within_what_is_learnt_with_and_are_no_fragments() -> None:
    total = len(SMALL.corpus.parts["train"])
    envs = SMALL.named("test", 2).take(torch.arange(100) % 2)
    for generation in range(30):
        envs = SMALL.mutate(Stream(2).child(generation).rows(torch.arange(100)), envs)
        start, length = envs.leaves["start"], envs.leaves["length"]
        assert envs.kind == genome.kind("train")
        assert bool(((start >= 0) & (length >= 20) & (start + length <= total)).all())
    assert len(torch.unique(start)) > 50


def test_who_foretells_nothing_has_the_perplexity_of_the_vocabulary() -> None:
    none = {name: torch.zeros_like(leaf) for name, leaf in readers(2).items()}
    scores = read(SMALL, SMALL.named("valid", 2), Bigram(), none)
    assert scores.columns["perplexity"].tolist() == pytest.approx([60.0, 60.0], rel=1e-5)
    assert scores.fitness.tolist() == pytest.approx([-math.log(60.0)] * 2)


def test_perplexity_is_that_of_the_counts_that_an_agent_holds() -> None:
    words = SMALL.corpus.parts["valid"]
    counts = torch.ones(60, 60)
    counts.index_put_((words[:-1], words[1:]), torch.ones(len(words) - 1), accumulate=True)
    leaves = {"one": counts.log()[None], "two": torch.zeros(1, 60, 60)}
    chance = (counts / counts.sum(dim=1, keepdim=True))[words[:-1], words[1:]].log().mean()
    assert read(SMALL, SMALL.named("valid"), Bigram(), leaves).fitness.item() == pytest.approx(float(chance), abs=1e-5)


def test_a_life_sees_a_word_and_is_judged_by_the_next() -> None:
    made = SMALL.live(pairs_of(readers(1), SMALL.named("valid")), Bigram(), torch.tensor([0]), record=True)
    assert isinstance(made, tuple)
    scores, seen = made
    words = SMALL.corpus.parts["valid"]
    assert torch.equal(seen.observations[:, 0].argmax(dim=-1), words[:-1])
    wanted = seen.extras["logits"][:, 0].log_softmax(dim=-1)[torch.arange(len(words) - 1), words[1:]]
    assert torch.allclose(seen.rewards[:, 0], wanted)
    assert float(seen.rewards.double().mean()) == pytest.approx(scores.fitness.item())
    assert seen.done[:, 0].tolist() == [False] * (len(words) - 2) + [True]
    assert scores.cost == {"environment_steps": len(words) - 1}


def test_recording_leaves_gradients_to_the_caller() -> None:
    leaves = {name: leaf.requires_grad_() for name, leaf in readers(1).items()}
    envs = genome.passages(torch.tensor([0]), torch.tensor([9]))
    made = SMALL.live(pairs_of(leaves, envs), Bigram(), torch.tensor([0]), record=True)
    assert isinstance(made, tuple)
    made[1].rewards.sum().backward()
    assert leaves["two"].grad is not None
    assert bool(leaves["two"].grad.any())
    assert not read(SMALL, envs, Bigram(), leaves).fitness.requires_grad


def test_an_answer_that_is_no_number_fails_its_row_alone() -> None:
    leaves = readers(2)
    leaves["one"][1] = torch.nan
    scores = read(SMALL, SMALL.named("valid", 2), Bigram(), leaves)
    assert scores.status.tolist() == [int(Status.OK), int(Status.NAN)]
    assert scores.reasons == {1: "an answer is not a finite number"}
    assert scores.columns["perplexity"].isnan().tolist() == [False, True]


def test_a_passage_of_another_text_is_refused() -> None:
    for start, length in ((0, 10**6), (10**6, 30), (-1, 30), (0, 1)):
        with pytest.raises(ValueError, match="reaches beyond the"):
            read(SMALL, genome.passages(torch.tensor([start]), torch.tensor([length])), Bigram(), readers(1))
    stranger = Batch.of(Kind("text", {"version": 2}), SMALL.named("test").leaves)
    with pytest.raises(ValueError, match="environments of version 1"):
        read(SMALL, stranger, Bigram(), readers(1))


def test_the_loss_of_a_whole_passage_is_what_reading_it_scores() -> None:
    envs, leaves = genome.passages(torch.tensor([5, 60]), torch.tensor([9, 9])), readers(2)
    value = SMALL.loss(pairs_of(leaves, envs), Bigram(), Stream(1))
    assert torch.allclose(value.double(), -read(SMALL, envs, Bigram(), leaves).fitness, atol=1e-6)


def test_the_loss_reads_stretches_of_its_length_all_over_a_passage() -> None:
    seen: list[Tensor] = []

    class Watched(Bigram):
        def step(self, leaves: Leaves, life: Life, percept: Percept) -> tuple[Output, Life]:
            seen.append(percept.observation.argmax(dim=-1))
            return Output(torch.zeros_like(percept.observation)), life

    domain = TextDomain(steps=8)
    domain.loss(pairs_of({"one": torch.zeros(200, 1, 1)}, domain.named("train")), Watched(), Stream(1))
    stretches, words = torch.stack(seen, dim=1), domain.corpus.parts["train"]
    assert stretches.shape == (200, 8)
    windows = {tuple(row): place for place, row in enumerate(words.unfold(0, 8, 1).tolist())}
    starts = [windows[tuple(row)] for row in stretches.tolist()]
    assert min(starts) < 0.05 * len(words)
    assert max(starts) > 0.95 * len(words) - 9


def test_gradients_flow_through_a_stretch_but_not_into_what_was_burnt_in() -> None:
    def gradient(burn_in: int, lengths: list[int], row: int) -> Tensor:
        domain = TextDomain(Source(vocabulary=60), steps=3, burn_in=burn_in)
        leaves = {name: leaf.double().requires_grad_() for name, leaf in readers(len(lengths)).items()}
        envs = genome.passages(torch.zeros(len(lengths)), torch.tensor(lengths))
        domain.loss(pairs_of(leaves, envs), Bigram(), Stream(1))[row].backward()
        assert leaves["two"].grad is not None
        return leaves["two"].grad[row]

    # A passage of four words burns nothing in; beside longer ones its gradient stays what it is alone.
    assert torch.equal(gradient(2, [4, 6, 6], 0), gradient(2, [4], 0))
    assert torch.equal(gradient(0, [4], 0), gradient(2, [4], 0))
    assert not torch.equal(gradient(2, [6], 0), gradient(0, [6], 0))

    def slope(step: float) -> float:
        domain = TextDomain(Source(vocabulary=60), steps=3)
        leaves = {name: leaf.double() for name, leaf in readers(1).items()}
        leaves["two"] = leaves["two"] + step * Stream(4).normal(60, 60).double()
        return float(domain.loss(pairs_of(leaves, genome.passages(torch.zeros(1), torch.tensor([4]))), Bigram(), Stream(1)))

    numeric = (slope(1e-4) - slope(-1e-4)) / 2e-4
    assert float((gradient(0, [4], 0) * Stream(4).normal(60, 60).double()).sum()) == pytest.approx(numeric, rel=1e-4)


def test_learning_by_the_loss_lowers_the_perplexity_of_what_was_never_learnt() -> None:
    domain = TextDomain(Source(vocabulary=150), steps=20)
    leaves = {name: torch.zeros_like(leaf).requires_grad_() for name, leaf in readers(1, domain).items()}
    optimiser, eight = torch.optim.Adam(leaves.values(), lr=0.02), torch.zeros(8, dtype=torch.int64)

    def perplexity() -> float:
        return read(domain, domain.named("test"), Bigram(), leaves).columns["perplexity"].item()

    before = perplexity()
    for step in range(40):
        optimiser.zero_grad()
        agents = Population((Batch.of(Kind("reader", {"version": 1}), leaves),))
        pairs = Pairs.of(Population((domain.named("train"),)), agents, eight, eight)
        domain.loss(pairs, Bigram(), Stream(5).child(step)).mean().backward()
        optimiser.step()
    assert before == pytest.approx(150.0, rel=1e-4)
    assert perplexity() < 75.0


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"vocabulary": 2}, "vocabulary"),
        ({"valid": "b"}, "only valid given"),
        ({"file": "a", "test": "b"}, "only file and test given"),
        ({"cut": "letters"}, "cut"),
        ({"passage": 19}, "passage"),
        ({"bptt": 0}, "bptt"),
        ({"burn_in": -1}, "burn_in"),
    ],
)
def test_options_that_mean_nothing_are_refused(options: dict[str, object], word: str) -> None:
    with pytest.raises(ValidationError, match=word):
        Text.Options(**options)


def test_the_options_reach_the_domain_and_registering_reads_nothing() -> None:
    found: dict[str, TextDomain] = {}
    registry: Any = SimpleNamespace(domain=found.__setitem__)
    given = {"file": "/a", "valid": "/b", "test": "/c", "vocabulary": 50, "lower": False, "cut": "spaces"}
    Text(Text.Options(**given, passage=30, bptt=7, burn_in=2)).aiga_register(registry)
    domain = found["text"]
    assert domain.source == Source(**given)  # type: ignore[arg-type]
    assert (domain.passage, domain.bptt, domain.burn_in) == (30, 7, 2)
    assert domain.inputs == domain.outputs == Space((50,), "discrete")


def test_a_text_is_searched_by_a_run_and_a_mistake_in_it_is_told_first(tmp_path: Path) -> None:
    config = {
        "run": {"seed": 1, "device": "cpu", "episodes": 1, "confirmations": 1, "stop": {"iterations": 2}},
        "population": {"domain": "text", "networks": ["mlp"]},
        "slots": {"improve": "es"},
        "plugins": {
            "text": {"options": {"vocabulary": 40, "passage": 30}},
            "mlp": {"options": {"hidden": [4]}},
            "es": {"options": {"population": 4}},
        },
    }
    run = aiga.run(config, name="it", runs=tmp_path)
    assert len(run.journal()) > 0
    with pytest.raises(InputError, match="cannot be read"):
        aiga.run(config, name="none", runs=tmp_path, overrides=["plugins.text.options.file='/none'"])
    assert not (tmp_path / "none").exists()


def test_a_linear_reader_is_a_bigram_too() -> None:
    """Inputs are words one-hot, so that any network reads them."""
    network = LinearNetwork()
    leaves = network.init(Stream(1), network.build(network.structure, SMALL.inputs, SMALL.outputs), 1)
    assert read(SMALL, SMALL.named("valid"), network, leaves).columns["perplexity"].item() == pytest.approx(60.0, rel=0.2)


def test_a_file_is_kept_with_its_whole_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Text.Options(file="mine.txt").file == str(tmp_path / "mine.txt")
    assert Text.Options().file == ""
