"""How a verb fails: one message on standard error, and the exit code that says whose fault it was."""

from __future__ import annotations

import functools
import os
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

import typer

from aiga.errors import AigaError, InputError

P = ParamSpec("P")
R = TypeVar("R")


class Defect(AigaError):
    """Something unexpected was raised in aiga itself; says what, and where the traceback was written."""


def answering(verb: Callable[P, R]) -> Callable[P, R]:
    """A verb whose failures become a message and an exit code: 2 for bad input, 1 for all else; a closed pipe is none.

    Ctrl-C, where a verb has no end of its own for it, is 130, as a shell has it.
    """

    @functools.wraps(verb)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return verb(*args, **kwargs)
        except AigaError as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(error.exit_code) from None
        except BrokenPipeError:
            hush()
            raise typer.Exit(0) from None
        except (typer.Exit, typer.Abort, typer.BadParameter):
            raise
        except KeyboardInterrupt:
            typer.echo("interrupted", err=True)
            raise typer.Exit(130) from None
        except Exception as error:
            typer.echo(str(defect(error, None)), err=True)
            raise typer.Exit(1) from None

    return guarded


def defect(error: Exception, log: Path | None) -> Defect:
    """Writes the traceback of ``error`` to ``log``, or to a new temporary file, and puts it in words."""
    text = "".join(traceback.format_exception(error))
    if log is None:
        handle, name = tempfile.mkstemp(prefix="aiga-", suffix=".log")
        os.close(handle)
        log = Path(name)
    try:
        with log.open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
        where = f"the traceback is in {log}"
    except OSError as problem:
        where = f"the traceback could not be written to {log} ({problem.strerror})"
    return Defect(f"aiga itself failed: {' '.join(f'{type(error).__name__}: {error}'.split())} ({where})")


def hush() -> None:
    """Sends standard output nowhere: its reader left, and Python would complain of it at exit."""
    null = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(null, sys.stdout.fileno())
    except OSError:
        # Standard output is not a file of the system's here; then nothing is flushed to it at exit either.
        return
    finally:
        os.close(null)


def minutes(text: str) -> float:
    """``--for 10m`` in minutes.

    Raises:
        InputError: if it is no duration, or none at all.
    """
    from aiga.config import Duration

    try:
        seconds = Duration(text).seconds
    except ValueError as error:
        raise InputError(f"--for {text}: {error}") from None
    if seconds <= 0:
        raise InputError(f"--for {text}: no time at all. Write a duration such as 10m.")
    return seconds / 60
