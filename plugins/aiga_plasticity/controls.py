"""Recurrent networks without plasticity: what plastic ones are compared with."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

import aiga
from aiga.components import Layout, Life, Structure
from aiga.data import Leaves
from aiga_plasticity import naming
from aiga_plasticity.products import Products
from aiga_plasticity.recurrent import RecurrentNetwork
from aiga_plasticity.wiring import Entry


class RnnNetwork(RecurrentNetwork):
    """The network ``rnn``: ``y = tanh(x w + input)`` (Elman 1990); that of RL^2 where it perceives reward and action."""

    name: ClassVar[str] = "rnn"

    def cell(self, structure: Structure, units: int, wired: int) -> tuple[int, Layout]:
        """A sum for each unit."""
        return units, {}

    def memory(self, tags: dict[str, str], units: int) -> dict[str, tuple[int, ...]]:
        """Activities."""
        return {"units": (units,)}

    def advance(
        self, tags: dict[str, str], leaves: Leaves, life: Life, entry: Entry, products: Products
    ) -> tuple[Tensor, Life]:
        """One step."""
        sums = products.multiply(life["units"], leaves["core.recurrent"])
        activity = entry.onto(torch.tanh(sums if entry.drive is None else sums + entry.drive))
        return activity, {"units": activity}


class LstmNetwork(RecurrentNetwork):
    """The network ``lstm`` (Hochreiter & Schmidhuber 1997; Gers et al. 2000); forget gates are born with a bias of 1.

    A wired unit's gates stand still, input and output open and forget shut, so that it holds what it gets in this step alone.
    Sums are those of the cells' inputs, then of the input, forget and output gates of the units that are not wired.
    """

    name: ClassVar[str] = "lstm"
    biased: ClassVar[bool] = True

    def cell(self, structure: Structure, units: int, wired: int) -> tuple[int, Layout]:
        """A sum for each unit's input and for three gates of each that is not wired."""
        return units + 3 * (units - wired), {}

    def memory(self, tags: dict[str, str], units: int) -> dict[str, tuple[int, ...]]:
        """Activities and cells."""
        return {"units": (units,), "cells": (units,)}

    def init(self, rng: aiga.Stream, layout: Layout, count: int) -> Leaves:
        """See :meth:`RecurrentNetwork.init`."""
        leaves = super().init(rng, layout, count)
        roles = {naming.role(leaf): leaf for leaf in layout}
        units, sums = layout[roles["core.recurrent"]]
        gated = (sums - units) // 3
        leaves[roles["core.bias"]][:, units + gated : units + 2 * gated] = 1.0
        return leaves

    def advance(
        self, tags: dict[str, str], leaves: Leaves, life: Life, entry: Entry, products: Products
    ) -> tuple[Tensor, Life]:
        """One step."""
        sums = products.multiply(life["units"], leaves["core.recurrent"])
        sums = sums if entry.drive is None else sums + entry.drive
        units = life["units"].shape[1]
        gated = (sums.shape[1] - units) // 3
        new = torch.tanh(sums[:, :units])
        # By tanh, whose bits do not hang on an element's place, as those of torch.sigmoid do.
        gates = torch.tanh(sums[:, units:] * 0.5) * 0.5 + 0.5
        into, keep, out = gates[:, :gated], gates[:, gated : 2 * gated], gates[:, 2 * gated :]
        wired, free = new[:, : units - gated], keep * life["cells"][:, units - gated :] + into * new[:, units - gated :]
        cells, opened = torch.cat([wired, free], dim=1), torch.cat([torch.ones_like(wired), out], dim=1)
        activity = entry.onto(opened * torch.tanh(cells))
        return activity, {"units": activity, "cells": cells}
