"""Posters of a run, drawn from its directory alone: the phylogeny of its environments, and ANNECS."""

from __future__ import annotations

from pathlib import Path

from aiga.art_annecs import annecs_figure
from aiga.art_layout import choose
from aiga.art_phylogeny import phylogeny_figure
from aiga.art_pictures import pictures
from aiga.art_story import Story, read, scored
from aiga.art_style import save, style
from aiga.errors import StorageError
from aiga.rundir import RunDirectory
from aiga.runs import Run


def draw(path: Path) -> list[Path]:
    """Writes ``art/phylogeny.png`` and ``art/annecs.png`` of the run at ``path``; another process may be writing the run.

    Environments are drawn by the plugins that the run is configured with.

    Returns:
        The files written.

    Raises:
        InputError: if there is no run.
        StorageError: if it cannot be read, or the pictures cannot be written.
    """
    run = Run(RunDirectory.open(Path(path)))
    with run.reading() as journal:
        story, frame = _up_to_date(read(journal), run), journal.annecs()
        shown = choose(story)
        drawn = pictures(run, journal, shown)
    with style():
        phylogeny = save(phylogeny_figure(run.folder.name, story, shown, drawn), run.folder.art / "phylogeny.png")
        annecs = save(annecs_figure(run.folder.name, frame, story), run.folder.art / "annecs.png")
    return [phylogeny, annecs]


def _up_to_date(story: Story, run: Run) -> Story:
    """With the scores of the newest checkpoint; the journal's own where none verifies."""
    try:
        return scored(story, run.niches)
    except StorageError:
        return story
