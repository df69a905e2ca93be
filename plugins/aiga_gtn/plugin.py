"""The plugin ``gtn``: registers the trainer of that name."""

from __future__ import annotations

import aiga
from aiga_gtn.options import GtnOptions


class Gtn(aiga.Plugin):
    """Registers the trainer ``gtn``."""

    name = "gtn"
    Options = GtnOptions
    options: GtnOptions
    needs = ("examples",)

    def aiga_register(self, registry: aiga.Registry) -> None:
        from aiga_gtn.trainer import GtnTrainer

        registry.trainer("gtn", GtnTrainer(self.options))
