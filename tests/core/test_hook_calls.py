"""Who calls each hook and each part of the lab, in what order, with what, and how often."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import support

import aiga

SPY = """
    def __init__(self, options=None):
        super().__init__(options)
        self.calls = []

    def aiga_register(self, registry):
        self.calls.append(("register", sorted(name for name in dir(registry) if name in aiga.components.Registry.__dict__)))
        registry.screen("costly", self.costly, aiga.Cost.REAL)
        registry.screen("cheap", self.cheap, aiga.Cost.FREE)
        registry.logger("notes", self)

    def aiga_generate(self, lab):
        self.calls.append(("generate", lab.iteration))
        child = lab.domain.mutate(lab.rng("child").rows(torch.arange(2)), lab.niches.envs.batches[0].take(torch.tensor([0, 0])))
        envs = aiga.Population((child.with_ids(torch.full((2,), -1)),))
        one = aiga.Pairs.of(envs, lab.niches.agents, torch.arange(2), lab.niches.agent[:1].repeat(2), "mutate")
        same = aiga.Pairs.of(lab.niches.envs, lab.niches.agents, lab.niches.env[:1], lab.niches.agent[1:2], "swap")
        return aiga.Pairs.join(one, same)

    def cheap(self, lab, pairs):
        self.calls.append(("cheap", len(pairs)))
        return aiga.Screened(pairs.take(torch.tensor([0, 2])), torch.tensor([1]), ("too plain",))

    def costly(self, lab, pairs):
        self.calls.append(("costly", len(pairs)))
        return aiga.Screened(pairs, torch.empty(0, dtype=torch.int64), ())

    @aiga.wrapper
    def aiga_evaluate(self, lab, pairs):
        self.calls.append(("evaluate", len(pairs)))
        scores = yield
        self.calls.append(("evaluated", len(scores)))
        return scores.with_columns(again=scores.fitness)

    def aiga_select(self, lab, pairs, scores):
        self.calls.append(("select", len(pairs), sorted(scores.columns)))
        new = pairs.envs.ids[pairs.env]
        admit = ~torch.isin(new, lab.niches.env_ids)
        return Verdict(admit, new, lab.niches.key[:1], ["" for _ in new], {"why": ["new"] * len(pairs)})

    def aiga_transfer(self, lab):
        self.calls.append(("transfer", len(lab.niches)))
        n = lab.niches
        return Offers(n.agents, n.agent[:1], n.key[-1:], ("direct",), n.score[:1])

    def aiga_accept(self, lab, offers, scores):
        self.calls.append(("accept", offers.operator, "resident" in scores.columns, "again" in scores.columns))
        return torch.arange(len(offers)) == 0

    def aiga_event(self, lab, event):
        self.calls.append(("event", event.type, len(event)))

    def aiga_metrics(self, lab):
        self.calls.append(("metrics", [event.type for event in lab.events]))
        return {"niches": len(lab.niches)}

    def aiga_render(self, lab, subject):
        self.calls.append(("render", subject.what))
        return "a picture"

    def log(self, lab, metrics):
        self.calls.append(("log", metrics))

    def close(self):
        self.calls.append(("close",))

    def state_dict(self):
        return {"calls": len(self.calls)}

    def load_state_dict(self, state, version):
        self.calls.append(("load", sorted(state), version))
