"""How fast are lives with a pole? ``CartPoleDomain.live`` against Gymnasium's own vector environment, policy included.

Both play CartPole and ask the same component ``mlp``, 4-16-16-2, for the actions of as many different agents as there are
carts, and draw them from its logits. Gymnasium begins anew where a pole has fallen, and those steps are not counted; a call of
``live`` lasts until its last pole has fallen or stood for 500 steps, and rows whose life is over are computed and not counted:
newborn agents, whose lives are short and unlike, show what that costs. Figures are steps a second of processor time on one
thread; ratios are taken round by round, rounds interleaved.

    python benchmarks/cartpole_speed.py
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from learners import settled
from report import Report, arguments
from torch import Tensor

from aiga import Batch, Kind, Pairs, Percept, Population, Stream
from aiga.data import Leaves
from aiga_cartpole.domain import CartPoleDomain
from aiga_networks.mlp import MlpNetwork, MlpOptions

STEPS = 500
NETWORK = MlpNetwork(MlpOptions(hidden=(16, 16), output="identity"))


def newborn(count: int) -> Leaves:
    """Random agents."""
    domain = CartPoleDomain()
    return NETWORK.init(Stream(1), NETWORK.build(NETWORK.structure, domain.inputs, domain.outputs), count)


def balancing(count: int) -> Leaves:
    """Agents that keep the pole up: newborn ones with one unit of each layer set by hand."""
    leaves = {name: torch.zeros_like(leaf) if "bias" in name else leaf.clone() for name, leaf in newborn(count).items()}
    leaves["000.tanh.weight"][:, :, 0] = torch.tensor([0.03, 0.03, 0.8, 0.1])
    leaves["001.tanh.weight"][:, :, 0] = 0.0
    leaves["001.tanh.weight"][:, 0, 0] = 1.0
    leaves["002.identity.weight"][:, 0] = torch.tensor([-100.0, 100.0])
    return leaves


def ours(leaves: Leaves, count: int) -> Callable[[], int]:
    """Lives of every agent, on fresh seeds in every call; it answers the steps lived."""
    domain = CartPoleDomain(steps=STEPS)
    agents = Batch.of(Kind("mlp", dict(NETWORK.structure)), leaves)
    rows, calls = torch.arange(count), iter(range(1_000_000))
    pairs = Pairs.of(Population((domain.named("CartPole"),)), Population((agents,)), torch.zeros_like(rows), rows)

    def run() -> int:
        scores: Any = domain.live(pairs, NETWORK, Stream(2).child(next(calls)).words(count))
        return int(scores.cost["environment_steps"])

    return run


def gymnasiums(leaves: Leaves, count: int) -> Callable[[], int]:
    """As many steps of Gymnasium's vector environment as the longest life has; it answers the steps lived."""
    import gymnasium

    envs = gymnasium.make_vec("CartPole-v1", num_envs=count, vectorization_mode="vector_entry_point")
    seen, _ = envs.reset(seed=0)

    def chosen(seen: Any) -> Tensor:
        output, _ = NETWORK.step(leaves, {}, Percept(torch.from_numpy(seen)))
        return (output.action - torch.rand(count, 2).log().neg().log()).argmax(dim=1)

    def run() -> int:
        nonlocal seen
        lived = 0
        for _ in range(STEPS):
            seen, reward, *_ = envs.step(chosen(seen).numpy())
            lived += int(reward.sum())
        return lived

    return run


def pace(run: Callable[[], int]) -> float:
    """Steps a second of processor time."""
    begin = time.process_time()
    steps = run()
    return steps / (time.process_time() - begin)


def main() -> None:
    """Both sides by turns."""
    settled()
    given = arguments(__doc__).parse_args()
    rounds, counts = (2, (256,)) if given.quick else (7, (64, 1024))
    report = Report("cartpole_speed")
    torch.manual_seed(0)
    for count in counts:
        for name, make in (("newborn", newborn), ("balancing", balancing)):
            leaves = make(count)
            sides = {"aiga": ours(leaves, count), "Gymnasium": gymnasiums(leaves, count)}
            found: dict[str, list[float]] = {side: [] for side in sides}
            for number in range(rounds + 1):
                for side, run in sides.items():
                    steps = pace(run)
                    if number:  # the first is to warm up
                        found[side].append(steps)
            for side, paces in found.items():
                report.add_row(f"{side}, {count} {name}", statistics.median(paces), "steps/s", spread=(min(paces), max(paces)))
            ratios = [mine / theirs for mine, theirs in zip(found["aiga"], found["Gymnasium"], strict=True)]
            report.add_row(f"ratio, {count} {name}", statistics.median(ratios), "x", spread=(min(ratios), max(ratios)))
    report.show(as_json=given.json)


if __name__ == "__main__":
    main()
