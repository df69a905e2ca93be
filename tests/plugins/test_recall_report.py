"""The report of ``recall``: errors of agents in episodes that are the same for all, and what swapped traces do to them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import pytest
import torch

from aiga import Batch, Contestant, Kind, Output, Percept, Stream
from aiga.data import Leaves
from aiga_plasticity import Plastic, PlasticNetwork, Rnn, RnnNetwork
from aiga_recall import report as module
from aiga_recall.domain import RecallDomain
from aiga_recall.episodes import Binary
from aiga_recall.images import Images

DOMAIN = RecallDomain(Binary(20))
KEPT = 16


class Notebook:
    """Writes down all that it sees, as numbers of connections, and answers what is most like what it sees now."""

    structure: ClassVar[dict[str, Any]] = {"version": 1}
    traces: ClassVar[tuple[str, ...]] = ("pages",)

    def newborn(self, leaves: Leaves) -> dict[str, torch.Tensor]:
        count = len(leaves["page"])
        return {"pages": torch.zeros(count, KEPT, 20), "page": torch.zeros(count, 1)}

    def step(self, leaves: Leaves, life: dict[str, torch.Tensor], percept: Percept) -> tuple[Output, dict[str, torch.Tensor]]:
        seen, pages = percept.observation, life["pages"]
        likeness = (pages * seen[:, None]).sum(dim=2) - 0.01 * (pages == 0).all(dim=2)
        best = pages[torch.arange(len(seen)), likeness.argmax(dim=1)]
        whole = (seen != 0).all(dim=1)
        page = (torch.arange(KEPT) == life["page"].long()) & whole[:, None]
        pages = torch.where(page[:, :, None], seen[:, None], pages)
        return Output(best), {"pages": pages, "page": life["page"] + whole[:, None].float()}


def agents(network: Any, count: int = 2) -> Contestant:
    layout = network.build(network.structure, DOMAIN.inputs, DOMAIN.outputs)
    return Contestant(network, Batch.of(Kind("any", dict(network.structure)), network.init(Stream(3), layout, count)))


PLASTIC = agents(PlasticNetwork(Plastic.Options(wiring="additive")))
RNN = agents(RnnNetwork(Rnn.Options(wiring="additive")))
NOTEBOOK = Contestant(Notebook(), Batch.of(Kind("notebook"), {"page": torch.zeros(2, 1)}))  # type: ignore[arg-type]


def test_swapped_traces_are_another_episodes_memories() -> None:
    row = DOMAIN.report({"notebook": NOTEBOOK}, Stream(1)).rows["notebook"]
    assert row["error %"] == (0.0, 0.0)
    assert all(20.0 < error < 60.0 for error in row["traces swapped, error %"])


def test_a_row_for_each_network_and_one_for_chance() -> None:
    report = DOMAIN.report({"plastic": PLASTIC, "rnn": RNN}, Stream(1))
    assert list(report.rows) == ["plastic", "rnn", "chance"]
    assert report.columns == ("error %", "traces swapped, error %", "parameters")
    assert report.rows["plastic"]["parameters"] == (float(PLASTIC.parameters),)
    assert "traces swapped, error %" not in report.rows["rnn"]
    assert len(report.rows["rnn"]["error %"]) == 2
    assert report.rows["chance"]["error %"] == (25.0,)
    assert report.pictures["recall"].startswith(b"\x89PNG")
    assert "1,000 episodes" in report.notes[0]


def test_the_same_seed_gives_the_same_report_and_all_agents_meet_the_same_episodes() -> None:
    one = DOMAIN.report({"rnn": RNN, "again": RNN}, Stream(1))
    assert one.rows["rnn"] == one.rows["again"]
    assert DOMAIN.report({"rnn": RNN}, Stream(1)).rows["rnn"] == one.rows["rnn"]
    assert DOMAIN.report({"rnn": RNN}, Stream(2)).rows["rnn"] != one.rows["rnn"]


def test_errors_do_not_hang_on_how_many_episodes_are_lived_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    task = DOMAIN.initial(Stream(0), 1)
    whole = module.trial(PLASTIC, Stream(1), task, DOMAIN.source, True, 50)
    monkeypatch.setattr(module, "_NUMBERS", 1)
    parts = module.trial(PLASTIC, Stream(1), task, DOMAIN.source, True, 50)
    assert torch.equal(whole.error, parts.error)


def test_images_are_those_kept_for_testing(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sklearn")
    monkeypatch.setattr(module, "EPISODES", 20)
    domain, asked = RecallDomain(Images("digits"), {"presentation": 2, "cycles": 1}), list[torch.Tensor]()
    draw = domain.source.patterns

    def patterns(rng: Stream, leaves: Leaves, count: int) -> torch.Tensor:
        asked.append(leaves["held_out"])
        return draw(rng, leaves, count)

    monkeypatch.setattr(domain.source, "patterns", patterns)
    network = RnnNetwork(Rnn.Options(wiring="clamped"))
    layout = network.build(network.structure, domain.inputs, domain.outputs)
    each = replace(RNN, network=network, agents=Batch.of(RNN.agents.kind, network.init(Stream(1), layout, 1)))
    report = domain.report({"rnn": each}, Stream(1))
    assert asked
    assert all(bool((held == 1).all()) for held in asked)
    assert report.rows["nothing answered"]["error %"] == (100.0,)
    assert "images kept for testing" in report.notes[0]
