"""The compiled walker against Box2D as it is installed here: every bit of whole lives, and of the pieces they are made of."""

from __future__ import annotations

import ctypes
import ctypes.util
import math
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import Box2D
import gymnasium
import numba
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.numpy import load_file

import aiga_walker
from aiga_walker import courses
from aiga_walker.env import CourseWalker
from aiga_walker.physics import layout as at
from aiga_walker.physics import policy, senses, trig
from aiga_walker.physics.engine import Engine, Policies, engine
from aiga_walker.physics.target import OPTIONS, cpu
from aiga_walker.terrain import CELL, FINISH, GROUND, Terrain, terrains

Floats = NDArray[np.float32]

KINDS: dict[str, Any] = {
    "flat": "flat",
    "BipedalWalker": "BipedalWalker",
    "Hardcore": "Hardcore",
    "roughness": {"roughness": 3.0},
    "pits": {"gap": (0.3, 5.6)},
    "stumps": {"stump": (0.1, 3.0)},
    "stairs": {"stair": (0.2, 1.4), "stair_steps": 5},
    "painted": {"roughness": 2.0, "terrain": "cppn"},
    "all": {"roughness": 1.0, "gap": (0.3, 1.7), "stump": (0.1, 1.3), "stair": (0.2, 1.1), "stair_steps": 3},
}
DEGENERATE: dict[str, Any] = {
    "roughness 10": {"roughness": 10.0},
    "painted steeply": {"roughness": 60.0, "terrain": "cppn"},
    "the greatest": {"roughness": 10.0, "gap": (10.0, 10.0), "stump": (5.0, 5.0), "stair": (5.0, 5.0), "stair_steps": 9},
    "pits of no width": {"gap": (0.0, 1e-9)},
    "one pit for all": {"gap": (150.0, 150.0)},
    "stumps of no height": {"stump": (0.0, 1e-9)},
    "thinnest stumps": {"roughness": 8.0, "stump": (2.15e-4, 1e-2)},
    "thinnest stairs": {"stair": (2.15e-4, 1e-2), "stair_steps": 9},
    "stumps of 50": {"stump": (50.0, 50.0)},
}


@dataclass(frozen=True)
class Life:
    """A life: actions ``[T, 4]``, observations and poses with those before the first step, rewards, bits of each step's end."""

    terrain: Terrain
    push: float
    actions: Floats
    observations: Floats
    poses: Floats
    rewards: NDArray[np.float64]
    ends: NDArray[np.int32]


def lay(values: Any, seed: int, shift: int = 0) -> Terrain:
    """A course; shifted, so that the walker starts among its obstacles."""
    terrain = terrains(courses.course_of(values).rows(torch.tensor([seed])))[0]
    dx, dy = shift * CELL, terrain.line[10 + shift][1] - GROUND
    boxes = tuple(tuple((x - dx, y - dy) for x, y in box) for box in terrain.boxes)
    return Terrain(tuple((x - dx, y - dy) for x, y in terrain.line), boxes)


@cache
def layers() -> tuple[tuple[Floats, Floats], ...]:
    """Weights and biases of the walker that ships."""
    leaves = load_file(Path(aiga_walker.__file__).parent / "agents" / "flat.safetensors")
    names = sorted(leaves)
    return tuple((leaves[weight], leaves[bias]) for bias, weight in zip(names[0::2], names[1::2], strict=True))


