"""``blobs``: a domain for tests whose examples are points around the corners of a triangle, one class each; and learners."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import torch
from support import merge
from torch import Tensor

import aiga
from aiga import Batch, Contestant, Kind, Pairs, Population, Report, Scores, Space, Stream, training
from aiga.components import Structure
from aiga_architectures.options import PerceptronOptions
from aiga_architectures.perceptron import PerceptronNetwork

CORNERS = torch.tensor([[2.0, 0.0, 0.0, 1.0], [0.0, 2.0, 1.0, 0.0], [-1.0, -1.0, 1.0, 1.0]])


class BlobsDomain:
    """Fitness is the percentage of 60 points that are named rightly; those of lives are never those of examples."""

    version = 1
    solved = 95.0
    steps = 60
    inputs = Space((1, 2, 2))
    outputs = Space((3,), "discrete")
    parallelism: Literal["serial", "threads", "device"] = "device"

    def initial(self, rng: Stream, count: int) -> Batch:
        return Batch.of(Kind("blobs", {"version": 1}), {"width": torch.full((count,), 0.7)})

    def mutate(self, rng: Stream, parents: Batch) -> Batch:
        return Batch.of(parents.kind, {"width": parents.leaves["width"] + 0.1})

    def describe(self, envs: Batch) -> Tensor:
        return envs.leaves["width"][:, None].double()

    def examples(self, envs: Batch, stream: Stream, count: int) -> tuple[Tensor, Tensor]:
        return self._points(envs, stream.each(len(envs)).child("learnt"), count)

    def live(self, pairs: Pairs, network: Any, seeds: Tensor, record: bool = False) -> Any:
        agents, agent = pairs.agents_of_one_kind()
        each = {name: leaf[agent] for name, leaf in agents.leaves.items()}
        envs, _ = pairs.envs.take(pairs.env)
        x, labels = self._points(envs.batches[0], Stream(0).rows(seeds).child("asked"), self.steps)
        if hasattr(network, "answers"):
            logits = network.answers(each, network.newborn(each), x)
        else:
            leaves = {name: leaf.repeat_interleave(self.steps, dim=0) for name, leaf in each.items()}
            output, _ = network.step(leaves, network.newborn(leaves), aiga.Percept(x.flatten(0, 1)))
            logits = output.action.unflatten(0, labels.shape)
        fitness = 100.0 * (logits.argmax(dim=2) == labels).double().mean(dim=1)
        return Scores.of(torch.where(logits.isfinite().all(dim=2).all(dim=1), fitness, torch.nan))

    def report(self, contestants: dict[str, Contestant], rng: Stream) -> Report:
        rows = {}
        for name, each in contestants.items():
            agents = Population((each.agents,))
            pairs = Pairs.lives(Population((self.initial(rng, 1),)), agents, 1)
            fitness = self.live(pairs, each.network, rng.each(len(pairs)).words(1)[:, 0]).fitness
            rows[name] = {"test %": tuple(fitness.tolist())}
        return Report("blobs", rows)

    def _points(self, envs: Batch, stream: Stream, count: int) -> tuple[Tensor, Tensor]:
        labels = stream.child("labels").integers(0, 3, count)
        noise = stream.child("noise").normal(count, 4) * envs.leaves["width"].reshape(-1, 1, 1)
        return (CORNERS[labels] + noise).unflatten(2, (1, 2, 2)), labels


DOMAIN = BlobsDomain()


def examples(rng: Stream, count: int) -> tuple[Tensor, Tensor]:
    """So many for each row key of the stream."""
    keys = rng.row_keys
    return DOMAIN.examples(DOMAIN.initial(rng, 1 if keys is None else len(keys)), rng, count)


class Widths:
    """One hidden layer of 3 to 9 units."""

    def __init__(self, network: PerceptronNetwork) -> None:
        self._network = network

    def initial(self, rng: Stream, count: int) -> list[Structure]:
        widths = rng.each(count).integers(3, 10, 1)[:, 0]
        return [{**self._network.structure, "hidden": [width]} for width in widths.tolist()]


class Small(PerceptronNetwork):
    """A perceptron that comes in several widths, and is filled up to nine units."""

    def __init__(self, activation: Any = "tanh") -> None:
        super().__init__(PerceptronOptions(hidden=(6,), activation=activation))
        self.space = Widths(self)

    def bucket(self, structure: Structure) -> Structure:
        return {**structure, "hidden": [9] * len(structure["hidden"])}


class Explosive(Small):
    """Whose weights are born without bound when the first of them is negative."""

    def init(self, rng: Stream, layout: Any, count: int) -> Any:
        leaves = super().init(rng, layout, count)
        name = next(name for name in sorted(leaves) if name.endswith("weight"))
        sign = torch.where(leaves[name][:, 0, 0] < 0.0, 1e38, 1.0)
        return {key: leaf * sign.reshape(-1, *[1] * (leaf.ndim - 1)) for key, leaf in leaves.items()}


class Blobs(aiga.Plugin):
    """Registers the domain ``blobs`` and its networks."""

    name = "blobs"

    def aiga_register(self, registry: aiga.Registry) -> None:
        registry.domain("blobs", BlobsDomain())
        registry.network("small", Small())
        registry.network("leaky", Small("leaky-relu"))
        registry.network("explosive", Explosive())


TEACH: dict[str, Any] = {
    "run": {"seed": 7},
    "population": {"domain": "blobs", "networks": ["small"]},
    "train": {"trainer": "gtn", "accelerator": "cpu", "max_steps": 12, "checkpoint_every": 2, "log_every_n_steps": 1},
    "plugins": {
        "blobs": {"path": __file__},
        "gtn": {
            "options": {
                "steps": 3, "batch": 9, "noise": 3, "hidden": [8], "learners": 2, "examples": 20, "epoch": 5,
                "validated": 2, "taught": 3, "decay": 10,
            }
        },
    },
}  # fmt: skip

"""A teacher of two learners for 12 steps, in epochs of five."""


def teach(folder: Path, name: str = "t", callbacks: tuple[Any, ...] = (), **changes: Any) -> training.TrainingRun:
    """:data:`TEACH` with ``changes`` laid over it, trained."""
    return training.train(merge(TEACH, changes), name=name, runs=folder, callbacks=callbacks)
