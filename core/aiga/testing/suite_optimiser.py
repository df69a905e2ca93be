"""The suite that an optimiser's tests inherit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar, cast

import pytest
import torch
from torch import Tensor

from aiga import codec
from aiga.components import Lab, Network, Optimiser
from aiga.data import Batch, Kind, Pairs, Population, Scores, State, Status
from aiga.streams import Stream
from aiga.testing.sameness import same
from aiga.testing.workbench import POINTS, bench


class _Failing:
    """A lab in which every life fails."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab

    def __getattr__(self, name: str) -> Any:
        return getattr(self._lab, name)

    def evaluate(self, pairs: Pairs, *, episodes: int = 1, purpose: str) -> Scores:
        count = len(pairs)
        fitness = torch.full((count,), torch.nan, dtype=torch.float64)
        return Scores({"fitness": fitness}, torch.full((count,), int(Status.ERROR)), dict.fromkeys(range(count), "no"))


def _shapes(tensors: Mapping[str, Tensor]) -> dict[str, tuple[torch.Size, torch.dtype]]:
    return {name: (x.shape, x.dtype) for name, x in tensors.items()}


class OptimiserSuite:
    """Tests of an :class:`aiga.Optimiser`; override :meth:`optimiser`.

    Agents of two networks live in three points of the plane each; see :mod:`aiga.testing.points`.

    Attributes:
        steps: after which the agents must be better on average; 0 leaves that test out.
    """

    steps: ClassVar[int] = 15

    @pytest.fixture
    def optimiser(self) -> Optimiser:
        """What is tested."""
        raise NotImplementedError("override the fixture optimiser")

    @pytest.fixture
    def lab(self) -> Iterator[Lab]:
        """A founded run of the domain ``points``."""
        with bench({**POINTS, "population": {"domain": "points", "networks": ["linear", "affine"]}}) as lab:
            yield lab

    @pytest.fixture
    def niches(self, lab: Lab) -> Pairs:
        """Six niches: three environments for each of two kinds of agents, agents out of the order of environments."""
        start = lab.domain.initial(Stream(1), 6)
        envs = lab.domain.mutate(Stream(2).rows(torch.arange(6)), start).with_ids(torch.arange(100, 106))
        batches = []
        for name in ("linear", "affine"):
            network: Network = lab.component("network", name)
            layout = network.build(network.structure, lab.domain.inputs, lab.domain.outputs)
            leaves = network.init(Stream(3).child(name), layout, 3)
            batches.append(Batch(Kind(name, dict(network.structure)), torch.arange(3) + 10 * len(name), leaves))
        agent = torch.tensor([3, 0, 4, 1, 5, 2])
        return Pairs.of(Population((envs,)), Population(tuple(batches)), torch.arange(6), agent)

    def test_starts_one_row_of_state_an_agent(self, optimiser: Optimiser, niches: Pairs) -> None:
        state = optimiser.start(niches.agents)
        for kind, columns in state.items():
            batch = next(batch for batch in niches.agents.batches if batch.kind.hash == kind)
            assert {len(column) for column in columns.values()} == {len(batch)}

    def test_answers_row_for_row_and_kind_for_kind(self, optimiser: Optimiser, lab: Lab, niches: Pairs) -> None:
        begun = optimiser.start(niches.agents)
        agents, state = optimiser.improve(lab, niches, begun, 1)
        assert [b.kind for b in agents.batches] == [b.kind for b in niches.agents.batches]
        assert torch.equal(agents.ids, niches.agents.ids)
        for new, old in zip(agents.batches, niches.agents.batches, strict=True):
            assert _shapes(new.leaves) == _shapes(old.leaves)
        assert {kind: _shapes(columns) for kind, columns in state.items()} == {k: _shapes(c) for k, c in begun.items()}

    def test_no_steps_change_nothing(self, optimiser: Optimiser, lab: Lab, niches: Pairs) -> None:
        agents, _ = optimiser.improve(lab, niches, optimiser.start(niches.agents), 0)
        assert torch.equal(agents.hashes, niches.agents.hashes)

    def test_a_step_changes_agents_and_nothing_that_was_given(self, optimiser: Optimiser, lab: Lab, niches: Pairs) -> None:
        held = [{n: x.clone() for n, x in b.leaves.items()} for b in niches.agents.batches]
        begun = optimiser.start(niches.agents)
        kept: State = {kind: {n: x.clone() for n, x in columns.items()} for kind, columns in begun.items()}
        agents, _ = optimiser.improve(lab, niches, begun, 1)
        assert all(not same(new.leaves, old) for new, old in zip(agents.batches, held, strict=True))
        assert all(same(b.leaves, old) for b, old in zip(niches.agents.batches, held, strict=True))
        assert all(same(begun[kind], kept[kind]) for kind in kept)

    def test_the_same_step_twice_is_the_same(self, optimiser: Optimiser, lab: Lab, niches: Pairs) -> None:
        (one, state), (two, other) = (optimiser.improve(lab, niches, optimiser.start(niches.agents), 2) for _ in range(2))
        assert all(same(a.leaves, b.leaves) for a, b in zip(one.batches, two.batches, strict=True))
        assert all(same(state[kind], other[kind]) for kind in state)

    def test_a_niche_learns_the_same_without_the_others(self, optimiser: Optimiser, lab: Lab, niches: Pairs) -> None:
        whole, _ = optimiser.improve(lab, niches, optimiser.start(niches.agents), 2)
        rows = torch.tensor([4, 1, 2])
        few = niches.take(rows).compact()
        part, _ = optimiser.improve(lab, few, optimiser.start(few.agents), 2)
        for row, old in enumerate(rows.tolist()):
            (one,), (two,) = (p.take(where)[0].batches for p, where in ((part, few.agent[[row]]), (whole, niches.agent[[old]])))
            assert same(one.leaves, two.leaves), f"niche {old} changed with its company"

    def test_state_survives_being_written(self, optimiser: Optimiser, lab: Lab, niches: Pairs) -> None:
        agents, state = optimiser.improve(lab, niches, optimiser.start(niches.agents), 1)
        on = replace(niches, agents=agents)
        one, _ = optimiser.improve(lab, on, state, 1)
        two, _ = optimiser.improve(lab, on, codec.loads(codec.dumps(state)), 1)
        assert all(same(a.leaves, b.leaves) for a, b in zip(one.batches, two.batches, strict=True))

    def test_failed_lives_leave_no_agent_with_numbers_that_are_none(
        self, optimiser: Optimiser, lab: Lab, niches: Pairs
    ) -> None:
        agents, state = optimiser.improve(cast(Lab, _Failing(lab)), niches, optimiser.start(niches.agents), 2)
        assert all(bool(leaf.isfinite().all()) for batch in agents.batches for leaf in batch.leaves.values())
        assert all(bool(x.isfinite().all()) for columns in state.values() for x in columns.values())

    def test_agents_become_better(self, optimiser: Optimiser, lab: Lab, niches: Pairs) -> None:
        if not self.steps:
            pytest.skip("the suite asks for no steps")
        agents, _ = optimiser.improve(lab, niches, optimiser.start(niches.agents), self.steps)
        before = lab.evaluate(niches, episodes=4, purpose="suite").fitness.mean()
        after = lab.evaluate(replace(niches, agents=agents), episodes=4, purpose="suite").fitness.mean()
        assert float(after) > float(before)
