"""The experiment of CartPole: how long trained agents keep the pole up, in the plain task and in ones that are harder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from numpy.typing import NDArray

from aiga import Batch, Contestant, Network, Report, Stream, Trajectory
from aiga.plots import Curve, Panel, plot, png
from aiga.reports import same_lives
from aiga_cartpole.draw import course
from aiga_cartpole.render import passed

if TYPE_CHECKING:
    from aiga_cartpole.domain import CartPoleDomain

LIVES: Final = 200
_POINTS: Final = 50  # of a curve


@dataclass(frozen=True)
class _Judged:
    """What came of lives: the mean steps of each of ``P`` agents; ``[P, points]`` the share still up; a life."""

    steps: tuple[float, ...]
    standing: NDArray[np.float64]
    life: Trajectory  # whose first row is that of the middle agent


def report(
    domain: CartPoleDomain, start: Batch, contestants: Mapping[str, Contestant], rng: Stream, lives: int = LIVES
) -> Report:
    """Agents in lives in ``start``, where they were trained, and in the named environments, the same lives for all.

    Args:
        domain: where they live.
        start: one row.
        contestants: what is compared.
        rng: makes the lives.
        lives: of each agent in each environment.
    """
    from aiga_cartpole.domain import CartPoleDomain

    seeds = rng.child("lives").rows(torch.arange(lives)).words()
    greedy = CartPoleDomain(steps=domain.steps, actions="greedy")
    others = {name: domain.named(name) for name in domain.names if not torch.equal(domain.named(name).hashes, start.hashes)}
    rows: dict[str, dict[str, tuple[float, ...]]] = {}
    curves: dict[str, dict[str, Curve]] = {name: {} for name in ("as trained", *others)}
    drawn: list[NDArray[np.uint8]] = []
    for name, contestant in contestants.items():
        network, agents = contestant.network, contestant.agents
        judged = _judged(domain, network, start, agents, seeds)
        rows[name] = {"return": judged.steps, "return, greedy": _judged(greedy, network, start, agents, seeds).steps}
        curves["as trained"][name] = _curve(judged, domain.steps)
        places, angles, fallen = passed(judged.life)
        drawn.append(course(places, angles, domain.steps, fallen, name))
        for other, env in others.items():
            found = _judged(domain, network, env, agents, seeds)
            rows[name][other] = found.steps
            curves[other][name] = _curve(found, domain.steps)
        rows[name]["parameters"] = (float(contestant.parameters),)
    panels = [Panel(title, "step of a life", "lives still up", lines) for title, lines in curves.items()]
    return Report(
        f"cartpole: steps of a life of at most {domain.steps}",
        rows,
        {"standing": plot(*panels), "one_life": png(np.concatenate(drawn, axis=1))},
        (
            f"{lives} fresh lives of each agent in each environment, the same ones for all; actions are {domain.actions}",
            "one_life: the middle agent of each network, above the pole's angle, below the cart's place, between their limits; "
            "a fall is marked in red",
        ),
    )


def _judged(domain: CartPoleDomain, network: Network, env: Batch, agents: Batch, seeds: torch.Tensor) -> _Judged:
    parts, count = list(same_lives(domain, network, agents, env, seeds)), len(agents)
    lived = torch.cat([scores.fitness.cpu().reshape(count, -1) for scores, _ in parts], dim=1)  # [A, L]
    steps = tuple(lived.mean(dim=1).tolist())
    line = torch.from_numpy(_line(domain.steps))
    standing = (lived[:, :, None] >= line).double().mean(dim=1)
    middle = sorted(range(count), key=steps.__getitem__)[count // 2]
    first = middle * (len(parts[0][0].fitness) // count)
    return _Judged(steps, standing.numpy(), parts[0][1].take(torch.tensor([first])))


def _line(steps: int) -> NDArray[np.float64]:
    return np.linspace(0.0, steps, min(_POINTS, steps) + 1)


def _curve(judged: _Judged, steps: int) -> Curve:
    return Curve(_line(steps), judged.standing)
