"""The optimiser ``gtn``: agents learn from the lesson of a teacher that was trained before, to its end and no further."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pytorch_lightning")

import blobs
import support
import torch
from blobs import DOMAIN, examples, teach
from search_runs import CONFIG, search

import aiga
from aiga import InputError, Population, Stream, training
from aiga.components import Lab
from aiga.data import Batch, Kind, Pairs, flatten
from aiga.testing import OptimiserSuite, bench
from aiga_gtn import load
from aiga_gtn.inner import teach as taught
from aiga_gtn.learners import Group
from aiga_gtn.optimiser import GtnOptimiser
from aiga_gtn.options import GtnOptions
from aiga_gtn.plugin import Gtn
from aiga_gtn.storing import packed
from aiga_gtn.teacher import new

OPTIONS = {"steps": 3, "batch": 9, "noise": 3, "hidden": (8,)}
BENCH = {
    "run": {"workers": 0, "episodes": 1, "device": "cpu"},
    "population": {"domain": "blobs", "networks": ["small", "leaky"]},
    "plugins": {"blobs": {"path": blobs.__file__}},
}
FILE = Path("files") / "teacher.safetensors"


@pytest.fixture(scope="module", autouse=True)
def _no_pictures() -> Iterator[None]:
    """They take longer to draw than the trainings."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("aiga.training.judging.curves", lambda folder, networks: None)
        patch.setattr("aiga_gtn.pictures.drawn", lambda module, nursery: {})
        yield


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, _no_pictures: None) -> Path:
    """A teacher of blobs, in three steps."""
    options = {"lr": 0.05, "decay": 0, "validated": 0, "taught": 1}
    run = teach(tmp_path_factory.mktemp("blobs"), train={"max_steps": 40}, plugins={"gtn": {"options": options}})
    return run.path / FILE


@pytest.fixture(scope="module")
def of_digits(tmp_path_factory: pytest.TempPathFactory, _no_pictures: None) -> Path:
    """A teacher of digits, in four steps; hardly trained."""
    options = {"steps": 4, "batch": 20, "noise": 4, "hidden": [8], "learners": 1, "examples": 20, "validated": 0, "taught": 1}
    config = {
        "run": {"seed": 3},
        "population": {"domain": "digits", "networks": ["perceptron"]},
        "train": {"trainer": "gtn", "accelerator": "cpu", "max_steps": 4, "log_every_n_steps": 1},
        "plugins": {
            "digits": CONFIG["plugins"]["digits"], "perceptron": CONFIG["plugins"]["perceptron"], "gtn": {"options": options}
        },
    }  # fmt: skip
    return training.train(config, name="digits", runs=tmp_path_factory.mktemp("digits")).path / FILE


def written(folder: Path, **options: Any) -> Path:
    """The file of a teacher of blobs that has learnt nothing."""
    given = GtnOptions(**{**OPTIONS, **options})
    teacher = new(given, DOMAIN.inputs, DOMAIN.outputs, examples, Stream(3))
    for name, content in packed(teacher, given).items():
        (folder / name).write_bytes(content)
    return folder / "teacher.safetensors"


def homes(count: int, names: tuple[str, ...] = ("small", "leaky")) -> Pairs:
    """So many newborn agents of each network, in environments of their own."""
    batches = []
    for place, name in enumerate(names):
        network = NETWORKS[name]
        leaves = network.init(Stream(3).child(name), network.build(network.structure, DOMAIN.inputs, DOMAIN.outputs), count)
        batches.append(Batch(Kind(name, dict(network.structure)), torch.arange(count) + 10 * place, leaves))
    rows = torch.arange(count * len(names))
    envs = DOMAIN.initial(Stream(1), len(rows)).with_ids(rows + 100)
    return Pairs.of(Population((envs,)), Population(tuple(batches)), rows, rows.roll(1))


NETWORKS: dict[str, Any] = {"small": blobs.Small(), "leaky": blobs.Small("leaky-relu"), "explosive": blobs.Explosive()}


@pytest.fixture
def lab() -> Iterator[Lab]:
    """A founded run of blobs."""
    with bench(BENCH) as made:
        yield made


class TestGtnOptimiser(OptimiserSuite):
    """The contract, with a teacher that was trained."""

    @pytest.fixture
    def optimiser(self, trained: Path) -> GtnOptimiser:
        return GtnOptimiser(str(trained))

    @pytest.fixture
    def lab(self) -> Iterator[Lab]:
        with bench(BENCH) as made:
            yield made

    @pytest.fixture
    def niches(self, lab: Lab) -> Pairs:
        return homes(3)


