"""A plugin that raises, in each place where it is called: the run says which, and ends or goes on as configured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import support

import aiga
from aiga.rundir import RunDirectory

PLACES = ["generate", "before", "after", "transfer", "event", "metrics", "state_dict", "sieve", "log", "yields", "wrong"]
HOOK = {"before": "evaluate", "after": "evaluate", "yields": "evaluate", "wrong": "generate"}
WHEN = {"sieve": 4}  # children come in every other iteration
OWNED = ["select", "accept", "improve", "start"]

TROUBLE = """
    class Options(aiga.Options):
        where: str
        marker: str

    def __init__(self, options=None):
        super().__init__(options)
        self.iteration, self.told = 0, 0

    def trip(self, where, iteration=None):
        if where == self.options.where and (iteration or self.iteration) >= 3 and Path(self.options.marker).exists():
            raise RuntimeError("tripped")

    def aiga_register(self, registry):
        registry.screen("sieve", self.sieve, aiga.Cost.FREE)
        registry.logger("notes", self)
        self.trip("register", 3)

    def aiga_generate(self, lab):
        self.iteration = lab.iteration
        self.trip("generate")
        if self.options.where == "wrong" and self.iteration >= 3 and Path(self.options.marker).exists():
            return ["no pairs"]

    def sieve(self, lab, pairs):
        self.trip("sieve")
        return aiga.Screened(pairs, torch.empty(0, dtype=torch.int64), ())

    @aiga.wrapper
    def aiga_evaluate(self, lab, pairs):
        self.trip("before")
        scores = yield
        self.trip("after")
        if self.options.where == "yields" and self.iteration >= 3 and Path(self.options.marker).exists():
            yield
        return scores

    def aiga_transfer(self, lab):
        self.trip("transfer")

    def aiga_event(self, lab, event):
        self.told += 1
        self.trip("event")

    def aiga_metrics(self, lab):
        self.trip("metrics")
        return {"told": self.told}

    def log(self, lab, metrics):
        self.trip("log")

    def close(self):
        self.trip("close")

    def state_dict(self):
        self.trip("state_dict")
        return {"told": self.told}

    def load_state_dict(self, state, version):
        self.trip("load_state_dict", 3)
        self.told = state["told"]
"""
OWNER = """
    class Options(aiga.Options):
        where: str
        marker: str

    def trip(self, where, iteration):
        if where == self.options.where and iteration >= 3 and Path(self.options.marker).exists():
            raise RuntimeError("tripped")

    def aiga_register(self, registry):
        registry.optimiser("still", self)

    def start(self, agents):
        self.trip("start", 3)
        return {}

    def improve(self, lab, niches, state, steps):
        self.trip("improve", lab.iteration)
        return niches.agents, state

    def aiga_select(self, lab, pairs, scores):
        self.trip("select", lab.iteration)
        return Verdict(torch.zeros(0, dtype=torch.bool), torch.zeros(0).long(), torch.zeros(0).long(), [])

    def aiga_transfer(self, lab):
        n = lab.niches
        return Offers(n.agents, n.agent[:1], n.key[-1:], ("direct",), n.score[:1])

    def aiga_accept(self, lab, offers, scores):
        self.trip("accept", lab.iteration)
        return torch.zeros(1, dtype=torch.bool)
