"""Fresh learners, of the architectures that their networks' spaces hold; those that fit one form are rows of one batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from typing import Any, Literal, cast

import torch
from torch import Tensor

import aiga
from aiga import padding
from aiga.batches import unflatten
from aiga.crossing import onto
from aiga.data import Batch, Kind, Leaves, flatten

Architectures = Literal["common", "sampled", "fixed"]


@dataclass(frozen=True)
class Group:
    """Learners of one form.

    Attributes:
        network: what they are made of.
        batch: their leaves, filled up to the form.
        rows: ``[P]`` int64, their numbers among all learners that are taught together.
    """

    network: aiga.Network
    batch: Batch
    rows: Tensor

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def flat(self) -> Tensor:
        """``[P, D]``: the floating leaves, sorted by name, end to end."""
        return flatten(self.batch.leaves)

    @cached_property
    def _parts(self) -> tuple[list[str], list[tuple[int, ...]]]:
        names = sorted(name for name, leaf in self.batch.leaves.items() if leaf.is_floating_point())
        return names, [tuple(self.batch.leaves[name].shape[1:]) for name in names]

    def leaves(self, flat: Tensor) -> Leaves:
        """The leaves that ``flat`` ``[P, D]`` stands for. One cut: a cut a leaf would cost its gradient a vector each."""
        names, shapes = self._parts
        pieces = torch.split(flat, [prod(shape) for shape in shapes], dim=1)
        cut = {n: part.reshape(-1, *shape) for n, part, shape in zip(names, pieces, shapes, strict=True)}
        return cut if len(cut) == len(self.batch.leaves) else {**self.batch.leaves, **cut}

    def agents(self, flat: Tensor) -> Batch:
        """The learners with these leaves, apart from any graph."""
        return replace(self.batch, leaves=unflatten(flat.detach(), self.batch.leaves))

    def only(self, keep: Tensor) -> Group:
        """The learners for which ``keep`` ``[all]`` is true, numbered anew among those that are kept; perhaps none."""
        mine = keep[self.rows]
        number = torch.cumsum(keep, 0) - 1
        return Group(self.network, self.batch.take(torch.nonzero(mine).flatten()), number[self.rows[mine]])


class Nursery:
    """Where fresh learners come from.

    Args:
        networks: by name.
        inputs, outputs: of the domain.
        architectures: ``common``, one that is sampled from the network's space for all learners that are drawn together;
            ``sampled``, one for each; ``fixed``, the network's own, as also where it has no space.
        at_once: learners of one group, at most.
    """

    def __init__(
        self,
        networks: Mapping[str, aiga.Network],
        inputs: aiga.Space,
        outputs: aiga.Space,
        architectures: Architectures,
        at_once: int,
    ) -> None:
        self._networks, self._inputs, self._outputs = networks, inputs, outputs
        self._architectures, self._at_once = architectures, at_once

    def draw(self, rng: aiga.Stream, each: int, like: Tensor) -> list[Group]:
        """Learners whose architecture and leaves hang on ``rng``, their network's name and their number alone.

        Args:
            rng: to draw from.
            each: learners of every network.
            like: on its device they are, and of its type.
        """
        groups = list[Group]()
        for place, (name, network) in enumerate(self._networks.items()):
            stream = rng.child(name).rows(torch.arange(each))
            kinds = self._kinds(name, network, stream.child("structures"), each)
            forms: dict[Kind, list[tuple[Batch, list[int]]]] = {}
            for kind, numbers in kinds.items():
                layout = network.build(kind.structure, self._inputs, self._outputs)
                leaves = network.init(stream.child("leaves").rows(torch.tensor(numbers)), layout, len(numbers))
                batch = Batch.of(kind, leaves)
                if len(kinds) > 1:
                    batch = padding.filled(network, batch, self._inputs, self._outputs)
                forms.setdefault(batch.kind, []).append((batch, numbers))
            for members in forms.values():
                groups += self._groups(network, members, place * each, like)
        return groups

    def _kinds(self, name: str, network: aiga.Network, stream: aiga.Stream, count: int) -> dict[Kind, list[int]]:
        """The architectures, and the numbers of the learners that have them."""
        if self._architectures == "fixed" or not hasattr(network, "space"):
            return {Kind(name, dict(network.structure)): list(range(count))}
        space = cast(Any, network).space
        if self._architectures == "common":
            (structure,) = space.initial(stream.rows(torch.zeros(1)), 1)
            return {Kind(name, structure): list(range(count))}
        kinds: dict[Kind, list[int]] = {}
        for number, structure in enumerate(space.initial(stream, count)):
            kinds.setdefault(Kind(name, structure), []).append(number)
        return kinds

    def _groups(self, network: aiga.Network, members: list[tuple[Batch, list[int]]], first: int, like: Tensor) -> list[Group]:
        numbers = torch.tensor([number for _, some in members for number in some])
        order = torch.argsort(numbers)
        leaves = {
            name: _like(torch.cat([batch.leaves[name] for batch, _ in members])[order], like) for name in members[0][0].leaves
        }
        whole = Batch.of(members[0][0].kind, leaves)
        cuts = torch.split(torch.arange(len(numbers)), self._at_once)
        return [Group(network, whole.take(cut), numbers[order][cut] + first) for cut in cuts]


def count(groups: list[Group]) -> int:
    """Learners of all groups."""
    return sum(len(group) for group in groups)


def only(groups: list[Group], keep: Tensor) -> list[Group]:
    """The groups' learners for which ``keep`` ``[all]`` is true."""
    kept = [group.only(keep) for group in groups]
    return [group for group in kept if len(group)]


def _like(leaf: Tensor, like: Tensor) -> Tensor:
    return leaf.to(like) if leaf.is_floating_point() else onto(leaf, like.device)
