"""Forecasts in a search: who goes on, what is learnt of their worth, and that a worthless one loses its say."""

from __future__ import annotations

import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import support
import torch
from PIL import Image
from pydantic import ValidationError
from search_runs import born, network, optimiser, search, site
from typer.testing import CliRunner

import aiga
from aiga import Stream
from aiga.data import Pairs, Scores, Status
from aiga.engine import Engine
from aiga.forecasts import Trust
from aiga_digits.domain import DigitsDomain
from aiga_search import RandomSearch
from aiga_search.__main__ import app
from aiga_search.clouds import forecasts
from aiga_search.search import ArchitectureSearch
from aiga_search.site import kinds_of

FEW = {"forecast": "meta-gradient", "forecast_steps": 2, "batch": 6}
WHOLE = {**FEW, "forecast_keep": 0.34, "forecast_sample": 0.4}
HERE = site()
HIDDEN = [[20], [24], [28], [40, 9]]


def trials(path: Path) -> list[dict[str, Any]]:
    """The admissions after the founding."""
    return [event for event in support.events(path, "admitted") if event["iteration"]]


def plugin(it: Engine) -> ArchitectureSearch:
    (found,) = (each for each in it.plugins if isinstance(each, ArchitectureSearch))
    return found


class Lab:
    """Forecasts whatever it is told to, by the number of the pair."""

    domain = DigitsDomain()
    niches = SimpleNamespace(envs=HERE.envs, env_ids=torch.tensor([0]), env=torch.tensor([0]))

    def __init__(self, *fitness: float) -> None:
        self.fitness = torch.tensor(fitness, dtype=torch.float64)

    def component(self, kind: str, name: str) -> Any:
        return network() if kind == "network" else self

    def start(self, agents: Any) -> dict[str, Any]:
        return {}

    def improve(self, lab: Any, niches: Pairs, state: Any, steps: int) -> Any:
        return niches.agents, state

    def evaluate(self, pairs: Pairs, *, purpose: str, episodes: int = 1) -> Scores:
        return Scores({"fitness": self.fitness}, torch.zeros(len(pairs), dtype=torch.int64))

    def rng(self, *key: int | str) -> Stream:
        return Stream(4).child(*key)


