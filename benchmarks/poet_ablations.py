"""What do transfers and the minimal criterion do? The default run, one without transfers, one whose criterion nothing can meet.

The three arms are the default experiment, ``plugins.toml``, with one option changed::

    aiga run plugins.toml --set plugins.poet.options.transfer=false
    aiga run plugins.toml --set plugins.poet.options.minimal_criterion=[1000000,1000001]

Each runs, for every seed, until it has lived the same number of environment steps, and is read from its journal up to the last
iteration within them. Transfers and more niches make an iteration dearer, so at equal steps the other arms have more
iterations: that is the fair comparison. Minutes on two cores are far from the paper's ten days on 256, where without transfers
no extremely challenging environment was solved; expect challenges of 0 here.

The challenge of an environment is how many hold of: stumps of 2.4 cells or more, pits of 6.0 or more, roughness 4.5 or more
(Wang et al. 2019).

    python benchmarks/poet_ablations.py --steps 2000000 --seeds 0 1 2
"""

from __future__ import annotations

import signal
import statistics
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from report import Report, arguments

import aiga
from aiga import config as configs
from aiga.data import Population

DEFAULT = Path(__file__).resolve().parents[1] / "plugins.toml"
IMPOSSIBLE = "plugins.poet.options.minimal_criterion=[1000000, 1000001]"
ARMS: Mapping[str, tuple[str, ...]] = {
    "default": (),
    "no transfer": ("plugins.poet.options.transfer=false",),
    "impossible criterion": (IMPOSSIBLE,),
}
CHALLENGES = {"stump": 2.4, "gap": 6.0, "roughness": 4.5}
Figures = dict[str, float]


class Budget:
    """A watcher that stops the run, as Ctrl-C does, at the end of the iteration in which its environment steps are spent."""

    def __init__(self, steps: int, name: str) -> None:
        self.steps, self.name, self.spent = steps, name, 0
        self._start = self._told = time.monotonic()

    def iteration(self, progress: aiga.Progress) -> None:
        """Looks at what the iteration's own event counts."""
        self.spent = int(progress.events[-1].columns["environment_steps"][0])
        if self.spent >= self.steps:
            signal.raise_signal(signal.SIGINT)
        if time.monotonic() - self._told > 30:
            self._told = time.monotonic()
            print(f"{self.name}: {self.spent / 1e6:.2f} M steps in {self._told - self._start:.0f} s", flush=True)

    def message(self, text: str) -> None:
        """Prints it."""
        print(text, flush=True)


def live(config: dict[str, Any], arm: str, seed: int, steps: int, folder: Path) -> Figures:
    """Runs one arm with one seed; its figures."""
    name = f"{arm.replace(' ', '-')}-{seed}"
    given = configs.from_dict(config, overrides=[*ARMS[arm], f"run.seed={seed}"])
    start = time.monotonic()
    run = aiga.run(given, name=name, runs=folder, watcher=Budget(steps, name))
    found = figures(run, steps)
    told = ", ".join(f"{key} {value:.4g}" for key, value in found.items())
    print(f"{name}: {time.monotonic() - start:.0f} s; {told}", flush=True)
    return found


def figures(run: aiga.Run, steps: int) -> Figures:
    """What became of a run within ``steps`` environment steps, from its journal and stepping stones."""
    with run.reading() as journal:
        iterations, annecs = journal.frame("iteration"), journal.annecs().set_index("iteration")
        # A first iteration that is dearer than the budget counts all the same: there is nothing before it.
        within = iterations[(iterations["environment_steps"] <= steps) | (iterations["iteration"] == 1)]
        last = within.iloc[-1]
        types = ("admitted", "solved", "transferred")
        frames = [
            frame[frame["iteration"] <= last["iteration"]] if len(frame) else frame for frame in map(journal.frame, types)
        ]
    admitted, solved, transferred = frames
    invented = [int(env) for env in admitted["env"][admitted["iteration"] > 0]]
    solved_later = set(solved["env"][~solved["at_birth"].astype(bool)].tolist()) if len(solved) else set()
    accepted = transferred[transferred["accepted"].astype(bool)] if len(transferred) else transferred
    wins = accepted["still_wins"].dropna() if len(accepted) else accepted
    genomes = [run.stone(env).genome for env in invented]
    return {
        "iterations": float(last["iteration"]),
        "environment steps, M": last["environment_steps"] / 1e6,
        "environments admitted after the founding": float(len(invented)),
        "of them solved, but not at birth": float(len(set(invented) & solved_later)),
        "of them solved at birth": float(annecs.loc[last["iteration"], "solved_at_birth"]),
        "annecs_active: invented and later solved": float(annecs.loc[last["iteration"], "annecs_active"]),
        "niches at the end": float(last["niches"]),
        "transfers accepted": float(len(accepted)),
        "share of offers accepted": len(accepted) / len(transferred) if len(transferred) else float("nan"),
        "share of accepted that still win on fresh seeds": float(wins.mean()) if len(wins) else float("nan"),
        "best score of an active niche": float(last["best"]),
        "mean score of the active niches": float(last["mean"]),
        "hardest environment admitted: challenge, 0 to 3": max((challenge(genome) for genome in genomes), default=0.0),
        "greatest stump admitted, cells": extreme(genomes, "stump"),
        "greatest pit admitted, cells": extreme(genomes, "gap"),
        "greatest roughness admitted": extreme(genomes, "roughness"),
    }


