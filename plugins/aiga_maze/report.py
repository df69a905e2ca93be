"""The experiment of the meta-RL maze: what a life earns at goals that never paid in training, and by what is learnt in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from numpy.typing import NDArray

from aiga import Batch, Contestant, Network, Report, Stream, Trajectory
from aiga.forgetting import forgetful
from aiga.plots import Curve, Panel, plot, png
from aiga.reports import same_lives
from aiga_maze import genome
from aiga_maze.baselines import oracle_reward, random_reward
from aiga_maze.render import plans, walks_of

if TYPE_CHECKING:
    from aiga_maze.domain import MazeDomain

LIVES: Final = 500
_PARTS: Final = 10  # of a life, in which the curve has a point each


@dataclass(frozen=True)
class _Judged:
    """What came of lives: mean rewards of each of ``P`` agents; ``[P, parts]`` a step of each part of a life; a life."""

    rewards: dict[str, tuple[float, ...]]
    by_part: NDArray[np.float64]
    life: Trajectory  # whose first row is that of the middle agent


def report(domain: MazeDomain, maze: Batch, contestants: Mapping[str, Contestant], rng: Stream, lives: int = LIVES) -> Report:
    """Agents in lives in one maze, the same ones for all; where the maze keeps goals from those who learn, at these alone.

    Args:
        domain: where they live.
        maze: one row, in which they were trained.
        contestants: what is compared.
        rng: makes the lives.
        lives: of each agent.
    """
    kept = bool((maze.leaves["split"] == genome.SEEN).all())
    maze = genome.withheld(maze)
    seeds, steps = rng.child("lives").rows(torch.arange(lives)).words(), int(maze.leaves["steps"][0])
    rows: dict[str, dict[str, tuple[float, ...]]] = {}
    curves: dict[str, Curve] = {}
    bare: dict[str, Curve] = {}
    drawn: list[NDArray[np.uint8]] = []
    for name, contestant in contestants.items():
        agents, without = contestant.agents, forgetful(contestant.network)
        judged = _judged(domain, contestant.network, maze, agents, seeds)
        rows[name] = dict(judged.rewards)
        curves[name] = _curve(judged, steps)
        (plan,) = plans(maze, name)
        drawn.append(plan.paths(*walks_of(judged.life, maze)))
        if without is not None:
            zeroed = _judged(domain, without, maze, agents, seeds)
            rows[name]["reward, traces zeroed"] = zeroed.rewards["reward"]
            bare[name] = _curve(zeroed, steps)
        rows[name]["parameters"] = (float(contestant.parameters),)
    least, most = (float(earn(maze, lives, rng.child("ends"))[0]) for earn in (random_reward, oracle_reward))
    whole, ends = np.arange(steps + 1), {"random moves": least, "goal known": most}
    rows |= {name: {"reward": (end,)} for name, end in ends.items()}
    flat = {name: Curve(whole, np.full((1, steps + 1), end / steps), dashed=True) for name, end in ends.items()}
    panels = [_panel("as they are", curves | flat), *([_panel("traces zeroed", bare | flat)] if bare else [])]
    return Report(
        f"maze: reward of a life of {steps} steps" + (", goals that never paid in training" if kept else ""),
        rows,
        {"within_a_life": plot(*panels), "one_life": png(np.concatenate(drawn, axis=1))},
        (
            f"{lives} fresh lives of each agent, the same ones for all; a goal that is known is gone to by shortest walks",
            "one_life: the middle agent of each network, its walks from the first in light blue to the last in dark red; "
            "the goal in orange, cells where it may be in other lives in pale orange, the start as a blue square",
        ),
    )


def _judged(domain: MazeDomain, network: Network, maze: Batch, agents: Batch, seeds: torch.Tensor) -> _Judged:
    columns = {"reward": "reward", "first third": "first_third", "last third": "last_third"}
    parts, count = list(same_lives(domain, network, agents, maze, seeds)), len(agents)
    rewards = {
        name: tuple(torch.cat([scores.columns[column].reshape(count, -1) for scores, _ in parts], dim=1).mean(dim=1).tolist())
        for name, column in columns.items()
    }
    paid = torch.cat([life.rewards.double().cpu().reshape(len(life.rewards), count, -1) for _, life in parts], dim=2).mean(
        dim=2
    )
    by_part = torch.stack([part.mean(dim=0) for part in paid.tensor_split(min(_PARTS, len(paid)))], dim=1)
    middle = sorted(range(count), key=rewards["reward"].__getitem__)[count // 2]
    begin = middle * (len(parts[0][0].fitness) // count)
    return _Judged(rewards, by_part.numpy(), parts[0][1].take(torch.tensor([begin])))


def _curve(judged: _Judged, steps: int) -> Curve:
    parts = judged.by_part.shape[1]
    return Curve((np.arange(parts) + 0.5) * steps / parts, judged.by_part)


def _panel(title: str, curves: dict[str, Curve]) -> Panel:
    return Panel(title, "step of a life", "reward a step", curves)