"""


def spied(folder: Path, **changes: Any) -> dict[str, Any]:
    config = support.bare(
        slots={"select": "spy"}, plugins={"spy": support.plugin(folder, "spy", SPY, "import aiga.components")}
    )
    return support.merge(config, changes)


def calls(it: Any) -> list[Any]:
    return next(plugin for plugin in it.plugins if plugin.name == "spy").calls  # type: ignore[no-any-return]


def test_an_iteration_calls_every_hook_in_the_documented_order(tmp_path: Path) -> None:
    with support.founded(tmp_path, spied(tmp_path, run={"audit": False})) as it:
        seen = calls(it)
        assert [call[:2] for call in seen[1:]] == [("event", "born"), ("evaluate", 2), ("evaluated", 2), ("event", "admitted")]
        assert seen[0][0] == "register"
        seen.clear()
        it.loop(support.limit(1))
        assert [call[:2] for call in seen] == [
            ("generate", 1),
            ("event", "born"),
            ("cheap", 3),
            ("costly", 2),
            ("event", "rejected"),
            ("evaluate", 4),
            ("evaluated", 4),
            ("select", 2),
            ("event", "admitted"),
            ("evaluate", 2),
            ("evaluated", 2),
            ("event", "solved"),
            ("event", "retired"),
            ("transfer", 2),
            ("evaluate", 2),
            ("evaluated", 2),
            ("accept", ("direct",)),
            ("event", "transferred"),
            ("event", "iteration"),
            ("metrics", ["born", "rejected", "admitted", "solved", "retired", "transferred", "iteration"]),
            ("log", {"spy/niches": 2.0}),
        ]
        select = next(call for call in seen if call[0] == "select")
        assert select[2] == ["again", "agent_hash", "environment_hash", "fitness", "returns", "seeds"]
        assert next(call for call in seen if call[0] == "accept")[2:] == (True, True)
    assert calls(it)[-1] == ("close",)


LEAVING = """
    def aiga_generate(self, lab):
        if lab.iteration != 2:
            return None
        child = lab.domain.mutate(lab.rng("child").rows(torch.arange(1)), lab.niches.envs.batches[0].take(torch.tensor([0])))
        envs = aiga.Population((child.with_ids(torch.full((1,), -1)),))
        return aiga.Pairs.of(envs, lab.niches.agents, torch.arange(1), lab.niches.agent[:1], "mutate")

    def aiga_select(self, lab, pairs, scores):
        gone = lab.niches.key[:1] if len(pairs) else lab.niches.key[:0]
        if REPLACED:
            return Verdict(scores.ok, gone, gone[:0], [""] * len(pairs))
        return Verdict(scores.ok & False, gone, gone, ["full"] * len(pairs))

    def aiga_accept(self, lab, offers, scores):
        return torch.zeros(len(offers), dtype=torch.bool)
