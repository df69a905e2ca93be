"""Agents of unlike widths are improved in one call a bucket, each as it would be alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

import aiga_maze.plugin
from aiga import Batch, Kind, Lab, Network, Optimiser, Pairs, Population, Scores, Stream, Trajectory
from aiga.data import State
from aiga.testing import OptimiserSuite, bench
from aiga_plasticity import A2cOptions, ActorCritic

WIDTHS = (5, 7, 12, 5, 7, 6)  # of five and of one bucket, of 8 and of 16 units
OPTIONS: dict[str, Any] = {"search": ["width", "alpha", "modulation"], "widths": [4, 16], "alpha_scale": 0.05}


def mazes(**options: Any) -> dict[str, Any]:
    return {
        "run": {"workers": 0, "episodes": 1, "device": "cpu"},
        "population": {"domain": "maze", "networks": ["backpropamine"]},
        "plugins": {
            "maze": {"path": aiga_maze.plugin.__file__, "options": {"max_steps": 80}},
            "backpropamine": {"options": {"units": 5, **options}},
        },
    }


def niches_of(lab: Lab, widths: tuple[int, ...], **chosen: Any) -> Pairs:
    """A niche for each width; agents of one width are of one batch."""
    count, network = len(widths), lab.component("network", "backpropamine")
    start = lab.domain.initial(Stream(1), count)
    envs = lab.domain.mutate(Stream(2).rows(torch.arange(count)), start).with_ids(torch.arange(100, 100 + count))
    batches, order = list[Batch](), list[int]()
    for width in dict.fromkeys(widths):
        rows = [row for row, each in enumerate(widths) if each == width]
        kind = Kind("backpropamine", {**network.structure, "units": width, **chosen})
        layout = network.build(kind.structure, lab.domain.inputs, lab.domain.outputs)
        leaves = network.init(Stream(3).rows(torch.tensor(rows)), layout, len(rows))
        batches.append(Batch(kind, torch.tensor(rows) + 10, leaves))
        order += rows
    return Pairs.of(Population((envs,)), Population(tuple(batches)), torch.tensor(order), torch.arange(count))


class TestUnlikeWidths(OptimiserSuite):
    steps = 0

    @pytest.fixture
    def optimiser(self) -> Optimiser:
        return ActorCritic(A2cOptions(episodes=4, lr=0.1))

    @pytest.fixture
    def lab(self) -> Iterator[Lab]:
        with bench(mazes(**OPTIONS)) as lab:
            yield lab

    @pytest.fixture(params=[{}, {"modulation": "retroactive", "alpha": "shared"}], ids=str)
    def niches(self, lab: Lab, request: pytest.FixtureRequest) -> Pairs:
        return niches_of(lab, WIDTHS, **request.param)


class Counting:
    """A domain that notes how many lives each call has."""

    def __init__(self, domain: Any) -> None:
        self._domain, self.calls = domain, list[int]()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._domain, name)

    def live(self, pairs: Pairs, network: Network, seeds: Tensor, record: bool = False) -> Scores | tuple[Scores, Trajectory]:
        self.calls.append(len(pairs))
        return self._domain.live(pairs, network, seeds, record)  # type: ignore[no-any-return]


class Counted:
    """A lab with such a domain."""

    def __init__(self, lab: Lab) -> None:
        self._lab, self.domain = lab, Counting(lab.domain)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._lab, name)


def improved(lab: Any, niches: Pairs, steps: int = 2) -> tuple[Population, State]:
    it = ActorCritic(A2cOptions(episodes=4, lr=0.1))
    return it.improve(lab, niches, it.start(niches.agents), steps)


@pytest.fixture
def lab() -> Iterator[Lab]:
    with bench(mazes(**OPTIONS)) as lab:
        yield lab


def test_a_step_is_one_call_a_bucket(lab: Lab) -> None:
    counted = Counted(lab)
    improved(counted, niches_of(lab, WIDTHS), steps=1)
    assert sorted(counted.domain.calls) == [4, 20]


def test_unlike_widths_take_the_steps_that_they_would_take_unfilled_but_for_rounding(lab: Lab) -> None:
    niches = niches_of(lab, WIDTHS)
    (agents, state), start = improved(lab, niches, steps=1), niches.agents
    with bench(mazes(alpha_scale=OPTIONS["alpha_scale"])) as plain:
        others, columns = improved(plain, niches_of(plain, WIDTHS), steps=1)
    assert not hasattr(plain.component("network", "backpropamine"), "space")
    for one, other, begun in zip(agents.batches, others.batches, start.batches, strict=True):
        assert one.kind == other.kind == begun.kind
        # A gradient of nearly zero may round to either side of it, and Adam's first step is as long for it.
        moved = torch.cat([(leaf - other.leaves[name]).abs().flatten() for name, leaf in one.leaves.items()])
        assert float((moved > 1e-3).float().mean()) < 0.02
        assert any(not torch.equal(leaf, begun.leaves[name]) for name, leaf in one.leaves.items())
        kind = one.kind.hash
        assert torch.allclose(state[kind]["m"], columns[kind]["m"], rtol=1e-3, atol=1e-6)
        assert state[kind].keys() == columns[kind].keys()
        assert all(state[kind][name].shape == column.shape for name, column in columns[kind].items())


def test_steps_at_once_are_those_one_by_one(lab: Lab) -> None:
    it, niches = ActorCritic(A2cOptions(episodes=4, lr=0.1)), niches_of(lab, WIDTHS)

    def seeds(step: int) -> Any:
        """A lab whose first step has the noise of this one."""
        shifted = Counted(lab)
        shifted.rng = lambda *key: lab.rng(*key[:-1], key[-1] + step)  # type: ignore[attr-defined]
        return shifted

    whole, kept = it.improve(lab, niches, it.start(niches.agents), 2)
    agents, state = it.improve(seeds(0), niches, it.start(niches.agents), 1)
    again, after = it.improve(seeds(1), replace(niches, agents=agents), state, 1)
    assert torch.equal(again.hashes, whole.hashes)
    assert all(torch.equal(column, kept[kind][name]) for kind, some in after.items() for name, column in some.items())


def test_state_of_agents_that_are_not_there_is_kept(lab: Lab) -> None:
    it, niches = ActorCritic(A2cOptions(episodes=2)), niches_of(lab, (5, 7))
    other = {"m": torch.ones(1, 3)}
    _, state = it.improve(lab, niches, {**it.start(niches.agents), "somebody": other}, 1)
    assert state["somebody"] is other
