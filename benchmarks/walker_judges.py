"""The judge of the compiled walker: Gymnasium's own, each episode in a Box2D world of its own.

A :class:`Case` is one episode, and :func:`judged` lives it in Box2D. The module ``walker_compare`` lives it compiled and
compares the two. Nothing here is a benchmark.
"""

from __future__ import annotations

import gc
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import Box2D
import gymnasium
import numpy as np
import torch
from gymnasium.envs.box2d.bipedal_walker import BipedalWalkerHeuristics
from numpy.typing import NDArray
from safetensors.numpy import load_file

import aiga_walker
from aiga import Batch, Kind, Percept
from aiga_networks.mlp import MlpNetwork, MlpOptions
from aiga_walker.env import CourseWalker
from aiga_walker.physics import policy, senses
from aiga_walker.physics.engine import Policies, lanes_here
from aiga_walker.physics.target import cpu
from aiga_walker.terrain import CELL, FINISH, GROUND, Terrain

OBSTACLES: Final = ("pit", "stump", "stair")
_AGENT: Final = Path(aiga_walker.__file__).parent / "agents" / "flat.safetensors"
_SPAWN: Final = 10  # cells from the left, where the walker starts
_WIDEST: Final = 48  # padded units of the widest layer

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Brain:
    """The walker that ships, changed: ``share`` of its weights, and noise of deviation ``noise`` drawn from ``seed``."""

    share: float = 1.0
    noise: float = 0.0
    seed: int = 0

    def leaves(self) -> dict[str, Floats]:
        """Biases and weights by name."""
        dice = np.random.default_rng(self.seed)
        made = {}
        for name, leaf in sorted(load_file(_AGENT).items()):
            made[name] = (self.share * leaf + self.noise * dice.normal(size=leaf.shape)).astype(np.float32)
        return made


@dataclass(frozen=True)
class Case:
    """One episode.

    Attributes:
        course: its name, for reports.
        terrain: the ground; with ``gymnasium`` what Gymnasium lays for the seed.
        actor: who acts: see :func:`actor_of`.
        seed: of the actor, and of Gymnasium's own ground and start push.
        push: start push in N.
        limit: the longest life, in steps.
        free: whether to go on when the episode is over.
        gymnasium: to judge by ``BipedalWalker-v3`` as it is made by name, ``"hardcore"`` or ``"plain"``; by default
            by :class:`CourseWalker`.
        brain: of the actor.
    """

    course: str
    terrain: Terrain
    actor: str
    seed: int = 0
    push: float = 0.0
    limit: int = 2000
    free: bool = False
    gymnasium: str = ""
    brain: Brain = Brain()


@dataclass
class Life:
    """What became of a case.

    Attributes:
        push: in N.
        actions: ``[T, 4]``.
        observations: ``[T + 1, 24]``, or ``[T, 24]`` without the last.
        poses: ``[T + 1, 5, 3]``, or ``[T, 5, 3]`` without the first.
        rewards: ``[T]`` float64.
        ends: ``[T]`` int32, bits: see :mod:`aiga_walker.physics.senses`.
        touched: ``[T]`` bool: of each kind of obstacle that there is, whether the walker touched one after each step.
    """

    push: float
    actions: Floats
    observations: Floats
    poses: Floats
    rewards: NDArray[np.float64]
    ends: NDArray[np.int32]
    touched: dict[str, NDArray[np.bool_]] = field(default_factory=dict)

    @property
    def steps(self) -> int:
        """How long it was."""
        return len(self.actions)

    def cut(self, steps: int) -> Life:
        """Its first steps."""
        sides = self.actions, self.observations, self.poses, self.rewards, self.ends
        return Life(self.push, *(side[: len(side) - self.steps + steps] for side in sides))

    @property
    def total(self) -> float:
        """The return, summed as the simulator does."""
        return float(np.cumsum(self.rewards)[-1])


