"""Networks that learn by gradient descent within a life: ``oml``, ``anml`` and ``maml`` are three structures of one component.

OML (Javed & White 2019) meta-learns a representation on which a head learns a stream of classes, one example after another;
ANML (Beaulieu et al. 2020) multiplies its features by a gate, a second network's answer to the same picture; MAML (Finn et al.
2017) lets everything change within a life.
"""

from __future__ import annotations

import math
from functools import partial

import torch
from torch import Tensor

import aiga
from aiga.components import Layout, Life, Structure
from aiga.data import Leaves
from aiga.products import dense
from aiga_continual import architecture
from aiga_continual.architecture import Plan, fresh, plan_of, relearning
from aiga_continual.descent import descend
from aiga_continual.head import Learnt, first_sights, unroll
from aiga_continual.vision import features, gate, looks, see


class ContinualNetwork:
    """See :class:`aiga.Network`; with the capabilities ``learn``, ``answers``, ``anew`` and ``features``.

    A life holds ``fast.NAME`` for each leaf that changes, its difference from the innate one, and ``met`` ``[B, n]``, 1 for
    classes whose innate row of the head it has put aside. Where the structure's ``rows`` are ``anew``, a class's row begins
    at zero when a life first meets the class: nobody has to ask for it, nothing innate is changed, and classes not met keep
    their innate rows. Zero rather than random, so that a life draws nothing.

    Args:
        name: under which it is registered, for messages.
        structure: of newborn agents: ``channels``, ``strides`` and ``pools`` of the convolutions, ``gate`` (``learned``,
            ``one``, ``random``) and its ``gate_channels``, ``hidden`` units of the head's layers but the last, ``adapts``
            (``head``, ``prediction``), ``order`` (``second``, ``first``), ``rows`` (``anew``, ``innate``), ``rate`` (``fixed``,
            ``learned``).
        inner_lr: step size within a life that newborn agents inherit.
    """

    def __init__(self, name: str, structure: Structure, inner_lr: float) -> None:
        self.structure: Structure = {"version": 1, **structure}
        self._name, self._inner_lr = name, inner_lr

    def build(self, structure: Structure, inputs: aiga.Space, outputs: aiga.Space) -> Layout:
        """Shapes of one agent's leaves; see :func:`aiga_continual.architecture.build`.

        Raises:
            ValueError: for a structure of another version, spaces that do not fit, or layers that leave no picture.
        """
        return architecture.build(structure, inputs, outputs, self._name)

    def init(self, rng: aiga.Stream, layout: Layout, count: int) -> Leaves:
        """``count`` random agents (He et al. 2015), each drawn from ``rng``'s row key where it has row keys, else its number.

        Raises:
            ValueError: if ``rng`` has row keys, but not ``count`` of them.
        """
        rng = rng.each(count)
        return {name: self._born(rng.child(name), name, shape, count) for name, shape in layout.items()}

    def _born(self, rng: aiga.Stream, name: str, shape: tuple[int, ...], count: int) -> Tensor:
        if name.startswith("learning."):
            return torch.full((count,), self._inner_lr, dtype=torch.float64).log().float()
        if name.endswith(".scale"):
            return torch.ones(count, *shape)
        if name.endswith((".shift", ".bias")):
            return torch.zeros(count, *shape)
        if name.endswith(".kernel"):
            return rng.normal(*shape) * math.sqrt(2.0 / math.prod(shape[1:]))
        return rng.normal(*shape) / math.sqrt(shape[0])

    def newborn(self, leaves: Leaves) -> Life:
        """Zero: nothing learnt, no class met."""
        plan = plan_of(leaves)
        life = {f"fast.{name}": torch.zeros_like(leaves[name]) for name in plan.adapting(leaves)}
        return {**life, "met": torch.zeros_like(leaves[f"{plan.last}.bias"])}

    def step(self, leaves: Leaves, life: Life, percept: aiga.Percept) -> tuple[aiga.Output, Life]:
        """``[B, n]`` logits of pictures ``[B, C, H, W]``; on a CPU bits hang on the row alone, unless gradients are wanted."""
        return aiga.Output(self.answers(leaves, life, percept.observation[:, None])[:, 0]), life

    def answers(self, leaves: Leaves, life: Life, x: Tensor) -> Tensor:
        """``[B, T, n]`` logits of pictures ``[B, T, C, H, W]``, each looked at by itself in one and the same life."""
        plan, exact = plan_of(leaves), _exact(leaves, life)
        now = _grown(leaves, life, plan)
        return _headed(now, plan, features(now, plan, x.to(now[plan.rate].dtype), exact), exact)

    def learn(self, leaves: Leaves, life: Life, x: Tensor, y: Tensor, create_graph: bool = False) -> Life:
        """The life after one step of SGD on each example, one after another.

        Where only a linear head adapts, the steps are taken in closed form: see :mod:`aiga_continual.head`.

        Args:
            leaves: innate parameters, ``[B, ...]``.
            life: before the first example.
            x: ``[B, T, C, H, W]`` pictures.
            y: ``[B, T]`` int64 classes; -1 where there is no example.
            create_graph: make the result differentiable in ``leaves``; how deep, the structure's ``order`` says.
        """
        plan = plan_of(leaves)
        exact = not create_graph and _on_host(leaves)
        with torch.set_grad_enabled(create_graph):
            x, y = x.to(leaves[plan.rate].dtype), y.to(leaves[plan.rate].device)
            own = leaves[plan.rate] if plan.learned_rate else leaves[plan.rate].detach()
            rate = own.double().exp().to(own.dtype)  # rounded once: the routine for float32 rounds by place
            if plan.adapts == "head" and len(plan.head) == 1:
                return _closed_form(leaves, plan, life, features(leaves, plan, x, exact), y, rate, exact)
            if plan.adapts == "head":
                h = features(leaves, plan, x, exact)
                logits = partial(_from_features, leaves, plan, h, exact)
            else:
                logits = partial(_from_pictures, leaves, plan, x, gate(leaves, plan, x, exact), exact)
            second = create_graph and plan.order == "second"
            return descend(logits, life, y, rate, partial(_begin, plan), second)

    def anew(self, leaves: Leaves, rate: Tensor | None = None) -> Leaves:
        """The same agents, knowing no class at birth, with step size ``rate`` ``[B]`` within a life; without it, their own."""
        return relearning(fresh(leaves), rate=rate)

    def features(self, leaves: Leaves, x: Tensor) -> dict[str, Tensor]:
        """What pictures ``[B, T, C, H, W]`` are seen as, by name; see :func:`aiga_continual.vision.looks`."""
        plan = plan_of(leaves)
        with torch.no_grad():
            return looks(leaves, plan, x.to(leaves[plan.rate].dtype), exact=_on_host(leaves))


