"""ES alone on the flat course: does it pass 230, and after how many environment steps? Also makes the walker that ships.

Each seed is six runs, one niche each, on the flat course, by ``es`` from N(0, 0.1^2); only the first starts from noise. The
first lives are short: a walker that merely stands lives a long one to its end, and where lives are long a small population
learns to stand and no more. In the last two stages every perturbation lives twice, under two start pushes, and the step size
falls: what is left to learn is not to stumble after a rare push, which one push a step hardly tells. The curve is the
score of the niche's agent in lives of the stage's length, taken by the loop on fresh start pushes in every iteration; the
last agent is judged on 100 fresh episodes of the task's full length.

The stages were chosen by looking at seeds 0, 1 and 2, which are also those reported by default, and the walker that ships is
the best of them on the judging episodes: a fresh seed may do worse. Give others with ``--seeds``.

    python benchmarks/poet_flat.py                        # three seeds
    python benchmarks/poet_flat.py --save plugins/aiga_walker/agents/flat.safetensors
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from report import Report, arguments, versions
from safetensors.torch import save_file

import aiga
from aiga import config as configs
from aiga.data import Leaves, Pairs, Population
from aiga.experiment import assemble
from aiga.lab import episode_seeds

GOAL = 230.0
JUDGED = 100  # episodes of the final judgement
JUDGE = 10**6  # the seed that theirs are drawn from; no training run has it
STEPS = 2000  # the task's length, as in the paper


@dataclass(frozen=True)
class Stage:
    """One run of the curriculum of life lengths; ``episodes`` are the lives of each perturbation in a step."""

    steps: int
    iterations: int
    lr: float
    sigma: float
    episodes: int = 1
    lr_decay: float = 0.9999


STAGES = (
    Stage(120, 100, 0.05, 0.1),
    Stage(250, 40, 0.03, 0.05),
    Stage(600, 50, 0.03, 0.05),
    Stage(1000, 20, 0.01, 0.03),
    Stage(1200, 30, 0.01, 0.03, episodes=2, lr_decay=0.97),
    Stage(2000, 20, 0.01, 0.03, episodes=2, lr_decay=0.95),
)
QUICK = (Stage(100, 4, 0.01, 0.1), Stage(100, 2, 0.01, 0.05))


def config(seed: int, stage: Stage, population: int, initial: Path | None) -> dict[str, Any]:
    """A run of ``es`` alone: one niche, nobody to select."""
    population_table: dict[str, Any] = {"domain": "walker", "networks": ["mlp"]}
    if initial is not None:
        population_table["initial_agent"] = str(initial)
    search = {name: value for name, value in vars(stage).items() if name not in ("steps", "iterations")}
    return {
        "api": 1,
        "run": {"seed": seed, "episodes": 2, "stop": {"iterations": stage.iterations}, "checkpoint_every": 10},
        "population": population_table,
        "slots": {"select": "keep", "improve": "es"},
        "plugins": {"walker": {"options": {"steps": stage.steps}}, "es": {"options": {"population": population, **search}}},
    }


class Curve:
    """The score of the niche's agent against environment steps, over all stages of one seed."""

    def __init__(self, seed: int) -> None:
        self.seed, self.points = seed, [(0, float("-inf"))]
        self._start, self._before = time.monotonic(), 0

    def stage(self) -> None:
        """From here on steps count on from where the last stage ended."""
        self._before = self.points[-1][0]

    def read(self, run: aiga.Run) -> None:
        """Adds the points of a run that was made before."""
        done = run.journal("iteration")
        self.points += [(self._before + int(s), float(b)) for s, b in zip(done["environment_steps"], done["best"], strict=True)]

    def iteration(self, progress: aiga.Progress) -> None:
        """Adds a point."""
        steps = self._before + int(progress.events[-1].columns["environment_steps"][0])
        self.points.append((steps, progress.scores[0]))
        if progress.iteration % 10 == 0:
            pace = f"{progress.steps_per_second:.0f} steps/s, {time.monotonic() - self._start:.0f} s"
            print(f"seed {self.seed}: {steps / 1e6:6.2f} M steps, score {progress.scores[0]:7.1f}, {pace}", flush=True)

    def message(self, text: str) -> None:
        """Prints it."""
        print(text, flush=True)

    def steps_to(self, goal: float) -> int | None:
        """Environment steps until the score first passed ``goal``, in lives of the stage's length."""
        return next((steps for steps, score in self.points if score > goal), None)


