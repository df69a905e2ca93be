"""Which cheap look at an architecture tells how good it will be, and what each look costs.

32 perceptrons are drawn, of one to four layers of 4 to 64 units, with any activation. The truth about one is the percentage of
validation images that it names rightly after 400 real steps of gradient descent, the mean over newborn agents of two seeds. A
forecast is judged by Spearman's rank correlation with that truth: over all architectures, and over the half that the forecast
itself puts on top, which is what a search has to tell apart. Beside it stands what the truths of the two seeds correlate with
one another.

Forecasts are the number of parameters, for nothing; 16 and 64 real steps, at the best of some fixed rates by their own mean;
16 steps that a Generative Teaching Network shows and 16 real ones at rates that were meta-learned as long, where the package is
there; and means of the ranks of two of these. What such a teacher's training takes stands in rows of its own: a search pays it
once. All architectures are taught side by side, a call a bucket. Seconds are processor seconds of one
thread.

    python benchmarks/gtn_search.py
"""

from __future__ import annotations

import importlib
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from report import Report, arguments
from torch import Tensor

import aiga
from aiga import Population, Stream
from aiga_architectures import Perceptron, PerceptronNetwork
from aiga_digits.domain import DigitsDomain
from aiga_search.proxies import Forecast, Judged, ParameterCount, Proxy, RealSteps
from aiga_search.ranking import averaged, spearman, top_half
from aiga_search.site import Site
from aiga_search.training import filled

NAME = "perceptron"
NETWORK = PerceptronNetwork(Perceptron.Options(widths=(4, 64)))
DOMAIN = DigitsDomain()
ENVS = DOMAIN.named("all")
SITE = Site(NAME, NETWORK, Population((ENVS,)), torch.device("cpu"))
TRUTH = 400
RATE, MOMENTUM = 0.1, 0.9  # of the truth
RATES = ((0.1, 0.5), (0.3, 0.5), (0.1, 0.9), (0.3, 0.9))
GTN_STEPS, OUTER = 16, 1000


def networks(_: str) -> aiga.Network:
    """The only one."""
    return NETWORK


def born(structures: Sequence[Any], seed: int) -> Population:
    """A newborn agent of each structure."""
    agents, order = SITE.newborns(Stream(seed).child("born").rows(torch.arange(len(structures))), DOMAIN, structures)
    return agents.in_order(order)


def real(steps: int, rate: float, momentum: float) -> Judged:
    """Real steps of SGD, then validation."""
    teach = RealSteps(networks, DOMAIN, ENVS, steps, lr=rate, optimiser="sgd", momentum=momentum)
    return Judged(teach, networks, DOMAIN, ENVS)


class Lessons:
    """Teaches by a trained teacher of the package aiga_gtn; a :class:`aiga_search.proxies.Teach`."""

    def __init__(self, teacher: Any, batch: int) -> None:
        self._teacher, self._batch = teacher, batch

    def __call__(self, agents: Population, rng: Stream) -> tuple[Population, Mapping[str, int]]:
        inner, learners = (importlib.import_module(f"aiga_gtn.{name}") for name in ("inner", "learners"))
        from aiga_search.training import cut

        wide, where = filled(agents, networks, DOMAIN)
        groups = [learners.Group(NETWORK, batch, torch.arange(start, start + len(batch))) for start, batch in wide.parts()]
        with torch.no_grad():
            flats, _ = inner.teach(self._teacher, self._teacher.draw(rng), groups)
        taught = Population(tuple(group.agents(flat) for group, flat in zip(groups, flats, strict=True)))
        steps = len(agents) * self._teacher.steps
        cost = {"gradient_steps": steps, "synthetic_examples": steps * self._batch}
        return cut(taught, where, agents, networks, DOMAIN), cost


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


def best_real(steps: int, agents: Population, seed: int) -> Measured:
    """Real steps at the rate with which architectures do best on the whole; the search for it is not counted."""
    tried = [measured(real(steps, *rate), agents, seed) for rate in RATES]
    best = max(range(len(RATES)), key=lambda place: float(tried[place].scores.clamp(min=0.0).mean()))
    print(f"real {steps} steps: rate {RATES[best][0]:g}, momentum {RATES[best][1]:g}")
    return tried[best]


