"""Forecasts of how good architectures will be once they are trained, for what they cost: batched over all architectures.

A teacher, whatever it teaches by, is a function from newborn agents to agents, row for row and kind for kind (:class:`Teach`);
:class:`Judged` makes a forecast of one. Within a run the seam is an optimiser's name: the option ``forecast`` of the searches.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, cast

import torch
from torch import Tensor
from torch.nn import functional

import aiga
from aiga.data import Batch, Leaves, Pairs, Population
from aiga.padding import Networks, in_buckets, out_of_buckets
from aiga_search.training import parameters


@dataclass(frozen=True)
class Forecast:
    """What was forecast.

    Attributes:
        scores: ``[N]`` float64, higher is better; minus infinity where an architecture failed.
        cost: counted work by kind, of all of them together.
    """

    scores: Tensor
    cost: Mapping[str, int]


class Proxy(Protocol):
    """Forecasts how good agents' architectures are."""

    def __call__(self, agents: Population, rng: aiga.Stream) -> Forecast:
        """One forecast a row of newborn ``agents``."""
        ...


class Teach(Protocol):
    """Teaches newborn agents of any kinds."""

    def __call__(self, agents: Population, rng: aiga.Stream) -> tuple[Population, Mapping[str, int]]:
        """The agents once taught, row for row and kind for kind; and the counted work of it."""
        ...


class ParameterCount:
    """The larger, the better: a forecast for nothing, which any other must beat."""

    def __call__(self, agents: Population, rng: aiga.Stream) -> Forecast:
        return Forecast(parameters(agents).double(), {})


class Judged:
    """How many validation examples agents name rightly once they were taught.

    Args:
        teach: whatever teaches them.
        networks: by name.
        domain: judges by its ``live``.
        envs: of that domain, one row: where all are judged.
    """

    def __init__(self, teach: Teach, networks: Networks, domain: aiga.Domain, envs: Batch) -> None:
        self._teach, self._networks, self._domain = teach, networks, domain
        self._envs = Population((envs,))

    def __call__(self, agents: Population, rng: aiga.Stream) -> Forecast:
        taught, cost = self._teach(agents, rng.child("teach"))
        wide, where = in_buckets(taught, self._networks, self._domain)
        seed, total, scores = rng.child("judge").words(1), dict(cost), []
        for batch in wide.batches:
            rows = torch.arange(len(batch))
            pairs = Pairs.of(self._envs, Population((batch,)), torch.zeros_like(rows), rows)
            network = self._networks(batch.kind.component)
            lived = cast(aiga.Scores, self._domain.live(pairs, network, seed.expand(len(batch))))
            scores.append(torch.where(lived.ok, lived.fitness.cpu(), -torch.inf))
            for kind, amount in lived.cost.items():
                total[kind] = total.get(kind, 0) + amount
        return Forecast(torch.cat(scores)[where], total)


class RealSteps:
    """Teaches by steps of gradient descent on the domain's own examples, which all agents see alike.

    What agents see together they are normalised by; at the end they are settled by what they saw last. An agent whose numbers
    cease to be finite is left so.

    Args:
        networks: by name; of each the capabilities ``see`` and ``settled`` are asked.
        domain: of the examples.
        envs: of that domain, one row: where all learn.
        steps: of gradient descent.
        batch: examples of a step.
        lr: of every step.
        optimiser: ``adam``, or ``sgd`` with ``momentum``.
        momentum: of SGD.
    """

    def __init__(
        self,
        networks: Networks,
        domain: aiga.Domain,
        envs: Batch,
        steps: int,
        batch: int = 64,
        lr: float = 0.01,
        optimiser: Literal["adam", "sgd"] = "adam",
        momentum: float = 0.9,
    ) -> None:
        self._networks, self._domain, self._envs = networks, domain, envs
        self._steps, self._batch, self._lr = steps, batch, lr
        self._optimiser, self._momentum = optimiser, momentum

    def __call__(self, agents: Population, rng: aiga.Stream) -> tuple[Population, Mapping[str, int]]:
        rows = torch.arange(self._steps)
        examples = cast(Any, self._domain).examples
        x, y = examples(self._envs.take(torch.zeros_like(rows)), rng.rows(rows), self._batch)
        wide, where = in_buckets(agents, self._networks, self._domain)
        taught = Population(tuple(self._taught(batch, x, y) for batch in wide.batches))
        work = len(agents) * self._steps
        cost = {"gradient_steps": work, "examples": work * self._batch}
        return out_of_buckets(taught, where, agents, self._networks, self._domain), cost

    def _taught(self, batch: Batch, x: Tensor, y: Tensor) -> Batch:
        """Agents of one bucket after steps on examples ``[steps, N, ...]`` and labels ``[steps, N]``."""
        network: Any = self._networks(batch.kind.component)
        leaves: Leaves = {name: leaf.clone().requires_grad_() for name, leaf in batch.leaves.items()}
        if self._optimiser == "adam":
            descent: torch.optim.Optimizer = torch.optim.Adam(leaves.values(), lr=self._lr)
        else:
            descent = torch.optim.SGD(leaves.values(), lr=self._lr, momentum=self._momentum)
        for seen, label in zip(x, y, strict=True):
            logits, _ = network.see(leaves, seen[None])
            told = label.expand(len(batch), -1)
            # Agents share no leaves: the gradient of the sum of their means is each one's own.
            loss = functional.cross_entropy(logits.flatten(0, 1), told.flatten(), reduction="sum") / len(label)
            descent.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            descent.step()
        learnt = {name: leaf.detach() for name, leaf in leaves.items()}
        with torch.no_grad():
            _, life = network.see(learnt, x[-1][None])
            return Batch.of(batch.kind, network.settled(learnt, life))
