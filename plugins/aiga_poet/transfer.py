"""Goal switching: an agent that does better in another niche than its resident takes over there (Nguyen et al. 2016; POET)."""

from __future__ import annotations

import torch

from aiga import Lab, Offers, Pairs, Population
from aiga_poet.contest import best_of_each, standing


def offer_best(lab: Lab, *, steps: int, episodes: int) -> Offers | None:
    """The best agent from elsewhere for each niche, where it scores strictly above the resident on the same seeds.

    For every ordered pair of niches the source's agent tries as it is (direct) and after ``steps`` steps in the target, made
    with a copy of the target's optimiser state (proposal). All are scored before anything is decided; of equals the direct one
    and the older niche's is offered. A resident that could not be scored loses to any agent that could.

    Args:
        lab: the run, with two niches or more.
        steps: optimiser steps of a proposal.
        episodes: lifetimes averaged in a score.
    """
    niches, count = lab.niches, len(lab.niches)
    target = torch.arange(count).repeat_interleave(count)
    source = torch.arange(count).repeat(count)
    direct = Pairs.of(niches.envs, niches.agents, niches.env[target], niches.agent[source])
    matrix = standing(lab.evaluate(direct, episodes=episodes, purpose="transfer/choose"))
    away = torch.nonzero(target != source).flatten()
    tuned = lab.improve(direct.take(away), steps, state="niche", purpose="transfer").with_ids(niches.agent_ids[source[away]])
    proposal = Pairs.of(niches.envs, tuned, niches.env[target[away]], torch.arange(len(away)))
    proposed = standing(lab.evaluate(proposal, episodes=episodes, purpose="transfer/choose"))
    score = torch.cat([matrix[away], proposed])
    best = best_of_each(score, target[away].repeat(2), count)
    resident = matrix.reshape(count, count).diagonal()
    better = torch.nonzero((best >= 0) & (score[best] > resident)).flatten()
    if not len(better):
        return None
    row = best[better]
    agents, (old, new) = Population.join(niches.agents, tuned)
    agent = torch.where(row < len(away), old[niches.agent[source[away[row % len(away)]]]], new[row % len(away)])
    agents, agent = agents.take(agent)
    operator = tuple("direct" if r < len(away) else "proposal" for r in row.tolist())
    return Offers(agents, agent, niches.key[better], operator, score[row])
