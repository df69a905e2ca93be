"""Where does an iteration's time go? Seconds by part of the platform; and hook calls at 4 niches and at 400.

The run is the default experiment, ``plugins.toml``, a number of iterations long after one that warms up (imports, worker
processes). It runs twice: in one process (``workers = 0``), where lives can be timed from outside and the executor's time
splits into executor, domain and network; and with the default's worker processes, where all that happens in a worker is the
executor's, and the core's share is what a user pays.

Every second is counted once, in the innermost part that was at work (:meth:`aiga.meter.Meter.timed`): a screen's seconds are
without the lives it asked for, a domain's without the network's. The meter of a run times hooks, components' calls from the
loop, journal and checkpoints; this benchmark adds clocks of the same meter round the lab, the host, the state that the engine
keeps to be able to give an iteration up, and every method of the domain and the network. What is left of the wall-clock time,
the engine's own steps between all these, counts as the loop's. One checkpoint at the end is in the figures, and so is the cost
of the clocks.

The second part runs POET and ES on the toy domain ``points``, where only the number of niches differs, and compares calls by
iteration: hooks, screens, loggers, the optimiser and the lab. An event is told only when something happened, so iterations are
compared in which the same types of event did.

    python benchmarks/loop_overhead.py --iterations 15
"""

from __future__ import annotations

import statistics
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from pathlib import Path
from typing import Any
from unittest.mock import patch

from report import Report, arguments

import aiga
from aiga import config as configs
from aiga.engine import Engine
from aiga.experiment import Silent, assemble
from aiga.host import Host
from aiga.lab import RunLab
from aiga.meter import Meter
from aiga.rundir import RunDirectory
from aiga.stop import Stop
from aiga.testing import points

GOAL = 2.0  # percent of an iteration that the core may take
DEFAULT = Path(__file__).resolve().parents[1] / "plugins.toml"
HOST = ("each", "first", "isolated", "owner", "wrapped", "guard")
LAB = ("evaluate", "improve", "remember", "render")
DOMAIN = ("initial", "mutate", "describe", "distance", "live")
NETWORK = ("newborn", "step")
Place = tuple[str, str]  # plugin, what

POINTS: dict[str, Any] = {
    "api": 1,
    "run": {"checkpoint_every": 1000, "episodes": 2},
    "population": {"domain": "points", "networks": ["mlp"]},
    "slots": {"select": "poet", "improve": "es"},
    "plugins": {
        "points": {"path": points.__file__},
        "mlp": {"options": {"hidden": [], "init_scale": 0.0}},
        "es": {"options": {"population": 2, "sigma": 0.01, "lr": 0.0001}},
        "tensorboard": {"options": {"pictures": False, "niches": 0}},
        "poet": {"options": {"reproduce_every": 2, "transfer_every": 3, "children": 8, "admit": 1, "episodes": 1}},
    },
}


class Waiting(Silent):
    """A watcher that notes, after every iteration, which types of event there were and what had been called until then."""

    def __init__(self) -> None:
        self.meter = Meter()
        self.iterations: list[tuple[frozenset[str], Counter[Place]]] = []
        self._before: Counter[Place] = Counter()

    def follow(self, meter: Meter) -> None:
        """From here on counts the calls of ``meter``."""
        self.meter, self.iterations, self._before = meter, [], Counter(meter.calls())

    def iteration(self, progress: aiga.Progress) -> None:
        """Adds the iteration."""
        calls = Counter(self.meter.calls())
        made = Counter({place: calls[place] - self._before[place] for place in calls if calls[place] > self._before[place]})
        self.iterations.append((frozenset(event.type for event in progress.events), made))
        self._before = calls


