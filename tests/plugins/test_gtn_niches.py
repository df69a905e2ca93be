"""``gtn-niches`` in runs: what is tried, forecast, rejected and offered, and that nothing of it is lost."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import support

import aiga
from aiga import PluginError
from aiga.engine import Engine
from aiga.threads import threads
from aiga_gtn import Gtn, GtnNiches, GtnPolicy

TINY: dict[str, Any] = {
    "train_every": 1, "train_steps": 1, "apprenticeship": 2, "learners": 1, "recorded": 2, "forecast_lives": 2, "horizon": 8,
    "steps": 2, "batch": 2, "length": 3, "noise": 2, "hidden": 4, "propose_every": 2, "candidates": 4, "keep": 0.5,
    "transfer_every": 3, "episodes": 2, "sure": 0.0,
}  # fmt: skip
POLICY = {"options": {"hidden": 4, "search": ["width"], "widths": [3, 6]}}
CONFIG: dict[str, Any] = {
    "run": {"seed": 5, "checkpoint_every": 2, "workers": 0, "episodes": 2, "confirmations": 1, "stop": {"iterations": 6}},
    "population": {"domain": "cartpole", "networks": ["policy", "rnn"], "niches": 2},
    "slots": {"select": "poet", "improve": "none"},
    "plugins": {
        "cartpole": {"options": {"steps": 30}},
        "policy": POLICY,
        "rnn": {"options": {"units": 3}},
        "poet": {
            "options": {
                "capacity": 3, "reproduce_every": 2, "children": 2, "admit": 1, "minimal_criterion": [0.0, 100.0],
                "reproduce_above": 0.0, "episodes": 1, "transfer": False,
            }
        },
        "gtn-niches": {"options": TINY},
    },
}  # fmt: skip
"""Policies and plain recurrent networks on carts, three niches of which the oldest retire, six iterations."""
OPERATORS = {"mutate+taught", "random+taught"}
STILL: dict[str, Any] = {"domain": "points", "networks": ["policy", "linear"], "niches": 2}


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    with threads(1):
        yield


def config(**changes: Any) -> dict[str, Any]:
    return support.merge(CONFIG, {"plugins": {"gtn-niches": {"options": changes}}})


def on_points(**changes: Any) -> dict[str, Any]:
    """The same on a domain of one look and one answer, in which no niche is added."""
    own = support.merge(support.bare(), {"population": STILL, "run": {"stop": {"iterations": 4}}})
    own["plugins"] |= {"policy": POLICY, "gtn-niches": {"options": {**TINY, **changes}}}
    return own


def plugin(it: Engine) -> GtnNiches:
    (found,) = (each for each in it.plugins if isinstance(each, GtnNiches))
    return found


def taught_teachers(it: Engine) -> list[int]:
    teachers = plugin(it)._teachers
    return [] if teachers is None else teachers.keys.tolist()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing happened to."""
    with threads(1):
        return aiga.run(CONFIG, name="whole", runs=tmp_path_factory.mktemp("runs")).path


def test_architectures_are_proposed_to_niches_and_most_are_rejected_with_a_reason(whole: Path) -> None:
    born = [event for event in support.events(whole, "born") if event["by"] == "gtn-niches"]
    assert {event["iteration"] for event in born} == {2, 4, 6}
    assert {event["operator"] for event in born} == OPERATORS
    for event in born:
        assert (event["agent_parents"][0] >= 0) == (event["operator"] == "mutate+taught")
    rejected = [event for event in support.events(whole, "rejected") if event["by"].startswith("gtn-niches.")]
    by = Counter((event["by"], event["iteration"]) for event in rejected)
    for iteration in (2, 4, 6):
        count = sum(event["iteration"] == iteration for event in born)
        assert count > 0
        assert count % 4 == 0
        assert 0 < by["gtn-niches.forecast", iteration] <= count // 2
    for event in rejected:
        if event["by"] == "gtn-niches.forecast":
            assert re.fullmatch(r"forecast -[\d.e-]+, place [34] of 4", event["reason"])
        else:
            assert re.fullmatch(r"once taught it scores [\d.]+, and who lives there [\d.]+", event["reason"])


