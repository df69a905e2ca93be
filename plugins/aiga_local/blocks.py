"""What one call of the executor has to do, cut into blocks: the same cut for any number of workers."""

from __future__ import annotations

import math
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from aiga.answers import check_scores
from aiga.codec import dumps, loads
from aiga.components import Domain, Network, Registry
from aiga.data import Kind, Pairs, Population, Scores, Status
from aiga.padding import bucket, filled
from aiga_local.padding import PaddedNetwork

Span = tuple[int, int]  # from, up to: places in Work.lanes


@dataclass(frozen=True)
class Work:
    """The lanes of one call, in the order they are run; a lane is one episode of one pair.

    Attributes:
        domain: name of the domain.
        pairs: environments and agents; parents and operators are left out.
        seeds: ``[P, E]`` int64.
        lanes: ``[P * E]`` int64, ``pair * E + episode``, grouped by (kind of environment, bucket of agent).
        edges: where each group ends in ``lanes``.
    """

    domain: str
    pairs: Pairs
    seeds: Tensor
    lanes: Tensor
    edges: tuple[int, ...]

    @staticmethod
    def of(domain: str, pairs: Pairs, seeds: Tensor, bucket: Callable[[Kind], Kind] = lambda kind: kind) -> Work:
        """Groups the lanes of a call.

        Args:
            domain: name of the domain.
            pairs: environments and agents of any kinds.
            seeds: ``[P, E]`` int64.
            bucket: the kind that agents of a kind are evaluated as; those of one can be lived in one call.

        Raises:
            ValueError: if ``seeds`` is not ``[P, E]`` with at least one episode.
        """
        if seeds.ndim != 2 or len(seeds) != len(pairs) or seeds.shape[1] == 0:
            raise ValueError(f"seeds must be [{len(pairs)}, E], at least one episode a pair; found {list(seeds.shape)}")
        plain = Pairs.of(pairs.envs, pairs.agents, pairs.env.cpu(), pairs.agent.cpu())
        kinds = max(len(pairs.agents.batches), 1)
        group = _kinds(plain.envs, plain.env) * kinds + _kinds(plain.agents, plain.agent, bucket)
        order = torch.argsort(group, stable=True)
        episodes = seeds.shape[1]
        lanes = (order[:, None] * episodes + torch.arange(episodes)).flatten()
        sizes = torch.unique_consecutive(group[order], return_counts=True)[1] * episodes
        return Work(domain, plain, seeds.cpu(), lanes, tuple(sizes.cumsum(0).tolist()))

    @property
    def episodes(self) -> int:
        return self.seeds.shape[1]

    def spans(self, rows: int, start: int = 0) -> list[Span]:
        """Blocks of ``rows`` lanes from place ``start`` on; the last of each group may be shorter."""
        out = []
        for edge in self.edges:
            out += [(low, min(low + rows, edge)) for low in range(start, edge, rows)]
            start = max(start, edge)
        return out

    def block(self, span: Span) -> tuple[Pairs, Tensor]:
        """The pairs of a block, over populations that hold nothing else, and their ``[B]`` seeds."""
        lanes = self.lanes[span[0] : span[1]]
        return self.pairs.take(lanes // self.episodes).compact(), self.seeds.flatten()[lanes]

    def dump(self) -> bytes:
        """The whole as bytes, without rows that no pair names."""
        pairs = self.pairs.compact()
        fields = {"envs": pairs.envs, "agents": pairs.agents, "env": pairs.env, "agent": pairs.agent}
        return dumps({**fields, "domain": self.domain, "seeds": self.seeds, "lanes": self.lanes, "edges": self.edges})

    @staticmethod
    def load(data: bytes) -> Work:
        """The reverse of :meth:`dump`, on the host."""
        tree = loads(data)
        pairs = Pairs.of(tree["envs"], tree["agents"], tree["env"], tree["agent"])
        return Work(tree["domain"], pairs, tree["seeds"], tree["lanes"], tree["edges"])


def _kinds(population: Population, rows: Tensor, of: Callable[[Kind], Kind] = lambda kind: kind) -> Tensor:
    numbers: dict[object, int] = {}
    each = [torch.full((len(b),), numbers.setdefault(of(b.kind), len(numbers))) for b in population.batches]
    return torch.cat([torch.empty(0, dtype=torch.int64), *each])[rows]


def live(work: Work, span: Span, rows: int, registry: Registry, device: torch.device) -> Scores:
    """Lives one block: one row a lane, agents made real on ``device``, network work in ``rows`` rows.

    Raises:
        TypeError, ValueError: if what the domain answers are no scores of the rows it was given.
        Exception: whatever the domain or the network raises.
    """
    domain: Domain = registry.get("domain", work.domain)
    pairs, seeds = work.block(span)
    pairs, network = real(pairs, domain, registry, device)
    scores = domain.live(pairs, PaddedNetwork(network, rows), seeds)
    if isinstance(scores, tuple):
        scores = scores[0]
    check_scores(len(seeds))(scores)
    return scores


def bucket_of(registry: Registry, kind: Kind) -> Kind:
    """The kind that agents of ``kind`` are evaluated as.

    Raises:
        KeyError: if their network is not registered.
    """
    return bucket(registry.get("network", kind.component), kind)


def real(pairs: Pairs, domain: Domain, registry: Registry, device: torch.device) -> tuple[Pairs, Network]:
    """Pairs of one kind of environments and one bucket of agents as a domain gets them, and the agents' network.

    Environments stay where they are, on the host: there a domain reads without waiting how large they are.
    Agents are always filled up to their bucket, so that their bits do not hang on which other architectures there are.
    """
    envs, (env,) = Population.join(pairs.envs)
    network: Network = registry.get("network", pairs.agents.batches[0].kind.component)
    batches = (filled(network, batch.to(device), domain.inputs, domain.outputs) for batch in pairs.agents.batches)
    agents, (agent,) = Population.join(Population(tuple(batches)))
    return Pairs.of(envs, agents, env[pairs.env], agent[pairs.agent]), network


def failed(count: int, status: Status, reason: str) -> Scores:
    """Scores of ``count`` rows that all failed in the same way."""
    fitness = torch.full((count,), math.nan, dtype=torch.float64)
    return Scores({"fitness": fitness}, torch.full((count,), int(status)), dict.fromkeys(range(count), reason))


def explain(domain: str, error: BaseException) -> str:
    """Why a block failed, for a person: the domain, the exception and where it was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    text = f"{domain}: {type(error).__name__}: {error}{where}"
    return text.encode("utf-8", "backslashreplace").decode()  # the journal holds no lone surrogates