@contextmanager
def clocks(engine: Engine, lives: bool) -> Iterator[None]:
    """Clocks of the engine's meter round the host, the lab and the kept state; with ``lives`` round domain and network too."""
    meter, components, population = engine.meter, engine.components, engine.config.population
    with ExitStack() as stack:
        for owner, names, what in ((Host, HOST, "host"), (RunLab, LAB, "lab"), (Engine, ("tree",), "state")):
            for name in names:
                stack.enter_context(patch.object(owner, name, timed(getattr(owner, name), meter, ("core", what))))
        if lives:
            domain = components.get("domain", population.domain)
            plugin = components.owner("domain", population.domain)
            for name in DOMAIN:
                stack.enter_context(patch.object(domain, name, timed(getattr(domain, name), meter, (plugin, f"domain.{name}"))))
            stack.enter_context(patch.object(domain, "live", padded(domain.live, meter, engine.w.executor_plugin)))
            for network_name in population.networks:
                network = components.get("network", network_name)
                plugin = components.owner("network", network_name)
                for name in NETWORK:
                    clock = timed(getattr(network, name), meter, (plugin, f"network.{name}"))
                    stack.enter_context(patch.object(network, name, clock))
        yield


def timed(function: Callable[..., Any], meter: Meter, place: Place) -> Callable[..., Any]:
    """``function``, timed by ``meter`` at ``place``."""

    @wraps(function)
    def call(*given: Any, **named: Any) -> Any:
        with meter.timed(*place):
            return function(*given, **named)

    return call


def padded(live: Callable[..., Any], meter: Meter, executor: str) -> Callable[..., Any]:
    """A domain's ``live`` in which what the executor wraps round a network is the executor's time."""

    @wraps(live)
    def call(pairs: Any, network: Any, *given: Any, **named: Any) -> Any:
        for name in NETWORK:
            setattr(network, name, timed(getattr(network, name), meter, (executor, "padding")))
        return live(pairs, network, *given, **named)

    return call


class Stretch:
    """A run of so many iterations after the first, timed.

    Attributes:
        seconds: wall-clock time of the iterations, founding and the first left out.
        by: exclusive seconds by (plugin, what) in that time.
        calls: types of event, and calls by (plugin, what), of every iteration.
        work: counted work of the run: (plugin, purpose, kind, amount).
        plugins: roles and the plugins that have them.
    """

    def __init__(self, config: dict[str, Any], iterations: int, lives: bool, folder: Path) -> None:
        made = assemble(configs.from_dict(config))
        directory = RunDirectory.create(folder, f"run-{time.monotonic_ns()}", {"run.toml": made.config.to_toml()})
        watcher = Waiting()
        with directory.lock():
            engine = Engine(made.config, directory, made.plugins, made.components, watcher, made.device)
            with engine.running(), clocks(engine, lives):
                engine.found()
                engine.step()
                watcher.follow(engine.meter)
                before, start = engine.meter.seconds(), time.perf_counter()
                engine.loop(Stop(seconds=None, iterations=iterations + 1, evaluations=None, grace=60.0))
                self.seconds = time.perf_counter() - start
                after = engine.meter.seconds()
        self.by = {place: seconds - before.get(place, 0.0) for place, seconds in after.items()}
        self.calls, self.work, w = watcher.iterations, list(engine.meter.rows()), engine.w
        self.plugins = {"optimiser": w.optimiser_plugin, "executor": w.executor_plugin}
        self.screens = {(plugin, name) for plugin, name, _ in made.components.screens()}

    def part(self, place: Place) -> str:
        """The row of the report that ``place`` belongs to."""
        plugin, what = place
        if plugin == "core":
            return f"core: {what}"
        if what.startswith("domain."):
            return "domain"
        if what.startswith("network."):
            return "network"
        if place in self.screens:
            return "screens"
        if plugin == self.plugins["executor"]:
            return "executor"
        if plugin == self.plugins["optimiser"]:
            return "optimiser"
        return f"{plugin}'s other hooks"

    def parts(self) -> dict[str, float]:
        """Seconds by part, which add up to ``seconds``; the rest of the wall-clock time is the loop's."""
        out: Counter[str] = Counter()
        for place, seconds in self.by.items():
            out[self.part(place)] += seconds  # type: ignore[assignment]
        out["core: loop"] += self.seconds - sum(self.by.values())  # type: ignore[assignment]
        return dict(out)


