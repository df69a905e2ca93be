"""The experiment of cue-reward association: is an answer right more often late in a life, and by what an agent learns in it?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aiga import Batch, Contestant, Network, Report, Stream
from aiga.forgetting import forgetful
from aiga.plots import Curve, Panel, plot, png
from aiga.reports import same_lives
from aiga_cue.render import strip
from aiga_cue.trials import trials

if TYPE_CHECKING:
    from aiga_cue.domain import CueDomain

LIVES: Final = 500
CHANCE: Final = 0.5
_SELDOM: Final = 0.2  # a question that fewer lives get to is not drawn


@dataclass(frozen=True)
class _Judged:
    """What came of lives: ``[P]`` shares of right answers of each agent, and ``[P, Q]`` of each question of a life."""

    first: tuple[float, ...]
    last: tuple[float, ...]
    by_question: NDArray[np.float64]
    right: Tensor  # [T], in the first life of the middle agent


def report(domain: CueDomain, task: Batch, contestants: Mapping[str, Contestant], rng: Stream, lives: int = LIVES) -> Report:
    """Agents in lives of one task, the same ones for all.

    Args:
        domain: where they live.
        task: one row.
        contestants: what is compared.
        rng: makes the lives.
        lives: of each agent.
    """
    seeds = rng.child("lives").rows(torch.arange(lives)).words()
    shown = trials(task.to("cpu"), torch.zeros(lives, dtype=torch.int64), seeds, int(task.leaves["steps"][0]), domain.max_bits)
    rows: dict[str, dict[str, tuple[float, ...]]] = {}
    curves: dict[str, Curve] = {}
    bare: dict[str, Curve] = {}
    drawn: list[NDArray[np.uint8]] = []
    for name, contestant in contestants.items():
        agents, without = contestant.agents, forgetful(contestant.network)
        judged = _judged(domain, contestant.network, task, agents, seeds, shown.asked)
        rows[name] = {"first third": judged.first, "last third": judged.last}
        curves[name] = _curve(judged)
        drawn.append(strip(shown.shown[:, 0], shown.asked[:, 0], shown.answer[:, 0], judged.right, name))
        if without is not None:
            zeroed = _judged(domain, without, task, agents, seeds, shown.asked)
            rows[name]["last third, traces zeroed"] = zeroed.last
            bare[name] = _curve(zeroed)
        rows[name]["parameters"] = (float(contestant.parameters),)
    panels = [_panel("as they are", curves), *([_panel("traces zeroed", bare)] if bare else [])]
    cues, bits, steps = (int(task.leaves[gene][0]) for gene in ("cues", "bits", "steps"))
    return Report(
        f"cue-reward association: share of right answers, {cues} cues of {bits} bits, lives of {steps} steps",
        rows,
        {"within_a_life": plot(*panels), "one_life": png(np.concatenate(drawn))},
        (
            f"{lives} fresh lives of each agent, the same ones for all; by chance {CHANCE:g} are right.",
            "one_life: the middle agent of each network; what is shown, what is right, and below it whether it was answered.",
        ),
    )


def _judged(domain: CueDomain, network: Network, task: Batch, agents: Batch, seeds: Tensor, asked: Tensor) -> _Judged:
    parts, count = list(same_lives(domain, network, agents, task, seeds)), len(agents)
    first, last = (
        torch.cat([scores.columns[column].reshape(count, -1) for scores, _ in parts], dim=1).mean(dim=1).tolist()
        for column in ("first_third", "last_third")
    )
    right = torch.cat(
        [life.extras["right"].cpu().reshape(len(life.rewards), count, -1) for _, life in parts], dim=2
    )  # [T, A, L]
    middle = sorted(range(count), key=last.__getitem__)[count // 2]
    by_question = np.stack([_by_question(asked, right[:, row]) for row in range(count)])
    return _Judged(tuple(first), tuple(last), by_question, right[:, middle, 0])


def _by_question(asked: Tensor, right: Tensor) -> NDArray[np.float64]:
    """``[Q]``: the share of ``[T, L]`` lives whose first, second, ... question is answered rightly."""
    number = asked.cumsum(dim=0) - 1
    most = int(number.max()) + 1
    counts, good = (torch.bincount(number[which], minlength=most).double() for which in (asked, asked & right))
    often = counts >= _SELDOM * asked.shape[1]  # no later question is asked in more lives than an earlier one
    return (good / counts)[often].numpy()


def _curve(judged: _Judged) -> Curve:
    return Curve(np.arange(1, judged.by_question.shape[1] + 1), judged.by_question)


def _panel(title: str, curves: dict[str, Curve]) -> Panel:
    x = next(iter(curves.values())).x
    return Panel(
        title, "question of a life", "right answers", {**curves, "chance": Curve(x, np.full((1, len(x)), CHANCE), True)}
    )