@pytest.mark.parametrize(("improve", "words"), [("es", "once taught and tuned"), ("none", "once taught")])
def test_a_rejection_says_whether_who_lost_was_tuned_too(improve: str, words: str, tmp_path: Path) -> None:
    own = on_points(tune=1, sure=1e9)
    own["slots"] = {"improve": improve}
    own["plugins"]["es"] = {"options": {"population": 4}}
    path = aiga.run(own, name="r", runs=tmp_path).path
    reasons = [event["reason"] for event in support.events(path, "rejected") if event["by"] == "gtn-niches.trial"]
    assert reasons
    assert all(re.match(f"{words} it scores ", reason) for reason in reasons)


def test_who_wins_is_offered_and_skills_are_taught_to_other_architectures_alone(whole: Path) -> None:
    run, offered = aiga.open(whole), support.events(whole, "transferred")
    assert {event["operator"] for event in offered} & OPERATORS
    ways = [event for event in offered if event["operator"] == "taught"]
    assert {event["iteration"] for event in ways} <= {3, 6}
    assert ways
    for event in ways:
        one, other = (run.stone(event[who]).genome.batches[0].kind for who in ("from", "resident"))
        assert one != other
        assert event["claimed"] is not None


def test_what_was_tried_is_either_rejected_or_offered_unless_the_niche_is_gone(whole: Path) -> None:
    gone = {
        (event["iteration"], event["niche"]) for event in support.events(whole, "retired")
    }  # a niche's key is its environment
    mine, out = Counter[tuple[int, int]](), Counter[tuple[int, int]]()
    for type, count in (("born", mine), ("rejected", out), ("transferred", out)):
        for event in support.events(whole, type):
            where = (event["iteration"], event["env"])
            own = event.get("operator") in OPERATORS or event.get("by", "").startswith("gtn-niches.")
            count[where] += own and where not in gone
    assert mine.total() > 20
    assert +mine == +out


def test_a_run_that_was_lost_after_its_last_checkpoint_goes_on_to_the_same_end(tmp_path: Path, whole: Path) -> None:
    with support.engine(tmp_path, CONFIG, "whole") as it:
        it.found()
        for _ in range(5):
            it.step()
            if it.w.iteration == 3:  # teachers that are not yet able, and Adam's state
                it.save()
    aiga.resume(tmp_path / "whole")
    support.same(tmp_path / "whole", whole)


def test_niches_that_retire_lose_their_teacher_and_new_ones_get_one(tmp_path: Path) -> None:
    gone = set[int]()
    with support.founded(tmp_path, config(propose_every=1000, transfer_every=0)) as it:
        for _ in range(6):
            before = it.w.niches.key.tolist()
            gone |= set(taught_teachers(it)) - set(before)
            it.step()
            assert sorted(taught_teachers(it)) == sorted(before)
        metrics = plugin(it).aiga_metrics(it.w.lab("gtn-niches"))
    assert gone
    assert metrics["teachers"] == 3.0
    assert metrics["imitation"] > 0.0
    assert metrics["failed"] == 0.0


def test_work_is_counted(tmp_path: Path) -> None:
    with support.founded(tmp_path, CONFIG, iterations=6) as it:
        counted = {(purpose, kind): amount for name, purpose, kind, amount in it.meter.rows() if name == "gtn-niches"}
        metrics = plugin(it).aiga_metrics(it.w.lab("gtn-niches"))
    for purpose, kinds in {
        "record": ("episodes", "environment_steps"), "forecast": ("episodes", "environment_steps"),
        "learn": ("gradient_steps", "examples"), "teach": ("gradient_steps", "examples"),
        "taught": ("episodes", "environment_steps"),
    }.items():  # fmt: skip
        for kind in kinds:
            assert counted[purpose, kind] > 0, (purpose, kind)
    assert counted["learn", "gradient_steps"] % 3 == 0  # one learner of two steps a teacher, and the teacher's own
    assert metrics["forecast_judged"] > 0.0
    assert metrics["forecast_chooses"] == 1.0
    assert metrics["forecast_rejected"] > 0.0


