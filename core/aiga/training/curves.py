"""What a training logged, step by step, as curves: one panel a value, one curve a network, read back from its event files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aiga.plots import Curve, Panel, plot

PANELS = 8  # the rest is for TensorBoard
POINTS = 200  # of a curve; of more, neighbours are averaged
_OF_LIGHTNING = ("epoch", "hp_metric")
_Logged = NDArray[np.float64]  # [2, T]: steps, and values


def curves(folder: Path, networks: Sequence[str]) -> bytes | None:
    """A PNG file of what the event files in ``folder`` hold; None where they hold nothing to draw.

    What was logged in a stretch that a resume threw away is left out, as TensorBoard leaves it out.

    Args:
        folder: of TensorBoard's event files.
        networks: that were trained; what is logged as ``NAME/NETWORK`` is a curve of the panel ``NAME``.
    """
    panels: dict[str, dict[str, _Logged]] = {}
    logged = _read(folder)
    for tag, values in logged.items():
        name, epoch = tag.removesuffix("_step").removesuffix("_epoch"), tag.endswith("_epoch")
        if epoch and f"{name}_step" in logged:
            continue  # the same, averaged
        value, _, network = name.rpartition("/")
        if network not in networks or not value:
            value, network = name, ""
        panels.setdefault(value, {})[network] = values
    for each in panels.values():
        if len(each) > 1:
            each.pop("", None)  # the mean over the networks, each of which is there
    order = sorted(panels, key=lambda name: (name.startswith("val_"), not name.endswith("loss")))
    drawn = [_panel(name, panels[name], networks) for name in order[:PANELS]]
    return plot(*drawn) if drawn else None


def _read(folder: Path) -> dict[str, _Logged]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    events.Reload()
    found = {}
    for tag in events.Tags()["scalars"]:
        points = np.array([(point.step, point.value) for point in events.Scalars(tag)], dtype=np.float64).T
        if tag not in _OF_LIGHTNING and np.isfinite(points[1]).any():
            found[tag] = points
    return found


def _panel(name: str, each: dict[str, _Logged], networks: Sequence[str]) -> Panel:
    alone = networks[0] if len(networks) == 1 else name
    ordered = sorted(each, key=lambda network: networks.index(network) if network in networks else -1)
    lines = {}
    for network in ordered:
        steps, values = _thinned(each[network])
        lines[network or alone] = Curve(steps, values[None])
    return Panel(name, "steps", "", lines)


def _thinned(logged: _Logged) -> _Logged:
    """Means of so many points in a row that no more than ``POINTS`` are left."""
    some = -(-logged.shape[1] // POINTS)
    parts = np.array_split(logged, range(some, logged.shape[1], some), axis=1)
    return np.stack([part.mean(axis=1) for part in parts], axis=1)
