"""The learners that ``characters.py`` compares, and how each of them spends its seconds before it is judged."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, cast

import torch

import aiga
from aiga import Batch, Lab, Pairs, Population, Stream
from aiga_characters.domain import CharactersDomain
from aiga_characters.objective import Trial
from aiga_characters.sets import Source
from aiga_continual import Anml, ContinualNetwork, MetaGradient, MetaGradientPlugin, Oml, relearning

CHUNK = 20  # steps between two looks at the clock
BACKGROUND = 964  # classes to learn with
STUDY = "ANML, 300 classes to learn with"

ANML = Trial(trajectory=1, inner_steps=20, unseen=0, remember=64)
OML = Trial(trajectory=3, inner_steps=5, unseen=5, remember=15)
SUPERVISED = Trial(trajectory=0, remember=84)


@dataclass(frozen=True)
class Learner:
    """One row of the comparison.

    Attributes:
        plugin, options: the network.
        taught: by the meta-gradient on ``trial``, or not at all.
        trial: of meta-training.
        lr: Adam's step size.
        lifetimes: of a step.
        labels: outputs, and classes of the background split that it is taught with.
        tested: what adapts when it is judged: the ``head`` alone, or all of the ``prediction`` network.
    """

    plugin: type[Oml] | type[Anml]
    options: Mapping[str, Any] = field(default_factory=dict)
    taught: bool = True
    trial: Trial = ANML
    lr: float = 1e-3
    lifetimes: int = 1
    labels: int = BACKGROUND
    tested: Literal["head", "prediction"] = "head"

    def network(self) -> ContinualNetwork:
        """The network of its agents."""
        options = cast(Any, self.plugin.Options)(**self.options)
        return ContinualNetwork(self.plugin.name, options.structure(), options.inner_lr)

    def domain(self, source: str) -> CharactersDomain:
        """The domain that it lives in, with characters of ``source``."""
        return CharactersDomain(Source(cast(Any, source)), labels=self.labels, trial=self.trial)


LEARNERS: dict[str, Learner] = {
    "ANML": Learner(Anml, {"inner_lr": 0.1}),
    STUDY: Learner(Anml, {"inner_lr": 0.1}, labels=300),
    "OML, linear head": Learner(Oml, {"inner_lr": 0.03}, trial=OML, lifetimes=2),
    "OML, as large as ANML": Learner(Oml, {"inner_lr": 0.03, "channels": (58, 58, 58)}, trial=OML, lifetimes=2),
    "gate fixed at one, as large as ANML": Learner(Oml, {"inner_lr": 0.1, "channels": (58, 58, 58)}),
    "gate fixed at one": Learner(Anml, {"inner_lr": 0.1, "gate": "one"}),
    "random gate": Learner(Anml, {"inner_lr": 0.1, "gate": "random"}),
    "pretrained, then the head alone": Learner(Oml, trial=SUPERVISED),
    "random, the head alone": Learner(Oml, taught=False),
    "scratch, everything": Learner(Oml, taught=False, tested="prediction"),
}


class Classroom:
    """What the optimiser sees of a run: the domain, one network, and a stream for each chunk of steps."""

    def __init__(self, domain: Any, network: ContinualNetwork, seed: int) -> None:
        self.domain, self.chunk = domain, 0
        self._network, self._seed, self.meter = network, seed, self

    def component(self, kind: str, name: str) -> ContinualNetwork:
        """The network, whatever is asked for."""
        return self._network

    def rng(self, *key: int | str) -> Stream:
        """A stream of this seed and chunk."""
        return Stream(self._seed).child(self.chunk, *key)

    def count(self, cost: Mapping[str, int], purpose: str) -> None:
        """Nothing: seconds are what is bounded here."""


@dataclass(frozen=True)
class Taught:
    """An agent ready to be judged.

    Attributes:
        learner: what it is.
        contestant: the agent.
        seconds: of the processor that it was taught for.
        steps: of Adam.
    """

    learner: Learner
    contestant: aiga.Contestant
    seconds: float
    steps: int


def teach(learner: Learner, source: str, seed: int, seconds: float) -> Taught:
    """Teaches a newborn agent by the platform's own optimiser until so many processor seconds are spent."""
    domain, network = learner.domain(source), learner.network()
    layout = network.build(network.structure, domain.inputs, domain.outputs)
    leaves = network.init(Stream(seed).child("agents"), layout, 1)
    kind = aiga.Kind(learner.plugin.name, dict(network.structure))
    agents = Population((Batch.of(kind, leaves),))
    alone = torch.zeros(1, dtype=torch.int64)
    pairs = Pairs.of(Population((domain.named("meta-training"),)), agents, alone, alone)
    room = Classroom(domain, network, seed)
    rule = MetaGradient(MetaGradientPlugin.Options(lr=learner.lr, lifetimes=learner.lifetimes))
    state, begin = rule.start(agents), time.process_time()
    while learner.taught and time.process_time() - begin < seconds:
        agents, state = rule.improve(cast(Lab, room), replace(pairs, agents=agents), state, CHUNK)
        room.chunk += 1
    spent = time.process_time() - begin
    taught = Batch.of(kind, relearning(agents.batches[0].leaves, adapts=learner.tested))
    return Taught(learner, aiga.Contestant(network, taught), spent, room.chunk * CHUNK)
