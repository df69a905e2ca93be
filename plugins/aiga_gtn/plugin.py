"""The plugins ``gtn`` and ``gtn-policy``: each registers the trainer of its name."""

from __future__ import annotations

import aiga
from aiga_gtn.options import GtnOptions
from aiga_gtn.policies.options import GtnPolicyOptions


class Gtn(aiga.Plugin):
    """Registers the trainer ``gtn``."""

    name = "gtn"
    Options = GtnOptions
    options: GtnOptions
    needs = ("examples",)

    def aiga_register(self, registry: aiga.Registry) -> None:
        from aiga_gtn.trainer import GtnTrainer

        registry.trainer("gtn", GtnTrainer(self.options))


class GtnPolicy(aiga.Plugin):
    """Registers the trainer ``gtn-policy``."""

    name = "gtn-policy"
    Options = GtnPolicyOptions
    options: GtnPolicyOptions

    def aiga_register(self, registry: aiga.Registry) -> None:
        from aiga_gtn.policies.trainer import GtnPolicyTrainer

        registry.trainer("gtn-policy", GtnPolicyTrainer(self.options))