def moved(terrain: Terrain, cells: int) -> Terrain:
    """The course shifted to the left, and up or down, so that the walker starts among the obstacles."""
    dx, dy = cells * CELL, terrain.line[_SPAWN + cells][1] - GROUND
    boxes = tuple(tuple((x - dx, y - dy) for x, y in box) for box in terrain.boxes)
    return Terrain(tuple((x - dx, y - dy) for x, y in terrain.line), boxes)


def kind_of(box: Sequence[tuple[float, float]], terrain: Terrain) -> str:
    """Which obstacle a box belongs to: stairs are wide, pits have their top at the ground's height, stumps their foot."""
    xs, ys = zip(*box, strict=True)
    if max(xs) - min(xs) > 3.0 * CELL:
        return "stair"
    height = min(terrain.line, key=lambda point: abs(point[0] - min(xs)))[1]
    return "pit" if abs(max(ys) - height) < abs(min(ys) - height) else "stump"


Actor = Callable[[Floats], Floats]


def actor_of(case: Case) -> Actor:
    """Who acts: ``random``, ``beyond``, ``weak``, ``held``, ``idle``; ``heuristic``; or ``case.brain``.

    The last as ``numpy``, ``torch`` or ``compiled``, which round differently; ``compiled alone`` is the last for one lane.
    """
    if case.actor == "heuristic":
        gait = BipedalWalkerHeuristics()
        return lambda seen: np.asarray(gait.step_heuristic(seen), np.float32)
    thinkers: dict[str, Callable[[], Actor]] = {
        "numpy": lambda: _in_numpy(case.brain),
        "torch": lambda: _in_torch(case.brain),
        "compiled": lambda: _compiled(case.brain, min(lanes_here(), policy.PADDED)),
        "compiled alone": lambda: _compiled(case.brain, 1),
    }
    return thinkers[case.actor]() if case.actor in thinkers else _blind(case.actor, np.random.default_rng(case.seed))


def _blind(name: str, dice: np.random.Generator) -> Actor:
    kept = [np.zeros(4, np.float32)]

    def drawn(scale: float) -> Floats:
        return dice.uniform(-scale, scale, 4).astype(np.float32)

    def beyond() -> Floats:
        # Clipped, at the bounds, and zeros of both signs.
        return np.where(dice.random(4) < 0.3, dice.choice(np.array([-1.0, -0.0, 0.0, 1.0])), drawn(1.6)).astype(np.float32)

    def held() -> Floats:
        if dice.random() < 0.05:
            kept[0] = drawn(1.0)
        return kept[0]

    ways = {"random": lambda: drawn(1.0), "beyond": beyond, "weak": lambda: drawn(0.25), "held": held, "idle": lambda: kept[0]}
    way = ways[name]
    return lambda _: way()


def _in_numpy(brain: Brain) -> Actor:
    leaves = brain.leaves()
    names = sorted(leaves)
    layers = [(leaves[bias], leaves[weight]) for bias, weight in zip(names[0::2], names[1::2], strict=True)]

    def act(seen: Floats) -> Floats:
        x = seen
        for bias, weight in layers:
            x = np.tanh(x @ weight + bias)
        return x

    return act


def _in_torch(brain: Brain) -> Actor:
    network = MlpNetwork(MlpOptions())
    leaves = Batch.of(
        Kind("mlp", dict(network.structure)), {name: torch.from_numpy(leaf)[None] for name, leaf in brain.leaves().items()}
    ).leaves

    @torch.no_grad()
    def act(seen: Floats) -> Floats:
        observation = torch.from_numpy(seen)[None]
        nought = torch.zeros(1)
        output, _ = network.step(leaves, {}, Percept(observation, nought, nought.bool(), torch.zeros(1, 4)))
        return np.asarray(output.action[0].numpy())

    return act


@cache
def _think(lanes: int) -> Any:
    return policy.build(cpu(lanes)).think


def _compiled(brain: Brain, lanes: int) -> Actor:
    packed, scratch, think = packed_of([brain]), np.zeros(2 * _WIDEST, np.float32), _think(lanes)

    def act(seen: Floats) -> Floats:
        action = np.zeros(4, np.float32)
        think(packed.params, 0, packed.layers, seen, 0, action, 0, scratch)
        return action

    return act


