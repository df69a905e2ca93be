"""How what is perceived reaches the units: by learned weights, or wired to units that are the answer too."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import one_hot, pad

from aiga import Percept, Space
from aiga.components import Layout, Structure
from aiga.data import Leaves
from aiga_plasticity.naming import name
from aiga_plasticity.products import Products, per_life

GAIN: Final = 20.0  # of additive inputs: a unit that perceives 1 or -1 is saturated (Miconi et al. 2018)
UNITS: Final = 100
CORE: Final = "core"
WIRINGS: Final = ("projected", "additive", "clamped")


class Entry(NamedTuple):
    """What is perceived, as it reaches the units of ``B`` lives in one step, or of ``P`` agents' ``E`` lives in ``T``.

    Attributes:
        drive: ``[B, G]`` or ``[P, T, E, G]`` added to what the units get from each other; None for nothing.
        hold: ``[B, N]`` or ``[P, T, E, N]``, 0 where a unit is free, else the activity it is held at; None where all are free.
    """

    drive: Tensor | None
    hold: Tensor | None

    def through(self, agents: int, steps: int) -> Entry:
        """What reaches the units in ``T`` steps, of what :meth:`Wiring.enter` made of ``P * T * E`` rows."""
        return Entry(*(None if part is None else part.reshape(agents, steps, -1, part.shape[1]) for part in self))

    @property
    def shape(self) -> tuple[int, int, int]:
        """``(P, T, E)``."""
        part = self.drive if self.hold is None else self.hold
        assert part is not None
        agents, steps, lives, _ = part.shape
        return agents, steps, lives

    def at(self, step: int) -> Entry:
        """One step of ``T``."""
        return Entry(*(None if part is None else part[:, step].flatten(0, 1) for part in self))

    def onto(self, activity: Tensor) -> Tensor:
        """``activity``, but for units that are held."""
        return activity if self.hold is None else torch.where(self.hold != 0, self.hold, activity)


@dataclass(frozen=True)
class Wiring:
    """What the tag of the core says.

    Attributes:
        mode: one of ``WIRINGS``.
        reward, action, target: whether the reward, the previous action and the target are perceived beside the observation;
            never where wired.
    """

    mode: str
    reward: bool
    action: bool
    target: bool

    @staticmethod
    def of(structure: Structure) -> Wiring:
        """That of a structure.

        Raises:
            ValueError: for a wiring there is not.
        """
        mode = structure["wiring"]
        if mode not in WIRINGS:
            raise ValueError(f"there is no wiring {mode!r}; there are {', '.join(WIRINGS)}")
        free = mode == "projected"
        # Agents of before there were targets have structures without one.
        target = structure.get("target", False)
        return Wiring(mode, free and structure["reward"], free and structure["previous_action"], free and target)

    @staticmethod
    def read(tag: str) -> Wiring:
        """That of a tag."""
        mode, *more = tag.split("+")
        return Wiring(mode, "reward" in more, "action" in more, "target" in more)

    @property
    def tag(self) -> str:
        """The reverse of :meth:`read`."""
        return "+".join([self.mode, *["reward"] * self.reward, *["action"] * self.action, *["target"] * self.target])

    @property
    def wired(self) -> bool:
        """Whether what is perceived has units of its own, one of them for a constant 1."""
        return self.mode != "projected"

    def features(self, inputs: Space, outputs: Space) -> int:
        """How many numbers are perceived."""
        return math.prod(inputs.shape) + self.wired + self.reward + (self.action + self.target) * math.prod(outputs.shape)

    def perceived(self, percept: Percept, axes: int, leaves: Leaves) -> Tensor:
        """``[..., F]`` of percepts with ``axes`` leading axes: the observation and, where wired, a constant 1; else the reward,
        the previous action and the target, zeros where the domain has none.
        """
        recurrent = leaves["core.recurrent"]
        observation = percept.observation.flatten(start_dim=axes).to(recurrent.dtype)
        lead, parts = observation.shape[:-1], [observation]
        if self.wired:
            return torch.cat([observation, observation.new_ones(*lead, 1)], dim=-1)
        if self.reward:
            reward = observation.new_zeros(lead) if percept.reward is None else percept.reward.to(recurrent.dtype)
            parts.append(reward[..., None])
        if self.action or self.target:
            # Both are of the outputs' shape.
            count = (leaves["core.input"].shape[-2] - observation.shape[-1] - self.reward) // (self.action + self.target)
            given = [*[percept.previous_action] * self.action, *[percept.target] * self.target]
            parts += [_vector(each, axes, count, observation) for each in given]
        return torch.cat(parts, dim=-1) if len(parts) > 1 else observation

    def enter(self, leaves: Leaves, seen: Tensor, products: Products) -> Entry:
        """How ``seen`` ``[B, F]``, of ``B`` lives or of ``B`` steps of lives, reaches ``G`` sums and ``N`` units."""
        recurrent, bias = leaves["core.recurrent"], leaves.get("core.bias")
        drive = hold = None
        if self.mode == "projected":
            drive = products.multiply(seen, leaves["core.input"])
        elif self.mode == "additive":
            drive = _padded(GAIN * seen, recurrent.shape[2])
        else:
            hold = _padded(seen, recurrent.shape[1])
        if bias is not None:
            drive = per_life(bias, len(seen)) if drive is None else drive + per_life(bias, len(seen))
        return Entry(drive, hold)


def units_of(component: str, structure: Structure, wiring: Wiring, inputs: Space, outputs: Space) -> int:
    """How many units a structure has.

    Raises:
        ValueError: where there are fewer than are wired, or a wired network cannot answer with the units it perceives by.
    """
    units = structure["units"]
    if len(outputs.shape) != 1:
        raise ValueError(f"{component} answers a vector, the domain asks for shape {tuple(outputs.shape)}")
    if not wiring.wired:
        return UNITS if units is None else int(units)
    seen, least = math.prod(inputs.shape), wiring.features(inputs, outputs)
    if outputs.shape[0] != seen:
        raise ValueError(
            f'{component} with wiring "{wiring.mode}" answers with the {seen} units that it perceives by; the domain asks for '
            f'{outputs.shape[0]} numbers. Write wiring = "projected".'
        )
    if units is not None and units < least:
        raise ValueError(
            f'{component} with wiring "{wiring.mode}" wires {least} units here, found units = {units}. '
            "Write at least as many, or leave units out."
        )
    return least if units is None else int(units)


def ends(structure: Structure, wiring: Wiring, units: int, outputs: Space) -> Layout:
    """Leaves that read the answer off the units: linear, tanh where actions lie between -1 and 1; and the value."""
    layout: Layout = {}
    if not wiring.wired:
        squash = "tanh" if (outputs.kind, outputs.low, outputs.high) == ("continuous", -1.0, 1.0) else "linear"
        layout[name("head", squash, "weight")] = (units, outputs.shape[0])
        layout[name("head", squash, "bias")] = (outputs.shape[0],)
    if structure["value"]:
        layout["value.weight"] = (units, 1)
        layout["value.bias"] = (1,)
    return layout


def _padded(seen: Tensor, count: int) -> Tensor:
    return seen if seen.shape[1] == count else pad(seen, (0, count - seen.shape[1]))


def _vector(action: Tensor | None, axes: int, count: int, like: Tensor) -> Tensor:
    """``[..., count]``: an action's numbers, or 1 at the place of one that is a number of a choice; a target's likewise."""
    if action is None:
        return like.new_zeros(*like.shape[:-1], count)
    if action.is_floating_point():
        return action.flatten(start_dim=axes).to(like.dtype)
    return one_hot(action, count).to(like.dtype)
