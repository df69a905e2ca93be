"""The plugins of networks whose architecture is a genome: each registers the network of its name."""

from __future__ import annotations

from typing import ClassVar

import aiga
from aiga_architectures.convnet import ConvnetNetwork
from aiga_architectures.options import ConvnetOptions, PerceptronOptions, PolicyOptions
from aiga_architectures.perceptron import PerceptronNetwork
from aiga_architectures.policy import PolicyNetwork


class Perceptron(aiga.Plugin):
    """Registers the network ``perceptron``."""

    name: ClassVar[str] = "perceptron"
    Options: ClassVar[type[PerceptronOptions]] = PerceptronOptions
    options: PerceptronOptions

    def aiga_register(self, registry: aiga.Registry) -> None:
        registry.network("perceptron", PerceptronNetwork(self.options))


class Convnet(aiga.Plugin):
    """Registers the network ``convnet``."""

    name: ClassVar[str] = "convnet"
    Options: ClassVar[type[ConvnetOptions]] = ConvnetOptions
    options: ConvnetOptions

    def aiga_register(self, registry: aiga.Registry) -> None:
        registry.network("convnet", ConvnetNetwork(self.options))


class Policy(aiga.Plugin):
    """Registers the network ``policy``."""

    name: ClassVar[str] = "policy"
    Options: ClassVar[type[PolicyOptions]] = PolicyOptions
    options: PolicyOptions

    def aiga_register(self, registry: aiga.Registry) -> None:
        registry.network("policy", PolicyNetwork(self.options))