"""


@pytest.mark.parametrize("replaced", [False, True])
def test_a_niche_that_leaves_as_it_is_first_solved_is_confirmed_before(tmp_path: Path, replaced: bool) -> None:
    leaving = support.plugin(tmp_path, "leaving", LEAVING.replace("REPLACED", str(replaced)))
    config = support.bare(slots={"select": "leaving"}, plugins={"leaving": leaving})
    with support.founded(tmp_path, config) as it:
        it.w.domain.solved = float("inf")
        it.step()
        assert not [event for event in it.w.events if event.type in ("solved", "retired")]
        founder = int(it.w.niches.env_ids[0])
        it.w.domain.solved = -1e9
        it.step()
        types = [event.type for event in it.w.events]
        columns = {event.type: event.columns for event in it.w.events}
        assert [type for type in types if type in ("admitted", "solved", "retired")] == [
            *(["admitted"] if replaced else []),
            "solved",
            "retired",
        ]
        assert columns["retired"]["env"] == [founder]
        assert columns["retired"]["replaced"] == [replaced]
        row = columns["solved"]["env"].index(founder)
        assert columns["solved"]["niche"][row] == columns["retired"]["niche"][0]
        assert (columns["solved"]["purpose"][row], columns["solved"]["at_birth"][row]) == ("confirm", False)
        assert columns["solved"]["at_birth"] == [False, False, *([True] if replaced else [])]
        assert founder not in it.w.niches.env_ids.tolist()
        assert len(it.w.niches) == 1 + replaced
        assert len(it.w.niches.key.unique()) == len(it.w.niches)


def test_the_audit_is_one_more_evaluation_and_asks_nobody(tmp_path: Path) -> None:
    counts = {}
    for audit in (False, True):
        config = spied(tmp_path, run={"audit": audit})
        folder = tmp_path / str(audit)
        folder.mkdir()
        with support.founded(folder, config, iterations=1) as it:
            counts[audit] = sum(call[0] == "evaluate" for call in calls(it)), sum(call[0] == "accept" for call in calls(it))
    assert counts[True] == (counts[False][0] + 1, counts[False][1])


def test_a_proposal_for_an_active_environment_is_offered_to_its_niche(tmp_path: Path) -> None:
    config = spied(tmp_path)
    code = (tmp_path / "spy.py").read_text().replace("lab.niches.key[:1], [", "lab.niches.key[:0], [")
    (tmp_path / "spy.py").write_text(code)
    with support.founded(tmp_path, config, iterations=1) as it:
        assert next(call for call in calls(it) if call[0] == "accept")[1] == ("direct", "swap")
        event = next(event for event in it.w.events if event.type == "transferred")
        assert list(event.columns["accepted"]) == [True, False]


def test_a_screen_of_one_plugin_is_called_with_what_the_cheaper_ones_let_through(tmp_path: Path) -> None:
    with support.founded(tmp_path, spied(tmp_path), iterations=1) as it:
        event = next(event for event in it.w.events if event.type == "rejected")
        assert list(event.columns["reason"]) == ["too plain"]
        assert list(event.columns["by"]) == ["cheap"]


def test_notes_of_a_verdict_are_in_the_event_of_an_admission(tmp_path: Path) -> None:
    run = aiga.run(spied(tmp_path, run={"stop": {"iterations": 2}}), name="r", runs=tmp_path)
    assert [event["why"] for event in support.events(run.path, "admitted") if event["iteration"]] == ["new", "new"]


def test_state_goes_to_a_checkpoint_and_comes_back_with_its_version(tmp_path: Path) -> None:
    config = spied(tmp_path)
    with support.engine(tmp_path, config) as it:
        it.found()
        it.loop(support.limit(2))
    with support.engine(tmp_path, config) as it:
        assert it.restore() == 2
        assert calls(it)[-1] == ("load", ["calls"], 1)


def test_what_a_lab_renders_is_the_first_answer_in_call_order(tmp_path: Path) -> None:
    with support.founded(tmp_path, spied(tmp_path)) as it:
        pictures = it.w.lab("core").render(aiga.Subject("environments", it.w.niches.envs))
        assert len(pictures) == 2  # of the domain's own plugin, which comes first
        assert ("render", "environments") not in calls(it)
        assert it.w.lab("core").render(aiga.Subject("lifetime", it.w.niches.envs)) == "a picture"


def test_a_hook_may_leave_out_the_arguments_that_it_does_not_use(tmp_path: Path) -> None:
    lazy = support.plugin(
        tmp_path, "lazy", "def aiga_metrics(self):\n    return {'one': 1}\n\ndef aiga_register(self):\n    pass\n"
    )
    with support.founded(tmp_path, support.bare(plugins={"lazy": lazy}), iterations=1) as it:
        assert it.w.host.isolated("metrics", it.w.lab) == [("lazy", {"one": 1})]


@pytest.mark.parametrize("owner", ["poet", "spy"])
def test_the_number_of_hook_calls_does_not_depend_on_the_number_of_niches(tmp_path: Path, owner: str) -> None:
    counts = {}
    for niches in (4, 40):
        config = spied(tmp_path, population={"niches": niches}, run={"episodes": 1, "audit": False})
        if owner == "poet":
            config = support.search(
                population={"niches": niches}, run={"audit": False}, plugins={"poet": {"options": {"capacity": 50}}}
            )
            config["plugins"]["spy"] = support.plugin(
                tmp_path, "spy", SPY.replace("def aiga_generate", "def unused"), "import aiga.components"
            )
        folder = tmp_path / f"{niches}"
        folder.mkdir(exist_ok=True)
        with support.founded(folder, config) as it:
            it.w.domain.solved = float("inf")  # an iteration that confirms a solve has one evaluation more
            before = it.meter.calls()
            for _ in range(6):
                it.step()
            after = it.meter.calls()
            counts[niches] = {key: after[key] - before.get(key, 0) for key in after if key[1] != "start"}
    assert counts[4] == counts[40]


def test_events_hold_columns_of_one_length_that_json_can_say(tmp_path: Path) -> None:
    with support.founded(tmp_path, support.search()) as it:
        for _ in range(6):
            it.step()
            for event in it.w.events:
                assert len({len(column) for column in event.columns.values()}) == 1
                json.dumps(dict(event.columns))
                assert event.iteration == it.w.iteration


def test_hooks_are_called_in_file_order(tmp_path: Path) -> None:
    body = "def aiga_metrics(self, lab):\n    return {'it': 1}\n"
    plugins = {name: support.plugin(tmp_path, name, body) for name in ("zebra", "ape", "mole")}
    with support.founded(tmp_path, support.bare(plugins=plugins)) as it:
        assert [name for name, _ in it.w.host.each("metrics", it.w.lab)] == ["zebra", "ape", "mole"]


def test_of_two_wrappers_the_first_in_file_order_is_the_outermost(tmp_path: Path) -> None:
    body = """
        @aiga.wrapper
        def aiga_evaluate(self, lab, pairs):
            scores = yield
            return scores.with_columns(order=torch.full((len(scores),), ORDER))
    """
    plugins = {
        "outer": support.plugin(tmp_path, "outer", body.replace("ORDER", "1.0")),
        "inner": support.plugin(tmp_path, "inner", body.replace("ORDER", "2.0")),
    }
    with support.founded(tmp_path, support.bare(plugins=plugins)) as it:
        scores = it.w.lab("core").evaluate(it.w.niches.pairs(), purpose="test")
        assert scores.columns["order"].tolist() == [1.0, 1.0]
