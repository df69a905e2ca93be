"""What the recurrent networks share: how they are built, born, stepped and unrolled. How units work is each one's own."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

import aiga
from aiga.components import Layout, Life, Structure
from aiga.data import Leaves
from aiga.padding import width_of_bucket
from aiga_plasticity import naming
from aiga_plasticity.options import RecurrentOptions, SearchedOptions
from aiga_plasticity.products import Fast, Products, per_life, products_of
from aiga_plasticity.space import RecurrentSpace
from aiga_plasticity.wiring import CORE, UNITS, Entry, Wiring, ends, units_of

_NARROWEST = 8  # of buckets


class RecurrentNetwork(ABC):
    """A recurrent network: see :class:`aiga.Network`.

    The tags in the names of leaves say the architecture, so that one component serves agents of every structure. Leaves may
    have a second leading axis, ``[P, E, ...]``: ``P`` agents with ``E`` lives each; percepts and life then have both axes too.
    Lives that share their leaves, ``[P, 1, ...]`` or by ``expand`` along the last leading axis, are computed together.

    On a CPU a row of :meth:`step` has the same bits in any company, but where gradients are wanted: then, and in
    :meth:`unroll`, matrix products are used.

    Attributes:
        name: of the component.
        structure: ``version``, and the options that decide the architecture.
        space: of architectures, there only where the options name what a search varies.
    """

    name: ClassVar[str]
    side_by_side: ClassVar[bool] = True
    biased: ClassVar[bool] = False  # whether units have biases beside a wired constant

    space: RecurrentSpace

    def __init__(self, options: RecurrentOptions) -> None:
        self.options = options
        chosen = options.model_dump(include=self.architecture())
        self.structure: Structure = {"version": 1, **chosen}
        self._widths_differ = False
        if isinstance(options, SearchedOptions) and options.search:
            self.space = RecurrentSpace(self.name, self.structure, options)
            self._widths_differ = "width" in options.search

    def architecture(self) -> set[str]:
        """The options that the structure holds."""
        return {"units", "wiring", "reward", "previous_action", "target", "value"}

    @abstractmethod
    def cell(self, structure: Structure, units: int, wired: int) -> tuple[int, Layout]:
        """How many sums ``G`` the recurrent weights ``(units, G)`` make, and what leaves there are beside these."""

    @abstractmethod
    def memory(self, tags: dict[str, str], units: int) -> dict[str, tuple[int, ...]]:
        """The shape of each part of one life."""

    @abstractmethod
    def advance(
        self, tags: dict[str, str], leaves: Leaves, life: Life, entry: Entry, products: Products
    ) -> tuple[Tensor, Life]:
        """One step of the units: their activity ``[B, N]`` and the life ``[B, ...]`` of ``P`` agents' ``B`` lives."""

    def build(self, structure: Structure, inputs: aiga.Space, outputs: aiga.Space) -> Layout:
        """Shapes of one agent's leaves.

        Raises:
            ValueError: for a structure of another version, and as :func:`units_of` does.
        """
        if structure.get("version") != 1:
            raise ValueError(f"{self.name} reads structures of version 1, found version {structure.get('version')!r}")
        wiring = Wiring.of(structure)
        units, features = units_of(self.name, structure, wiring, inputs, outputs), wiring.features(inputs, outputs)
        sums, layout = self.cell(structure, units, features if wiring.wired else 0)
        core: Layout = {naming.name(CORE, wiring.tag, "recurrent"): (units, sums)}
        if not wiring.wired:
            core[naming.name(CORE, wiring.tag, "input")] = (features, sums)
        if not wiring.wired or self.biased:
            core[naming.name(CORE, wiring.tag, "bias")] = (sums,)
        return {**core, **layout, **ends(structure, wiring, units, outputs)}

    def bucket(self, structure: Structure) -> Structure:
        """The same with units filled up to a power of two, where a search varies them; else itself, as are wired ones.

        Units that are filled up have no weights and no bias, so that they are silent and their traces stay at zero.
        """
        if not self._widths_differ or Wiring.of(structure).wired:
            return structure
        units = UNITS if structure["units"] is None else structure["units"]
        return {**structure, "units": width_of_bucket(units, _NARROWEST)}

    def init(self, rng: aiga.Stream, layout: Layout, count: int) -> Leaves:
        """``count`` random agents, each drawn from ``rng``'s row key where it has row keys, else from its number.

        Recurrent weights are normal with a deviation of ``weight_scale / sqrt(units)``; those from what is perceived and to the
        answer ``1 / sqrt(fan-in)``; biases are 0.

        Raises:
            ValueError: if ``rng`` has row keys, but not ``count`` of them.
        """
        rng = rng.each(count)
        return {each: self.born(naming.role(each), rng.child(each), shape, count) for each, shape in layout.items()}

    def born(self, role: str, rng: aiga.Stream, shape: tuple[int, ...], count: int) -> Tensor:
        """``[count, *shape]``: one leaf of newborn agents."""
        if role.endswith(".bias"):
            return torch.zeros(count, *shape)
        scale = self.options.weight_scale if role == "core.recurrent" else 1.0
        return rng.normal(*shape) * (scale / math.sqrt(shape[0]))

    def newborn(self, leaves: Leaves) -> Life:
        """Zeros."""
        tags, plain = naming.read(leaves)
        recurrent = plain["core.recurrent"]
        shapes = self.memory(tags, recurrent.shape[-2])
        return {part: recurrent.new_zeros(*recurrent.shape[:-2], *shape) for part, shape in shapes.items()}

    def step(self, leaves: Leaves, life: Life, percept: aiga.Percept) -> tuple[aiga.Output, Life]:
        """``[B, out]`` action parameters, and ``[B]`` values where there is a head; leading axes as the leaves have."""
        tags, plain = naming.read(leaves)
        lead = percept.observation.shape[: plain["core.recurrent"].ndim - 2]
        plain, lives = _shared(plain), math.prod(lead)
        products = products_of(plain["core.recurrent"])
        wiring = Wiring.read(tags[CORE])
        seen = wiring.perceived(percept, len(lead), plain).reshape(lives, -1)
        flat = {part: tensor.reshape(lives, *tensor.shape[len(lead) :]) for part, tensor in life.items()}
        activity, flat = self.advance(tags, plain, flat, wiring.enter(plain, seen, products), products)
        output = _answer(tags, plain, activity, percept.observation.shape[len(lead) :], products)
        value = None if output.value is None else output.value.reshape(lead)
        after = {part: tensor.reshape(*lead, *tensor.shape[1:]) for part, tensor in flat.items()}
        return aiga.Output(output.action.reshape(*lead, -1), value), after

    def unroll(self, leaves: Leaves, percepts: aiga.Percept) -> aiga.Output:
        """Whole lives whose percepts do not hang on their actions: as steps from birth on would answer, but for rounding.

        Args:
            leaves: ``[P, ...]``.
            percepts: tensors of ``[T, P, E, ...]``, ``E`` lives of each agent.

        Returns:
            Action parameters ``[T, P, E, out]`` and values ``[T, P, E]``.
        """
        tags, plain = naming.read(leaves)
        steps, agents, lives = percepts.observation.shape[:3]
        wiring, products = Wiring.read(tags[CORE]), Fast()
        seen = wiring.perceived(percepts, 3, plain).transpose(0, 1).flatten(0, 2)
        activity = self.sequence(tags, plain, wiring.enter(plain, seen, products).through(agents, steps))
        output = _answer(tags, plain, activity.flatten(0, 2), percepts.observation.shape[3:], products)
        value = None if output.value is None else output.value.reshape(agents, steps, lives).transpose(0, 1)
        return aiga.Output(output.action.reshape(agents, steps, lives, -1).transpose(0, 1), value)

    def sequence(self, tags: dict[str, str], leaves: Leaves, entry: Entry) -> Tensor:
        """``[P, T, E, N]``: activities from birth on, of what reaches ``P`` agents' ``E`` lives in ``T`` steps."""
        agents, steps, lives = entry.shape
        recurrent, activities, products = leaves["core.recurrent"], [], Fast()
        shapes = self.memory(tags, recurrent.shape[1])
        life = {part: recurrent.new_zeros(agents * lives, *each) for part, each in shapes.items()}
        for step in range(steps):
            activity, life = self.advance(tags, leaves, life, entry.at(step), products)
            activities.append(activity.reshape(agents, lives, -1))
        return torch.stack(activities, dim=1)


