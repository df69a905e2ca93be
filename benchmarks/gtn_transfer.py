"""What a teacher is worth to learners that it never met.

The part `families` is of digits, the part `skills` of policies, whose niche's agent is imitated; see `gtn_skills.py`.

Teachers of digits are those of `gtn_digits.py`: ten steps of 64 examples, trained on perceptrons with two hidden layers of 24
to 96 units, weight-normalised, with mean-only batch normalisation and leaky ReLUs. Each then teaches fresh learners of another
family, ten a family, and these are tested once. `full` is a generator with a curriculum, `data` is real examples with learned
rates: at equal steps the difference is what made examples are worth to that family.

Figures are means over learners and medians over seeds, each of which has a split of the images of its own. A family's goal is
what a study of the method measured beforehand, on one split; of convnets it is the best that was seen. Seconds are processor
seconds of one thread.

    python benchmarks/gtn_transfer.py --parts families skills
"""

from __future__ import annotations

import torch
from gtn_digits import Runs
from gtn_skills import skills
from gtn_training import perceptron
from report import Report, arguments

from aiga import Network
from aiga_architectures.convnet import ConvnetNetwork
from aiga_architectures.options import ConvnetOptions

TEACHERS = ("full", "data")
GOALS = {"2 x 256": 92.7, "4 x 48": 82.9, "tanh": 94.2, "weight norm off": 92.3, "batch norm off": 52.5, "convnet": 55.0}


def strangers() -> dict[str, Network]:
    """By what is other about them than in training; the first is a structure that training may have had."""
    return {
        "2 x 64": perceptron(hidden=(64, 64)),
        "2 x 256": perceptron(hidden=(256, 256)),
        "2 x 12": perceptron(hidden=(12, 12)),
        "1 x 64": perceptron(hidden=(64,)),
        "4 x 48": perceptron(hidden=(48, 48, 48, 48)),
        "tanh": perceptron(activation="tanh"),
        "relu": perceptron(activation="relu"),
        "with skips": perceptron(skip=True),
        "weight norm off": perceptron(weight_norm=False),
        "batch norm off": perceptron(norm="none"),
        "convnet": ConvnetNetwork(ConvnetOptions(search=("width",), widths=(8, 24), channels=16)),
    }


def families(runs: Runs, _report: Report, _quick: bool) -> None:
    """A teacher of perceptrons with two layers of 24 to 96 units, and learners that it never met."""
    _rows(runs, "as in training", {teacher: runs.tested(teacher) for teacher in TEACHERS})
    for name, network in strangers().items():
        tested = {
            teacher: [
                runs.trained(teacher, seed).tested(networks={name: network}, architectures="fixed") for seed in runs.seeds
            ]
            for teacher in TEACHERS
        }
        _rows(runs, name, tested)


def _rows(runs: Runs, name: str, tested: dict[str, list[float]]) -> None:
    """What each teacher comes to, and by how much the first is ahead, seed by seed."""
    full, data = (tested[teacher] for teacher in TEACHERS)
    goal = GOALS.get(name)
    if goal is None:
        runs.row(f"{name}: full", full)
    else:
        runs.row(f"{name}: full", full, goal=f">= {goal:g}", met=lambda value: value >= goal)
    runs.row(f"{name}: data", data)
    runs.row(f"{name}: full less data", [one - other for one, other in zip(full, data, strict=True)], "points")


def policies(runs: Runs, report: Report, quick: bool) -> None:
    """An agent's skill, taught to newborns of other architectures, beside behaviour cloning."""
    skills(report, runs.seeds, quick)


PARTS = {"families": families, "skills": policies}


def main() -> None:
    """The parts that are asked for, all of them unless told."""
    parser = arguments(__doc__)
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS), help="what to measure")
    parser.add_argument("--seeds", type=int, default=3, help="of every training")
    given = parser.parse_args()
    torch.set_num_threads(1)
    report = Report("gtn_transfer", packages=("aiga", "torch"))
    runs = Runs(1 if given.quick else given.seeds, 0.02 if given.quick else 1.0, report)
    for part in given.parts:
        print(f"{part}: {PARTS[part].__doc__}", flush=True)
        PARTS[part](runs, report, given.quick)
    report.show(given.json)


if __name__ == "__main__":
    main()
