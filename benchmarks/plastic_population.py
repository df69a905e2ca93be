"""How many episodes of plastic networks are learnt from in a second, one network at a time and whole populations in one call.

Each network of a population has leaves of its own and learns from episodes of its own: the recall of two patterns of 50 bits,
by Adam on the domain's loss, drawing episodes, gradients and update included. ``P x E`` is ``P`` networks with ``E`` episodes
each in every update; ``1 x 1`` is one network that learns from an episode at a time, by the same code. The clock counts
processor seconds of one thread; every size is measured in turns with the others, and the median is given.

    python benchmarks/plastic_population.py
"""

from __future__ import annotations

import statistics
import time

import torch
from recall import Training, keep_memory
from report import Report, arguments

from aiga_plasticity import Plastic, PlasticNetwork

ONE = (1, 1)
SIZES = (ONE, (256, 1), (1, 256), (16, 32), (64, 32))
POPULATION = (16, 32)
RATE, TIMES = 16_000, 90  # goals


def speed(training: Training, count: int, seconds: float) -> float:
    """Net-episodes a second, ``count`` of them in an update."""
    updates, start, spent = 0, time.process_time(), 0.0
    while spent < seconds:
        training.step()
        updates += 1
        spent = time.process_time() - start
    return updates * count / spent


def main() -> None:
    """All sizes, in turns."""
    parser = arguments(__doc__)
    parser.add_argument("--turns", type=int, default=9, help="times that each size is measured")
    parser.add_argument("--seconds", type=float, default=2.0, help="processor seconds of each measurement")
    given = parser.parse_args()
    turns, seconds = (3, 0.5) if given.quick else (given.turns, given.seconds)
    torch.set_num_threads(1)
    keep_memory()
    network = PlasticNetwork(Plastic.Options(wiring="additive", value=False))
    trainings = {size: Training(network, 1, 0.01, *size) for size in SIZES}
    for training in trainings.values():
        training.step()
    measured = [{size: speed(made, size[0] * size[1], seconds) for size, made in trainings.items()} for _ in range(turns)]
    report = Report("plastic_population", packages=("aiga", "torch"))
    for size in SIZES:
        values = [turn[size] for turn in measured]
        middle, spread = statistics.median(values), (min(values), max(values))
        fused = size == POPULATION
        report.add_row(
            f"{size[0]} x {size[1]}",
            middle,
            "net-episodes/s",
            f">= {RATE:,}" if fused else None,
            middle >= RATE if fused else None,
            spread,
        )
    ratios = [turn[POPULATION] / turn[ONE] for turn in measured]
    middle, spread = statistics.median(ratios), (min(ratios), max(ratios))
    report.add_row("16 x 32 against one unbatched network", middle, "x", f">= {TIMES}", middle >= TIMES, spread)
    report.show(given.json)


if __name__ == "__main__":
    main()
