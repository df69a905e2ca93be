"""A whole search in one file, milliseconds an iteration: environments are places on a line, agents should come near."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

import aiga
from aiga.components import Layout, Life, Registry, Structure
from aiga.data import NOBODY, Leaves, State
from aiga.streams import combine


class ToyOptions(aiga.Options):
    """Options of `toy`.

    Attributes:
        every: iterations between proposals of a new environment.
        fail_at: an iteration in which it raises.
    """

    every: int = Field(default=2, ge=1)
    fail_at: int | None = None
    kinds: tuple[str, ...] = ()
    mood: Literal["calm", "wild"] = "calm"


class Line:
    """Environments are points on a line; a lifetime scores how near an agent is, with a little noise."""

    version = 1
    solved = 9.5
    steps = 4
    inputs = aiga.Space((1,))
    outputs = aiga.Space((1,))
    parallelism = "device"

    def initial(self, rng: aiga.Stream, count: int) -> aiga.Batch:
        seed = rng.child("seed").words(count)
        return aiga.Batch.of(
            aiga.Kind("line", {"version": 1}), {"place": rng.uniform(count, 1, low=-0.1, high=0.1), "seed": seed}
        )

    def mutate(self, rng: aiga.Stream, parents: aiga.Batch) -> aiga.Batch:
        moved = parents.leaves["place"] + rng.uniform(1, low=0.2, high=0.6)
        return aiga.Batch.of(parents.kind, {"place": moved, "seed": rng.child("seed").words(1)[:, 0]})

    def describe(self, envs: aiga.Batch) -> Tensor:
        return envs.leaves["place"]

    def live(self, pairs: aiga.Pairs, network: Any, seeds: Tensor, record: bool = False) -> Any:
        envs = pairs.envs.batches[0].leaves
        place = envs["place"][pairs.env, 0] + (envs["seed"][pairs.env] % 100).double() / 1000
        agents = pairs.agents.batches[0]
        leaves = {name: leaf[pairs.agent] for name, leaf in agents.leaves.items()}
        life = network.newborn(leaves)
        noise = (combine(seeds, 7) & 0xFFFF).double() / 0xFFFF * 0.1
        observations, actions = [], []
        for _ in range(self.steps):
            seen = place[:, None].float()
            output, life = network.step(leaves, life, aiga.Percept(seen))
            observations.append(seen)
            actions.append(output.action)
        fitness = 10.0 - (actions[-1][:, 0].double() - place).abs() * 5 - noise
        scores = aiga.Scores.of(fitness, {"environment_steps": self.steps * len(seeds)})
        if not record:
            return scores
        rewards = torch.zeros(self.steps, len(seeds), dtype=torch.float64)
        rewards[-1] = fitness
        done = torch.zeros(self.steps, len(seeds), dtype=torch.bool)
        done[-1] = True
        return scores, aiga.Trajectory(torch.stack(observations), torch.stack(actions), rewards, done)


class Dot:
    """A network of one number, which is also its answer."""

    structure: ClassVar[Structure] = {"version": 1}

    def build(self, structure: Structure, inputs: aiga.Space, outputs: aiga.Space) -> Layout:
        return {"at": (1,)}

    def init(self, rng: aiga.Stream, layout: Layout, count: int) -> Leaves:
        return {"at": rng.normal(1) if rng.row_keys is not None else rng.normal(count, 1)}

    def newborn(self, leaves: Leaves) -> Life:
        return {}

    def step(self, leaves: Leaves, life: Life, percept: aiga.Percept) -> tuple[aiga.Output, Life]:
        return aiga.Output(leaves["at"]), life


class Halve:
    """Halves the distance at every step."""

    def start(self, agents: aiga.Population) -> State:
        return {b.kind.hash: {"steps": torch.zeros(len(b), dtype=torch.int64)} for b in agents.batches}

    def improve(self, lab: aiga.Lab, niches: aiga.Pairs, state: State, steps: int) -> tuple[aiga.Population, State]:
        place = torch.empty(len(niches.agents), 1)
        place[niches.agent] = niches.envs.batches[0].leaves["place"][niches.env].float()
        batches = []
        for start, batch in niches.agents.parts():
            at = batch.leaves["at"]
            goal = place[start : start + len(batch)]
            batches.append(aiga.Batch(batch.kind, batch.ids, {"at": goal + (at - goal) * 0.5**steps}))
        new = {kind: {"steps": leaves["steps"] + steps} for kind, leaves in state.items()}
        return aiga.Population(tuple(batches)), new


class Toy(aiga.Plugin):
    """A toy search.

    It mutates the newest environment now and then.
    """

    name = "toy"
    Options = ToyOptions

    def aiga_register(self, registry: Registry) -> None:
        registry.domain("line", Line())
        registry.network("dot", Dot())
        registry.optimiser("halve", Halve())

    def notice(self) -> list[str]:
        return ["a toy: nothing that it finds means anything"]

    def aiga_generate(self, lab: aiga.Lab) -> aiga.Pairs | None:
        if lab.iteration == self.options.fail_at:
            raise ValueError("as asked")
        if lab.iteration % self.options.every:
            return None
        niches = lab.niches
        parent, row = niches.envs.take(niches.env[-1:])
        children = lab.domain.mutate(lab.rng("mutate").rows(torch.tensor([lab.iteration])), parent.batches[0])
        pairs = aiga.Pairs.of(aiga.Population((children,)), niches.agents, row, niches.agent[-1:], "mutate")
        return replace(pairs, env_parents=torch.tensor([[int(niches.env_ids[-1]), NOBODY]]))

    def aiga_select(self, lab: aiga.Lab, pairs: aiga.Pairs, scores: aiga.Scores) -> aiga.Verdict:
        ids = pairs.envs.ids[pairs.env]
        full = len(pairs) > 0 and len(lab.niches) >= 3
        retire = lab.niches.key[:1] if full else lab.niches.key[:0]
        return aiga.Verdict(torch.ones(len(pairs), dtype=torch.bool), ids, retire, [""] * len(pairs))

    def aiga_transfer(self, lab: aiga.Lab) -> aiga.Offers | None:
        niches = lab.niches
        if len(niches) < 2 or lab.iteration % 3:
            return None
        count = len(niches)
        source, target = torch.arange(count).roll(1), torch.arange(count)
        return aiga.Offers(niches.agents, niches.agent[source], niches.key[target], ("direct",) * count, niches.score[source])

    def aiga_accept(self, lab: aiga.Lab, offers: aiga.Offers, scores: aiga.Scores) -> Tensor:
        return scores.best_above(offers.niche, scores.columns["resident"] - 2.0)

    def aiga_render(self, lab: aiga.Lab, subject: aiga.Subject) -> Any:
        if subject.what == "environments":
            return [self._picture(subject, 0)]
        if subject.trajectory is None:
            return None
        if subject.what == "lifetime":
            return self._picture(subject, len(subject.trajectory.done) - 1)
        if subject.what == "animation":
            steps = range(len(subject.trajectory.done))
            return torch.stack([torch.as_tensor(self._picture(subject, step)) for step in steps]).numpy()
        if subject.what == "episode":
            actions = subject.trajectory.actions[:, 0].tolist()
            return json.dumps({"actions": actions, "fitness": subject.fitness, "about": dict(subject.about)})
        return None

    def _picture(self, subject: aiga.Subject, step: int) -> Any:
        picture = torch.zeros(8, 16, 3, dtype=torch.uint8)
        picture[:, : step + 1, 0] = 255
        return picture.numpy()
