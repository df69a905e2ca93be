"""How long fresh policies balance a pole after one step of SGD on what a teacher shows them (Such et al. 2020).

The teacher emits 512 observations and what to answer to them; it is trained by the lives of policies that it has taught, which
are drawn afresh, weights and architecture, in every outer step. Judged are policies that no training has met: of the
widths and depths of the training, of wider layers, of narrower ones, and of three layers where training has one or two. A life
is 200 steps of the plain task at most, with actions drawn from the policy; a row is the mean over 48 policies of 16 lives each,
the median over the seeds, and the lowest and highest of these.

Controls: policies as they are born; one persistent policy trained by the optimiser ``a2c`` for as many simulator steps as the
teacher; fresh policies trained by it, the same steps dealt out over as many; and the steps that it needs for one policy to
stand for 190. For each, its learning rate is the best of three by that very figure, on seeds of its own. Simulator steps are
counted in training alone.

    python benchmarks/gtn_cartpole.py
"""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from report import Report, arguments
from torch import Tensor

from aiga import Batch, Kind, Pairs, Population, Stream
from aiga_architectures.options import PerceptronOptions
from aiga_architectures.perceptron import PerceptronNetwork
from aiga_cartpole.domain import CartPoleDomain
from aiga_gtn.descent import adam
from aiga_gtn.learners import Group, Nursery
from aiga_gtn.policies.lessons import Judged, follow
from aiga_gtn.policies.lives import Lives
from aiga_gtn.policies.module import GtnPolicyModule
from aiga_gtn.policies.options import GtnPolicyOptions
from aiga_gtn.policies.teacher import PolicyTeacher
from aiga_plasticity.a2c import A2cOptions, ActorCritic

DOMAIN = CartPoleDomain(steps=200)
SPACES = (DOMAIN.inputs, DOMAIN.outputs)
NAME = "perceptron"
GOAL = 190.0
GAMMA, CLIP = 0.99, 1.0
LIVES = 16  # of each judged policy
RATES = (0.003, 0.01, 0.03)
WHERE = ("sampled as in training", "wider: 80 to 128 units", "narrower: 8 to 12 units", "deeper: 3 layers")


def perceptron(widths: tuple[int, int] = (16, 64), depths: tuple[int, int] = (1, 2)) -> PerceptronNetwork:
    """Tanh units without normalisation, one of 96 units unless a space is asked."""
    space: dict[str, Any] = {"search": ("width", "depth"), "widths": widths, "depths": depths}
    return PerceptronNetwork(PerceptronOptions(hidden=(96,), activation="tanh", norm="none", weight_norm=False, **space))


def nursery(network: PerceptronNetwork, architectures: Any = "sampled") -> Nursery:
    """Fresh policies of the network's space."""
    return Nursery({NAME: network}, *SPACES, architectures, 64)


UNSEEN = dict(zip(WHERE, (perceptron(), perceptron((80, 128)), perceptron((8, 12)), perceptron((16, 64), (3, 3))), strict=True))


@dataclass
class Taught:
    """What became of a teacher.

    Attributes:
        returns: mean return of fresh policies, by their architectures.
        worst: of the wider ones, the mean return of the policy that fell soonest.
        reached: simulator steps until 16 wider policies stood for 190 at a check, one every five outer steps.
        steps: simulator steps of the whole training.
        seconds: processor seconds of the same.
    """

    returns: dict[str, float]
    worst: float
    reached: float
    steps: int
    seconds: float


