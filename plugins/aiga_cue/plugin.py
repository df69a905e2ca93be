"""The plugin ``cue``: registers the domain and draws tasks and lives."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

import aiga
from aiga_cue.genome import MOST_BITS


class CueOptions(aiga.Options):
    """Options of cue-reward association.

    Attributes:
        start: the task to start from, by name: ``full``, ``mini``, or one of these with ``-fixed``, whose cues never change.
        max_bits: of a cue; what agents perceive has room for as many.
        max_steps: the longest life.
    """

    start: str = "full"
    max_bits: int = Field(default=20, ge=5, le=MOST_BITS)
    max_steps: int = Field(default=200, ge=24)


class Cue(aiga.Plugin):
    """Tasks where one of some random cues must be found out from rewards alone."""

    name: ClassVar[str] = "cue"
    Options: ClassVar[type[CueOptions]] = CueOptions
    options: CueOptions

    def aiga_register(self, registry: aiga.Registry) -> None:
        """Registers the domain ``cue``."""
        from aiga_cue.domain import CueDomain

        options = self.options
        registry.domain("cue", CueDomain(options.start, options.max_bits, options.max_steps))

    def aiga_render(self, lab: aiga.Lab, subject: aiga.Subject) -> Any:
        """Tasks as an example of what is shown, a life with what was answered; see :func:`aiga_cue.render.render`."""
        from aiga_cue.render import render

        return render(subject)