def shares(report: Report, title: str, stretch: Stretch, iterations: int) -> None:
    """Rows of every part's share of an iteration, the core's together first."""
    parts = stretch.parts()
    core = 100 * sum(seconds for part, seconds in parts.items() if part.startswith("core")) / stretch.seconds
    report.add_row(f"{title}: an iteration", stretch.seconds / iterations, "s")
    report.add_row(f"{title}: loop + host + lab + journal + checkpoint", core, "%", f"< {GOAL:g}", core < GOAL)
    for part, seconds in sorted(parts.items(), key=lambda item: (not item[0].startswith("core"), -item[1])):
        report.add_row(f"{title}:   {part}", 100 * seconds / stretch.seconds, "%")


def work(report: Report, stretch: Stretch) -> None:
    """Rows of who asked for the environment steps, in which nearly all the time goes."""
    steps: Counter[str] = Counter()
    for plugin, purpose, kind, amount in stretch.work:
        if kind == "environment_steps":
            steps[f"{plugin}, {'improve' if 'improve/' in purpose else purpose}"] += amount
    for name, amount in steps.most_common():
        report.add_row(f"environment steps asked for by {name}", 100 * amount / steps.total(), "%")


def at_niches(niches: int, iterations: int, folder: Path) -> Stretch:
    """POET and ES on ``points`` with so many niches, at capacity from the start."""
    poet = {"options": {**POINTS["plugins"]["poet"]["options"], "capacity": niches}}
    config = {
        **POINTS,
        "population": {**POINTS["population"], "niches": niches},
        "plugins": {**POINTS["plugins"], "poet": poet},
    }
    return Stretch(config, iterations, False, folder)


def hook_calls(stretch: Stretch) -> list[tuple[frozenset[str], Counter[Place]]]:
    """Calls of plugins and of the lab by iteration: all but the core's own clocks."""
    ours = {("core", what) for what in ("host", "state", "loop", "journal", "checkpoint")}
    return [(types, Counter({p: n for p, n in calls.items() if p not in ours})) for types, calls in stretch.calls]


def compare(report: Report, few: int, many: int, iterations: int, folder: Path) -> None:
    """Rows of the calls at ``few`` and at ``many`` niches, in iterations with the same types of event."""
    small, large = (at_niches(niches, iterations, folder) for niches in (few, many))
    alike = [
        (left, right)
        for (types, left), (others, right) in zip(hook_calls(small), hook_calls(large), strict=True)
        if types == others
    ]
    print(f"the same types of event in {len(alike)} of {iterations} iterations")
    totals = [(left.total(), right.total()) for left, right in alike]
    for niches, column in ((few, 0), (many, 1)):
        calls = [pair[column] for pair in totals]
        spread = (min(calls), max(calls)) if calls else None
        report.add_row(f"calls an iteration at {niches} niches", statistics.mean(calls) if calls else 0.0, "", spread=spread)
    unlike = sum(left != right for left, right in alike)
    report.add_row("iterations compared", len(alike), "", "> 0", bool(alike))
    report.add_row("of them with other calls of any hook", unlike, "", "0", bool(alike) and unlike == 0)
    for left, right in alike:
        for place in sorted(set(left) | set(right)):
            if left[place] != right[place]:
                print(f"  {place[0]}, {place[1]}: {left[place]} calls at {few} niches, {right[place]} at {many}")
    for niches, stretch in ((few, small), (many, large)):
        report.add_row(f"an iteration of points at {niches} niches", stretch.seconds / iterations, "s")


def main() -> None:
    """Both parts."""
    parser = arguments(__doc__)
    parser.add_argument("--iterations", type=int, default=15, help="of each run of the default experiment")
    parser.add_argument("--config", type=Path, default=DEFAULT, help="what to run")
    given = parser.parse_args()
    iterations, calls = (3, 6) if given.quick else (given.iterations, 12)
    config = tomllib.loads(given.config.read_text())
    report = Report("loop_overhead")
    with tempfile.TemporaryDirectory() as temporary:
        here = {**config, "run": {**config["run"], "workers": 0}}
        alone = Stretch(here, iterations, True, Path(temporary))
        shares(report, "one process", alone, iterations)
        work(report, alone)
        shares(report, "workers as in the default", Stretch(config, iterations, False, Path(temporary)), iterations)
        compare(report, 4, 400, calls, Path(temporary))
    report.show(given.json)


if __name__ == "__main__":
    main()
