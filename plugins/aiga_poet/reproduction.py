"""Children of environments whose agents do well: who the parents are, how they mutate, which children are nothing new."""

from __future__ import annotations

from typing import Protocol, cast

import torch
from torch import Tensor

from aiga import Batch, Lab, Pairs, Population, Stream
from aiga.streams import combine


def eligible(score: Tensor, above: float) -> Tensor:
    """``[M]`` int64 rows of the niches whose latest score is at least ``above``; one never scored (NaN) is not."""
    return torch.nonzero(score >= above).flatten()


def draw_parents(stream: Stream, keys: Tensor, children: int) -> Tensor:
    """``[children]`` int64: one of ``keys`` for each child, drawn uniformly with replacement.

    Every child gives each key a number of their own and takes the highest (rendezvous hashing, Thaler & Ravishankar 1998). So
    one more child changes no other child's parent, and one more niche only those it wins.
    """
    lots = combine(torch.arange(children)[:, None], keys[None, :])
    return stream.rows(lots.reshape(-1)).words(1).reshape(lots.shape).argmax(dim=1)


def reproduce(lab: Lab, parents: Tensor, children: int) -> Pairs:
    """``children`` mutated environments, each with its parent's agent as candidate.

    Args:
        lab: the run.
        parents: ``[M]`` int64 rows of the niches that may be parents, at least one.
        children: how many.
    """
    niches, stream = lab.niches, lab.rng("reproduce")
    parent = parents[draw_parents(stream.child("parent"), niches.key[parents], children)]
    envs, where = niches.envs.take(niches.env[parent])
    child = torch.empty_like(where)
    child[where] = torch.arange(children)
    mutate = stream.child("mutate")
    batches = tuple(lab.domain.mutate(mutate.rows(child[start : start + len(batch)]), batch) for start, batch in envs.parts())
    return Pairs(
        Population(batches).with_ids(torch.full((children,), -1, dtype=torch.int64)),
        niches.agents,
        where,
        niches.agent[parent],
        one_parent(niches.env_ids[parent]),
        one_parent(niches.agent_ids[parent]),
        ("mutate",) * children,
    )


def one_parent(ids: Tensor) -> Tensor:
    """``[P, 2]`` parents of rows that have one each, of ``[P]`` ids."""
    return torch.stack([ids, torch.full_like(ids, -1)], dim=1)


class Comparable(Protocol):
    """A domain that can tell how far environments of one kind are apart, their seeds left out."""

    def distance(self, a: Batch, b: Batch) -> Tensor: ...


def twins(lab: Lab, envs: Population) -> Tensor:
    """``[N]`` int64: id of an environment that each row repeats, -1 where it is new.

    A row repeats an earlier row or anything ever admitted, active or not, when the domain puts them at distance 0. The archive
    is on disk; only those of it are read whose description equals a candidate's, as at distance 0 it must.
    """
    domain, known = cast(Comparable, lab.domain), _alike(lab, envs)
    out = torch.full((len(envs),), -1, dtype=torch.int64)
    for start, batch in envs.parts():
        same = [torch.tril(domain.distance(batch, batch).cpu() == 0, diagonal=-1)]
        same += [domain.distance(batch, other).cpu() == 0 for other in known.batches if other.kind == batch.kind]
        ids = torch.cat([batch.ids, *(other.ids for other in known.batches if other.kind == batch.kind)])
        match = torch.cat(same, dim=1)
        first = match.to(torch.uint8).argmax(dim=1)
        out[start : start + len(batch)] = torch.where(match.any(dim=1), ids[first], -1)
    return out


def describe(lab: Lab, envs: Population) -> Tensor:
    """``[N, d]`` float64 on the host: the domain's description of every row."""
    return torch.cat([lab.domain.describe(batch).cpu().double() for batch in envs.batches])


def _alike(lab: Lab, envs: Population) -> Population:
    """The archived environments whose description equals that of a row of ``envs``."""
    archived = lab.archive.descriptions.cpu().double()
    if not len(archived) or not len(envs):
        return Population()
    _, name = torch.unique(torch.cat([archived, describe(lab, envs)]), dim=0, return_inverse=True)
    ids = lab.archive.env_ids[torch.isin(name[: len(archived)], name[len(archived) :])]
    return lab.archive.environments(ids)[0] if len(ids) else Population()