def teach(seed: int, budget: int, **given: Any) -> Taught:
    """Trains a teacher until its learners have lived so many simulator steps, and judges fresh policies."""
    options, rng, network = GtnPolicyOptions(**given), Stream(seed).child("gtn"), perceptron()
    lives = Lives(DOMAIN, DOMAIN.initial(rng, 1), {NAME: network}, ActorCritic(A2cOptions(gamma=GAMMA, bonus_weight=0.0)))
    teacher = PolicyTeacher(options, *SPACES, rng.child("teacher"))
    module = GtnPolicyModule(teacher, nursery(network, options.architectures), nursery(network, "fixed"), lives, options, rng)
    parameters = list(teacher.parameters())
    descent = adam(parameters, options)
    cost, spent, reached, step = Counter[str](), 0.0, float("inf"), 0
    while cost["environment_steps"] < budget:
        start = time.process_time()
        draw = rng.child("train", step)
        groups = nursery(network, options.architectures).draw(draw.child("learners"), options.learners, teacher.rates)
        shown = teacher.show(draw.child("lesson"))
        outcome = follow(shown, groups, _judge(lives, draw.child("lives"), options.lives))
        cost.update(outcome.cost)
        if outcome.slopes is not None:
            found = torch.autograd.grad(tuple(shown), parameters, tuple(outcome.slopes), materialize_grads=True)
            for parameter, gradient in zip(parameters, found, strict=True):
                parameter.grad = gradient
            torch.nn.utils.clip_grad_norm_(parameters, CLIP)
            descent.step()
        spent, step = spent + time.process_time() - start, step + 1
        if step % 5 == 0 and reached == float("inf"):
            checked = judged(module, rng.child("check"), UNSEEN[WHERE[1]], 16, 8)
            reached = float(cost["environment_steps"]) if float(checked.mean()) >= GOAL else reached
    found = {where: judged(module, rng.child("test", where), unseen, 48, LIVES) for where, unseen in UNSEEN.items()}
    returns = {where: float(each.mean()) for where, each in found.items()}
    return Taught(returns, float(found[WHERE[1]].min()), reached, cost["environment_steps"], spent)


def judged(module: GtnPolicyModule, rng: Stream, network: PerceptronNetwork, count: int, lives: int) -> Tensor:
    """``[count]`` mean returns of fresh policies of the network's space, once they are taught."""
    return module.judged(rng, module.taught(rng, count, nursery(network)), lives)


def _judge(lives: Lives, rng: Stream, each: int) -> Any:
    def judge(group: Group, flat: Tensor) -> Judged:
        return lives.judged(group, flat, rng.rows(group.rows).words(each))

    return judge


def untaught(seed: int) -> float:
    """Mean return of the wider policies as they are born."""
    rng = Stream(seed).child("born")
    lives = Lives(DOMAIN, DOMAIN.initial(rng, 1), {NAME: perceptron()}, ActorCritic(A2cOptions()))
    groups = nursery(UNSEEN[WHERE[1]]).draw(rng.child("learners"), 48, torch.zeros(()))
    return float(torch.cat([lives.fitness(group.batch, rng.rows(group.rows).words(LIVES)) for group in groups]).mean())


def critic(seed: int, agents: int, budget: int, rate: float) -> tuple[float, float, float]:
    """Mean return of policies of 96 units that ``a2c`` trains, each for so many simulator steps.

    Returns:
        The return; of a single policy the simulator steps until two checks in a row, of eight lives each, have found 190;
        processor seconds.
    """
    network, rng = perceptron(), Stream(seed).child("a2c", agents)
    optimiser = ActorCritic(A2cOptions(gamma=GAMMA, bonus_weight=0.0, lr=rate, episodes=8))
    leaves = network.init(rng.child("born"), network.build(network.structure, *SPACES), agents)
    batch = Batch.of(Kind(NAME, dict(network.structure)), leaves)
    state = optimiser.start(Population((batch,)))[batch.kind.hash]
    envs, home = Population((DOMAIN.initial(rng, 1),)), torch.zeros(agents, dtype=torch.int64)
    steps, seconds, reached, above, update = 0, 0.0, float("inf"), 0, 0
    while steps < budget * agents:
        start = time.process_time()
        seeds = rng.child("lives", update).rows(torch.arange(agents)).words(optimiser.options.episodes)
        batch, state, cost = optimiser.update(DOMAIN, network, envs, home, batch, seeds, state)
        steps, update, seconds = steps + cost["environment_steps"], update + 1, seconds + time.process_time() - start
        if agents == 1 and update % 5 == 0 and reached == float("inf"):
            above = above + 1 if returns(batch, rng.child("check", update), 8) >= GOAL else 0
            reached = float(steps) if above == 2 else reached
    return returns(batch, rng.child("test"), 64), reached, seconds


