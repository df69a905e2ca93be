"""The first niches of a run, and the agents they start from."""

from __future__ import annotations

from pathlib import Path

import pytest
import support
import torch
from safetensors.torch import save_file

import aiga


def components(it: object) -> list[str]:
    niches = it.w.niches  # type: ignore[attr-defined]
    rows = torch.arange(len(niches))
    return [niches.agents.take(niches.agent[row : row + 1])[0].batches[0].kind.component for row in rows]


@pytest.mark.parametrize(("niches", "found"), [(1, 2), (2, 2), (5, 5)])
def test_networks_take_turns_and_each_gets_a_niche(tmp_path: Path, niches: int, found: int) -> None:
    with support.founded(tmp_path, support.bare(population={"niches": niches})) as it:
        assert components(it) == [("linear", "affine")[row % 2] for row in range(found)]
        assert it.w.niches.born.tolist() == [0] * found
        assert bool(it.w.niches.score.isfinite().all())
        admitted = next(event.columns for event in it.w.events if event.type == "admitted")
        assert list(admitted["score"]) == it.w.niches.score.tolist()
        assert list(admitted["episodes"]) == [2] * found
        assert list(admitted["purpose"]) == ["score"] * found
        assert sorted(it.w.archive.env_ids.tolist()) == it.w.niches.env_ids.tolist()
        assert sorted(it.w.archive.agent_ids.tolist()) == sorted(it.w.niches.agent_ids.tolist())


def test_one_more_niche_changes_no_other_agent(tmp_path: Path) -> None:
    hashes = []
    for niches in (3, 6):
        folder = tmp_path / str(niches)
        folder.mkdir()
        with support.founded(folder, support.bare(population={"niches": niches})) as it:
            hashes.append(it.w.niches.agents.hashes[it.w.niches.agent])
    assert torch.equal(hashes[0], hashes[1][:3])
    assert len(hashes[1].unique()) == 6


def test_an_initial_agent_is_in_every_niche(tmp_path: Path) -> None:
    save_file({"weight": torch.full((2, 2), 0.25)}, tmp_path / "agent.safetensors")
    population = {"networks": ["linear"], "niches": 3, "initial_agent": str(tmp_path / "agent.safetensors")}
    with support.founded(tmp_path, support.bare(population=population)) as it:
        assert bool((it.w.niches.agents.batches[0].leaves["weight"] == 0.25).all())
        assert len(it.w.niches.agents) == 3


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "there is no file"),
        (b"nonsense", "not a safetensors file"),
        (torch.zeros(3, 2), "does not fit network 'linear'"),
        (torch.zeros(2, 2, dtype=torch.int64), "no finite floating-point numbers: weight"),
        (torch.full((2, 2), torch.nan), "no finite floating-point numbers: weight"),
    ],
)
def test_an_initial_agent_that_cannot_be_used_is_bad_input_and_nothing_is_written(
    tmp_path: Path, content: object, said: str
) -> None:
    path = tmp_path / "agent.safetensors"
    if isinstance(content, bytes):
        path.write_bytes(content)
    if isinstance(content, torch.Tensor):
        save_file({"weight": content}, path)
    config = support.bare(population={"networks": ["linear"], "initial_agent": str(path)})
    with pytest.raises(aiga.InputError, match=rf"initial_agent: .*{said}"):
        aiga.run(config, name="r", runs=tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(("method", "arguments"), [("initial", "rng, count"), ("describe", "envs")])
def test_a_domain_that_raises_at_the_founding_is_named_and_the_run_can_be_resumed(
    tmp_path: Path, method: str, arguments: str
) -> None:
    head = f"""
    from pathlib import Path
    from aiga.testing.points import PointsDomain

    class Odd(PointsDomain):
        def {method}(self, {arguments}):
            if Path({str(tmp_path / "marker")!r}).exists():
                raise ValueError("odd")
            return super().{method}({arguments})
    """
    body = "def aiga_register(self, registry):\n    registry.domain('odd', Odd())\n"
    plugins = {"odd": support.plugin(tmp_path, "odd", body, head)}
    config = support.bare(population={"domain": "odd"}, plugins=plugins)
    (tmp_path / "marker").touch()
    with pytest.raises(aiga.PluginError, match=rf"'odd' raised in {method}, iteration 0: ValueError: odd"):
        aiga.run(config, name="r", runs=tmp_path)
    (tmp_path / "marker").unlink()
    aiga.resume(tmp_path / "r")
    support.same(tmp_path / "r", aiga.run(config, name="other", runs=tmp_path).path)


def test_keep_is_the_owner_where_nobody_is_named(tmp_path: Path) -> None:
    run = aiga.run(support.bare(run={"stop": {"iterations": 2}}), name="r", runs=tmp_path)
    assert run.config.slots.select == "keep"
    assert [event["iteration"] for event in support.events(run.path, "admitted")] == [0, 0]


def test_keep_admits_no_environment_and_says_so(tmp_path: Path) -> None:
    body = """
        def aiga_generate(self, lab):
            parent = lab.niches.envs.batches[0].take(torch.zeros(1).long())
            child = lab.domain.mutate(lab.rng("m").rows(torch.arange(1)), parent)
            envs = aiga.Population((child.with_ids(torch.full((1,), -1)),))
            return aiga.Pairs.of(envs, lab.niches.agents, torch.zeros(1).long(), lab.niches.agent[:1], "mutate")
    """
    config = support.bare(plugins={"more": support.plugin(tmp_path, "more", body)}, run={"stop": {"iterations": 2}})
    run = aiga.run(config, name="r", runs=tmp_path)
    assert {event["reason"] for event in support.events(run.path, "rejected")} == {"keep admits no environment"}
    assert {event["by"] for event in support.events(run.path, "rejected")} == {"keep"}
    assert len(support.events(run.path, "admitted")) == 2


def test_a_founding_that_is_given_up_leaves_nothing_and_a_resume_founds(tmp_path: Path) -> None:
    config = support.bare(run={"stop": {"iterations": 2}})
    with support.engine(tmp_path, config) as it:
        stop = support.limit(2)
        stop.reason, stop.abandoned = "SIGTERM received", True
        it.found(stop)
        assert it.loop(stop) == "SIGTERM received"
    assert not list((tmp_path / "it" / "checkpoints").glob("0*"))
    assert support.lines(tmp_path / "it") == []
    aiga.resume(tmp_path / "it")
    whole = aiga.run(config, name="whole", runs=tmp_path)
    assert support.lines(tmp_path / "it") == support.lines(whole.path)
