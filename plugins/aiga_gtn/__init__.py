"""Generative Teaching Networks (Such et al. 2020): learned lessons that fresh learners of any architecture learn from fast."""

from __future__ import annotations

from aiga_gtn.niches.plugin import GtnNiches as GtnNiches
from aiga_gtn.plugin import Gtn as Gtn
from aiga_gtn.plugin import GtnPolicy as GtnPolicy
from aiga_gtn.policies.storing import load_policy as load_policy
from aiga_gtn.storing import load as load
