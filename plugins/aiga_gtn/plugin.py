"""The plugins ``gtn`` and ``gtn-policy``: each registers the trainer of its name, ``gtn`` an optimiser besides."""

from __future__ import annotations

from typing import Any

import torch

import aiga
from aiga_gtn.optimiser import GtnOptimiser
from aiga_gtn.options import GtnOptions
from aiga_gtn.policies.options import GtnPolicyOptions


class Gtn(aiga.Plugin):
    """Registers the trainer ``gtn``, and the optimiser ``gtn``, whose teacher is a file that the trainer left.

    Its state is which file that was: with another the run would be another.
    """

    name = "gtn"
    Options = GtnOptions
    options: GtnOptions
    needs = ("examples",)

    def __init__(self, options: Any = None) -> None:
        super().__init__(options)
        self._optimiser = GtnOptimiser(self.options.teacher_file, self.options.threads)

    def state_dict(self) -> dict[str, Any]:
        return {"teacher": self._optimiser.digest}

    def load_state_dict(self, state: dict[str, Any], version: int) -> None:
        self._optimiser.digest = state.get("teacher", "")

    def aiga_register(self, registry: aiga.Registry) -> None:
        from aiga_gtn.trainer import GtnTrainer

        registry.trainer("gtn", GtnTrainer(self.options))
        registry.optimiser("gtn", self._optimiser)

    def aiga_metrics(self, lab: aiga.Lab) -> dict[str, float] | None:
        """Where it improves the niches' agents: the ``steps`` that they have had, a mean; and how many of them ``failed``."""
        state = [columns for columns in lab.niches.state.values() if "speed" in columns]
        if not state:
            return None
        had = torch.cat([columns["steps"].cpu() for columns in state])
        return {"steps": float(had.double().mean()), "failed": float(sum(int(each["failed"].sum()) for each in state))}


class GtnPolicy(aiga.Plugin):
    """Registers the trainer ``gtn-policy``."""

    name = "gtn-policy"
    Options = GtnPolicyOptions
    options: GtnPolicyOptions

    def aiga_register(self, registry: aiga.Registry) -> None:
        from aiga_gtn.policies.trainer import GtnPolicyTrainer

        registry.trainer("gtn-policy", GtnPolicyTrainer(self.options))
