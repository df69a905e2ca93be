"""The lab: what a hook sees of the run, and asks of it. One workspace an iteration, one thin view of it a plugin."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from aiga.answers import check_improved, check_scores, check_state, something
from aiga.archive import StoneArchive
from aiga.components import Domain, Executor, Optimiser
from aiga.crossing import onto
from aiga.data import NOBODY, Batch, Event, Pairs, Population, Scores, State, Status
from aiga.hooks import Subject
from aiga.host import Host
from aiga.meter import Meter, PluginMeter
from aiga.niches import Niches
from aiga.registry import Components
from aiga.streams import Stream, combine, derive


@dataclass
class Workspace:
    """What one iteration works on; the loop alone writes to it.

    Attributes:
        seed: of the run.
        domain_name, optimiser_name: in ``[population]`` and ``[slots]``; the optimiser may be ``none``.
        selector: the plugin that owns ``select``.
        optimiser_plugin, executor_plugin: who registered them.
        device: where the agents of niches live.
        redraw: draw each environment anew for every episode, as a sample of a distribution.
        next_id: the next environment's or agent's id; both share one numbering.
        failed: pairs that failed since last told, by reason.
    """

    seed: int
    host: Host
    meter: Meter
    registry: Components
    executor: Executor
    archive: StoneArchive
    domain: Domain
    domain_name: str
    optimiser_name: str
    optimiser_plugin: str
    path: Path
    executor_plugin: str = "core"
    selector: str = ""
    device: str = "cpu"
    redraw: bool = False
    iteration: int = 0
    next_id: int = 0
    niches: Niches = field(default_factory=Niches.none)
    events: list[Event] = field(default_factory=list)
    failed: Counter[str] = field(default_factory=Counter)

    def lab(self, plugin: str, scope: tuple[str, ...] = ()) -> RunLab:
        """The lab as ``plugin`` sees it; ``scope`` keeps scratch work's random draws apart."""
        return RunLab(self, plugin, scope)

    def new_ids(self, count: int) -> Tensor:
        """``[count]`` int64 ids that nothing has had."""
        self.next_id += count
        return torch.arange(self.next_id - count, self.next_id)

    def optimiser(self) -> Optimiser | None:
        """The owner of ``improve``; None for ``none``."""
        if self.optimiser_name == "none":
            return None
        return self.registry.get("optimiser", self.optimiser_name)  # type: ignore[no-any-return]

    def describe(self, envs: Population) -> Tensor:
        """``[N, d]`` float64 on the host: the domain's descriptions."""
        plugin = self.registry.owner("domain", self.domain_name)
        call = lambda: torch.cat([self.domain.describe(batch).double().cpu() for batch in envs.batches])  # noqa: E731
        described = self.host.guard(plugin, "describe", call) if len(envs) else torch.empty(0, 0, dtype=torch.float64)
        assert described is not None, "the domain's plugin cannot be disabled"
        return described

    def start(self, agents: Population) -> State:
        """Fresh optimiser state for ``agents``."""
        optimiser = self.optimiser()
        if optimiser is None or not len(agents):
            return {}
        call = lambda: something(optimiser.start(agents))  # noqa: E731
        state = self.host.guard(self.optimiser_plugin, "start", call, check_state(agents))
        assert state is not None, "the owner of a slot answers or raises"
        return state

    def improve(self, agents: Pairs, state: State, steps: int, scope: tuple[str, ...] = ()) -> tuple[Population, State]:
        """What the optimiser makes of ``agents``, each in one pair, and of their ``state``."""
        optimiser, lab = self.optimiser(), self.lab(self.optimiser_plugin, scope)
        if optimiser is None or not len(agents):
            return agents.agents, state
        check = check_improved(agents.agents)
        call = lambda: something(optimiser.improve(lab, agents, state, steps))  # noqa: E731
        done = self.host.guard(self.optimiser_plugin, "improve", call, check)
        assert done is not None, "the owner of a slot answers or raises"
        return done

    def run(self, pairs: Pairs, seeds: Tensor) -> Scores:
        """The executor's answer, in fresh environments for every episode where the run says so."""

        def call() -> Scores:
            if self.redraw:
                return redrawn(self.executor, self.domain_name, pairs, seeds)
            return self.executor.run(self.domain_name, pairs, seeds)

        scores = self.host.guard(self.executor_plugin, "executor", call, check_scores(len(pairs)))
        assert scores is not None, "the executor's plugin cannot be disabled"
        return scores


