"""Cue-reward association: modulated plasticity finds out within a life which cue pays; controls, in equal seconds, do not.

Every agent is trained by ``a2c`` for 60 seconds of one processor in the task ``mini`` (two new cues of 8 bits in every life
of 40 steps) and judged on 1,000 fresh lives: by the share of right answers in the last third of a life, where half is chance.
Every 2.5 seconds it is looked at in 200 lives, whose share tells when the task was found.

Whether it is found hangs on the recurrent weights at birth, of simple and of retroactive modulation. With a deviation of
0.9 / sqrt(units), as plain recurrent networks have, half of what a unit does is an echo of what was before; traces store
products of these echoes too, and the reward is little of what the modulator answers: some seeds find the task late or not at
all. With 0.3, which is the network's default, all do. The rows show both. By hand, on seeds 0 to 4, which are not reported
unless asked for, neither other discounts, nor step sizes from 0.001 to 0.01, nor larger, uniform or shared plasticities made
up for it. All networks have the same options of ``a2c``, chosen for simple modulation: the controls are not shown to be unable,
only not to find it so.

Retroactive modulation gates an eligibility trace of Hebb's product. At the rate of the papers (0.1) a question leaves a tenth
of the change that it leaves with simple modulation, mixed with nine steps before it, and the task is found later than at 0.5.

    python benchmarks/cue.py                     # three seeds of each network: about 25 minutes
"""

from __future__ import annotations

from typing import Any

from learners import contestants, judge, middle, settled, sizes, train
from report import Report, arguments

from aiga import Batch, Network
from aiga.forgetting import forgetful
from aiga_cue.domain import CueDomain
from aiga_plasticity import (
    A2cOptions,
    ActorCritic,
    Backpropamine,
    BackpropamineNetwork,
    Lstm,
    LstmNetwork,
    Plastic,
    PlasticNetwork,
    Rnn,
    RnnNetwork,
)

GOAL, CHANCE, FOUND = 0.96, 0.55, 0.9
UNITS = 48
SIMPLE = "simple modulation"
RETROACTIVE, SLOW = "retroactive, eta 0.5", "retroactive, eta 0.1"
ECHO, RETROACTIVE_ECHO = "simple, recurrent weights 0.9", "retroactive, eta 0.5, recurrent weights 0.9"


def modulated(units: int | None, **options: Any) -> BackpropamineNetwork:
    """Self-modulated."""
    return BackpropamineNetwork(Backpropamine.Options(units=units, **options))


NETWORKS = {
    SIMPLE: modulated,
    RETROACTIVE: lambda units: modulated(units, modulation="retroactive", eta=0.5),
    SLOW: lambda units: modulated(units, modulation="retroactive", eta=0.1),
    ECHO: lambda units: modulated(units, weight_scale=0.9),
    RETROACTIVE_ECHO: lambda units: modulated(units, weight_scale=0.9, modulation="retroactive", eta=0.5),
    "plastic": lambda units: PlasticNetwork(Plastic.Options(units=units, weight_scale=0.3)),
    "rnn": lambda units: RnnNetwork(Rnn.Options(units=units)),
    "lstm": lambda units: LstmNetwork(Lstm.Options(units=units)),
}
OPTIMISER = A2cOptions(episodes=64, lr=3e-3, gamma=0.5, bonus_weight=0.1)


def main() -> None:
    """Seeds one after another, networks by turns, so that a busy minute of the machine meets all of them."""
    settled()
    parser = arguments(__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[5, 6, 7])
    parser.add_argument("--seconds", type=float, default=60.0, help="of training, for each agent")
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    given = parser.parse_args()
    seeds, seconds, lives = ([0], 3.0, 100) if given.quick else (given.seeds, given.seconds, 1000)
    domain = CueDomain("mini", max_bits=8, max_steps=40)
    networks = contestants(NETWORKS, SIMPLE, UNITS, domain)
    networks = {name: networks[name] for name in given.networks}
    print(sizes(networks, domain), flush=True)
    task, optimiser = domain.named("mini"), ActorCritic(OPTIMISER)
    found: dict[str, list[dict[str, float]]] = {name: [] for name in networks}
    for seed in seeds:
        for name, network in networks.items():

            def watch(agent: Batch, network: Network = network) -> float:
                return judge(domain, network, task, agent, 200)["last_third"]

            trained = train(domain, network, task, optimiser, seed, seconds, watch)
            scores = judge(domain, network, task, trained.agent, lives)
            if (without := forgetful(network)) is not None:
                scores["without"] = judge(domain, without, task, trained.agent, lives)["last_third"]
            sure = [(when, updates) for when, updates, share in trained.watched if share > FOUND]
            when, updates = sure[0] if sure else (trained.seconds, trained.updates)
            scores |= {"found": float(bool(sure)), "found_seconds": when, "found_updates": float(updates)}
            scores |= {"updates": float(trained.updates), "pace": trained.steps / trained.seconds}
            found[name].append(scores)
            print(f"seed {seed}, {name}: " + ", ".join(f"{what} {value:.3f}" for what, value in scores.items()), flush=True)
    show(found, given.json)


def show(found: dict[str, list[dict[str, float]]], as_json: bool) -> None:
    """The report."""
    report = Report("cue", ("aiga", "torch", "numpy", "numba"))
    for name, runs in found.items():
        value, spread = middle([run["last_third"] for run in runs])
        if name in (SIMPLE, RETROACTIVE):
            goal, met = f">= {GOAL:g}", value >= GOAL
        elif name in ("plastic", "rnn", "lstm"):
            goal, met = f"< {CHANCE:g}", value < CHANCE
        else:
            goal, met = None, None
        report.add_row(f"{name}: right answers, last third", value, "share", goal, met, spread)
        value, spread = middle([run["fitness"] / 100.0 for run in runs])
        report.add_row(f"{name}: right answers, whole life", value, "share", spread=spread)
        if "without" in runs[0]:
            value, spread = middle([run["without"] for run in runs])
            report.add_row(f"{name}: last third with traces held at zero", value, "share", spread=spread)
        report.add_row(f"{name}: agents that found the task", sum(run["found"] for run in runs), f"of {len(runs)}")
        for what, unit in (("seconds", "s"), ("updates", "")):
            value, spread = middle([run[f"found_{what}"] for run in runs])
            report.add_row(f"{name}: {what} until then, else until the end", value, unit, spread=spread)
        value, spread = middle([run["updates"] for run in runs])
        report.add_row(f"{name}: updates", value, "", spread=spread)
        value, spread = middle([run["pace"] for run in runs])
        report.add_row(f"{name}: environment steps trained on", value, "/s", spread=spread)
    report.show(as_json)


if __name__ == "__main__":
    main()
