"""The poster of ANNECS: environments created and later solved, accumulated over the iterations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from aiga.art_story import Story
from aiga.art_style import INK, MOVED, RULE, SLATE, SOLVED, count

if TYPE_CHECKING:
    import pandas as pd

Numbers = NDArray[Any]
_SIZE = (9.6, 6.4)
_LEFT, _RIGHT = 0.07, 0.80


def annecs_figure(name: str, frame: pd.DataFrame, story: Story) -> Any:
    """ANNECS above, admissions since the founding and accepted transfers below, on one axis of iterations.

    Args:
        name: of the run.
        frame: what :meth:`aiga.journal.Journal.annecs` answers.
        story: of the same journal.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=_SIZE)
    grid = figure.add_gridspec(3, 1, height_ratios=(3.4, 1, 1), left=_LEFT, right=_RIGHT, top=0.83, bottom=0.085, hspace=0.28)
    main = figure.add_subplot(grid[0])
    lower = [figure.add_subplot(grid[row], sharex=main) for row in (1, 2)]
    last = max(story.iterations, 1)
    main.set_xlim(0, last)
    active = frame["annecs_active"].to_numpy(dtype=float)
    at_birth = frame["solved_at_birth"].to_numpy(dtype=float)
    x = frame["iteration"].to_numpy(dtype=float)
    main.fill_between(x, active, step="post", color=SOLVED, alpha=0.09, linewidth=0)
    curves = [(active, "solved after birth", {"color": SOLVED, "linewidth": 2.2})]
    if frame["annecs"].notna().any():
        checked = frame["annecs"].to_numpy(dtype=float)
        curves.append((checked, "of them, new to every\nagent that ever was", {"color": INK, "linewidth": 1.3}))
    if at_birth.any():
        curves.append(
            (at_birth, "solved at birth,\ncounted apart", {"color": SLATE, "linewidth": 1.2, "linestyle": (0, (1.5, 1.8))})
        )
    _curves(main, x, curves, bins=5)
    births = [life.born for life in story.lives.values() if life.born > 0]
    moves = [move.iteration for move in story.moves]
    _curves(lower[0], x, [(_accumulated(births, x), "environments\nadmitted", {"color": SLATE, "linewidth": 1.5})], bins=2)
    _curves(
        lower[1], x, [(_accumulated(moves, x), "transfers between\nenvironments", {"color": MOVED, "linewidth": 1.5})], bins=2
    )
    main.tick_params(labelbottom=False)
    lower[0].tick_params(labelbottom=False)
    lower[1].set_xlabel("iteration")
    _title(figure, name, story, int(active[-1]) if len(active) else 0)
    return figure


def _accumulated(iterations: list[int], x: Numbers) -> Numbers:
    return np.searchsorted(np.sort(np.array(iterations, dtype=np.int64)), x, side="right").astype(float)


def _curves(axes: Any, x: Numbers, curves: list[tuple[Numbers, str, dict[str, Any]]], bins: int) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    top = max([1.0, *(float(y[-1]) for y, _, _ in curves if len(y))])
    for y, _, line in curves:
        axes.step(x, y, where="post", clip_on=False, **line)
    axes.set_ylim(0, top * 1.08)
    _name(axes, [(float(y[-1]), label, line["color"]) for y, label, line in curves if len(y)], top)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=bins, integer=True))
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.grid(axis="y", color=RULE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines["left"].set_visible(False)
    axes.tick_params(length=0)


def _name(axes: Any, ends: list[tuple[float, str, str]], top: float) -> None:
    """Names each curve at its end, apart enough to be read."""
    room = top * 1.08 * 0.17
    place = -room
    for value, label, colour in sorted(ends):
        place = max(value, place + room)
        figure, _, more = f"{value:,.0f}  {label}".partition("\n")
        head = {"xy": (1.0, place), "xycoords": axes.get_yaxis_transform(), "textcoords": "offset points"}
        axes.annotate(figure, xytext=(8, 0), va="center", color=colour, annotation_clip=False, **head)
        if more:
            axes.annotate(more, xytext=(8, -11), va="center", color=colour, annotation_clip=False, **head)


def _title(figure: Any, name: str, story: Story, solved: int) -> None:
    figure.text(_LEFT, 0.945, "Environments created and later solved (ANNECS)", fontsize=15, weight="bold", va="center")
    admitted, iterations = count(len(story.lives) - story.founders, "environment"), count(story.iterations, "iteration")
    words = f"{name}:  {solved:,} of {admitted} admitted in {iterations}"
    figure.text(_LEFT, 0.895, words, fontsize=9, color=SLATE, va="center")
