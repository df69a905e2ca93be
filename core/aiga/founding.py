"""The first niches of a run: environments to start from, and agents of every network named in ``[population]``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

import torch
from safetensors.torch import load

from aiga.changes import settle
from aiga.components import Layout
from aiga.config import PopulationTable
from aiga.data import Batch, Kind, Leaves, Pairs, Population
from aiga.errors import InputError
from aiga.lab import Workspace
from aiga.loop import emit, lineage
from aiga.registry import Components
from aiga.streams import Stream, derive

T = TypeVar("T")


def found(w: Workspace, networks: Sequence[str], niches: int, initial_agent: str | None, device: str, episodes: int) -> None:
    """Settles the first niches and scores them; networks take turns, and each gets at least one.

    Args:
        w: an empty workspace, at iteration 0.
        networks: names of network components.
        niches: how many environments to start from.
        initial_agent: a safetensors file, or the name of an agent that ships with the domain; None starts from noise.
        device: where the agents' leaves live.
        episodes: of the founders' scores.

    Raises:
        InputError: if ``initial_agent`` is not there or does not fit a network.
    """
    rng = Stream(derive(w.seed, "founding"))
    count = max(niches, len(networks))
    envs = guarded(w, "domain", w.domain_name, "initial", lambda: w.domain.initial(rng.child("environments"), count))
    agents = Population(
        tuple(
            newborns(w, name, rng, torch.arange(start, count, len(networks)), initial_agent, device)
            for start, name in enumerate(networks)
        )
    )
    order = torch.cat([torch.arange(start, count, len(networks)) for start in range(len(networks))])
    population = Population((envs.with_ids(w.new_ids(count)),))
    pairs = Pairs.of(population, agents, torch.arange(count), torch.argsort(order), "initial")
    emit(w, "born", lineage(pairs, ["core"] * count))
    score = w.lab("core").evaluate(pairs, episodes=episodes, purpose="score").fitness.cpu()
    settle(w, pairs, population.ids, score)
    admitted = {"niche": w.niches.key.tolist(), "agent": w.niches.agent_ids.tolist(), "score": score.tolist()}
    columns = {**lineage(pairs, ["core"] * count), **admitted, "episodes": [episodes] * count}
    emit(w, "admitted", {**columns, "purpose": ["score"] * count})


def check_initial_agent(components: Components, population: PopulationTable) -> None:
    """Whether ``[population] initial_agent`` is there and fits every network, before anything of a run is written.

    Raises:
        InputError: if not.
    """
    if population.initial_agent is None:
        return
    domain = components.get("domain", population.domain)
    for name in population.networks:
        network = components.get("network", name)
        layout = network.build(network.structure, domain.inputs, domain.outputs)
        read_agent(population.initial_agent, getattr(domain, "agents", {}), layout, name)


def check_redraw(components: Components, population: PopulationTable) -> None:
    """Whether there is something to draw anew, where ``[population] redraw`` asks for it.

    Raises:
        InputError: if not.
    """
    if population.redraw:
        domain = components.get("domain", population.domain)
        if "seed" not in domain.initial(Stream(0), 1).leaves:
            what = f"environments of {population.domain!r} have no seed to draw anew"
            raise InputError(f"[population] redraw: {what}. Leave it out, or name another domain")


def newborns(w: Workspace, name: str, rng: Stream, rows: torch.Tensor, initial_agent: str | None, device: str) -> Batch:
    """Agents of one network for these founding niches."""
    network = w.registry.get("network", name)
    built: Callable[[], Layout] = partial(network.build, network.structure, w.domain.inputs, w.domain.outputs)
    layout = guarded(w, "network", name, "build", built)
    kind = Kind(name, dict(network.structure))
    if initial_agent is None:
        drawn: Callable[[], Leaves] = partial(network.init, rng.child("agents", name).rows(rows), layout, len(rows))
        leaves = guarded(w, "network", name, "init", drawn)
    else:
        one = read_agent(initial_agent, getattr(w.domain, "agents", {}), layout, name)
        leaves = {leaf: value.expand(len(rows), *value.shape[1:]).clone() for leaf, value in one.items()}
    return Batch.of(kind, leaves).to(device)


def guarded(w: Workspace, kind: str, name: str, method: str, call: Callable[[], T]) -> T:
    """What a component answers; what it raises carries its plugin's name."""
    answer = w.host.guard(w.registry.owner(kind, name), method, call)
    assert answer is not None, "the plugin of a domain or network cannot be disabled"
    return answer


def read_agent(source: str, shipped: Mapping[str, Path], layout: Layout, network: str) -> Leaves:
    """One agent's leaves, ``[1, ...]``, from a file or from what ships with the domain.

    Raises:
        InputError: if there is no such agent, the file cannot be read or its leaves are not the network's.
    """
    where = "[population] initial_agent"
    path = shipped.get(source, Path(source))
    if not path.is_file():
        names = f"; agents that ship with the domain: {', '.join(sorted(shipped))}" if shipped else ""
        raise InputError(
            f"{where}: there is no file {source!r}{names}. Give a .safetensors file, or leave it out to start from noise"
        )
    try:
        leaves = load(path.read_bytes())
    except Exception as error:
        raise InputError(f"{where}: {path} is not a safetensors file ({error})") from error
    wanted, found = {n: tuple(s) for n, s in layout.items()}, {n: tuple(leaf.shape) for n, leaf in leaves.items()}
    if wanted != found:
        raise InputError(f"{where}: {path} does not fit network {network!r}: it holds {found}, the network wants {wanted}")
    return {name: leaf[None] for name, leaf in leaves.items()}
