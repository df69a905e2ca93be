"""The domain ``points`` with a report: how far agents' answers are from points that none was trained on."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

import aiga
from aiga.plots import Curve, Panel, plot
from aiga.testing.points import PointsDomain


class JudgedOptions(aiga.Options):
    """Options of ``judged``.

    Attributes:
        wrong: what ``report`` does instead of reporting.
    """

    wrong: Literal["", "raise", "nothing", "name", "slow"] = ""


class JudgedDomain(PointsDomain):
    """Points."""

    def __init__(self, wrong: str) -> None:
        super().__init__()
        self.wrong = wrong

    def report(self, contestants: Mapping[str, aiga.Contestant], rng: aiga.Stream) -> Any:
        if self.wrong == "raise":
            raise ValueError("as asked")
        if self.wrong == "nothing":
            return None
        if self.wrong == "slow":
            os.kill(os.getpid(), signal.SIGINT)  # a person's Ctrl-C
            time.sleep(60.0)
        seen, rows, curves = rng.uniform(16, 2, low=-1.0, high=1.0).float(), {}, {}
        for name, each in contestants.items():
            count = len(each.agents)
            leaves = {leaf: value.repeat_interleave(16, dim=0) for leaf, value in each.agents.leaves.items()}
            output, _ = each.network.step(leaves, each.network.newborn(leaves), aiga.Percept(seen.repeat(count, 1)))
            miss = (output.action - seen.repeat(count, 1)).square().sum(dim=1).reshape(count, 16)
            rows[name] = {"far": tuple(miss.mean(dim=1).tolist()), "parameters": (float(each.parameters),)}
            curves[name] = Curve(np.arange(16), miss.numpy())
        rows["nobody"] = {"far": (float("nan"),)}
        name = "../far" if self.wrong == "name" else "far"
        return aiga.Report("how far from 16 points", rows, {name: plot(Panel("far", "point", "", curves))}, ("0 is best",))


class Judged(aiga.Plugin):
    """Registers the domain."""

    name = "judged"
    Options = JudgedOptions
    options: JudgedOptions

    def aiga_register(self, registry: aiga.Registry) -> None:
        registry.domain("judged", JudgedDomain(self.options.wrong))