def _shared(leaves: Leaves) -> Leaves:
    """Leaves ``[P, ...]`` of lives, as many in a row to each agent."""
    axes = leaves["core.recurrent"].ndim - 2
    shared = leaves["core.recurrent"].shape[1] == 1 if axes == 2 else False
    if shared or all(leaf.stride(axes - 1) == 0 for leaf in leaves.values()):
        return {n: leaf[:1] if axes == 1 else leaf[:, 0] for n, leaf in leaves.items()}
    return leaves if axes == 1 else {n: leaf.flatten(0, 1) for n, leaf in leaves.items()}


def _answer(
    tags: dict[str, str], leaves: Leaves, activity: Tensor, observed: tuple[int, ...], products: Products
) -> aiga.Output:
    """``[B, out]`` of activities ``[B, N]``: the head's, or the units' own that the observation entered; and ``[B]`` values."""
    value = None
    if "value.weight" in leaves:
        value = (products.multiply(activity, leaves["value.weight"]) + per_life(leaves["value.bias"], len(activity)))[:, 0]
    if "head.weight" not in leaves:
        return aiga.Output(activity[:, : math.prod(observed)], value)
    action = products.multiply(activity, leaves["head.weight"]) + per_life(leaves["head.bias"], len(activity))
    return aiga.Output(torch.tanh(action) if tags["head"] == "tanh" else action, value)
