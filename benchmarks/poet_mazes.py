"""POET invents mazes for agents that learn within a life: simple modulation, plasticity and plain recurrence, at equal steps.

Each run is POET on the domain ``maze`` from the pillared maze ``L7``, its agents improved by ``a2c`` in the optimiser slot; a
run ends with the iteration in which its counted environment steps are spent, those of screens and transfers among them. The
three networks have as many parameters, as nearly as their widths allow, and the same options of everything else. ``es``, which
needs no gradients, can stand in the same slot; it was not measured here.

A run's agent is the one of its active agents that does best, in the mean, in all mazes that the run admitted. It is then judged
on mazes that no run has seen: 60 drawn by mutation from streams of their own, of the sizes, walls, goal rules and lengths of
life that runs may invent, 4 to 20 generations away from ``L7``; those that a run admitted are left out, and told of. ``shapes``
are six mazes of other plans (open, rooms, a spiral, a comb, rings, a zigzag), larger than any that a run may invent. Scores are
percentages of what one who knows the goal would earn. The same lives are lived again with traces held at zero.

Step size and batch are those of ``benchmarks/maze.py``. POET's bounds and rhythm were chosen by looking at simple modulation
with seed 10, which is not reported: where niches may reproduce from a score of 20 on, which takes no memory, agents wander from
maze to maze before they remember anything, and lose nothing without traces; from 40 on they do.

    python benchmarks/poet_mazes.py                    # five seeds of each network
"""

from __future__ import annotations

import signal
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from learners import contestants, middle, settled, sizes
from report import Report, arguments
from torch import Tensor

import aiga
from aiga import Batch, Network, Scores, Stream
from aiga.data import Pairs, Population
from aiga.forgetting import forgetful
from aiga.streams import derive
from aiga_maze.domain import MazeDomain
from aiga_plasticity import Backpropamine, BackpropamineNetwork, Plastic, PlasticNetwork, Rnn, RnnNetwork

UNITS = 50
SIMPLE, PLASTIC, RNN = "backpropamine", "plastic", "rnn"
NETWORKS = {
    SIMPLE: lambda units: BackpropamineNetwork(Backpropamine.Options(units=units)),
    PLASTIC: lambda units: PlasticNetwork(Plastic.Options(units=units)),
    RNN: lambda units: RnnNetwork(Rnn.Options(units=units)),
}
LARGEST, LONGEST = 9, 120  # cells along a side, and steps of a life, of what runs may invent
SHAPES = ("Open", "FourRooms", "Spiral", "Comb", "Rings", "Zigzag")
GENERATIONS = (4, 8, 12, 16, 20)


def config(network: str, units: int, seed: int) -> dict[str, Any]:
    """The run of one network with one seed."""
    poet = {
        "minimal_criterion": [15.0, 45.0],
        "reproduce_above": 40.0,
        "capacity": 4,
        "reproduce_every": 20,
        "transfer_every": 10,
        "children": 8,
        "admit": 1,
        "episodes": 8,
    }
    return {
        "api": 1,
        "run": {"seed": seed, "device": "cpu", "workers": 0, "episodes": 8, "checkpoint_every": "10m"},
        "population": {"domain": "maze", "networks": [network]},
        "slots": {"select": "poet", "improve": "a2c"},
        "plugins": {
            "maze": {"options": {"max_size": LARGEST, "max_steps": LONGEST}},
            network: {"options": {"units": units}},
            "local": {"options": {"device_block": 32}},
            "a2c": {"options": {"episodes": 64, "lr": 0.003}},
            "poet": {"options": poet},
        },
    }


