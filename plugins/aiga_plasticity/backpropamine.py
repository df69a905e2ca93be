"""Self-modulated plasticity (Miconi, Rawal, Clune & Stanley, "Backpropamine", ICLR 2019)."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from aiga.components import Layout, Life, Structure
from aiga.data import Leaves
from aiga_plasticity import compiled, naming, rules
from aiga_plasticity.options import BackpropamineOptions
from aiga_plasticity.plastic import TraceNetwork
from aiga_plasticity.products import Products, per_life
from aiga_plasticity.wiring import Entry


class BackpropamineNetwork(TraceNetwork):
    """The network ``backpropamine``: its own units say, by a modulator ``M = tanh(y m + b)``, when traces change.

    ``simple``: ``H <- clip(H + M x y)``. ``retroactive``: ``H <- clip(H + M E)``, and only then
    ``E <- (1 - eta) E + eta x y``: what is gated is what happened before, as dopamine does with eligible synapses.
    """

    name: ClassVar[str] = "backpropamine"
    options: BackpropamineOptions

    def architecture(self) -> set[str]:
        """See :meth:`RecurrentNetwork.architecture`."""
        return super().architecture() | {"modulation", "limit", "fan_out"}

    def cell(self, structure: Structure, units: int, wired: int) -> tuple[int, Layout]:
        """A sum for each unit; plasticities, the modulator, and a rate where there is an eligibility trace.

        Raises:
            ValueError: for a modulation or a limit there is not.
        """
        for key, known in (("modulation", rules.MODULATIONS), ("limit", rules.LIMITS)):
            if structure[key] not in known:
                raise ValueError(f"backpropamine has no {key} {structure[key]!r}; it has {', '.join(known)}")
        tag = f"{structure['modulation']}+{structure['limit']}={structure['bound']:g}"
        layout = {**self.alpha(structure, tag, units), "modulator.weight": (units, 1), "modulator.bias": (1,)}
        if structure["fan_out"]:
            layout |= {"fan.weight": (1, units), "fan.bias": (units,)}
        if structure["modulation"] == "retroactive":
            layout[naming.name("trace", tag, "eta")] = ()
        return units, layout

    def memory(self, tags: dict[str, str], units: int) -> dict[str, tuple[int, ...]]:
        """Activities, traces and, for retroactive modulation, eligibility traces."""
        shapes = super().memory(tags, units)
        return {**shapes, "eligibility": (units, units)} if tags["trace"].startswith("retroactive") else shapes

    def advance(
        self, tags: dict[str, str], leaves: Leaves, life: Life, entry: Entry, products: Products
    ) -> tuple[Tensor, Life]:
        """One step."""
        x, trace = life["units"], life["trace"]
        alpha = leaves["trace.alpha"]
        if (
            compiled.able(products, x, alpha)
            and "+clip=" in tags["trace"]
            and "fan.weight" not in leaves
            and entry.hold is None
        ):
            return self._compiled(tags, leaves, life, entry, products)
        y = self.active(leaves, life, entry, products)
        modulator = self._modulator(leaves, y, products)
        kind, _, bound = tags["trace"].partition("=")
        soft = kind.endswith("soft-clip")
        if "eligibility" not in life:
            change = modulator * y
            if soft:
                return y, {"units": y, "trace": rules.soft_clip(trace, x, change, float(bound))}
            return y, {"units": y, "trace": rules.clip(trace, x, change, float(bound), products)}
        eligibility, eta = life["eligibility"], per_life(leaves["trace.eta"], len(x))
        trace = rules.within(trace, modulator[:, None] * eligibility, float(bound), soft)
        return y, {"units": y, "trace": trace, "eligibility": rules.decay(eligibility, x, y, eta, products)}

    def _compiled(
        self, tags: dict[str, str], leaves: Leaves, life: Life, entry: Entry, products: Products
    ) -> tuple[Tensor, Life]:
        """The same step of the plain rules, by compiled kernels."""
        x, trace, bound = life["units"], life["trace"], float(tags["trace"].partition("=")[2])
        sums = products.multiply(x, leaves["core.recurrent"])
        sums = sums if entry.drive is None else sums + entry.drive
        modulator = leaves["trace.alpha"], leaves["modulator.weight"], leaves["modulator.bias"]
        if "eligibility" not in life:
            y, trace = compiled.simple(x, trace, sums, *modulator, bound)
            return y, {"units": y, "trace": trace}
        y, trace, eligibility = compiled.retroactive(
            x, trace, life["eligibility"], sums, *modulator, leaves["trace.eta"], bound
        )
        return y, {"units": y, "trace": trace, "eligibility": eligibility}

    def _modulator(self, leaves: Leaves, y: Tensor, products: Products) -> Tensor:
        """``[B, 1]``, or ``[B, N]`` where it fans out."""
        one = torch.tanh(products.multiply(y, leaves["modulator.weight"]) + per_life(leaves["modulator.bias"], len(y)))
        if "fan.weight" not in leaves:
            return one
        return one * per_life(leaves["fan.weight"][:, 0], len(y)) + per_life(leaves["fan.bias"], len(y))
