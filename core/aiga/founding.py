"""The first niches of a run: environments to start from, and agents of every network named in ``[population]``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TypeVar

import torch
from safetensors.torch import load

from aiga.answers import Check, check_batch, check_layout, check_leaves, something
from aiga.changes import settle
from aiga.components import Domain, Layout
from aiga.data import Batch, Kind, Leaves, Pairs, Population
from aiga.errors import InputError
from aiga.lab import Workspace
from aiga.loop import emit, lineage
from aiga.registry import Components
from aiga.streams import Stream, derive
from aiga.tables import PopulationTable

T = TypeVar("T")


def found(w: Workspace, population: PopulationTable, base: Path, device: str, episodes: int) -> None:
    """Settles the first niches and scores them; networks take turns, and each gets at least one.

    Args:
        w: an empty workspace, at iteration 0.
        population: what to found, and from which agent.
        base: the folder that the path of an initial agent starts from.
        device: where the agents' leaves live.
        episodes: of the founders' scores.

    Raises:
        InputError: if the initial agent is not there or does not fit a network.
    """
    networks, initial = population.networks, population.initial_agent
    rng = Stream(derive(w.seed, "founding"))
    count = max(population.niches, len(networks))
    envs = guarded(
        w, "domain", w.domain_name, "initial", lambda: w.domain.initial(rng.child("environments"), count), check_batch
    )
    agents = Population(
        tuple(
            newborns(w, name, rng, torch.arange(start, count, len(networks)), initial, base).to(device)
            for start, name in enumerate(networks)
        )
    )
    order = torch.cat([torch.arange(start, count, len(networks)) for start in range(len(networks))])
    settled = Population((envs.with_ids(w.new_ids(count)),))
    pairs = Pairs.of(settled, agents, torch.arange(count), torch.argsort(order), "initial")
    emit(w, "born", lineage(pairs, ["core"] * count))
    score = w.lab("core").evaluate(pairs, episodes=episodes, purpose="score").fitness
    settle(w, pairs, settled.ids, score)
    admitted = {"niche": w.niches.key.tolist(), "agent": w.niches.agent_ids.tolist(), "score": score.tolist()}
    columns = {**lineage(pairs, ["core"] * count), **admitted, "episodes": [episodes] * count}
    emit(w, "admitted", {**columns, "purpose": ["score"] * count})


def check_networks(components: Components, population: PopulationTable) -> None:
    """Whether every network of ``[population]`` can be built for what its domain shows and asks.

    Args:
        components: of the run.
        population: names the domain and the networks.

    Raises:
        InputError: naming every network that cannot, and why.
    """
    domain, problems = components.get("domain", population.domain), []
    for name in population.networks:
        network = components.get("network", name)
        try:
            network.build(network.structure, domain.inputs, domain.outputs)
        except ValueError as error:
            problems.append(f'"{name}" cannot live in "{population.domain}": {error}')
    if problems:
        raise InputError(*problems)


def check_initial_agent(components: Components, population: PopulationTable, base: Path) -> None:
    """Whether ``[population] initial_agent`` is there and fits every network, before anything of a run is written.

    Args:
        components: of the run.
        population: names the agent, the domain and the networks.
        base: the folder that the agent's path starts from.

    Raises:
        InputError: if not.
    """
    if population.initial_agent is None:
        return
    domain = components.get("domain", population.domain)
    for name in population.networks:
        network = components.get("network", name)
        layout = network.build(network.structure, domain.inputs, domain.outputs)
        read_agent(agent_file(population.initial_agent, domain, base), layout, name)


def agent_file(source: str, domain: Domain, base: Path) -> Path:
    """The file of an agent that ships with ``domain`` under this name, else of this path from ``base``.

    Raises:
        InputError: if there is no such file.
    """
    shipped: Mapping[str, Path] = getattr(domain, "agents", {})
    path = shipped.get(source, base / source)
    if path.is_file():
        return path
    names = f"; agents that ship with the domain: {', '.join(sorted(shipped))}" if shipped else ""
    where = "" if Path(source).is_absolute() else f"; {source!r} is taken from the folder of the configuration"
    raise InputError(
        f"there is no file {str(path)!r}{where}{names}. Give a .safetensors file, or leave it out to start from noise."
    )


def check_redraw(components: Components, population: PopulationTable) -> None:
    """Whether there is something to draw anew, where ``[population] redraw`` asks for it.

    Raises:
        InputError: if not.
    """
    if population.redraw:
        domain = components.get("domain", population.domain)
        if "seed" not in domain.initial(Stream(0), 1).leaves:
            what = f"environments of {population.domain!r} have no seed to draw anew"
            raise InputError(f"{what}. Leave it out, or name another domain.")


def newborns(w: Workspace, name: str, rng: Stream, rows: torch.Tensor, initial: str | None, base: Path) -> Batch:
    """Agents of one network for these founding niches, on the host."""
    network = w.registry.get("network", name)
    built: Callable[[], Layout] = partial(network.build, network.structure, w.domain.inputs, w.domain.outputs)
    layout = guarded(w, "network", name, "build", built, check_layout)
    kind = Kind(name, dict(network.structure))
    if initial is None:
        drawn: Callable[[], Leaves] = partial(network.init, rng.child("agents", name).rows(rows), layout, len(rows))
        leaves = guarded(w, "network", name, "init", drawn, check_leaves(layout, len(rows)))
    else:
        one = read_agent(agent_file(initial, w.domain, base), layout, name)
        leaves = {leaf: value.expand(len(rows), *value.shape[1:]).clone() for leaf, value in one.items()}
    return Batch.of(kind, leaves)


def guarded(w: Workspace, kind: str, name: str, method: str, call: Callable[[], T], check: Check) -> T:
    """What a component answers, checked; a fault carries its plugin's name."""
    answer = w.host.guard(w.registry.owner(kind, name), method, lambda: something(call()), check)
    assert answer is not None, "the plugin of a domain or network cannot be disabled"
    return answer


def read_agent(path: Path, layout: Layout, network: str) -> Leaves:
    """One agent's leaves, ``[1, ...]``, from a safetensors file.

    Raises:
        InputError: if the file cannot be read or its leaves are not the network's.
    """
    try:
        leaves = load(path.read_bytes())
    except Exception as error:
        raise InputError(
            f"{path} is not a safetensors file ({error}). Give one, or leave it out to start from noise."
        ) from error
    wanted, found = {n: tuple(s) for n, s in layout.items()}, {n: tuple(leaf.shape) for n, leaf in leaves.items()}
    if wanted != found:
        unlike = sorted(n for n in wanted.keys() | found.keys() if wanted.get(n) != found.get(n))
        held, asked = ({n: leaves[n] for n in unlike if n in leaves} for leaves in (found, wanted))
        raise InputError(
            f"{path} does not fit network {network!r}: it holds {held}, the network wants {asked}. "
            "Give an agent of this network, or leave it out to start from noise."
        )
    odd = [name for name, leaf in leaves.items() if not leaf.is_floating_point() or not bool(leaf.isfinite().all())]
    if odd:
        what = f"{path} holds leaves that are no finite floating-point numbers: {', '.join(odd)}"
        raise InputError(f"{what}. Give another agent, or leave it out to start from noise.")
    return {name: leaf[None].float() for name, leaf in leaves.items()}
