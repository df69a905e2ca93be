"""A running run on a terminal: one display that is drawn anew in place."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from aiga.cli.following import Following, best_of, clock, mean_of
from aiga.cli.news import number, sentences
from aiga.engine import Progress

MESSAGES = 6
_OTHER_LINES = MESSAGES + 16  # of the display, besides the rows of niches
_BAR = 24  # columns of the longest bar


class Display:
    """A watcher that shows the run on a terminal; what it showed last stays there."""

    def __init__(self, path: Path, console: Console | None = None) -> None:
        self._console = console or Console()
        self._following = Following(path)
        self._messages: deque[str] = deque(maxlen=MESSAGES)
        self._began = time.monotonic()
        self._live: Live | None = None

    def __enter__(self) -> Display:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Draws the display for the last time."""
        if self._live is not None:
            self._live.stop()

    def say(self, lines: Iterable[str]) -> None:
        """Prints lines above the display."""
        for line in lines:
            self._console.print(Text(line))

    def message(self, text: str) -> None:
        """Shows what a person should know, for good."""
        self.say([text])

    def iteration(self, progress: Progress) -> None:
        """Shows an iteration."""
        self._following.take(progress)
        self._messages.extend(f"{progress.iteration:>6}  {sentence}" for sentence in sentences(progress.events))
        if self._live is None:
            self._live = Live(get_renderable=self.render, console=self._console, refresh_per_second=2)
            self._live.start()
            # A second Ctrl-C ends the process without a clean-up, which must not leave a terminal without a cursor.
            self._console.show_cursor(True)

    def render(self) -> RenderableType:
        """The display as it is now."""
        following, progress = self._following, self._following.latest
        if progress is None:
            return Text("no iteration yet")
        parts: list[RenderableType] = [self._figures(progress), self._niches(progress)]
        if self._messages:
            parts.append(Text("\n".join(self._messages), style="dim", no_wrap=True, overflow="ellipsis"))
        title = f"{following.path.name}  iteration {progress.iteration}"
        return Panel(Group(*parts), title=Text(title), subtitle=Text("Ctrl-C stops and saves"), border_style="cyan")

    def _figures(self, progress: Progress) -> Table:
        following, chronicle = self._following, self._following.chronicle
        best, mean = best_of(progress.scores), mean_of(progress.scores)
        won = f"{chronicle.still_winning / chronicle.audited:.0%} still win" if chronicle.audited else "none re-scored"
        grid = Table.grid(padding=(0, 1))
        for style in ("dim", "bold", "dim", "bold", "dim", "bold"):
            grid.add_column(style=style, no_wrap=True)
        grid.add_row(
            "niches", f"{len(progress.scores)}", "best score", number(best), "steps/s", f"{progress.steps_per_second:,.0f}"
        )
        grid.add_row(
            "admitted", f"{chronicle.admissions:,}", "mean score", number(mean), "iteration", f"{progress.seconds:.2f} s"
        )
        grid.add_row(
            "transfers",
            f"{chronicle.accepted:,} of {chronicle.tried:,}",
            "re-scored",
            won,
            "checkpoint",
            following.checkpoint_in(),
        )
        grid.add_row(
            "solved",
            f"{chronicle.solves:,}",
            "at birth",
            f"{chronicle.solved_at_birth:,}",
            "running for",
            clock(time.monotonic() - self._began),
        )
        return grid

    def _niches(self, progress: Progress) -> RenderableType:
        chronicle, best = self._following.chronicle, self._following.best
        of_env = {niche.env: niche for niche in chronicle.niches.values()}
        ranked = sorted(zip(progress.environments, progress.scores, strict=True), key=lambda row: -best[row[0]])
        shown = ranked[: max(3, self._console.height - _OTHER_LINES)]
        top = max((abs(best[env]) for env, _ in shown if best[env] > float("-inf")), default=0.0)
        table = Table(box=None, padding=(0, 2), header_style="dim")
        for title in ("environment", "since", "best", "now"):
            table.add_column(title, justify="right", no_wrap=True)
        table.add_column("", no_wrap=True)
        for env, score in shown:
            niche, high = of_env.get(env), best[env]
            bar = "█" * round(_BAR * max(high, 0.0) / top) if top else ""
            solved = niche is not None and niche.solved
            table.add_row(
                str(env),
                "" if niche is None else str(niche.born),
                number(None if high == float("-inf") else high),
                number(score),
                Text(bar + (" solved" if solved else ""), style="green" if solved else "cyan"),
            )
        hidden = len(ranked) - len(shown)
        return Group(table, Text(f"  and {hidden} more", style="dim")) if hidden else table
