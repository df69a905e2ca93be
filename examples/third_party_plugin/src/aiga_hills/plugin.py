"""The plugin ``hills``: its options, its components, and the hooks that follow how high the carts have come."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from pydantic import Field

from aiga import Cost, Event, Lab, Options, Pairs, Plugin, Registry, Screened, Subject
from aiga_hills import draw, track
from aiga_hills.domain import HillsDomain


class HillsOptions(Options):
    """Options of ``[plugins.hills.options]``.

    Attributes:
        steps: the longest life, in steps of 0.1 s.
        ceiling: m; tracks that rise higher above their start are rejected before anything lives there.
    """

    steps: int = Field(default=120, ge=1)
    ceiling: float = Field(default=4.0, gt=0.0)


class Hills(Plugin):
    """Carts on hilly tracks: the domain ``hills``, and the screen ``hills.ceiling``."""

    name = "hills"
    Options: ClassVar[type[HillsOptions]] = HillsOptions
    options: HillsOptions

    def __init__(self, options: HillsOptions | None = None) -> None:
        super().__init__(options)
        self._summit = 0.0  # m: the highest track that was ever solved

    def state_dict(self) -> dict[str, Any]:
        return {"summit": self._summit}

    def load_state_dict(self, state: dict[str, Any], version: int) -> None:
        self._summit = state["summit"]

    def aiga_register(self, registry: Registry) -> None:
        registry.domain("hills", HillsDomain(self.options.steps))
        registry.screen("hills.ceiling", self.screen_ceiling, Cost.FREE)

    def screen_ceiling(self, lab: Lab, pairs: Pairs) -> Screened:
        """Rejects tracks that rise above the ceiling; other domains' environments pass."""
        highest = torch.full((len(pairs.envs),), -torch.inf, dtype=torch.float64)
        for start, batch in pairs.envs.parts():
            if batch.kind == track.KIND:
                highest[start : start + len(batch)] = track.describe(batch)[:, 0].cpu()
        of_row = highest[pairs.env]
        above = of_row > self.options.ceiling
        rejected = torch.nonzero(above).flatten()
        reasons = tuple(
            f"rises {height:.2f} m, above the ceiling of {self.options.ceiling:g} m" for height in of_row[above].tolist()
        )
        return Screened(pairs.take(torch.nonzero(~above).flatten()), rejected, reasons)

    def aiga_event(self, lab: Lab, event: Event) -> None:
        """Keeps the height of the highest track solved."""
        if event.type == "solved":
            niches = lab.niches
            rows = niches.rows(torch.tensor(event.columns["niche"]))
            envs, _ = niches.envs.take(niches.env[rows])
            self._summit = max(self._summit, *(float(track.describe(batch)[:, 0].max()) for batch in envs.batches))

    def aiga_metrics(self, lab: Lab) -> dict[str, float]:
        """``summit``: height of the highest track ever solved, m; ``height``, ``wind``: mean over the active niches."""
        described = [track.describe(batch).cpu() for batch in lab.niches.envs.batches]
        if not described:
            return {"summit": self._summit}
        mean = torch.cat(described).mean(dim=0).tolist()
        return {"summit": self._summit, "height": mean[0], "wind": mean[3]}

    def aiga_render(self, lab: Lab, subject: Subject) -> Any:
        """Tracks and lives, see :func:`aiga_hills.draw.render`."""
        return draw.render(subject)
