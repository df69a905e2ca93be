"""Differentiable plasticity (Miconi, Clune & Stanley, "Differentiable plasticity", ICML 2018)."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from aiga import Stream
from aiga.components import Layout, Life, Structure
from aiga.data import Leaves
from aiga_plasticity import compiled, naming, rules, trace_free
from aiga_plasticity.options import PlasticOptions, TraceOptions
from aiga_plasticity.products import Products, per_life
from aiga_plasticity.recurrent import RecurrentNetwork
from aiga_plasticity.wiring import Entry


class TraceNetwork(RecurrentNetwork):
    """What networks with Hebbian traces share: ``y = tanh(x (w + alpha * H) + input)``."""

    traces: ClassVar[tuple[str, ...]] = ("trace", "eligibility")
    options: TraceOptions

    def architecture(self) -> set[str]:
        """See :meth:`RecurrentNetwork.architecture`."""
        return super().architecture() | {"alpha", "bound"}

    def alpha(self, structure: Structure, tag: str, units: int) -> Layout:
        """The plasticities' shape: one for each connection, or one for all."""
        return {naming.name("trace", tag, "alpha"): (units, units) if structure["alpha"] == "connection" else ()}

    def born(self, role: str, rng: Stream, shape: tuple[int, ...], count: int) -> Tensor:
        """See :meth:`RecurrentNetwork.born`."""
        scale = self.options.alpha_scale
        if role == "trace.eta":
            return torch.full((count,), self.options.eta)
        if role == "trace.alpha":
            if not shape:
                return torch.full((count,), scale)
            if self.options.alpha_init == "uniform":
                return rng.uniform(*shape, high=scale).float()
            return rng.normal(*shape) * scale
        return super().born(role, rng, shape, count)

    def memory(self, tags: dict[str, str], units: int) -> dict[str, tuple[int, ...]]:
        """Activities and traces."""
        return {"units": (units,), "trace": (units, units)}

    def active(self, leaves: Leaves, life: Life, entry: Entry, products: Products) -> Tensor:
        """``[B, N]``: the units' next activity."""
        sums = products.through(life["units"], leaves["core.recurrent"], leaves["trace.alpha"], life["trace"])
        return entry.onto(torch.tanh(sums if entry.drive is None else sums + entry.drive))


class PlasticNetwork(TraceNetwork):
    """The network ``plastic``: traces follow a fixed rule, whose rate ``eta`` is learned.

    The trace of rule ``decay`` is a sum over the steps so far, and what comes through it can be had from the activities alone:
    ``sum_i x_i(t-1) alpha_ij H_ij(t) = sum_s eta (1 - eta)^(t-1-s) y_j(s) sum_i x_i(t-1) x_i(s-1) alpha_ij``, products with one
    matrix that all lives of an agent share. :meth:`unroll` does without traces where that is faster; see ``trace_free``.
    """

    name: ClassVar[str] = "plastic"
    options: PlasticOptions

    def architecture(self) -> set[str]:
        """See :meth:`RecurrentNetwork.architecture`."""
        return super().architecture() | {"rule"}

    def cell(self, structure: Structure, units: int, wired: int) -> tuple[int, Layout]:
        """A sum for each unit; plasticities and a rate.

        Raises:
            ValueError: for a rule there is not.
        """
        rule = structure["rule"]
        if rule not in rules.RULES:
            raise ValueError(f"plastic has no rule {rule!r}; it has {', '.join(rules.RULES)}")
        tag = f"{rule}={structure['bound']:g}" if "clip" in rule else rule
        return units, {**self.alpha(structure, tag, units), naming.name("trace", tag, "eta"): ()}

    def advance(
        self, tags: dict[str, str], leaves: Leaves, life: Life, entry: Entry, products: Products
    ) -> tuple[Tensor, Life]:
        """One step."""
        x, trace = life["units"], life["trace"]
        if compiled.able(products, x, leaves["trace.alpha"]) and tags["trace"] == "decay" and entry.hold is None:
            sums = products.multiply(x, leaves["core.recurrent"])
            sums = sums if entry.drive is None else sums + entry.drive
            y, trace = compiled.decay(x, trace, sums, leaves["trace.alpha"], leaves["trace.eta"])
            return y, {"units": y, "trace": trace}
        y, eta = self.active(leaves, life, entry, products), per_life(leaves["trace.eta"], len(x))
        rule, _, bound = tags["trace"].partition("=")
        if rule == "decay":
            trace = rules.decay(trace, x, y, eta, products)
        elif rule == "oja":
            trace = rules.oja(trace, x, y, eta, products)
        elif rule == "clip":
            trace = rules.clip(trace, x, eta * y, float(bound), products)
        else:
            trace = rules.soft_clip(trace, x, eta * y, float(bound))
        return y, {"units": y, "trace": trace}

    def sequence(self, tags: dict[str, str], leaves: Leaves, entry: Entry) -> Tensor:
        """See :meth:`RecurrentNetwork.sequence`."""
        units, shared = leaves["core.recurrent"].shape[1], leaves["trace.alpha"].ndim == 1
        free = {"kept": False, "free": True, "auto": trace_free.pays(entry.shape[1], units, shared)}[self.options.trace]
        if free and tags["trace"] == "decay":
            return trace_free.sequence(leaves, entry)
        return super().sequence(tags, leaves, entry)
