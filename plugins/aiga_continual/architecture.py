"""How agents that learn by gradient descent within a life are built, and how their architecture is read off their leaves.

A leaf's name says what it is and how it is used, so that one component serves agents of every structure. Nothing else tells
the forward pass or the inner loop about the structure.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

import torch
from torch import Tensor

import aiga
from aiga.components import Layout, Structure
from aiga.data import Leaves

Gate = Literal["learned", "one", "random"]
Adapts = Literal["head", "prediction"]
Order = Literal["second", "first"]
Rate = Literal["fixed", "learned"]
Rows = Literal["anew", "innate"]

KERNEL: Final = 3  # width of every convolution


@dataclass(frozen=True)
class Convolution:
    """One layer: convolution, normalisation of one picture's channel, max pooling, scale and shift, ReLU.

    Attributes:
        name: what its three leaves' names begin with.
        stride, pool: of the convolution and of the pooling, in positions.
    """

    name: str
    stride: int
    pool: int


@dataclass(frozen=True)
class Plan:
    """An architecture, as the leaves' names tell it.

    Attributes:
        features: layers of the prediction network.
        gate: layers of the neuromodulatory network; empty where the gate is fixed at one.
        gate_name: what the names of its leaves begin with.
        frozen_gate: the gate is random and no gradient reaches it.
        head: what the names of the head's layers begin with, first to last.
        adapts: which leaves change within a life: the head, or the whole prediction network; never the gate.
        order: whether the meta-gradient goes through the inner gradients.
        rows: whether a class's row of the head begins anew when a life first meets the class.
        rate: name of the leaf that holds the logarithm of the inner learning rate.
        learned_rate: whether the meta-gradient reaches the rate.
    """

    features: tuple[Convolution, ...]
    gate: tuple[Convolution, ...]
    gate_name: str
    frozen_gate: bool
    head: tuple[str, ...]
    adapts: Adapts
    order: Order
    rows: Rows
    rate: str
    learned_rate: bool

    @property
    def last(self) -> str:
        """What the names of the head's last layer begin with."""
        return self.head[-1]

    def adapting(self, leaves: Mapping[str, Tensor]) -> tuple[str, ...]:
        """Names of the leaves that change within a life, sorted."""
        parts = ("head.",) if self.adapts == "head" else ("head.", "features.")
        return tuple(sorted(name for name in leaves if name.startswith(parts)))


def build(structure: Structure, inputs: aiga.Space, outputs: aiga.Space, who: str) -> Layout:
    """Shapes of one agent's leaves.

    Args:
        structure: see :class:`aiga_continual.network.ContinualNetwork`.
        inputs: pictures ``(channels, height, width)``.
        outputs: ``(classes,)``, discrete.
        who: name of the network, for messages.

    Raises:
        ValueError: for a structure of another version, spaces that do not fit, or layers that leave no picture.
    """
    if structure.get("version") != 1:
        raise ValueError(f"{who} reads structures of version 1, found version {structure.get('version')!r}")
    if len(inputs.shape) != 3:
        raise ValueError(f"{who} sees pictures (channels, height, width), the domain shows {tuple(inputs.shape)}")
    if len(outputs.shape) != 1 or outputs.kind != "discrete":
        raise ValueError(f"{who} answers with a class, the domain asks for {outputs.kind} {tuple(outputs.shape)}")
    strides, pools = structure["strides"], structure["pools"]
    layout: Layout = {}
    width = _stack(layout, "features", structure["channels"], strides, pools, inputs.shape, who)
    if structure["gate"] != "one":
        gate = f"gate.{structure['gate']}"
        inner = _stack(layout, gate, structure["gate_channels"], strides, pools, inputs.shape, who)
        layout |= {f"{gate}.out.bias": (width,), f"{gate}.out.weight": (inner, width)}
    sizes = [width, *structure["hidden"], *outputs.shape]
    for layer in range(len(sizes) - 1):
        layout |= {f"head.{layer:03d}.bias": (sizes[layer + 1],), f"head.{layer:03d}.weight": tuple(sizes[layer : layer + 2])}
    rule = ".".join(structure[key] for key in ("adapts", "order", "rows", "rate"))
    layout[f"learning.{rule}"] = ()
    return layout


