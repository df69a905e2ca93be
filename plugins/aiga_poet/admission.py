"""The best agent for a newcomer: every active agent tries it, as it is and after a step of learning there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from aiga import Lab, Pairs, Population, Scores
from aiga_poet.contest import best_of_each, standing
from aiga_poet.reproduction import one_parent

_BLOCK = 1024  # archived agents held in memory at a time


@dataclass(frozen=True)
class Best:
    """The best agent for each of ``C`` children.

    Attributes:
        pairs: the children with every agent that tried them.
        scores: of ``pairs``.
        row: ``[C]`` int64 into ``pairs``: the best agent for each child, or the first of them where none could be scored.
    """

    pairs: Pairs
    scores: Scores
    row: Tensor


def best_agents(lab: Lab, children: Pairs, *, steps: int, episodes: int, transfer: bool) -> Best:
    """The best agent for each child, all compared on common seeds; of equals an agent as it is, and the older niche's.

    Args:
        lab: the run.
        children: newcomers with their candidate agents.
        steps: optimiser steps of a proposal.
        episodes: lifetimes averaged in a score.
        transfer: let every active agent try; otherwise only the candidate.
    """
    if transfer:
        pairs, child = _contestants(lab, children, steps)
    else:
        pairs, child = children, torch.arange(len(children))
    scores = lab.evaluate(pairs, episodes=episodes, purpose="best")
    row = best_of_each(standing(scores), child, len(children))
    first = best_of_each(torch.zeros(len(pairs)), child, len(children))
    return Best(pairs, scores, torch.where(row < 0, first, row))


def archived_best(lab: Lab, children: Pairs, episodes: int) -> Tensor:
    """``[C]`` float64: the best score that any agent ever remembered reaches in each child; ``-inf`` without any."""
    top = torch.full((len(children),), -torch.inf, dtype=torch.float64)
    for ids in _blocks(lab.archive.agent_ids):
        agents, _ = lab.archive.agents(ids)
        env = children.env.repeat_interleave(len(agents))
        pairs = Pairs.of(children.envs, agents, env, torch.arange(len(agents)).repeat(len(children)))
        scores = lab.evaluate(pairs, episodes=episodes, purpose="archive-check")
        top = torch.maximum(top, standing(scores).reshape(len(children), len(agents)).amax(dim=1))
    return top


def _blocks(ids: Tensor) -> Iterator[Tensor]:
    for start in range(0, len(ids), _BLOCK):
        yield ids[start : start + _BLOCK]


def _contestants(lab: Lab, children: Pairs, steps: int) -> tuple[Pairs, Tensor]:
    """Each child with every active agent, direct and proposed, and with its candidate where that is none of them.

    Returns:
        The pairs, and ``[P]`` int64: which child each is for.
    """
    niches, count = lab.niches, len(children)
    child = torch.arange(count).repeat_interleave(len(niches))
    source = niches.agent_ids.repeat(count)
    direct = Pairs(
        children.envs,
        niches.agents,
        children.env[child],
        niches.agent.repeat(count),
        children.env_parents[child],
        one_parent(source),
        tuple(f"{children.operator[c]}+direct" for c in child.tolist()),
    )
    proposal = replace(
        direct,
        agents=lab.improve(direct, steps, state="fresh", purpose="best").with_ids(source),
        agent=torch.arange(len(direct)),
        operator=tuple(f"{children.operator[c]}+proposal" for c in child.tolist()),
    )
    agents, (own, theirs) = Population.join(niches.agents, children.agents)
    active, candidate = agents.hashes[own[niches.agent]], agents.hashes[theirs[children.agent]]
    guest = torch.nonzero(~torch.isin(candidate, active)).flatten()
    return Pairs.join(direct, proposal, children.take(guest).compact()), torch.cat([child, child, guest])
