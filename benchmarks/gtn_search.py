"""Which cheap look at an architecture tells how good it will be, and what each look costs.

32 architectures are drawn: perceptrons of one to four layers of 4 to 64 units, with any activation; or, in the mixed space,
half of them these, half convnets of one or two cells of one or two nodes, 8 to 16 channels wide at first. The truth about one
is the percentage of validation images that it names rightly after 400 real steps of gradient descent, the mean over newborn
agents of two seeds. A forecast is judged by Spearman's rank correlation with that truth: over all architectures, and over the
half that the forecast itself puts on top, which is what a search has to tell apart. Beside it stands what the truths of the two
seeds correlate with one another. The goal is for the best forecast, the one whose median over draws is highest.

Forecasts are the number of parameters, for nothing; 16 and 64 real steps, at the best of some fixed rates by their own mean;
16 steps that a Generative Teaching Network shows and 16 real ones at rates that were meta-learned as long, where the package is
there; and means of the ranks of two of these. What such a teacher's training takes stands in rows of its own: a search pays it
once. It is trained on fresh learners of the space's own networks, in the mixed space for as many outer steps as let the whole
of it end within half an hour. All architectures are taught side by side, a call a bucket. Seconds are processor seconds of one
thread.

    python benchmarks/gtn_search.py --space perceptron --picture forecasts.png
"""

from __future__ import annotations

import importlib
import statistics
import textwrap
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from report import Report, arguments
from search_spaces import DOMAIN, ENVS, SPACES, Space, born, network
from torch import Tensor

from aiga import Population, Stream, padding
from aiga.plots import Cloud, scatter
from aiga_search.proxies import Forecast, Judged, ParameterCount, Proxy, RealSteps
from aiga_search.ranking import averaged, spearman, top_half

RATE, MOMENTUM = 0.1, 0.9  # of the truth
COUNT, CEILING = "parameter count", "truth of one seed against the other's"
GTN, DATA = "GTN 16 steps", "real 16 steps, learned rates"


@dataclass(frozen=True)
class Size:
    """How much is measured.

    Attributes:
        draws: of architectures, each with seeds of its own.
        count: architectures of a draw.
        truth: real steps of the truth.
        outer: outer steps of a teacher; of the space's own number where it is None.
        rates: how many of the space's rates are tried.
    """

    draws: int = 3
    count: int = 32
    truth: int = 400
    outer: int | None = None
    rates: int | None = None


def real(steps: int, rate: float, momentum: float) -> Judged:
    """Real steps of SGD, then validation."""
    teach = RealSteps(network, DOMAIN, ENVS, steps, lr=rate, optimiser="sgd", momentum=momentum)
    return Judged(teach, network, DOMAIN, ENVS)


class Lessons:
    """Teaches by a trained teacher of the package aiga_gtn; a :class:`aiga_search.proxies.Teach`."""

    def __init__(self, teacher: Any, batch: int) -> None:
        self._teacher, self._batch = teacher, batch

    def __call__(self, agents: Population, rng: Stream) -> tuple[Population, Mapping[str, int]]:
        inner, learners = (importlib.import_module(f"aiga_gtn.{name}") for name in ("inner", "learners"))
        wide, where = padding.in_buckets(agents, network, DOMAIN)
        groups = [
            learners.Group(network(batch.kind.component), batch, torch.arange(start, start + len(batch)))
            for start, batch in wide.parts()
        ]
        with torch.no_grad():
            flats, _ = inner.teach(self._teacher, self._teacher.draw(rng), groups)
        taught = Population(tuple(group.agents(flat) for group, flat in zip(groups, flats, strict=True)))
        steps = len(agents) * self._teacher.steps
        cost = {"gradient_steps": steps, "synthetic_examples": steps * self._batch}
        return padding.out_of_buckets(taught, where, agents, network, DOMAIN), cost


@dataclass(frozen=True)
class Measured:
    """A forecast and what it took.

    Attributes:
        scores: ``[N]``.
        steps: of gradient descent, of all architectures.
        seconds: of the processor.
    """

    scores: Tensor
    steps: int
    seconds: float

    def with_mean_of_ranks(self, other: Measured) -> Measured:
        """Both in one."""
        return Measured(averaged(self.scores, other.scores), self.steps + other.steps, self.seconds + other.seconds)


