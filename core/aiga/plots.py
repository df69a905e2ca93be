"""Pictures of experiments: curves of several agents, as the middle one and the band around it; dots, tables and sheets."""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiga import art_style
from aiga.art_style import SLATE, style

# Okabe and Ito's colours, told apart by every kind of colour vision; dark ones first.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
ACROSS = 4  # panels of a row
HEADING = 48  # pixels above a file of a sheet


@dataclass(frozen=True)
class Curve:
    """One line of a panel.

    Attributes:
        x: ``[T]``.
        y: ``[P, T]``, a row for each agent; NaN where an agent has no value.
        dashed: for what is no contestant: an oracle, chance.
        like: name of the curve whose colour it has; one of its own without.
    """

    x: NDArray[Any]
    y: NDArray[Any]
    dashed: bool = False
    like: str = ""


@dataclass(frozen=True)
class Panel:
    """One pair of axes.

    Attributes:
        title, x, y: what is written above, below and beside it.
        curves: by name; a name has the same colour in every panel.
        ticks: along ``x``, where they are not to be chosen.
        log: whether ``x`` is logarithmic.
    """

    title: str
    x: str
    y: str
    curves: Mapping[str, Curve]
    ticks: Sequence[float] = ()
    log: bool = False


@dataclass(frozen=True)
class Cloud:
    """One pair of axes with a dot for each thing that was measured twice.

    Attributes:
        title, x, y: what is written above, below and beside it.
        points: ``[N]`` along either axis by name; a name has the same colour in every panel. What is not finite is left out.
        log: whether ``x`` is logarithmic.
    """

    title: str
    x: str
    y: str
    points: Mapping[str, tuple[NDArray[Any], NDArray[Any]]]
    log: bool = False


def plot(*panels: Panel) -> bytes:
    """A PNG file of panels side by side, at most ``ACROSS`` in a row; one legend for all."""
    colours = _colours(curve.like or name for panel in panels for name, curve in panel.curves.items())
    with style():
        figure, places = _figure(len(panels), 3.6, 3.0)
        for axes, panel in zip(places, panels, strict=True):
            for name, curve in panel.curves.items():
                _draw(axes, name, curve, colours[curve.like or name])
            _written(axes, panel)
            if not panel.log:
                axes.xaxis.get_major_locator().set_params(integer=True)
            if panel.ticks:
                axes.set_xticks(panel.ticks, [f"{tick:g}" for tick in panel.ticks])
                axes.minorticks_off()
        _legend(figure)
        return art_style.png(figure)


def scatter(*clouds: Cloud) -> bytes:
    """A PNG file of dots, a panel a cloud, at most ``ACROSS`` in a row; one legend for all."""
    colours = _colours(name for cloud in clouds for name in cloud.points)
    with style():
        figure, places = _figure(len(clouds), 2.8, 2.6)
        for axes, cloud in zip(places, clouds, strict=True):
            for name, (x, y) in cloud.points.items():
                some = np.isfinite(x) & np.isfinite(y)
                axes.scatter(x[some], y[some], s=11, color=colours[name], alpha=0.65, linewidths=0, label=name)
            _written(axes, cloud)
            if cloud.log:
                _few_ticks(axes.xaxis)
        _legend(figure)
        return art_style.png(figure)


def matrices(of: Mapping[str, NDArray[Any]], x: str, y: str) -> bytes:
    """A PNG file of square tables of counts side by side, darker where there is more, each under its name.

    Args:
        of: ``[C, C]`` each, ``y`` running down and ``x`` across; what is on the diagonal is written, but not coloured.
        x: what is across.
        y: what runs down.
    """
    with style():
        figure, places = _figure(len(of), 3.2, 3.2, 0.4)
        for axes, (name, counts) in zip(places, of.items(), strict=True):
            beside = np.asarray(counts, dtype=float) * (1.0 - np.eye(len(counts)))
            axes.imshow(beside, cmap="Oranges", vmin=0.0, vmax=max(1.0, beside.max()))
            for row, column in zip(*np.nonzero(counts), strict=True):
                dark = beside[row, column] > 0.6 * beside.max()
                shade = SLATE if row == column else "white" if dark else "black"
                axes.text(column, row, f"{counts[row, column]:g}", ha="center", va="center", fontsize=6, color=shade)
            axes.set_title(name, loc="left", color=SLATE)
            axes.set_xlabel(x)
            axes.set_ylabel(y)
            axes.set_xticks(range(len(counts)))
            axes.set_yticks(range(len(counts)))
        return art_style.png(figure)