class RunLab:
    """The :class:`aiga.Lab` of one plugin."""

    def __init__(self, workspace: Workspace, plugin: str, scope: tuple[str, ...]) -> None:
        self._w, self._plugin, self._scope = workspace, plugin, scope
        self.meter = PluginMeter(workspace.meter, plugin)

    @property
    def iteration(self) -> int:
        return self._w.iteration

    @property
    def niches(self) -> Niches:
        return self._w.niches

    @property
    def archive(self) -> StoneArchive:
        return self._w.archive

    @property
    def domain(self) -> Domain:
        return self._w.domain

    @property
    def path(self) -> Path:
        return self._w.path

    @property
    def events(self) -> tuple[Event, ...]:
        return tuple(self._w.events)

    @property
    def slots(self) -> Mapping[str, str]:
        return {"select": self._w.selector, "improve": self._w.optimiser_name}

    def component(self, kind: str, name: str) -> Any:
        """A registered component."""
        return self._w.registry.get(kind, name)

    def rng(self, *key: int | str) -> Stream:
        """A stream of the plugin's own, for this iteration and ``key``."""
        return Stream(derive(self._w.seed, "plugin", self._plugin, *self._scope, self._w.iteration, *key))

    def render(self, subject: Subject) -> Any:
        """What the first plugin that answers to ``subject`` made of it; None where nobody does."""
        return self._w.host.first("render", self._w.lab, subject=subject)

    def remember(self, agents: Population) -> Tensor:
        """Ids of new stepping stones, one a row."""
        agents = Population(tuple(batch.explicit() for batch in agents.batches))
        ids = self._w.new_ids(len(agents))
        self._w.archive.add_agents(self._w.iteration, agents.with_ids(ids))
        return ids

    def evaluate(self, pairs: Pairs, *, episodes: int = 1, purpose: str) -> Scores:
        """Scores of pairs, on the host, on the seeds that ``purpose`` shares in this iteration."""
        purpose = "/".join((*self._scope, purpose))
        environment = pairs.envs.hashes[pairs.env]
        seeds = episode_seeds(self._w.seed, purpose, self._w.iteration, environment, episodes)

        def run() -> Scores:
            (scores,) = Scores.on_host([self._w.run(pairs, seeds)], pairs.agents)
            self._w.meter.add(self._plugin, purpose, {"episodes": seeds.numel(), **scores.cost})
            return scores

        scores = self._w.host.wrapped("evaluate", self._w.lab, run, check_scores(len(pairs)), pairs=pairs)
        scores = checked(scores)
        self._w.failed.update(scores.reasons.get(row, "") for row in torch.nonzero(~scores.ok).flatten().tolist())
        agent = pairs.agents.hashes[pairs.agent]
        return scores.with_columns(environment_hash=environment, agent_hash=agent, seeds=seeds)

    def improve(
        self, pairs: Pairs, steps: int, *, state: Literal["niche", "fresh"] = "fresh", purpose: str = "scratch"
    ) -> Population:
        """``pairs``' agents after ``steps`` steps of the optimiser, one row a pair; nothing else is kept."""
        taken, row = pairs.agents.take(pairs.agent)
        agents, where = taken.merged()
        scratch = replace(pairs, agents=agents, agent=where[row])
        begun = self._w.start(agents)
        if state == "niche":
            begun = inherit(begun, scratch, self._w.niches)
        improved, _ = self._w.improve(scratch, begun, steps, (*self._scope, self._plugin, purpose))
        return improved.in_order(scratch.agent)


