"""One way to report a benchmark: the machine, a table of figures with their goals, and one JSON object for scripts.

A benchmark makes a :class:`Report`, adds a row for each figure and ends with :meth:`Report.show`::

    report = Report("walker_speed")
    report.add_row("aiga vector env", 5400.0, "steps/s", spread=(5200.0, 5600.0))
    report.add_row("against SyncVectorEnv", 1.3, "x", goal=">= 1", met=True)
    report.show(as_json=arguments.json)
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Row:
    """One figure.

    Attributes:
        name: what was measured.
        value: the figure; over repeats the median.
        unit: of ``value`` and ``spread``.
        goal: what was hoped for, in words such as ``">= 1"``; None where there is no goal.
        met: whether ``value`` meets the goal; None without one.
        spread: lowest and highest of the repeats; None for a single measurement.
    """

    name: str
    value: float
    unit: str
    goal: str | None = None
    met: bool | None = None
    spread: tuple[float, float] | None = None


@dataclass
class Report:
    """The figures of one run of a benchmark, with the machine and the versions they were measured on.

    Attributes:
        benchmark: its name.
        packages: distributions whose versions matter; those not installed are left out.
        rows: the figures so far.
    """

    benchmark: str
    packages: Sequence[str] = ("aiga", "torch", "numpy", "gymnasium", "Box2D", "evotorch")
    rows: list[Row] = field(default_factory=list)

    def add_row(
        self,
        name: str,
        value: float,
        unit: str,
        goal: str | None = None,
        met: bool | None = None,
        spread: tuple[float, float] | None = None,
    ) -> None:
        """Adds a figure; see :class:`Row`."""
        self.rows.append(Row(name, value, unit, goal, met, spread))

    def as_dict(self) -> dict[str, object]:
        """What ``--json`` prints: ``benchmark``, ``machine``, ``versions`` and ``rows``."""
        return {
            "benchmark": self.benchmark,
            "machine": machine(),
            "versions": versions(self.packages),
            "rows": [asdict(row) for row in self.rows],
        }

    def show(self, as_json: bool = False) -> None:
        """Prints machine, versions and table; with ``as_json`` the JSON object after them, on the last line."""
        print(f"{self.benchmark}: {', '.join(f'{name} {value}' for name, value in machine().items())}")
        print(", ".join(f"{name} {version}" for name, version in versions(self.packages).items()))
        print()
        print(self.table())
        if as_json:
            print(json.dumps(self.as_dict()))

    def table(self) -> str:
        """The rows as aligned text, a line each under a heading."""
        lines = [("", "value", "unit", "spread", "goal", "met")]
        for row in self.rows:
            spread = "" if row.spread is None else f"{_figure(row.spread[0])} to {_figure(row.spread[1])}"
            met = "" if row.met is None else "yes" if row.met else "NO"
            lines.append((row.name, _figure(row.value), row.unit, spread, row.goal or "", met))
        widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
        return "\n".join("  ".join(_aligned(line, widths)).rstrip() for line in lines)


def _aligned(line: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [
        cell.rjust(width) if i == 1 else cell.ljust(width) for i, (cell, width) in enumerate(zip(line, widths, strict=True))
    ]


def _figure(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def machine() -> dict[str, object]:
    """Processor, usable cores, memory in GiB, system and Python version."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gib": _memory(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    names = (
        [line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
        if info.exists()
        else []
    )
    return names[0] if names else platform.processor() or "unknown"


def _memory() -> float:
    pages = os.sysconf("SC_PHYS_PAGES") if "SC_PHYS_PAGES" in getattr(os, "sysconf_names", {}) else 0
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 2**30, 1) if pages else 0.0


def versions(packages: Sequence[str]) -> dict[str, str]:
    """Installed versions by distribution."""
    found = {}
    for name in packages:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def arguments(description: str | None) -> argparse.ArgumentParser:
    """A parser with what every benchmark takes: ``--json`` and ``--quick``."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", action="store_true", help="print one JSON object on the last line")
    parser.add_argument("--quick", action="store_true", help="a smaller measurement, under a minute")
    return parser
