"""Lives under any network, whatever the physics: a forward pass and a step of a herd of walkers, for all rows at once.

The batch keeps its full size to the end: a row whose life is over goes on being asked, and is not listened to, so that the bits
of the others do not hang on who is left. Nothing is looked at row by row, and on a device nothing is fetched from it but now
and then which lives go on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

import torch
from torch import Tensor

from aiga import Network, Pairs, Percept, Scores, Trajectory
from aiga.data import Leaves
from aiga_walker.lives import ACTIONS, CROWDED, courses_of, pushes, scores
from aiga_walker.physics import layout as at
from aiga_walker.terrain import Terrain

if TYPE_CHECKING:
    from aiga_walker.physics.engine import Engine

_LOOK: Final = 32  # steps on a device after which the host asks who still lives: each time it waits for the device


class Herd(Protocol):
    """``P`` walkers that are stepped with actions from outside, and their tensors.

    Attributes:
        seen: ``[P, 24]`` float32, observations.
        rewards: ``[P]`` float32, of the last step.
        ends: ``[P]`` int32, flags of :mod:`aiga_walker.physics.layout`: whether and how the last step ended a life.
    """

    seen: Tensor
    rewards: Tensor
    ends: Tensor

    def begin(self, rows: Any, terrains: Sequence[Terrain], pushes: Any) -> None:
        """New lives in ``rows``, on these courses, with pushes in N."""
        ...

    def step(self, rows: Tensor, actions: Tensor) -> None:
        """One step of ``rows`` with ``[len(rows), 4]`` float32 actions, none of them NaN."""
        ...

    def poses(self) -> Tensor:
        """``[P, 5, 3]``: x and y in m and angle in rad of hull, thigh, shank, thigh, shank."""
        ...

    def why(self, row: int) -> str:
        """What happened to a row that is ``LOST``."""
        ...


class HostHerd:
    """A herd on the processor, in tensors that share its memory; a :class:`Herd`.

    Args:
        engine: the simulator.
        count: ``P``.
        threads: how many work on a step.
    """

    def __init__(self, engine: Engine, count: int, threads: int) -> None:
        self.herd, self._threads = engine.herd(count), threads
        self.seen, self.rewards = torch.from_numpy(self.herd.seen), torch.from_numpy(self.herd.rewards)
        self.ends = torch.from_numpy(self.herd.ends)

    def begin(self, rows: Any, terrains: Sequence[Terrain], pushes: Any) -> None:
        self.herd.begin(rows, terrains, pushes)

    def step(self, rows: Tensor, actions: Tensor) -> None:
        self.herd.step(rows.numpy(), actions.numpy(), self._threads)

    def poses(self) -> Tensor:
        return torch.from_numpy(self.herd.poses())

    def why(self, row: int) -> str:
        return CROWDED


@dataclass
class _Lives:
    """What becomes of ``P`` lives, all on the herd's device."""

    observation: Tensor
    reward: Tensor
    done: Tensor
    total: Tensor
    length: Tensor
    finished: Tensor
    lost: Tensor
    void: Tensor

    @classmethod
    def begun(cls, herd: Herd) -> _Lives:
        lost = herd.ends & at.LOST != 0
        seen, zeros = torch.where(lost[:, None], 0.0, herd.seen), torch.zeros_like(herd.rewards)
        return cls(seen, zeros, lost, zeros.double(), zeros.long(), zeros.bool(), lost, zeros.bool())

    def take(self, herd: Herd, empty: Tensor) -> None:
        """What a step brought to all who lived, and did not answer with ``empty`` actions."""
        lived = ~self.done & ~empty
        lost = lived & (herd.ends & at.LOST != 0)
        lived = lived & ~lost
        over = lived & (herd.ends & at.OVER != 0)
        self.observation = torch.where(lived[:, None], herd.seen, self.observation)
        self.reward = torch.where(lived, herd.rewards, 0.0)
        self.total = self.total + self.reward.double()
        self.length = self.length + lived
        self.finished = self.finished | (over & (herd.ends & at.FINISHED != 0))
        self.lost, self.void = self.lost | lost, self.void | empty
        self.done = self.done | empty | lost | over


class _Record:
    """Lives step by step; a row whose life is over repeats its last entry."""

    def __init__(self, herd: Herd, lives: _Lives) -> None:
        zeros = torch.zeros_like
        self._last = {
            "observations": zeros(lives.observation),
            "actions": lives.observation.new_zeros(len(lives.done), ACTIONS),
            "rewards": zeros(lives.reward),
            "done": zeros(lives.done),
            "poses": zeros(herd.poses(), dtype=torch.float64),
        }
        self._steps: dict[str, list[Tensor]] = {name: [] for name in self._last}

    def add(self, alive: Tensor, **now: Tensor) -> None:
        for name, values in now.items():
            last = self._last[name]
            self._last[name] = torch.where(alive.reshape(-1, *[1] * (last.dim() - 1)), values, last)
            self._steps[name].append(self._last[name])

    def trajectory(self) -> Trajectory:
        stacked = {
            name: torch.stack(steps).cpu() if steps else self._last[name][None][:0].cpu() for name, steps in self._steps.items()
        }
        return Trajectory(extras={"poses": stacked.pop("poses")}, **stacked)


@torch.no_grad()
def live_stepped(
    pairs: Pairs, network: Network, seeds: Tensor, steps: int, herd: Herd, record: bool = False
) -> tuple[Scores, Trajectory | None]:
    """One episode a pair.

    Args:
        pairs: ``P`` courses with agents of one kind.
        network: what the agents are made of; computed on their device.
        seeds: ``[P]`` int64; they fix the start push.
        steps: the longest life.
        herd: ``P`` walkers.
        record: keep the trajectory.

    Returns:
        Scores, see :func:`aiga_walker.lives.scores`; and the trajectory where it is kept, whose ``poses`` ``[T, P, 5, 3]`` are
        those of the herd after each step.
    """
    agents, agent = pairs.agents_of_one_kind()
    leaves: Leaves = {name: leaf[agent.to(leaf.device)] for name, leaf in agents.leaves.items()}
    device, here = agents.device, herd.seen.device
    terrains, which = courses_of(pairs)
    rows = torch.arange(len(pairs), device=here)
    herd.begin(rows, [terrains[course] for course in which.tolist()], pushes(seeds))
    lives = _Lives.begun(herd)
    kept = _Record(herd, lives) if record else None
    life, action = network.newborn(leaves), torch.zeros(len(pairs), ACTIONS, device=device)
    for step in range(steps):
        if here.type == "cpu" or step % _LOOK == 0:
            rows = torch.nonzero(~lives.done).flatten()
            if not len(rows):
                break
        alive, observation = ~lives.done, lives.observation
        percept = Percept(observation.to(device), lives.reward.to(device), lives.done.to(device), action)
        output, life = network.step(leaves, life, percept)
        action = output.action
        actions = action.to(here, torch.float32)
        empty = actions.isnan().any(dim=1) & alive
        # Who is over, or has nothing to act with, may be stepped on too: nobody looks at what comes of it.
        acting = rows[~empty[rows]] if here.type == "cpu" else rows
        herd.step(acting, actions[acting].nan_to_num())
        lives.take(herd, empty)
        if kept is not None:
            poses = herd.poses().double()
            kept.add(alive, observations=observation, actions=actions, rewards=lives.reward, done=lives.done, poses=poses)
    made = scores(lives.total, lives.length, lives.finished, lives.lost, lives.void, herd.why)
    return made, None if kept is None else kept.trajectory()