def packed() -> Policies:
    """The same as the simulator reads it."""
    parts, shapes = [], []
    for weight, bias in layers():
        units = -(-len(bias) // policy.PADDED) * policy.PADDED
        part = np.zeros((len(weight) + 1, units), np.float32)
        part[0, : len(bias)], part[1:, : len(bias)] = bias, weight
        parts.append(part.ravel())
        shapes += [len(weight), units, policy.TANH]
    params = np.concatenate(parts)
    return Policies(params, len(params), np.array(shapes, np.int64))


def trained(seen: Floats) -> Floats:
    for weight, bias in layers():
        seen = np.tanh(seen @ weight + bias)
    return seen


def random(seed: int, scale: float = 1.3) -> Any:
    dice = np.random.default_rng(seed)
    return lambda _: dice.uniform(-scale, scale, 4).astype(np.float32)


def judged(terrain: Terrain, push: float, act: Any, steps: int, free: bool = False, env: Any = None) -> Life:
    """A life in Box2D, in a world of its own: in :class:`CourseWalker`, or in Gymnasium's environment, which has begun."""
    walker: Any = CourseWalker() if env is None else env
    observation = walker.begin(terrain, push) if env is None else walker.step_seen
    bodies = (walker.hull, *walker.legs)

    def poses() -> list[Any]:
        return [(*body.position, body.angle) for body in bodies]

    actions, seen, places, rewards, ends = [], [observation], [poses()], [], []
    for _ in range(steps):
        actions.append(act(seen[-1]))
        observation, reward, over, _, _ = walker.step(actions[-1])
        seen.append(observation)
        places.append(poses())
        rewards.append(float(reward))
        x, fell = walker.hull.position[0], walker.game_over
        ends.append((fell or x < 0) * senses.FALLEN | over * senses.OVER | (x > FINISH and not fell) * senses.FINISHED)
        if over and not free:
            break
    arrays = np.array(actions), np.array(seen), np.array(places, np.float32), np.array(rewards), np.array(ends, np.int32)
    return Life(terrain, push, *arrays)


def replayed(simulator: Engine, lives: Sequence[Life], order: Sequence[int] = (), threads: int = 1) -> list[Life]:
    """The same actions compiled, in one herd."""
    herd, rows = simulator.herd(len(lives)), np.array(order or range(len(lives)))
    herd.begin(np.arange(len(lives)), [life.terrain for life in lives], [life.push for life in lives])
    seen, poses, rewards, ends = [herd.seen.copy()], [herd.poses()], [], []
    length = np.array([len(life.actions) for life in lives])
    for step in range(int(length.max())):
        alive = rows[length[rows] > step]
        herd.step(alive, np.stack([lives[row].actions[step] for row in alive]), threads)
        seen.append(herd.seen.copy())
        poses.append(herd.poses())
        rewards.append(herd.rewards.astype(np.float64))
        ends.append(herd.ends.copy())
    made = []
    for row, life in enumerate(lives):
        n = len(life.actions)
        first, after = (np.array([part[row] for part in parts[: n + 1]]) for parts in (seen, poses))
        last = (np.array([part[row] for part in parts[:n]]) for parts in (rewards, ends))
        made.append(Life(life.terrain, life.push, life.actions, first, after, *last))
    return made


def bits(x: NDArray[Any]) -> NDArray[Any]:
    return np.ascontiguousarray(x).view({4: np.uint32, 8: np.uint64}[x.itemsize])


def first_difference(theirs: Life, ours: Life) -> str:
    """Nothing where the two are equal, else where they first are not, and on which machine."""
    found = []
    for name in ("poses", "observations", "actions", "rewards", "ends"):
        a, b = getattr(theirs, name), getattr(ours, name)
        a, b = a[: len(b)], b[: len(a)]
        spots = np.argwhere(bits(a) != bits(b))
        if len(spots):
            spot = tuple(spots[0].tolist())
            patterns = f"{int(bits(a)[spot]):#x}, {int(bits(b)[spot]):#x}"
            found.append((spot[0], f"{name}{list(spot)}: Box2D {a[spot]!r}, compiled {b[spot]!r}; bits {patterns}"))
    if len(theirs.actions) != len(ours.actions):
        found.append((len(ours.actions), f"lengths: Box2D {len(theirs.actions)}, compiled {len(ours.actions)}"))
    return f"{min(found)[1]} ({platform.machine()}, {' '.join(platform.libc_ver())})" if found else ""


def differences(lives: dict[str, Life], ours: Sequence[Life]) -> list[str]:
    """The first difference of every life that has one."""
    both = zip(lives.items(), ours, strict=True)
    return [f"{name}: {found}" for (name, life), other in both if (found := first_difference(life, other))]


@pytest.fixture(scope="module")
def lives() -> dict[str, Life]:
    """Lives on every kind of course, from the pad and from among the obstacles, random and trained."""
    made = {}
    for number, (name, values) in enumerate({**KINDS, **DEGENERATE}.items()):
        for shift in (0, 11 + number):
            terrain = lay(values, 40 + number, shift)
            for act, who in ((random(number), "random"), (trained, "trained")):
                made[f"{name}, from cell {shift}, {who}"] = judged(terrain, number % 11 - 5.0, act, 130)
    return made


def test_lives_have_box2ds_bits_on_every_kind_of_course(lives: dict[str, Life]) -> None:
    assert differences(lives, replayed(engine(), list(lives.values()))) == []


def test_degenerate_courses_give_numbers(lives: dict[str, Life]) -> None:
    for name, life in zip(lives, replayed(engine(), list(lives.values())), strict=True):
        assert all(np.isfinite(part).all() for part in (life.observations, life.poses, life.rewards)), name


@pytest.mark.parametrize("lanes", [1, 16])
def test_lanes_threads_and_order_change_no_bit(lives: dict[str, Life], lanes: int) -> None:
    order = np.random.default_rng(lanes).permutation(len(lives)).tolist()
    assert differences(lives, replayed(engine(lanes), list(lives.values()), order, threads=2)) == []


def test_lives_thrown_about_have_box2ds_bits() -> None:
    thrown = {}
    for number, name in enumerate(("all", "Hardcore", "the greatest", "flat")):
        terrain = lay({**KINDS, **DEGENERATE}[name], number, 7 * number)
        for push in (-2900.0, 350.0, 3000.0):
            thrown[f"{name}, {push} N"] = judged(terrain, push, random(number), 250, free=True)
    assert differences(thrown, replayed(engine(), list(thrown.values()))) == []


# Corner to corner, manifolds reach farther than skins: to the diagonal of a square of two of them.
TURNED: tuple[tuple[Any, float, bool], ...] = (
    (((5.29, 4.45), (5.7, 3.99), (6.66, 4.25), (6.04, 4.68)), -279.0, True),
    (((4.21, 5.28), (3.96, 5.27), (4.03, 5.08), (4.32, 5.18)), -277.0, False),
)


def test_boxes_that_stand_on_a_corner_have_box2ds_bits() -> None:
    line, made = lay("flat", 0).line, {}
    for box, push, idle in TURNED:
        act = (lambda _: np.zeros(4, np.float32)) if idle else random(92, 1.0)
        made[f"{box}"] = judged(Terrain(line, (box,)), push, act, 60, free=True)
    assert differences(made, replayed(engine(), list(made.values()))) == []


def test_a_walker_that_falls_asleep_has_box2ds_bits() -> None:
    kinds = ("flat", "BipedalWalker", "stairs")
    still = {name: judged(lay(KINDS[name], 2), 1.0, lambda _: np.zeros(4, np.float32), 400, free=True) for name in kinds}
    assert bits(still["flat"].poses[-20:-2]).tolist() == bits(still["flat"].poses[-19:-1]).tolist()
    assert differences(still, replayed(engine(), list(still.values()))) == []


def overheard(pushes: list[float]) -> Any:
    """Box2D's push that also notes how hard it was."""
    force = Box2D.b2Body.ApplyForceToCenter

    def push(body: Any, newtons: tuple[float, float], wake: bool) -> None:
        pushes.append(newtons[0])
        force(body, newtons, wake)

    return push


@pytest.mark.parametrize("hardcore", [False, True])
def test_lives_have_the_bits_of_bipedal_walker_v3(hardcore: bool) -> None:
    made = {}
    for seed in range(3):
        env: Any = gymnasium.make("BipedalWalker-v3", hardcore=hardcore).unwrapped
        pushes: list[float] = []
        env._np_random = np.random.default_rng(np.random.SeedSequence(seed))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Box2D.b2Body, "ApplyForceToCenter", overheard(pushes))
            env.step_seen, _ = env.reset()
        terrain = lay({"terrain": "gymnasium-hardcore" if hardcore else "gymnasium"}, seed)
        made[f"seed {seed}"] = judged(terrain, pushes[0], trained if seed else random(seed), 300, env=env)
    assert differences(made, replayed(engine(), list(made.values()))) == []