def episode_seeds(seed: int, purpose: str, iteration: int, environment: Tensor, episodes: int) -> Tensor:
    """``[P, E]`` int64 seeds of 32 bits, from what each episode is for and where it is lived; never from ids or row order.

    Args:
        seed: of the run.
        purpose: what the evaluation is for.
        iteration: of the run.
        environment: ``[P]`` int64 hashes of the environments' content.
        episodes: E.
    """
    return Stream(derive(seed, "episodes", purpose, iteration)).rows(environment).words(episodes)


def redrawn(executor: Executor, domain: str, pairs: Pairs, seeds: Tensor) -> Scores:
    """Runs every episode in an environment of its own, whose ``seed`` leaf is drawn from the episode's seed."""
    count, episodes = seeds.shape
    wide = pairs.take(torch.arange(count).repeat_interleave(episodes))
    envs, env = wide.envs.take(wide.env)
    order = torch.empty_like(env)
    order[env] = torch.arange(len(env))
    drawn, batches = combine(seeds.reshape(-1), 1)[order] & 0xFFFFFFFF, []
    for start, batch in envs.parts():
        fresh = drawn[start : start + len(batch)].to(batch.leaves["seed"])
        batches.append(replace(batch, leaves={**batch.leaves, "seed": fresh}))
    scores = executor.run(domain, replace(wide, envs=Population(tuple(batches)), env=env), seeds.reshape(-1, 1))
    columns = {
        name: column.reshape(count, episodes, *column.shape[1:]).double().mean(dim=1)
        for name, column in scores.columns.items()
        if name != "returns"
    }
    columns["returns"] = scores.columns["returns"].reshape(count, episodes)
    reasons = {row // episodes: why for row, why in scores.reasons.items()}
    return Scores(columns, scores.status.reshape(count, episodes).amax(dim=1), reasons, scores.cost)


def checked(scores: Scores) -> Scores:
    """The same scores, a fitness that is no finite number turned into a failed row."""
    bad = ~torch.isfinite(scores.fitness)
    wrong = bad & scores.ok
    if not bool(bad.any()) and bool(scores.ok.all()):
        return scores
    failed = bad | ~scores.ok
    fitness = torch.where(failed, torch.nan, scores.fitness)
    reasons = {**scores.reasons, **dict.fromkeys(torch.nonzero(wrong).flatten().tolist(), "fitness is not a finite number")}
    status = torch.where(wrong, int(Status.NAN), scores.status)
    return replace(scores, columns={**scores.columns, "fitness": fitness}, status=status, reasons=reasons)


def inherit(fresh: State, pairs: Pairs, niches: Niches) -> State:
    """``fresh`` with the rows copied from active niches of the same environment whose agents are of the same kind."""
    if not len(niches):
        return fresh
    wanted = pairs.envs.ids[pairs.env]
    match = (wanted[:, None] == niches.env_ids[None, :]) & (wanted[:, None] != NOBODY)
    niche = torch.where(match.any(dim=1), match.to(torch.int64).argmax(dim=1), -1)
    source = torch.where(niche >= 0, niches.agent[niche.clamp(min=0)], -1)
    of_row = torch.full_like(source, -1)
    of_row[pairs.agent] = source  # scratch pairs name each of their agents once
    held = {batch.kind.hash: (start, batch) for start, batch in niches.agents.parts()}
    out: State = {}
    for start, batch in pairs.agents.parts():
        leaves = fresh.get(batch.kind.hash)
        if leaves is None or batch.kind.hash not in held:
            continue
        out[batch.kind.hash] = _copied(leaves, of_row[start : start + len(batch)], *held[batch.kind.hash], niches)
    return {**fresh, **out}


def _copied(leaves: dict[str, Tensor], source: Tensor, first: int, batch: Batch, niches: Niches) -> dict[str, Tensor]:
    rows = torch.nonzero((source >= first) & (source < first + len(batch))).flatten()
    kept = niches.state[batch.kind.hash]
    return {
        name: leaf.index_copy(0, onto(rows, leaf.device), kept[name][onto(source[rows] - first, leaf.device)])
        for name, leaf in leaves.items()
    }
