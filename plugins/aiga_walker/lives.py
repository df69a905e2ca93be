"""What lives of walkers have in common whatever the physics; and lives in Box2D, one forward pass a step for all rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aiga import Batch, Network, Pairs, Percept, Population, Scores, Status, Stream, Trajectory
from aiga.data import Leaves
from aiga.streams import derive
from aiga_walker.terrain import PUSH, Terrain, terrains

if TYPE_CHECKING:
    from aiga_walker.env import Box2DStage

OBSERVATIONS: Final = 24
ACTIONS: Final = 4
BODIES: Final = 5

_STREAM = Stream(derive("walker", "push", 1))


def pushes(seeds: Tensor) -> list[float]:
    """The start push of each episode seed, uniform between -5 and 5 N."""
    return _STREAM.rows(seeds).uniform(low=-PUSH, high=PUSH).tolist()


def grounds(envs: Population) -> list[Terrain]:
    """The terrain of every row."""
    return [terrain for _, batch in envs.parts() for terrain in terrains(batch)]


@dataclass
class _Rows:
    """What becomes of ``P`` episodes, filled in while they are lived."""

    observation: NDArray[np.float32]
    reward: NDArray[np.float32]
    done: NDArray[np.bool_]
    total: list[float]
    length: list[int]
    finished: list[bool]
    status: list[Status]
    reasons: dict[int, str] = field(default_factory=dict)

    @staticmethod
    def of(count: int) -> _Rows:
        return _Rows(
            np.zeros((count, OBSERVATIONS), np.float32),
            np.zeros(count, np.float32),
            np.zeros(count, np.bool_),
            [0.0] * count,
            [0] * count,
            [False] * count,
            [Status.OK] * count,
        )

    def fail(self, row: int, status: Status, reason: str) -> None:
        self.status[row] = status
        self.reasons[row] = reason
        self.done[row] = True

    def scores(self) -> Scores:
        for row, total in enumerate(self.total):
            if self.status[row] is Status.OK and total != total:
                self.fail(row, Status.NAN, "the return is not a number")
        fitness = torch.tensor(self.total, dtype=torch.float64)
        status = torch.tensor([int(s) for s in self.status], dtype=torch.int64)
        fitness[status != int(Status.OK)] = torch.nan
        columns = {
            "fitness": fitness,
            "length": torch.tensor(self.length, dtype=torch.float64),
            "finished": torch.tensor(self.finished, dtype=torch.float64),
        }
        return Scores(columns, status, self.reasons, {"environment_steps": sum(self.length)})


class _Record:
    """The lives themselves, step by step; a row whose life is over repeats its last entry."""

    def __init__(self, count: int) -> None:
        self.last: dict[str, NDArray[np.generic]] = {
            "observations": np.zeros((count, OBSERVATIONS), np.float32),
            "actions": np.zeros((count, ACTIONS), np.float32),
            "rewards": np.zeros(count, np.float32),
            "done": np.zeros(count, np.bool_),
            "poses": np.zeros((count, BODIES, 3), np.float64),
        }
        self.steps: dict[str, list[NDArray[np.generic]]] = {name: [] for name in self.last}

    def add(self, alive: list[int], **now: NDArray[np.generic]) -> None:
        for name, values in now.items():
            self.last[name][alive] = values[alive]
            self.steps[name].append(self.last[name].copy())

    def trajectory(self) -> Trajectory:
        stacked = {
            name: torch.from_numpy(np.stack(steps) if steps else self.last[name][None][:0])
            for name, steps in self.steps.items()
        }
        return Trajectory(extras={"poses": stacked.pop("poses")}, **stacked)


def agents_of(pairs: Pairs) -> tuple[Batch, Tensor]:
    """The agents' one batch, and ``[P]`` the row of it that each pair names.

    Raises:
        ValueError: if the agents are not of one kind.
    """
    population, (where,) = Population.join(pairs.agents)
    if len(population.batches) != 1:
        raise ValueError(f"live takes agents of one kind, not of {len(population.batches)}")
    return population.batches[0].explicit(), where[pairs.agent]


class Moves(NamedTuple):
    """What a step of ``R`` rows came to: ``[R, 24]`` observations, ``[R]`` rewards, ends and finishes; failures by place."""

    observations: NDArray[np.float32]
    rewards: NDArray[np.float32]
    over: NDArray[np.bool_]
    finished: NDArray[np.bool_]
    failures: dict[int, str]


@torch.no_grad()
def live(
    pairs: Pairs, network: Network, seeds: Tensor, steps: int, stage: Box2DStage, record: bool = False
) -> tuple[Scores, Trajectory]:
    """One episode a pair.

    The batch keeps its full size to the end: a row whose life is over goes on being asked, and is not listened to, so that
    the bits of the others do not hang on who is left.

    Args:
        pairs: courses with agents of one kind.
        network: what the agents are made of.
        seeds: ``[P]`` int64 episode seeds.
        steps: the longest life.
        stage: where they live.
        record: keep the trajectory; else it is empty.

    Returns:
        Scores with ``fitness`` (the return), ``length`` (steps lived) and ``finished`` (1 at the end of the course); and the
        trajectory, whose ``poses`` ``[T, P, 5, 3]`` are x, y and angle of hull, thigh, shank, thigh and shank after each step.
    """
    agents, at = agents_of(pairs)
    leaves: Leaves = {name: leaf[at.to(leaf.device)] for name, leaf in agents.leaves.items()}
    device, count = agents.device, len(pairs)
    rows, kept = _Rows.of(count), _Record(count)
    terrains, which = courses_of(pairs)
    rows.observation[:], failures = stage.begin([terrains[course] for course in which.tolist()], pushes(seeds))
    for row, reason in failures.items():
        rows.fail(row, Status.ERROR, reason)
    life, action = network.newborn(leaves), torch.zeros(count, ACTIONS, device=device)
    for _ in range(steps):
        alive = np.flatnonzero(~rows.done).tolist()
        if not alive:
            break
        # Copies: a network may keep what it perceived.
        observation, reward, done = rows.observation.copy(), rows.reward.copy(), rows.done.copy()
        seen = [torch.from_numpy(array).to(device) for array in (observation, reward, done)]
        output, life = network.step(leaves, life, Percept(seen[0], seen[1], seen[2], action))
        action = output.action
        actions = action.detach().to("cpu", torch.float32).numpy()
        _step(rows, stage, alive, actions)
        if record:
            poses = np.zeros((count, BODIES, 3))
            poses[alive] = stage.poses(alive)
            kept.add(alive, observations=observation, actions=actions, rewards=rows.reward, done=rows.done, poses=poses)
        stage.end([row for row in alive if rows.done[row]])
    stage.end(np.flatnonzero(~rows.done).tolist())
    return rows.scores(), kept.trajectory()


def courses_of(pairs: Pairs) -> tuple[list[Terrain], Tensor]:
    """The terrain of every course that a pair names, once, and ``[P]`` which of them is each pair's."""
    used, env = torch.unique(pairs.env, return_inverse=True)
    envs, where = pairs.envs.take(used)
    return grounds(envs), where[env]


def _step(rows: _Rows, stage: Box2DStage, alive: list[int], actions: NDArray[np.float32]) -> None:
    wrong = np.logical_or.reduce(np.isnan(actions), axis=1)
    rows.reward[:] = 0.0
    for row in alive:
        if wrong[row]:
            rows.fail(row, Status.NAN, void(rows.length[row]))
    able = [row for row in alive if not wrong[row]]
    moves = stage.step(able, actions[able])
    for place, row in enumerate(able):
        if place in moves.failures:
            rows.fail(row, Status.ERROR, moves.failures[place])
            continue
        rows.observation[row] = moves.observations[place]
        rows.reward[row] = moves.rewards[place]
        rows.total[row] += float(moves.rewards[place])
        rows.length[row] += 1
        if moves.over[place]:
            rows.done[row] = True
            rows.finished[row] = bool(moves.finished[place])


def void(step: int) -> str:
    """Why a life ended whose action was NaN."""
    return f"the action of step {step} is not a number"