def test_the_control_teaches_by_stretches_of_lives(tmp_path: Path) -> None:
    path = aiga.run(config(lessons="lives"), name="r", runs=tmp_path).path
    assert any(event["by"] == "gtn-niches.forecast" for event in support.events(path, "rejected"))
    with support.engine(tmp_path, config(lessons="lives"), "r") as it:
        it.restore()
        teachers = plugin(it)._teachers
        assert teachers is not None
        moved = {name: float(leaf.std(dim=1).max()) for name, leaf in teachers.leaves.items() if name in ("rate", "momentum")}
        assert all(value > 0.0 for value in moved.values())
        assert float(teachers.leaves["first.bias"].abs().max()) == 0.0


def test_answers_that_are_no_choices_are_taught_too(tmp_path: Path) -> None:
    path = aiga.run(on_points(), name="r", runs=tmp_path).path
    assert any(event["by"] == "gtn-niches.forecast" for event in support.events(path, "rejected"))
    with support.engine(tmp_path, on_points(), "r") as it:
        it.restore()
        metrics = plugin(it).aiga_metrics(it.w.lab("gtn-niches"))
    assert metrics["able"] == 2.0
    assert 0.0 < metrics["imitation"] < 10.0


SERIAL = """
def aiga_register(self, registry):
    registry.domain("serial", Serial())
"""
HEAD = """
from aiga.testing.points import PointsDomain


class Serial(PointsDomain):
    parallelism = "serial"
"""


def test_results_hang_not_on_the_number_of_workers(tmp_path: Path) -> None:
    own = on_points()
    own["plugins"]["serial"] = support.plugin(tmp_path, "serial", SERIAL, HEAD)
    own["population"] = {**STILL, "domain": "serial"}
    own["run"]["stop"] = {"iterations": 3}
    runs = [aiga.run(own, name=f"w{n}", runs=tmp_path, overrides=[f"run.workers={n}"]).path for n in (0, 2)]
    assert support.lines(runs[0]) == support.lines(runs[1])
    assert support.saved(runs[0]) == support.saved(runs[1])


def test_where_nobody_has_a_space_nothing_happens(tmp_path: Path) -> None:
    own = on_points()
    own["population"] = {**STILL, "networks": ["linear", "affine"]}
    without = {**own, "plugins": {name: table for name, table in own["plugins"].items() if name != "gtn-niches"}}
    one, other = (aiga.run(each, name=name, runs=tmp_path).path for name, each in (("with", own), ("without", without)))
    assert support.lines(one) == support.lines(other)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("linear", ['[plugins.gtn-niches.options] networks: "linear" has no space of architectures', "search = "]),
        ("lstm", ["[plugins.gtn-niches.options] networks: ", "lstm", "Add [plugins.lstm], or name another."]),
    ],
)
def test_networks_that_cannot_be_tried_are_refused_in_one_message(name: str, words: list[str], tmp_path: Path) -> None:
    with support.founded(tmp_path, on_points(networks=[name])) as it, pytest.raises(PluginError) as caught:
        it.step()
    for word in words:
        assert word in str(caught.value)
    assert str(caught.value).count("networks") == 1


def test_the_named_networks_alone_are_tried(tmp_path: Path) -> None:
    own = on_points(networks=["perceptron"], candidates=6)
    own["plugins"]["perceptron"] = {"options": {"search": ["width"], "widths": [3, 6]}}
    with support.founded(tmp_path, own, iterations=3) as it:
        lab = it.w.lab("gtn-niches")
        it.w.iteration = 4
        pairs = plugin(it).aiga_generate(lab)
    assert pairs is not None
    assert {batch.kind.component for batch in pairs.agents.batches} == {"perceptron"}
    assert set(pairs.operator) == {"random+taught"}  # what lives there is no perceptron
    assert len(pairs) == 2 * 6


def test_rates_are_checked() -> None:
    with pytest.raises(ValueError, match="init_rate 3 must be below max_rate 3"):
        GtnNiches.Options(init_rate=3.0)


def test_a_window_in_which_no_forecast_could_be_judged_is_refused() -> None:
    with pytest.raises(ValueError, match=r"window 20 is below least 30.*Write a larger window"):
        GtnNiches.Options(window=20, least=30)
    assert GtnNiches.Options(window=30, least=30).window == 30


@pytest.mark.parametrize("options", [GtnNiches.Options, Gtn.Options, GtnPolicy.Options])
def test_more_threads_than_a_machine_can_start_are_refused(options: type[aiga.Options]) -> None:
    with pytest.raises(ValueError, match="1024"):
        options(threads=100_000)  # type: ignore[call-arg]