def test_a_policy_in_the_simulator_lives_as_in_box2d() -> None:
    think, agent, scratch = policy.build(cpu(1)).think, packed(), np.zeros(96, np.float32)

    def act(seen: Floats) -> Floats:
        action = np.zeros(4, np.float32)
        think(agent.params, 0, agent.layers, seen, 0, action, 0, scratch)
        return action

    made = {name: judged(lay(name, 3, 5), -1.0, act, 300) for name in ("flat", "BipedalWalker", "Hardcore", "Stairs")}
    ground = engine().ground([life.terrain for life in made.values()])
    kept = engine().rollout(ground, range(4), [-1.0] * 4, [0] * 4, agent, 300, record=True)
    for row, (name, life) in enumerate(made.items()):
        n = int(kept.lengths[row])
        parts = (array[row, :n] for array in (kept.actions, kept.observations, kept.poses, kept.rewards.astype(np.float64)))
        theirs = Life(life.terrain, -1.0, life.actions, life.observations[:-1], life.poses[1:], life.rewards, life.ends[-1:])
        assert first_difference(theirs, Life(life.terrain, -1.0, *parts, kept.fates[row : row + 1])) == "", name


def test_polygons_are_box2ds() -> None:
    dice = np.random.default_rng(0)
    boxes: list[tuple[tuple[float, float], ...]] = []
    for number in range(2000):
        x, y, size = dice.uniform(-5, 95), dice.uniform(-40, 40), 10.0 ** dice.uniform(-2.5, 1.0)
        if number % 2:
            # Upright, the corners from any of them on, either way round.
            w, h = size, 10.0 ** dice.uniform(-4, 1)
            around = [(x, y), (x + w, y), (x + w, y + h), (x, y + h)]
        else:
            count = int(dice.integers(3, 6))
            turns = dice.uniform(0, 7) + (np.arange(count) + dice.uniform(-0.4, 0.4, count)) * 2 * math.pi / count
            around = [(x + size * math.cos(turn), y + size * math.sin(turn)) for turn in turns.tolist()]
        start = int(dice.integers(len(around)))
        boxes.append(tuple((around[start:] + around[:start])[:: int(dice.choice([-1, 1]))]))
    line = lay("flat", 0).line
    made = engine().ground([Terrain(line, tuple(boxes))]).boxes.reshape(-1, at.POLYGON)
    refused = 0
    for box, row in zip(boxes, made, strict=True):
        try:
            shape = Box2D.b2PolygonShape(vertices=box)
        except AssertionError:
            refused += 1
            continue
        count = shape.vertexCount
        assert row[at.CORNERS] == count, box
        theirs = np.array([*shape.vertices, *shape.normals, tuple(shape.centroid)], np.float32)
        ours = np.concatenate([row[: 2 * count], row[at.NORMALS :][: 2 * count], row[at.CENTROID :][:2]])
        assert bits(theirs).ravel().tolist() == bits(ours).tolist(), box
    # Too thin for Box2D.
    assert refused < 300


