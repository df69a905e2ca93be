"""Niches through every change: environment, agent, score and optimiser state of each stay together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import support
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aiga.changes import remove, replace_agents, settle
from aiga.data import Batch, Kind, Noise, Pairs, Population
from aiga.engine import Engine
from aiga.niches import Niches

KINDS = [Kind("linear", {"version": 1, "bias": False}), Kind("affine", {"version": 1, "bias": True})]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["settle", "remove", "replace", "improve"]), st.lists(st.integers(0, 30), min_size=1, max_size=3)
    ),
    min_size=1,
    max_size=8,
)


class Tagging:
    """An optimiser whose state says whose it is, and how many steps it saw."""

    def start(self, agents: Population) -> Any:
        return {b.kind.hash: {"of": b.leaves["weight"][:, 0, 0].clone(), "steps": torch.zeros(len(b))} for b in agents.batches}

    def improve(self, lab: Any, niches: Pairs, state: Any, steps: int) -> Any:
        return niches.agents, {kind: {**held, "steps": held["steps"] + steps} for kind, held in state.items()}


def agents(tags: list[tuple[int, float]]) -> Population:
    """A row of its own batch for each (kind, tag), whose every number is the tag."""
    batches = []
    for kind, tag in tags:
        leaves = {"weight": torch.full((1, 2, 2), tag)} | ({"bias": torch.full((1, 2), tag)} if kind else {})
        batches.append(Batch.of(KINDS[kind], leaves))
    return Population(tuple(batches))


def points(places: list[float]) -> Batch:
    leaves = {"point": torch.tensor(places, dtype=torch.float64)[:, None].repeat(1, 2), "seed": torch.arange(len(places))}
    return Batch.of(Kind("points", {"version": 1}), leaves)


@dataclass
class Row:
    """What a niche should be."""

    place: float
    kind: int
    tag: float
    steps: int
    score: float
    born: int


def check(niches: Niches, model: dict[int, Row]) -> None:
    assert niches.key.tolist() == list(model)
    kinds = [batch.kind for batch in niches.agents.batches]
    assert len(set(kinds)) == len(kinds)
    assert sorted(niches.agent.tolist()) == list(range(len(niches.agents))) == sorted(niches.env.tolist())
    assert set(niches.state) == {kind.hash for kind in kinds}
    starts = {batch.kind.hash: start for start, batch in niches.agents.parts()}
    for row, wanted in enumerate(model.values()):
        env, _ = niches.envs.take(niches.env[row : row + 1])
        agent, _ = niches.agents.take(niches.agent[row : row + 1])
        kind = KINDS[wanted.kind]
        assert agent.batches[0].kind == kind
        assert all(bool((leaf == wanted.tag).all()) for leaf in agent.batches[0].leaves.values())
        assert float(env.batches[0].leaves["point"][0, 0]) == wanted.place
        state = {name: float(held[niches.agent[row] - starts[kind.hash]]) for name, held in niches.state[kind.hash].items()}
        assert state == {"of": pytest.approx(wanted.tag), "steps": wanted.steps}
        assert float(niches.score[row]) == float(niches.history[row, 0]) == wanted.score
        assert int(niches.born[row]) == wanted.born


def apply(it: Engine, model: dict[int, Row], what: str, numbers: list[int], tag: float) -> None:
    w, names = it.w, list(model)
    count = len(numbers)
    if what == "settle":
        mixed = agents([(number % 2, tag + i) for i, number in enumerate(numbers)])
        envs = Population((points([tag + i for i in range(count)]).with_ids(w.new_ids(count)),))
        order = torch.arange(count).flip(0)
        pairs = Pairs.of(envs, mixed, order, order)
        keys = torch.tensor([1000 * int(tag) + i for i in order.tolist()])
        settle(w, pairs, keys, order.double())
        for key, i in zip(keys.tolist(), order.tolist(), strict=True):
            model[key] = Row(tag + i, numbers[i] % 2, tag + i, 0, float(i), w.iteration)
    elif what == "improve":
        w.niches = w.niches.with_agents(*w.improve(w.niches.pairs(), w.niches.state, 1))
        for row in model.values():
            row.steps += 1
    elif names:
        rows = torch.tensor(sorted({number % len(names) for number in numbers}, key=lambda row: -row))
        if what == "remove":
            ids = remove(w, rows)
            genomes, where = w.archive.agents(ids)
            for place, row in enumerate(rows.tolist()):
                was = model.pop(names[row])
                genome, _ = genomes.take(where[place : place + 1])
                assert genome.batches[0].kind == KINDS[was.kind]
                assert float(genome.batches[0].leaves["weight"][0, 0, 0]) == pytest.approx(was.tag)
        else:
            kinds = [numbers[i % count] % 2 for i in range(len(rows))]
            mixed = agents([(kind, tag + i) for i, kind in enumerate(kinds)])
            ids = replace_agents(w, rows, mixed, torch.arange(len(rows)), torch.arange(len(rows)).double())
            assert w.niches.agent_ids[rows].tolist() == ids.tolist()
            for i, row in enumerate(rows.tolist()):
                old = model[names[row]]
                model[names[row]] = Row(old.place, kinds[i], tag + i, 0, float(i), old.born)


@given(STEPS)
@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_each_niche_keeps_its_own_environment_agent_and_state(tmp_path_factory: pytest.TempPathFactory, steps: Any) -> None:
    with support.engine(tmp_path_factory.mktemp("niches"), support.bare()) as it:
        it.w.optimiser = lambda: Tagging()  # type: ignore[method-assign, assignment, return-value]
        it.w.optimiser_plugin = "points"
        model: dict[int, Row] = {}
        for number, (what, numbers) in enumerate(steps):
            apply(it, model, what, numbers, 10.0 * (number + 1))
            check(it.w.niches, model)
            for row, key in enumerate(model):
                assert int(it.w.niches.rows(torch.tensor([key]))) == row
        assert it.w.niches.rows(torch.tensor([-5])).tolist() == [-1]


def test_implicit_agents_become_explicit_and_are_merged_when_they_settle(tmp_path: Path) -> None:
    base = Batch.of(KINDS[0], {"weight": torch.ones(1, 2, 2)})
    noise = Noise(5, torch.zeros(2, dtype=torch.int64), torch.arange(2), torch.ones(2), torch.ones(1))
    implicit = Batch(KINDS[0], torch.full((2,), -1), base.leaves, noise)
    with support.engine(tmp_path, support.bare()) as it:
        envs = Population((points([0.0, 1.0, 2.0]).with_ids(it.w.new_ids(3)),))
        pairs = Pairs.of(envs, Population((base, implicit)), torch.arange(3), torch.tensor([2, 0, 1]))
        settle(it.w, pairs, torch.arange(3), torch.zeros(3, dtype=torch.float64))
        (batch,) = it.w.niches.agents.batches
        assert batch.noise is None
        weights = batch.leaves["weight"][it.w.niches.agent]
        assert torch.equal(weights[[0, 2]], implicit.explicit().leaves["weight"][[1, 0]])
        assert torch.equal(weights[1], base.leaves["weight"][0])


def test_transfers_between_unlike_networks_start_a_fresh_state_of_the_right_kind(tmp_path: Path) -> None:
    body = """
        def aiga_transfer(self, lab):
            n = lab.niches
            if lab.iteration != 3:
                return None
            return Offers(n.agents, n.agent[[1, 0]], n.key[[0, 1]], ("swap", "swap"), n.score)

        def aiga_select(self, lab, pairs, scores):
            return Verdict(torch.zeros(0, dtype=torch.bool), torch.zeros(0).long(), torch.zeros(0).long(), [])

        def aiga_accept(self, lab, offers, scores):
            return torch.ones(len(offers), dtype=torch.bool)
    """
    swap = support.plugin(tmp_path, "swap", body)
    config = support.bare(
        slots={"select": "swap", "improve": "es"}, plugins={"swap": swap, "es": {"options": {"population": 8}}}
    )
    with support.founded(tmp_path, config, iterations=2) as it:
        before = [niche_kind(it.w.niches, row) for row in (0, 1)]
        sigma = {kind: held["sigma"].tolist() for kind, held in it.w.niches.state.items()}
        assert all(value < 0.1 for values in sigma.values() for value in values)
        it.step()
        assert [niche_kind(it.w.niches, row) for row in (0, 1)] == before[::-1]
        for _, batch in it.w.niches.agents.parts():
            state = it.w.niches.state[batch.kind.hash]
            assert state["sigma"].tolist() == [0.1]
            parameters = sum(leaf[0].numel() for leaf in batch.leaves.values())
            assert state["m"].shape == state["v"].shape == (1, parameters)
            assert not state["m"].any()
            assert state["t"].tolist() == [0]
        it.step()


def niche_kind(niches: Niches, row: int) -> str:
    return niches.agents.take(niches.agent[row : row + 1])[0].batches[0].kind.component


def test_retired_niches_of_unlike_kinds_are_journalled_with_their_own_agents(tmp_path: Path) -> None:
    body = """
        def aiga_select(self, lab, pairs, scores):
            out = lab.niches.key[[1, 2, 0]] if lab.iteration == 2 else lab.niches.key[:0]
            return Verdict(torch.zeros(0, dtype=torch.bool), torch.zeros(0).long(), out, [])
    """
    config = support.bare(
        slots={"select": "out"}, population={"niches": 4}, plugins={"out": support.plugin(tmp_path, "out", body)}
    )
    with support.founded(tmp_path, config, iterations=1) as it:
        wanted = {int(key): niche_kind(it.w.niches, row) for row, key in enumerate(it.w.niches.key)}
        it.step()
        (event,) = [event for event in it.w.events if event.type == "retired"]
        genomes, where = it.w.archive.agents(torch.tensor(event.columns["agent"]))
        kinds = [genomes.take(where[row : row + 1])[0].batches[0].kind.component for row in range(3)]
        assert kinds == [wanted[niche] for niche in event.columns["niche"]]
        assert len(it.w.niches) == 1
