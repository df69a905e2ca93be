"""Carries a run from its state to its end: iterations, commits, checkpoints, stops."""

from __future__ import annotations

import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Protocol

from aiga import checkpoint, codec
from aiga.answers import check_metrics
from aiga.archive import StoneArchive
from aiga.config import Config
from aiga.crossing import onto
from aiga.data import Event
from aiga.errors import Abandoned, AigaError, InputError
from aiga.founding import found
from aiga.hooks import Plugin
from aiga.host import Host
from aiga.journal import Journal
from aiga.lab import Workspace
from aiga.loop import Rules, iterate
from aiga.meter import Meter
from aiga.niches import Niches
from aiga.registry import Components
from aiga.rundir import RunDirectory
from aiga.standings import Standings
from aiga.stones import Stones
from aiga.stop import Stop

_NEVER = -1  # the founding is saved as iteration 0


@dataclass(frozen=True)
class Progress:
    """What a person following the run sees of one iteration."""

    iteration: int
    events: tuple[Event, ...]
    scores: tuple[float, ...]
    environments: tuple[int, ...]
    metrics: Mapping[str, float]
    seconds: float
    steps_per_second: float
    next_checkpoint: float | None
    stretch_seconds: float


class Watcher(Protocol):
    """Follows a run: the command line's display, or nobody."""

    def iteration(self, progress: Progress) -> None:
        """Called after every committed iteration."""
        ...

    def message(self, text: str) -> None:
        """Called with everything a person should know."""
        ...


