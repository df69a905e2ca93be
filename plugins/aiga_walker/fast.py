"""Lives in the compiled simulator: whole ones with the policy inside it, or step by step under any network.

Which of the two serves a network follows from the network: one that can say itself as layers (``layers``, see
:class:`aiga.Network`) is computed inside, lane beside lane. The two round differently, and walking is chaotic: the same agent
lives another life on the other path. A run keeps to the path that it started with.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aiga import Dense, Network, Pairs, Scores, Status, Trajectory
from aiga_walker.lives import ACTIONS, OBSERVATIONS, Moves, agents_of, courses_of, pushes, void
from aiga_walker.physics import policy, senses
from aiga_walker.physics.engine import Engine, Herd, Lives, Policies
from aiga_walker.physics.entries import VOID
from aiga_walker.terrain import Terrain

Path = Literal["fused", "stepped"]
CROWDED: Final = "the walker touches more pieces of ground at once than the simulator has room for"
_ACTIVATIONS: Final = {"identity": policy.IDENTITY, "tanh": policy.TANH, "relu": policy.RELU}


def path_of(network: Network) -> Path:
    """How agents of ``network`` live: ``fused`` in the simulator, or ``stepped`` from torch."""
    return "fused" if hasattr(network, "layers") else "stepped"


def policies_of(layers: Sequence[Dense]) -> Policies:
    """Agents as the simulator reads them.

    Args:
        layers: of ``A`` agents, first to last: ``bias`` ``[A, out]``, ``weight`` ``[A, in, out]`` and an activation.

    Raises:
        ValueError: for an activation that there is not, or layers that make no actions of observations.
    """
    shapes, parts = [], []
    for bias, weight, activation in layers:
        count, units = weight.shape[1:]
        padded = -(-units // policy.PADDED) * policy.PADDED
        if activation not in _ACTIVATIONS:
            raise ValueError(f"found activation {activation!r}; layers have one of {', '.join(_ACTIVATIONS)}")
        shapes += [count, padded, _ACTIVATIONS[activation]]
        part = torch.zeros(len(bias), count + 1, padded, dtype=torch.float32)
        part[:, 0, :units], part[:, 1:, :units] = bias, weight
        parts.append(part.flatten(start_dim=1))
    if not layers or shapes[0] != OBSERVATIONS or layers[-1].bias.shape[1] != ACTIONS:
        ends = f"{shapes[0]} to {layers[-1].bias.shape[1]}" if layers else "none"
        raise ValueError(f"layers must lead from {OBSERVATIONS} observations to {ACTIONS} actions; found {ends}")
    params = torch.cat(parts, dim=1).contiguous()
    return Policies(params.numpy().reshape(-1), params.shape[1], np.array(shapes, np.int64))


@torch.no_grad()
def live_fused(
    pairs: Pairs, policies: Policies, seeds: Tensor, steps: int, engine: Engine, threads: int, record: bool
) -> tuple[Scores, Trajectory | None]:
    """One episode a pair, policy and all in the simulator; see :func:`aiga_walker.lives.live`."""
    _, agent = agents_of(pairs)
    terrains, course = courses_of(pairs)
    lives = engine.rollout(
        engine.ground(terrains), course.numpy(), pushes(seeds), agent.cpu().numpy(), policies, steps, record, threads
    )
    return _scores(lives), _trajectory(lives) if record else None


def _scores(lives: Lives) -> Scores:
    fitness = torch.from_numpy(lives.totals)
    status = torch.full((len(fitness),), int(Status.OK), dtype=torch.int64)
    reasons: dict[int, str] = {}
    wrong = np.flatnonzero((lives.fates & (VOID | senses.LOST) != 0) | np.isnan(lives.totals))
    for row in wrong.tolist():
        if lives.fates[row] & senses.LOST:
            status[row], reasons[row] = int(Status.ERROR), CROWDED
        elif lives.fates[row] & VOID:
            status[row], reasons[row] = int(Status.NAN), void(int(lives.lengths[row]))
        else:
            status[row], reasons[row] = int(Status.NAN), "the return is not a number"
    fitness[status != int(Status.OK)] = torch.nan
    columns = {
        "fitness": fitness,
        "length": torch.from_numpy(lives.lengths).double(),
        "finished": torch.from_numpy((lives.fates & senses.FINISHED != 0).astype(np.float64)),
    }
    return Scores(columns, status, reasons, {"environment_steps": int(lives.lengths.sum())})


def _trajectory(lives: Lives) -> Trajectory:
    """Steps first; a row whose life is over repeats its last entry."""
    length = int(lives.lengths.max(initial=0))
    step = np.minimum(np.arange(length)[:, None], np.maximum(lives.lengths - 1, 0)[None])

    def of(values: NDArray[Any]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values[np.arange(len(lives.lengths))[None], step]))

    over = (lives.fates & (senses.OVER | VOID) != 0)[None] & (step == lives.lengths[None] - 1)
    return Trajectory(
        observations=of(lives.observations),
        actions=of(lives.actions),
        rewards=of(lives.rewards),
        done=torch.from_numpy(over),
        extras={"poses": of(lives.poses).double()},
    )


class FastStage:
    """Walkers of a herd, stepped together; a :class:`aiga_walker.lives.Stage`.

    Args:
        engine: the simulator.
        threads: how many work on a step.
    """

    def __init__(self, engine: Engine, threads: int) -> None:
        self._engine, self._threads = engine, threads
        self._herd: Herd | None = None

    def begin(self, terrains: list[Terrain], pushes: list[float]) -> tuple[NDArray[np.float32], dict[int, str]]:
        """Starts every life."""
        self._herd = herd = self._engine.herd(len(terrains))
        herd.begin(np.arange(len(terrains)), terrains, pushes)
        return herd.seen.copy(), _crowded(herd.ends)

    def step(self, rows: list[int], actions: NDArray[np.float32]) -> Moves:
        """One step of some rows."""
        herd = self._herd
        assert herd is not None
        herd.step(rows, actions, self._threads)
        ends = herd.ends[rows]
        over, finished = ends & senses.OVER != 0, ends & senses.FINISHED != 0
        return Moves(herd.seen[rows], herd.rewards[rows], over, finished, _crowded(ends))

    def poses(self, rows: list[int]) -> NDArray[np.float64]:
        """Where the bodies of some rows are."""
        assert self._herd is not None
        return self._herd.poses()[rows].astype(np.float64)

    def end(self, rows: list[int]) -> None:
        """Nothing: arrays stay for the next lives."""


def _crowded(ends: NDArray[np.int32]) -> dict[int, str]:
    return {int(place): CROWDED for place in np.flatnonzero(ends & senses.LOST)}
