"""Teachers of several niches side by side: each makes up lives, and what to answer in them, from latents of its own."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

import aiga
from aiga.adam import Columns, descend, start_adam
from aiga.crossing import onto
from aiga.data import Leaves, flatten, unflatten
from aiga_gtn.niches.doings import Doings
from aiga_gtn.niches.options import GtnNichesOptions

SLOPE = 0.1


@dataclass(frozen=True)
class Lessons:
    """What learners are shown, and how large their steps are.

    Attributes:
        shown: ``S`` lessons of ``P`` learners, one for each step of gradient descent.
        rate: ``[P, S]``.
        momentum: ``[P, S]``.
    """

    shown: tuple[Doings, ...]
    rate: Tensor
    momentum: Tensor

    def of(self, rows: Tensor) -> Lessons:
        """Those of these of ``P`` learners."""
        return Lessons(tuple(each.of(rows) for each in self.shown), self.rate[rows], self.momentum[rows])


@dataclass(frozen=True)
class Teachers:
    """``N`` teachers.

    Attributes:
        keys: ``[N]`` int64 of their niches.
        leaves: ``[N, ...]``, what is learned.
        centre, spread: ``[N, F]``, mean and deviation of what the niche's agent perceived when the teacher was made: the units
            of what it shows.
        adam: Adam's state, one row a teacher.
        age: ``[N]`` int64, outer steps so far, but for those in which it stayed as it was.
    """

    keys: Tensor
    leaves: Leaves
    centre: Tensor
    spread: Tensor
    adam: Columns
    age: Tensor

    def __len__(self) -> int:
        return len(self.keys)

    @staticmethod
    def born(options: GtnNichesOptions, keys: Tensor, doings: Doings, rng: aiga.Stream) -> Teachers:
        """New teachers of niches whose agents did this; ``rng`` has a row key for each."""
        seen = torch.cat([doings.observation.flatten(3), doings.reward[..., None], doings.previous], dim=3)
        weight = doings.alive / doings.alive.sum(dim=(0, 2), keepdim=True).clamp(min=1.0)
        centre = (seen * weight[..., None]).sum(dim=(0, 2))
        spread = ((seen - centre[:, None]).square() * weight[..., None]).sum(dim=(0, 2)).sqrt()
        numbers = seen.shape[3] + doings.target.shape[3]
        device, positions = seen.device, options.steps * options.length * options.batch
        sizes = {"first": (options.noise, options.hidden), "second": (options.hidden, numbers)}
        leaves = {f"{name}.weight": rng.child(name).normal(*size) / math.sqrt(size[0]) for name, size in sizes.items()}
        leaves |= {f"{name}.bias": torch.zeros(len(keys), size[1]) for name, size in sizes.items()}
        leaves["latents"] = rng.child("latents").normal(positions, options.noise)
        share = options.init_rate / options.max_rate
        leaves["rate"] = torch.full((len(keys), options.steps), math.log(share / (1.0 - share)))
        momentum = math.log(options.init_momentum / (1.0 - options.init_momentum))
        leaves["momentum"] = torch.full((len(keys), options.steps), momentum)
        leaves = {name: onto(leaf, device) for name, leaf in leaves.items()}
        return Teachers(keys, leaves, centre, spread, start_adam(flatten(leaves)), torch.zeros_like(keys))

    def take(self, rows: Tensor) -> Teachers:
        """These teachers, in this order."""
        on = onto(rows, self.centre.device)
        leaves, adam = ({name: part[on] for name, part in parts.items()} for parts in (self.leaves, self.adam))
        return Teachers(self.keys[rows], leaves, self.centre[on], self.spread[on], adam, self.age[rows])

    @staticmethod
    def join(one: Teachers, other: Teachers) -> Teachers:
        """``one``'s, then ``other``'s."""
        leaves = {name: torch.cat([part, other.leaves[name]]) for name, part in one.leaves.items()}
        adam = {name: torch.cat([part, other.adam[name]]) for name, part in one.adam.items()}
        rest = {name: torch.cat([getattr(one, name), getattr(other, name)]) for name in ("keys", "centre", "spread", "age")}
        return Teachers(leaves=leaves, adam=adam, **rest)

    def lessons(self, options: GtnNichesOptions, leaves: Leaves, outputs: aiga.Space, observed: tuple[int, ...]) -> Lessons:
        """All lessons, one row a teacher; differentiable in ``leaves``, which stand for the teachers' own.

        Args:
            options: of the plugin.
            leaves: ``[N, ...]``.
            outputs: of the domain.
            observed: shape of an observation.
        """
        hidden = torch.baddbmm(leaves["first.bias"][:, None], leaves["latents"], leaves["first.weight"])
        hidden = functional.leaky_relu(hidden, SLOPE)
        made = torch.baddbmm(leaves["second.bias"][:, None], hidden, leaves["second.weight"])
        made = made.reshape(len(self), options.steps, options.length, options.batch, -1).permute(1, 2, 0, 3, 4)
        features, answers = self.centre.shape[1], made.shape[-1] - self.centre.shape[1]
        perceived = self.centre[:, None] + self.spread[:, None] * options.reach * torch.tanh(made[..., :features])
        asked = made[..., features:]
        target = functional.softmax(asked, dim=-1) if outputs.kind == "discrete" else asked
        seen, reward, previous = torch.split(perceived, [features - answers - 1, 1, answers], dim=-1)
        seen = seen.reshape(*seen.shape[:-1], *observed)
        alive = torch.ones_like(reward[..., 0])
        parts = (part.unbind(0) for part in (seen, reward[..., 0], previous, target, alive))
        shown = tuple(Doings(*lesson) for lesson in zip(*parts, strict=True))
        return Lessons(shown, *paces(options, leaves))

    def after(self, gradient: Tensor, options: GtnNichesOptions) -> tuple[Teachers, Tensor]:
        """The teachers, no older, after a step of Adam down ``[N, D]``, no longer than ``clip``; and ``[N]``, who took it.

        Those whose gradient is no number stay as they are; nor is it one that is too long to be measured.
        """
        length = gradient.norm(dim=1, keepdim=True)
        shorter = gradient * (options.clip / length.clamp(min=options.clip))
        gradient = torch.where(length.isfinite(), shorter, torch.nan)
        flat, adam = descend(flatten(self.leaves), gradient, self.adam, options.lr, options.epsilon)
        return replace(self, leaves=unflatten(flat, self.leaves), adam=adam), gradient.isfinite().all(dim=1)

    def to(self, device: torch.device) -> Teachers:
        """The same on this device; keys and ages stay on the host."""
        leaves, adam = ({name: onto(part, device) for name, part in parts.items()} for parts in (self.leaves, self.adam))
        return Teachers(self.keys, leaves, onto(self.centre, device), onto(self.spread, device), adam, self.age)

    def state_dict(self) -> dict[str, Any]:
        return {
            "keys": self.keys,
            "leaves": dict(self.leaves),
            "centre": self.centre,
            "spread": self.spread,
            "adam": dict(self.adam),
            "age": self.age,
        }


def paces(options: GtnNichesOptions, leaves: Leaves) -> tuple[Tensor, Tensor]:
    """Rates and momenta ``[N, S]``, both bounded."""
    return torch.sigmoid(leaves["rate"]) * options.max_rate, torch.sigmoid(leaves["momentum"])


def cut_out(options: GtnNichesOptions, leaves: Leaves, doings: Doings, rng: aiga.Stream) -> Lessons:
    """Lessons that are stretches of lives instead: which ones hangs on ``rng``, with a row key for each of ``P``.

    A stretch begins anywhere in a life where it fits in; in one that is shorter it begins at birth, and is over when that is.
    """
    steps, count, lives = doings.reward.shape
    shape = (options.steps, options.batch)
    lot = onto(rng.each(count).uniform(*shape, 2), doings.reward.device)
    which = (lot[..., 0] * lives).long()  # [P, S, B]
    rows = torch.arange(count, device=which.device)[:, None, None]
    ends = doings.alive.sum(dim=0)[rows, which]
    first = (lot[..., 1] * (ends - options.length + 1).clamp(min=1.0)).long()
    time = first[..., None] + torch.arange(options.length, device=first.device)  # [P, S, B, L]
    inside = (time < steps).float()
    index = (time.clamp(max=steps - 1), rows[..., None].expand_as(time), which[..., None].expand_as(time))
    parts = dict(vars(doings))
    taken = {name: part[index].movedim((1, 3), (0, 1)) for name, part in parts.items()}  # [S, L, P, B, ...]
    taken["alive"] = taken["alive"] * inside.movedim((1, 3), (0, 1))
    shown = tuple(Doings(**{name: part[step] for name, part in taken.items()}) for step in range(options.steps))
    return Lessons(shown, *paces(options, leaves))
