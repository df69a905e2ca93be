"""``python -m aiga_search``: ``draw``, ``best`` and ``forecasts`` draw how a search went, what it found, what it forecast."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import aiga
from aiga.cli.failures import answering
from aiga.cli.outputs import check_out, write_out
from aiga.images import PICTURE
from aiga_search import best as found
from aiga_search import clouds
from aiga_search.curves import best_so_far

app = typer.Typer(
    help="The searches' own tools.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _options() -> None:
    """The searches' own tools."""


@app.command()
@answering
def draw(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders of runs.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="A picture (.png).")],
) -> None:
    """Draw how good the best architecture was after each trial."""
    check_out(out, {PICTURE: "a picture"})
    picture = best_so_far([aiga.open(path) for path in runs])
    write_out(out, picture)
    typer.echo(f"written: {out}")


@app.command()
@answering
def best(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="A picture (.png).")],
    count: Annotated[int, typer.Option("--count", min=1, help="How many architectures.")] = 4,
) -> None:
    """Draw the best architectures that were found, with rank, score and parameters."""
    check_out(out, {PICTURE: "a picture"})
    write_out(out, found.drawn(aiga.open(run), count))
    typer.echo(f"written: {out}")


@app.command()
@answering
def forecasts(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="A picture (.png).")],
) -> None:
    """Draw what forecasts said of architectures, and what they scored once they were trained."""
    check_out(out, {PICTURE: "a picture"})
    write_out(out, clouds.drawn(aiga.open(run)))
    typer.echo(f"written: {out}")


if __name__ == "__main__":
    app(prog_name="python -m aiga_search")
