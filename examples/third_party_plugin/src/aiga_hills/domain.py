"""The domain ``hills``: a cart whose engine is too weak for the steepest slopes, so that it must gather speed.

A double integrator on a slope, as the mountain car (Moore 1990), over a track that mutation shapes. All lives of a batch take
their steps together, as tensor operations on the device that the agents are on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from aiga import Batch, Network, Pairs, Percept, Scores, Space, Stream, Trajectory
from aiga_hills import track

DT = 0.1  # s
GRAVITY = 2.0  # m/s2: the engine's 1 m/s2 holds a slope of up to 0.58
FRICTION = 0.1  # 1/s
FRONT = (0.0, 0.5, 1.0, 2.0)  # m: where the cart sees the slope, from itself onwards
ARRIVED, EARLY = 280.0, 40.0  # most that the way to the flag, and the time left there, are worth


class HillsDomain:
    """Tracks and lives; implements :class:`aiga.Domain`.

    Fitness is 280 for the way from start to flag (its share, where the cart ends; negative behind the start), and at the flag
    up to 40 for the time left. So POET's criterion of 50 to 300 keeps tracks that are neither hopeless nor quickly done.

    Args:
        steps: the longest life, in steps of 0.1 s.
    """

    version = track.VERSION
    solved = 230.0
    inputs = Space((3 + len(FRONT),))
    outputs = Space((1,), "continuous", -1.0, 1.0)
    parallelism: Literal["serial", "threads", "device"] = "device"

    def __init__(self, steps: int = 120) -> None:
        self.steps = steps

    def initial(self, rng: Stream, count: int) -> Batch:
        """``count`` level tracks."""
        return track.level(count)

    def mutate(self, rng: Stream, parents: Batch) -> Batch:
        """One child a row."""
        return track.mutate(rng, parents)

    def describe(self, envs: Batch) -> Tensor:
        """``[B, 4]``, see :func:`aiga_hills.track.describe`."""
        return track.describe(envs)

    def distance(self, a: Batch, b: Batch) -> Tensor:
        """``[A, B]``, see :func:`aiga_hills.track.distance`."""
        return track.distance(a, b)

    def live(self, pairs: Pairs, network: Network, seeds: Tensor, record: bool = False) -> Scores | tuple[Scores, Trajectory]:
        """One life a pair; the seed decides where the cart starts, up to 0.2 m off, and how the wind blows."""
        envs, env = pairs.envs.take(pairs.env)
        agents, agent = pairs.agents.take(pairs.agent)
        device = agents.batches[0].device
        leaves = {name: leaf[agent.to(device)] for name, leaf in agents.batches[0].leaves.items()}
        slope, wind = (envs.batches[0].leaves[name][env].to(device) for name in ("slope", "wind"))
        chance = Stream(0).rows(seeds)
        x = chance.child("start").uniform(1, low=-0.2, high=0.2, device=device)[:, 0]
        gusts = chance.child("wind").uniform(self.steps, low=-1.0, high=1.0, device=device) * wind[:, None]
        v, took = torch.zeros_like(x), torch.zeros(len(x), dtype=torch.int64, device=device)
        life, frames = network.newborn(leaves), []
        for step in range(self.steps):
            running = x < track.FLAG
            if not bool(running.any()):
                break
            seen = observe(slope, x, v)
            output, life = network.step(leaves, life, Percept(seen.float()))
            thrust = output.action[:, 0].double().clamp(-1.0, 1.0)
            new_x, new_v = move(slope, x, v, thrust + gusts[:, step])
            gain = (new_x - x) * (ARRIVED / track.FLAG)
            x, v = torch.where(running, new_x, x), torch.where(running, new_v, v)
            took = took + running
            if record:
                frames.append((seen, thrust[:, None], torch.where(running, gain, 0.0), x >= track.FLAG, x))
        arrived = x >= track.FLAG
        fitness = x * (ARRIVED / track.FLAG) + torch.where(arrived, EARLY * (self.steps - took) / self.steps, 0.0)
        scores = Scores.of(fitness, {"environment_steps": int(took.sum())}, arrived=arrived.double())
        return (scores, trajectory(frames)) if record else scores


def observe(slope: Tensor, x: Tensor, v: Tensor) -> Tensor:
    """``[B, 7]``: way to the flag, speed, one, and the slope here and ahead; all near the range -1 to 1."""
    ahead = slope_ahead(slope, x)
    return torch.cat([torch.stack([(track.FLAG - x) / track.FLAG, v / 3.0, torch.ones_like(x)], dim=1), ahead], dim=1)


def slope_ahead(slope: Tensor, x: Tensor) -> Tensor:
    """``[B, 4]``: slope at :data:`FRONT`."""
    return track.slope_at(slope, x[:, None] + x.new_tensor(FRONT))


def move(slope: Tensor, x: Tensor, v: Tensor, push: Tensor) -> tuple[Tensor, Tensor]:
    """Where each cart is after one step, and how fast; it stops at the wall and comes no further than the flag."""
    here = track.slope_at(slope, x)
    # Roots and quotients are rounded correctly: a row has the same bits in any place, which a sine would not promise.
    pull = GRAVITY * here / (1.0 + here * here).sqrt()
    v = v + DT * (push - pull - FRICTION * v)
    x = x + DT * v
    v = torch.where(x < track.WALL, 0.0, v)
    return x.clamp(track.WALL, track.FLAG), v


def trajectory(frames: Sequence[tuple[Tensor, ...]]) -> Trajectory:
    """``[T, P, ...]`` of the recorded steps, on the host."""
    observations, actions, rewards, done, x = (torch.stack(column).cpu() for column in zip(*frames, strict=True))
    return Trajectory(observations, actions, rewards, done, {"x": x})
