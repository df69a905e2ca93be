"""The example of all three pillars, small enough for tests."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

EXAMPLE = Path(__file__).parents[1] / "examples" / "three_pillars.toml"
ITERATIONS = 4


def small() -> dict[str, Any]:
    """The example with the sizes of a test; everything is due soon, and nobody is refused for being bad."""
    given: dict[str, Any] = tomllib.loads(EXAMPLE.read_text())
    run = {"seed": 3, "device": "cpu", "workers": 0, "episodes": 2, "confirmations": 2}
    given["run"] = {**run, "checkpoint_every": 2, "stop": {"iterations": ITERATIONS}}
    del given["plugins"]["tensorboard"]
    given["population"]["niches"] = 2
    sizes: dict[str, dict[str, Any]] = {
        "backpropamine": {"units": 6, "widths": [4, 8]},
        "plastic": {"units": 6, "widths": [4, 8]},
        "a2c": {"episodes": 2},
        "poet": {
            "minimal_criterion": [0.0, 99.0],
            "reproduce_above": 0.0,
            "reproduce_every": 2,
            "transfer_every": 2,
            "children": 3,
            "episodes": 2,
        },
        "gtn-niches": {
            "apprenticeship": 1,
            "train_every": 1,
            "train_steps": 1,
            "recorded": 2,
            "forecast_lives": 2,
            "horizon": 8,
            "steps": 2,
            "batch": 2,
            "length": 4,
            "hidden": 8,
            "propose_every": 1,
            "candidates": 4,
            "keep": 0.5,
            "tune": 1,
            "transfer_every": 1,
            "episodes": 2,
            "sure": 0.0,
        },
        "local": {"device_block": 8},
    }
    for name, options in sizes.items():
        given["plugins"].setdefault(name, {}).setdefault("options", {}).update(options)
    return given
