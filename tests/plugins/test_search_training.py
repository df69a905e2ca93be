"""Unlike architectures are trained side by side, in as many calls as there are buckets, each as it would be alone."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
from search_runs import born, site

from aiga.data import Pairs, Population
from aiga_digits.domain import DigitsDomain
from aiga_search.training import parameters, trained

HERE = site()
DOMAIN = DigitsDomain()


class Nudge:
    """An optimiser that adds to every number that is not zero, and remembers whom it was given."""

    def __init__(self) -> None:
        self.given: list[int] = []

    def start(self, agents: Population) -> dict[str, Any]:
        return {batch.kind.hash: {} for batch in agents.explicit_kinds()}

    def improve(self, lab: Any, niches: Pairs, state: Any, steps: int) -> tuple[Population, Any]:
        niches.homes()
        self.given += [len(batch) for batch in niches.agents.batches]
        batches = []
        for batch in niches.agents.batches:
            leaves = {name: torch.where(leaf == 0.0, 0.0, leaf + steps) for name, leaf in batch.leaves.items()}
            batches.append(type(batch).of(batch.kind, leaves))
        return Population(tuple(batches)), state


def lab(optimiser: Nudge) -> Any:
    parts = {("optimiser", "nudge"): optimiser, ("network", "perceptron"): HERE.network}
    return SimpleNamespace(component=lambda kind, name: parts[kind, name], domain=DOMAIN)


def pairs(agents: Population) -> Pairs:
    rows = torch.arange(len(agents))
    return Pairs.of(HERE.envs, agents, torch.zeros_like(rows), rows, "random")


def test_calls_do_not_grow_with_the_number_of_architectures_of_a_bucket() -> None:
    calls = []
    for count in (1, 12):
        nudge = Nudge()
        trained(lab(nudge), pairs(born(HERE, [[17 + number, 32 - number] for number in range(count)])), "nudge", 1)
        calls.append(len(nudge.given))
        assert sum(nudge.given) == count
    assert calls == [1, 1]


def test_each_row_gets_its_own_trained_agent_of_its_own_shape() -> None:
    agents = born(HERE, [[20], [40, 9], [31], [20]])
    done = trained(lab(Nudge()), pairs(agents), "nudge", 2)
    after = done.agents.in_order(done.agent)
    for one, other in zip(
        (agents.in_order(torch.tensor([row])) for row in range(4)),
        (after.in_order(torch.tensor([row])) for row in range(4)),
        strict=True,
    ):
        (before,), (now,) = one.batches, other.batches
        assert before.kind == now.kind
        for name, leaf in before.leaves.items():
            assert torch.equal(now.leaves[name], torch.where(leaf == 0.0, 0.0, leaf + 2))
    assert done.operator == ("random",) * 4


def test_an_agent_that_several_pairs_name_is_trained_for_each() -> None:
    agents = born(HERE, [[20]])
    twice = Pairs.of(HERE.envs, agents, torch.tensor([0, 0]), torch.tensor([0, 0]))
    done = trained(lab(Nudge()), twice, "nudge", 1)
    assert len(done.agents) == 2
    assert sorted(done.agent.tolist()) == [0, 1]


def test_newborns_hang_on_their_keys_and_not_on_their_company() -> None:
    agents = born(HERE, [[20], [40, 9], [20]])
    assert agents.hashes[0] == born(HERE, [[20]]).hashes[0]
    assert agents.hashes[0] != agents.hashes[2]


def test_parameters_are_the_numbers_that_an_agent_inherits() -> None:
    # Weights, biases and gains.
    assert parameters(born(HERE, [[20], []])).tolist() == [64 * 20 + 20 * 10 + 30 + 30, 64 * 10 + 10 + 10]


def test_agents_are_trained_in_one_thread_whatever_there_are() -> None:
    class Counting(Nudge):
        def improve(self, lab: Any, niches: Pairs, state: Any, steps: int) -> tuple[Population, Any]:
            self.given.append(torch.get_num_threads())
            return niches.agents, state

    counting, before = Counting(), torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        trained(lab(counting), pairs(born(HERE, [[20]])), "nudge", 1)
        assert (counting.given, torch.get_num_threads()) == ([1], 3)
    finally:
        torch.set_num_threads(before)