def returns(agents: Batch, rng: Stream, lives: int) -> float:
    """Mean return over fresh lives of all agents."""
    pairs = Pairs.lives(Population((DOMAIN.initial(rng, 1),)), Population((agents,)), lives)
    scores = DOMAIN.live(pairs, perceptron(), rng.rows(torch.arange(len(agents))).words(lives).reshape(-1))
    assert not isinstance(scores, tuple)
    return float(scores.fitness.mean())


def add(report: Report, name: str, values: Sequence[float], unit: str, goal: float | None = None) -> None:
    """A row: the median over seeds; the goal is for every one."""
    met = None if goal is None else all(value >= goal for value in values)
    report.add_row(
        name, statistics.median(values), unit, None if goal is None else f">= {goal:g}", met, (min(values), max(values))
    )


def add_teachers(
    report: Report, name: str, seeds: Sequence[int], budget: int, goals: Mapping[str, float], **given: Any
) -> None:
    """Rows of teachers with some options."""
    taught = [teach(seed, budget, **given) for seed in seeds]
    for where in WHERE:
        add(report, f"{name}, {where}", [each.returns[where] for each in taught], "steps", goals.get(where))
    add(report, f"{name}, worst of 48 wider policies", [each.worst for each in taught], "steps")
    add(report, f"{name}, simulator steps until wider ones stand for {GOAL:g}", [each.reached for each in taught], "")
    add(report, f"{name}, simulator steps in all", [float(each.steps) for each in taught], "")
    add(report, f"{name}, processor seconds", [each.seconds for each in taught], "s")


def main() -> None:
    """Teachers, then what they are compared with."""
    parser = arguments(__doc__)
    parser.add_argument("--seeds", type=int, default=3, help="of each row, from 2 up: 0 and 1 are what options were chosen by")
    parser.add_argument("--steps", type=int, default=400_000, help="simulator steps of a teacher's training")
    given = parser.parse_args()
    count, budget = (1, 120_000) if given.quick else (given.seeds, given.steps)
    seeds = range(2, 2 + count)
    torch.set_num_threads(1)
    report = Report("gtn_cartpole", packages=("aiga", "torch"))
    add_teachers(report, "one step", seeds, budget, {WHERE[1]: GOAL, WHERE[2]: GOAL})
    if not given.quick:
        add_teachers(report, "one step, fresh noise", seeds, budget, {}, latents="noise")
        add_teachers(report, "four steps", seeds, budget, {}, steps=4, init_rate=0.03)
    add(report, "untaught, wider policies", [untaught(seed) for seed in seeds], "steps")
    soonest = min(RATES, key=lambda rate: statistics.median(critic(seed, 1, budget, rate)[1] for seed in (0, 1, 5)))
    highest = max(RATES, key=lambda rate: critic(1, 48, budget // 48, rate)[0])
    print(f"a2c: learning rate {soonest:g} for one policy, {highest:g} for 48")
    alone = [critic(seed, 1, budget, soonest) for seed in seeds]
    dealt = [critic(seed, 48, budget // 48, highest) for seed in seeds]
    add(report, "a2c, one persistent policy", [each[0] for each in alone], "steps")
    add(report, f"a2c, simulator steps of one policy until it stands for {GOAL:g}", [each[1] for each in alone], "")
    add(report, "a2c, 48 fresh policies, the simulator steps dealt out", [each[0] for each in dealt], "steps")
    add(report, "a2c, processor seconds of the 48", [each[2] for each in dealt], "s")
    report.show(given.json)


if __name__ == "__main__":
    main()
