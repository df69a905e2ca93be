"""The plugins ``oml``, ``anml`` and ``maml``: each registers a network that learns by gradient descent within a life."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field, model_validator

import aiga
from aiga_continual.architecture import Adapts, Gate, Order, Rate, Rows
from aiga_continual.network import ContinualNetwork

CONTROLS: tuple[Gate, ...] = ("one", "random")
_Counts = Annotated[tuple[Annotated[int, Field(strict=True, ge=1)], ...], Field(strict=False)]
_Layers = Annotated[tuple[Annotated[int, Field(strict=True, ge=1)], ...], Field(strict=False, min_length=1)]


class LearnerOptions(aiga.Options):
    """How agents are built and learn within a life.

    Attributes:
        channels: of the prediction network's convolutions, each 3 x 3 and followed by normalisation, pooling and ReLU.
        strides: of the convolutions, in positions.
        pools: of the pooling after each, in positions; 1 for none.
        hidden: units of the head's layers but the last; none at all makes it linear.
        adapts: what changes within a life: the ``head``, or the whole ``prediction`` network, convolutions included.
        order: of the meta-gradient: ``second`` goes through the inner gradients, ``first`` takes them for constants.
        rows: a class's row of the head begins ``anew`` when a life first meets the class, or is the ``innate`` one.
        rate: the inner learning rate is ``fixed``, or ``learned`` by the meta-gradient.
        inner_lr: the inner learning rate of newborn agents. Evolution changes it, as it changes every leaf.
    """

    channels: _Layers = (48, 48, 48)
    strides: _Layers = (2, 1, 1)
    pools: _Layers = (1, 2, 1)
    hidden: _Counts = ()
    adapts: Adapts = "head"
    order: Order = "second"
    rows: Rows = "anew"
    rate: Rate = "fixed"
    inner_lr: float = Field(default=0.03, gt=0.0)

    @model_validator(mode="after")
    def _layers(self) -> LearnerOptions:
        for name in ("strides", "pools"):
            found = getattr(self, name)
            if len(found) != len(self.channels):
                raise ValueError(
                    f"{name} has {len(found)} numbers for {len(self.channels)} layers of channels. Write one for each layer."
                )
        return self

    def structure(self) -> dict[str, object]:
        """The architecture that newborn agents have; see :class:`aiga_continual.network.ContinualNetwork`."""
        lists = {name: list(getattr(self, name)) for name in ("channels", "strides", "pools", "hidden")}
        words = {name: getattr(self, name) for name in ("adapts", "order", "rows", "rate")}
        return {**lists, **words, "gate": "one", "gate_channels": []}


class MamlOptions(LearnerOptions):
    """How agents are built and learn within a life: everything changes, from where it was born.

    Attributes:
        channels: of the prediction network's convolutions, each 3 x 3 and followed by normalisation, pooling and ReLU.
        strides: of the convolutions, in positions.
        pools: of the pooling after each, in positions; 1 for none.
        hidden: units of the head's layers but the last; none at all makes it linear.
        adapts: what changes within a life: the ``head``, or the whole ``prediction`` network, convolutions included.
        order: of the meta-gradient: ``second`` goes through the inner gradients, ``first`` takes them for constants.
        rows: a class's row of the head begins ``anew`` when a life first meets the class, or is the ``innate`` one.
        rate: the inner learning rate is ``fixed``, or ``learned`` by the meta-gradient.
        inner_lr: the inner learning rate of newborn agents. Evolution changes it, as it changes every leaf.
    """

    adapts: Adapts = "prediction"
    rows: Rows = "innate"
    inner_lr: float = Field(default=0.1, gt=0.0)


class AnmlOptions(LearnerOptions):
    """How agents are built and learn within a life.

    Attributes:
        channels: of the prediction network's convolutions, each 3 x 3 and followed by normalisation, pooling and ReLU.
        strides: of the convolutions, in positions; the gate's are the same.
        pools: of the pooling after each, in positions; 1 for none; the gate's are the same.
        hidden: units of the head's layers but the last; none at all makes it linear.
        adapts: what changes within a life: the ``head``, or the whole ``prediction`` network, convolutions included, as in the
            paper; the gate never does.
        order: of the meta-gradient: ``second`` goes through the inner gradients, ``first`` takes them for constants.
        rows: a class's row of the head begins ``anew`` when a life first meets the class, or is the ``innate`` one.
        rate: the inner learning rate is ``fixed``, or ``learned`` by the meta-gradient.
        inner_lr: the inner learning rate of newborn agents. Evolution changes it, as it changes every leaf.
        gate: ``learned``; or, as controls, fixed at ``one``, or ``random`` and out of the meta-gradient's reach.
        gate_channels: of the neuromodulatory network's convolutions.
    """

    inner_lr: float = Field(default=0.1, gt=0.0)
    gate: Gate = "learned"
    gate_channels: _Layers = (24, 24, 24)

    @model_validator(mode="after")
    def _gates(self) -> AnmlOptions:
        if self.gate != "one" and len(self.gate_channels) != len(self.channels):
            raise ValueError(
                f"gate_channels has {len(self.gate_channels)} numbers for {len(self.channels)} layers of channels. "
                "Write one for each layer."
            )
        return self

    def structure(self) -> dict[str, object]:
        """The architecture that newborn agents have."""
        channels = [] if self.gate == "one" else list(self.gate_channels)
        return {**super().structure(), "gate": self.gate, "gate_channels": channels}


class _Learner(aiga.Plugin):
    pillar = "learning"
    options: LearnerOptions

    def standing(self, lab: aiga.Lab) -> aiga.Standing:
        return aiga.Standing.of_networks(lab, self.name)

    def aiga_register(self, registry: aiga.Registry) -> None:
        self._add(registry, self.name, self.options)

    @staticmethod
    def _add(registry: aiga.Registry, name: str, options: LearnerOptions) -> None:
        registry.network(name, ContinualNetwork(name, options.structure(), options.inner_lr))


class Oml(_Learner):
    """Registers the network ``oml``: a representation on which a head learns a stream (Javed & White 2019)."""

    name = "oml"
    Options: ClassVar[type[LearnerOptions]] = LearnerOptions


class Anml(_Learner):
    """Registers the network ``anml``: a second network gates what the head sees (Beaulieu et al. 2020).

    Its controls are networks too, alike but for the gate: ``anml-gate-one`` and ``anml-gate-random``.
    """

    name = "anml"
    Options: ClassVar[type[AnmlOptions]] = AnmlOptions
    options: AnmlOptions

    def standing(self, lab: aiga.Lab) -> aiga.Standing:
        """Its controls learn within a life as well; what they lack is the gate."""
        return aiga.Standing.of_networks(lab, self.name, *(f"{self.name}-gate-{gate}" for gate in CONTROLS))

    def aiga_register(self, registry: aiga.Registry) -> None:
        super().aiga_register(registry)
        for gate in CONTROLS:
            self._add(registry, f"anml-gate-{gate}", self.options.model_copy(update={"gate": gate}))


class Maml(_Learner):
    """Registers the network ``maml``: everything changes within a life (Finn et al. 2017)."""

    name = "maml"
    Options: ClassVar[type[MamlOptions]] = MamlOptions
