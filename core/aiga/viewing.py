"""A lab over a run as it lies on disk, for whoever draws it: nothing in it evaluates or writes."""

from __future__ import annotations

from aiga.archive import StoneArchive
from aiga.experiment import Assembled
from aiga.host import Host
from aiga.journal import Journal
from aiga.lab import Workspace
from aiga.meter import Meter
from aiga.runs import Run
from aiga.stones import Stones


def viewing(run: Run, made: Assembled, journal: Journal, on_error: str = "stop") -> Workspace:
    """The workspace that a plugin's ``aiga_render`` is asked with.

    Args:
        run: what to look at.
        made: its configuration, assembled anew.
        journal: its journal, open.
        on_error: what a plugin that raises does to the asking: ``stop`` or ``disable``.
    """
    config, meter = made.config, Meter()
    return Workspace(
        seed=config.run.seed,
        host=Host(made.plugins, meter, on_error={plugin.name: on_error for plugin in made.plugins}),
        meter=meter,
        registry=made.components,
        executor=made.components.get("executor", config.run.executor),
        archive=StoneArchive(Stones(run.folder.stones, journal)),
        domain=made.components.get("domain", config.population.domain),
        domain_name=config.population.domain,
        optimiser_name=config.slots.improve,
        optimiser_plugin="",
        path=run.path,
        redraw=config.population.redraw,
        selector=config.slots.select,
        iteration=journal.iteration or 0,
    )
