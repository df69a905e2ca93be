"""The plugin ``recall``: its options, its pictures, and POET that invents tasks for plastic agents."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from support import events, same

import aiga
from aiga import Batch, Kind, Pairs, Population, Subject
from aiga_plasticity import Plastic, PlasticNetwork
from aiga_recall import Recall
from aiga_recall.domain import RecallDomain
from aiga_recall.draw import NOTHING
from aiga_recall.episodes import Binary


def registered(**options: Any) -> RecallDomain:
    found: dict[str, RecallDomain] = {}
    registry: Any = SimpleNamespace(domain=found.__setitem__)
    Recall(Recall.Options(**options)).aiga_register(registry)
    return found["recall"]


def test_the_domain_is_the_papers_comparison_by_default() -> None:
    domain = registered()
    first = domain.initial(aiga.Stream(0), 1)
    assert domain.describe(first).tolist() == [[50, 2, 1, 3, 1, 3, 0.5]]
    assert (domain.solved, domain.steps, domain.inputs.shape, domain.outputs.shape) == (0.99, 250, (50,), (50,))


def test_the_options_reach_the_domain() -> None:
    domain = registered(bits=30, start={"bits": 20, "cycles": 2, "blank": 0.3}, categories=["gap"], steps=60)
    assert domain.describe(domain.initial(aiga.Stream(0), 1)).tolist() == [[20, 2, 2, 3, 1, 3, 0.3]]
    assert (domain.categories, domain.steps, domain.inputs.shape) == (("gap",), 60, (30,))
    images = registered(source="cifar-10", folder="/nowhere")
    assert (images.inputs.shape, images.solved) == ((1024,), 0.8)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"source": "mnist"}, "source"),
        ({"bits": 3}, "bits"),
        ({"source": "cifar-10"}, "Add folder"),
        ({"source": "digits", "start": {"bits": 8}}, "Leave it out"),
        ({"source": "digits", "categories": ["bits"]}, "Leave it out"),
        ({"categories": ["gap", "gap"]}, "Name each once"),
        ({"categories": []}, "categories"),
        ({"start": {"pattern": 3}}, "start"),
        ({"start": {"patterns": 17}}, "must be from 1 to 16, found 17"),
        ({"start": {"bits": 60}}, "must be from 4 to 50, found 60"),
        ({"start": {"cycles": 1.5}}, "must be a whole number, found 1.5"),
        ({"start": {"blank": 0.95}}, "must be from 0.1 to 0.9"),
        ({"steps": 10}, "Write steps = 11 or more"),
        ({"source": "digits", "steps": 200}, "Write steps = 201 or more"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Recall.Options(**options)


def shims(folder: Path) -> dict[str, dict[str, Any]]:
    """Plugins from files, so that they are found without being installed."""
    tables = {}
    for package, names in (("aiga_recall", ["Recall"]), ("aiga_plasticity", ["Plastic", "Rnn"])):
        for name in names:
            file = folder / f"{name.lower()}.py"
            file.write_text(f"import {package}\n\n\nclass It({package}.{name}):\n    pass\n")
            tables[name.lower()] = {"path": str(file)}
    return tables


def search(folder: Path) -> dict[str, Any]:
    plugins = shims(folder)
    plugins["recall"]["options"] = {"bits": 10}
    plugins["plastic"]["options"] = {"wiring": "additive"}
    plugins["rnn"]["options"] = {"wiring": "additive"}
    poet = {
        **{"capacity": 4, "reproduce_every": 2, "transfer_every": 3, "children": 8, "admit": 2, "episodes": 2},
        **{"minimal_criterion": [0.1, 1.0], "reproduce_above": 0.1},
    }
    return {
        "run": {"seed": 7, "checkpoint_every": 3, "workers": 0, "episodes": 2, "confirmations": 3, "stop": {"iterations": 6}},
        "population": {"domain": "recall", "networks": ["plastic", "rnn"], "niches": 2},
        "slots": {"select": "poet", "improve": "es"},
        "plugins": {**plugins, "es": {"options": {"population": 8}}, "poet": {"options": poet}},
    }


def test_poet_invents_tasks_for_plastic_agents_and_a_resumed_run_is_the_same(tmp_path: Path) -> None:
    config = search(tmp_path)
    aiga.run(config, runs=tmp_path, name="whole")
    admitted = events(tmp_path / "whole", "admitted")
    born = {row["env"] for row in admitted if row.get("parents")}
    assert len(born) >= 2, "no invented task became a niche"
    aiga.run({**config, "run": {**config["run"], "stop": {"iterations": 3}}}, runs=tmp_path, name="parts")
    aiga.resume(tmp_path / "parts", overrides=["run.stop.iterations=6"])
    same(tmp_path / "whole", tmp_path / "parts")


def test_a_folder_without_images_is_told_before_a_run_is_written(tmp_path: Path) -> None:
    config = search(tmp_path)
    config["plugins"]["recall"]["options"] = {"source": "cifar-10", "folder": str(tmp_path / "none")}
    with pytest.raises(aiga.InputError, match="is no folder"):
        aiga.run(config, runs=tmp_path / "runs", name="it")


DOMAIN = RecallDomain(Binary(16), start={"patterns": 3})
LAB: Any = SimpleNamespace(domain=DOMAIN)


def draw(what: str, **subject: Any) -> Any:
    return Recall().aiga_render(LAB, Subject(what, Population((DOMAIN.initial(aiga.Stream(0), 2),)), **subject))


def life() -> Any:
    network = PlasticNetwork(Plastic.Options(wiring="additive"))
    leaves = network.init(aiga.Stream(1), network.build(network.structure, DOMAIN.inputs, DOMAIN.outputs), 1)
    agents = Population((Batch.of(Kind("plastic", network.structure), leaves),))
    pairs = Pairs.of(Population((DOMAIN.initial(aiga.Stream(0), 1),)), agents, *torch.zeros(2, 1, dtype=torch.int64))
    answer = DOMAIN.live(pairs, network, torch.tensor([4]), record=True)
    assert isinstance(answer, tuple)
    return answer[1]


def test_a_task_is_drawn_as_the_patterns_shown_the_probe_and_the_pattern_it_was_taken_from() -> None:
    pictures = draw("environments")
    assert [(picture.shape, picture.dtype) for picture in pictures] == [((72, 5 * 68 + 4, 3), np.uint8)] * 2
    tiles = [pictures[0][4:68, 4 + 68 * place : 68 + 68 * place] for place in range(5)]
    hidden = [(tile == NOTHING).all(axis=2).mean() for tile in tiles]
    assert hidden == [0, 0, 0, 0.5, 0]
    assert sum(np.array_equal(tiles[4], tile) for tile in tiles[:3]) == 1


def test_a_life_is_drawn_with_its_answer_and_an_animation_follows_it() -> None:
    lived = life()
    assert draw("lifetime", trajectory=lived).shape == (72, 6 * 68 + 4, 3)
    frames = draw("animation", trajectory=lived)
    assert frames.shape == (15, 72, 3 * 68 + 4, 3)
    assert not np.array_equal(frames[0], frames[-1])


def test_what_it_cannot_draw_is_left_to_others() -> None:
    stranger = Population((Batch.of(Kind("maze"), {"walls": torch.zeros(1)}),))
    assert Recall().aiga_render(LAB, Subject("environments", stranger)) is None
    assert draw("phylogeny", trajectory=life()) is None
    assert draw("lifetime") is None
