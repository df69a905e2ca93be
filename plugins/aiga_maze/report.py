"""The experiment of the meta-RL maze: what a life earns at goals that never paid in training, and by what is learnt in it."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from aiga import Batch, Contestant, Network, Pairs, Population, Report, Stream, Trajectory
from aiga.forgetting import forgetful
from aiga.plots import Curve, Panel, plot
from aiga_maze import genome
from aiga_maze.baselines import oracle_reward, random_reward
from aiga_maze.render import plans, walks_of

if TYPE_CHECKING:
    from aiga_maze.domain import MazeDomain

LIVES: Final = 500
_PARTS: Final = 10  # of a life, in which the curve has a point each
_BLOCK: Final = 512  # lives at once


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
        {"within_a_life": plot(*panels), "one_life": _png(np.concatenate(drawn, axis=1))},
        (
            f"{lives} fresh lives of each agent, the same ones for all; a goal that is known is gone to by shortest walks",
            "one_life: the middle agent of each network, its walks from the first in light blue to the last in dark red.",
        ),
    )


def _judged(domain: MazeDomain, network: Network, maze: Batch, agents: Batch, seeds: torch.Tensor) -> _Judged:
    columns = {"reward": "reward", "first third": "first_third", "last third": "last_third"}
    rewards: dict[str, list[float]] = {name: [] for name in columns}
    by_part, lived = [], []
    for row in range(len(agents)):
        agent, parts = agents.take(torch.tensor([row])), []
        for block in torch.split(seeds, _BLOCK):
            pairs = Pairs.lives(Population((maze.to(agents.device),)), Population((agent,)), len(block))
            answer = domain.live(pairs, network, block, record=True)
            assert isinstance(answer, tuple), "a recorded life comes with its trajectory"
            parts.append(answer)
        for name, column in columns.items():
            rewards[name].append(float(torch.cat([scores.columns[column] for scores, _ in parts]).mean()))
        paid = torch.cat([life.rewards.double().cpu() for _, life in parts], dim=1).mean(dim=1)
        by_part.append([float(part.mean()) for part in paid.tensor_split(min(_PARTS, len(paid)))])
        lived.append(parts[0][1])
    whole = rewards["reward"]
    middle = sorted(range(len(whole)), key=whole.__getitem__)[len(whole) // 2]
    return _Judged({name: tuple(values) for name, values in rewards.items()}, np.array(by_part), lived[middle])


def _curve(judged: _Judged, steps: int) -> Curve:
    parts = judged.by_part.shape[1]
    return Curve((np.arange(parts) + 0.5) * steps / parts, judged.by_part)


def _panel(title: str, curves: dict[str, Curve]) -> Panel:
    return Panel(title, "step of a life", "reward a step", curves)


def _png(picture: NDArray[np.uint8]) -> bytes:
    content = io.BytesIO()
    Image.fromarray(picture).save(content, "png")
    return content.getvalue()
