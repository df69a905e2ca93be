"""How niches change: admission, retirement, new agents. Every change leaves stepping stones behind."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from aiga.data import NOBODY, Offers, Pairs, Population
from aiga.lab import Workspace
from aiga.niches import HISTORY, Niches


def snapshot(w: Workspace, agents: Population, rows: Tensor) -> tuple[Population, Tensor]:
    """These rows as agents of niches: explicit, one batch a kind, on the run's device, remembered under new ids.

    Returns:
        The population, and ``[len(rows)]`` int64: where each wanted row went.
    """
    taken, went = agents.take(rows)
    agents, where = taken.merged()
    agents = agents.with_ids(w.lab("core").remember(agents)).to(w.device)
    return agents, where[went]


def snapshot_niches(w: Workspace, rows: Tensor) -> None:
    """Gives the agents of these niches new ids and remembers them."""
    niches = w.niches
    agents, where = snapshot(w, niches.agents, niches.agent[rows])
    ids = niches.agents.ids.clone()
    ids[niches.agent[rows]] = agents.ids[where]
    w.niches = replace(niches, agents=niches.agents.with_ids(ids))


def settle(w: Workspace, pairs: Pairs, keys: Tensor, score: Tensor) -> None:
    """Makes niches of ``pairs``, whose agents are snapshot; environments new to the archive are written to it.

    Args:
        w: the workspace.
        pairs: environments with ids, and the agents that shall live in them.
        keys: ``[P]`` int64; an active niche of such a key is about to leave.
        score: ``[P]`` float64, NaN where there is none yet.
    """
    if not len(pairs):
        return
    count = len(pairs)
    envs, env = pairs.envs.take(pairs.env)
    agents, agent = snapshot(w, pairs.agents, pairs.agent)
    fresh = unknown(w, pairs)
    w.archive.add_environments(w.iteration, fresh, w.describe(fresh))
    history = torch.full((count, HISTORY), torch.nan, dtype=torch.float64)
    history[:, 0] = score
    born = torch.full((count,), w.iteration, dtype=torch.int64)
    solved = torch.zeros(count, dtype=torch.bool)
    new = Niches(keys, env, agent, born, score, history, solved, envs, agents, w.start(agents))
    w.niches = Niches.join(w.niches, new)


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


def named(pairs: Pairs) -> dict[str, list[Any]]:
    """Columns that say which environment each row is of, and what its agent is built of."""
    return {"env": pairs.envs.ids[pairs.env].tolist(), "kind": _kinds(pairs)}


def unlike(niches: Niches, origin: Tensor, challengers: Pairs, residents: Pairs) -> list[bool]:
    """Of each offer, whether something moves between agents of different kinds: another network, or another structure of it.

    What moves is an agent, or a skill that another one was taught; it comes from the agent that the offer names. Of newborns
    that name none nothing moves.

    Args:
        niches: the active ones.
        origin: ``[O]`` int64 ids of the agents that offers come from.
        challengers: ``O`` of them.
        residents: who lives where each is offered.
    """
    active = dict(zip(niches.agents.ids.tolist(), map(str, niches.agents.kinds), strict=True))
    rows = zip(origin.tolist(), _kinds(challengers), _kinds(residents), strict=True)
    return [id != NOBODY and active.get(id, offered) != resident for id, offered, resident in rows]


def remove(w: Workspace, rows: Tensor) -> Tensor:
    """Takes these niches away; their agents are remembered as they were, under the ids returned, one a row."""
    if not len(rows):
        return rows
    snapshot_niches(w, rows)
    agents = w.niches.agent_ids[rows]
    stay = torch.ones(len(w.niches), dtype=torch.bool)
    stay[rows] = False
    w.niches = w.niches.take(torch.nonzero(stay).flatten())
    return agents


def replace_agents(w: Workspace, rows: Tensor, agents: Population, agent: Tensor, score: Tensor) -> Tensor:
    """Puts other agents into these niches, remembered under new ids, with a fresh optimiser state.

    Args:
        w: the workspace.
        rows: ``[K]`` int64, the niches, each once.
        agents: a population.
        agent: ``[K]`` int64, which of its rows each niche gets.
        score: ``[K]`` float64, theirs in their new homes.

    Returns:
        ``[K]`` int64 ids of the newcomers.
    """
    if not len(rows):
        return rows
    niches = w.niches
    order = torch.arange(len(niches))
    newcomers, where = snapshot(w, agents, agent)
    envs, env = niches.envs.take(niches.env[rows])
    picked = {n: getattr(niches, n)[rows] for n in ("key", "born", "history", "solved")}
    moved = Niches(env=env, agent=where, score=score, envs=envs, agents=newcomers, state=w.start(newcomers), **picked)
    moved = replace(moved, history=torch.cat([score[:, None], moved.history[:, 1:]], dim=1))
    stay = torch.ones(len(niches), dtype=torch.bool)
    stay[rows] = False
    was = torch.cat([order[stay], rows])
    w.niches = Niches.join(niches.take(order[stay]), moved).take(torch.argsort(was))
    return newcomers.ids[where]


def _kinds(pairs: Pairs) -> list[str]:
    words = [str(kind) for kind in pairs.agents.kinds]
    return [words[row] for row in pairs.agent.tolist()]
