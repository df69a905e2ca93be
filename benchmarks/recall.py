"""How fast a plastic network learns to recall, beside recurrent networks of its size that have as many seconds.

The task is the comparison of Miconi et al. (2018): two patterns of 50 bits are shown once, three steps each, then one of them
with half its bits blanked. An error is the share of bits with a wrong sign; chance is 25 %. The plastic network has a unit for
each bit and one that is always on; the controls have as many parameters. All learn by Adam on batches of 128 fresh episodes; no
episode is ever seen twice, so that the error of the batches is one on unseen patterns.

The clock counts processor seconds of one thread, drawing episodes included. It stops when the mean error of the last 2,048
episodes is at most 1 %; the network is then tested on 2,000 episodes more. The learning rate of each network, and whether it
falls, are the best of nine on a seed of their own, in a third of the seconds. 51 cells of an LSTM are wired and hold nothing,
so that one of the plastic network's size has few to remember by: one of 251 units, 41 times the parameters, is there beside
it.

    python benchmarks/recall.py
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from report import Report, arguments
from torch import Tensor

from aiga import Batch, Kind, Network, Pairs, Population, Stream
from aiga.data import Leaves
from aiga_plasticity import Lstm, LstmNetwork, Plastic, PlasticNetwork, Rnn, RnnNetwork, matched_units, parameters
from aiga_recall import lives
from aiga_recall.domain import RecallDomain
from aiga_recall.episodes import Binary

DOMAIN = RecallDomain(Binary(50))
GOAL = 0.01
BATCH = 128
LAST = 2048  # episodes whose error is looked at
CHOICES = tuple((rate, half_life) for rate in (0.03, 0.01, 0.003) for half_life in (None, 6000, 100_000))
WIDE = 251


@dataclass(frozen=True)
class Learnt:
    """What became of a training.

    Attributes:
        seconds: until the goal, or all there were.
        error: mean of the last episodes.
        episodes: learnt from.
        tested: error on 2,000 episodes more.
    """

    seconds: float
    error: float
    episodes: int
    tested: float


class Training:
    """``P`` networks in one call, each learning from ``E`` episodes at a time.

    Args:
        network: of what kind.
        seed: of the leaves and of the episodes.
        rate: of Adam.
        agents: ``P``.
        episodes: ``E``.
        half_life: episodes of a network after which the rate is half as high; None for a rate that stays.
    """

    def __init__(
        self, network: Network, seed: int, rate: float, agents: int = 1, episodes: int = BATCH, half_life: int | None = None
    ) -> None:
        born = network.init(Stream(seed), network.build(network.structure, DOMAIN.inputs, DOMAIN.outputs), agents)
        self.leaves = {name: leaf.requires_grad_() for name, leaf in born.items()}
        self.done = 0
        self._network, self._half_life, self._rate, self._episodes = network, half_life, rate, episodes
        self._pairs = pairs(network, self.leaves, episodes)
        self._stream = Stream(seed).child("train")
        self._adam = torch.optim.Adam(self.leaves.values(), lr=rate)

    def step(self) -> Tensor:
        """One update of every network; the errors ``[P * E]`` of the episodes it came from."""
        if self._half_life is not None:
            self._adam.param_groups[0]["lr"] = self._rate * 0.5 ** (self.done / self._half_life)
        count = len(self._pairs)
        keys = torch.arange(count) + self.done * (count // self._episodes)
        answer, shown = lives.recall(self._pairs, self._network, self._stream.rows(keys), DOMAIN.source)
        loss = (answer - shown.target).square().mean(dim=1)
        self._adam.zero_grad()
        loss.sum().div(self._episodes).backward()
        self._adam.step()
        self.done += self._episodes
        return lives.errors(answer.detach(), shown, signs=True)


def pairs(network: Network, leaves: Leaves, episodes: int) -> Pairs:
    """Every agent with the first task of the domain, ``episodes`` times in a row."""
    count = len(next(iter(leaves.values())))
    agents = Batch.of(Kind("benchmark", dict(network.structure)), leaves)
    rows = torch.arange(count).repeat_interleave(episodes)
    return Pairs.of(Population((DOMAIN.initial(Stream(0), 1),)), Population((agents,)), torch.zeros_like(rows), rows)


def learn(network: Network, seed: int, choice: tuple[float, int | None], seconds: float) -> Learnt:
    """Learns until the goal is reached or the seconds are over."""
    rate, half_life = choice
    training, errors = Training(network, seed, rate, half_life=half_life), list[float]()
    start, spent, error = time.process_time(), 0.0, 1.0
    while spent < seconds and error > GOAL:
        errors.append(float(training.step().mean()))
        spent = time.process_time() - start
        if len(errors) >= LAST // BATCH:
            error = statistics.mean(errors[-(LAST // BATCH) :])
    with torch.no_grad():
        test = Stream(seed).child("test").rows(torch.arange(2000))
        answer, shown = lives.recall(pairs(network, training.leaves, 2000), network, test, DOMAIN.source)
    return Learnt(spent, error, training.done, float(lives.errors(answer, shown, signs=True).mean()))


def best_choice(network: Network, seconds: float) -> tuple[float, int | None]:
    """The rate and its half-life with which a network is soonest at the goal, or nearest to it, on seed 0."""
    tried = [(learn(network, 0, choice, seconds), place) for place, choice in enumerate(CHOICES)]
    return CHOICES[min(tried, key=lambda each: (max(each[0].error, GOAL), each[0].seconds))[1]]


def report_on(report: Report, name: str, network: Network, seconds: float, seeds: int, trial: float) -> None:
    """Rows of one network, over seeds 1 and up."""
    choice = best_choice(network, trial)
    learnt = [learn(network, seed, choice, seconds) for seed in range(1, seeds + 1)]
    print(
        f"{name}: {parameters(network, DOMAIN.inputs, DOMAIN.outputs):,} parameters, rate {choice[0]:g}, half-life {choice[1]}"
    )
    for seed, one in enumerate(learnt, 1):
        print(f"  seed {seed}: {one.error:.2%} after {one.seconds:.2f} s, {one.episodes:,} episodes; tested {one.tested:.2%}")

    def add(row: str, values: list[float], unit: str, goal: str | None = None, met: Callable[[float], bool] = bool) -> None:
        judged = None if goal is None else all(met(value) for value in values)
        report.add_row(f"{name}: {row}", statistics.median(values), unit, goal, judged, (min(values), max(values)))

    tested = [100 * one.tested for one in learnt]
    if name == "plastic":
        add(
            "seconds to 1 % error",
            [one.seconds if one.error <= GOAL else float("inf") for one in learnt],
            "s",
            "< 3",
            lambda x: x < 3,
        )
        add("error on 2,000 episodes then", tested, "%")
        add("episodes to 1 % error", [float(one.episodes) for one in learnt], "")
        return
    goal = "> 10" if name in ("rnn", "lstm") else None
    add(f"error after {seconds:g} s", tested, "%", goal, lambda x: x > 10)
    add("episodes in that time", [float(one.episodes) for one in learnt], "")


def main() -> None:
    """The plastic network, then what it is compared with."""
    parser = arguments(__doc__)
    parser.add_argument("--seconds", type=float, default=45.0, help="processor seconds of each training")
    parser.add_argument("--seeds", type=int, default=3, help="of each network")
    given = parser.parse_args()
    seconds, seeds = (5.0, 1) if given.quick else (given.seconds, given.seeds)
    torch.set_num_threads(1)
    keep_memory()
    plastic = PlasticNetwork(Plastic.Options(wiring="additive", value=False))
    spaces = (DOMAIN.inputs, DOMAIN.outputs)
    rnn, lstm = (
        RnnNetwork(Rnn.Options(wiring="additive", value=False)),
        LstmNetwork(Lstm.Options(wiring="additive", value=False)),
    )
    units = {"rnn": matched_units(rnn, plastic, *spaces), "lstm": matched_units(lstm, plastic, *spaces)}
    networks: dict[str, Network] = {
        "plastic": plastic,
        "rnn": RnnNetwork(Rnn.Options(units=units["rnn"], wiring="additive", value=False)),
        "lstm": LstmNetwork(Lstm.Options(units=units["lstm"], wiring="additive", value=False)),
    }
    if not given.quick:
        networks[f"lstm of {WIDE} units"] = LstmNetwork(Lstm.Options(units=WIDE, wiring="additive", value=False))
    report = Report("recall", packages=("aiga", "torch"))
    for name, network in networks.items():
        report_on(report, name, network, seconds, seeds, seconds / (10 if given.quick else 3))
    report.show(given.json)


def keep_memory() -> None:
    """Lets the C library keep what is freed, as in any process that once freed much: glibc learns it from this block."""
    torch.empty(31 * 2**20, dtype=torch.uint8)


if __name__ == "__main__":
    main()
