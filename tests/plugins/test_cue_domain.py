from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from aiga import Batch, Domain, InputError, Kind, Pairs, Population, Stream, Subject
from aiga.testing import DomainSuite, LinearNetwork
from aiga_cue import genome
from aiga_cue.domain import CueDomain
from aiga_cue.render import render
from aiga_cue.trials import distinct, trials


class TestCueDomain(DomainSuite):
    generations = 8

    @pytest.fixture
    def domain(self) -> Domain:
        return CueDomain("mini", max_steps=120)


class TestFixedCues(DomainSuite):
    @pytest.fixture
    def domain(self) -> Domain:
        return CueDomain("mini-fixed", max_steps=120)


def evolved(domain: CueDomain, count: int, generations: int, seed: int = 2) -> Batch:
    envs = domain.initial(Stream(1), count)
    for generation in range(generations):
        envs = domain.mutate(Stream(seed).child(generation).rows(torch.arange(count)), envs)
    return envs


def lived(domain: CueDomain, envs: Batch, seeds: Tensor) -> Any:
    network = LinearNetwork(bias=True)
    layout = network.build(network.structure, domain.inputs, domain.outputs)
    agents = Batch.of(Kind("affine", dict(network.structure)), network.init(Stream(3), layout, len(envs)))
    rows = torch.arange(len(envs))
    return domain.live(Pairs.of(Population((envs,)), Population((agents,)), rows, rows), network, seeds, record=True)


def test_what_is_shown_is_a_row_of_trials() -> None:
    """Reads every life as one would: a blank, cues and blanks, a question, a blank."""
    domain = CueDomain(max_steps=160)
    envs = evolved(domain, 40, 10)
    _, life = lived(domain, envs, Stream(4).words(40))
    seen, bits = life.observations, domain.max_bits
    for row in range(40):
        cues, width, blanks, steps, pool = (int(envs.leaves[name][row]) for name in ("cues", "bits", "blanks", "steps", "pool"))
        shown = [tuple(seen[step, row, :bits].tolist()) for step in range(steps)]
        asked = [bool(seen[step, row, bits]) for step in range(steps)]
        assert all(not any(shown[step]) for step in range(steps) if asked[step])
        assert all(set(code[:width]) <= {1.0, -1.0} and not any(code[width:]) for code in shown if any(code))
        questions, first = [step for step in range(steps) if asked[step]], 0
        known: set[Any] = set()
        for question in questions:
            trial = [code for code in shown[first + 1 : question] if any(code)]
            assert not any(shown[first])
            assert len(trial) == len(set(trial)) == cues // 2
            assert cues // 2 <= question - first - 1 <= cues // 2 + blanks
            known |= set(trial)
            if question + 1 < steps:
                assert not any(shown[question + 1])
            first = question + 2
        assert len(known) <= cues
        assert not pool or pool >= cues
        assert len(questions) >= 3


