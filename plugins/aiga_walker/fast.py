"""Whole lives in the compiled simulator with the policy inside it, and for which networks that is.

Which path serves a network follows from the network: one that can say itself as layers (``layers``, see
:class:`aiga.Network`) is computed inside, lane beside lane; any other steps from torch, see :mod:`aiga_walker.stepped`. The two
round differently, and walking is chaotic: the same agent lives another life on the other path. A run keeps to the path that it
started with.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aiga import Dense, Network, Pairs, Scores, Trajectory
from aiga_walker.lives import ACTIONS, CROWDED, OBSERVATIONS, courses_of, pushes, scores
from aiga_walker.physics import layout as at
from aiga_walker.physics import policy
from aiga_walker.physics.engine import Engine, Lives, Policies
from aiga_walker.physics.entries import VOID

if TYPE_CHECKING:
    from aiga_walker.physics.cuda_engine import CudaEngine

Path = Literal["fused", "stepped"]
_ACTIVATIONS: Final = {"identity": policy.IDENTITY, "tanh": policy.TANH, "relu": policy.RELU}


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
    pairs: Pairs, network: Network, seeds: Tensor, steps: int, engine: Engine | CudaEngine, threads: int, record: bool = False
) -> tuple[Scores, Trajectory | None]:
    """One episode a pair, policy and all in the simulator; see :func:`aiga_walker.stepped.live_stepped`.

    Args:
        pairs: courses with agents of one kind.
        network: one with ``layers``.
        seeds: ``[P]`` int64; they fix the start push.
        steps: the longest life.
        engine: the simulator, of the processor or of a device.
        threads: how many of the processor's work on it.
        record: keep the trajectory.
    """
    agents, agent = pairs.agents_of_one_kind()
    policies = policies_of(network.layers(agents.leaves))  # type: ignore[attr-defined]
    terrains, course = courses_of(pairs)
    lives = engine.rollout(
        engine.ground(terrains), course.numpy(), pushes(seeds), agent.numpy(), policies, steps, record, threads
    )
    total, length, fate = (torch.from_numpy(part) for part in (lives.totals, lives.lengths, lives.fates))
    finished, lost, void = (fate & flag != 0 for flag in (at.FINISHED, at.LOST, VOID))
    return scores(total, length, finished, lost, void, lambda _: CROWDED), _trajectory(lives) if record else None


def _trajectory(lives: Lives) -> Trajectory:
    """Steps first; a row whose life is over repeats its last entry."""
    length = int(lives.lengths.max(initial=0))
    step = np.minimum(np.arange(length)[:, None], np.maximum(lives.lengths - 1, 0)[None])

    def of(values: NDArray[Any]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values[np.arange(len(lives.lengths))[None], step]))

    over = (lives.fates & (at.OVER | VOID) != 0)[None] & (step == lives.lengths[None] - 1)
    return Trajectory(
        observations=of(lives.observations),
        actions=of(lives.actions),
        rewards=of(lives.rewards),
        done=torch.from_numpy(over),
        extras={"poses": of(lives.poses).double()},
    )
