"""The judged lives once more, compiled, with the judge's actions or with the policy inside; and compared by bits.

See ``walker_judges``. Nothing here is a benchmark.
"""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from walker_judges import Case, Life, packed_of

from aiga_walker.physics import senses
from aiga_walker.physics.engine import Engine

BODIES: Final = ("hull", "left thigh", "left shank", "right thigh", "right shank")
_AXES: Final = ("x", "y", "angle")


def replayed(
    engine: Engine,
    cases: Sequence[Case],
    lives: Sequence[Life],
    order: Sequence[int] | None = None,
    delay: int = 0,
    threads: int = 1,
) -> list[Life]:
    """The same actions, compiled, all walkers in one herd.

    Args:
        engine: compiled for some number of lanes.
        cases: what was judged.
        lives: what the judge made of them.
        order: of the walkers within each call.
        delay: steps from one walker's start to the next one's: they start together by default.
        threads: how many work on it.
    """
    count = len(cases)
    herd, start = engine.herd(count), delay * np.arange(count)
    stop = start + np.array([life.steps for life in lives])
    places = np.arange(count) if order is None else np.asarray(order)
    made = [
        Life(life.push, life.actions, *(np.zeros_like(x) for x in (life.observations, life.poses, life.rewards, life.ends)))
        for life in lives
    ]
    for tick in range(int(stop.max())):
        rows = places[start[places] == tick]
        if len(rows):
            herd.begin(rows, [cases[row].terrain for row in rows], [lives[row].push for row in rows])
            poses = herd.poses()
            for row in rows:
                made[row].observations[0], made[row].poses[0] = herd.seen[row], poses[row]
        rows = places[(start[places] <= tick) & (tick < stop[places])]
        if not len(rows):
            continue
        herd.step(rows, np.stack([lives[row].actions[tick - start[row]] for row in rows]), threads)
        poses = herd.poses()
        for row in rows:
            life, step = made[row], tick - start[row]
            life.observations[step + 1], life.poses[step + 1] = herd.seen[row], poses[row]
            life.rewards[step], life.ends[step] = herd.rewards[row], herd.ends[row]
    return made


def relived(engine: Engine, cases: Sequence[Case], pushes: Sequence[float], threads: int = 1) -> list[Life]:
    """Lives compiled with the policy inside, with the start pushes that the judge had."""
    brains = sorted({case.brain for case in cases}, key=repr)
    agents, limit = [brains.index(case.brain) for case in cases], max(case.limit for case in cases)
    ground = engine.ground([case.terrain for case in cases])
    kept = engine.rollout(ground, range(len(cases)), pushes, agents, packed_of(brains), limit, record=True, threads=threads)
    made = []
    for row, steps in enumerate(kept.lengths):
        ends = np.zeros(steps, np.int32)
        ends[-1] = kept.fates[row]
        parts = (array[row, :steps] for array in (kept.actions, kept.observations, kept.poses, kept.rewards.astype(np.float64)))
        made.append(Life(pushes[row], *parts, ends))
    return made


@dataclass
class Tally:
    """What comparing lives comes to.

    Attributes:
        episodes, steps, values, differing: how many were compared; numbers, and those with other bits.
        unequal: episodes with any difference.
        refused: episodes that the simulator says are void, for touching more pieces of ground than it has room for;
            compared up to there.
        first: the first difference, in words.
    """

    episodes: int = 0
    steps: int = 0
    values: int = 0
    differing: int = 0
    unequal: int = 0
    refused: int = 0
    first: str = ""

    def add(self, case: Case, theirs: Life, ours: Life) -> None:
        """Compares the judge's life of a case with the compiled one."""
        lost = np.flatnonzero(ours.ends & senses.LOST)
        if len(lost):
            self.refused += 1
            if lost[0] == 0:
                return
            theirs, ours = theirs.cut(int(lost[0])), ours.cut(int(lost[0]))
        common = min(theirs.steps, ours.steps)
        parts = _parts(theirs, ours, common)
        wrong = sum(int((_bits(a) != _bits(b)).sum()) for _, a, b in parts) + abs(theirs.steps - ours.steps)
        self.episodes, self.steps = self.episodes + 1, self.steps + theirs.steps
        self.values += sum(a.size for _, a, _ in parts) + 1
        self.differing, self.unequal = self.differing + wrong, self.unequal + (wrong > 0)
        if wrong and not self.first:
            self.first = _first(case, parts, theirs, ours)


def _parts(theirs: Life, ours: Life, common: int) -> list[tuple[str, Any, Any]]:
    """Name and both arrays of all that is compared, one row for each step; of what came before the first step, row 0."""
    seen = min(len(theirs.observations), len(ours.observations), common + 1)
    # A recorded rollout has no first pose, and an end for the last step alone.
    poses = theirs.poses[len(theirs.poses) - theirs.steps :], ours.poses[len(ours.poses) - ours.steps :]
    parts: list[tuple[str, Any, Any]] = [
        ("pose", *(side[:common] for side in poses)),
        ("observation", theirs.observations[:seen], ours.observations[:seen]),
        ("action", theirs.actions[:common], ours.actions[:common]),
        ("reward", theirs.rewards[:common], ours.rewards[:common]),
    ]
    if len(ours.observations) > ours.steps:
        parts += [("ends", theirs.ends, ours.ends), ("first pose", theirs.poses[:1], ours.poses[:1])]
    elif theirs.steps == ours.steps:
        parts += [("end", theirs.ends[-1:], ours.ends[-1:])]
    return parts


def _bits(x: NDArray[Any]) -> NDArray[Any]:
    return np.ascontiguousarray(x).view({4: np.uint32, 8: np.uint64}[x.itemsize])


def _first(case: Case, parts: list[tuple[str, Any, Any]], theirs: Life, ours: Life) -> str:
    lines = [
        f"{case.course}, {case.actor}, seed {case.seed}, push {theirs.push!r}, {case.brain}, judge {case.gymnasium}",
        f"lengths: judge {theirs.steps}, compiled {ours.steps}",
        f"{platform.platform()}, {' '.join(platform.libc_ver())}, numpy {np.__version__}",
    ]
    places = []
    for name, a, b in parts:
        spots = np.argwhere(_bits(a) != _bits(b))
        if len(spots):
            places.append((int(spots[0][0]) + (name not in ("observation", "first pose")), name, tuple(spots[0]), a, b))
    for step, name, spot, a, b in sorted(places, key=lambda place: place[0]):
        where = f"{BODIES[spot[1]]} {_AXES[spot[2]]}" if "pose" in name else str(list(map(int, spot[1:])))
        patterns = f"{int(_bits(a)[spot]):#x} and {int(_bits(b)[spot]):#x}"
        lines.append(f"  step {step}, {name} {where}: judge {a[spot]!r}, compiled {b[spot]!r}; bits {patterns}")
    return "\n".join(lines)