def extreme(genomes: list[Population], leaf: str) -> float:
    """The highest value of a leaf, 0 (the founding environment's) where nothing was admitted."""
    return max((float(genome.batches[0].leaves[leaf].max()) for genome in genomes), default=0.0)


def challenge(genome: Population) -> float:
    """How many of the paper's three conditions one environment meets."""
    leaves = genome.batches[0].leaves
    return float(sum(bool(torch.as_tensor(leaves[leaf]).max() >= least) for leaf, least in CHALLENGES.items()))


def table(report: Report, found: Mapping[str, list[Figures]]) -> None:
    """A row for every figure and arm: the median of the seeds, and the lowest and highest."""
    for name in next(iter(found.values()))[0]:
        for arm, runs in found.items():
            values = [value for run in runs if (value := run[name]) == value]
            if values:
                spread = (min(values), max(values)) if len(values) > 1 else None
                report.add_row(f"{name}: {arm}", statistics.median(values), "", spread=spread)


def beside(found: Mapping[str, list[Figures]], write: Callable[[str], None]) -> None:
    """The same, an arm a column."""
    arms = list(found)
    names = list(found[arms[0]][0])
    width = max(map(len, names))
    write(" " * width + "".join(arm.rjust(28) for arm in arms))
    for name in names:
        cells = []
        for arm in arms:
            values = [value for run in found[arm] if (value := run[name]) == value]
            cells.append(f"{statistics.median(values):.3g} ({min(values):.3g} to {max(values):.3g})" if values else "-")
        write(name.ljust(width) + "".join(cell.rjust(28) for cell in cells))


def expect(report: Report, found: Mapping[str, list[Figures]]) -> None:
    """Rows of what must hold whatever the seed: each ablation takes away what it is meant to."""
    alone = [run["niches at the end"] for run in found["impossible criterion"]]
    admitted = [run["environments admitted after the founding"] for run in found["impossible criterion"]]
    moved = [run["transfers accepted"] for run in found["no transfer"]]
    report.add_row("impossible criterion: niches, the founding one alone", max(alone), "", "1", max(alone) == 1)
    report.add_row("impossible criterion: environments admitted", max(admitted), "", "0", max(admitted) == 0)
    report.add_row("no transfer: transfers accepted", max(moved), "", "0", max(moved) == 0)


def main() -> None:
    """Every seed and arm, one after the other, arms of one seed side by side in time."""
    parser = arguments(__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument(
        "--steps",
        type=int,
        default=2_000_000,
        help="environment steps of each run; the default run lives about as many in five minutes",
    )
    parser.add_argument("--config", type=Path, default=DEFAULT, help="what to run")
    parser.add_argument("--folder", type=Path, help="where to keep the runs; a temporary folder otherwise")
    given = parser.parse_args()
    config = tomllib.loads(given.config.read_text())
    config["run"].pop("stop", None)
    config["run"]["checkpoint_every"] = "10m"
    seeds, steps = given.seeds, given.steps
    if given.quick:
        seeds, steps = seeds[:1], 40_000
        config["plugins"]["walker"]["options"]["steps"] = 200
        config["plugins"]["poet"]["options"] |= {
            "minimal_criterion": [-200, 300],
            "reproduce_above": -200.0,
            "reproduce_every": 1,
        }
        config["plugins"]["poet"]["options"] |= {"transfer_every": 2}
    found: dict[str, list[Figures]] = {arm: [] for arm in ARMS}
    with tempfile.TemporaryDirectory() as temporary:
        for seed in seeds:
            for arm in ARMS:
                found[arm].append(live(config, arm, seed, steps, given.folder or Path(temporary)))
    report = Report("poet_ablations")
    if given.json:
        table(report, found)
    expect(report, found)
    beside(found, print)
    if max(run["niches at the end"] for run in found["impossible criterion"]) == 1:
        print("with a criterion that nothing can meet only the founding niche remains")
    print()
    report.show(given.json)
    sys.exit(0 if all(row.met is not False for row in report.rows) else 1)


if __name__ == "__main__":
    main()
