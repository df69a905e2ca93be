"""The plugins of networks whose architecture is a genome: each registers the network of its name."""

from __future__ import annotations

from typing import ClassVar

import aiga
from aiga_architectures.options import PerceptronOptions
from aiga_architectures.perceptron import PerceptronNetwork


class Perceptron(aiga.Plugin):
    """Registers the network ``perceptron``."""

    name: ClassVar[str] = "perceptron"
    Options: ClassVar[type[PerceptronOptions]] = PerceptronOptions
    options: PerceptronOptions

    def aiga_register(self, registry: aiga.Registry) -> None:
        registry.network("perceptron", PerceptronNetwork(self.options))