def packed_of(brains: Sequence[Brain]) -> Policies:
    """Policies as the simulator reads them: of each layer biases, then weights, rows padded."""
    rows = []
    for brain in brains:
        leaves, parts, layers = brain.leaves(), [], []
        names = sorted(leaves)
        for bias, weight in zip(names[0::2], names[1::2], strict=True):
            inputs, units = leaves[weight].shape
            padded = -(-units // policy.PADDED) * policy.PADDED
            part = np.zeros((inputs + 1, padded), np.float32)
            part[0, :units], part[1:, :units] = leaves[bias], leaves[weight]
            parts.append(part.ravel())
            layers += [inputs, padded, policy.TANH]
        rows.append(np.concatenate(parts))
    return Policies(np.concatenate(rows), len(rows[0]), np.array(layers, np.int64))


class _Eavesdropper:
    """Gymnasium's random numbers, with the last uniform one written down: the start push."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed)))
        self.last = math.nan

    def uniform(self, *bounds: Any) -> float:
        self.last = self.rng.uniform(*bounds)
        return self.last

    def __getattr__(self, name: str) -> Any:
        return getattr(self.rng, name)


@cache
def _made(which: str) -> Any:
    if not which:
        return CourseWalker()
    return gymnasium.make(
        "BipedalWalker-v3", hardcore=which == "hardcore", max_episode_steps=1_000_000, disable_env_checker=True
    )


def judged(case: Case) -> Life:
    """The life in Box2D, in a fresh world."""
    env = _made(case.gymnasium)
    walker, push = env.unwrapped, case.push
    if case.gymnasium:
        walker.world = Box2D.b2World()
        # What was in the old world went with it.
        walker.terrain = []
        walker._np_random = _Eavesdropper(case.seed)
        observation, push = env.reset()[0], walker._np_random.last
    else:
        observation = walker.begin(case.terrain, case.push)
    for body, box in zip(walker.world.bodies, case.terrain.boxes, strict=False):
        body.userData = OBSTACLES.index(kind_of(box, case.terrain))
    bodies = (walker.hull, *walker.legs)

    def poses() -> list[tuple[float, float, float]]:
        return [(*body.position, body.angle) for body in bodies]

    act, seen, actions, places, rewards, ends, touches = actor_of(case), [observation], [], [poses()], [], [], []
    for _ in range(case.limit):
        actions.append(act(seen[-1]))
        observation, reward, terminated, _, _ = env.step(actions[-1])
        seen.append(observation)
        rewards.append(float(reward))
        places.append(poses())
        fallen, x = walker.game_over or walker.hull.position[0] < 0, walker.hull.position[0]
        finished = x > FINISH and not walker.game_over
        ends.append(fallen * senses.FALLEN | terminated * senses.OVER | finished * senses.FINISHED)
        touches.append(
            {edge.other.userData for body in bodies for edge in body.contacts if edge.contact.touching}
            if case.terrain.boxes
            else set()
        )
        if terminated and not case.free:
            break
    there = {kind_of(box, case.terrain) for box in case.terrain.boxes}
    touched = {name: np.array([OBSTACLES.index(name) in kinds for kinds in touches]) for name in there}
    numbers = np.array(actions), np.array(seen), np.array(places, np.float32), np.array(rewards), np.array(ends, np.int32)
    return Life(push, *numbers, touched)


def _alone() -> None:
    torch.set_num_threads(1)
    # pybox2d's wrappers of contacts do not outlive a garbage collection that comes while they are listed.
    gc.disable()


def all_judged(cases: Sequence[Case], workers: int = 2) -> Iterator[tuple[list[Case], list[Life]]]:
    """Lives of all cases by ``workers`` processes, in portions as they come."""
    portion = 64
    with get_context("spawn").Pool(workers, _alone) as pool:
        lives = pool.imap(judged, cases, chunksize=4)
        for first in range(0, len(cases), portion):
            some = list(cases[first : first + portion])
            yield some, [next(lives) for _ in some]