def gallery(columns: Mapping[str, Sequence[NDArray[np.uint8]]]) -> bytes:
    """A PNG file of pictures in columns, each under its name.

    Args:
        columns: as many pictures ``[H, W, 3]`` in each.
    """
    down = max(len(pictures) for pictures in columns.values())
    with style():
        from matplotlib.figure import Figure

        figure = Figure(figsize=(0.2 + 1.2 * len(columns), 0.3 + 1.1 * down), layout="constrained")
        places = figure.subplots(down, len(columns), squeeze=False)
        for axes in places.flat:
            axes.set_xticks([])
            axes.set_yticks([])
            axes.spines[:].set_visible(True)
        for place, (name, pictures) in enumerate(columns.items()):
            places[0, place].set_title(name, color=SLATE)
            for row, picture in enumerate(pictures):
                places[row, place].imshow(picture, interpolation="nearest")
        return art_style.png(figure)


def sheet(files: Sequence[tuple[str, bytes]]) -> bytes:
    """A PNG file of others, pixel by pixel, each under a heading, as many beside one another as look best together.

    Args:
        files: headings, and PNG files; at least one.
    """
    from PIL import Image

    pictures = [np.asarray(Image.open(io.BytesIO(content)).convert("RGB")) for _, content in files]
    wide, most = (max(picture.shape[side] for picture in pictures) for side in (1, 0))
    across = min(range(1, len(files) + 1), key=lambda n: _unlike_a_page(n * wide, -(-len(files) // n) * (most + HEADING)))
    rows = [range(start, min(start + across, len(files))) for start in range(0, len(files), across)]
    tall = [HEADING + max(pictures[number].shape[0] for number in row) for row in rows]
    size = np.array([across * wide, sum(tall)])
    with style():
        from matplotlib.figure import Figure

        figure = Figure(figsize=tuple(size / art_style.DPI))
        for row, top in zip(rows, np.cumsum([0, *tall]), strict=False):
            for number in row:
                heading, picture, x = files[number][0], pictures[number], (number - row[0]) * wide
                figure.text((x + 22) / size[0], 1.0 - (top + 0.6 * HEADING) / size[1], heading, va="center", weight="bold")
                corner, part = np.array([x, size[1] - top - HEADING - picture.shape[0]]), np.array(picture.shape[1::-1])
                axes = figure.add_axes((*(corner / size), *(part / size)))
                axes.set_axis_off()
                axes.imshow(picture, interpolation="nearest", aspect="auto")
        return art_style.png(figure)


def png(picture: NDArray[np.uint8]) -> bytes:
    """A PNG file of one picture ``[H, W, 3]``, pixel by pixel."""
    from PIL import Image

    content = io.BytesIO()
    Image.fromarray(picture).save(content, "png")
    return content.getvalue()


def _unlike_a_page(wide: int, high: int) -> float:
    """How much higher or wider than a page on its side."""
    return abs(math.log(wide / high / 1.5))


def _colours(names: Iterable[str]) -> dict[str, str]:
    return {name: COLOURS[number % len(COLOURS)] for number, name in enumerate(dict.fromkeys(names))}


def _figure(count: int, wide: float, high: float, margin: float = 1.0) -> tuple[Any, list[Any]]:
    """A figure of so many axes of this size in inches, and these."""
    from matplotlib.figure import Figure

    across = min(count, ACROSS)
    down = -(-count // across)
    figure = Figure(figsize=(margin + wide * across, 0.4 + high * down), layout="constrained")
    places = list(figure.subplots(down, across, squeeze=False).flat)
    for axes in places[count:]:
        axes.set_axis_off()
    return figure, places[:count]


def _written(axes: Any, of: Panel | Cloud) -> None:
    axes.set_title(of.title, loc="left", color=SLATE)
    axes.set_xlabel(of.x)
    axes.set_ylabel(of.y)
    if of.log:
        axes.set_xscale("log")


def _few_ticks(axis: Any) -> None:
    """Plain numbers at 1, 2 and 5 times powers of ten: there may be less than a decade to see."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter(FuncFormatter(lambda tick, _: f"{tick:,.15g}"))
    axis.set_minor_formatter(NullFormatter())


def _legend(figure: Any) -> None:
    """One for all axes, where there is more than one name."""
    handles = {text: handle for axes in figure.axes for handle, text in zip(*axes.get_legend_handles_labels(), strict=True)}
    if len(handles) > 1:
        figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=4, frameon=False)


def _draw(axes: Any, name: str, curve: Curve, colour: str) -> None:
    y = np.asarray(curve.y, dtype=float).reshape(-1, len(curve.x))
    some = ~np.isnan(y).all(axis=0)
    x, y = np.asarray(curve.x)[some], y[:, some]
    mark = {"marker": "o", "markersize": 2.5} if len(x) <= 12 else {}
    axes.plot(x, np.nanmedian(y, axis=0), color=colour, label=name, lw=1.4, ls="--" if curve.dashed else "-", **mark)
    if len(y) > 1:
        axes.fill_between(x, np.nanmin(y, axis=0), np.nanmax(y, axis=0), color=colour, alpha=0.15, lw=0)
