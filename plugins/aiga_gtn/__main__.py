"""``python -m aiga_gtn forecasts RUN --out X.png``: what forecasts of architectures were worth in an open-ended run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aiga.cli.failures import answering
from aiga.cli.outputs import check_out, write_out
from aiga.images import PICTURE

app = typer.Typer(
    help="The teachers' own tools.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _options() -> None:
    """The teachers' own tools."""


@app.command()
@answering
def forecasts(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run with gtn-niches.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="A picture (.png).")],
) -> None:
    """Draw the latest forecasts of architectures against what real evaluation then said, as ranks within their niche."""
    from aiga_gtn.niches.pictures import drawn

    check_out(out, {PICTURE: "a picture"})
    write_out(out, drawn(run))
    typer.echo(f"written: {out}")


if __name__ == "__main__":
    app(prog_name="python -m aiga_gtn")