def measured(proxy: Proxy, agents: Population, seed: int) -> Measured:
    """What a proxy forecasts, timed."""
    begun = time.process_time()
    found: Forecast = proxy(agents, Stream(seed).child("forecast"))
    return Measured(found.scores, found.cost.get("gradient_steps", 0), time.process_time() - begun)


def best_real(steps: int, rates: tuple[tuple[float, float], ...], agents: Population, seed: int) -> Measured:
    """Real steps at the rate with which architectures do best on the whole; the search for it is not counted."""
    tried = [measured(real(steps, *rate), agents, seed) for rate in rates]
    best = max(range(len(rates)), key=lambda place: float(tried[place].scores.clamp(min=0.0).mean()))
    print(f"  real {steps} steps: rate {rates[best][0]:g}, momentum {rates[best][1]:g}", flush=True)
    return tried[best]


def teachers(space: Space, outer: int) -> dict[str, Any]:
    """Trainings of teachers on learners of the space, by forecast; none where the package is not there."""
    try:
        training, options = importlib.import_module("gtn_training"), importlib.import_module("aiga_gtn.options")
    except ImportError:
        print("aiga_gtn is not there: no forecast of it")
        return {}
    found = {}
    for name, teacher in ((GTN, "full"), (DATA, "data")):
        given = options.GtnOptions(teacher=teacher, steps=16, decay=outer, learners=space.learners)
        made = training.Training(given, 0, space.networks).run(outer)
        print(f"{name}: {made.best:.1f} % validation, {made.failed} failures, {made.seconds:.0f} s of training", flush=True)
        found[name] = made
    return found


@dataclass
class Draws:
    """Forecasts over several draws of architectures of one space.

    Attributes:
        figures: by forecast and draw: correlation over all and over the top half, gradient steps, seconds.
        clouds: by forecast and draw: what was forecast beside the truth, and the network of each architecture.
    """

    figures: dict[str, list[tuple[float, float, float, float]]] = field(default_factory=dict)
    clouds: dict[str, list[tuple[Tensor, Tensor, list[str]]]] = field(default_factory=dict)

    def add(self, name: str, one: Measured, truth: Tensor, networks: list[str]) -> None:
        """What a forecast is worth on one draw."""
        top = top_half(one.scores)
        figures = (spearman(one.scores, truth), spearman(one.scores[top], truth[top]), float(one.steps), one.seconds)
        self.figures.setdefault(name, []).append(figures)
        self.clouds.setdefault(name, []).append((one.scores, truth, networks))

    def over_all(self, name: str) -> float:
        """The median over draws."""
        return statistics.median(each[0] for each in self.figures[name])

    @property
    def best(self) -> str:
        """The forecast that is right most."""
        return max((name for name in self.figures if name != CEILING), key=self.over_all)

    def report(self, report: Report, space: Space) -> None:
        """Medians over draws."""
        for name, found in self.figures.items():
            for place, (what, unit) in enumerate(
                (("over all", ""), ("over its own top half", ""), ("gradient steps", ""), ("seconds", "s"))
            ):
                values = [each[place] for each in found]
                report.add_row(f"{space.name}: {name}: {what}", statistics.median(values), unit, spread=_spread(values))
        best = [each[0] for each in self.figures[self.best]]
        value, goal = self.over_all(self.best), f"> {space.goal:g}"
        report.add_row(f"{space.name}: best proxy ({self.best}): over all", value, "", goal, value > space.goal, _spread(best))

    def panels(self, space: Space) -> list[Cloud]:
        """A panel a forecast: all draws' architectures, a colour a network."""
        out = []
        for name, draws in self.clouds.items():
            if name != CEILING:
                scores, truth = (torch.cat([draw[column] for draw in draws]) for column in (0, 1))
                of = [each for draw in draws for each in draw[2]]
                rows = {kind: [place for place, each in enumerate(of) if each == kind] for kind in space.of}
                points = {kind: (scores[mine].numpy(), truth[mine].numpy()) for kind, mine in rows.items()}
                title = textwrap.fill(f"{name}: {self.over_all(name):.2f}", 32)
                out.append(Cloud(title, _axis(name), f"truth, % ({space.name})", points, log=name == COUNT))
        return out


