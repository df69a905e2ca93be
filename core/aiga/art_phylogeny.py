"""The poster of a run's phylogeny: lives of environments over the iterations, by lineage, with the transfers between them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from aiga.art_layout import Place, places
from aiga.art_pictures import Picture
from aiga.art_story import Life, Story
from aiga.art_style import HAZE, INK, MIST, MOVED, RULE, SLATE, SOLVED, count

# Inches.
_BODY, _WORDS, _MARGIN, _HEAD, _FOOT, _GAP = 9.8, 2.6, 0.5, 1.5, 0.75, 0.3  # the body is tree and pictures
_STRIP = (0.42, 3.4)  # least and most
_ARROWS = 250  # transfers drawn at most, those that led to a solve first, then the newest


def phylogeny_figure(name: str, story: Story, shown: Sequence[int], pictures: Mapping[int, Picture]) -> Any:
    """Time runs rightwards; each environment has a row: its life, its picture, and what became of it.

    Args:
        name: of the run.
        story: of its journal.
        shown: ids of the environments to show.
        pictures: of those that have one.
    """
    from matplotlib.figure import Figure

    rows = places(story, shown)
    pitch = 0.52 if len(rows) <= 24 else 0.46
    strip = _strip_width(pictures, 0.8 * pitch)
    across = _BODY - strip
    width = 2 * _MARGIN + across + (_GAP + strip if strip else 0) + _GAP + _WORDS
    height = _HEAD + _FOOT + pitch * max(len(rows), 2)
    figure = Figure(figsize=(width, height))
    area = (_FOOT / height, pitch * max(len(rows), 2) / height)
    span = (len(rows) - 0.5, -0.5) if len(rows) >= 2 else (1.5, -0.5)
    tree = figure.add_axes((_MARGIN / width, area[0], across / width, area[1]), ylim=span)
    start = _MARGIN + across + _GAP
    if strip:
        gallery = figure.add_axes((start / width, area[0], strip / width, area[1]), xlim=(0, 1), ylim=span)
        _gallery(gallery, story, rows, pictures)
        start += strip + _GAP / 2
    words = figure.add_axes((start / width, area[0], _WORDS / width, area[1]), xlim=(0, _WORDS), ylim=span)
    _axis(tree, story, len(rows))
    reach = (_GAP if strip else 0.5 * _GAP) * max(story.iterations, 1) / across
    _lives(tree, story, rows, reach)
    drawn = _moves(tree, story, rows, pitch, across)
    _words(words, story, rows)
    _head(figure, name, story, width, height)
    _foot(figure, story, len(rows), drawn, width, height)
    return figure


def _strip_width(pictures: Mapping[int, Picture], row: float) -> float:
    if not pictures:
        return 0.0
    aspect = max(picture.shape[1] / picture.shape[0] for picture in pictures.values())
    return float(min(max(aspect * row, _STRIP[0]), _STRIP[1]))


def _axis(tree: Any, story: Story, rows: int) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    last = max(story.iterations, 1)
    tree.set_xlim(-0.015 * last, last)
    tree.xaxis.set_major_locator(MaxNLocator(nbins=7, integer=True))
    tree.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    tree.tick_params(axis="x", length=0, labeltop=rows > 20)
    tree.set_yticks([])
    tree.grid(axis="x", color=RULE, linewidth=0.8)
    tree.set_axisbelow(True)
    tree.spines[["left", "bottom"]].set_visible(False)
    tree.set_xlabel("iteration")


def _lives(tree: Any, story: Story, rows: Mapping[int, Place], reach: float) -> None:
    """Draws a line a life; what is active goes on, by ``reach`` iterations, to its picture."""
    last = max(story.iterations, 1)
    for env, place in rows.items():
        life, y = story.lives[env], place.row
        end = last + reach if life.retired is None else life.retired
        if place.parent is not None:
            above = rows[place.parent].row
            line = {"color": MIST, "linewidth": 1.2, "linestyle": "-" if place.direct else (0, (2, 2))}
            tree.plot([life.born, life.born], [above, y], zorder=2, **line)
            ended = story.lives[place.parent].retired
            if ended is not None and ended < life.born:  # a parent out of the archive, or one that stands for a hidden one
                tree.plot([ended, life.born], [above, above], zorder=1.5, color=MIST, linewidth=0.9, linestyle=(0, (1, 2)))
        solved = end if life.solved is None else min(life.solved, end)
        tree.plot([life.born, solved], [y, y], color=SLATE, linewidth=1.3, zorder=3, clip_on=False)
        if life.solved is not None:
            tree.plot([solved, end], [y, y], color=SOLVED, linewidth=2.6, zorder=3, clip_on=False)
        colour = SLATE if life.solved is None else SOLVED
        if life.retired is not None:
            tree.plot([end], [y], marker="|", markersize=8, markeredgewidth=1.6, color=colour, zorder=4, clip_on=False)
            tree.plot([end, last + reach], [y, y], color=RULE, linewidth=0.8, zorder=1, clip_on=False)
        edge, face = (SOLVED, SOLVED) if life.at_birth else (SLATE, "white")
        tree.plot([life.born], [y], marker="o", markersize=4, color=edge, markerfacecolor=face, zorder=5, clip_on=False)
        if life.solved is not None and not life.at_birth:
            tree.plot([solved], [y], marker="o", markersize=6.5, color=SOLVED, zorder=6, clip_on=False)


def _moves(tree: Any, story: Story, rows: Mapping[int, Place], pitch: float, across: float) -> int:
    """Draws transfers between shown environments and returns how many; ``pitch`` and ``across`` are the tree's, in inches."""
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path

    visible = [move for move in story.moves if move.source in rows and move.target in rows]
    kept = sorted(visible, key=lambda move: (move.decisive, move.iteration))[-_ARROWS:]
    crowd = sum(not move.decisive for move in kept)
    faint = min(0.55, max(0.14, 14 / max(crowd, 1)))
    unit = max(story.iterations, 1) / across  # iterations an inch
    for move in kept:
        begin, end = rows[move.source].row, rows[move.target].row
        # A bow that grows slowly with the distance keeps arrows of one iteration apart and near to it.
        bow = (0.07 + 0.06 * math.sqrt(abs(end - begin) * pitch)) * unit
        x = move.iteration
        path = Path([(x, begin), (x + 2 * bow, (begin + end) / 2), (x, end)], [Path.MOVETO, Path.CURVE3, Path.CURVE3])
        looks: dict[str, Any] = {"linewidth": 1.4, "alpha": 0.95, "mutation_scale": 8, "zorder": 4.5}
        if not move.decisive:
            looks = {"linewidth": 0.8, "alpha": faint, "mutation_scale": 5, "zorder": 2.5}
        tree.add_patch(FancyArrowPatch(path=path, arrowstyle="-|>", color=MOVED, shrinkA=0, shrinkB=0, clip_on=False, **looks))
    return len(kept)


