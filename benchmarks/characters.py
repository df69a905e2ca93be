"""Learning hundreds of classes one after another: ANML and OML on drawn characters, beside what they must beat.

Each learner is taught for so many processor seconds of one thread on classes of the background split, by the platform's own
optimiser on the domain's own loss. Then a life begins with a head that knows no class, and learns classes of the evaluation
split, one after another, fifteen images of each once; what is reported is the share of test images (five a class) named rightly
at the end. The step size of these lives is chosen by the accuracy on the images learnt from, in draws that are not reported,
and of streams of more than a hundred classes in one of a hundred; no image learnt from in one draw tests a life in another. The
oracle learns the same images of the same classes in random order.

``gate fixed at one`` is ANML without its second network, meta-trained in ANML's way, with a fifth fewer parameters; two rows
have wider layers to make up for it; ``OML, linear head`` is meta-trained in OML's. The last three are taught plainly, or not at
all. An earlier study had 300 classes to learn with; there are 964.

    python benchmarks/characters.py                       # three seeds, up to 600 classes: about an hour
    python benchmarks/characters.py --source drawn        # the harder set
    python benchmarks/characters.py --learners ANML --lengths 100
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence

import torch
from characters_learners import LEARNERS, STUDY, Taught, teach
from report import Report, arguments

from aiga import Stream
from aiga_characters.domain import CharactersDomain
from aiga_characters.judging import features, judge

GOAL, GOAL_LENGTH = 76.0, 100
LENGTHS = (10, 50, 100, 200, 600)
ORACLE = (100, 600)
AGES = {"first": 9, "fifth": 5, "last": 0}  # tenths of a life's classes, in the order in which the domain tells of them
PROBED = 100  # classes


class Book:
    """Figures of one learner by name, one a seed, on their way to the report."""

    def __init__(self, report: Report, name: str) -> None:
        self._report, self._name, self._figures = report, name, defaultdict[tuple[str, str], list[float]](list)

    def add(self, what: str, value: float, unit: str = "%") -> None:
        """One seed's figure."""
        self._figures[what, unit].append(value)

    def tests(self, length: int) -> list[float]:
        """Of streams of so many classes, a figure a seed; empty where it was not measured."""
        return self._figures.get((f"test, {length} classes", "%"), [])

    def last(self) -> str:
        """Test figures of the seed that was added last."""
        tests = [(what, values[-1]) for (what, _), values in self._figures.items() if what.startswith("test,")]
        return ", ".join(f"{what.removeprefix('test, ')} {value:.1f}" for what, value in tests)

    def close(self, goal: str | None = None) -> None:
        """Medians and spreads into the report; ``goal`` is the figure that has one."""
        for (what, unit), values in self._figures.items():
            middle, spread = statistics.median(values), (min(values), max(values)) if len(values) > 1 else None
            bar, met = (f">= {GOAL:g}", middle >= GOAL) if what == goal else (None, None)
            self._report.add_row(f"{self._name}: {what}", middle, unit, bar, met, spread)


def measure(taught: Taught, domain: CharactersDomain, lengths: Sequence[int], draws: int, book: Book) -> None:
    """One seed of one learner: the curve, the oracle, by age, and what its representation is like."""
    book.add("taught for", taught.seconds, "cpu-s")
    book.add("steps of Adam", taught.steps, "")
    whole, agent = taught.learner.tested == "head", taught.contestant
    most = taught.learner.labels if whole else GOAL_LENGTH
    curve = judge(domain, agent, "sequential", [length for length in lengths if length <= most], draws)
    oracle = judge(domain, agent, "shuffled", [length for length in curve if length in ORACLE and whole], draws)
    for length, one in curve.items():
        book.add(f"test, {length} classes", float(one.test))
        book.add(f"train, {length} classes", float(one.train))
        book.add(f"rate, {length} classes", float(one.rate), "")
        if length in oracle:
            book.add(f"test, {length} classes, i.i.d. oracle", float(oracle[length].test))
            book.add(f"below the oracle, {length} classes", 100.0 * (1.0 - float(one.test / oracle[length].test)))
            for age, tenth in AGES.items():
                book.add(f"test, {length} classes, {age} tenth of them", float(one.by_age[0, tenth]))
    for kind, units in features(domain, agent, Stream(0).child("probe"), PROBED).items() if whole else ():
        for what in ("active", "dead", "neighbours"):
            book.add(f"{kind}: {what}", float(getattr(units, what)))


def compare(report: Report, books: Mapping[str, Book]) -> None:
    """How far ahead of each other learner ANML is, seed by seed; a gain is one in every seed."""
    for name, book in books.items():
        for length in ORACLE if name not in ("ANML", STUDY) and "ANML" in books else ():
            ahead = [mine - its for mine, its in zip(books["ANML"].tests(length), book.tests(length), strict=False)]
            if ahead:
                value, spread = statistics.median(ahead), (min(ahead), max(ahead))
                what = f"ANML ahead of {name}, {length} classes"
                report.add_row(what, value, "%", "> 0 in every seed", min(ahead) > 0.0, spread if len(ahead) > 1 else None)


def main() -> None:
    """Learner after learner, seed after seed."""
    parser = arguments(__doc__)
    parser.add_argument("--source", default="drawn-easy", help="of the characters: drawn-easy, or drawn")
    parser.add_argument("--seconds", type=float, default=110.0, help="of the processor that each learner is taught for")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--lengths", type=int, nargs="+", default=list(LENGTHS), help="classes of a stream")
    parser.add_argument("--learners", nargs="+", default=list(LEARNERS), choices=list(LEARNERS))
    parser.add_argument("--draws", type=int, default=2, help="of classes reported, the same for all seeds")
    given = parser.parse_args()
    if given.quick:
        given.seconds, given.seeds, given.lengths, given.draws = 5.0, [0], [10], 1
        given.learners = ["ANML", "OML, linear head"]
    torch.set_num_threads(1)
    report, books = Report("characters", packages=("aiga", "torch", "numpy")), dict[str, Book]()
    for name in given.learners:
        book = books[name] = Book(report, name)
        for seed in given.seeds:
            taught = teach(LEARNERS[name], given.source, seed, given.seconds)
            measure(taught, LEARNERS[name].domain(given.source), given.lengths, given.draws, book)
            print(f"{name}, seed {seed}: {taught.steps} steps in {taught.seconds:.0f} cpu-s; {book.last()}", flush=True)
        book.close(f"test, {GOAL_LENGTH} classes" if name in ("ANML", STUDY) else None)
    compare(report, books)
    print(f"characters {given.source}, SHA-256 {LEARNERS['ANML'].domain(given.source).characters.hash}")
    report.show(as_json=given.json)


if __name__ == "__main__":
    main()