@pytest.mark.skipif(not platform.libc_ver()[0], reason="compares with glibc")
@pytest.mark.parametrize("lanes", [1, 16])
def test_sine_and_cosine_are_the_c_librarys(lanes: int) -> None:
    library = ctypes.CDLL(ctypes.util.find_library("m"))
    for function in (library.sinf, library.cosf):
        function.argtypes, function.restype = (ctypes.c_float,), ctypes.c_float
    sinf, cosf, target = library.sinf, library.cosf, cpu(lanes)
    load, store, sincos = target.load, target.store, trig.build(target).sincos

    @numba.njit(**OPTIONS)
    def ours(x: Any, s: Any, c: Any) -> None:
        for i in range(0, len(x), lanes):
            sine, cosine = sincos(load(x, i))
            store(s, i, sine)
            store(c, i, cosine)

    @numba.njit
    def theirs(x: Any, s: Any, c: Any) -> None:
        for i in range(len(x)):
            s[i], c[i] = sinf(x[i]), cosf(x[i])

    dice = np.random.default_rng(1)
    quarters = (np.arange(-150, 150) * (np.pi / 4)).astype(np.float32)
    near = (quarters[:, None].view(np.int32) + np.arange(-8, 8, dtype=np.int32)).view(np.float32)
    small = np.float32(2.0) ** np.arange(-140, 0).astype(np.float32)
    parts = dice.uniform(-119, 119, 400_000), dice.normal(size=400_000), near, small, -small, [0.0, -0.0]
    x = np.concatenate([np.ravel(part) for part in parts]).astype(np.float32)
    x = x[np.abs(x) < 120][: len(x) // 16 * 16 - 16]
    x = x[: len(x) // 16 * 16]
    results = [np.zeros_like(x) for _ in range(4)]
    ours(x, *results[:2])
    theirs(x, *results[2:])
    for mine, other in zip(results[:2], results[2:], strict=True):
        wrong = np.flatnonzero(bits(mine) != bits(other))
        assert not len(wrong), f"{len(wrong)} differ, first at {x[wrong[0]]!r}: {mine[wrong[0]]!r}, C {other[wrong[0]]!r}"
