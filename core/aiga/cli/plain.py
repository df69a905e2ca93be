"""A running run in plain lines: for logs, pipes and schedulers."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

from aiga.cli.failures import hush
from aiga.cli.following import Following, best_of, mean_of
from aiga.cli.news import number, sentences
from aiga.engine import Progress

QUIET = 1.0  # seconds between lines about iterations in which nothing happened


class Plain:
    """A watcher that prints a line for whatever happens, and one for an iteration at most every second besides."""

    def __init__(self, path: Path) -> None:
        self._following = Following(path)
        self._told = -QUIET
        self._gone = False

    def __enter__(self) -> Plain:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Nothing stays behind."""

    def say(self, lines: Iterable[str]) -> None:
        """Prints lines at once; where nobody reads them any more the run goes on without."""
        if self._gone:
            return
        try:
            for line in lines:
                sys.stdout.write(line + "\n")
            sys.stdout.flush()
        except OSError:
            # A run of weeks shall not die of a closed terminal or pipe.
            self._gone = True
            hush()

    def message(self, text: str) -> None:
        """Prints what a person should know."""
        self.say([text])

    def iteration(self, progress: Progress) -> None:
        """Prints what an iteration brought."""
        self._following.take(progress)
        news = list(sentences(progress.events))
        if news or time.monotonic() - self._told >= QUIET:
            self._told = time.monotonic()
            self.say([self._line(progress), *(f"  {sentence}" for sentence in news)])

    def _line(self, progress: Progress) -> str:
        scores = progress.scores
        niches = f"{len(scores)} niche{'s' * (len(scores) != 1)}"
        return (
            f"iteration {progress.iteration}: {niches}, best {number(best_of(scores))}, mean {number(mean_of(scores))}, "
            f"{progress.steps_per_second:,.0f} steps/s, {progress.seconds:.2f} s"
        )
