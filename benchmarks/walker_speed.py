"""How fast does a walker live? The compiled simulator against Gymnasium's ``BipedalWalker-v3`` and EnvPool, policy included.

All run the same 16 walking policies, the shipped one slightly changed, a perceptron 24-40-40-4, one after another from the
start of an episode to its end, on Gymnasium's slightly uneven ground and on Hardcore. aiga computes the policy inside; the
others get actions from NumPy, one forward pass a step over their batch. All lay a new course for each episode, within the
time measured. Where aiga is used for search, thousands of lives share a course: rows ``shared courses`` lay 16 beforehand, and
compare with the steps of Gymnasium alone, resets apart. Figures are steps a second of one core: wall-clock time of one thread
would count busy neighbours, so processor time of the process is taken; ratios are taken round by round, rounds interleaved.
Two threads are measured in wall-clock time against one.

AVX2 code is measured with ``--avx2``, which makes Numba compile for a processor without AVX-512, in the same run's peers.
EnvPool is left out where it is not installed (``pip install envpool==1.2.5``).
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from report import Report, arguments

GYM, POOL, STEPS = "Gymnasium", "EnvPool", "Gymnasium, resets apart"
COURSES = {"flat": ("BipedalWalker", "BipedalWalker-v3"), "Hardcore": ("Hardcore", "BipedalWalkerHardcore-v3")}
# A Zen 3: AVX2 and FMA, no AVX-512.
AVX2 = {"NUMBA_CPU_NAME": "znver3", "NUMBA_CPU_FEATURES": ""}
POLICIES, NOISE = 16, 0.02


def policies(count: int) -> list[list[tuple[Any, Any]]]:
    """The shipped walker, each time a little changed: biases and weights of each layer."""
    import numpy as np
    from safetensors.numpy import load_file

    from aiga_walker.domain import AGENTS

    leaves, rng = load_file(AGENTS / "flat.safetensors"), np.random.default_rng(0)
    names = sorted(leaves)
    made = []
    for _ in range(count):
        changed = {n: (leaves[n] + NOISE * rng.standard_normal(leaves[n].shape)).astype(np.float32) for n in names}
        made.append([(changed[b], changed[w]) for b, w in zip(names[0::2], names[1::2], strict=True)])
    return made


def fused(course: str, lanes: int, lives: int, threads: int = 1, shared: bool = True) -> Callable[[], int]:
    """Lives of ours, on 16 courses laid beforehand or each on one that is laid for it; steps done in a call."""
    import numpy as np
    import torch

    from aiga import Dense
    from aiga_walker import courses
    from aiga_walker.fast import policies_of
    from aiga_walker.physics.engine import engine
    from aiga_walker.terrain import terrains

    simulator = engine(lanes)
    laid = simulator.ground(terrains(courses.named(course, 16)))
    layers = list(zip(*policies(POLICIES), strict=True))
    packed = policies_of(
        [Dense(*(torch.from_numpy(np.stack([p[i] for p in layer])) for i in (0, 1)), "tanh") for layer in layers]
    )
    pushes = np.random.default_rng(1).uniform(-5, 5, lives)
    seeds = np.random.default_rng(2)

    def fresh() -> Any:
        return terrains(courses.course_of(course).rows(torch.from_numpy(seeds.integers(2**62, size=lives))))

    def run() -> int:
        number = np.arange(lives)
        ground, which = (laid, number % 16) if shared else (simulator.ground(fresh()), number)
        done = simulator.rollout(ground, which, pushes, number % POLICIES, packed, 1600, threads=threads)
        return int(done.lengths.sum())

    return run


def thinking(count: int, first: int = 0) -> Callable[[Any], Any]:
    """The policies in NumPy: actions ``[count, 4]`` of observations ``[count, 24]``, row ``i`` by policy ``first + i``."""
    import numpy as np

    made = policies(POLICIES)
    layers = [
        tuple(np.stack([made[(first + i) % POLICIES][n][part] for i in range(count)]) for part in (0, 1)) for n in range(3)
    ]

    def act(x: Any) -> Any:
        for bias, weight in layers:
            x = np.tanh((x[:, None] @ weight)[:, 0] + bias)
        return x

    return act


class GymnasiumSteps:
    """One environment of Gymnasium's, episode after episode, policy after policy.

    Attributes:
        resets: processor seconds of all resets so far.
    """

    def __init__(self, name: str, steps: int) -> None:
        import gymnasium

        self.env, self.steps = gymnasium.make(name), steps
        self.acts = [thinking(1, first) for first in range(POLICIES)]
        self.resets, self._turn = 0.0, 0

    def _reset(self) -> Any:
        begin = time.process_time()
        seen, _ = self.env.reset()
        self.resets += time.process_time() - begin
        self._turn += 1
        return seen

    def __call__(self) -> int:
        """Steps done."""
        seen = self._reset()
        for _ in range(self.steps):
            act = self.acts[self._turn % POLICIES]
            seen, _, terminated, truncated, _ = self.env.step(act(seen[None])[0])
            if terminated or truncated:
                seen = self._reset()
        return self.steps


def pool_steps(name: str, steps: int) -> Callable[[], int] | None:
    """EnvPool with one thread and 16 environments; None where it is not installed."""
    try:
        import envpool
    except ImportError:
        return None
    count = 16
    env, act = envpool.make(name, env_type="gymnasium", num_envs=count, num_threads=1), thinking(count)
    seen = [env.reset()[0]]

    def run() -> int:
        for _ in range(steps // count):
            seen[0] = env.step(act(seen[0]))[0]
        return steps // count * count

    return run


def stepped(name: str, count: int, steps: int, **options: Any) -> Callable[[], int]:
    """A vector environment under random actions, the same for all."""
    import gymnasium
    import numpy as np

    import aiga_walker  # noqa: F401  registers the environments

    env = gymnasium.make_vec(name, num_envs=count, **options)
    actions = np.random.default_rng(0).uniform(-1, 1, (64, count, 4)).astype(np.float32)
    env.reset(seed=0)

    def run() -> int:
        for turn in range(steps // count):
            env.step(actions[turn % len(actions)])
        return steps // count * count

    return run


def vectors(report: Report, rounds: int, steps: int) -> None:
    """Gymnasium's interface on ours and on its own, without a policy; steps that only reset count on both sides."""
    for count in (16, 64, 256):
        ours = stepped("aiga/BipedalWalker-v3", count, 4 * steps, threads=1)
        own = stepped("BipedalWalker-v3", count, steps, vectorization_mode="sync")
        ours()
        gains = [per_second(ours, time.process_time) / per_second(own, time.process_time) for _ in range(rounds)]
        row(report, f"make_vec, {count} environments, against SyncVectorEnv", gains, "x")