def train(seed: int, stages: tuple[Stage, ...], population: int, folder: Path) -> tuple[Leaves, Curve]:
    """The last agent of the last stage, ``[1, ...]`` leaves, and its curve."""
    curve, initial = Curve(seed), None
    for number, stage in enumerate(stages):
        curve.stage()
        name = f"seed-{seed}-{number}"
        if (folder / name).exists():
            run = aiga.open(folder / name)
            curve.read(run)
        else:
            run = aiga.run(config(seed, stage, population, initial), name=name, runs=folder, watcher=curve)
        leaves = run.niches.agents.batches[0].leaves
        initial = folder / f"seed-{seed}-{number}.safetensors"
        write_agent(leaves, initial)
    return leaves, curve


def write_agent(leaves: Leaves, path: Path) -> None:
    """One agent as a file that ``[population] initial_agent`` takes: the leaves of one row."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: leaf[0].contiguous() for name, leaf in leaves.items()}, path)


def judge(agents: list[Leaves], episodes: int) -> list[tuple[float, float, float]]:
    """Mean and standard deviation of the return over fresh episodes of the full length, and the share above 230, by agent."""
    made = assemble(configs.from_dict(config(0, Stage(STEPS, 1, 0.01, 0.1), 2, None)))
    domain, executor = made.components.get("domain", "walker"), made.components.get("executor", "local")
    network = made.components.get("network", "mlp")
    flat = domain.named("flat")
    kind = aiga.Kind("mlp", dict(network.structure))
    batch = aiga.Batch.of(kind, {name: torch.cat([agent[name] for agent in agents]) for name in agents[0]})
    pairs = Pairs.cross(Population((flat,)), Population((batch,)))
    seeds = episode_seeds(JUDGE, "judge", 0, flat.hashes[pairs.env], episodes)
    returns = executor.run("walker", pairs, seeds).columns["returns"]
    executor.close()
    return [(float(r.mean()), float(r.std()), float((r > GOAL).double().mean())) for r in returns]


def save(path: Path, leaves: Leaves, seed: int, judged: tuple[float, float, float], curve: Curve, population: int) -> None:
    """The agent, and beside it what it scores and how it was made."""
    write_agent(leaves, path)
    told = {
        "made_by": f"python benchmarks/poet_flat.py --population {population} --save {path.name}",
        "optimiser": "es",
        "seed": seed,
        "stages": [vars(stage) for stage in STAGES],
        "population": population,
        "environment_steps": curve.points[-1][0],
        "course": "flat",
        "life_steps": STEPS,
        "episodes": JUDGED,
        "episode_seeds_from": JUDGE,
        "score_mean": round(judged[0], 2),
        "score_std": round(judged[1], 2),
        "share_above_230": judged[2],
        "versions": versions(("aiga", "torch", "gymnasium", "Box2D", "evotorch")),
    }
    path.with_suffix(".json").write_text(json.dumps(told, indent=2) + "\n")


def main() -> None:
    """Runs the seeds one after the other."""
    parser = arguments(__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--population", type=int, default=64, help="perturbations a step (paper: 512)")
    parser.add_argument("--save", type=Path, help="where to write the best agent")
    parser.add_argument("--folder", type=Path, help="where to keep the runs; stages already there are not repeated")
    given = parser.parse_args()
    stages, episodes = (QUICK, 4) if given.quick else (STAGES, JUDGED)
    population = 8 if given.quick else given.population
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        trained = [train(seed, stages, population, folder) for seed in given.seeds]
    judged = judge([leaves for leaves, _ in trained], episodes)
    report = Report("poet_flat")
    for seed, (mean, deviation, share), (_, curve) in zip(given.seeds, judged, trained, strict=True):
        met = mean > GOAL
        spread = (mean - deviation, mean + deviation)
        report.add_row(f"seed {seed}: return over {episodes} fresh episodes", mean, "", f"> {GOAL:.0f}", met, spread)
        report.add_row(f"seed {seed}: share of them above {GOAL:.0f}", share, "")
        report.add_row(f"seed {seed}: budget", curve.points[-1][0] / 1e6, "M environment steps")
        passed = curve.steps_to(GOAL)
        if passed is not None:
            report.add_row(f"seed {seed}: first above {GOAL:.0f} after", passed / 1e6, "M environment steps")
        for part in range(1, 11):
            steps, score = curve.points[part * (len(curve.points) - 1) // 10]
            report.add_row(f"seed {seed}: curve at {steps / 1e6:.2f} M steps", score, "")
    means = [mean for mean, _, _ in judged]
    report.add_row(
        "median seed", statistics.median(means), "", f"> {GOAL:.0f}", statistics.median(means) > GOAL, (min(means), max(means))
    )
    if given.save is not None:
        best = max(range(len(judged)), key=lambda row: judged[row][0])
        save(given.save, trained[best][0], given.seeds[best], judged[best], trained[best][1], population)
    report.show(given.json)


if __name__ == "__main__":
    main()
