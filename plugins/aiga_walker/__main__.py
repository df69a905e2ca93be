"""``python -m aiga_walker draw FILE --out X``: a recorded episode as a picture or an animation; the run is not needed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aiga.cli.failures import answering
from aiga.cli.outputs import check_out
from aiga.images import ANIMATION, PICTURE, save_image
from aiga_walker.episode_art import frames_of, strip_of
from aiga_walker.episode_file import read

app = typer.Typer(
    help="The walker's own tools.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _options() -> None:
    """The walker's own tools."""


@app.command()
@answering
def draw(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `aiga replay NAME ID --out FILE.json` wrote.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="A picture (.png) or an animation (.gif).")],
) -> None:
    """Draw a recorded episode from its file alone."""
    suffix = check_out(out, {PICTURE: "a picture", ANIMATION: "an animation"})
    episode = read(file)
    caption = episode.about.get("caption")
    make = frames_of if suffix == ANIMATION else strip_of
    save_image(out, make(episode, caption=caption if isinstance(caption, str) else ""))
    typer.echo(f"written: {out}")


if __name__ == "__main__":
    app(prog_name="python -m aiga_walker")
