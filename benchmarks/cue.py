"""Cue-reward association: modulated plasticity finds out within a life which cue pays; controls, in equal seconds, do not.

Every agent is trained by ``a2c`` for 60 seconds of one processor in the task ``mini`` (two new cues of 8 bits in every life
of 40 steps) and judged on 1,000 fresh lives: by the share of right answers in the last third of a life, where half is chance.

Retroactive modulation is the same network with an eligibility trace between Hebb's product and what is kept. At the rate
that the trace has in the papers (0.1) a step of a life leaves a tenth of the change in the plastic connections that it leaves
with simple modulation; what they contribute, and the gradient of the plasticities, begin as much smaller, and the plateau
before the task is found is that much longer. It is shown at this rate and at 0.5.

    python benchmarks/cue.py                     # three seeds of each network: about 18 minutes
"""

from __future__ import annotations

from learners import Forgetful, contestants, judge, middle, settled, sizes, train
from report import Report, arguments

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

GOAL, CHANCE = 0.96, 0.55
UNITS = 48
SIMPLE = "simple modulation"
RETROACTIVE, SLOW = "retroactive, eta 0.5", "retroactive, eta 0.1"
NETWORKS = {
    SIMPLE: lambda units: BackpropamineNetwork(Backpropamine.Options(units=units)),
    RETROACTIVE: lambda units: BackpropamineNetwork(Backpropamine.Options(units=units, modulation="retroactive", eta=0.5)),
    SLOW: lambda units: BackpropamineNetwork(Backpropamine.Options(units=units, modulation="retroactive")),
    "plastic": lambda units: PlasticNetwork(Plastic.Options(units=units)),
    "rnn": lambda units: RnnNetwork(Rnn.Options(units=units)),
    "lstm": lambda units: LstmNetwork(Lstm.Options(units=units)),
}
OPTIMISER = A2cOptions(episodes=64, lr=3e-3, gamma=0.5, bonus_weight=0.1)


def main() -> None:
    """Seeds one after another, networks by turns, so that a busy minute of the machine meets all of them."""
    settled()
    parser = arguments(__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
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
            trained = train(domain, network, task, optimiser, seed, seconds)
            scores = judge(domain, network, task, trained.agent, lives)
            if "trace" in network.newborn(trained.agent.leaves):
                scores["without"] = judge(domain, Forgetful(network), task, trained.agent, lives)["last_third"]
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
        else:
            goal, met = (None, None) if name == SLOW else (f"< {CHANCE:g}", value < CHANCE)
        report.add_row(f"{name}: right answers, last third", value, "share", goal, met, spread)
        value, spread = middle([run["fitness"] / 100.0 for run in runs])
        report.add_row(f"{name}: right answers, whole life", value, "share", spread=spread)
        if "without" in runs[0]:
            value, spread = middle([run["without"] for run in runs])
            report.add_row(f"{name}: last third with traces held at zero", value, "share", spread=spread)
        value, spread = middle([run["updates"] for run in runs])
        report.add_row(f"{name}: updates", value, "", spread=spread)
        value, spread = middle([run["pace"] for run in runs])
        report.add_row(f"{name}: environment steps trained on", value, "/s", spread=spread)
    report.show(as_json)


if __name__ == "__main__":
    main()
