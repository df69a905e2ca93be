"""Lives of chosen moves, lived in lockstep: what domains with discrete actions share.

All rows are asked at every step, also those whose life is over, and these are not listened to: the bits of the others then do
not hang on who is left. Where lives end by what is done in them, the last one's end is looked for every few steps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from aiga.components import Network, Output, Percept
from aiga.crossing import onto
from aiga.data import Leaves, Scores, Status, Trajectory
from aiga.streams import Stream, derive

_CHANCE = Stream(derive("lockstep", "choice", 1))
_LOOK = 16  # steps from one look for whoever is left to the next: each makes the host wait for the device


class World(Protocol):
    """What ``P`` agents live in, side by side; tensors on the agents' device.

    Capability: ``ended() -> Tensor``, ``[P]`` bool, which lives the latest actions ended before their length. A world with it
    answers with finite numbers for them too, at every later step.
    """

    def observe(self, step: int, reward: Tensor, previous: Tensor) -> Tensor:
        """``[P, *inputs]`` float32, a new tensor, given the last ``reward`` ``[P]`` and action ``[P, n]``, zeros at birth."""
        ...

    def act(self, step: int, action: Tensor) -> Tensor:
        """``[P]`` float32 rewards of actions ``[P]`` int64."""
        ...

    def traces(self) -> dict[str, Tensor]:
        """``[P, ...]`` by name after the latest action: what a recorded life shall show besides."""
        ...


@dataclass(frozen=True)
class Lived:
    """What came of ``P`` lives.

    Attributes:
        reward: ``[P]`` float64, the sum over a life.
        sound: ``[P]`` bool: whether every answer was a number.
        steps: ``[P]`` int64, of each life.
        trajectory: where it was asked for. Actions are ``[T, P]`` int64; extras are the world's traces, ``logits``
            ``[T, P, n]`` and, of networks that have them, ``values`` ``[T, P]``, both with their graph where the leaves
            require gradients.
    """

    reward: Tensor
    sound: Tensor
    steps: Tensor
    trajectory: Trajectory | None

    def scores(self, fitness: Tensor, cost: Mapping[str, int], **columns: Tensor) -> Scores:
        """Scores with ``fitness`` ``[P]``, failed where an answer was no number; all on the agents' device."""
        status = torch.where(self.sound, int(Status.OK), int(Status.NAN))
        fitness = torch.where(self.sound, fitness, torch.nan)
        return Scores({"fitness": fitness, **columns}, status, {}, cost)


def lockstep(
    world: World,
    network: Network,
    leaves: Leaves,
    agent: Tensor,
    seeds: Tensor,
    lengths: Tensor,
    choices: int,
    record: bool = False,
    greedy: bool = False,
) -> Lived:
    """``P`` lives of ``B`` agents; actions are drawn from the network's logits, or are the likeliest ones.

    Gradients reach ``leaves`` through the logits and values of a recorded life; nothing else of it has a graph.

    Args:
        world: what they live in.
        network: what the agents are made of; it answers ``[P, n]`` logits.
        leaves: ``[B, ...]`` of each agent.
        agent: ``[P]`` int64, whose each life is.
        seeds: ``[P]`` int64; they fix the draws.
        lengths: ``[P]`` int64 on the host, steps of each life that does not end before, at least 1.
        choices: ``n``, how many actions there are.
        record: keep the trajectory.
        greedy: take the actions of the greatest logits; nothing is drawn.
    """
    with torch.set_grad_enabled(record and torch.is_grad_enabled()):
        mind, device = _Mind(network, leaves, agent.cpu()), next(iter(leaves.values())).device
        draws = None if greedy else _Draws(seeds, choices, device)
        return _live(world, mind, device, draws, lengths, choices, record)