def _gallery(gallery: Any, story: Story, rows: Mapping[int, Place], pictures: Mapping[int, Picture]) -> None:
    from matplotlib.patches import Rectangle

    gallery.axis("off")
    for env, place in rows.items():
        if env not in pictures:
            continue
        life = story.lives[env]
        top, bottom = place.row - 0.4, place.row + 0.4
        faded = 1.0 if life.retired is None else 0.45
        gallery.imshow(pictures[env], extent=(0, 1, bottom, top), aspect="auto", interpolation="antialiased", alpha=faded)
        frame: dict[str, Any] = {
            "edgecolor": MIST if life.solved is None else SOLVED,
            "linewidth": 0.8 if life.solved is None else 1.4,
        }
        gallery.add_patch(Rectangle((0, top), 1, bottom - top, fill=False, alpha=max(faded, 0.6), clip_on=False, **frame))


def _words(words: Any, story: Story, rows: Mapping[int, Place]) -> None:
    words.axis("off")
    for env, place in rows.items():
        life = story.lives[env]
        head, tail = INK if life.retired is None else SLATE, SLATE if life.retired is None else HAZE
        words.annotate(
            f"{env}", (0, place.row), xytext=(0, 5), textcoords="offset points", va="center", weight="bold", color=head
        )
        if life.score is not None:
            offset = 6.2 * len(str(env)) + 7
            words.annotate(
                f"score {life.score:,.0f}",
                (0, place.row),
                xytext=(offset, 5),
                textcoords="offset points",
                va="center",
                color=head,
            )
        words.annotate(
            fate(life), (0, place.row), xytext=(0, -6.5), textcoords="offset points", va="center", fontsize=7, color=tail
        )


