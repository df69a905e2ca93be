"""What teachers are worth on the digits: fresh learners of fresh architectures are taught in a few steps, then tested.

Learners are perceptrons with two hidden layers of 24 to 96 units, weight-normalised, with mean-only batch normalisation. A
lesson has 10 steps of 64 examples unless said otherwise. Every teacher is trained on real losses of 4 learners a step, all of
one architecture that is sampled anew each time; the one that is best on validation images is tested, once, on 10 learners that
no training met, each of an architecture of its own. Real data have learned rates too, and as many outer steps. Where
perceptrons learn, real examples are moved by up to half a pixel, for teachers and controls alike; chosen on seeds 3 to 7.

Every seed has a split of the images of its own, the first one the domain's: with 500 test images one split is easier by a point
or two than another, for any learner. Figures are means over learners and medians over seeds, by which a goal is met or not.
Seconds are processor seconds of one thread, validations included.

    python benchmarks/gtn_digits.py --parts headline curricula
    python benchmarks/gtn_digits.py --parts headline --first 8 --seeds 5    # of which nothing was chosen
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from gtn_training import Training, perceptron
from report import Report, arguments

from aiga import Network, Stream
from aiga_architectures.convnet import ConvnetNetwork
from aiga_architectures.options import ConvnetOptions
from aiga_gtn.options import GtnOptions

STEPS = 900  # outer ones
SETTINGS = (  # outer rate, inner rate and momentum at first: from timid to reckless
    (0.003, 0.05, 0.5),
    (0.01, 0.1, 0.5),
    (0.01, 0.3, 0.5),
    (0.02, 0.5, 0.7),
    (0.05, 1.0, 0.8),
    (0.1, 2.0, 0.9),
)
NORM_STEPS = 250
JITTER = 0.5  # pixels by which perceptrons' real examples are moved at most
CONV_STEPS = 400
CONV_RATE = 1.0  # inner one at first: with the 0.3 of perceptrons convolutions lag behind


def convnet() -> ConvnetNetwork:
    """Two cells of 8 to 24 channels, each a convolution beside what comes in, and each halving the picture."""
    options = ConvnetOptions(search=("width",), widths=(8, 24), channels=16, reductions=2, nodes=("0 conv3 + 1 identity",))
    return ConvnetNetwork(options)


class Runs:
    """Trainings by what they are of, each done once.

    Args:
        seeds: of each training.
        share: of the outer steps that are done.
        jitter: pixels by which perceptrons' real examples are moved at most.
        report: gets the rows.
    """

    def __init__(self, seeds: range, share: float, jitter: float, report: Report) -> None:
        self.seeds, self.jitter, self._share, self._report = seeds, jitter, share, report

    @cache  # noqa: B019 - as long as the benchmark lasts
    def trained(self, teacher: str, seed: int, inner: int = 10, network: str = "perceptron", steps: int = STEPS) -> Training:
        """A teacher on its seed, with the settings of the headline."""
        networks: dict[str, Network] = {network: perceptron() if network == "perceptron" else convnet()}
        plain = network == "perceptron"
        rate = {} if plain else {"init_rate": CONV_RATE}
        return self.train(seed, networks, steps, self.jitter if plain else 0.0, teacher=teacher, steps=inner, **rate)

    def train(self, seed: int, networks: dict[str, Network], outer: int, jitter: float = 0.0, **options: Any) -> Training:
        """A teacher on its seed."""
        outer = max(2, round(outer * self._share)) if outer else 0
        given = GtnOptions(**{"learners": 4, "decay": outer, **options})
        training = Training(given, seed, networks, jitter).run(outer)
        about = ", ".join(f"{key} {value}" for key, value in options.items())
        if outer:
            print(f"  seed {seed}, {about}: validation {training.best:.2f} %, {training.seconds:.1f} s", flush=True)
        return training

    def row(
        self,
        name: str,
        values: list[float],
        unit: str = "%",
        goal: str | None = None,
        met: Callable[[float], bool] | None = None,
    ) -> float:
        """Adds the median of values, one a seed."""
        middle = statistics.median(values)
        judged = None if met is None else met(middle)
        self._report.add_row(name, middle, unit, goal, judged, (min(values), max(values)))
        return middle

    def tested(self, teacher: str, **given: Any) -> list[float]:
        """Test percent by seed."""
        return [self.trained(teacher, seed, **given).tested() for seed in self.seeds]


def headline(runs: Runs) -> None:
    """A curriculum of 10 steps beside real data."""
    full, data = runs.tested("full"), runs.tested("data")
    runs.row("full, 10 steps", full, goal=">= 95.4", met=lambda x: x >= 95.4)
    runs.row("data, 10 steps", data)
    gain = [one - other for one, other in zip(full, data, strict=True)]
    runs.row("full less data", gain, "points", ">= 3", lambda x: x >= 3.0)
    seconds = [runs.trained("full", seed).seconds for seed in runs.seeds]
    runs.row("seconds of full", seconds, "s", "<= 60", lambda x: x <= 60.0)
    runs.row("seconds of data", [runs.trained("data", seed).seconds for seed in runs.seeds], "s")
    gap = [runs.trained("full", seed).lost for seed in runs.seeds]
    runs.row("full: last loss on examples that were learnt from", gap, "nats")
    many = [runs.train(seed, {"perceptron": perceptron()}, 0, runs.jitter, teacher="data", steps=100) for seed in runs.seeds]
    more = [training.tested() for training in many]
    runs.row("data, 100 steps at the first rate", more)


def curricula(runs: Runs) -> None:
    """What the order of a curriculum is worth."""
    means = {name: runs.row(name, runs.tested(name)) for name in ("full", "batch-shuffled", "all-shuffled", "none")}
    rest = max(means["all-shuffled"], means["none"])
    runs.row("full less batch-shuffled", [means["full"] - means["batch-shuffled"]], "points", "> 0", lambda x: x > 0.0)
    runs.row("batch-shuffled less the better of the rest", [means["batch-shuffled"] - rest], "points", "> 0", lambda x: x > 0.0)
    lost = []
    for seed in runs.seeds:
        training = runs.trained("full", seed)
        orders = [Stream(seed).child("order", number).permutation(10).tolist() for number in range(5)]
        lost.append(training.tested() - statistics.mean(training.tested(order=order) for order in orders))
    runs.row("full: lost where its steps are shuffled", lost, "points", ">= 4", lambda x: x >= 4.0)


def controls(runs: Runs) -> None:
    """What a generator and fresh examples are worth."""
    full = statistics.median(runs.tested("full"))
    for name in ("pixels", "subset"):
        value = runs.row(name, runs.tested(name))
        runs.row(f"full less {name}", [full - value], "points")


def steps(runs: Runs) -> None:
    """Longer lives, near the best that so few examples allow."""
    full, data = runs.tested("full", inner=32), runs.tested("data", inner=32)
    runs.row("full, 32 steps", full, goal="> 96.0", met=lambda x: x > 96.0)
    runs.row("data, 32 steps", data)
    gain = [one - other for one, other in zip(full, data, strict=True)]
    runs.row("full less data, 32 steps", gain, "points", "> 0", lambda x: x > 0.0)


def norm(runs: Runs) -> None:
    """Weight normalisation of learners over six settings, from timid to reckless; what fails counts as 0."""
    for normed in (True, False):
        word, failed, all_tested = "on" if normed else "off", 0, []
        for rate, inner, momentum in SETTINGS:
            networks: dict[str, Network] = {"perceptron": perceptron(weight_norm=normed)}
            options = {"lr": rate, "init_rate": inner, "init_momentum": momentum, "decay": 0}
            trained = [runs.train(seed, networks, NORM_STEPS, **options) for seed in runs.seeds]
            tested = [training.tested() for training in trained]
            runs.row(f"weight norm {word}: outer {rate:g}, inner {inner:g}, momentum {momentum:g}", tested)
            failed += sum(training.failed for training in trained)
            all_tested += tested
        runs.row(f"weight norm {word}: over all settings and seeds", all_tested)
        runs.row(f"weight norm {word}: learners that came to no numbers", [float(failed)], "")


def conv(runs: Runs) -> None:
    """Convolutional learners."""
    full = runs.tested("full", network="convnet", steps=CONV_STEPS)
    data = runs.tested("data", network="convnet", steps=CONV_STEPS)
    runs.row("full, convnet, 10 steps", full, goal="> 86.9", met=lambda x: x > 86.9)
    runs.row("data, convnet, 10 steps", data)
    gain = [one - other for one, other in zip(full, data, strict=True)]
    runs.row("full less data, convnet", gain, "points", "> 0", lambda x: x > 0.0)
    runs.row(
        "seconds of full, convnet",
        [runs.trained("full", s, network="convnet", steps=CONV_STEPS).seconds for s in runs.seeds],
        "s",
    )


PARTS = {part.__name__: part for part in (headline, curricula, controls, steps, norm, conv)}


def main() -> None:
    """The parts that are asked for, all of them unless told."""
    parser = arguments(__doc__)
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS), help="what to measure")
    parser.add_argument("--seeds", type=int, default=3, help="of every training")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--jitter", type=float, default=JITTER, help="pixels that real examples are moved by, for perceptrons")
    given = parser.parse_args()
    torch.set_num_threads(1)
    report = Report("gtn_digits", packages=("aiga", "torch"))
    seeds = range(given.first, given.first + (1 if given.quick else given.seeds))
    runs = Runs(seeds, 0.004 if given.quick else 1.0, given.jitter, report)
    for part in given.parts:
        print(f"{part}: {PARTS[part].__doc__}", flush=True)
        PARTS[part](runs)
    report.show(given.json)


if __name__ == "__main__":
    main()