def _stack(
    layout: Layout,
    name: str,
    channels: Sequence[int],
    strides: Sequence[int],
    pools: Sequence[int],
    shape: tuple[int, ...],
    who: str,
) -> int:
    """Adds the leaves of a stack of convolutions; the number of features it ends in."""
    if not len(channels) == len(strides) == len(pools):
        found = f"{len(channels)} channels, {len(strides)} strides, {len(pools)} pools"
        raise ValueError(f"{who}: every layer has channels, a stride and a pool; {name} has {found}")
    seen, *size = shape
    for layer, (count, stride, pool) in enumerate(zip(channels, strides, pools, strict=True)):
        before = size
        size = [(side - KERNEL) // stride + 1 for side in size]
        if min(size) < 1 or math.prod(size) < 2:  # a single position has no spread to normalise by
            raise ValueError(f"{who}: layer {layer} of {name} has nothing left to see in {before[0]} x {before[1]} positions")
        size = [side // pool for side in size]
        if min(size) < 1:
            raise ValueError(f"{who}: pool {pool} of layer {layer} of {name} is larger than its picture")
        at = f"{name}.{layer:03d}.stride{stride}.pool{pool}"
        layout |= {f"{at}.kernel": (count, seen, KERNEL, KERNEL), f"{at}.scale": (count,), f"{at}.shift": (count,)}
        seen = count
    return seen * math.prod(size)


def plan_of(leaves: Mapping[str, Tensor]) -> Plan:
    """The architecture of agents with these leaves."""
    return _plan(tuple(sorted(leaves)))


@lru_cache(maxsize=256)
def _plan(names: tuple[str, ...]) -> Plan:
    (rule,) = (name for name in names if name.startswith("learning."))
    _, adapts, order, rows, rate = rule.split(".")
    gates = {".".join(name.split(".")[:2]) for name in names if name.startswith("gate.")}
    gate = next(iter(gates), "")
    return Plan(
        features=_convolutions(names, "features."),
        gate=_convolutions(names, f"{gate}.") if gate else (),
        gate_name=gate,
        frozen_gate=gate == "gate.random",
        head=tuple(name.removesuffix(".weight") for name in names if name.startswith("head.") and name.endswith(".weight")),
        adapts=adapts,  # type: ignore[arg-type]
        order=order,  # type: ignore[arg-type]
        rows=rows,  # type: ignore[arg-type]
        rate=rule,
        learned_rate=rate == "learned",
    )


def _convolutions(names: tuple[str, ...], begin: str) -> tuple[Convolution, ...]:
    found = []
    for name in names:
        if name.startswith(begin) and name.endswith(".kernel"):
            *_, stride, pool, _ = name.split(".")
            whole = name.removesuffix(".kernel")
            found.append(Convolution(whole, int(stride.removeprefix("stride")), int(pool.removeprefix("pool"))))
    return tuple(found)


def fresh(leaves: Leaves) -> Leaves:
    """The same agents with a head that knows no class: its last layer is zero. Nothing given is changed."""
    last = plan_of(leaves).last
    return {name: torch.zeros_like(leaf) if name.startswith(f"{last}.") else leaf for name, leaf in leaves.items()}


def relearning(
    leaves: Leaves,
    rate: Tensor | float | None = None,
    adapts: Adapts | None = None,
    order: Order | None = None,
) -> Leaves:
    """The same agents with another rule of learning within a life. Nothing given is changed.

    Args:
        leaves: ``[B, ...]``.
        rate: inner learning rate, one for all or ``[B]``; None keeps each agent's own.
        adapts: which leaves change within a life; None keeps it.
        order: of the meta-gradient; None keeps it.
    """
    plan, out = plan_of(leaves), dict(leaves)
    own = out.pop(plan.rate)
    if rate is not None:
        own = torch.as_tensor(rate, dtype=torch.float64, device=own.device).log().to(own.dtype).expand(own.shape).clone()
    words = (adapts or plan.adapts, order or plan.order, plan.rows, "learned" if plan.learned_rate else "fixed")
    out[f"learning.{'.'.join(words)}"] = own
    return out
