from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from aiga import Batch, Kind, Population, Subject, Trajectory
from aiga_walker import Walker
from aiga_walker.domain import WalkerDomain
from aiga_walker.draw import STONE, strip
from aiga_walker.env import CourseWalker
from aiga_walker.terrain import terrains

DOMAIN = WalkerDomain()
LAB: Any = None


def registered(**options: object) -> WalkerDomain:
    found: dict[str, WalkerDomain] = {}
    registry: Any = SimpleNamespace(domain=found.__setitem__)
    Walker(Walker.Options(**options)).aiga_register(registry)
    return found["walker"]


def life(steps: int, end: int) -> Trajectory:
    walker = CourseWalker()
    walker.begin(terrains(DOMAIN.named("Stump"))[0], 0.0)
    poses = [walker.poses() for _ in range(steps) if walker.step(np.ones(4, np.float32)) is not None]
    done = torch.zeros(steps, 1, dtype=torch.bool)
    done[end:] = True
    empty = torch.zeros(steps, 1)
    return Trajectory(empty, empty, empty, done, {"poses": torch.tensor(poses)[:, None]})


def draw(what: str, name: str = "Stump", trajectory: Trajectory | None = None, caption: str = "") -> Any:
    subject = Subject(what, Population((DOMAIN.named(name),)), trajectory, caption)
    return Walker().aiga_render(LAB, subject)


def test_the_options_reach_the_domain() -> None:
    domain = registered(steps=300, categories=["pit"], max_gap=8.0, lidar="first-hit", physics="box2d")
    assert (domain.steps, domain.categories, domain.max_gap, domain.lidar) == (300, ("pit",), 8.0, "first-hit")
    assert (domain.physics, domain.parallelism) == ("box2d", "serial")


def test_the_domain_is_the_papers_by_default() -> None:
    domain = registered()
    assert (domain.version, domain.solved, domain.steps, domain.parallelism) == (1, 230.0, 2000, "threads")
    assert (domain.inputs.shape, domain.outputs.shape) == ((24,), (4,))
    assert (domain.outputs.kind, domain.outputs.low, domain.outputs.high) == ("continuous", -1.0, 1.0)
    assert (domain.categories, domain.max_gap) == (("roughness", "pit", "stump", "stair"), 10.0)


@pytest.mark.parametrize(
    "options",
    [
        {"categories": ["pits"]},
        {"categories": []},
        {"categories": ["pit", "pit"]},
        {"categories": "pit"},
        {"physics": "mujoco"},
        {"steps": 0},
        {"steps": "300"},
        {"max_gap": 0.4},
        {"lidar": "farthest"},
        {"lidar": "first-hit"},
        {"stumps": True},
    ],
)
def test_options_that_mean_nothing_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Walker.Options(**options)


def test_courses_are_drawn_as_one_strip_each() -> None:
    envs = Population((DOMAIN.named("Stump", 2), DOMAIN.named("Hardcore")))
    pictures = Walker().aiga_render(LAB, Subject("environments", envs))
    assert [(p.shape, p.dtype) for p in pictures] == [((160, 1200, 3), np.uint8)] * 3
    assert not np.array_equal(pictures[0], pictures[1])


def test_a_strip_shows_the_obstacles_where_they_stand() -> None:
    terrain = terrains(DOMAIN.named("Stump"))[0]
    stone = (strip(terrain) == STONE).all(axis=2).any(axis=0)
    pixels = 1200 / (199 * 14 / 30)
    middles = [round((box[0][0] + box[1][0]) / 2 * pixels) for box in terrain.boxes]
    assert all(stone[middle] for middle in middles if middle < 1200)
    assert not stone[: middles[0] - 5].any()


def test_the_tallest_course_fits_its_strip() -> None:
    picture = strip(terrains(DOMAIN.named("HighStairs"))[0])
    sky, soil = picture[0], picture[-1]
    assert (sky[:, 2] > 200).all()
    assert (soil[:, 2] < 140).all()


def test_a_caption_is_written_on_the_picture() -> None:
    assert not np.array_equal(draw("environments")[0], draw("environments", caption="flat")[0])


def test_a_life_is_drawn_on_its_course() -> None:
    picture = draw("lifetime", trajectory=life(40, 39))
    assert picture.shape == (240, 1600, 3)
    assert not np.array_equal(picture, strip(terrains(DOMAIN.named("Stump"))[0], width=1600, height=240))


def test_an_animation_shows_every_third_step_up_to_the_end_of_the_life() -> None:
    frames = draw("animation", trajectory=life(40, 21))
    assert frames.shape == (8, 240, 400, 3)
    assert frames.dtype == np.uint8
    assert not np.array_equal(frames[0], frames[-1])


def test_a_long_life_is_shown_in_larger_strides() -> None:
    still = life(1, 0)
    long = Trajectory(
        still.rewards.repeat(2000, 1),
        still.rewards.repeat(2000, 1),
        still.rewards.repeat(2000, 1),
        torch.zeros(2000, 1, dtype=torch.bool),
        {"poses": still.extras["poses"].repeat(2000, 1, 1, 1)},
    )
    assert 250 < len(draw("animation", trajectory=long)) <= 301


def test_what_it_cannot_draw_is_left_to_others() -> None:
    stranger = Population((Batch.of(Kind("maze"), {"walls": torch.zeros(1)}),))
    assert Walker().aiga_render(LAB, Subject("environments", stranger)) is None
    assert draw("phylogeny") is None
    assert draw("lifetime") is None