def improved(lab: Lab, path: Path, niches: Pairs, *several: int) -> tuple[Population, Any]:
    """Agents and state after calls of so many steps each."""
    optimiser = GtnOptimiser(str(path))
    state = optimiser.start(niches.agents)
    for steps in several:
        agents, state = optimiser.improve(lab, niches, state, steps)
        niches = replace(niches, agents=agents)
    return niches.agents, state


def test_the_whole_lesson_makes_of_learners_what_the_trainer_makes_of_them(lab: Lab, trained: Path) -> None:
    niches = homes(2)
    agents, _ = improved(lab, trained, niches, 3)
    teacher = load(trained, DOMAIN.inputs, DOMAIN.outputs, examples)
    groups = [
        Group(NETWORKS[batch.kind.component], batch, torch.arange(2) + 2 * place)
        for place, batch in enumerate(niches.agents.batches)
    ]
    with torch.no_grad():
        flats, _ = taught(teacher, teacher.draw(Stream(0)), groups)
    for batch, flat in zip(agents.batches, flats, strict=True):
        torch.testing.assert_close(flatten(batch.leaves), flat)


def test_a_lesson_in_parts_is_the_lesson(lab: Lab, trained: Path) -> None:
    whole, state = improved(lab, trained, homes(2), 3)
    parts, others = improved(lab, trained, homes(2), 1, 2)
    for one, other in zip(whole.batches, parts.batches, strict=True):
        torch.testing.assert_close(flatten(one.leaves), flatten(other.leaves), atol=1e-5, rtol=1e-4)
        assert torch.equal(state[one.kind.hash]["steps"], others[one.kind.hash]["steps"])


def test_beyond_its_end_there_is_nothing_to_learn_and_nothing_counted(lab: Lab, trained: Path) -> None:
    before = lab.meter.total("gradient_steps"), lab.meter.total("examples")
    once, _ = improved(lab, trained, homes(2), 3)
    again, other = improved(lab, trained, homes(2), 50, 7)
    assert torch.equal(once.hashes, again.hashes)
    assert all(columns["steps"].tolist() == [3, 3] for columns in other.values())
    work = lab.meter.total("gradient_steps") - before[0], lab.meter.total("examples") - before[1]
    assert work == (2 * 4 * 3, 2 * 4 * 3 * 9)


def test_agents_go_on_where_each_stands(lab: Lab, trained: Path) -> None:
    niches, optimiser = homes(2, ("small",)), GtnOptimiser(str(trained))
    state = optimiser.start(niches.agents)
    (columns,) = state.values()
    columns["steps"] = torch.tensor([3, 1])
    agents, after = optimiser.improve(lab, niches, state, 1)
    assert [row["steps"].tolist() for row in after.values()] == [[3, 2]]
    assert agents.hashes[0] == niches.agents.hashes[0]
    assert agents.hashes[1] != niches.agents.hashes[1]


def test_an_agent_whose_numbers_run_away_stays_as_it_was_and_its_neighbours_learn(lab: Lab, tmp_path: Path) -> None:
    # Labels that are no numbers in every step would spoil all; weights that are large spoil their own.
    niches = homes(6, ("explosive",))
    agents, state = improved(lab, written(tmp_path, init_rate=9.0), niches, 3)
    (columns,) = state.values()
    lost = columns["failed"] == 3
    assert 0 < int(lost.sum()) < 6
    assert torch.equal(agents.hashes == niches.agents.hashes, lost)
    assert all(part.isfinite().all() for part in (*agents.batches[0].leaves.values(), *columns.values()))


def test_fresh_noise_is_the_same_for_the_same_stream_and_the_same_for_all(lab: Lab, tmp_path: Path) -> None:
    path = written(tmp_path, teacher="none")
    one, other = (improved(lab, path, homes(2), 3)[0] for _ in range(2))
    alone = homes(2).take(torch.tensor([1])).compact()
    single, _ = improved(lab, path, alone, 3)
    assert torch.equal(one.hashes, other.hashes)
    assert int(single.hashes[0]) in one.hashes.tolist()


def test_a_teacher_of_real_examples_teaches_in_one_environment(lab: Lab, tmp_path: Path) -> None:
    path, niches = written(tmp_path, teacher="data"), homes(1)
    agents, _ = improved(lab, path, niches, 1)
    assert not torch.equal(agents.hashes, niches.agents.hashes)
    envs = Batch(niches.envs.batches[0].kind, torch.arange(2) + 100, {"width": torch.tensor([0.7, 0.9])})
    with pytest.raises(InputError, match=r"teacher_file: .*real examples.*niches = 1"):
        improved(lab, path, replace(niches, envs=Population((envs,))), 1)


def test_without_a_teacher_the_option_is_named_with_the_remedy() -> None:
    with pytest.raises(InputError, match=r'\[plugins.gtn.options\] teacher_file: empty.*trainer "gtn"'):
        GtnOptimiser("").start(homes(1).agents)