def _closed_form(leaves: Leaves, plan: Plan, life: Life, h: Tensor, y: Tensor, rate: Tensor, exact: bool) -> Life:
    weight, bias = f"{plan.last}.weight", f"{plan.last}.bias"
    learnt = unroll(
        leaves[weight],
        leaves[bias],
        Learnt(life[f"fast.{weight}"], life[f"fast.{bias}"], life["met"]),
        h,
        y,
        rate,
        anew=plan.rows == "anew",
        first_order=plan.order == "first",
        exact=exact,
    )
    return {f"fast.{weight}": learnt.weight, f"fast.{bias}": learnt.bias, "met": learnt.met}


def _from_features(leaves: Leaves, plan: Plan, h: Tensor, exact: bool, life: Life, t: int) -> Tensor:
    return _headed(_grown(leaves, life, plan), plan, h[:, t, None], exact)[:, 0]


def _from_pictures(leaves: Leaves, plan: Plan, x: Tensor, gates: Tensor | None, exact: bool, life: Life, t: int) -> Tensor:
    now = _grown(leaves, life, plan)
    h = see(now, plan.features, x[:, t, None], exact)
    return _headed(now, plan, h if gates is None else h * gates[:, t, None], exact)[:, 0]


def _begin(plan: Plan, life: Life, y: Tensor) -> Life:
    """The life once it has seen that classes ``y`` ``[B]`` are to be learnt: rows of new ones are put aside."""
    if plan.rows == "innate":
        return life
    new = first_sights(y[:, None], life["met"]).to(life["met"].dtype)
    old = 1.0 - new * torch.nn.functional.one_hot(y.clamp(min=0), life["met"].shape[1])
    weight, bias = f"fast.{plan.last}.weight", f"fast.{plan.last}.bias"
    return {
        **life,
        weight: life[weight] * old[:, None],
        bias: life[bias] * old,
        "met": torch.maximum(life["met"], 1.0 - old),
    }


def _grown(leaves: Leaves, life: Life, plan: Plan) -> Leaves:
    """The parameters as they stand in this life."""
    now = {**leaves, **{name: leaves[name] + life[f"fast.{name}"] for name in plan.adapting(leaves)}}
    weight, bias, there = f"{plan.last}.weight", f"{plan.last}.bias", 1.0 - life["met"]
    now[weight] = leaves[weight] * there[:, None] + life[f"fast.{weight}"]
    now[bias] = leaves[bias] * there + life[f"fast.{bias}"]
    return now


def _headed(leaves: Leaves, plan: Plan, h: Tensor, exact: bool) -> Tensor:
    """``[B, T, n]`` logits of features ``[B, T, F]``."""
    for layer in plan.head:
        h = dense(h, leaves[f"{layer}.weight"], leaves[f"{layer}.bias"], exact)
        h = torch.relu(h) if layer != plan.last else h
    return h


def _on_host(leaves: Leaves) -> bool:
    return next(iter(leaves.values())).device.type == "cpu"


def _exact(leaves: Leaves, life: Life) -> bool:
    wanted = torch.is_grad_enabled() and any(part.requires_grad for part in (*leaves.values(), *life.values()))
    return _on_host(leaves) and not wanted