class Budget:
    """A watcher that stops the run, as Ctrl-C does, at the end of the iteration in which its environment steps are spent."""

    def __init__(self, steps: int, name: str) -> None:
        self.steps, self.name, self.spent = steps, name, 0
        self._start = self._told = time.process_time()

    def iteration(self, progress: aiga.Progress) -> None:
        """Looks at what the iteration's own event counts."""
        self.spent = int(progress.events[-1].columns["environment_steps"][0])
        if self.spent >= self.steps:
            signal.raise_signal(signal.SIGINT)
        if time.process_time() - self._told > 30:
            self._told = time.process_time()
            print(f"{self.name}: {self.spent / 1e6:.2f} M steps in {self._told - self._start:.0f} s", flush=True)

    def message(self, text: str) -> None:
        """Says nothing: that it was asked to stop is no news."""


@dataclass(frozen=True)
class Judges:
    """What agents are judged by.

    Attributes:
        drawn: mazes of a run's own kind that it has not seen.
        shapes: larger ones of other plans.
        lives: in each.
    """

    drawn: Batch
    shapes: Batch
    lives: int

    @staticmethod
    def of(each: int, lives: int) -> Judges:
        """``each`` mazes of every number of generations away from ``L7``."""
        domain = MazeDomain(max_size=LARGEST, max_steps=LONGEST)
        chance, drawn = Stream(derive("poet_mazes", "held out")), []
        for generations in GENERATIONS:
            mazes = domain.named("L7").take(torch.zeros(each, dtype=torch.int64))
            for generation in range(generations):
                mazes = domain.mutate(chance.child(generations, generation).rows(torch.arange(each)), mazes)
            drawn.append(mazes)
        wide = MazeDomain(max_size=13, max_steps=200)
        return Judges(together(drawn), together([wide.named(name) for name in SHAPES]), lives)

    def without(self, admitted: Population) -> Judges:
        """The same, less what is among ``admitted``."""
        seen = [(MazeDomain().distance(self.drawn, batch) == 0).any(dim=1) for batch in admitted.batches]
        fresh = torch.nonzero(~torch.stack(seen).any(dim=0)).flatten()
        return Judges(self.drawn.take(fresh), self.shapes, self.lives)


def together(mazes: list[Batch]) -> Batch:
    """Mazes of one canvas as one batch."""
    (batch,) = Population.join(*(Population((each,)) for each in mazes))[0].batches
    return batch


def lived(network: Network, envs: Batch, agents: Batch, lives: int) -> dict[str, Tensor]:
    """Every column of the scores, ``[E, A]`` of every agent in every maze: means over lives, the same for all agents."""
    pairs = Pairs.cross(Population((envs,)), Population((agents,)))
    env, agent = pairs.env.repeat_interleave(lives), pairs.agent.repeat_interleave(lives)
    chance = Stream(derive("poet_mazes", "judge")).rows(torch.arange(len(envs))).words(lives)
    wide = Pairs.of(pairs.envs, pairs.agents, env, agent)
    scores = MazeDomain(max_size=13, max_steps=200).live(wide, network, chance[pairs.env].flatten())
    assert isinstance(scores, Scores)
    return {name: part.reshape(len(envs), len(agents), lives).mean(dim=2) for name, part in scores.columns.items()}


def judged(run: aiga.Run, network: Network, judges: Judges) -> dict[str, float]:
    """What became of a run, and what its agents do in held-out mazes."""
    iterations, admitted, (agents,) = run.journal("iteration"), run.environments, run.niches.agents.batches
    stones = Population.join(*(run.stone(int(env)).genome for env in admitted.index))[0]
    fresh, (known,) = judges.without(stones), stones.batches
    best = int(lived(network, known, agents, judges.lives)["fitness"].mean(dim=0).argmax())
    agent = agents.take(torch.tensor([best]))
    drawn = lived(network, fresh.drawn, agent, judges.lives)
    out = {
        "held-out mazes": float(drawn["fitness"].mean()),
        "held-out mazes, all active agents": float(lived(network, fresh.drawn, agents, judges.lives)["fitness"].mean()),
        "held-out shapes": float(lived(network, fresh.shapes, agent, 4 * judges.lives)["fitness"].mean()),
    }
    still = forgetful(network)
    if still is not None:
        out["held-out mazes, traces at zero"] = float(lived(still, fresh.drawn, agent, judges.lives)["fitness"].mean())
        out["held-out shapes, traces at zero"] = float(lived(still, fresh.shapes, agent, 4 * judges.lives)["fitness"].mean())
    out |= {
        "last third of a life over the first": float(drawn["last_third"].mean() / drawn["first_third"].mean()),
        "environment steps, M": iterations["environment_steps"].iloc[-1] / 1e6,
        "iterations": float(iterations["iteration"].iloc[-1]),
        "mazes admitted": float(len(admitted)),
        "of them held out, and so left out of judging": float(len(judges.drawn) - len(fresh.drawn)),
        "largest maze admitted, cells along a side": float(known.leaves["size"].max()),
    }
    return out


