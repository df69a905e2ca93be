"""What comes out of a plugin, whatever it is, is the plugin's: named, and handled as ``on_error`` says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import support

import aiga

RAISED = ["sys.exit(0)", "raise GeneratorExit", "raise aiga.InputError('hi')", "raise aiga.AigaError('hi')"]


def config(folder: Path, body: str, on_error: str = "stop", head: str = "import sys", **changes: Any) -> dict[str, Any]:
    table = {**support.plugin(folder, "odd", body, head), "on_error": on_error}
    return support.search(plugins={"odd": table}, run={"stop": {"iterations": 4}}, **changes)


@pytest.mark.parametrize("raised", RAISED)
def test_an_exit_or_an_error_of_aigas_own_kind_is_the_plugins_fault(tmp_path: Path, raised: str) -> None:
    with pytest.raises(aiga.PluginError, match=r"plugin 'odd' raised in metrics, iteration 1"):
        aiga.run(config(tmp_path, f"def aiga_metrics(self, lab):\n    {raised}"), name="r", runs=tmp_path)


@pytest.mark.parametrize("raised", RAISED)
def test_it_disables_the_plugin_where_that_was_asked_for(tmp_path: Path, raised: str) -> None:
    run = aiga.run(config(tmp_path, f"def aiga_metrics(self, lab):\n    {raised}", "disable"), name="r", runs=tmp_path)
    assert len(support.events(run.path, "iteration")) == 4


@pytest.mark.parametrize("workers", [0, 1])
def test_a_domain_that_exits_fails_its_rows_with_any_number_of_workers(tmp_path: Path, workers: int) -> None:
    head = """
import sys

from aiga.testing.points import PointsDomain


class Leaving(PointsDomain):
    parallelism = "serial"

    def live(self, pairs, network, seeds, record=False):
        sys.exit(0)
"""
    body = "def aiga_register(self, registry):\n    registry.domain('leaving', Leaving())"
    given = config(tmp_path, body, head=head, population={"domain": "leaving"})
    run = aiga.run(support.merge(given, {"run": {"workers": workers}}), name="r", runs=tmp_path)
    assert [end["best"] for end in support.events(run.path, "iteration")] == [None] * 4


ANSWERS = {
    "rows of floats": ("generate", "n = lab.niches; return aiga.Pairs.of(n.envs, n.agents, n.score, n.agent)", "env should be"),
    "words that are none": (
        "generate",
        "n = lab.niches; return replace(n.pairs(), operator=(b'x',) * len(n))",
        "operator should be words",
    ),
    "parents of one column": (
        "generate",
        "n = lab.niches; return replace(n.pairs(), env_parents=n.key[:, None])",
        "env_parents should be",
    ),
    "a kind that JSON cannot hold": (
        "generate",
        "e = aiga.Batch.of(aiga.Kind('points', {'x': object()}), {'a': torch.zeros(1)}); n = lab.niches; "
        "return aiga.Pairs.of(aiga.Population((e,)), n.agents, n.env[:1] * 0, n.agent[:1])",
        "nothing that JSON can hold",
    ),
    "metrics that are a list": ("metrics", "return [1.0]", "by name"),
}


@pytest.mark.parametrize("which", ANSWERS)
def test_an_answer_of_the_wrong_form_is_the_plugins_fault(tmp_path: Path, which: str) -> None:
    hook, body, said = ANSWERS[which]
    head = "from dataclasses import replace"
    with pytest.raises(aiga.PluginError, match=rf"plugin 'odd' raised in {hook}, iteration 1: .*{said}"):
        aiga.run(config(tmp_path, f"def aiga_{hook}(self, lab):\n    {body}", head=head), name="r", runs=tmp_path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("columns={'fitness': scores.fitness.long()}", "fitness is torch.int64"),
        ("columns={'fitness': scores.fitness[:, None]}", "not floats of"),
        ("columns={'fitness': scores.fitness.tolist()}", "is a list, not a tensor"),
        ("cost={'environment_steps': 'x'}", "cost counts work in whole numbers"),
    ],
)
def test_scores_of_the_wrong_form_are_the_wrappers_fault(tmp_path: Path, change: str, said: str) -> None:
    body = f"@aiga.wrapper\ndef aiga_evaluate(self, lab, pairs):\n    scores = yield\n    return replace(scores, {change})"
    with pytest.raises(aiga.PluginError, match=rf"plugin 'odd' raised in evaluate, iteration 0: .*{said}"):
        aiga.run(config(tmp_path, body, head="from dataclasses import replace"), name="r", runs=tmp_path)


@pytest.mark.parametrize(
    ("verdict", "said"),
    [
        ("Verdict(a, k, torch.zeros(0).long(), r, {'env': [7] * len(pairs)})", "aiga itself writes 'env'"),
        ("Verdict(a, k, [], r)", "retire should be"),
        ("Verdict(a.long(), k, torch.zeros(0).long(), r)", "admit should be"),
        ("Verdict(a, k.double(), torch.zeros(0).long(), r)", "niche should be"),
        ("Verdict(a, k, torch.tensor([999]), r)", "retire names niche 999, which is not active"),
    ],
)
def test_a_verdict_of_the_wrong_form_is_the_owners_fault(tmp_path: Path, verdict: str, said: str) -> None:
    body = f"""
def aiga_generate(self, lab):
    return lab.niches.pairs()

def aiga_select(self, lab, pairs, scores):
    a, k, r = torch.zeros(len(pairs), dtype=torch.bool), pairs.envs.ids[pairs.env], ["no"] * len(pairs)
    return {verdict}
"""
    with pytest.raises(aiga.PluginError, match=rf"plugin 'odd' raised in select, iteration 1: .*{said}"):
        aiga.run(config(tmp_path, body, slots={"select": "odd"}), name="r", runs=tmp_path)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("api = 'x'", "api is 'x'"),
        ("needs = 'distance'", "needs is 'distance', not a tuple"),
        ("pillar = 'plasticity'", "pillar is 'plasticity', none of architectures, learning, environments"),
        ("pillar = ['learning']", "pillar is"),
        ("Options = dict", "Options does not derive from aiga.Options"),
        ("aiga_metrics = 5", "aiga_metrics is no method"),
    ],
)
def test_a_class_that_says_nonsense_of_itself_is_bad_input(tmp_path: Path, line: str, said: str) -> None:
    with pytest.raises(aiga.InputError, match=said):
        aiga.run(config(tmp_path, line), name="r", runs=tmp_path)
    assert not (tmp_path / "r").exists()
