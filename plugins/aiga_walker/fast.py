"""Whole lives in the compiled simulator with the policy inside it, and for which networks that is.

Which path serves a network follows from the network: one that can say itself as layers (``layers``, see
:class:`aiga.Network`) is computed inside, lane beside lane; any other steps from torch, see :mod:`aiga_walker.stepped`. The two
round differently, and walking is chaotic: the same agent lives another life on the other path. A run keeps to the path that it
started with.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aiga import Dense, Network, Pairs, Scores, Status, Trajectory
from aiga_walker.lives import ACTIONS, OBSERVATIONS, agents_of, courses_of, pushes, void
from aiga_walker.physics import policy, senses
from aiga_walker.physics.engine import Lives, Policies
from aiga_walker.physics.entries import VOID
from aiga_walker.physics.ground import Ground
from aiga_walker.stepped import CROWDED
from aiga_walker.terrain import Terrain

Path = Literal["fused", "stepped"]
_ACTIVATIONS: Final = {"identity": policy.IDENTITY, "tanh": policy.TANH, "relu": policy.RELU}


class Simulator(Protocol):
    """The compiled simulator, on the processor or on a device; see :class:`aiga_walker.physics.engine.Engine`."""

    def ground(self, terrains: Sequence[Terrain]) -> Ground:
        """Courses as the kernels read them."""
        ...

    def rollout(
        self,
        ground: Ground,
        courses: Any,
        pushes: Any,
        agents: Any,
        policies: Policies,
        limit: int,
        record: bool = False,
        threads: int = 1,
    ) -> Lives:
        """Whole lives."""
        ...


def path_of(network: Network) -> Path:
    """How agents of ``network`` live: ``fused`` in the simulator, or ``stepped`` from torch."""
    return "fused" if hasattr(network, "layers") else "stepped"


def policies_of(layers: Sequence[Dense]) -> Policies:
    """Agents as the simulator reads them.

    Args:
        layers: of ``A`` agents, first to last: ``bias`` ``[A, out]``, ``weight`` ``[A, in, out]`` and an activation; on a
            device they stay there.

    Raises:
        ValueError: for an activation that there is not, or layers that make no actions of observations.
    """
    shapes, parts = [], []
    given = OBSERVATIONS
    for number, (bias, weight, activation) in enumerate(layers, 1):
        count, units = weight.shape[1:]
        if count != given:
            before = f"layer {number - 1} gives" if number > 1 else "an observation has"
            raise ValueError(f"layer {number} takes {count} numbers; {before} {given}")
        given = units
        padded = -(-units // policy.PADDED) * policy.PADDED
        if activation not in _ACTIVATIONS:
            raise ValueError(f"found activation {activation!r}; layers have one of {', '.join(_ACTIVATIONS)}")
        shapes += [count, padded, _ACTIVATIONS[activation]]
        part = torch.zeros(len(bias), count + 1, padded, dtype=torch.float32, device=bias.device)
        part[:, 0, :units], part[:, 1:, :units] = bias, weight
        parts.append(part.flatten(start_dim=1))
    if not layers or shapes[0] != OBSERVATIONS or layers[-1].bias.shape[1] != ACTIONS:
        ends = f"{shapes[0]} to {layers[-1].bias.shape[1]}" if layers else "none"
        raise ValueError(f"layers must lead from {OBSERVATIONS} observations to {ACTIONS} actions; found {ends}")
    params = torch.cat(parts, dim=1).contiguous()
    flat = params.reshape(-1)
    return Policies(flat if flat.is_cuda else flat.numpy(), params.shape[1], np.array(shapes, np.int64))


@torch.no_grad()
def live_fused(
    pairs: Pairs, policies: Policies, seeds: Tensor, steps: int, engine: Simulator, threads: int, record: bool
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