def per_second(run: Callable[[], int], clock: Callable[[], float]) -> float:
    """Steps a second of ``clock``."""
    begin = clock()
    return run() / (clock() - begin)


def with_course(count: int) -> float:
    """KiB of the process for each of some walkers of a vector environment, begun and stepped once."""
    import gymnasium
    import numpy as np

    import aiga_walker  # noqa: F401  registers the environments

    def held() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def begun(count: int) -> Any:
        env = gymnasium.make_vec("aiga/BipedalWalkerHardcore-v3", num_envs=count)
        env.reset(seed=0)
        env.step(np.zeros((count, 4), np.float32))
        return env

    begun(8)
    before = held()
    env = begun(count)
    grown = (held() - before) / count / 1024
    env.close()
    return grown


def memory(report: Report, lanes: int, steps: int) -> None:
    """What a walker takes at rest, and by how much the process grows over many steps."""
    import resource

    from aiga_walker.physics.engine import engine

    each = engine(lanes).herd(64).bytes_each / 1024
    report.add_row("memory of a walker at rest, its course apart", each, "KiB", "< 4", each < 4)
    report.add_row("memory of a walker of make_vec, with a Hardcore course of its own", with_course(4096), "KiB")
    run, done = fused("BipedalWalker", lanes, 256, threads=2), 0
    run()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    while done < steps:
        done += run()
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    report.add_row(f"growth of the process over {done:,} steps", grown, "MiB", "< 1", grown < 1)


