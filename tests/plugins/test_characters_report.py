"""How trained learners of characters are judged, and the report of it."""

from __future__ import annotations

from typing import Any, cast

import pytest
import torch
from learners import Notebook, SgdHead
from torch import Tensor

from aiga import Batch, Contestant, Kind, Pairs, Stream
from aiga.data import Leaves
from aiga_characters.domain import CharactersDomain
from aiga_characters.exam import Exam
from aiga_characters.judging import RATES, episodes, features, judge, neighbours, pixels
from aiga_characters.report import EPISODES
from aiga_continual import Anml, ContinualNetwork

DOMAIN = CharactersDomain(labels=20, exam=Exam(classes=(10,), draws=2))
FEW = CharactersDomain(labels=5, start="5-way-1-shot-training")
PNG = b"\x89PNG"


def contestant(network: Any, count: int = 2, domain: CharactersDomain = DOMAIN) -> Contestant:
    layout = network.build(network.structure, domain.inputs, domain.outputs)
    return Contestant(network, Batch.of(Kind("any", dict(network.structure)), network.init(Stream(3), layout, count)))


def anml() -> ContinualNetwork:
    options = Anml.Options(channels=[4], gate_channels=[3], strides=[4], pools=[2])
    return ContinualNetwork("anml", options.structure(), options.inner_lr)


class Choosy(SgdHead):
    """Knows every label at one step size alone, by being told it; remembers which lives it was asked for."""

    best = RATES[3]

    def anew(self, leaves: Leaves, rate: Tensor | None = None) -> Leaves:
        assert rate is not None
        return {**leaves, "rate": rate.clone()}

    def learn(self, leaves: Leaves, life: Any, x: Tensor, y: Tensor, create_graph: bool) -> Any:
        right = (leaves["rate"] - self.best).abs() < 1e-9
        learnt = super().learn(leaves, life, x, y, create_graph)
        return {name: torch.where(right.reshape(-1, *[1] * (part.ndim - 1)), part, life[name]) for name, part in learnt.items()}


def watched(domain: CharactersDomain, monkeypatch: pytest.MonkeyPatch) -> list[Tensor]:
    """The seeds of the streams that are lived in, a tensor a call."""
    seen, live = list[Tensor](), domain.live

    def watch(pairs: Pairs, *rest: Any, **more: Any) -> Any:
        seen.append(pairs.envs.batches[0].leaves["seed"][pairs.env])
        return live(pairs, *rest, **more)

    monkeypatch.setattr(domain, "live", watch)
    return seen


def test_the_step_size_is_the_one_that_learnt_most() -> None:
    judged = judge(DOMAIN, contestant(Choosy()), "sequential", [10])[10]
    assert judged.rate.tolist() == [Choosy.best, Choosy.best]
    assert float(judged.train.min()) > 15.0


def test_no_step_size_is_chosen_on_streams_that_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    domain = CharactersDomain(labels=20)
    seen = watched(domain, monkeypatch)
    judge(domain, contestant(Choosy()), "sequential", [10], draws=3)
    chosen, reported = (set(each.tolist()) for each in seen)
    assert len(chosen) == 1
    assert len(reported) == 3
    assert not chosen & reported


def test_a_network_that_learns_otherwise_has_no_step_size_to_choose(monkeypatch: pytest.MonkeyPatch) -> None:
    domain = CharactersDomain(labels=20)
    seen = watched(domain, monkeypatch)
    judged = judge(domain, contestant(Notebook()), "sequential", [10])[10]
    assert len(seen) == 1
    assert judged.rate.isnan().all()


def test_agents_are_judged_each_by_itself() -> None:
    both, network = contestant(anml()), anml()
    one = Contestant(network, both.agents.take(torch.tensor([1])))
    together, alone = judge(DOMAIN, both, "sequential", [10])[10], judge(DOMAIN, one, "sequential", [10])[10]
    assert all(torch.equal(a[1:], b) for a, b in zip(together, alone, strict=True))


def test_units_are_counted_before_and_after_a_gate() -> None:
    each = contestant(anml())
    found = features(DOMAIN, each, Stream(1), classes=5)
    assert list(found) == ["features", "gate", "gated"]
    x = torch.rand(2, 7, 1, 28, 28)
    units = cast(ContinualNetwork, each.network).features(each.agents.leaves, x)
    assert torch.equal(units["gated"], units["features"] * units["gate"])
    assert all(bool((part.active > 0).all() and (part.active <= 100).all()) for part in found.values())
    ranked = found["features"].ranked
    assert bool((ranked.diff(dim=1) <= 0).all())