def teachers(outer: int) -> dict[str, tuple[Judged, Any]]:
    """Forecasts by teachers that are trained on perceptrons of the space; none where the package is not there."""
    try:
        training, options = importlib.import_module("gtn_training"), importlib.import_module("aiga_gtn.options")
    except ImportError:
        print("aiga_gtn is not there: no forecast of it")
        return {}
    found = {}
    for name, teacher in ((f"GTN {GTN_STEPS} steps", "full"), (f"real {GTN_STEPS} steps, learned rates", "data")):
        given = options.GtnOptions(teacher=teacher, steps=GTN_STEPS, decay=outer)
        made = training.Training(given, 0, {NAME: NETWORK}).run(outer)
        print(f"{name}: {made.best:.1f} % validation, {made.failed} failures, {made.seconds:.0f} s of training")
        found[name] = (Judged(Lessons(made.teacher, given.batch), networks, DOMAIN, ENVS), made)
    return found


class Table:
    """Rows of forecasts over several draws of architectures."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._found: dict[str, list[tuple[float, float, float, float]]] = {}

    def add(self, name: str, one: Measured, truth: Tensor) -> None:
        """What a forecast is worth on one draw."""
        top = top_half(one.scores)
        figures = (spearman(one.scores, truth), spearman(one.scores[top], truth[top]), float(one.steps), one.seconds)
        self._found.setdefault(name, []).append(figures)

    def show(self, goals: Mapping[str, float]) -> None:
        """Medians over draws; a goal is a correlation to be above."""
        for name, found in self._found.items():
            for place, (what, unit) in enumerate(
                (("over all", ""), ("over its own top half", ""), ("gradient steps", ""), ("seconds", "s"))
            ):
                values = [each[place] for each in found]
                goal = goals.get(name) if place == 0 else None
                value = statistics.median(values)
                met = None if goal is None else value > goal
                spread = (min(values), max(values)) if len(values) > 1 else None
                self._report.add_row(f"{name}: {what}", value, unit, None if goal is None else f"> {goal:g}", met, spread)


def main() -> None:
    """Draws of architectures, their truth, and the forecasts."""
    parser = arguments(__doc__)
    parser.add_argument("--architectures", type=int, default=32, help="in a draw")
    parser.add_argument("--draws", type=int, default=3, help="of architectures, each with seeds of its own")
    parser.add_argument("--outer", type=int, default=OUTER, help="outer steps of the Generative Teaching Network")
    given = parser.parse_args()
    draws, count = (1, 12) if given.quick else (given.draws, given.architectures)
    truth_steps, outer = (100, 50) if given.quick else (TRUTH, given.outer)
    torch.set_num_threads(1)
    report = Report("gtn_search", packages=("aiga", "torch"))
    table, taught = Table(report), teachers(outer)
    for draw in range(1, draws + 1):
        structures = NETWORK.space.initial(Stream(draw).child("structures"), count)
        agents = born(structures, 100 * draw)
        buckets = len(filled(agents, networks, DOMAIN)[0].batches)
        print(f"draw {draw}: {count} architectures in {buckets} buckets")
        truths = [
            measured(real(truth_steps, RATE, MOMENTUM), born(structures, 100 * draw + seed), 100 * draw + seed)
            for seed in (1, 2)
        ]
        truth = (truths[0].scores + truths[1].scores) / 2
        print(f"  truth {truth.min():.1f} to {truth.max():.1f} %, {truths[0].seconds + truths[1].seconds:.0f} s")
        table.add("truth of one seed against the other's", truths[0], truths[1].scores)
        found = {"parameter count": measured(ParameterCount(), agents, draw)}
        found |= {f"real {steps} steps": best_real(steps, agents, 100 * draw) for steps in (16, 64)}
        found |= {name: measured(judged, agents, 100 * draw) for name, (judged, _) in taught.items()}
        for name in ("real 16 steps", f"GTN {GTN_STEPS} steps"):
            if name in found:
                found[f"{name} and parameter count"] = found[name].with_mean_of_ranks(found["parameter count"])
        for name, one in found.items():
            table.add(name, one, truth)
    table.show({f"GTN {GTN_STEPS} steps": 0.86})
    for name, (_, made) in taught.items():
        steps = made.done * made.options.learners * made.options.steps
        report.add_row(f"{name}: gradient steps of its training", float(steps), "")
        report.add_row(f"{name}: seconds of its training", made.seconds, "s")
    report.show(given.json)


if __name__ == "__main__":
    main()
