"""How fast does a walker live? ``aiga/Walker-v0`` against Gymnasium's ``BipedalWalker-v3``, synchronous and asynchronous.

All three run the same walkers: as many of them, random actions from one seed, episodes restarted as they end, on Gymnasium's
own slightly uneven ground. One run measures all, rounds interleaved, so that what else the machine does meets all alike; the
ratios are taken round by round. Steps that only reset are not counted. Beside wall-clock time stands the processor time of this
process, which busy neighbours stretch less; the asynchronous environment works in others, so it has none.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
from report import Report, arguments

import aiga_walker  # noqa: F401  registers aiga/Walker-v0

OURS, SYNC, ASYNC = "aiga/Walker-v0", "BipedalWalker-v3, SyncVectorEnv", "BipedalWalker-v3, AsyncVectorEnv"
MAKERS: dict[str, Callable[[int], Any]] = {
    OURS: lambda count: gymnasium.make_vec("aiga/Walker-v0", num_envs=count, course="BipedalWalker"),
    SYNC: lambda count: gymnasium.make_vec("BipedalWalker-v3", num_envs=count, vectorization_mode="sync"),
    ASYNC: lambda count: gymnasium.make_vec("BipedalWalker-v3", num_envs=count, vectorization_mode="async"),
}


def speed(env: Any, actions: np.ndarray, seconds: float) -> tuple[float, float]:
    """Walker steps a second of wall-clock time, and of this process's processor time, over at least ``seconds``."""
    steps, turn, over = 0, 0, np.zeros(env.num_envs, bool)
    start, used = time.perf_counter(), time.process_time()
    while (spent := time.perf_counter() - start) < seconds:
        _, _, terminated, truncated, _ = env.step(actions[turn % len(actions)])
        # A walker whose episode ended in the last step was reset in this one.
        steps += int((~over).sum())
        over = terminated | truncated
        turn += 1
    return steps / spent, steps / (time.process_time() - used)


def main() -> None:
    """Measures and prints."""
    parser = arguments(__doc__)
    parser.add_argument("--envs", type=int, default=16, help="walkers in each vector environment")
    chosen = parser.parse_args()
    rounds, seconds = (5, 2.0) if chosen.quick else (15, 6.0)
    actions = np.random.default_rng(0).uniform(-1, 1, (500, chosen.envs, 4)).astype(np.float32)
    envs = {name: make(chosen.envs) for name, make in MAKERS.items()}
    speeds: dict[str, list[tuple[float, float]]] = {name: [] for name in envs}
    for env in envs.values():
        env.reset(seed=0)
        speed(env, actions, seconds / 4)
    for turn in range(rounds):
        order = list(envs.items())
        for name, env in order[turn % len(order) :] + order[: turn % len(order)]:
            speeds[name].append(speed(env, actions, seconds))
    for env in envs.values():
        env.close()

    report = Report("walker_speed")
    wall, processor = ({name: [pair[i] for pair in pairs] for name, pairs in speeds.items()} for i in (0, 1))
    for name, measured in wall.items():
        report.add_row(f"{name}, {chosen.envs} walkers", statistics.median(measured), "steps/s", spread=_spread(measured))
    for name in (OURS, SYNC):
        median = statistics.median(processor[name])
        report.add_row(f"{name}, {chosen.envs} walkers", median, "steps/cpu-s", spread=_spread(processor[name]))
    _ratio(report, "aiga against SyncVectorEnv", wall[OURS], wall[SYNC], "> 1")
    _ratio(report, "aiga against SyncVectorEnv, processor time", processor[OURS], processor[SYNC], "> 1")
    _ratio(report, "aiga against AsyncVectorEnv", wall[OURS], wall[ASYNC])
    report.show(as_json=chosen.json)


def _ratio(report: Report, name: str, ours: list[float], theirs: list[float], goal: str | None = None) -> None:
    ratios = [mine / other for mine, other in zip(ours, theirs, strict=True)]
    median = statistics.median(ratios)
    report.add_row(name, median, "x", goal, median > 1 if goal else None, _spread(ratios))


def _spread(values: list[float]) -> tuple[float, float]:
    return min(values), max(values)


if __name__ == "__main__":
    main()