def test_the_answer_is_whether_the_target_was_among_the_cues() -> None:
    domain = CueDomain(max_steps=160)
    envs = evolved(domain, 30, 10)
    scores, life = lived(domain, envs, Stream(5).words(30))
    bits = domain.max_bits
    for row in range(30):
        steps = int(envs.leaves["steps"][row])
        shown: set[Any] = set()
        yes: list[set[Any]] = []
        no: list[set[Any]] = []
        right, thirds = [], []
        for step in range(steps):
            code = tuple(life.observations[step, row, :bits].tolist())
            if any(code):
                shown = shown | {code}
            if life.observations[step, row, bits]:
                good = float(life.rewards[step, row]) == 1.0
                answer = int(life.actions[step, row]) == int(good)
                (yes if answer else no).append(shown)
                right.append(good)
                thirds.append(3 * step // steps)
                shown = set()
            else:
                assert float(life.rewards[step, row]) == 0.0
        targets = set.intersection(*yes) - set.union(set(), *no) if yes else {None}
        assert targets, "no cue explains the answers"
        assert float(scores.fitness[row]) == pytest.approx(100.0 * sum(right) / len(right))
        assert float(scores.columns["reward"][row]) == sum(2 * good - 1 for good in right)
        for name, third in (("first_third", 0), ("last_third", 2)):
            part = [good for good, when in zip(right, thirds, strict=True) if when == third]
            assert float(scores.columns[name][row]) == pytest.approx(sum(part) / len(part))


def test_half_of_the_questions_are_answered_by_yes_and_every_cue_is_as_often_shown() -> None:
    domain = CueDomain()
    task, lives = domain.named("full"), 3000
    life = trials(task, torch.zeros(lives, dtype=torch.int64), Stream(1).rows(torch.arange(lives)).words(), 120, 20)
    assert float(life.answer[life.asked].double().mean()) == pytest.approx(0.5, abs=0.01)
    assert float(life.asked.sum(dim=0).double().mean()) == pytest.approx(120 / 6.5, rel=0.03)
    assert float(life.shown.mean()) == pytest.approx(0.0, abs=0.01)


def test_cues_of_a_pool_are_the_same_in_every_life_and_others_are_not() -> None:
    domain = CueDomain("mini-fixed")

    def cues(name: str) -> set[tuple[float, ...]]:
        life = trials(domain.named(name), torch.zeros(50, dtype=torch.int64), torch.arange(50), 40, 8)
        return {tuple(code) for code in life.shown.flatten(0, 1).tolist() if any(code)}

    assert len(cues("mini-fixed")) == 2
    assert len(cues("mini")) > 60


@settings(derandomize=True, max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 20), st.sampled_from([(20, 200), (8, 40), (5, 24)]))
def test_whatever_mutates_can_be_solved(seed: int, generations: int, limits: tuple[int, int]) -> None:
    max_bits, max_steps = limits
    envs = CueDomain("mini").initial(Stream(1), 12)
    envs.leaves["bits"][:], envs.leaves["steps"][:] = 5, 24
    for generation in range(generations):
        envs = genome.mutate(Stream(seed).child(generation).rows(torch.arange(12)), envs, max_bits, max_steps)
    leaves = envs.leaves
    assert bool((leaves["steps"] <= max_steps).all())
    assert bool((leaves["bits"] <= max_bits).all())
    assert bool((2 ** leaves["bits"] >= 2 * torch.maximum(leaves["cues"], leaves["pool"])).all())
    assert bool(((leaves["pool"] == 0) | (leaves["pool"] >= leaves["cues"])).all())
    life = trials(envs, torch.arange(12), Stream(seed).words(12), max_steps, max_bits)
    lived = torch.arange(max_steps)[:, None] < leaves["steps"]
    third = torch.arange(max_steps)[:, None] * 3 // leaves["steps"]
    assert all(bool((life.asked & lived & (third == part)).any(dim=0).all()) for part in range(3)), "a third without a question"


def test_every_gene_changes_in_time() -> None:
    parents = CueDomain().initial(Stream(1), 40)
    children = CueDomain().mutate(Stream(3).rows(torch.arange(40)), parents)
    for name in ("cues", "bits", "blanks", "steps"):
        assert 8 <= int((children.leaves[name] != parents.leaves[name]).sum()) <= 39, name
    assert bool((children.leaves["seed"] != parents.leaves["seed"]).all())
    assert bool((children.leaves["pool"] == 16).any())


def test_numbers_are_distinct_and_any_set_of_them_as_likely() -> None:
    drawn = distinct(Stream(2).rows(torch.arange(6000)).words(3), torch.full((6000,), 4))
    assert bool((drawn.sort(dim=1).values.diff(dim=1) > 0).all())
    counts = torch.bincount((drawn * torch.tensor([16, 4, 1])).sum(dim=1), minlength=64)
    assert int((counts > 0).sum()) == 24
    assert counts[counts > 0].double().tolist() == pytest.approx([250.0] * 24, rel=0.25)


def test_a_task_that_does_not_fit_is_refused_with_the_remedy() -> None:
    with pytest.raises(InputError, match="have 20 bits, max_bits is 8: raise it"):
        CueDomain("full", max_bits=8)
    with pytest.raises(InputError, match="last 120 steps, max_steps is 50: raise it"):
        CueDomain("full", max_steps=50)
    with pytest.raises(InputError, match="Did you mean 'mini'"):
        CueDomain("minni")


def test_tasks_and_lives_are_drawn() -> None:
    domain = CueDomain("mini")
    envs = domain.initial(Stream(1), 2)
    population = Population((envs,))
    first, second = render(Subject("environments", population, caption="niche"))
    assert first.shape == second.shape == ((8 + 5) * 8 + 18, 42 * 8, 3)
    _, life = lived(domain, envs, torch.tensor([1, 2]))
    strip = render(Subject("lifetime", population, life))
    frames = render(Subject("animation", population, life))
    assert strip.shape == ((8 + 5) * 8, 42 * 8, 3)
    assert len(frames) == int(life.extras["asked"][:, 0].sum())
    assert np.array_equal(frames[-1][:, : 30 * 8], strip[:, : 30 * 8])
    right = int((life.extras["right"] & life.extras["asked"])[:, 0].sum())
    assert int((strip == (70, 150, 90)).all(axis=2).sum()) == right * 49
    assert render(Subject("lifetime", population)) is None
    assert render(Subject("environments", Population((Batch.of(Kind("maze"), {"x": torch.zeros(1)}),)))) is None
