"""How many outer steps a second a teacher is trained in, beside loops that teach one learner after another.

Learners are perceptrons of two hidden layers on the digits, a lesson has 10 steps of 64 examples, and every learner is judged
by 256 real ones. What stands beside aiga, each with the same learners, lesson and examples:

- `one by one`: aiga itself, called for each learner by itself;
- `plain loop`: the same arithmetic as one would write it for one learner, in plain PyTorch on matrices, without aiga.

Neither is compiled. The gradients of all three are compared first. Figures are medians over rounds in which the three take
turns, in processor seconds of one thread.

    python benchmarks/gtn_speed.py
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
from gtn_training import Training, perceptron
from report import Report, arguments
from torch import Tensor
from torch.nn import functional

from aiga import Stream
from aiga_gtn import learners
from aiga_gtn.learners import Architectures, Group
from aiga_gtn.options import GtnOptions
from aiga_gtn.outer import meta_gradient

COUNTS = (1, 4, 8, 16)
SLOPE = 0.1
Gradients = list[Tensor]


class Task:
    """One outer step, to be done in three ways.

    Args:
        count: learners.
        number: of the step.
        architectures: whether all learners have one architecture, or each its own.
    """

    def __init__(self, count: int, number: int, architectures: Architectures = "common") -> None:
        self.training = Training(GtnOptions(learners=count, architectures=architectures), 1, {"perceptron": perceptron()})
        self.teacher, rng = self.training.teacher, Stream(2).child(number)
        nursery = self.training.nursery(self.training.networks, architectures)
        self.groups = nursery.draw(rng.child("learners"), count, self.teacher.rates)
        self.lesson = self.teacher.draw(rng.child("lesson"))
        self.real = self.training.examples(rng.child("real").rows(torch.arange(count)), 256)
        keep = torch.eye(count, dtype=torch.bool)
        self.single: list[list[Group]] = [learners.only(self.groups, keep[row]) for row in range(count)]

    def batched(self) -> Gradients:
        """As aiga does it."""
        return list(meta_gradient(self.teacher, self.lesson, self.groups, self.real).gradients)

    def one_by_one(self) -> Gradients:
        """As aiga does it, of one learner after another."""
        total: Gradients = []
        for row, groups in enumerate(self.single):
            real = (self.real[0][row : row + 1], self.real[1][row : row + 1])
            found = meta_gradient(self.teacher, self.lesson, groups, real).gradients
            total = [a + b for a, b in zip(total, found, strict=True)] if total else list(found)
        return [each / len(self.single) for each in total]

    def plain(self) -> Gradients:
        """Without aiga, but for the generator."""
        parameters = list(self.teacher.parameters())
        total: Gradients = []
        for row, (group,) in enumerate(self.single):
            shown = self.teacher.show(self.lesson, 0, self.teacher.steps)
            names = sorted(group.batch.leaves)
            leaves = [group.batch.leaves[name][0].requires_grad_() for name in names]
            pace = [torch.zeros_like(leaf) for leaf in leaves]
            for step in range(self.teacher.steps):
                logits, _ = _answer(dict(zip(names, leaves, strict=True)), shown.x[step].flatten(1), None)
                loss = -(functional.log_softmax(logits, dim=1) * shown.y[step]).sum(dim=1).mean()
                slopes = torch.autograd.grad(loss, leaves, create_graph=True)
                pace = [shown.momentum[step] * old + slope for old, slope in zip(pace, slopes, strict=True)]
                leaves = [leaf - shown.rate[step] * each for leaf, each in zip(leaves, pace, strict=True)]
            taught = dict(zip(names, leaves, strict=True))
            _, means = _answer(taught, shown.x[-1].flatten(1), None)
            logits, _ = _answer(taught, self.real[0][row].flatten(1), means)
            found = torch.autograd.grad(functional.cross_entropy(logits, self.real[1][row]), parameters)
            total = [a + b for a, b in zip(total, found, strict=True)] if total else list(found)
        return [each / len(self.single) for each in total]


def _answer(leaves: dict[str, Tensor], x: Tensor, means: list[Tensor] | None) -> tuple[Tensor, list[Tensor]]:
    """Logits ``[N, 10]`` of one perceptron, and the means that were taken off: those given, or those of ``x``."""
    layers = sorted({name.rsplit(".", 1)[0] for name in leaves})
    used = list[Tensor]()
    for place, layer in enumerate(layers):
        weight, bias, gain = (leaves[f"{layer}.{what}"] for what in ("weight", "bias", "gain"))
        x = (x @ weight) * (gain / weight.norm(dim=0))
        if place + 1 == len(layers):
            return x + bias, used
        used.append(x.mean(dim=0) if means is None else means[place])
        x = functional.leaky_relu(x - used[-1] + bias, SLOPE)
    raise ValueError("a perceptron has layers")


def seconds(rounds: int, ways: dict[str, list[Callable[[], Gradients]]]) -> dict[str, list[float]]:
    """Processor seconds of a step of each way, one a round, in which the ways take turns."""
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, calls in ways.items():
            begun = time.process_time()
            for call in calls:
                call()
            found[name].append((time.process_time() - begun) / len(calls))
    return found


def replayed(report: Report, rounds: int) -> None:
    """What it costs to keep no graph: longer lessons in blocks of four steps."""
    options = GtnOptions(steps=32, learners=4)
    training = Training(options, 1, {"perceptron": perceptron()})
    groups = training.nursery(training.networks, "common").draw(Stream(3), 4, training.teacher.rates)
    lesson, real = training.teacher.draw(Stream(4)), training.examples(Stream(5).rows(torch.arange(4)), 256)

    def follow(block: int) -> Callable[[], Gradients]:
        return lambda: list(meta_gradient(training.teacher, lesson, groups, real, block=block).gradients)

    found = seconds(rounds, {"kept": [follow(0)], "replayed": [follow(4)]})
    ratios = [one / other for one, other in zip(found["replayed"], found["kept"], strict=True)]
    spread = (min(ratios), max(ratios))
    middle = statistics.median(ratios)
    report.add_row("32 steps replayed in blocks of 4, against all kept", middle, "x time", "<= 1.4", middle <= 1.4, spread)


def main() -> None:
    """Each number of learners in turn."""
    given = arguments(__doc__).parse_args()
    torch.set_num_threads(1)
    rounds, tasks = (2, 1) if given.quick else (5, 3)
    report = Report("gtn_speed", packages=("aiga", "torch"))
    for count in COUNTS:
        steps = [Task(count, number) for number in range(tasks)]
        wanted = steps[0].plain()
        for way in (steps[0].batched(), steps[0].one_by_one()):
            error = max(float((a - b).abs().max()) for a, b in zip(way, wanted, strict=True))
            assert error < 1e-4 * max(float(each.abs().max()) for each in wanted), f"gradients differ by {error:g}"
        found = seconds(
            rounds,
            {
                "batched": [step.batched for step in steps],
                "one by one": [step.one_by_one for step in steps],
                "plain loop": [step.plain for step in steps],
            },
        )
        rates = {name: [1.0 / each for each in times] for name, times in found.items()}
        for name, each in rates.items():
            report.add_row(f"{count} learners, {name}", statistics.median(each), "steps/s", spread=(min(each), max(each)))
        for other in ("one by one", "plain loop"):
            ratios = [a / b for a, b in zip(rates["batched"], rates[other], strict=True)]
            middle, goal = statistics.median(ratios), ">= 3" if count == 8 else None
            met = middle >= 3.0 if goal else None
            report.add_row(f"{count} learners, against {other}", middle, "x", goal, met, (min(ratios), max(ratios)))
        own = [Task(count, number, "sampled") for number in range(tasks)]
        each = [1.0 / one for one in seconds(rounds, {"own": [task.batched for task in own]})["own"]]
        name = f"{count} learners, batched, each of an architecture of its own"
        report.add_row(name, statistics.median(each), "steps/s", spread=(min(each), max(each)))
    replayed(report, rounds)
    report.show(given.json)


if __name__ == "__main__":
    main()