def fate(life: Life) -> str:
    """What became of an environment, in a few words."""
    agent = "" if life.solver is None else f" by {life.solver}'s agent"
    if life.at_birth:
        what = f"solved at birth{agent}"
    elif life.solved is not None:
        what = f"solved at {life.solved:,}{agent}"
    else:
        what = "not solved"
    return what if life.retired is None else f"{what}, retired at {life.retired:,}"


def _head(figure: Any, name: str, story: Story, width: float, height: float) -> None:
    lives = story.lives.values()
    active, solved = sum(life.retired is None for life in lives), sum(life.solved is not None for life in lives)
    figure.text(_MARGIN / width, 1 - 0.42 / height, "Phylogeny of environments", fontsize=17, weight="bold", va="center")
    since, iterations = len(lives) - story.founders, count(story.iterations, "iteration")
    came = f"{count(story.founders, 'environment')} founded, {since:,} admitted in {iterations}"
    words = f"{name}:  {came}; {active:,} active, {solved:,} solved, {count(len(story.moves), 'transfer')} between them"
    figure.text(_MARGIN / width, 1 - 0.74 / height, words, fontsize=9, color=SLATE, va="center")
    _legend(figure, width, height)


def _legend(figure: Any, width: float, height: float) -> None:
    from matplotlib.lines import Line2D

    y, x = 1 - 1.08 / height, _MARGIN
    plain: dict[str, Any] = {"color": SLATE, "linewidth": 1.3}
    done: dict[str, Any] = {"color": SOLVED, "linewidth": 2.6}
    dots: dict[str, Any] = {"marker": "o", "markevery": [0]}
    entries: tuple[tuple[str, float, dict[str, Any]], ...] = (
        ("admitted", 0.62, {**plain, **dots, "markersize": 4, "markerfacecolor": "white"}),
        ("solved", 0.48, {**done, **dots, "markersize": 6.5}),
        ("solved at birth", 0.95, {**done, **dots, "markersize": 4}),
        ("retired", 0.5, {**plain, "marker": "|", "markevery": [1], "markersize": 8, "markeredgewidth": 1.6}),
        ("transfer", 0.52, {"color": MOVED, "linewidth": 0.9, "alpha": 0.6}),
        ("transfer whose agent went on to solve", 2.2, {"color": MOVED, "linewidth": 1.6}),
    )
    for label, room, looks in entries:
        if looks["color"] == MOVED:
            looks = {**looks, "marker": ">", "markevery": [1], "markersize": 4}
        figure.add_artist(Line2D([x / width, (x + 0.3) / width], [y, y], **looks))
        figure.text((x + 0.4) / width, y, label, fontsize=8, color=SLATE, va="center")
        x += 0.4 + room + 0.28


def _foot(figure: Any, story: Story, rows: int, drawn: int, width: float, height: float) -> None:
    notes = []
    if rows < len(story.lives):
        left = len(story.lives) - rows
        notes.append(f"{count(left, 'environment')} left out: shown are those active, the most prolific and the newest.")
    if drawn < len(story.moves):
        notes.append(f"{drawn:,} of {count(len(story.moves), 'transfer')} drawn.")
    if notes:
        figure.text(_MARGIN / width, 0.2 / height, "  ".join(notes), fontsize=7.5, color=SLATE, va="center")
