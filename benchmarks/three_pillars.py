"""The three pillars in one search: what the journal of `examples/three_pillars.toml` shows, at a stated budget, over seeds.

POET invents mazes, agents are plastic networks of unlike architectures, and Generative Teaching Networks screen architectures
and hand skills on. A run ends with the iteration in which its counted environment steps are spent, everyone's among them. Then
every niche's agent lives in every maze that is active at the end, once as it is and once with its traces held at zero, in the
same lives. The example's options were chosen by looking at seeds 0 to 12.

    python benchmarks/three_pillars.py                 # three seeds of the example
    python benchmarks/three_pillars.py --without gtn-niches
    python benchmarks/three_pillars.py --device cpu cuda --seeds 13   # the same search on both, side by side
"""

from __future__ import annotations

import tempfile
import tomllib
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import torch
from learners import middle, settled
from poet_mazes import Budget
from report import Report, arguments

import aiga
from aiga import Network, Scores, Stream
from aiga.data import Pairs
from aiga.forgetting import forgetful
from aiga.streams import derive
from aiga_maze.domain import MazeDomain
from aiga_plasticity import Backpropamine, BackpropamineNetwork, Plastic, PlasticNetwork

EXAMPLE = Path(__file__).parent.parent / "examples" / "three_pillars.toml"
GOALS = ("environments admitted", "accepted", "architectures rejected", "lost")  # how rows begin that shall be above 0
NETWORKS: dict[str, Network] = {
    "backpropamine": BackpropamineNetwork(Backpropamine.Options()),
    "plastic": PlasticNetwork(Plastic.Options()),
}


def config(seed: int, device: str, without: str) -> dict[str, Any]:
    """The example's configuration, but for what a measurement needs otherwise."""
    with EXAMPLE.open("rb") as file:
        given: dict[str, Any] = tomllib.load(file)
    given["run"] |= {"seed": seed, "device": device, "workers": 0, "checkpoint_every": "10m"}
    del given["run"]["stop"], given["plugins"]["tensorboard"]
    given["plugins"].pop(without, None)
    return given


def traces(run: aiga.Run, lives: int) -> tuple[float, float]:
    """Mean score of the niches' agents in the niches' mazes, as they are and with traces at zero."""
    niches, domain, scores = run.niches, MazeDomain(max_size=15, max_steps=250), dict[bool, list[torch.Tensor]]()
    envs = niches.envs.take(niches.env)[0]
    chance = Stream(derive("three_pillars", "judge")).rows(torch.arange(len(envs))).words(lives)
    for batch in niches.agents.batches:
        pairs = Pairs.cross(envs, aiga.Population((batch,)))
        env, agent = pairs.env.repeat_interleave(lives), pairs.agent.repeat_interleave(lives)
        wide = Pairs.of(pairs.envs, pairs.agents, env, agent)
        network = NETWORKS[batch.kind.component]
        for kept, mind in ((True, network), (False, forgetful(network))):
            assert mind is not None, "plastic networks have traces"
            lived = domain.live(wide, mind, chance[pairs.env].flatten())
            assert isinstance(lived, Scores)
            scores.setdefault(kept, []).append(lived.fitness)
    return float(torch.cat(scores[True]).mean()), float(torch.cat(scores[False]).mean())


def told(run: aiga.Run, lives: int) -> dict[str, float]:
    """What the journal shows, and what traces are worth at the end."""
    iterations, offers, rejected = run.journal("iteration"), run.journal("transferred"), run.journal("rejected")
    accepted = offers[offers["accepted"] & offers["unlike"]] if len(offers) else offers
    words = [str(word) for word in accepted["operator"]] if len(accepted) else []
    again = [bool(wins) for word, wins in zip(words, accepted["still_wins"] if words else [], strict=True) if word == "taught"]
    moved = [str(word).endswith("+taught") for word in offers["operator"][offers["accepted"]]] if len(offers) else []
    admitted = run.journal("admitted")
    kept, zero = traces(run, lives)
    return {
        "environment steps, M": iterations["environment_steps"].iloc[-1] / 1e6,
        "iterations": float(iterations["iteration"].iloc[-1]),
        "environments admitted": float((admitted["iteration"] > 0).sum()),
        "of them solved": float(len(run.journal("solved"))),
        "accepted transfers between unlike architectures: as they are": float(words.count("direct")),
        "accepted transfers between unlike architectures: as they are, or after a step": float(
            words.count("direct") + words.count("proposal")
        ),
        "accepted transfers between unlike architectures: taught": float(len(again)),
        "of the taught, winning again on fresh seeds": float(sum(again)),
        "new architectures that took over their niche": float(sum(moved)),
        "architectures rejected by forecast": float((rejected["by"] == "gtn-niches.forecast").sum() if len(rejected) else 0),
        "architectures among the niches at the end": float(len(run.niches.agents.batches)),
        "score of all agents in all active mazes": kept,
        "lost with traces at zero": kept - zero,
    }


def measured(seed: int, device: str, without: str, steps: int, lives: int, folder: Path) -> dict[str, float]:
    """One search, and what came of it."""
    label, begun, clock = f"{device.replace(':', '-')}-seed-{seed}", process_time(), perf_counter()
    watcher = Budget(steps, label)
    run = aiga.run(config(seed, device, without), name=label, runs=folder, watcher=watcher)
    seconds, wall = process_time() - begun, perf_counter() - clock
    shown = told(run, lives)
    speed = 1e6 * shown["environment steps, M"] / wall
    found = {"processor seconds": seconds, "seconds": wall, "environment steps per second": speed, **shown}
    print(f"{label}: " + ", ".join(f"{what} {value:.4g}" for what, value in found.items()), flush=True)
    return found


def main() -> None:
    """Seeds one after another, on each device."""
    settled()
    parser = arguments(__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[13, 14, 15])
    parser.add_argument("--steps", type=int, default=20_000_000, help="environment steps of each run")
    parser.add_argument("--device", nargs="+", default=["cpu"], help="cpu, cuda, or both side by side")
    parser.add_argument("--without", default="", help="a plugin to leave out")
    given = parser.parse_args()
    seeds, steps, lives = ([0], 150_000, 8) if given.quick else (given.seeds, given.steps, 64)
    report = Report("three_pillars", ("aiga", "torch", "numpy", "numba"))
    with tempfile.TemporaryDirectory() as folder:
        for device in given.device:
            found = [measured(seed, device, given.without, steps, lives, Path(folder)) for seed in seeds]
            for name in found[0]:
                value, spread = middle([each[name] for each in found])
                least, label = min(each[name] for each in found), name if len(given.device) == 1 else f"{device}: {name}"
                shown = name.startswith(GOALS) and not given.without
                report.add_row(label, value, "", "> 0 in every seed" if shown else None, least > 0.0 if shown else None, spread)
    report.show(given.json)


if __name__ == "__main__":
    main()