"""
HEAD = "from pathlib import Path"


def troubled(folder: Path, where: str, on_error: str = "stop") -> dict[str, Any]:
    table = support.plugin(folder, "trouble", TROUBLE, HEAD)
    options = {"where": where, "marker": str(folder / "marker")}
    return support.search(
        run={"checkpoint_every": 2, "stop": {"iterations": 8}},
        plugins={"trouble": {**table, "on_error": on_error, "options": options}},
    )


def owned(folder: Path, where: str, on_error: str) -> dict[str, Any]:
    table = support.plugin(folder, "owner", OWNER, HEAD)
    options = {"where": where, "marker": str(folder / "marker")}
    slots = {"select": "owner", "improve": "still"}
    return support.bare(slots=slots, plugins={"owner": {**table, "on_error": on_error, "options": options}})


def notes(path: Path) -> list[dict[str, Any]]:
    frame = aiga.open(path).operations("plugin")
    return frame.to_dict("records") if len(frame) else []


@pytest.mark.parametrize("where", PLACES)
def test_under_stop_the_run_ends_naming_plugin_hook_and_iteration_and_can_go_on_once_mended(tmp_path: Path, where: str) -> None:
    config = troubled(tmp_path, where)
    whole = aiga.run(config, name="whole", runs=tmp_path)
    (tmp_path / "marker").touch()
    with pytest.raises(
        aiga.PluginError, match=rf"'trouble' raised in {HOOK.get(where, where)}, iteration {WHEN.get(where, 3)}: .*on_error"
    ):
        aiga.run(config, name="ended", runs=tmp_path)
    ended = aiga.open(tmp_path / "ended")
    assert ended.journal()["iteration"].max() == (3 if where == "state_dict" else WHEN.get(where, 3) - 1)
    assert "trouble" in ended.operations("failure")["text"].iloc[-1]
    assert "Traceback" in (ended.path / "log.txt").read_text()
    (tmp_path / "marker").unlink()
    aiga.resume(ended.path)
    support.same(ended.path, whole.path)


@pytest.mark.parametrize("where", PLACES)
def test_under_disable_the_run_goes_on_without_it_and_says_so_once(tmp_path: Path, where: str) -> None:
    (tmp_path / "marker").touch()
    config = troubled(tmp_path, where, "disable")
    whole = aiga.run(config, name="whole", runs=tmp_path)
    assert whole.journal()["iteration"].max() == 8
    (note,) = notes(whole.path)
    hook = HOOK.get(where, where)
    assert (note["plugin"], note["hook"]) == ("trouble", hook)
    assert f"raised in {hook}, iteration {WHEN.get(where, 3)}, and is disabled" in note["text"]

    parted = aiga.run(config, name="parted", runs=tmp_path, overrides=["run.stop.iterations=5"])
    aiga.resume(parted.path, overrides=["run.stop.iterations=8"])
    assert len(notes(parted.path)) == 1  # it stayed disabled
    support.same(parted.path, whole.path)


def test_a_disabled_plugin_changes_nothing_more(tmp_path: Path) -> None:
    (tmp_path / "marker").touch()
    disabled = aiga.run(troubled(tmp_path, "transfer", "disable"), name="disabled", runs=tmp_path)
    without = aiga.run(support.search(run={"stop": {"iterations": 8}}), name="without", runs=tmp_path)
    assert support.lines(disabled.path) == support.lines(without.path)


def test_state_that_cannot_be_taken_back_is_named_at_once(tmp_path: Path) -> None:
    run = aiga.run(troubled(tmp_path, "load_state_dict"), name="r", runs=tmp_path, overrides=["run.stop.iterations=5"])
    before = support.lines(run.path)
    (tmp_path / "marker").touch()
    with pytest.raises(aiga.PluginError, match="'trouble' raised in load_state_dict, iteration 5"):
        aiga.resume(run.path)
    assert support.lines(run.path) == before


def test_state_that_cannot_be_taken_back_disables_a_plugin_that_may_be(tmp_path: Path) -> None:
    config = troubled(tmp_path, "load_state_dict", "disable")
    run = aiga.run(config, name="r", runs=tmp_path, overrides=["run.stop.iterations=5"])
    (tmp_path / "marker").touch()
    aiga.resume(run.path, overrides=["run.stop.iterations=7"])
    (note,) = notes(run.path)
    assert note["hook"] == "load_state_dict"


@pytest.mark.parametrize("on_error", ["stop", "disable"])
def test_register_comes_before_the_run_so_nothing_is_written(tmp_path: Path, on_error: str) -> None:
    (tmp_path / "marker").touch()
    with pytest.raises(
        aiga.PluginError, match="'trouble' raised in register, before the first iteration: RuntimeError: tripped"
    ):
        aiga.run(troubled(tmp_path, "register", on_error), name="r", runs=tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_a_hook_that_there_is_not_is_found_before_the_run_is_made(tmp_path: Path) -> None:
    table = support.plugin(tmp_path, "typo", "def aiga_generte(self, lab):\n    pass\n")
    with pytest.raises(aiga.InputError, match=r"aiga_generte.*did you mean 'aiga_generate'"):
        aiga.run(support.bare(plugins={"typo": table}), name="r", runs=tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_a_logger_that_cannot_be_closed_goes_to_the_log(tmp_path: Path) -> None:
    (tmp_path / "marker").touch()
    run = aiga.run(troubled(tmp_path, "close"), name="r", runs=tmp_path)
    assert "tripped" in (run.path / "log.txt").read_text()
    assert run.operations("stop")["reason"].iloc[-1] == "8 iterations are done"


@pytest.mark.parametrize("on_error", ["stop", "disable"])
@pytest.mark.parametrize("where", OWNED)
def test_the_owner_of_a_slot_cannot_be_disabled(tmp_path: Path, where: str, on_error: str) -> None:
    (tmp_path / "marker").touch()
    with pytest.raises(
        aiga.PluginError, match=rf"'owner' raised in {where}, iteration [03]: .*owns a slot and cannot be disabled"
    ):
        aiga.run(owned(tmp_path, where, on_error), name="r", runs=tmp_path)
    assert RunDirectory.open(tmp_path / "r").holder() is None
    assert len(support.lines(tmp_path / "r")) >= (0 if where == "start" else 4)


def test_a_render_that_raises_under_disable_leaves_the_next_plugin_to_draw(tmp_path: Path) -> None:
    raising = support.plugin(tmp_path, "raising", "def aiga_render(self, lab, subject):\n    raise ValueError('no ink')\n")
    drawing = support.plugin(tmp_path, "drawing", "def aiga_render(self, lab, subject):\n    return 'a picture'\n")
    plugins = {"raising": {**raising, "on_error": "disable"}, "drawing": drawing}
    with support.founded(tmp_path, support.bare(plugins=plugins)) as it:
        assert it.w.lab("core").render(aiga.Subject("lifetime", it.w.niches.envs)) == "a picture"
        assert it.w.host.disabled == {"raising"}


@pytest.mark.parametrize(
    ("hook", "body", "said"),
    [
        (
            "select",
            "return Verdict(torch.ones(9, dtype=torch.bool), torch.arange(9), torch.zeros(0).long(), [''] * 9)",
            "a verdict on 0",
        ),
        ("select", "return None", "gave no answer to aiga_select"),
        (
            "transfer",
            "n = lab.niches; return Offers(n.agents, n.agent[:1], n.key[:1] + 999, ('x',), n.score[:1])",
            "not active",
        ),
        ("accept", "return torch.ones(2, dtype=torch.bool)", "two agents are accepted for one niche"),
        ("accept", "return torch.ones(2)", "the mask should be a tensor of torch.bool"),
        ("metrics", "return {'a': 'many'}", "could not convert"),
    ],
)
def test_an_answer_that_cannot_be_used_is_the_plugins_fault(tmp_path: Path, hook: str, body: str, said: str) -> None:
    bodies = {
        "select": "return Verdict(torch.zeros(0, dtype=torch.bool), torch.zeros(0).long(), torch.zeros(0).long(), [])",
        "transfer": "n = lab.niches; return Offers(n.agents, n.agent[:2], n.key[[0, 0]], ('x', 'y'), n.score)",
        "accept": "return torch.zeros(len(offers), dtype=torch.bool)",
        "metrics": "return {}",
        hook: body,
    }
    arguments = {"select": "lab, pairs, scores", "accept": "lab, offers, scores"}
    code = "\n".join(f"def aiga_{name}(self, {arguments.get(name, 'lab')}):\n    {it}\n" for name, it in bodies.items())
    config = support.bare(slots={"select": "wrong"}, plugins={"wrong": support.plugin(tmp_path, "wrong", code)})
    with pytest.raises(aiga.PluginError, match=f"'wrong'.*{said}"):
        aiga.run(config, name="r", runs=tmp_path)
