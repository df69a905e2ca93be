"""The plugins of recurrent and plastic networks: each registers the network of its name."""

from __future__ import annotations

from typing import ClassVar

import aiga
from aiga_plasticity.backpropamine import BackpropamineNetwork
from aiga_plasticity.classifier import PlasticClassifier
from aiga_plasticity.controls import LstmNetwork, RnnNetwork
from aiga_plasticity.options import BackpropamineOptions, ClassifierOptions, LstmOptions, PlasticOptions, RnnOptions
from aiga_plasticity.plastic import PlasticNetwork


class Rnn(aiga.Plugin):
    """Registers the network ``rnn``."""

    name: ClassVar[str] = "rnn"
    Options: ClassVar[type[RnnOptions]] = RnnOptions
    options: RnnOptions

    def aiga_register(self, registry: aiga.Registry) -> None:
        registry.network("rnn", RnnNetwork(self.options))


class Lstm(aiga.Plugin):
    """Registers the network ``lstm``."""

    name: ClassVar[str] = "lstm"
    Options: ClassVar[type[LstmOptions]] = LstmOptions
    options: LstmOptions

    def aiga_register(self, registry: aiga.Registry) -> None:
        registry.network("lstm", LstmNetwork(self.options))


class _Learner(aiga.Plugin):
    """Brings a network that changes within a life; the controls do not."""

    pillar: ClassVar[str] = "learning"

    def standing(self, lab: aiga.Lab) -> aiga.Standing:
        return aiga.Standing.of_networks(lab, self.name)


class Plastic(_Learner):
    """Registers the network ``plastic``."""

    name: ClassVar[str] = "plastic"
    Options: ClassVar[type[PlasticOptions]] = PlasticOptions
    options: PlasticOptions

    def aiga_register(self, registry: aiga.Registry) -> None:
        registry.network("plastic", PlasticNetwork(self.options))


class Classifier(_Learner):
    """Registers the network ``plastic-classifier``."""

    name: ClassVar[str] = "plastic-classifier"
    Options: ClassVar[type[ClassifierOptions]] = ClassifierOptions
    options: ClassifierOptions

    def aiga_register(self, registry: aiga.Registry) -> None:
        registry.network("plastic-classifier", PlasticClassifier(self.options))


class Backpropamine(_Learner):
    """Registers the network ``backpropamine``."""

    name: ClassVar[str] = "backpropamine"
    Options: ClassVar[type[BackpropamineOptions]] = BackpropamineOptions
    options: BackpropamineOptions

    def aiga_register(self, registry: aiga.Registry) -> None:
        registry.network("backpropamine", BackpropamineNetwork(self.options))
