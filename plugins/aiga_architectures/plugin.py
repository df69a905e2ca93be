"""The plugins of networks whose architecture is a genome: each registers the network of its name."""

from __future__ import annotations

from typing import ClassVar

import aiga
from aiga_architectures.convnet import ConvnetNetwork
from aiga_architectures.options import ConvnetOptions, PerceptronOptions
from aiga_architectures.perceptron import PerceptronNetwork


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