def test_units_that_nothing_rouses_are_dead() -> None:
    each = contestant(anml())
    shift = next(name for name in each.agents.leaves if name.startswith("features.") and name.endswith(".shift"))
    leaves = {**each.agents.leaves, shift: each.agents.leaves[shift].clone()}
    leaves[shift][0] -= 1e3
    dead = features(DOMAIN, Contestant(each.network, Batch.of(each.agents.kind, leaves)), Stream(1), 5)["features"].dead
    assert dead[0] == 100.0
    assert dead[1] < 100.0


def test_neighbours_tell_classes_that_lie_apart() -> None:
    apart = torch.eye(3)[:, None].expand(3, 20, 3)
    drawn = Stream(2).normal(3, 20, 3).float()
    assert neighbours(torch.stack([apart + 0.01 * drawn, drawn])).tolist()[0] == 1.0
    assert neighbours(drawn[None]).item() < 0.8


def test_the_report_compares_networks_on_streams_and_with_the_oracle() -> None:
    contestants = {"anml": contestant(anml()), "sgd": contestant(SgdHead())}
    report = DOMAIN.report(contestants, Stream(0))
    assert list(report.rows) == ["anml", "sgd", "chance"]
    assert report.rows["chance"] == {"10 classes %": (10.0,)}
    row = report.rows["anml"]
    assert len(row["10 classes %"]) == 2
    own, oracle, below = row["10 classes %"], row["oracle %"], row["below it %"]
    assert below == pytest.approx([100 * (1 - a / b) for a, b in zip(own, oracle, strict=True)])
    assert row["parameters"] == (contestants["anml"].parameters,)
    assert "gated active %" in row
    assert "gated active %" not in report.rows["sgd"]
    assert sorted(report.pictures) == ["age", "classes", "sparsity"]
    assert all(picture.startswith(PNG) for picture in report.pictures.values())
    assert DOMAIN.report(contestants, Stream(0)).plain() == report.plain()


def test_newborn_agents_are_judged_beside_trained_ones_where_that_is_asked_for() -> None:
    domain = CharactersDomain(labels=20, exam=Exam(classes=(10,), newborn=True))
    blind = contestant(SgdHead(), domain=domain)
    blind.agents.leaves["basis"][:] = 0.01  # every image looks alike
    made = domain.report({"it": blind}, Stream(1))
    assert list(made.rows) == ["it", "it, newborn", "chance"]
    assert len(made.rows["it, newborn"]["10 classes %"]) == 2
    assert min(made.rows["it, newborn"]["10 classes %"]) > max(made.rows["it"]["10 classes %"])


def test_where_no_stream_is_short_enough_the_report_says_so() -> None:
    domain = CharactersDomain(labels=5)
    report = domain.report({"sgd": contestant(SgdHead(), domain=domain)}, Stream(0))
    assert report.rows == {}
    assert "5 classes" in report.notes[0]


def test_few_shot_episodes_are_reported_beside_pixels_and_chance() -> None:
    each = contestant(Notebook(), domain=FEW)
    report = FEW.report({"notebook": each}, Stream(0))
    assert report.rows["chance"] == {"right %": (20.0,)}
    assert 20.0 < report.rows["nearest pixels"]["right %"][0] < 100.0
    assert all(30.0 < right < 100.0 for right in report.rows["notebook"]["right %"])
    assert report.pictures["episode"].startswith(PNG)


def test_episodes_are_the_same_for_every_agent_and_for_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    domain = CharactersDomain(labels=5, start="5-way-1-shot-training")
    lived = list[Tensor]()
    live = domain.live

    def watch(pairs: Pairs, network: Any, seeds: Tensor, record: bool = False) -> Any:
        lived.append(seeds)
        return live(pairs, network, seeds, record)

    monkeypatch.setattr(domain, "live", watch)
    episodes(domain, contestant(Notebook(), domain=domain), "5-way-1-shot", Stream(4), 6)
    assert torch.equal(lived[0][:6], lived[0][6:])
    assert len(set(lived[0].tolist())) == 6
    assert pixels(domain, "5-way-1-shot", Stream(4), 6) == pixels(domain, "5-way-1-shot", Stream(4), 6)
    assert EPISODES >= 100


def test_the_controls_of_anml_are_networks_beside_it() -> None:
    found: dict[str, Any] = {}

    class Registry:
        def network(self, name: str, made: Any) -> None:
            found[name] = made.structure["gate"]

    Anml(Anml.Options(channels=[4], gate_channels=[3], strides=[4], pools=[2])).aiga_register(cast(Any, Registry()))
    assert found == {"anml": "learned", "anml-gate-one": "one", "anml-gate-random": "random"}
