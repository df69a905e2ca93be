"""``python -m aiga_search``: ``draw`` draws the best score so far against trials, ``best`` the architectures found best."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import aiga
from aiga.cli.failures import answering
from aiga.cli.outputs import check_out
from aiga.images import PICTURE
from aiga_search.best import drawn
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
    out.write_bytes(picture)
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
    picture = drawn(aiga.open(run), count)
    out.write_bytes(picture)
    typer.echo(f"written: {out}")


if __name__ == "__main__":
    app(prog_name="python -m aiga_search")
