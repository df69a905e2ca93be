"""Carts with poles on them, in lockstep: the equations of Barto, Sutton and Anderson (1983) without friction, by Euler.

They are those of Gymnasium's ``CartPole-v1``, in float64 as there, and in its order of operations. Sines are sums of products,
whose bits are the same on any device and in any company; they are within a rounding of the machine's own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

import torch
from torch import Tensor

from aiga import Stream
from aiga.streams import derive

TAU: Final = 0.02  # seconds of a step
TRACK: Final = 2.4  # metres from the middle to either end
LEAN: Final = 12 * 2 * math.pi / 360  # radians from upright at which a pole counts as fallen

_CHANCE: Final = Stream(derive("cartpole", "life", 1))
# What is left of a sine by its angle and of a cosine after their first terms, by the square of the angle: highest powers first.
# Within 0.21 radians the next terms are below a rounding.
_SERIES: Final = (
    (0.0, *((-1) ** k / math.factorial(2 * k + 1) for k in range(5, 0, -1))),
    tuple((-1) ** k / math.factorial(2 * k) for k in range(6, 0, -1)),
)


class Carts:
    """``P`` carts.

    Args:
        physics: ``[P]`` float64 by name, see :func:`aiga_cartpole.genome.physics`.
        state: ``[4, P]`` float64: the cart's place (m) and speed (m/s), the pole's angle (rad, to the right) and its speed.

    Attributes:
        state: as it is now; that of a fallen pole stays as it fell.
        fallen: ``[P]`` bool: the pole leans too far, or the cart has left its track.
    """

    def __init__(self, physics: Mapping[str, Tensor], state: Tensor) -> None:
        self.state = state
        self._gravity, self._right, self._left = physics["gravity"], physics["force"], -physics["force"]
        self._pole, self._length = physics["pole_mass"], physics["pole_length"]
        self._mass, self._moment = physics["pole_mass"] + physics["cart_mass"], physics["pole_mass"] * physics["pole_length"]
        self._series = torch.tensor(_SERIES, dtype=torch.float64, device=state.device).T[:, :, None].unbind(dim=0)
        self._limits = torch.tensor([[TRACK], [LEAN]], dtype=torch.float64, device=state.device)
        self.fallen = self._beyond()
        self._tau = torch.full_like(self._mass, TAU).masked_fill(self.fallen, 0.0)

    def push(self, right: Tensor) -> None:
        """A step in which every cart is pushed, to the right where ``right`` ``[P]`` bool says so, else to the left."""
        _, speed, angle, turning = self.state.unbind(dim=0)
        sine, cosine = self._sines(angle)
        force = torch.where(right, self._right, self._left)
        pull = (force + self._moment * turning.square() * sine) / self._mass
        turn = (self._gravity * sine - cosine * pull) / (self._length * (4.0 / 3.0 - self._pole * cosine.square() / self._mass))
        drive = pull - self._moment * turn * cosine / self._mass
        self.state = self.state + self._tau * torch.stack((speed, drive, turning, turn))
        self.fallen = self._beyond()
        self._tau = self._tau.masked_fill(self.fallen, 0.0)

    def _sines(self, angle: Tensor) -> tuple[Tensor, Tensor]:
        square = angle * angle
        rest = self._series[0]
        for coefficient in self._series[1:]:
            rest = rest * square + coefficient
        rest = rest * square
        return angle + angle * rest[0], rest[1] + 1.0

    def _beyond(self) -> Tensor:
        return (self.state[::2].abs() > self._limits).any(dim=0)


def born(spread: Tensor, seeds: Tensor) -> Tensor:
    """``[4, P]`` float64 states at birth: numbers at most ``spread`` ``[P]`` from zero, drawn evenly by ``seeds`` ``[P]``."""
    return (_CHANCE.rows(seeds).uniform(4, low=-1.0, high=1.0, device=spread.device) * spread[:, None]).T.contiguous()