def asked(lab: Lab, own: int = len(HIDDEN), **options: Any) -> tuple[RandomSearch, Pairs, aiga.Screened]:
    """A search, four proposals of which the first are its own, and what its forecast made of these."""
    made = RandomSearch(RandomSearch.Options(forecast="x", **{"forecast_sample": 1e-9, **options}))
    agents = born(HERE, HIDDEN)
    rows = torch.arange(len(agents))
    pairs = Pairs.of(HERE.envs, agents, torch.zeros_like(rows), rows, "random")
    made._choices = {kind.hash: {} for kind in kinds_of(agents)[:own]}
    return made, pairs, made.screen_forecast(lab, pairs)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a forecast that nothing happened to."""
    return aiga.run(search("random-search", **WHOLE), name="whole", runs=tmp_path_factory.mktemp("forecasts")).path


def test_the_better_share_goes_on_and_the_rest_is_told_its_forecast_and_place() -> None:
    _, pairs, done = asked(Lab(1.0, 9.0, 3.0, 7.0))
    assert done.rejected.tolist() == [0, 2]
    kinds = kinds_of(pairs.agents)
    assert done.reasons == (
        f"architecture {kinds[0].hash}: forecast 1, place 4 of 4",
        f"architecture {kinds[2].hash}: forecast 3, place 3 of 4",
    )
    assert [kinds_of(done.pairs.agents)[agent].hash for agent in done.pairs.agent.tolist()] == [kinds[1].hash, kinds[3].hash]


def test_whoever_has_no_finite_forecast_never_goes_on() -> None:
    for keep in (0.75, 1.0):
        _, _, done = asked(Lab(math.nan, 9.0, -math.inf, 7.0), forecast_keep=keep, forecast_sample=1.0)
        assert done.rejected.tolist() == [0, 2]
        assert all("its forecast is no number" in reason for reason in done.reasons)


def test_a_sampled_rejected_one_goes_on_all_the_same() -> None:
    _, _, done = asked(Lab(1.0, 9.0, 3.0, 7.0), forecast_sample=1.0)
    assert not len(done.rejected)


def test_what_others_propose_is_not_forecast() -> None:
    _, _, done = asked(Lab(9.0, 1.0), own=2)
    assert done.rejected.tolist() == [1]
    assert len(done.pairs) == 3


def test_one_proposal_by_itself_goes_on_unasked() -> None:
    _, _, done = asked(Lab(), own=1)
    assert (len(done.pairs), len(done.rejected)) == (4, 0)


def test_a_forecast_that_is_no_better_than_chance_chooses_no_longer_and_as_many_go_on() -> None:
    class Doubted(Trust):
        acts = False  # type: ignore[assignment]

    made, pairs, _ = asked(Lab(1.0, 9.0, 3.0, 7.0))
    made.trust = Doubted(0.5)
    went = set[tuple[int, ...]]()
    for seed in range(20):
        lab = Lab(1.0, 9.0, 3.0, 7.0)
        lab.rng = lambda *key, seed=seed: Stream(seed)  # type: ignore[method-assign, misc]
        done = made.screen_forecast(lab, pairs)  # type: ignore[arg-type]
        assert all("no better than chance" in reason and "architecture " in reason for reason in done.reasons)
        assert len(done.rejected) == 2
        went.add(tuple(done.rejected.tolist()))
    assert len(went) > 2


def selected(made: RandomSearch, pairs: Pairs, fitness: list[float]) -> Any:
    """The verdict on trained proposals; NaN for one that failed."""
    scores = torch.tensor(fitness, dtype=torch.float64)
    status = torch.where(scores.isnan(), int(Status.NAN), int(Status.OK))
    lab = Lab()
    row = torch.arange(1)
    lab.niches = aiga.Niches.none()
    made._retired = lambda *_: row[:0]  # type: ignore[assignment, method-assign]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("aiga_search.search.Site.of", lambda _: HERE)
        return made.aiga_select(lab, pairs, Scores({"fitness": scores}, status))  # type: ignore[arg-type]


def test_the_truth_is_what_the_trained_agents_scored() -> None:
    made, _, done = asked(Lab(1.0, 9.0, 3.0, 7.0), forecast_keep=0.75)
    verdict = selected(made, done.pairs, [80.0, 20.0, 90.0])
    assert verdict.notes["forecast"] == [9.0, 3.0, 7.0]
    assert verdict.notes["forecast_weight"] == [1.0, 1.0, 1.0]
    # Of three pairs the forecast has one wrong.
    assert made.trust.judged == 3
    assert made.trust.correlation == pytest.approx(1 / 3)


def test_architectures_that_failed_in_training_have_no_truth() -> None:
    made, _, done = asked(Lab(1.0, 9.0, 3.0, 7.0), forecast_keep=1.0)
    selected(made, done.pairs, [10.0, math.nan, 30.0, 40.0])
    assert made.trust.judged == 3


def test_two_of_one_architecture_are_told_apart_by_their_order_and_not_at_all_once_one_is_gone() -> None:
    made, _, _ = asked(Lab(1.0, 9.0, 3.0, 7.0))
    (kind,) = {batch.kind.hash for batch in born(HERE, [[20]]).batches}
    made._forecast = {kind: [(5.0, 1.0), (2.0, 10.0)]}
    agents = born(HERE, [[20]])
    for count, expected in ((2, [5.0, 2.0]), (1, [None])):
        zero = torch.zeros(count, dtype=torch.int64)
        verdict = selected(made, Pairs.of(HERE.envs, agents, zero, zero, "random"), [50.0] * count)
        assert verdict.notes["forecast"] == expected


def test_the_journal_has_the_forecast_of_every_trial_and_how_many_it_stands_for(whole: Path) -> None:
    seen, rejected = trials(whole), support.events(whole, "rejected")
    assert len(seen) + len(rejected) == 36
    assert {event["by"] for event in rejected} == {"random-search.forecast"}
    assert all(0.0 <= event["forecast"] <= 100.0 for event in seen)
    assert {event["forecast_weight"] for event in seen} == {1.0, 2.5}
    assert "forecast" not in support.events(whole, "admitted")[0]  # the founding is no trial
    # The share that the forecast likes, in every iteration; and whom chance lets through besides.
    assert sum(event["forecast_weight"] == 1.0 for event in seen) == 12


def test_without_a_forecast_the_journal_has_none(tmp_path: Path) -> None:
    path = aiga.run(search("random-search"), name="r", runs=tmp_path, overrides=["run.stop.iterations=1"]).path
    assert {(event["forecast"], event["forecast_weight"]) for event in trials(path)} == {(None, None)}


def test_metrics_tell_what_the_forecast_is_worth_where_there_is_one(tmp_path: Path) -> None:
    with support.founded(tmp_path, search("random-search", **WHOLE), iterations=2) as it:
        metrics = plugin(it).aiga_metrics(it.w.lab("random-search"))
        assert metrics["forecast_judged"] == len(trials(tmp_path / "it")) > 3
        assert metrics["forecast_chooses"] == 1.0
        assert metrics["forecast_rejected"] == len(support.events(tmp_path / "it", "rejected"))
        assert -1.0 <= metrics["forecast_correlation"] <= 1.0
    without = RandomSearch()
    without.options = RandomSearch.Options()
    with support.founded(tmp_path / "none", search("random-search"), iterations=1) as it:
        assert not any("forecast" in name for name in plugin(it).aiga_metrics(it.w.lab("random-search")))


def test_an_optimiser_that_tells_nothing_is_found_out_and_lots_choose(tmp_path: Path) -> None:
    # Of what it makes answers hang on chance alone, and so do its forecasts.
    table = optimiser(tmp_path, "noise", "torch.randn(leaf.shape, generator=torch.Generator().manual_seed(len(name)))")
    options = {**WHOLE, "forecast": "noise", "forecast_least": 8, "forecast_level": 1e-9}
    path = aiga.run(search("random-search", plugins={"noise": table}, **options), name="r", runs=tmp_path).path
    reasons = [event["reason"] for event in support.events(path, "rejected")]
    by_lot = ["the forecast is no better than chance" in reason for reason in reasons]
    assert not by_lot[0]
    assert by_lot[-1]
    assert trials(path)[-1]["forecast_weight"] == 3.0


def test_a_search_with_a_forecast_that_was_lost_goes_on_to_the_same_end(tmp_path: Path, whole: Path) -> None:
    with support.engine(tmp_path, search("random-search", **WHOLE), "whole") as it:
        it.found()
        it.step()
        it.step()
        it.save()
        it.step()  # committed to the journal, and in no checkpoint
    aiga.resume(tmp_path / "whole")
    support.same(tmp_path / "whole", whole)


def test_the_state_holds_what_was_judged_and_that_of_older_versions_is_read(tmp_path: Path) -> None:
    with support.founded(tmp_path, search("random-search", **WHOLE), iterations=2) as it:
        before = plugin(it)
        state = before.state_dict()
    assert json.loads(json.dumps(state)) == state
    after = RandomSearch(before.options)
    after.load_state_dict(state, RandomSearch.state_version)
    assert after.trust.metrics() == before.trust.metrics()
    old = RandomSearch(before.options)
    old.load_state_dict({name: state[name] for name in ("proposed", "trials")}, 1)
    assert (old.trust.judged, old.trials.count) == (0, before.trials.count)


def test_forecasts_are_drawn_against_scores_under_their_correlation(whole: Path, tmp_path: Path) -> None:
    found = forecasts(aiga.open(whole))
    assert found.score.tolist() == [event["score"] for event in trials(whole)]
    with support.engine(whole.parent, search("random-search", **WHOLE), "whole") as it:
        it.restore()
        trust = plugin(it).trust
    assert found.words == f"rank correlation {trust.correlation:.2f}, p {trust.p:.3f}, {len(found.score)} judged"
    done = CliRunner().invoke(app, ["forecasts", str(whole), "--out", str(tmp_path / "f.png")])
    assert done.exit_code == 0, done.output
    assert Image.open(tmp_path / "f.png").size[0] > 300


def test_a_run_without_forecasts_is_refused_with_the_remedy(tmp_path: Path) -> None:
    bare = aiga.run(support.bare(run={"stop": {"iterations": 1}}), name="bare", runs=tmp_path)
    with pytest.raises(aiga.InputError, match="option forecast"):
        forecasts(bare)


def test_a_window_in_which_no_forecast_could_be_judged_is_refused() -> None:
    with pytest.raises(ValidationError, match="on trial for ever"):
        RandomSearch.Options(forecast_window=20, forecast_least=30)


def test_options_of_forecasts_that_have_no_effect_are_told_as_a_run_starts() -> None:
    said = RandomSearch(RandomSearch.Options(forecast_keep=0.25, forecast_steps=8)).notice()
    assert said == [
        "forecast_steps and forecast_keep have no effect without forecast. Name the optimiser that shall forecast, such as "
        'forecast = "meta-gradient".'
    ]
    # A run's own configuration names every option.
    assert not RandomSearch(RandomSearch.Options(**RandomSearch.Options().model_dump())).notice()
    assert not RandomSearch(RandomSearch.Options(forecast="x", forecast_steps=8)).notice()


def test_status_says_who_forecasts_and_whether_the_forecast_chooses(tmp_path: Path) -> None:
    for keep, words in ((0.5, ""), (1.0, "; with forecast_keep 1 they are judged and reject nothing")):
        with support.founded(
            tmp_path / str(keep), search("random-search", **{**FEW, "forecast_keep": keep}), iterations=1
        ) as it:
            found = plugin(it).standing(it.w.lab("random-search"))
            judged = plugin(it).trust.judged
        assert found.acts
        assert found.why.endswith(
            f"; forecasts by meta-gradient: on trial, chooses so far: {judged} of 30 forecasts judged{words}"
        )