def test_a_file_that_is_no_teacher_or_is_one_for_other_classes_is_refused(lab: Lab, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"\[plugins.gtn.options\] teacher_file: .*gone.safetensors is no teacher"):
        improved(lab, tmp_path / "gone.safetensors", homes(1), 1)
    path = written(tmp_path)
    told = json.loads(path.with_suffix(".json").read_text())
    path.with_suffix(".json").write_text(json.dumps({**told, "classes": 7}))
    with pytest.raises(InputError, match=r"teacher_file: .*made for inputs \[1, 2, 2\] and 7 classes"):
        improved(lab, path, homes(1), 1)


def test_a_run_does_not_go_on_with_another_teacher(lab: Lab, tmp_path: Path) -> None:
    path = written(tmp_path)
    first = Gtn(Gtn.Options(teacher_file=str(path)))
    optimiser = first._optimiser
    assert first.state_dict() == {"teacher": ""}
    optimiser.improve(lab, homes(1), optimiser.start(homes(1).agents), 1)
    second = Gtn(first.options)
    second.load_state_dict(first.state_dict(), 1)
    second._optimiser.improve(lab, homes(1), optimiser.start(homes(1).agents), 1)
    written(tmp_path, init_rate=0.2)
    third = Gtn(first.options)
    third.load_state_dict(first.state_dict(), 1)
    with pytest.raises(InputError, match="another teacher"):
        third._optimiser.improve(lab, homes(1), optimiser.start(homes(1).agents), 1)


def test_a_teachers_file_tells_nothing_of_where_files_lie(tmp_path: Path) -> None:
    path = written(tmp_path, teacher_file=str(tmp_path / "other"))
    assert "teacher_file" not in path.with_suffix(".json").read_text()


def test_the_path_is_taken_from_where_the_run_was_started() -> None:
    assert Path(GtnOptions(teacher_file="t/teacher.safetensors").teacher_file).is_absolute()


def config(teacher: Path | None) -> dict[str, Any]:
    """A search whose forecast is a teacher's lesson."""
    plugins = {"gtn": {"options": {"teacher_file": str(teacher or "")}}}
    return search("random-search", plugins=plugins, forecast="gtn", batch=4, forecast_sample=0.3)


def test_a_search_forecasts_by_a_teacher_and_once_lost_goes_on_to_the_same_end(tmp_path: Path, of_digits: Path) -> None:
    given = support.merge(config(of_digits), {"run": {"stop": {"iterations": 3}}})
    whole = aiga.run(given, name="whole", runs=tmp_path).path
    rejected = support.events(whole, "rejected")
    assert rejected
    assert {event["by"] for event in rejected} == {"random-search.forecast"}
    assert all(event["forecast"] is not None for event in support.events(whole, "admitted") if event["iteration"])
    (tmp_path / "lost").mkdir()
    with support.engine(tmp_path / "lost", given, "whole") as it:
        it.found()
        it.step()
        it.save()
        it.step()
    aiga.resume(tmp_path / "lost" / "whole")
    support.same(tmp_path / "lost" / "whole", whole)


def test_a_search_without_the_teachers_file_says_which_option_is_missing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"\[plugins.gtn.options\] teacher_file: empty"):
        aiga.run(config(None), name="r", runs=tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_a_teacher_that_is_gone_is_told_before_a_run_is_begun_and_what_to_do_when_one_is_resumed(
    lab: Lab, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"teacher_file: .*gone.safetensors is no teacher .*Train one"):
        GtnOptimiser(str(tmp_path / "gone.safetensors")).check(DOMAIN)
    path = written(tmp_path)
    optimiser = GtnOptimiser(str(path))
    optimiser.check(DOMAIN)
    optimiser.improve(lab, homes(1), optimiser.start(homes(1).agents), 1)
    again = GtnOptimiser(str(path))
    again.digest = optimiser.digest
    path.unlink()
    with pytest.raises(InputError, match=r"is gone or damaged, and this run was begun with it. Put that file back"):
        again.improve(lab, homes(1), again.start(homes(1).agents), 1)


def test_niches_agents_may_be_improved_by_a_teacher_and_metrics_tell_how_far(tmp_path: Path, trained: Path) -> None:
    given = {
        "run": {"seed": 7, "workers": 0, "episodes": 1},
        "population": {"domain": "blobs", "networks": ["small"], "niches": 2},
        "slots": {"select": "keep", "improve": "gtn"},
        "plugins": {"blobs": {"path": blobs.__file__}, "gtn": {"options": {"teacher_file": str(trained)}}},
    }
    with support.founded(tmp_path, given, iterations=2) as it:
        (plugin,) = (each for each in it.plugins if isinstance(each, Gtn))
        assert plugin.aiga_metrics(it.w.lab("gtn")) == {"steps": 2.0, "failed": 0.0}
