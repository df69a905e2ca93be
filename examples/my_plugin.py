"""A plugin in one file: a screen that rejects environments nearly there already, and a metric of how unlike agents are.

Run it with ``aiga run examples/my_plugin.toml``.
"""

from __future__ import annotations

from typing import Any

import torch

import aiga
from aiga.data import flatten


class MyOptions(aiga.Options):
    """Options of ``[plugins.my_plugin.options]``.

    Attributes:
        nearest: a proposed environment closer than this to an active one is rejected, in units of the domain's ``distance``.
    """

    nearest: float = 0.5


class MyPlugin(aiga.Plugin):
    """Rejects environments that are nearly there already, and follows how unlike the agents are."""

    name = "my_plugin"
    Options = MyOptions
    options: MyOptions
    needs = ("distance",)

    def aiga_register(self, registry: aiga.Registry) -> None:
        registry.screen("my_plugin.nearest", self.screen, aiga.Cost.FREE)

    def screen(self, lab: aiga.Lab, pairs: aiga.Pairs) -> aiga.Screened:
        """Rejects what is close to an active environment; what already is one passes."""
        domain: Any = lab.domain
        apart = torch.full((len(pairs.envs),), torch.inf, dtype=torch.float64)
        for start, batch in pairs.envs.parts():
            for active in lab.niches.envs.batches:
                if active.kind == batch.kind:
                    near = domain.distance(batch, active).amin(dim=1).cpu()
                    apart[start : start + len(batch)] = torch.minimum(apart[start : start + len(batch)], near)
        known = torch.isin(pairs.envs.ids, lab.niches.env_ids)
        close = (~known & (apart < self.options.nearest))[pairs.env]
        reasons = tuple(f"{apart[row]:.2f} from an active environment" for row in pairs.env[close].tolist())
        return aiga.Screened(pairs.take(torch.nonzero(~close).flatten()), torch.nonzero(close).flatten(), reasons)

    def aiga_metrics(self, lab: aiga.Lab) -> dict[str, float]:
        """``diversity``: mean distance between the parameters of two agents of one kind."""
        rows = [flatten(batch.leaves).double() for batch in lab.niches.agents.batches if len(batch) > 1]
        return {"diversity": float(torch.cat([torch.pdist(each) for each in rows]).mean())} if rows else {}
