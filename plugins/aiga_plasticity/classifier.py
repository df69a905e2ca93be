"""Few-shot classification by differentiable plasticity (Miconi, Clune & Stanley, "Differentiable plasticity", ICML 2018)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, Final

import torch
from torch import Tensor

import aiga
from aiga.components import Layout, Life, Structure
from aiga.data import Leaves
from aiga.products import convolve, dense
from aiga_plasticity import naming, rules
from aiga_plasticity.options import ClassifierOptions
from aiga_plasticity.products import Exact, Fast, Products, per_life

NAME: Final = "plastic-classifier"
KERNEL: Final = 3  # width of every convolution
RULES: Final = ("decay", "oja")
_ARCHITECTURE: Final = {"channels", "strides", "rule", "label", "alpha"}
_PICTURES: Final = 512  # looked at in one piece where no gradient is wanted


class PlasticClassifier:
    """The network ``plastic-classifier``: innate eyes, and a layer that learns names; see :class:`aiga.Network`.

    Convolutions make features ``x = tanh(...)`` of a picture, and ``y = softmax(x (w + alpha * H) + label * target)`` names it.
    While a picture is learnt its target is one-hot and drowns everything else, so that the trace ``H`` ``[B, F, n]``, zero at
    birth, takes up which features go with which name: by ``decay``, ``H <- (1 - eta) H + eta x y``, or by ``oja``,
    ``H <- H + eta y (x - H y)``. Where there is no target, ``y`` is what the network itself says. What it answers are the
    logits, whose softmax is ``y``.

    Without plasticity, ``alpha = 0``, it is a plain classifier, and names that a life has made up are beyond it.

    The capability ``answers`` looks at many pictures in one and the same life. On a CPU bits hang on the row alone, unless
    gradients are wanted.

    Args:
        options: the architecture of newborn agents, and how they are drawn.
    """

    traces: ClassVar[tuple[str, ...]] = ("trace",)

    def __init__(self, options: ClassifierOptions) -> None:
        self.options = options
        self.structure: Structure = {"version": 1, **options.model_dump(mode="json", include=_ARCHITECTURE)}

    def build(self, structure: Structure, inputs: aiga.Space, outputs: aiga.Space) -> Layout:
        """Shapes of one agent's leaves.

        Args:
            structure: ``version``; ``channels`` and ``strides`` of the convolutions; ``rule`` of the trace; ``label``, how
                strong a target is; ``alpha``, a plasticity for each ``connection`` or one ``shared``.
            inputs: pictures ``(channels, height, width)``.
            outputs: ``(classes,)``, discrete.

        Raises:
            ValueError: for a structure of another version or rule, spaces that do not fit, or layers that leave no picture.
        """
        if structure.get("version") != 1:
            raise ValueError(f"{NAME} reads structures of version 1, found version {structure.get('version')!r}")
        if structure["rule"] not in RULES:
            raise ValueError(f"{NAME} has no rule {structure['rule']!r}; it has {', '.join(RULES)}")
        if len(inputs.shape) != 3:
            raise ValueError(f"{NAME} sees pictures (channels, height, width), the domain shows {tuple(inputs.shape)}")
        if len(outputs.shape) != 1 or outputs.kind != "discrete":
            raise ValueError(f"{NAME} answers with a class, the domain asks for {outputs.kind} {tuple(outputs.shape)}")
        channels, strides = structure["channels"], structure["strides"]
        if len(channels) != len(strides):
            raise ValueError(f"{NAME}: every layer has channels and a stride; found {len(channels)} and {len(strides)}")
        layout: Layout = {}
        seen, *size = inputs.shape
        for layer, (count, stride) in enumerate(zip(channels, strides, strict=True)):
            before, size = size, [(side - KERNEL) // stride + 1 for side in size]
            if min(size) < 1:
                raise ValueError(
                    f"{NAME}: layer {layer} has nothing left to see in {before[0]} x {before[1]} positions. "
                    "Write fewer channels and strides, or shorter strides."
                )
            part, tag = f"eye{layer:03d}", f"stride{stride}"
            layout[naming.name(part, tag, "kernel")] = (count, seen, KERNEL, KERNEL)
            layout[naming.name(part, tag, "bias")] = (count,)
            seen = count
        named = (seen * math.prod(size), outputs.shape[0])
        tag = f"{structure['rule']}={structure['label']:g}"
        layout["head.weight"] = named
        layout[naming.name("trace", tag, "alpha")] = named if structure["alpha"] == "connection" else ()
        layout[naming.name("trace", tag, "eta")] = ()
        return layout

    def init(self, rng: aiga.Stream, layout: Layout, count: int) -> Leaves:
        """``count`` random agents, each drawn from ``rng``'s row key where it has row keys, else from its number.

        Kernels are normal with a deviation of ``1 / sqrt(fan-in)``, biases 0; of the rest the options speak.

        Raises:
            ValueError: if ``rng`` has row keys, but not ``count`` of them.
        """
        rng = rng.each(count)
        return {each: self._born(naming.role(each), rng.child(each), shape, count) for each, shape in layout.items()}

    def _born(self, role: str, rng: aiga.Stream, shape: tuple[int, ...], count: int) -> Tensor:
        options = self.options
        if role == "trace.eta":
            return torch.full((count,), options.eta)
        if role == "trace.alpha":
            return rng.uniform(*shape, high=options.alpha_scale).float() if shape else torch.full((count,), options.alpha_scale)
        if role == "head.weight":
            return rng.normal(*shape) * options.weight_scale
        if role.endswith(".bias"):
            return torch.zeros(count, *shape)
        return rng.normal(*shape) / math.sqrt(math.prod(shape[1:]))

    def newborn(self, leaves: Leaves) -> Life:
        """Zero: no name is known."""
        return {"trace": torch.zeros_like(leaves["head.weight"])}

    def step(self, leaves: Leaves, life: Life, percept: aiga.Percept) -> tuple[aiga.Output, Life]:
        """``[B, n]`` logits of pictures ``[B, C, H, W]``, and the life that has taken them up under ``target`` ``[B, n]``."""
        tags, plain = naming.read(leaves)
        rule, _, label = tags["trace"].partition("=")
        products = _products(plain)
        x = _seen(tags, plain, percept.observation[:, None], products)
        logits = _named(plain, life, x, products)[:, 0]
        if percept.target is not None:
            logits = logits + float(label) * percept.target.to(logits.dtype)
        y, eta = torch.softmax(logits, dim=1), per_life(plain["trace.eta"], len(x))
        follow = rules.decay if rule == "decay" else rules.oja
        return aiga.Output(logits), {"trace": follow(life["trace"], x[:, 0], y, eta, products)}

    def answers(self, leaves: Leaves, life: Life, x: Tensor) -> Tensor:
        """``[B, T, n]`` logits of pictures ``[B, T, C, H, W]``, each looked at by itself in one and the same life."""
        tags, plain = naming.read(leaves)
        products = _products(plain)
        return _named(plain, life, _seen(tags, plain, x, products), products)


def _products(leaves: Leaves) -> Products:
    """Fast ones on a GPU and where gradients are wanted, else exact ones."""
    wanted = torch.is_grad_enabled() and any(leaf.requires_grad for leaf in leaves.values())
    return Fast() if wanted or leaves["head.weight"].is_cuda else Exact()


def _seen(tags: Mapping[str, str], leaves: Leaves, x: Tensor, products: Products) -> Tensor:
    """``[B, T, F]`` features of pictures ``[B, T, C, H, W]``."""
    x = x.to(leaves["head.weight"].dtype)
    if torch.is_grad_enabled():
        return _looked(tags, leaves, x, products)
    pieces = torch.split(x, max(1, _PICTURES // len(x)), dim=1)
    return torch.cat([_looked(tags, leaves, some, products) for some in pieces], dim=1)


def _looked(tags: Mapping[str, str], leaves: Leaves, x: Tensor, products: Products) -> Tensor:
    exact = isinstance(products, Exact)
    for part in sorted(part for part in tags if part.startswith("eye")):
        stride = int(tags[part].removeprefix("stride"))
        x = convolve(x, leaves[f"{part}.kernel"], stride, exact)
        x = torch.tanh(x + leaves[f"{part}.bias"][:, None, :, None, None])
    return x.flatten(2)


def _named(leaves: Leaves, life: Life, x: Tensor, products: Products) -> Tensor:
    """``[B, T, n]`` of features ``[B, T, F]``."""
    weight, alpha = leaves["head.weight"], leaves["trace.alpha"]
    whole = weight + (alpha if alpha.ndim == 3 else alpha[:, None, None]) * life["trace"]
    return dense(x, whole, whole.new_zeros(len(whole), whole.shape[2]), isinstance(products, Exact))
