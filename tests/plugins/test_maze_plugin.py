"""The plugins ``maze`` and ``cue``: options, pictures, and POET that invents mazes and tasks for agents that learn."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from support import events, same

import aiga
from aiga import Batch, Kind, Population, Stream, Subject
from aiga_cue import Cue
from aiga_maze import Maze
from aiga_maze.domain import MazeDomain
from aiga_maze.draw import GOAL, MAYBE, WALL
from aiga_maze.render import walks_of
from aiga_plasticity import RnnNetwork
from aiga_plasticity.options import RnnOptions

LAB: Any = None


def registered(plugin: type[aiga.Plugin], **options: Any) -> Any:
    found: dict[str, Any] = {}
    registry: Any = SimpleNamespace(domain=found.__setitem__)
    plugin(plugin.Options(**options)).aiga_register(registry)
    return found[plugin.name]


def test_the_options_reach_the_domains() -> None:
    maze = registered(Maze, start="L11", max_size=11, max_steps=200, wall_penalty=0.1)
    assert (maze.steps, maze.max_size, maze.wall_penalty) == (200, 11, 0.1)
    assert maze.initial(Stream(1), 2).leaves["size"].tolist() == [11, 11]
    cue = registered(Cue, start="mini", max_bits=8, max_steps=50)
    assert (cue.steps, cue.max_bits, cue.inputs.shape) == (50, 8, (14,))


def test_the_defaults_are_the_smallest_maze_and_the_whole_task() -> None:
    maze = registered(Maze)
    assert (maze.solved, maze.steps, maze.inputs.shape, maze.outputs.shape, maze.outputs.kind) == (
        50.0,
        250,
        (16,),
        (4,),
        "discrete",
    )
    assert maze.initial(Stream(1), 1).leaves["steps"].tolist() == [80]
    cue = registered(Cue)
    assert (cue.solved, cue.steps, cue.inputs.shape, cue.outputs.shape) == (90.0, 200, (26,), (2,))
    assert {name: int(leaf) for name, leaf in cue.initial(Stream(1), 1).leaves.items() if name != "seed"} == {
        **{"cues": 4, "bits": 20, "blanks": 3},
        **{"steps": 120, "pool": 0},
    }


@pytest.mark.parametrize(
    ("plugin", "options", "message"),
    [
        (Maze, {"max_size": 8}, "found 8; write 9"),
        (Maze, {"max_size": 53}, "max_size"),
        (Maze, {"wall_penalty": -1.0}, "wall_penalty"),
        (Cue, {"max_bits": 25}, "max_bits"),
        (Cue, {"max_steps": 10}, "max_steps"),
    ],
)
def test_options_that_make_no_sense_are_refused(plugin: type[aiga.Plugin], options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        plugin.Options(**options)


def lived(domain: Any, envs: Batch) -> tuple[Population, aiga.Trajectory]:
    network = RnnNetwork(RnnOptions(units=5))
    layout = network.build(network.structure, domain.inputs, domain.outputs)
    agents = Batch.of(Kind("rnn", dict(network.structure)), network.init(Stream(3), layout, 1))
    one, population = torch.zeros(1, dtype=torch.int64), Population((envs,))
    _, life = domain.live(aiga.Pairs.of(population, Population((agents,)), one, one), network, torch.tensor([8]), record=True)
    return population, life


def count(picture: Any, colour: tuple[int, int, int]) -> int:
    return int((picture == colour).all(axis=-1).sum())


def draw(what: str, envs: Population, life: aiga.Trajectory | None = None, caption: str = "") -> Any:
    return Maze().aiga_render(LAB, Subject(what, envs, life, caption))


def test_a_maze_is_drawn_as_its_walls_and_the_cells_where_goals_may_be() -> None:
    domain = MazeDomain()
    first, second = draw("environments", Population((domain.named("L7"), domain.named("L13"))), caption="a maze")
    assert first.shape == second.shape == (262, 240, 3)
    cell = (240 / 7) ** 2
    assert count(first, WALL) == pytest.approx((24 + 4) * cell, rel=0.05)
    assert count(first, MAYBE) == pytest.approx(20 * cell, rel=0.1)


def test_a_life_is_drawn_as_its_walks_and_animated_step_by_step() -> None:
    domain = MazeDomain()
    envs = domain.initial(Stream(1), 1)
    envs.leaves["goal"][:], envs.leaves["steps"][:] = torch.tensor([1, 1]), 60
    population, life = lived(domain, envs)
    goal, walks = walks_of(life, envs)
    reached = int((life.rewards > 0).sum())
    assert reached > 0
    assert len(walks) == reached + 1
    assert all(walk[-1] == goal for walk in walks[:-1])
    steps = [abs(a[0] - b[0]) + abs(a[1] - b[1]) for walk in walks for a, b in pairwise(walk)]
    assert set(steps) <= {0, 1}
    assert len(steps) == 60
    picture, frames = draw("lifetime", population, life), draw("animation", population, life)
    assert picture.shape == (360, 360, 3)
    assert count(picture, GOAL) > 500
    assert frames.shape == (60 + reached + 1, 360, 360, 3)
    assert not np.array_equal(frames[0], frames[-1])


def test_what_is_not_the_mazes_is_left_to_others() -> None:
    maze = Population((MazeDomain().named("L7"),))
    other = Population((Batch.of(Kind("walker"), {"x": torch.zeros(1)}),))
    assert draw("environments", other) is None
    assert draw("lifetime", maze) is None
    assert draw("portrait", maze) is None


def config(domain: str, **options: Any) -> dict[str, Any]:
    plugins: dict[str, Any] = {domain: {"options": options}, "a2c": {"options": {"episodes": 4, "lr": 0.01}}}
    plugins["backpropamine"] = plugins["rnn"] = {"options": {"units": 5}}
    poet = {"capacity": 3, "reproduce_every": 2, "transfer_every": 3, "children": 6, "admit": 1, "episodes": 1}
    plugins["poet"] = {"options": {**poet, "minimal_criterion": [0.0, 99.0], "reproduce_above": 0.0}}
    plugins["local"] = {"options": {"device_block": 16}}
    return {
        "run": {"seed": 7, "checkpoint_every": 2, "workers": 0, "episodes": 2, "confirmations": 3, "stop": {"iterations": 6}},
        "population": {"domain": domain, "networks": ["backpropamine", "rnn"], "niches": 2},
        "slots": {"select": "poet", "improve": "a2c"},
        "plugins": plugins,
    }


@pytest.mark.parametrize(("domain", "options"), [("maze", {"max_size": 9, "max_steps": 80}), ("cue", {"start": "mini"})])
def test_poet_invents_environments_for_agents_trained_by_a2c_and_a_resumed_run_is_the_same(
    domain: str, options: dict[str, Any], tmp_path: Path
) -> None:
    given = config(domain, **options)
    whole = aiga.run(given, name="whole", runs=tmp_path)
    aiga.run(given, name="parts", runs=tmp_path, overrides=["run.stop.iterations=3"])
    aiga.resume(tmp_path / "parts", overrides=["run.stop.iterations=6"])
    same(tmp_path / "whole", tmp_path / "parts")
    assert len(events(tmp_path / "whole", "born")) > 6
    assert len(whole.niches) == 3
    born = {tuple(row["parents"]) for row in events(tmp_path / "whole", "admitted")}
    assert len(born) > 1, "no child was admitted"
