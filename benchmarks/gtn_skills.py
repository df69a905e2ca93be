"""What a niche's teacher is worth: an agent's skill taught to newborns of other architectures, beside behaviour cloning.

An agent with simple modulation learns the maze ``L7`` by ``a2c``. What it does there is what two teachers are meta-learned on:
one makes lives up, as Generative Teaching Networks do; the control, behaviour cloning, cuts lessons of the same size out of
real lives, at rates and momenta that are meta-learned as long. Both teach newborns of sampled architectures in six steps of
gradient descent. A second control clones by Adam, on the first 64 steps of fresh real lives, for as many seconds as the first
teacher took to be meta-learned. Scores are percent of what one who knows the goal would earn; means over 12 newborns of 40
lives each.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import torch
from report import Report
from torch import Tensor

from aiga import Batch, Kind, Network, Population, Stream, padding
from aiga.adam import descend, start_adam
from aiga.data import Pairs, Scores, flatten
from aiga.newborns import newborns
from aiga_gtn.learners import Group
from aiga_gtn.niches import rounds
from aiga_gtn.niches.doings import Doings, imitation, recorded
from aiga_gtn.niches.options import GtnNichesOptions
from aiga_gtn.niches.teachers import Lessons, Teachers
from aiga_gtn.niches.teaching import taught
from aiga_maze.domain import MazeDomain
from aiga_plasticity import (
    A2cOptions,
    ActorCritic,
    Backpropamine,
    BackpropamineNetwork,
    Plastic,
    PlasticNetwork,
    Rnn,
    RnnNetwork,
)

MASTER, OUTER, LEARNERS, LIVES, REFRESH = 350, 200, 12, 40, 5
DOMAIN = MazeDomain()
OWN = "simple or retroactive modulation"
NETWORKS: dict[str, Network] = {
    OWN: BackpropamineNetwork(Backpropamine.Options(units=32, search=("width", "modulation"), widths=(16, 32))),
    "plastic, never met in training": PlasticNetwork(Plastic.Options(units=32, search=("width",), widths=(16, 32))),
    "recurrent, never met in training": RnnNetwork(Rnn.Options(units=32, search=("width",), widths=(16, 32))),
}


@dataclass(frozen=True)
class Niche:
    """One maze and who lives there."""

    envs: Population
    master: Batch

    def doings(self, options: GtnNichesOptions, rng: Stream) -> Doings:
        """Recorded lives, one row."""
        rows = torch.zeros(options.recorded, dtype=torch.int64)
        pairs = Pairs.of(self.envs, Population((self.master,)), rows, rows)
        with torch.no_grad():
            answer = DOMAIN.live(pairs, NETWORKS[OWN], rng.words(options.recorded), record=True)
        assert isinstance(answer, tuple), "a recorded life comes with its trajectory"
        return recorded(DOMAIN, answer[1], {"reward", "previous_action"}, 1, options.horizon, self.master.device)


def score(agents: Population, networks: Callable[[str], Network], envs: Population) -> Tensor:
    """``[N]`` means over the same lives for all."""
    wide, where = padding.in_buckets(agents, networks, DOMAIN)
    out, seeds = list[Tensor](), Stream(77).words(LIVES)
    for batch in wide.batches:
        rows = torch.arange(len(batch)).repeat_interleave(LIVES)
        pairs = Pairs.of(envs, Population((batch,)), torch.zeros_like(rows), rows)
        lived = DOMAIN.live(pairs, networks(batch.kind.component), seeds.repeat(len(batch)))
        assert isinstance(lived, Scores)
        out.append(lived.fitness.reshape(-1, LIVES).mean(dim=1))
    return torch.cat(out)[where]


def grown(agents: Batch, envs: Population, steps: int, seed: int, network: Network) -> Batch:
    """Agents of one kind after steps of ``a2c``."""
    critic = ActorCritic(A2cOptions(episodes=64, lr=0.003))
    (state,) = critic.start(Population((agents,))).values()
    home = torch.zeros(len(agents), dtype=torch.int64)
    for step in range(steps):
        seeds = Stream(seed).child("lives").rows(torch.full((len(agents),), step)).words(64)
        agents, state, _ = critic.update(DOMAIN, network, envs, home, agents, seeds, state)
    return agents


def trained(niche: Niche, lessons: str, outer: int, seed: int) -> tuple[GtnNichesOptions, Teachers, float]:
    """A teacher, and the seconds that it took."""
    options = GtnNichesOptions(train_steps=REFRESH, lessons=lessons)  # type: ignore[arg-type]
    teacher, begun, key = None, time.process_time(), torch.zeros(1, dtype=torch.int64)
    for number in range(outer // REFRESH):
        rng = Stream(seed).child("round", number)
        done = niche.doings(options, rng.child("lives"))
        teacher = teacher or Teachers.born(options, key, done, rng.rows(key))
        teacher, *_ = rounds.learnt(options, teacher, done, {OWN: NETWORKS[OWN]}, DOMAIN, rng)
    assert teacher is not None, "there is a round"
    return options, teacher, time.process_time() - begun


def lessons(niche: Niche, options: GtnNichesOptions, teacher: Teachers, seed: int) -> Lessons:
    """What it shows at the end."""
    done = niche.doings(options, Stream(seed).child("shown"))
    with torch.no_grad():
        return rounds.lessons(options, teacher, flatten(teacher.leaves), done, DOMAIN, Stream(seed).child("stretches"))


def cloned(
    agents: Population, networks: Callable[[str], Network], niche: Niche, seconds: float, seed: int
) -> tuple[Population, int]:
    """Newborns after behaviour cloning by Adam on real lives, for so many processor seconds; and the steps this made."""
    options, lr = GtnNichesOptions(), 0.01
    wide, where = padding.in_buckets(agents, networks, DOMAIN)
    groups = [Group(networks(batch.kind.component), batch, torch.arange(len(batch))) for batch in wide.batches]
    flats, begun, steps = [group.flat for group in groups], time.process_time(), 0
    states = [start_adam(flat) for flat in flats]
    while time.process_time() - begun < seconds:
        done = niche.doings(options, Stream(seed).child("clone", steps))
        for place, group in enumerate(groups):
            flat = flats[place].detach().requires_grad_()
            loss = imitation(group.network, group.leaves(flat), done.of(torch.zeros(len(group), dtype=torch.int64)), True)
            (slope,) = torch.autograd.grad(loss.sum(), flat)
            flats[place], states[place] = descend(flat.detach(), slope, states[place], lr, 1e-8)
        steps += 1
    made = Population(tuple(group.agents(flat) for group, flat in zip(groups, flats, strict=True)))
    return padding.out_of_buckets(made, where, agents, networks, DOMAIN), steps


def skills(report: Report, seeds: range, quick: bool) -> None:
    """An agent's skill, taught to newborns of other architectures, beside behaviour cloning."""
    master, outer, after = (8, 10, 2) if quick else (MASTER, OUTER, 50)
    found: dict[str, list[float]] = {}
    for seed in seeds:
        for name, value in _one(seed, master, outer, after).items():
            found.setdefault(name, []).append(value)
        print(f"  seed {seed}: " + ", ".join(f"{name} {values[-1]:.1f}" for name, values in found.items()), flush=True)
    for name, values in found.items():
        middle, gain = sorted(values)[len(values) // 2], name.endswith("less real ones, six steps")
        unit = "s" if "seconds of" in name else "" if name.endswith("steps of it") else "%"
        goal, met = ("> 0 in every seed", min(values) > 0.0) if gain else (None, None)
        report.add_row(name, middle, unit, goal, met, (min(values), max(values)))


def _one(seed: int, master: int, outer: int, after: int) -> dict[str, float]:
    """The figures of one seed."""
    own, envs = NETWORKS[OWN], Population((DOMAIN.initial(Stream(0), 1),))
    kind = Kind(OWN, dict(own.structure))
    layout = own.build(kind.structure, DOMAIN.inputs, DOMAIN.outputs)
    niche = Niche(envs, grown(Batch.of(kind, own.init(Stream(seed).child("master"), layout, 1)), envs, master, seed, own))
    out = {"the agent itself": float(score(Population((niche.master,)), lambda _: own, envs))}
    teachers = {name: trained(niche, name, outer, seed) for name in ("generated", "lives")}
    for name in NETWORKS:
        networks, network = NETWORKS.__getitem__, NETWORKS[name]
        rng = Stream(seed).child("newborn", name).rows(torch.arange(LEARNERS))
        structures = cast(Any, network).space.initial(rng.child("structure"), LEARNERS)
        pool, order = newborns(networks, [Kind(name, each) for each in structures], rng, DOMAIN.inputs, DOMAIN.outputs)
        fresh = pool.in_order(order).merged()[0]
        rows = torch.zeros(LEARNERS, dtype=torch.int64)
        done = {
            w: taught(fresh, lessons(niche, *given[:2], seed).of(rows), networks, DOMAIN)[0] for w, given in teachers.items()
        }
        scores = {word: float(score(agents, networks, envs).mean()) for word, agents in done.items()}
        out[f"{name}: newborn"] = float(score(fresh, networks, envs).mean())
        out[f"{name}: six steps on generated lives"] = scores["generated"]
        out[f"{name}: six steps on real ones"] = scores["lives"]
        out[f"{name}: generated lives less real ones, six steps"] = scores["generated"] - scores["lives"]
        if name != OWN:
            continue
        out[f"{name}: seconds of meta-learning on generated lives"] = teachers["generated"][2]
        clones, steps = cloned(fresh, networks, niche, teachers["generated"][2], seed)
        out[f"{name}: cloning by Adam for as many seconds"] = float(score(clones, networks, envs).mean())
        out[f"{name}: cloning by Adam, steps of it"] = float(steps)
        for word, agents in (("newborn", fresh), ("six steps on generated lives", done["generated"])):
            improved = Population(tuple(grown(batch, envs, after, seed + 1, network) for batch in agents.batches[:4]))
            out[f"{name}: {word}, and {after} steps of a2c (four of them)"] = float(score(improved, networks, envs).mean())
    return out
