"""Has the compiled walker every bit of Gymnasium's? Whole lives of both, compared at every step.

Open loop, Gymnasium lives and the compiled walker repeats its actions: random, weak and held ones, Gymnasium's heuristic gait
and trained walkers, on every kind of course, also from among the obstacles, on courses that no generator would lay, and in
stress, with the ends of episodes ignored and start pushes up to 3000 N. Closed loop, a policy acts in both: in Gymnasium the
compiled one on Gymnasium's observations, in the other inside the simulator. Compared are poses, observations, rewards, ends,
and in closed loop actions and lengths. Each of Gymnasium's episodes has a fresh Box2D world.

    python benchmarks/walker_bits.py --json
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import numpy as np
import torch
from report import Report, arguments
from walker_compare import Tally, relived, replayed
from walker_judges import OBSTACLES, Brain, Case, Life, all_judged, moved

from aiga_walker import courses
from aiga_walker.physics.engine import Engine, engine
from aiga_walker.terrain import CELL, GROUND, Terrain, terrains

Values = str | dict[str, Any]

_ROUGH, _PITS, _STUMPS = {"roughness": 2.0}, {"gap": (0.3, 1.7)}, {"stump": (0.1, 1.3)}
_STAIRS: Final = {"stair": (0.2, 1.1), "stair_steps": 3}
KINDS: Final[dict[str, Values]] = {
    "flat": "flat",
    "roughness 2": _ROUGH,
    "roughness 6": {"roughness": 6.0},
    "pits": _PITS,
    "pits to 5.6": {"gap": (2.3, 5.6)},
    "stumps": _STUMPS,
    "stumps to 3": {"stump": (1.0, 3.0)},
    "stairs": _STAIRS,
    "stairs of 8": {"stair": (0.6, 2.4), "stair_steps": 8},
    "rough, pits": {**_ROUGH, **_PITS},
    "rough, stumps": {**_ROUGH, **_STUMPS},
    "rough, stairs": {**_ROUGH, **_STAIRS},
    "pits, stumps": {**_PITS, **_STUMPS},
    "pits, stairs": {**_PITS, **_STAIRS},
    "stumps, stairs": {**_STUMPS, **_STAIRS},
    "all": {**_ROUGH, **_PITS, **_STUMPS, **_STAIRS},
    **{name: name for name in courses.NAMES if name not in ("flat", "BipedalWalker")},
}
DEGENERATE: Final[dict[str, Values]] = {
    "roughness 10": {"roughness": 10.0},
    "all at their greatest": {
        "roughness": 10.0,
        "gap": (10.0, 10.0),
        "stump": (5.0, 5.0),
        "stair": (5.0, 5.0),
        "stair_steps": 9,
    },
    "pits of no width": {"gap": (0.0, 1e-9)},
    "pits of 1e-4": {"gap": (1e-4, 1e-3)},
    "one pit for all": {"gap": (150.0, 150.0)},
    "stumps of no height": {"stump": (0.0, 1e-9)},
    "stumps of 1e-4 m": {"stump": (2.15e-4, 3e-4)},
    "stumps of 1e-4 m, rough": {"roughness": 8.0, "stump": (2.15e-4, 1e-2)},
    "stairs of 1e-4 m": {"stair": (2.15e-4, 1e-2), "stair_steps": 9},
    "stumps of 50": {"stump": (50.0, 50.0)},
    "stair of 60": {"stair": (0.3, 0.3), "stair_steps": 60},
}
# What the walker that ships, changed a little, gets through now and then.
EASY: Final[dict[str, Values]] = {
    "flat": "flat",
    "BipedalWalker": "BipedalWalker",
    "Hardcore": "Hardcore",
    "low pits": {"gap": (0.05, 0.5)},
    "low stumps": {"stump": (0.01, 0.2)},
    "low stairs": {"stair": (0.02, 0.15), "stair_steps": 4},
    "low all": {"roughness": 0.4, "gap": (0.05, 0.4), "stump": (0.01, 0.15), "stair": (0.02, 0.12), "stair_steps": 3},
}
ACTORS: Final = ("random", "beyond", "weak", "held", "heuristic", "numpy")


def lay(values: Values, seed: int) -> Terrain:
    """The course of a seed."""
    return terrains(courses.course_of(values).rows(torch.tensor([seed])))[0]


def strange(seed: int) -> Terrain:
    """What no generator lays: jagged ground that turns back on itself, and boxes of three to five corners, turned, afloat."""
    dice = np.random.default_rng(seed)
    jagged = dice.random() < 0.5
    line = [
        (i * CELL + jagged * dice.normal() * 0.3, GROUND + jagged * max(dice.normal() * 0.2, -1.0) * (i > 12))
        for i in range(200)
    ]
    boxes = []
    for _ in range(int(dice.integers(1, 16))):
        x, y, size = dice.uniform(3.0, 20.0), GROUND + dice.uniform(-1.0, 3.0), 10.0 ** dice.uniform(-1.5, 0.5)
        corners = int(dice.integers(3, 6))
        angles = dice.uniform(0, 7) + (np.arange(corners) + dice.uniform(-0.4, 0.4, corners)) * 2 * math.pi / corners
        boxes.append(tuple((x + size * math.cos(a), y + 0.4 * size * math.sin(a)) for a in angles.tolist()))
    return Terrain(tuple(line), tuple(boxes))


def open_cases(seeds: int) -> Iterator[Case]:
    """Every actor on every kind of course, from the start pad and from among the obstacles; walkers of many deviations."""
    for seed in range(seeds):
        dice = np.random.default_rng(seed)
        for name, values in {**KINDS, **DEGENERATE}.items():
            for number, actor in enumerate(ACTORS):
                terrain, shift = lay(values, 1000 * seed + number), int(dice.integers(8, 40))
                brain, push = Brain(1.0, float(dice.choice([0.0, 0.01, 0.03, 0.1])), seed), float(dice.uniform(-5, 5))
                yield Case(name, terrain, actor, 100 * seed + number, push, brain=brain)
                yield Case(f"{name}, from cell {shift}", moved(terrain, shift), actor, 100 * seed + number, push, brain=brain)
        for number, actor in enumerate(ACTORS):
            brain, own = Brain(1.0, 0.02 * (seed % 3), seed), 100 * seed + number
            for which, name in (("plain", "gymnasium"), ("hardcore", "gymnasium-hardcore")):
                terrain = lay({"terrain": name}, own)
                yield Case(f"BipedalWalker-v3, {which}", terrain, actor, own, gymnasium=which, brain=brain)
        for name in ("flat", "BipedalWalker"):
            # Who stands still on folded legs, and falls asleep, lives until the cap.
            yield Case(f"{name}, idle", lay(name, seed), "idle", seed, float(dice.uniform(-5, 5)))


def stress_cases(seeds: int) -> Iterator[Case]:
    """Lives that go on whatever happens, thrown at the course, over its left end, or lying on it."""
    kinds = {**KINDS, **DEGENERATE}
    for seed in range(seeds):
        dice = np.random.default_rng(seed + 10_000)
        for number, (name, values) in enumerate(kinds.items()):
            terrain, shift = lay(values, 5000 + 1000 * seed + number), int(dice.integers(0, 40))
            actor = str(dice.choice([*ACTORS, "idle"]))
            push = float(dice.choice([-1.0, 1.0]) * 10.0 ** dice.uniform(1.0, math.log10(3000.0)))
            yield Case(f"{name}, stress", moved(terrain, shift), actor, seed, push, limit=1000, free=True)


def strange_cases(seeds: int) -> Iterator[Case]:
    """Lives on ground that no generator lays; every other one is in stress."""
    for seed in range(seeds):
        dice = np.random.default_rng(seed + 30_000)
        for number, actor in enumerate(ACTORS):
            own, brain = 100 * seed + number, Brain(1.0, 0.02 * (seed % 3), seed)
            yield Case("strange", strange(own), actor, own, float(dice.uniform(-5, 5)), brain=brain)
            push = float(dice.uniform(-3000, 3000))
            yield Case("strange, stress", strange(own + 50), actor, own, push, 400, True, brain=brain)


def closed_cases(seeds: int) -> Iterator[Case]:
    """Trained walkers with more and less noise, on courses whose obstacles they reach."""
    for seed in range(seeds):
        dice = np.random.default_rng(seed + 20_000)
        for name, values in EASY.items():
            for noise in (0.0, 0.02, 0.04, 0.08):
                terrain = lay(values, 9000 + 10 * seed + int(100 * noise))
                shift = 0 if name == "flat" else int(dice.integers(0, 16))
                brain = Brain(1.0, noise, seed)
                yield Case(
                    f"{name}, cell {shift}", moved(terrain, shift), "compiled", 0, float(dice.uniform(-5, 5)), brain=brain
                )
        for which, name in (("plain", "gymnasium"), ("hardcore", "gymnasium-hardcore")):
            terrain = lay({"terrain": name}, seed)
            yield Case(f"BipedalWalker-v3, {which}", terrain, "compiled", seed, gymnasium=which, brain=Brain(1.0, 0.02, seed))


Lives = tuple[list[Case], list[Life]]
Way = Callable[[Sequence[Case], Sequence[Life]], list[Life]]


def compare(portions: Iterator[Lives], way: Way) -> tuple[Tally, dict[str, list[int]], int, list[Lives]]:
    """Compares lives as they come.

    Args:
        portions: of cases and the judge's lives.
        way: lives them compiled.

    Returns:
        The tally; steps on or against each kind of obstacle with the steps of lives on courses that have any; lives of 2000
        steps; and the first portions, to be compared in other ways.
    """
    tally, touched, long, kept = Tally(), {name: [0, 0] for name in OBSTACLES}, 0, []
    for cases, lives in portions:
        for case, theirs, ours in zip(cases, lives, way(cases, lives), strict=True):
            tally.add(case, theirs, ours)
            long += theirs.steps == 2000
            for name, steps in theirs.touched.items():
                touched[name][0] += int(steps.sum())
                touched[name][1] += theirs.steps
        if len(kept) < 3:
            kept.append((cases, lives))
    return tally, touched, long, kept


def _pushes(lives: Sequence[Life]) -> list[float]:
    return [life.push for life in lives]


def other_ways(open_lives: Sequence[Lives], closed_lives: Sequence[Lives], lanes: Sequence[int]) -> dict[str, Tally]:
    """The same lives with other lanes and threads, in other order, and begun one after another."""
    made: dict[str, Tally] = {}

    def add(name: str, lives: Sequence[Lives], way: Way) -> None:
        made[name] = compare(iter(lives), way)[0]

    dice = np.random.default_rng(0)
    for count in lanes:
        other = engine(count)
        other.compile()
        add(f"open loop, {count} lanes", open_lives, lambda cases, lives, e=other: replayed(e, cases, lives))
        add(f"closed loop, {count} lanes", closed_lives, lambda cases, lives, e=other: relived(e, cases, _pushes(lives)))
    here = engine()
    add("open loop, begun 7 steps apart", open_lives, lambda cases, lives: replayed(here, cases, lives, delay=7))
    add(
        "open loop, shuffled",
        open_lives,
        lambda cases, lives: replayed(here, cases, lives, order=dice.permutation(len(cases)).tolist()),
    )
    twice = [(cases * 2, lives * 2) for cases, lives in open_lives]
    add("open loop, 2 threads", twice, lambda cases, lives: replayed(here, cases, lives, threads=2))
    add("closed loop, 2 threads", closed_lives, lambda cases, lives: relived(here, cases, _pushes(lives), threads=2))
    back = [(cases[::-1], lives[::-1]) for cases, lives in closed_lives]
    add("closed loop, other order", back, lambda cases, lives: relived(here, cases, _pushes(lives)))
    return made


def _add(report: Report, name: str, tally: Tally, firsts: list[str]) -> None:
    report.add_row(f"{name}: episodes", tally.episodes, "")
    report.add_row(f"{name}: steps", tally.steps, "")
    report.add_row(f"{name}: values compared", tally.values, "")
    report.add_row(f"{name}: differing values", tally.differing, "", "0", tally.differing == 0)
    # On ground that no generator lays a walker may touch more of it at once than there is room for.
    goal = None if name == "strange ground" else "0"
    report.add_row(f"{name}: episodes refused", tally.refused, "", goal, None if goal is None else tally.refused == 0)
    if tally.first:
        firsts.append(f"{name}: {tally.unequal} of {tally.episodes} episodes differ; the first one:\n{tally.first}")


def main() -> None:
    """Compares and prints; fails where a bit differs."""
    parser = arguments(__doc__)
    given = parser.parse_args()
    began, firsts, report = time.perf_counter(), [], Report("walker_bits", (*Report.packages, "numba"))
    here: Engine = engine()
    here.compile()
    sizes = (1, 1, 2, 2) if given.quick else (9, 7, 16, 22)
    plans: dict[str, tuple[Any, int, Way]] = {
        "open loop": (open_cases, sizes[0], lambda cases, lives: replayed(here, cases, lives)),
        "stress": (stress_cases, sizes[1], lambda cases, lives: replayed(here, cases, lives)),
        "strange ground": (strange_cases, sizes[2], lambda cases, lives: replayed(here, cases, lives)),
        "closed loop": (closed_cases, sizes[3], lambda cases, lives: relived(here, cases, _pushes(lives))),
    }
    kept: dict[str, list[Lives]] = {}
    for name, (cases, seeds, way) in plans.items():
        some = list(cases(seeds))
        if given.quick and name != "closed loop":
            some = some[:: 4 if name == "open loop" else 3]
        tally, touched, long, kept[name] = compare(all_judged(some), way)
        _add(report, name, tally, firsts)
        report.add_row(f"{name}: lives of 2000 steps", long, "")
        for kind, (touching, steps) in touched.items():
            report.add_row(f"{name}: steps on or against a {kind}, where there are any", 100 * touching / max(steps, 1), "%")
        print(f"{name}: {tally.differing} of {tally.values} values differ, {time.perf_counter() - began:.0f} s", flush=True)
    # Each other number of lanes is half a minute of compiling.
    lanes = () if given.quick else (1, 8, 16, 32)
    for name, tally in other_ways(kept["open loop"][: 1 + 2 * (not given.quick)], kept["closed loop"][:1], lanes).items():
        report.add_row(f"{name}: differing values of {tally.episodes} episodes", tally.differing, "", "0", tally.differing == 0)
        if tally.first:
            firsts.append(f"{name}: {tally.first}")
    print("\n".join(firsts) or "no bit differs")
    report.show(given.json)
    sys.exit(1 if firsts else 0)


if __name__ == "__main__":
    main()