def _spread(values: list[float]) -> tuple[float, float] | None:
    return (min(values), max(values)) if len(values) > 1 else None


def _axis(name: str) -> str:
    if name == COUNT:
        return "parameters"
    return "mean of two ranks" if name.endswith(COUNT) else "forecast, %"


def compared(space: Space, size: Size, report: Report) -> list[Cloud]:
    """Draws of architectures, their truth, and the forecasts; the panels of a picture."""
    begun, draws = time.process_time(), Draws()
    trained = teachers(space, size.outer or space.outer)
    for draw in range(1, size.draws + 1):
        structures = space.structures(draw, size.count)
        of = [name for name, mine in structures.items() for _ in mine]
        agents = born(structures, 100 * draw)
        wide, _ = padding.in_buckets(agents, network, DOMAIN)
        print(f"draw {draw}: {len(agents)} architectures in {len(wide.batches)} buckets")
        truths = [
            measured(real(size.truth, RATE, MOMENTUM), born(structures, 100 * draw + seed), 100 * draw + seed)
            for seed in (1, 2)
        ]
        truth = (truths[0].scores + truths[1].scores) / 2
        print(f"  truth {truth.min():.1f} to {truth.max():.1f} %, {truths[0].seconds + truths[1].seconds:.0f} s", flush=True)
        draws.add(CEILING, truths[0], truths[1].scores, of)
        found = {COUNT: measured(ParameterCount(), agents, draw)}
        rates = space.rates[: size.rates]
        found |= {f"real {steps} steps": best_real(steps, rates, agents, 100 * draw) for steps in (16, 64)}
        for name, made in trained.items():
            judged = Judged(Lessons(made.teacher, made.options.batch), network, DOMAIN, ENVS)
            found[name] = measured(judged, agents, 100 * draw)
        for name in ("real 16 steps", GTN, DATA):
            if name in found:
                found[f"{name} and {COUNT}"] = found[name].with_mean_of_ranks(found[COUNT])
        for name, one in found.items():
            draws.add(name, one, truth, of)
    draws.report(report, space)
    for name, made in trained.items():
        steps = made.done * made.options.learners * len(space.of) * made.options.steps
        report.add_row(f"{space.name}: {name}: gradient steps of its training", float(steps), "")
        report.add_row(f"{space.name}: {name}: seconds of its training", made.seconds, "s")
    report.add_row(f"{space.name}: seconds of everything", time.process_time() - begun, "s")
    return draws.panels(space)


def main() -> None:
    """The spaces that are asked for, both unless told."""
    parser = arguments(__doc__)
    parser.add_argument(
        "--space", nargs="+", choices=list(SPACES), default=list(SPACES), help="what architectures are drawn from"
    )
    parser.add_argument("--architectures", type=int, default=Size.count, help="in a draw")
    parser.add_argument("--draws", type=int, default=Size.draws, help="of architectures, each with seeds of its own")
    parser.add_argument("--outer", type=int, help="outer steps of each teacher, 1000 or, in the mixed space, 250 unless told")
    parser.add_argument("--picture", type=Path, metavar="FILE.png", help="draw forecasts against truth")
    given = parser.parse_args()
    size = Size(given.draws, given.architectures, outer=given.outer)
    torch.set_num_threads(1)
    report, panels = Report("gtn_search", packages=("aiga", "torch")), list[Cloud]()
    for name in given.space:
        print(f"{name}: {', '.join(SPACES[name].of)}", flush=True)
        panels += compared(SPACES[name], QUICK[name] if given.quick else size, report)
    if given.picture:
        given.picture.write_bytes(scatter(*panels))
    report.show(given.json)


QUICK = {"perceptron": Size(1, 12, 100, 20), "mixed": Size(1, 8, 30, 4, 2)}


if __name__ == "__main__":
    main()