def main() -> None:
    """Measures and prints."""
    parser = arguments(__doc__)
    parser.add_argument("--avx2", action="store_true", help="compile for a processor without AVX-512")
    parser.add_argument("--memory", action="store_true", help="measure memory, over ten million steps, and nothing else")
    chosen = parser.parse_args()
    if chosen.avx2 and os.environ.get("NUMBA_CPU_NAME") != AVX2["NUMBA_CPU_NAME"]:
        # Numba reads these when it is imported.
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **AVX2})
    from aiga_walker.physics.engine import lanes_here

    lanes = 16 if chosen.avx2 else lanes_here()
    kind = "AVX2" if lanes == 16 else "AVX-512"
    rounds, lives, steps = (2, 192, 6000) if chosen.quick else (5, 256, 16000)
    report = Report("walker_speed")
    if chosen.memory:
        memory(report, lanes, 1_000_000 if chosen.quick else 10_000_000)
        report.show(as_json=chosen.json)
        return
    for course in COURSES:
        compare(report, course, kind, lanes, rounds, lives, steps)
    if not chosen.avx2:
        vectors(report, min(rounds, 3), steps // 2)
    if not chosen.avx2 and len(os.sched_getaffinity(0)) > 1:
        # At the end of a call one thread waits for the other's last lives: the more lives, the less that weighs.
        for many in (2 * lives, 6 * lives):
            one, two = fused("BipedalWalker", lanes, many), fused("BipedalWalker", lanes, many, threads=2)
            gains = []
            for _ in range(min(rounds, 3)):
                alone = per_second(one, time.perf_counter)
                gains.append(per_second(two, time.perf_counter) / alone)
            row(report, f"two threads against one, {many} lives a call, wall-clock time", gains, "x", 1.9)
    report.show(as_json=chosen.json)


def compare(report: Report, course: str, kind: str, lanes: int, rounds: int, lives: int, steps: int) -> None:
    """aiga, at its own number of lanes and at fewer, Gymnasium and EnvPool on one kind of course."""
    ours, name = COURSES[course]
    goals = {GYM: 14.0, POOL: 5.0} if kind == "AVX2" else {GYM: 20.0, POOL: 7.0}
    mine, alike = f"aiga, {lanes} lanes", f"aiga, {lanes} lanes, shared courses"
    peer = GymnasiumSteps(name, steps)
    runs: dict[str, Any] = {mine: fused(ours, lanes, lives, shared=False), alike: fused(ours, lanes, lives)}
    runs |= {f"aiga, {width} lanes, shared courses": fused(ours, width, lives) for width in (lanes // 2, 1)}
    runs |= {GYM: peer, POOL: pool_steps(name, steps)}
    runs = {label: run for label, run in runs.items() if run is not None}
    measured: dict[str, list[float]] = {label: [] for label in [*runs, STEPS]}
    for run in runs.values():
        run()
    for turn in range(rounds):
        order = list(runs)
        for label in order[turn % len(order) :] + order[: turn % len(order)]:
            begin, resets = time.process_time(), peer.resets
            done = runs[label]()
            spent = time.process_time() - begin
            measured[label].append(done / spent)
            if label == GYM:
                measured[STEPS].append(done / (spent - (peer.resets - resets)))
    for label, speeds in measured.items():
        row(report, f"{course}: {label}{f' ({kind})' if label.startswith('aiga') else ''}", speeds, "steps/cpu-s")
    for own, against, goal in ((mine, GYM, goals[GYM]), (alike, STEPS, goals[GYM]), (mine, POOL, goals[POOL])):
        if against in measured:
            ratios = [one / other for one, other in zip(measured[own], measured[against], strict=True)]
            row(report, f"{course}: {own} against {against}", ratios, "x", goal)


def row(report: Report, name: str, values: list[float], unit: str, goal: float | None = None) -> None:
    """Median and spread."""
    median = statistics.median(values)
    met = None if goal is None else median >= goal
    report.add_row(name, median, unit, None if goal is None else f">= {goal:g}", met, (min(values), max(values)))


if __name__ == "__main__":
    main()
