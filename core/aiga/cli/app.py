"""The verbs of ``aiga``: arguments and help. What each does lies in a module of its own, imported when it is called."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from aiga.cli.failures import answering, minutes
from aiga.cli.places import RUNS, find

app = typer.Typer(
    name="aiga",
    help="Open-ended search: plugins invent environments, improve agents in them, and transfer agents between them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
plugins = typer.Typer(help="What is installed, what it offers, and whether it is in order.", no_args_is_help=True)
app.add_typer(plugins, name="plugin")

Name = Annotated[str, typer.Argument(metavar="NAME", help="A run in --runs, or the path of its folder.")]
Runs = Annotated[Path, typer.Option("--runs", metavar="DIR", help="The folder of runs.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document instead of tables.")]


def main() -> None:
    """Entry point of the console script."""
    # Closed by whoever started this, as a daemon's are: then what is said goes nowhere.
    sys.stdout = sys.stdout or Path(os.devnull).open("w")  # noqa: SIM115
    sys.stderr = sys.stderr or Path(os.devnull).open("w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        # A terminal that lacks a character of a table must not end the run that the table is about.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    app()


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"aiga {version('aiga')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Options of ``aiga`` itself."""


@app.command()
@answering
def run(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What the run is made of.")] = Path("plugins.toml"),
    name: Annotated[str | None, typer.Option("--name", metavar="N", help="Of the run; without it, the next free one.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="K=V", help="Overrides a key, such as run.seed=3. Repeatable.")
    ] = None,
    runs: Runs = RUNS,
) -> None:
    """Start a run, and carry it to its end. Ctrl-C stops and saves it; a second Ctrl-C ends it at once."""
    from aiga.cli import running

    running.run(file, name, settings or [], runs)


@app.command()
@answering
def train(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What is trained: a plugins.toml with a table \\[train].")],
    name: Annotated[
        str | None, typer.Option("--name", metavar="N", help="Of the training; without it, the next free one.")
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="K=V", help="Overrides a key, such as train.max_steps=9. Repeatable.")
    ] = None,
    runs: Runs = RUNS,
) -> None:
    """Train with Lightning what a trainer makes, to its end. Stops, saves and resumes as a run does."""
    from aiga.cli import training

    training.train(file, name, settings or [], runs)


@app.command()
@answering
def report(name: Name, runs: Runs = RUNS) -> None:
    """Compare a training's agents anew: the table of its experiment, and the pictures of the paper it follows."""
    from aiga.cli import training

    training.report(find(name, runs))


@app.command()
@answering
def resume(
    name: Name,
    duration: Annotated[str | None, typer.Option("--for", metavar="TIME", help="How long to go on, such as 10m or 8h.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="K=V", help="Overrides a key of run.* or train.*, or an on_error. Repeatable."),
    ] = None,
    runs: Runs = RUNS,
) -> None:
    """Go on with a run or a training where its newest sound checkpoint left it."""
    from aiga.cli import running

    running.resume(find(name, runs), None if duration is None else minutes(duration), settings or [])


@app.command()
@answering
def status(
    name: Name,
    as_json: Json = False,
    watch: Annotated[bool, typer.Option("--watch", help="Look again every two seconds, until Ctrl-C.")] = False,
    runs: Runs = RUNS,
) -> None:
    """Show how far a run is: its niches and their scores, what was admitted, transferred and solved; or a training."""
    from aiga.cli import status as verb

    verb.show(find(name, runs), as_json, watch)


@app.command()
@answering
def journal(
    name: Name,
    since: Annotated[int, typer.Option("--since", metavar="ID", min=0, max=2**63 - 1, help="Only rows with a higher id.")] = 0,
    times: Annotated[bool, typer.Option("--times", help="Add the time at which each row was committed.")] = False,
    runs: Runs = RUNS,
) -> None:
    """Print what happened in a run, one JSON object a line: only what seed and configuration determine."""
    from aiga.cli import journal as verb

    verb.show(find(name, runs), since, times)


@app.command()
@answering
def replay(
    name: Name,
    stone: Annotated[int, typer.Argument(metavar="ID", help="Of an environment or an agent, as the journal has it.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="A picture (.png), an animation (.gif) or the episode itself (.json)."),
    ] = None,
    runs: Runs = RUNS,
) -> None:
    """Live a stepping stone's scored lifetime again: the same score, and a picture, an animation or a file of it."""
    from aiga.cli import replaying

    replaying.show(find(name, runs), stone, out)


@plugins.command("list")
@answering
def list_plugins(as_json: Json = False) -> None:
    """List what is installed, without importing any of it."""
    from aiga.cli import plugins as verbs

    verbs.show_all(as_json)


@plugins.command("show")
@answering
def show_plugin(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of an installed plugin, or a file such as ./my_plugin.py.")],
    as_json: Json = False,
) -> None:
    """Show one plugin: what it is, its hooks, its components, its options."""
    from aiga.cli import plugins as verbs

    verbs.show_one(name, as_json)


@plugins.command("doctor")
@answering
def doctor(as_json: Json = False) -> None:
    """Check that every installed plugin can be used; exit 1 if one cannot."""
    from aiga.cli import doctor as verb

    verb.show(as_json)
