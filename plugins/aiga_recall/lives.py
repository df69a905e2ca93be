"""Lives of recall: step by step for scores, whole at once for gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Final, cast

import torch
from torch import Tensor

from aiga import Network, Pairs, Percept, Population, Scores, Status, Stream, Trajectory
from aiga.components import Life
from aiga.crossing import onto
from aiga.data import Leaves
from aiga.streams import derive
from aiga_recall.episodes import Episodes, Source, episodes

EPISODE: Final = Stream(derive("recall", "episode", 1))


@torch.no_grad()
def live(
    pairs: Pairs, network: Network, seeds: Tensor, source: Source, signs: bool, record: bool = False
) -> tuple[Scores, Trajectory | None]:
    """One episode a pair, each drawn from its seed.

    A row whose episode is over goes on being asked, and is not listened to.

    Args:
        pairs: tasks with agents of one kind.
        network: what the agents are made of.
        seeds: ``[P]`` int64.
        source: where patterns come from.
        signs: how an error is measured; see :func:`errors`.
        record: keep the lives.

    Returns:
        Scores with ``fitness`` (1 less the error) and ``error``; and where wanted the lives, whose ``target`` is the probed
        pattern.
    """
    agents, row = pairs.agents_of_one_kind()
    row = onto(row, agents.device)
    shown = episodes(EPISODE.rows(seeds), _tasks(pairs, agents.device), source)
    leaves = {name: leaf[row] for name, leaf in agents.leaves.items()}
    answer, kept = torch.zeros_like(shown.target), list[Tensor]()
    for answer in answers(leaves, network, shown):
        if record:
            kept.append(answer)
    error = errors(answer, shown, signs).cpu()
    scores = _scores(error, int(shown.length.sum()))
    return scores, _trajectory(shown, torch.stack(kept), scores.fitness) if record else None


def answers(
    leaves: Leaves, network: Network, shown: Episodes, before: Callable[[int, Life], Life] | None = None
) -> Iterator[Tensor]:
    """What ``P`` lives answer in each step, ``[P, W]``; a life that is over stays with its last answer.

    Args:
        leaves: ``[P, ...]`` of whoever lives each.
        network: what they are made of.
        shown: the episodes.
        before: is given each step and all lives before it, and says with which to go on.
    """
    life, answer = network.newborn(leaves), torch.zeros_like(shown.target)
    for step, observation in enumerate(shown.observations):
        life = life if before is None else before(step, life)
        output, life = network.step(leaves, life, Percept(observation))
        answer = torch.where((step >= shown.length)[:, None], answer, output.action.to(answer.dtype))
        yield answer


def loss(pairs: Pairs, network: Network, stream: Stream, source: Source) -> Tensor:
    """``[P]``: mean squared difference of each pair's last answer and the probed pattern, differentiable in the agents' leaves.

    Args:
        pairs: tasks with agents of one kind; pairs of one agent are computed together where all agents have equally many.
        network: what the agents are made of; by its ``unroll`` where it has one.
        stream: with a row key for each episode; without, pairs are keyed by their position.
        source: where patterns come from.
    """
    answer, shown = recall(pairs, network, stream, source)
    return ((answer - shown.target.to(answer.dtype)).square() * shown.used).sum(dim=1) / shown.used.sum(dim=1)


def recall(pairs: Pairs, network: Network, stream: Stream, source: Source) -> tuple[Tensor, Episodes]:
    """Each pair's last answer ``[P, W]``, with its gradients, and the episodes; see :func:`loss`."""
    agents, row = pairs.agents_of_one_kind()
    row = onto(row, agents.device)
    stream = stream.each(len(pairs))
    shown = episodes(stream, _tasks(pairs, agents.device), source)
    if hasattr(network, "unroll"):
        return _unrolled(agents.leaves, row, network, shown), shown
    leaves = {name: leaf[row] for name, leaf in agents.leaves.items()}
    life, answers = network.newborn(leaves), []
    for observation in shown.observations:
        output, life = network.step(leaves, life, Percept(observation))
        answers.append(output.action)
    return torch.stack(answers)[shown.length - 1, torch.arange(len(row), device=row.device)], shown


def errors(answer: Tensor, shown: Episodes, signs: bool) -> Tensor:
    """``[P]`` float64: with ``signs`` the share of bits whose sign is wrong, 0.25 by chance where half of them are blanked.

    Else what squared difference is left of what was blanked, 1 for an answer of nothing at all. NaN for an answer that is.
    """
    answer, target = answer.double(), shown.target.double()
    if signs:
        wrong = ((answer * target <= 0) & shown.used).sum(dim=1) / shown.used.sum(dim=1)
        return torch.where(answer.isnan().any(dim=1), torch.nan, wrong.double())
    left = torch.where(shown.blanked, answer - target, 0.0).square().sum(dim=1)
    return left / torch.where(shown.blanked, target, 0.0).square().sum(dim=1).clamp(min=1e-12)


def _unrolled(leaves: Leaves, row: Tensor, network: Network, shown: Episodes) -> Tensor:
    """``[P, W]``: the lives of each agent side by side, where every one has equally many; else each pair by itself."""
    order = torch.argsort(row, stable=True)
    agents, counts = torch.unique_consecutive(row[order], return_counts=True)
    count = int(counts[0])
    if bool((counts != count).any()):
        agents, count = row[order], 1
    there = torch.arange(len(next(iter(leaves.values()))), device=row.device)
    # Gradients through an index are gathered by index too: not where everybody is there, in order.
    mine = leaves if torch.equal(agents, there) else {name: leaf[agents] for name, leaf in leaves.items()}
    in_order = bool((row[1:] >= row[:-1]).all())
    observations = shown.observations if in_order else shown.observations[:, order]
    observations = observations.reshape(len(observations), len(agents), count, -1)
    output = cast(Any, network).unroll(mine, Percept(observations))
    answer: Tensor
    if bool((shown.length == len(output.action)).all()):
        answer = output.action[-1].flatten(0, 1)
    else:
        places = torch.arange(len(row), device=row.device)
        answer = output.action[shown.length[order] - 1, places // count, places % count]
    return answer if in_order else answer[torch.argsort(order)]


def _tasks(pairs: Pairs, device: torch.device) -> Leaves:
    """``[P]`` leaves of the tasks, on ``device``."""
    population, (where,) = Population.join(pairs.envs)
    if len(population.batches) != 1:
        raise ValueError(f"recall takes tasks of one kind, not of {len(population.batches)}")
    rows = where[pairs.env.cpu()]
    return {name: onto(leaf[onto(rows, leaf.device)], device) for name, leaf in population.batches[0].leaves.items()}


def _scores(error: Tensor, steps: int) -> Scores:
    scores = Scores.of(1.0 - error, {"environment_steps": steps}, error=error)
    lost = torch.nonzero(error.isnan()).flatten()
    scores.status[lost] = int(Status.NAN)
    return replace(scores, reasons=dict.fromkeys(lost.tolist(), "an answer is not a number"))


def _trajectory(shown: Episodes, answers: Tensor, fitness: Tensor) -> Trajectory:
    """Rewards are 0 but for the fitness at the end."""
    steps, length = len(answers), shown.length.cpu()
    time = torch.arange(steps)[:, None]
    last = torch.minimum(time, length - 1)
    rows = torch.arange(len(length))
    seen = shown.observations.cpu()[last, rows]
    target = shown.target.cpu().expand(steps, *shown.target.shape)
    return Trajectory(
        seen, answers.cpu(), torch.where(time >= length - 1, fitness, 0.0), time >= length - 1, {"target": target}
    )