def _live(
    world: World, mind: _Mind, device: torch.device, draws: _Draws | None, lengths: Tensor, choices: int, record: bool
) -> Lived:
    count, steps = len(lengths), int(lengths.max())
    ended: Callable[[], Tensor] | None = getattr(world, "ended", None)
    together = bool((lengths == steps).all()) and ended is None
    one_hot, length = torch.eye(choices, device=device), onto(lengths, device)
    reward, previous = torch.zeros(count, device=device), torch.zeros(count, choices, device=device)
    total, odd = torch.zeros(count, dtype=torch.float64, device=device), torch.zeros(count, device=device)
    over, kept = torch.zeros(count, dtype=torch.bool, device=device), _Record(together)
    lived = length if ended is None else torch.zeros_like(length)
    for first in range(0, steps, steps if ended is None else _LOOK):
        last = steps if ended is None else min(first + _LOOK, steps)
        chance = None if draws is None else draws.between(first, last)
        for step in range(first, last):
            seen = world.observe(step, reward, previous)
            output = mind.answer(Percept(seen, reward, over, previous))
            logits, alive = output.action.detach(), ~over
            action = (logits if chance is None else logits + chance[:, step - first]).argmax(dim=1)
            # One number that is none makes a sum none: to add is cheaper than to ask at every step.
            reward, sums = world.act(step, action), logits.sum(dim=1)
            if not together:
                reward, sums = torch.where(alive, reward, 0.0), torch.where(alive, sums, 0.0)
            odd, over = odd + sums, length <= step + 1
            if ended is not None:
                over, lived = over | ended() | ~alive, lived + alive
            total, previous = total + reward.double(), one_hot[action]
            if record:
                kept.add(
                    alive,
                    {"observations": seen, "actions": action, "rewards": reward, "done": over},
                    {"logits": output.action, **({} if output.value is None else {"values": output.value}), **world.traces()},
                )
        if last < steps and bool(over.all()):
            break
    if not record:
        return Lived(total, odd.isfinite(), lived, None)
    return Lived(total, odd.isfinite(), lived, kept.trajectory(steps if ended is None else int(lived.max())))


class _Draws:
    """The draws of ``P`` lives, a stretch of steps at a time: of those that end early, most are never made."""

    def __init__(self, seeds: Tensor, choices: int, device: torch.device) -> None:
        self._chance, self._choices, self._device = _CHANCE.rows(seeds), choices, device

    def between(self, first: int, last: int) -> Tensor:
        """``[P, last - first, n]``, those of a stretch of steps."""
        chance = self._chance if first == 0 else self._chance.child(first)
        return chance.gumbel(last - first, self._choices, device=self._device)


class _Mind:
    """The agents of ``P`` lives, one row a life.

    Where gradients are wanted and each agent has a stretch of as many lives, a network that is able gets them side by side, and
    for another one gradients are summed along the stretch and not scattered.
    """

    def __init__(self, network: Network, leaves: Leaves, agent: Tensor) -> None:
        count, lives = len(next(iter(leaves.values()))), len(agent)
        each = lives // max(count, 1)
        self._network = network
        self._lead: tuple[int, ...] = (lives,)
        wanted = torch.is_grad_enabled() and any(leaf.requires_grad for leaf in leaves.values())
        if not wanted or not torch.equal(agent, torch.arange(count).repeat_interleave(each)):
            self._leaves = {name: leaf[onto(agent, leaf.device)] for name, leaf in leaves.items()}
            self._life = network.newborn(self._leaves)
            return
        self._leaves = {name: leaf[:, None] for name, leaf in leaves.items()}
        if getattr(network, "side_by_side", False):
            self._lead = (count, each)
            born = network.newborn(self._leaves)
            self._life = {name: part.expand(count, each, *part.shape[2:]) for name, part in born.items()}
            return
        wide = {name: leaf.expand(count, each, *leaf.shape[2:]) for name, leaf in self._leaves.items()}
        self._leaves = {name: leaf.reshape(lives, *leaf.shape[2:]) for name, leaf in wide.items()}
        self._life = network.newborn(self._leaves)

    def answer(self, percept: Percept) -> Output:
        """The answers ``[P, ...]`` to what is perceived, ``[P, ...]``; they have perceived it."""
        if len(self._lead) == 1:
            output, self._life = self._network.step(self._leaves, self._life, percept)
            return output
        given = {name: part for name, part in vars(percept).items() if part is not None}
        wide = Percept(**{name: part.reshape(*self._lead, *part.shape[1:]) for name, part in given.items()})
        output, self._life = self._network.step(self._leaves, self._life, wide)
        return Output(output.action.flatten(0, 1), None if output.value is None else output.value.flatten(0, 1))


class _Record:
    """Lives step by step; a row whose life is over repeats its last entry."""

    def __init__(self, together: bool) -> None:
        self._together = together
        self._steps: list[dict[str, Tensor]] = []
        self._extras: tuple[str, ...] = ()

    def add(self, alive: Tensor, now: dict[str, Tensor], extras: dict[str, Tensor]) -> None:
        self._extras, now = tuple(extras), {**now, **extras}
        if not self._together and self._steps:
            last = self._steps[-1]
            now = {n: torch.where(alive.reshape(-1, *[1] * (x.ndim - 1)), x, last[n]) for n, x in now.items()}
        self._steps.append(now)

    def trajectory(self, steps: int) -> Trajectory:
        """The first so many steps."""
        whole = {name: torch.stack([step[name] for step in self._steps[:steps]]) for name in self._steps[0]}
        return Trajectory(extras={name: whole.pop(name) for name in self._extras}, **whole)
