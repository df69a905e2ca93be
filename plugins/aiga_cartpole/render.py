"""What the plugin ``cartpole`` draws: carts with poles as their genes make them, a life along time, a life as an animation."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from aiga import Batch, Subject, Trajectory
from aiga_cartpole import genome
from aiga_cartpole.draw import Picture, Stage, course

MOST_FRAMES: Final = 250
LEANING: Final = 0.1  # radians, of a pole that nobody balances


def render(subject: Subject) -> Any:
    """Draws ``subject``; None where it is not of this domain, or a trajectory is missing."""
    batches = subject.envs.batches
    if not batches or any(batch.kind.component != "cartpole" for batch in batches):
        return None
    if subject.what == "environments":
        return [stage.frame(0.0, LEANING) for batch in batches for stage in stages(batch, subject.caption)]
    life = subject.trajectory
    if life is None or "state" not in life.extras or subject.what not in ("lifetime", "animation"):
        return None
    places, angles, fallen = passed(life)
    if subject.what == "lifetime":
        return course(places, angles, len(places), fallen, subject.caption)
    (stage,) = stages(batches[0].take(torch.zeros(1, dtype=torch.int64)), subject.caption)
    return animation(stage, places, angles, fallen)


def stages(envs: Batch, caption: str) -> list[Stage]:
    """One for each environment."""
    physics = {name: value.tolist() for name, value in genome.physics(envs.to("cpu")).items()}
    rows = zip(physics["pole_length"], physics["pole_mass"], physics["cart_mass"], strict=True)
    return [Stage(length, pole, cart, caption) for length, pole, cart in rows]


def passed(life: Trajectory) -> tuple[NDArray[np.float64], NDArray[np.float64], bool]:
    """The first life's places and angles, birth and end included, and whether the end was a fall."""
    after, fallen = life.extras["state"][:, 0].cpu(), life.extras["fallen"][:, 0].cpu()
    steps = int((~life.done[:, 0]).sum()) + 1
    states = torch.cat([life.observations[:1, 0].double().cpu(), after])[: steps + 1].numpy()
    return states[:, 0], states[:, 2], bool(fallen[steps - 1])


def animation(stage: Stage, places: NDArray[np.float64], angles: NDArray[np.float64], fallen: bool) -> NDArray[np.uint8]:
    """``[N, H, W, 3]``: a frame a step, of a longer life fewer, and always the last one, with the steps lived."""
    last = len(places) - 1
    chosen = [*range(0, last, -(-last // MOST_FRAMES)), last]
    frames: list[Picture] = [
        stage.frame(float(places[step]), float(angles[step]), str(step), fallen and step == last) for step in chosen
    ]
    return np.stack(frames)