def show(found: Mapping[str, list[dict[str, float]]], judges: Judges, as_json: bool) -> None:
    """The report."""
    report = Report("poet_mazes", ("aiga", "torch", "numpy", "numba"))
    for name, mazes in (("held-out mazes", judges.drawn), ("held-out shapes", judges.shapes)):
        report.add_row(f"{name}: random actions", by_chance(mazes), "%")
    for network, runs in found.items():
        for name in runs[0]:
            value, spread = middle([run[name] for run in runs])
            unit = "%" if name.startswith("held-out") else ""
            report.add_row(f"{network}: {name}", value, unit, spread=spread)
        for name in ("held-out mazes", "held-out shapes"):
            if f"{name}, traces at zero" in runs[0]:
                lost = [run[name] - run[f"{name}, traces at zero"] for run in runs]
                expect(report, f"{network}: lost in {name} with traces at zero", lost)
    for network in (SIMPLE, PLASTIC):
        for name in ("held-out mazes", "held-out shapes"):
            pairs = zip(found[network], found[RNN], strict=True)
            expect(report, f"{network} ahead of {RNN} in {name}, seed by seed", [mine[name] - its[name] for mine, its in pairs])
    report.show(as_json)


def expect(report: Report, name: str, gains: list[float]) -> None:
    """A row that is met where every seed gains: outside the spread."""
    value, spread = middle(gains)
    report.add_row(name, value, "%", "> 0 in every seed", min(gains) > 0.0, spread)


def by_chance(mazes: Batch) -> float:
    """Mean score of random actions: an agent whose parameters are all zero wants nothing."""
    network, domain = RnnNetwork(Rnn.Options(units=1)), MazeDomain()
    layout = network.build(network.structure, domain.inputs, domain.outputs)
    nobody = {name: torch.zeros(1, *shape) for name, shape in layout.items()}
    return float(lived(network, mazes, Batch.of(aiga.Kind("rnn", dict(network.structure)), nobody), 100)["fitness"].mean())


def main() -> None:
    """Seeds one after another, networks by turns, so that a busy minute of the machine meets all of them."""
    settled()
    parser = arguments(__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--steps", type=int, default=10_000_000, help="environment steps of each run")
    given = parser.parse_args()
    seeds, steps, judges = ([0], 150_000, Judges.of(2, 4)) if given.quick else (given.seeds, given.steps, Judges.of(12, 16))
    domain = MazeDomain(max_size=LARGEST, max_steps=LONGEST)
    networks = contestants(NETWORKS, SIMPLE, UNITS, domain)
    print(sizes(networks, domain), flush=True)
    found: dict[str, list[dict[str, float]]] = {name: [] for name in networks}
    with tempfile.TemporaryDirectory() as folder:
        for seed in seeds:
            for name, network in networks.items():
                label, begun = f"{name}-{seed}", time.process_time()
                run = aiga.run(
                    config(name, int(network.structure["units"]), seed),
                    name=label,
                    runs=Path(folder),
                    watcher=Budget(steps, label),
                )
                seconds = time.process_time() - begun
                scores = judged(run, network, judges) | {"processor seconds": seconds}
                found[name].append(scores)
                print(f"{label}: " + ", ".join(f"{what} {value:.1f}" for what, value in scores.items()), flush=True)
    show(found, judges, given.json)


if __name__ == "__main__":
    main()
