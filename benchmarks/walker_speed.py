"""How fast does a walker live? ``aiga/Walker-v0`` against Gymnasium's ``BipedalWalker-v3``, synchronous and asynchronous.

All three run the same walkers: as many of them, random actions from one seed, episodes restarted as they end, on Gymnasium's
own slightly uneven ground. One run measures all, rounds interleaved, so that what else the machine does meets all alike; the
ratios are taken round by round. Steps that only reset are not counted.
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

MAKERS: dict[str, Callable[[int], Any]] = {
    "aiga/Walker-v0": lambda count: gymnasium.make_vec("aiga/Walker-v0", num_envs=count, course="BipedalWalker"),
    "BipedalWalker-v3, SyncVectorEnv": lambda count: gymnasium.make_vec(
        "BipedalWalker-v3", num_envs=count, vectorization_mode="sync"
    ),
    "BipedalWalker-v3, AsyncVectorEnv": lambda count: gymnasium.make_vec(
        "BipedalWalker-v3", num_envs=count, vectorization_mode="async"
    ),
}


def speed(env: Any, actions: np.ndarray, seconds: float) -> float:
    """Walker steps a second of wall-clock time, over at least ``seconds``."""
    steps, turn, over = 0, 0, np.zeros(env.num_envs, bool)
    start = time.perf_counter()
    while (spent := time.perf_counter() - start) < seconds:
        _, _, terminated, truncated, _ = env.step(actions[turn % len(actions)])
        # A walker whose episode ended in the last step was reset in this one.
        steps += int((~over).sum())
        over = terminated | truncated
        turn += 1
    return steps / spent


def main() -> None:
    """Measures and prints."""
    parser = arguments(__doc__)
    parser.add_argument("--envs", type=int, default=16, help="walkers in each vector environment")
    chosen = parser.parse_args()
    rounds, seconds = (5, 2.0) if chosen.quick else (15, 6.0)
    actions = np.random.default_rng(0).uniform(-1, 1, (500, chosen.envs, 4)).astype(np.float32)
    envs = {name: make(chosen.envs) for name, make in MAKERS.items()}
    speeds: dict[str, list[float]] = {name: [] for name in envs}
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
    for name, measured in speeds.items():
        report.add_row(f"{name}, {chosen.envs} walkers", statistics.median(measured), "steps/s", spread=_spread(measured))
    ours = speeds["aiga/Walker-v0"]
    for name, measured in list(speeds.items())[1:]:
        ratios = [mine / theirs for mine, theirs in zip(ours, measured, strict=True)]
        ratio = statistics.median(ratios)
        synchronous = "Sync" in name
        goal, met = ("> 1", ratio > 1) if synchronous else (None, None)
        report.add_row(f"aiga against {name.split(', ')[1]}", ratio, "x", goal, met, _spread(ratios))
    report.show(as_json=chosen.json)


def _spread(values: list[float]) -> tuple[float, float]:
    return min(values), max(values)


if __name__ == "__main__":
    main()
