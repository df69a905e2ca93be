"""Training agents that learn within a life, for as many seconds of one processor each, and judging them. No benchmark.

Seconds are those that the process had a processor (``time.process_time``) on one thread; judging is not counted. Every control
has as many parameters as the network that it is compared with, as nearly as its width allows, and the same optimiser.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch

from aiga import Batch, Domain, Kind, Network, Pairs, Population, Scores, Stream
from aiga.streams import derive
from aiga_plasticity import ActorCritic, matched_units, parameters

# glibc gives large blocks back to the system at once and takes them anew at every step of a life: 2 to 5 times the time.
_ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": "4294967296", "MALLOC_TRIM_THRESHOLD_": "4294967296", "MALLOC_TOP_PAD_": "268435456"}
WATCHED = 2.5  # seconds
_THREADS = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}


def settled() -> None:
    """Starts this script anew in a process whose allocator keeps what it has, on one thread; returns in that one."""
    wanted = {**_ALLOCATOR, **_THREADS}
    if any(os.environ.get(name) != value for name, value in wanted.items()):
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **wanted})
    torch.set_num_threads(1)


@dataclass(frozen=True)
class Trained:
    """What came of a training.

    Attributes:
        agent: one row.
        steps: environment steps.
        updates: gradient steps.
        seconds: of the processor.
        watched: seconds, updates and what was seen of the agent then, again and again.
    """

    agent: Batch
    steps: int
    updates: int
    seconds: float
    watched: tuple[tuple[float, int, float], ...] = ()


Make = Callable[[int | None], Network]


def contestants(makes: Mapping[str, Make], like: str, units: int, domain: Domain) -> dict[str, Network]:
    """Networks by name: that of ``like`` with so many units, the others as wide as makes them equally large."""
    first = makes[like](units)
    out = {like: first}
    for name, make in makes.items():
        if name != like:
            out[name] = make(matched_units(make(None), first, domain.inputs, domain.outputs))
    return {name: out[name] for name in makes}


def sizes(networks: Mapping[str, Network], domain: Domain) -> str:
    """Widths and numbers of parameters, in words."""
    told = [
        f"{name} {network.structure['units']} units, {parameters(network, domain.inputs, domain.outputs):,} parameters"
        for name, network in networks.items()
    ]
    return "; ".join(told)


def train(
    domain: Domain,
    network: Network,
    env: Batch,
    optimiser: ActorCritic,
    seed: int,
    seconds: float,
    watch: Callable[[Batch], float] | None = None,
) -> Trained:
    """One agent in one environment, for so many seconds; every ``WATCHED`` seconds, uncounted, ``watch`` is asked of it."""
    layout = network.build(network.structure, domain.inputs, domain.outputs)
    leaves = network.init(Stream(derive("benchmark", "born", seed)), layout, 1)
    agent = Batch.of(Kind("learner", dict(network.structure)), leaves)
    state = optimiser.start(Population((agent,)))[agent.kind.hash]
    envs, home, lives = Population((env,)), torch.zeros(1, dtype=torch.int64), Stream(derive("benchmark", "lives", seed))
    _warm(domain, network, envs, agent, optimiser)
    steps, updates, spent, watched = 0, 0, 0.0, list[tuple[float, int, float]]()
    while spent < seconds:
        started = time.process_time()
        seeds = lives.child(updates).words(1, optimiser.options.episodes)
        agent, state, cost = optimiser.update(domain, network, envs, home, agent, seeds, state)
        steps, updates, spent = steps + cost["environment_steps"], updates + 1, spent + time.process_time() - started
        if watch is not None and spent >= WATCHED * (len(watched) + 1):
            watched.append((spent, updates, watch(agent)))
    return Trained(agent, steps, updates, spent, tuple(watched))


def judge(domain: Domain, network: Network, env: Batch, agent: Batch, lives: int) -> dict[str, float]:
    """The mean of every column over so many fresh lives, the same ones for every agent."""
    seeds = Stream(derive("benchmark", "judge")).rows(torch.arange(lives)).words()
    scores = domain.live(Pairs.lives(Population((env,)), Population((agent,)), lives), network, seeds)
    assert isinstance(scores, Scores)
    return {name: float(column.mean()) for name, column in scores.columns.items()}


def middle(values: list[float]) -> tuple[float, tuple[float, float]]:
    """Median and spread."""
    return statistics.median(values), (min(values), max(values))


def _warm(domain: Domain, network: Network, envs: Population, agent: Batch, optimiser: ActorCritic) -> None:
    """Everything once, so that compiling and first allocations fall out of the count."""
    state = optimiser.start(Population((agent,)))[agent.kind.hash]
    seeds = torch.arange(optimiser.options.episodes)[None]
    for _ in range(2):
        optimiser.update(domain, network, envs, torch.zeros(1, dtype=torch.int64), agent, seeds, state)
