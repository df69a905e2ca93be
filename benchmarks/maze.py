"""Agents that learn mazes within a life: simple modulation, and plastic and plain recurrent controls, in equal seconds.

Every agent is trained by ``a2c`` for 100 seconds of one processor in the maze ``L7`` (21 free cells, lives of 80 steps) with
goals in three of four cells, and judged on 1,000 fresh lives with goals anywhere, and on as many with goals in the fourth
cells alone, where it was never paid. Where an agent learns within its life, the last third of a life pays more than the first;
where traces are what it learns by, it earns less when these are held at zero.

Self-modulated networks begin with recurrent weights a third as large as the others' (their default; ``cue.py`` says why): with
weights as large, seed 0 earned 100 instead of 151, and with small ones the plain network 58 instead of 145. The step size was
chosen for each network from 1e-3, 2e-3 and 3e-3 by looking at seeds 0 and 1, before the held-out goals were, and before the
recurrent weights. Neither seed is reported unless asked for.

    python benchmarks/maze.py                    # five seeds of each network: about 35 minutes
"""

from __future__ import annotations

from learners import Trained, contestants, judge, middle, settled, sizes, train
from report import Report, arguments

from aiga import Network, Stream
from aiga.forgetting import forgetful
from aiga_maze.baselines import oracle_reward, random_reward
from aiga_maze.domain import MazeDomain
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

GOAL = 100.0
UNITS = 50
SIMPLE, RNN = "simple modulation", "rnn"
NETWORKS = {
    SIMPLE: lambda units: BackpropamineNetwork(Backpropamine.Options(units=units)),
    "plastic": lambda units: PlasticNetwork(Plastic.Options(units=units)),
    RNN: lambda units: RnnNetwork(Rnn.Options(units=units)),
    "lstm": lambda units: LstmNetwork(Lstm.Options(units=units)),
}
LR = {SIMPLE: 3e-3, "plastic": 3e-3, RNN: 3e-3, "lstm": 3e-3}


def optimiser(name: str) -> ActorCritic:
    """The one by which a network is trained."""
    return ActorCritic(A2cOptions(episodes=64, lr=LR[name]))


def judged(domain: MazeDomain, network: Network, trained: Trained, lives: int) -> dict[str, float]:
    """Rewards of an agent: ``all`` goals, ``unseen`` ones, the thirds of a life, and without traces."""
    anywhere = judge(domain, network, domain.named("L7"), trained.agent, lives)
    unseen = judge(domain, network, domain.named("L7-unseen"), trained.agent, lives)
    out = {
        "all": anywhere["reward"],
        "unseen": unseen["reward"],
        "first": anywhere["first_third"],
        "last": anywhere["last_third"],
    }
    if (without := forgetful(network)) is not None:
        out["without"] = judge(domain, without, domain.named("L7"), trained.agent, lives)["reward"]
    return out


def main() -> None:
    """Seeds one after another, networks by turns, so that a busy minute of the machine meets all of them."""
    settled()
    parser = arguments(__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[2, 3, 4, 5, 6])
    parser.add_argument("--seconds", type=float, default=100.0, help="of training, for each agent")
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    given = parser.parse_args()
    seeds, seconds, lives = ([0], 4.0, 100) if given.quick else (given.seeds, given.seconds, 1000)
    domain = MazeDomain(max_size=7, max_steps=80)
    networks = contestants(NETWORKS, SIMPLE, UNITS, domain)
    networks = {name: networks[name] for name in given.networks}
    print(sizes(networks, domain), flush=True)
    found: dict[str, list[dict[str, float]]] = {name: [] for name in networks}
    for seed in seeds:
        for name, network in networks.items():
            trained = train(domain, network, domain.named("L7-seen"), optimiser(name), seed, seconds)
            scores = judged(domain, network, trained, lives)
            scores |= {"updates": float(trained.updates), "pace": trained.steps / trained.seconds}
            found[name].append(scores)
            print(f"seed {seed}, {name}: " + ", ".join(f"{what} {value:.1f}" for what, value in scores.items()), flush=True)
    show(found, domain, given.json)


def show(found: dict[str, list[dict[str, float]]], domain: MazeDomain, as_json: bool) -> None:
    """The report."""
    report = Report("maze", ("aiga", "torch", "numpy", "numba"))
    maze = domain.named("L7")
    report.add_row("random actions", float(random_reward(maze, 2000, Stream(1))[0]), "reward")
    report.add_row("who knows the goal", float(oracle_reward(maze, 2000, Stream(1))[0]), "reward")
    for name, runs in found.items():
        value, spread = middle([run["all"] for run in runs])
        goal, met = (f">= {GOAL:g}", value >= GOAL) if name == SIMPLE else (None, None)
        report.add_row(f"{name}: reward", value, "reward", goal, met, spread)
        value, spread = middle([run["unseen"] for run in runs])
        report.add_row(f"{name}: reward at goals never paid at in training", value, "reward", spread=spread)
        value, spread = middle([run["last"] / max(run["first"], 1e-9) for run in runs])
        goal, met = ("> 1", value > 1.0) if name == SIMPLE else (None, None)
        report.add_row(f"{name}: last third of a life over the first", value, "x", goal, met, spread)
        if "without" in runs[0]:
            value, spread = middle([run["without"] for run in runs])
            report.add_row(f"{name}: reward with traces held at zero", value, "reward", spread=spread)
        value, spread = middle([run["updates"] for run in runs])
        report.add_row(f"{name}: updates", value, "", spread=spread)
        value, spread = middle([run["pace"] for run in runs])
        report.add_row(f"{name}: environment steps trained on", value, "/s", spread=spread)
    for other in (name for name in found if name != SIMPLE and SIMPLE in found):
        ahead = [mine["all"] - theirs["all"] for mine, theirs in zip(found[SIMPLE], found[other], strict=True)]
        value, spread = middle(ahead)
        goal, met = ("> 0 in every seed", min(ahead) > 0.0) if other == RNN else (None, None)
        report.add_row(f"{SIMPLE} ahead of {other}, seed by seed", value, "reward", goal, met, spread)
    report.show(as_json)


if __name__ == "__main__":
    main()
