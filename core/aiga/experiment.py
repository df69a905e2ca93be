"""A run from configuration to end: the Python face of aiga."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiga import config as configs
from aiga import discovery, keeping
from aiga.complaints import Complaints
from aiga.config import Config, ConfigError
from aiga.engine import Engine, Watcher
from aiga.errors import AigaError, InputError, PluginError
from aiga.founding import check_initial_agent, check_networks, check_redraw
from aiga.hooks import Plan
from aiga.host import Host
from aiga.machine import choose_device, cores, machine
from aiga.meter import Meter
from aiga.registry import Components
from aiga.resuming import check_fixed, check_overrides, check_paths, fixed, paths, plugin_changes
from aiga.rundir import RunDirectory
from aiga.runs import Run
from aiga.stop import Stop

if TYPE_CHECKING:
    from aiga.engine import Progress
    from aiga.hooks import Plugin

__all__ = ["Assembled", "Run", "assemble", "open", "prepare", "resume", "run"]


class Silent:
    """A watcher that says nothing."""

    def iteration(self, progress: Progress) -> None:
        """Nothing."""

    def message(self, text: str) -> None:
        """Nothing."""


@dataclass(frozen=True)
class Assembled:
    """What a configuration stands for: its plugins and their components, everything checked.

    Attributes:
        config: every plugin in call order, every option with its value.
        lock: what exactly each plugin is.
        device: where agents' parameters live.
    """

    config: Config
    sources: list[discovery.PluginSource]
    plugins: list[Plugin]
    components: Components
    device: str

    @property
    def lock(self) -> str:
        """JSON: origin, versions and hashes of every plugin."""
        return keeping.lock_text(self.sources, self.plugins)

    @property
    def paths(self) -> dict[str, str]:
        """By which way the domain lives with each network, where it has several."""
        return paths(self.components, self.config.population)

    def prepare(self, watcher: Watcher) -> None:
        """Lets the domain do what takes long before the first lifetime."""
        domain = self.components.get("domain", self.config.population.domain)
        if hasattr(domain, "prepare"):
            domain.prepare(watcher.message)


def assemble(config: Config) -> Assembled:
    """Finds, loads, registers and checks everything that ``config`` names; writes nothing.

    Raises:
        InputError: with every mistake found.
    """
    return _assemble(config, Complaints(config.source))


def prepare(config: Path | str | Mapping[str, Any] | Config, overrides: Sequence[str] = ()) -> tuple[Config, Assembled]:
    """The configuration of a run that is to start, and what it stands for, everything checked; writes nothing.

    Raises:
        InputError: with every mistake found, from the first table to the last component.
    """
    try:
        given = _config(config, overrides)
        complaints = Complaints(given.source)
    except ConfigError as error:
        if not isinstance(error.rest, Config):
            raise
        given, complaints = error.rest, error.complaints
    return given, _assemble(given, complaints, new=True)


def _assemble(config: Config, complaints: Complaints, new: bool = False) -> Assembled:
    """What ``config`` stands for; ``new`` if a run is to start from it.

    Raises:
        InputError: with what ``complaints`` holds and every further mistake.
    """
    found = discovery.gather(config, complaints)
    components, population = found.components, config.population
    domain = components.all("domain").get(population.domain)
    if domain is not None:
        with complaints.collecting(("population", "redraw")):
            check_redraw(components, population)
    if new and domain is not None and set(population.networks) <= set(components.names("network")):
        with complaints.collecting(("population", "networks")):
            check_networks(components, population)
        with complaints.collecting(("population", "initial_agent")):
            check_initial_agent(components, population, config.base)
    if new:
        discovery.check_shadows(config, complaints)
    with complaints.collecting():
        Host(found.plugins, Meter())  # complains of hooks that there are not
    device = ""
    with complaints.collecting(("run", "device")):
        device = choose_device(config.run.device, getattr(domain, "parallelism", ""))
    if new and domain is not None and hasattr(domain, "check"):
        with complaints.collecting(("population", "domain")):
            domain.check()
    complaints.check()
    if new:
        _check_plugins(config, found)
    executor = components.get("executor", config.run.executor)
    workers = cores() if config.run.workers == "auto" else config.run.workers
    if hasattr(executor, "configure"):
        executor.configure(workers=workers, device=device)
    if domain is not None and hasattr(domain, "configure"):
        domain.configure(threads=max(1, workers))
    return Assembled(discovery.resolve(config, found.sources, found.plugins), found.sources, found.plugins, components, device)


def _check_plugins(config: Config, found: discovery.Gathered) -> None:
    """Lets the optimiser and every plugin say what they lack, now that all components are there.

    Raises:
        InputError: with every mistake found.
    """
    components, population, slots = found.components, config.population, config.slots
    domain, complaints = components.get("domain", population.domain), Complaints(config.source)
    networks = {name: components.get("network", name) for name in population.networks}
    owners = {"select": slots.select, "improve": slots.improve}
    plan = Plan(domain, networks, population.niches, owners, components.get)
    optimiser: Any = components.all("optimiser").get(slots.improve)
    asked = [(plugin.name, partial(plugin.check, plan)) for plugin in found.plugins if hasattr(plugin, "check")]
    if hasattr(optimiser, "check"):
        asked.append((components.owner("optimiser", slots.improve), partial(optimiser.check, domain)))
    for name, check in asked:
        with complaints.collecting():
            try:
                check()
            except AigaError:
                raise
            except Exception as error:
                raise PluginError(f"plugin {name!r} raised in check: {type(error).__name__}: {error}") from error
    complaints.check()


def run(
    config: Path | str | Mapping[str, Any] | Config,
    *,
    name: str | None = None,
    runs: Path | str = "runs",
    overrides: Sequence[str] = (),
    watcher: Watcher | None = None,
) -> Run:
    """Starts a run and carries it to its end.

    Args:
        config: a ``plugins.toml``, or what one holds as a dict.
        name: of the run's folder; without one the domain's name and the next free number.
        runs: the folder of runs.
        overrides: such as ``"run.seed=3"``, for files and dicts.
        watcher: is told of every iteration.

    Returns:
        The finished run.

    Raises:
        InputError: for every mistake in ``config``, and for a name that is taken; nothing is written then.
        AigaError: if the run fails; what was saved stays readable.
    """
    given, made = prepare(config, overrides)
    name = free_name(Path(runs), given.population.domain) if name is None else name
    folder = RunDirectory.create(Path(runs), name, files(given, made))
    with folder.lock():
        engine = Engine(made.config, folder, made.plugins, made.components, watcher or Silent(), made.device)
        stop = _stop(made.config)
        with stop.listening(), engine.running():
            made.prepare(engine.watcher)
            stop.restart()
            engine.journal.operation(
                "start", {**machine(), "device": made.device, "search": fixed(made.config), "paths": made.paths}
            )
            engine.found(stop)
            engine.loop(stop)
    return Run(folder)


def files(given: Config, made: Assembled) -> dict[str, str | bytes]:
    """What the folder of a new run holds, by relative path; see :func:`aiga.keeping.files`."""
    return keeping.files(given, made.sources, made.plugins, made.components)


def resume(
    path: Path | str,
    *,
    minutes: float | None = None,
    overrides: Sequence[str] = (),
    watcher: Watcher | None = None,
) -> Run:
    """Goes on with a run where its newest checkpoint that verifies left it.

    Args:
        path: of the run's folder.
        minutes: how long this stretch may last; without it, what the run's configuration says.
        overrides: of ``run.*`` and plugins' ``on_error``: where and how long it runs, never what it searches.
        watcher: is told of every iteration.

    Raises:
        InputError: if there is no run, it is locked, or an override would change the search.
    """
    folder = _run_directory(path)
    config = configs.load(folder.path / "run.toml", overrides)
    check_overrides(config)
    with folder.lock():
        starts = Run(folder).operations("start")
        check_fixed(starts["search"].iloc[0] if "search" in starts and len(starts) else None, config)
        made = assemble(config)
        check_paths(starts["paths"].iloc[0] if "paths" in starts and len(starts) else None, made.paths, config)
        engine = Engine(made.config, folder, made.plugins, made.components, watcher or Silent(), made.device)
        stop = _stop(config, minutes)
        with stop.listening(), engine.running():
            made.prepare(engine.watcher)
            stop.restart()
            changes = {"from": engine.restore(stop), "overrides": list(overrides), "device": made.device}
            engine.watcher.message(f"goes on after iteration {changes['from']}")
            for change in plugin_changes(folder.path / "plugins.lock", made.lock):
                engine.watcher.message(change)
                engine.journal.operation("plugins", {"text": change})
            engine.journal.operation("resume", {**machine(), **changes})
            engine.loop(stop)
    return Run(folder)


def open(path: Path | str) -> Run:
    """A run as it lies on disk, running or not.

    Raises:
        InputError: if it is no run directory, or one of a newer aiga.
    """
    return Run(_run_directory(path))


def _run_directory(path: Path | str) -> RunDirectory:
    folder = RunDirectory.open(Path(path))
    if folder.training:
        remedy = "Open it with aiga.training.open, go on with it by aiga.training.resume or `aiga resume`"
        raise InputError(f"{folder.path}: a training, not a run. {remedy}.")
    return folder


def _config(config: Path | str | Mapping[str, Any] | Config, overrides: Sequence[str]) -> Config:
    if isinstance(config, Config):
        return config
    if isinstance(config, Mapping):
        return configs.from_dict(config, overrides=overrides)
    return configs.load(Path(config), overrides)


def _stop(config: Config, minutes: float | None = None) -> Stop:
    limits = config.run.stop
    chosen = limits.minutes if minutes is None else minutes
    return Stop(
        seconds=None if chosen is None else chosen * 60,
        iterations=limits.iterations,
        evaluations=limits.evaluations,
        grace=config.run.grace.seconds,
    )


def free_name(runs: Path, stem: str) -> str:
    """``stem-1``, or the first number that no run has."""
    number = 1
    while (runs / f"{stem}-{number}").exists():
        number += 1
    return f"{stem}-{number}"
