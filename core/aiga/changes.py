"""How niches change: admission, retirement, new agents. Every change leaves stepping stones behind."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from aiga.data import Offers, Pairs, Population
from aiga.lab import Workspace
from aiga.niches import HISTORY, Niches


def snapshot(w: Workspace, agents: Population) -> Population:
    """The same agents, explicit, under new ids, remembered as stepping stones."""
    agents = Population(tuple(batch.explicit() for batch in agents.batches))
    return agents.with_ids(w.lab("core").remember(agents))


def snapshot_niches(w: Workspace, rows: Tensor) -> None:
    """Gives the agents of these niches new ids and remembers them."""
    if not len(rows):
        return
    niches = w.niches
    agents, where = niches.agents.take(niches.agent[rows])
    agents = snapshot(w, agents)
    ids = niches.agents.ids.clone()
    ids[niches.agent[rows]] = agents.ids[where]
    w.niches = replace(niches, agents=niches.agents.with_ids(ids))


def settle(w: Workspace, pairs: Pairs, keys: Tensor, score: Tensor) -> None:
    """Makes niches of ``pairs``, whose agents are snapshot; environments new to the archive are written to it.

    Args:
        w: the workspace.
        pairs: environments with ids, and the agents that shall live in them.
        keys: ``[P]`` int64, none of an active niche.
        score: ``[P]`` float64, NaN where there is none yet.
    """
    if not len(pairs):
        return
    count = len(pairs)
    envs, env = pairs.envs.take(pairs.env)
    agents, agent = pairs.agents.take(pairs.agent)
    agents = snapshot(w, agents)
    fresh = unknown(w, pairs)
    described = [w.domain.describe(batch).double().cpu() for batch in fresh.batches]
    w.archive.add_environments(w.iteration, fresh, torch.cat(described) if described else torch.empty(0, 0))
    history = torch.full((count, HISTORY), torch.nan, dtype=torch.float64)
    history[:, 0] = score
    born = torch.full((count,), w.iteration, dtype=torch.int64)
    solved = torch.zeros(count, dtype=torch.bool)
    new = Niches(keys, env, agent, born, score, history, solved, envs, agents, w.start(agents))
    w.niches = Niches.join(w.niches, new) if len(w.niches) else new


def unknown(w: Workspace, pairs: Pairs) -> Population:
    """The environments of ``pairs`` that the archive does not hold yet, each once, in the order of the pairs."""
    ids = pairs.envs.ids[pairs.env]
    rows = torch.nonzero(~torch.isin(ids, w.archive.env_ids)).flatten()
    _, which = torch.unique(ids[rows], return_inverse=True)
    first = torch.full((int(which.max()) + 1 if len(rows) else 0,), len(ids))
    first = first.scatter_reduce(0, which, torch.arange(len(rows)), "amin").sort().values
    envs, where = pairs.envs.take(pairs.env[rows[first]])
    return envs.in_order(where)


def offers_to_homes(niches: Niches, pairs: Pairs) -> Offers:
    """Proposals for active environments, as offers to the niches where those environments live."""
    lives = pairs.envs.ids[pairs.env][:, None] == niches.env_ids[None, :]
    row, niche = torch.nonzero(lives, as_tuple=True)
    nothing = torch.full((len(row),), torch.nan, dtype=torch.float64)
    return Offers(pairs.agents, pairs.agent[row], niches.key[niche], pairs.take(row).operator, nothing)


def remove(w: Workspace, rows: Tensor) -> None:
    """Takes these niches away; their agents are remembered as they were."""
    if len(rows):
        snapshot_niches(w, rows)
        stay = torch.ones(len(w.niches), dtype=torch.bool)
        stay[rows] = False
        w.niches = w.niches.take(torch.nonzero(stay).flatten())


def replace_agents(w: Workspace, rows: Tensor, agents: Population, agent: Tensor, score: Tensor) -> None:
    """Puts other agents, already snapshot, into these niches, with a fresh optimiser state.

    Args:
        w: the workspace.
        rows: ``[K]`` int64, the niches.
        agents, agent: the newcomers, and ``[K]`` int64 which of them each niche gets.
        score: ``[K]`` float64, theirs in their new homes.
    """
    niches = w.niches
    order = torch.arange(len(niches))
    newcomers, where = agents.take(agent)
    envs, env = niches.envs.take(niches.env[rows])
    picked = {n: getattr(niches, n)[rows] for n in ("key", "born", "history", "solved")}
    moved = Niches(
        env=env, agent=where, score=score, envs=envs, agents=newcomers, state=w.start(newcomers), **picked
    )
    moved = replace(moved, history=torch.cat([score[:, None], moved.history[:, 1:]], dim=1))
    stay = torch.ones(len(niches), dtype=torch.bool)
    stay[rows] = False
    mixed = Niches.join(niches.take(order[stay]), moved) if bool(stay.any()) else moved
    was = torch.cat([order[stay], rows])
    w.niches = mixed.take(torch.argsort(was))
