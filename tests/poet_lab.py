"""A lab to script POET's decisions with: environments are points, agents are vectors, every score is set by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor

from aiga import Batch, Kind, Niches, Pairs, Population, Scores, Status, Stream
from aiga.streams import derive
from aiga_poet import Poet, PoetOptions

POINT = Kind("points", {"version": 1})
VECTOR, SCALAR = Kind("vector"), Kind("scalar")  # two kinds of agents: [B, 2] weights, and one number for both
NAN = float("nan")
Rows = Sequence[Sequence[float]]


class Points:
    """Environments are points of the plane; a seed of each is no part of what it is."""

    def mutate(self, rng: Stream, parents: Batch) -> Batch:
        point = parents.leaves["point"] + rng.child("point").integers(-3, 4, 2)
        return Batch(parents.kind, parents.ids, {"point": point, "seed": rng.child("seed").words(1)[:, 0]})

    def describe(self, envs: Batch) -> Tensor:
        return envs.leaves["point"]

    def distance(self, a: Batch, b: Batch) -> Tensor:
        return (a.leaves["point"][:, None] - b.leaves["point"][None]).abs().sum(-1)


def environments(points: Rows, first_id: int) -> Population:
    count = len(points)
    leaves = {"point": torch.tensor(points, dtype=torch.float64).reshape(count, 2), "seed": torch.arange(count)}
    return Population((Batch(POINT, torch.arange(first_id, first_id + count), leaves),))


def vectors(agents: Population) -> Tensor:
    parts = [b.leaves["weights"] if "weights" in b.leaves else b.leaves["bias"][:, None].expand(-1, 2) for b in agents.batches]
    return torch.cat(parts).double()


class Archive:
    def __init__(self, envs: Population, agents: Population) -> None:
        self.envs, self.stones, self.read = envs, agents, 0
        self.env_ids, self.agent_ids = envs.ids, agents.ids
        self.descriptions = torch.cat([b.leaves["point"] for b in envs.batches] or [torch.empty(0, 0)])

    def environments(self, ids: Tensor) -> tuple[Population, Tensor]:
        self.read += len(ids)
        return self.envs.take(torch.nonzero(torch.isin(self.env_ids, ids)).flatten())

    def agents(self, ids: Tensor) -> tuple[Population, Tensor]:
        return self.stones.take(torch.nonzero(torch.isin(self.agent_ids, ids)).flatten())


def in_reach(point: Tensor, weights: Tensor) -> Tensor:
    """300 at home, 10 less a step away from what the agent is made for."""
    return 300.0 - 10.0 * (point - weights).abs().sum(1)


@dataclass
class ScriptedLab:
    """A lab over fixed niches; agents ``improve`` by ``gain``, and everything asked of it is written down."""

    niches: Niches
    iteration: int = 150
    fitness: Callable[[Tensor, Tensor], Tensor] = in_reach
    retired: Rows = ()
    stones: Rows = ()
    gain: float = 0.0

    def __post_init__(self) -> None:
        self.domain, count = Points(), len(self.stones)
        weights = torch.tensor(self.stones, dtype=torch.float32).reshape(count, 2)
        agents = Population((Batch(VECTOR, torch.arange(500, 500 + count), {"weights": weights}),))
        self.archive = Archive(Population.join(environments(self.retired, 50), self.niches.envs)[0], agents)
        self.evaluated: list[tuple[str, int, int]] = []
        self.improved: list[tuple[int, str]] = []

    def rng(self, *key: int | str) -> Stream:
        return Stream(derive(7, self.iteration, *key))

    def evaluate(self, pairs: Pairs, *, episodes: int = 1, purpose: str) -> Scores:
        self.evaluated.append((purpose, len(pairs), episodes))
        points = torch.cat([b.leaves["point"] for b in pairs.envs.batches])
        fitness = self.fitness(points[pairs.env], vectors(pairs.agents)[pairs.agent]).double()
        status = torch.where(fitness.isnan(), int(Status.NAN), int(Status.OK))
        return Scores({"fitness": fitness}, status, {int(r): "no number" for r in torch.nonzero(fitness.isnan())})

    def improve(
        self, pairs: Pairs, steps: int, *, state: Literal["niche", "fresh"] = "fresh", purpose: str = "scratch"
    ) -> Population:
        self.improved.append((len(pairs), state))
        agents = pairs.agents.in_order(pairs.agent)
        grown = (replace(b, leaves={n: leaf + steps * self.gain for n, leaf in b.leaves.items()}) for b in agents.batches)
        return Population(tuple(grown))


def niches(points: Rows, weights: Rows, scores: Sequence[float] | None = None) -> Niches:
    """Niches 10, 11, ... with agents 100, 101, ...; an agent of one number is of the other kind."""
    count, agent = len(points), torch.zeros(len(points), dtype=torch.int64)
    batches: list[Batch] = []
    for kind, leaf, size in ((VECTOR, "weights", 2), (SCALAR, "bias", 1)):
        mine = torch.tensor([i for i in range(count) if len(weights[i]) == size], dtype=torch.int64)
        if len(mine):
            agent[mine] = torch.arange(len(mine)) + len(Population(tuple(batches)))
            leaves = torch.tensor([list(weights[i]) for i in mine])
            batches.append(Batch(kind, mine + 100, {leaf: leaves if size == 2 else leaves[:, 0]}))
    score = torch.tensor(scores if scores is not None else [250.0] * count, dtype=torch.float64)
    solved, history, rows = score.isinf(), score[:, None].expand(-1, 5), torch.arange(count)
    envs, agents = environments(points, 10), Population(tuple(batches))
    return Niches(rows + 10, rows, agent, rows, score, history, solved, envs, agents, {})


def children(lab: ScriptedLab, points: Rows, agent: int = 0) -> Pairs:
    """Proposals 20, 21, ... of niche 10 with the agent of one niche, as the core hands them to screens."""
    count = len(points)
    env, rows = torch.arange(count), torch.full((count,), int(lab.niches.agent[agent]))
    pairs = Pairs.of(environments(points, 20), lab.niches.agents, env, rows, "mutate")
    return replace(pairs, env_parents=torch.tensor([[10, -1]] * count).reshape(count, 2))


def ids(pairs: Pairs) -> list[int]:
    return pairs.envs.ids[pairs.env].tolist()


def poet(**options: Any) -> Poet:
    return Poet(PoetOptions(**options))


def proposed(plugin: Poet, lab: ScriptedLab) -> Pairs:
    pairs = plugin.aiga_generate(lab)
    assert pairs is not None
    return pairs


def two() -> Niches:
    return niches([[0.0, 0.0], [9.0, 9.0]], [[0.0, 0.0], [9.0, 9.0]])