@dataclass
class Engine:
    """A run in this process.

    Attributes:
        config: what was resolved when the run was made, with what ``resume`` may change.
        folder: the run directory, locked by this process.
        plugins: in call order, with their options.
        components: what they registered.
    """

    config: Config
    folder: RunDirectory
    plugins: list[Plugin]
    components: Components
    watcher: Watcher
    device: str = "cpu"
    _saved_at: int = _NEVER
    _steps: int = 0
    _begun: float = field(default_factory=time.monotonic)
    _last_checkpoint: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        config = self.config
        self.meter = Meter()
        self.journal = Journal(self.folder.journal_path)
        self.stones = Stones(self.folder.stones, self.journal)
        improver = config.slots.improve
        optimiser_plugin = "" if improver == "none" else self.components.owner("optimiser", improver)
        parts = [("domain", config.population.domain), ("executor", config.run.executor)]
        parts += [("network", name) for name in config.population.networks]
        holders = {self.components.owner(kind, name) for kind, name in parts}
        owners = frozenset({config.slots.select, optimiser_plugin} | holders)
        on_error = {name: table.on_error for name, table in config.plugins.items()}
        host = Host(self.plugins, self.meter, owners, on_error)
        self.w = Workspace(
            seed=config.run.seed,
            host=host,
            meter=self.meter,
            registry=self.components,
            executor=self.components.get("executor", config.run.executor),
            archive=StoneArchive(self.stones),
            domain=self.components.get("domain", config.population.domain),
            domain_name=config.population.domain,
            optimiser_name=improver,
            optimiser_plugin=optimiser_plugin,
            path=self.folder.path,
            executor_plugin=self.components.owner("executor", config.run.executor),
            device=self.device,
            redraw=config.population.redraw,
            selector=config.slots.select,
        )
        self.standings = Standings(self.w, self.journal)
        self.rules = Rules(config.slots.select, config.run.episodes, config.run.confirmations, config.run.audit)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Lets go of everything after its body; where that fails, log and journal say so first."""
        try:
            yield
        except Exception as error:
            self._report(error)
            raise
        finally:
            self.close()

    def found(self, stop: Stop | None = None) -> None:
        """Settles the first niches, commits them as iteration 0 and saves the first checkpoint.

        Where ``stop`` gives it up nothing is settled: :meth:`loop` then ends at once, and a resume founds anew.
        """
        try:
            with self._heeding(stop):
                found(self.w, self.config.population, self.config.base, self.device, self.rules.episodes)
        except Abandoned:
            self.stones.discard()
            self.watcher.message("the founding is given up: its time was up; a resume begins with it")
            self.journal.operation("abandoned", {}, 0)
            return
        self._commit(time.perf_counter())
        self.save()

    @contextmanager
    def _heeding(self, stop: Stop | None) -> Iterator[None]:
        """Lets ``stop`` leave its body at any moment, and the executor know when."""
        if stop is None:
            yield
            return
        if hasattr(self.w.executor, "interrupted"):
            self.w.executor.interrupted = lambda: stop.abandoned
        with stop.abandonable():
            yield

    def restore(self, stop: Stop | None = None) -> int:
        """Goes back to the newest checkpoint that verifies, and drops what lies past it. Returns its iteration.

        Where the founding was not saved yet it founds again, which ``stop`` may give up.

        Raises:
            InputError: if no checkpoint verifies.
        """
        newest, complaints = checkpoint.newest(self.folder.checkpoints)
        last = self.journal.iteration
        if newest is None and last is not None and last > 0:
            complaints = complaints or [f"{self.folder.checkpoints}: empty, though the journal goes to iteration {last}"]
        if newest is not None and (last is None or last < newest.iteration):
            raise InputError(
                f"{self.folder.journal_path}: ends at iteration {last}, before the checkpoint of iteration {newest.iteration}; "
                "the two are not of one time. Restore both from one copy of the run"
            )
        for complaint in complaints:
            self.watcher.message(complaint)
            self.journal.operation("complaint", {"text": complaint})
        if newest is None and complaints:
            raise InputError(
                f"{self.folder.path}: no checkpoint verifies, so there is nothing to resume from. Restore it from a copy"
            )
        if newest is None:
            # Killed before the founding was saved: nothing is lost by founding again.
            self.journal.truncate(-1)
            self.stones.truncate(-1)
            self.found(stop)
            return self.w.iteration
        if last is not None and last > newest.iteration:
            again = f"iterations {newest.iteration + 1} to {last}" if last > newest.iteration + 1 else f"iteration {last}"
            self.watcher.message(f"the newest checkpoint is of iteration {newest.iteration}: {again} will be done again")
        checkpoint.truncate(self.folder.checkpoints, newest.iteration)
        self.journal.truncate(newest.iteration)
        self.stones.truncate(newest.iteration)
        for complaint in self.stones.losses():
            self.watcher.message(complaint)
            self.journal.operation("complaint", {"text": complaint})
        self._load(newest.tree)
        self._saved_at = newest.iteration
        return newest.iteration

    def loop(self, stop: Stop) -> str:
        """Iterates until ``stop`` says so, saves, and returns why it stopped."""
        if self._saved_at != _NEVER:  # else its founding was given up
            for type, data in self.standings.begin():
                self.journal.operation(type, data, self.w.iteration)
        while (reason := stop.due(self.w.iteration, self.meter.total("episodes"))) is None:
            begun, start = time.perf_counter(), self.tree()
            try:
                with self._heeding(stop):
                    metrics = self._advance()
            except Abandoned:
                self._abandon(start)
                continue
            self._commit(begun, metrics)
            if self._checkpoint_due():
                self.save()
        if self._saved_at not in (_NEVER, self.w.iteration):
            self.save()
        self.journal.operation("stop", {"reason": reason}, self.w.iteration)
        return reason

    def step(self) -> None:
        """One iteration, committed."""
        begun = time.perf_counter()
        self._commit(begun, self._advance())

    def close(self) -> None:
        """Ends workers and closes the journal; what a plugin raises at that goes to the log, the run being over."""
        for component in (self.w.executor, *self.components.all("logger").values()):
            try:
                component.close()
            except Exception as error:
                self.folder.log("".join(traceback.format_exception(error)))
        self.journal.close()

    def tree(self) -> dict[str, Any]:
        """The whole state of the search, so that nothing that follows changes it; a disabled plugin has none."""
        w, plugins = self.w, {}
        for plugin in self.plugins:
            if plugin.name in w.host.disabled:
                continue
            # Its tensors are copied, its lists and dicts made anew; guarded, since it may be something that cannot be saved.
            state = w.host.guard(plugin.name, "state_dict", partial(_copied, plugin))
            if state is not None:
                plugins[plugin.name] = {"version": plugin.state_version, "state": state}
        search = {
            "iteration": w.iteration,
            "next_id": w.next_id,
            "niches": w.niches,
            "archive": w.archive.state_dict(),
            "meter": self.meter.state_dict(),
            "disabled": sorted(w.host.disabled),
        }
        return {"search": search, "plugins": plugins}

    def save(self) -> None:
        """Writes a checkpoint of the last completed iteration."""
        with self.meter.timed("core", "checkpoint"):
            checkpoint.save(self.folder.checkpoints, self.w.iteration, self.tree())
            for type, data in [*self.standings.news(words=True), *self._failures(), ("checkpoint", {})]:
                self.journal.operation(type, data, self.w.iteration)
        self._last_checkpoint = time.monotonic()
        self._saved_at = self.w.iteration

    def _load(self, tree: dict[str, Any]) -> None:
        w, search = self.w, tree["search"]
        w.iteration, w.next_id = search["iteration"], search["next_id"]
        w.host.iteration, w.events = w.iteration, []
        w.niches = _to(search["niches"], self.device)
        w.archive.load_state_dict(search["archive"])
        self.meter.load_state_dict(search["meter"])
        w.host.disabled.clear()
        w.host.disabled.update(search["disabled"])
        for plugin in self.plugins:
            if plugin.name in tree["plugins"]:
                kept = tree["plugins"][plugin.name]
                state, version = kept["state"], kept["version"]
                w.host.guard(plugin.name, "load_state_dict", lambda p=plugin, s=state, v=version: p.load_state_dict(s, v))  # type: ignore[misc]
        self._steps = self.meter.total("environment_steps")

    def _abandon(self, start: dict[str, Any]) -> None:
        abandoned = self.w.iteration
        self.stones.discard()
        self.w.failed.clear()
        self.w.host.failures.clear()  # of calls that will be made again
        self._load(start)
        self.watcher.message(f"iteration {abandoned} is given up: its time was up; the run is kept as it was before")
        self.journal.operation("abandoned", {}, abandoned)

    def _commit(self, begun: float, metrics: Mapping[str, float] | None = None) -> None:
        w = self.w
        with self.meter.timed("core", "journal"):
            operations: list[tuple[str, Mapping[str, Any]]] = [("times", {"seconds": round(time.perf_counter() - begun, 6)})]
            operations += [*self._losses(), *self.standings.news(), *self._failures()]
            self.journal.commit(w.iteration, list(_rows(w.events)), operations=operations, stones=self.stones.write())
        if metrics is not None:
            self.watcher.iteration(self._progress(begun, metrics))

    def _losses(self) -> list[tuple[str, Mapping[str, Any]]]:
        """Workers that were replaced, memory that ran out and pairs that failed, as operations; told to the user too."""
        operations: list[tuple[str, Mapping[str, Any]]] = []
        for loss in _drained(self.w.executor):
            what = str(loss.pop("what", "worker"))
            self.watcher.message(f"iteration {self.w.iteration}: {what}: {loss.get('reason', loss)}")
            operations.append((what, loss))
        for reason, count in sorted(self.w.failed.items()):
            self.watcher.message(f"iteration {self.w.iteration}: {count} pairs failed: {reason}")
            operations.append(("failed", {"pairs": count, "reason": reason}))
        self.w.failed.clear()
        return operations

    def _failures(self) -> list[tuple[str, Mapping[str, Any]]]:
        """What plugins raised since last asked, as operations; told to the user and to the log too."""
        operations: list[tuple[str, Mapping[str, Any]]] = []
        for failure in self.w.host.failures:
            where = f"plugin {failure.plugin!r} raised in {failure.hook}, iteration {failure.iteration}"
            text = f"{where}, and {'is disabled from here on' if failure.disabled else 'ends the run'}: {failure.error!r}"
            self.watcher.message(text)
            self.folder.log("".join(traceback.format_exception(failure.error)))
            operations.append(("plugin", {"plugin": failure.plugin, "hook": failure.hook, "text": text}))
        self.w.host.failures.clear()
        return operations

    def _advance(self) -> dict[str, float]:
        with self.meter.timed("core", "loop"):
            iterate(self.w, self.rules)
            return self._metrics()

    def _metrics(self) -> dict[str, float]:
        w = self.w
        collected: dict[str, float] = {}
        for name, metrics in w.host.isolated("metrics", w.lab, check_metrics):
            collected |= {f"{name}/{key}": float(value) for key, value in metrics.items()}
        for entry in self.components.entries("logger"):
            if entry.plugin not in w.host.disabled:
                w.host.guard(entry.plugin, "log", partial(entry.component.log, w.lab(entry.plugin), collected))
        return collected

    def _progress(self, begun: float, metrics: Mapping[str, float]) -> Progress:
        w, seconds = self.w, time.perf_counter() - begun
        steps = self.meter.total("environment_steps")
        rate, self._steps = (steps - self._steps) / max(seconds, 1e-9), steps
        every = self.config.run.checkpoint_every
        left = None if isinstance(every, int) else max(0.0, every.seconds - (time.monotonic() - self._last_checkpoint))
        return Progress(
            w.iteration,
            tuple(w.events),
            tuple(w.niches.score.tolist()),
            tuple(w.niches.env_ids.tolist()),
            metrics,
            seconds,
            rate,
            left,
            time.monotonic() - self._begun,
        )

    def _checkpoint_due(self) -> bool:
        every = self.config.run.checkpoint_every
        if isinstance(every, int):
            return self.w.iteration - self._saved_at >= every
        return time.monotonic() - self._last_checkpoint >= every.seconds

    def _report(self, error: Exception) -> None:
        cause = error.__cause__
        try:
            self.folder.log("".join(traceback.format_exception(cause or error)))
            text = str(error) if isinstance(error, AigaError) else f"{type(error).__name__}: {error}"
            self.journal.operation("failure", {"text": text}, self.w.iteration)
        except (AigaError, OSError):
            # The disk may be what failed; the error itself still reaches the user.
            return


def _rows(events: list[Event]) -> Iterator[tuple[str, dict[str, Any]]]:
    for event in events:
        for row in range(len(event)):
            yield event.type, {name: column[row] for name, column in event.columns.items()}


def _copied(plugin: Plugin) -> Any:
    return codec.join(*codec.split(plugin.state_dict()))


def _drained(executor: Any) -> list[dict[str, Any]]:
    return executor.drain_losses() if hasattr(executor, "drain_losses") else []


def _to(niches: Niches, device: str) -> Niches:
    if device == "cpu":
        return niches
    agents = niches.agents.to(device)
    state = {kind: {name: onto(leaf, device) for name, leaf in leaves.items()} for kind, leaves in niches.state.items()}
    return replace(niches, agents=agents, state=state)
