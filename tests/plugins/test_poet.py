"""POET's hooks, against a scripted lab: environments are points, agents vectors, and a formula says who scores what where."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from poet_lab import NAN, SCALAR, VECTOR, ScriptedLab, children, environments, ids, niches, poet, proposed, two, vectors
from torch import Tensor

from aiga import Batch, Kind, Offers, Pairs, Population, Scores, Status
from aiga_poet import Poet


def test_children_are_mutants_of_niches_that_do_well_enough_with_their_parents_agent() -> None:
    lab = ScriptedLab(
        niches([[0.0, 0.0], [40.0, 0.0], [80.0, 0.0], [120.0, 0.0]], [[0.0, 0.0]] * 4, [200.0, 199.9, NAN, 250.0])
    )
    pairs = proposed(poet(children=60), lab)
    assert set(pairs.env_parents[:, 0].tolist()) == {10, 13}
    assert torch.equal(pairs.agents.ids[pairs.agent], pairs.env_parents[:, 0] + 90)
    home = lab.niches.envs.batches[0].leaves["point"][pairs.env_parents[:, 0] - 10]
    assert (pairs.envs.batches[0].leaves["point"][pairs.env] - home).abs().max() == 3
    assert set(ids(pairs)) == {-1}


def test_one_more_child_leaves_the_others_as_they_are() -> None:
    few, more = (proposed(poet(children=count), ScriptedLab(two())) for count in (9, 10))
    assert torch.equal(few.envs.batches[0].leaves["seed"], more.envs.batches[0].leaves["seed"][:9])
    assert torch.equal(few.env_parents, more.env_parents[:9])


def test_children_of_unlike_kinds_are_mutated_as_each_would_be_by_itself() -> None:
    alike, parts = two(), two().envs.batches[0]
    unlike = (replace(parts.take(torch.tensor([1])), kind=Kind("points", {"version": 2})), parts.take(torch.tensor([0])))
    mixed = replace(alike, envs=Population(unlike), env=torch.tensor([1, 0]))
    one, other = (proposed(poet(children=20), ScriptedLab(given)) for given in (alike, mixed))
    seeds = [torch.cat([b.leaves["seed"] for b in pairs.envs.batches])[pairs.env] for pairs in (one, other)]
    assert torch.equal(*seeds)
    assert torch.equal(one.env_parents, other.env_parents)


@pytest.mark.parametrize(("iteration", "due"), [(0, False), (149, False), (150, True), (300, True)])
def test_reproduction_comes_every_so_many_iterations_but_not_at_first(iteration: int, due: bool) -> None:
    assert (poet(children=2).aiga_generate(ScriptedLab(two(), iteration=iteration)) is not None) == due


def test_without_an_eligible_parent_nothing_is_proposed() -> None:
    plugin, lab = poet(), ScriptedLab(niches([[0.0, 0.0]], [[0.0, 0.0]], [199.0]))
    assert plugin.aiga_generate(lab) is None
    assert plugin.aiga_metrics(lab)["eligible_parents"] == 0.0


def test_a_child_that_repeats_a_sibling_a_niche_or_anything_retired_is_dropped() -> None:
    lab = ScriptedLab(two(), retired=[[5.0, 5.0], [6.0, 6.0]])
    screened = poet().screen_duplicates(lab, children(lab, [[1.0, 2.0], [9.0, 9.0], [1.0, 2.0], [5.0, 5.0], [1.0, 3.0]]))
    assert ids(screened.pairs) == [20, 24]
    assert screened.rejected.tolist() == [1, 2, 3]
    assert screened.reasons == ("repeats environment 11", "repeats environment 20", "repeats environment 50")
    assert lab.archive.read == 2  # of four archived: those whose description equals a child's


def test_the_criterion_includes_both_ends() -> None:
    lab = ScriptedLab(two(), fitness=lambda point, weights: point[:, 0])
    screened = poet().screen_criterion(lab, children(lab, [[49.9, 0.0], [50.0, 0.0], [300.0, 0.0], [300.1, 0.0], [NAN, 0.0]]))
    assert ids(screened.pairs) == [21, 22]
    assert screened.rejected.tolist() == [0, 3, 4]
    assert screened.reasons == (
        "the parent's agent scores 49.9, outside [50, 300]",
        "the parent's agent scores 300.1, outside [50, 300]",
        "the parent's agent could not be scored: NAN (no number)",
    )
    assert lab.evaluated == [("criterion", 5, 5)]


def test_only_the_parents_agent_is_asked_first_and_the_best_of_all_second() -> None:
    lab, plugin = ScriptedLab(two(), fitness=lambda point, weights: point[:, 0] + 100 * weights[:, 0].sign()), poet()
    first = plugin.screen_criterion(lab, children(lab, [[100.0, 0.0], [250.0, 0.0]]))
    assert ids(first.pairs) == [20, 21]
    second = plugin.screen_best(lab, first.pairs)
    assert (ids(second.pairs), second.reasons) == ([20], ("best agent scores 350, outside [50, 300]",))


def test_the_best_agent_comes_along_with_its_source() -> None:
    lab = ScriptedLab(two(), gain=0.5)
    through = poet().screen_best(lab, children(lab, [[8.0, 8.0], [4.0, 4.0], [9.5, 9.5]])).pairs
    operators = {20: "mutate+direct", 21: "mutate+proposal", 22: "mutate+proposal"}
    assert dict(zip(ids(through), through.operator, strict=True)) == operators
    assert dict(zip(ids(through), through.agent_parents[:, 0].tolist(), strict=True)) == {20: 101, 21: 100, 22: 101}
    assert torch.equal(through.agents.ids[through.agent], through.agent_parents[:, 0])
    assert sorted(vectors(through.agents)[through.agent][:, 0].tolist()) == [0.5, 9.0, 9.5]
    assert through.env_parents.tolist() == [[10, -1]] * 3
    assert lab.improved == [(6, "fresh")]


def test_the_most_novel_are_tried_first_and_no_more_pass_than_are_admitted() -> None:
    lab = ScriptedLab(niches([[0.0, 0.0]], [[0.0, 0.0]]))
    screened = poet(admit=2).screen_best(lab, children(lab, [[1.0, 0.0], [5.0, 0.0], [90.0, 0.0], [2.0, 0.0], [4.0, 0.0]]))
    assert ids(screened.pairs) == [21, 24]
    assert screened.rejected.tolist() == [0, 2, 3]
    assert screened.reasons == ("not among the best", "best agent scores -600, outside [50, 300]", "not among the best")
    assert [pairs for _, pairs, _ in lab.evaluated] == [4, 6]  # two children, then the three that are left, in two ways each


@pytest.mark.parametrize("count", [1, 7, 40, 63, 64])
def test_however_many_children_fail_the_calls_grow_with_the_logarithm(count: int) -> None:
    # The less novel a child, the nearer home, and only the one next to home is inside the criterion.
    lab = ScriptedLab(niches([[0.0, 0.0]], [[0.0, 0.0]]))
    plugin, points = poet(admit=1, normalise=False, novelty_k=1), [[1.0, 0.0]] + [[100.0 * i, 0.0] for i in range(1, count)]
    screened = plugin.screen_best(lab, children(lab, points))
    assert ids(screened.pairs) == [20]
    assert len(screened.rejected) == count - 1
    waves = count.bit_length()  # of 1, 2, 4, ... children
    assert [pairs for _, pairs, _ in lab.evaluated[:-1]] == [2 * 2**wave for wave in range(waves - 1)]
    assert (len(lab.evaluated), len(lab.improved)) == (waves, waves)
    assert sum(pairs for _, pairs, _ in lab.evaluated) == 2 * count  # every child once, direct and as a proposal


@settings(derandomize=True, max_examples=15, deadline=None)
@given(st.lists(st.booleans(), min_size=1, max_size=20), st.integers(1, 3))
def test_of_a_wave_that_holds_more_than_may_pass_the_most_novel_are_taken(good: list[bool], admit: int) -> None:
    # Novelty falls along the list; a child passes where its second number is 0.
    points = [[1000.0 * (len(good) - i), 0.0 if fine else 9.0] for i, fine in enumerate(good)]
    lab = ScriptedLab(
        niches([[0.0, 0.0]], [[0.0, 0.0]]), fitness=lambda point, weights: torch.where(point[:, 1] == 0, 100.0, 0.0)
    )
    plugin = poet(admit=admit, normalise=False, novelty_k=1)
    screened = plugin.screen_best(lab, children(lab, points))
    one_after_the_other = [20 + i for i, fine in enumerate(good) if fine][:admit]
    assert ids(screened.pairs) == one_after_the_other
    assert sorted([*screened.rejected.tolist(), *(env - 20 for env in one_after_the_other)]) == list(range(len(good)))
    assert plugin.aiga_metrics(lab)["passed_best"] == len(one_after_the_other)


def test_novelty_is_against_retired_environments_too() -> None:
    lab = ScriptedLab(niches([[0.0, 0.0]], [[0.0, 0.0]]), retired=[[7.0, 0.0]])
    plugin = poet(admit=1, novelty_k=1, normalise=False)
    assert ids(plugin.screen_best(lab, children(lab, [[7.0, 1.0], [3.0, 0.0]])).pairs) == [21]


def test_where_no_agent_can_be_scored_the_child_is_rejected_with_the_reason() -> None:
    lab = ScriptedLab(two(), fitness=lambda point, weights: point[:, 0] * NAN)
    screened = poet().screen_best(lab, children(lab, [[1.0, 0.0]]))
    assert (len(screened.pairs), screened.reasons) == (0, ("best agent could not be scored: NAN (no number)",))


def test_an_agent_that_fails_does_not_hide_one_that_does_not() -> None:
    lab = ScriptedLab(two(), fitness=lambda point, weights: torch.where(weights[:, 0] > 5, NAN, 100.0))
    through = poet().screen_best(lab, children(lab, [[1.0, 0.0]], agent=1)).pairs
    assert through.agent_parents[:, 0].tolist() == [100]


def test_without_transfer_a_child_keeps_its_parents_agent() -> None:
    lab = ScriptedLab(two(), gain=0.5)
    through = poet(transfer=False).screen_best(lab, children(lab, [[8.0, 8.0]])).pairs
    assert through.agents.ids[through.agent].tolist() == [100]
    assert (lab.improved, lab.evaluated) == ([], [("best", 1, 5)])


def test_a_strangers_candidate_competes_and_proposals_for_active_environments_pass_untouched() -> None:
    lab, plugin = ScriptedLab(two()), poet()
    agents = Population((Batch.of(VECTOR, {"weights": torch.tensor([[20.0, 20.0]])}),))
    envs, _ = Population.join(environments([[20.0, 20.0]], 20), lab.niches.envs.take(torch.tensor([1]))[0])
    pairs = Pairs.of(envs, agents, torch.tensor([1, 0]), torch.tensor([0, 0]), "taught")
    for screen in (plugin.screen_duplicates, plugin.screen_criterion, plugin.screen_best):
        pairs = screen(lab, pairs).pairs
    assert (ids(pairs), pairs.operator) == ([11, 20], ("taught", "taught"))
    assert vectors(pairs.agents)[pairs.agent].tolist() == [[20.0, 20.0]] * 2
    verdict = plugin.aiga_select(lab, pairs, Scores.of(torch.tensor([100.0, 100.0])))
    assert (verdict.admit.tolist(), list(verdict.reason)) == ([False, True], ["", ""])


def test_batches_of_which_nothing_is_left_pass_through_every_screen() -> None:
    lab, plugin = ScriptedLab(two()), poet()
    left = plugin.screen_duplicates(lab, children(lab, [[0.0, 0.0], [9.0, 9.0]]))
    assert (len(left.pairs), left.rejected.tolist()) == (0, [0, 1])
    for screen in (plugin.screen_duplicates, plugin.screen_criterion, plugin.screen_best):
        assert len(screen(lab, left.pairs).pairs) == 0
    assert lab.evaluated == []


@settings(derandomize=True, max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(-40, 40), st.integers(-40, 40)), min_size=1, max_size=8, unique=True), st.integers(1, 4))
def test_waves_end_as_trying_one_after_the_other_would(points: list[tuple[int, int]], admit: int) -> None:
    lab = ScriptedLab(two())
    everyone = children(lab, points)
    ranked = ids(poet(admit=len(points), minimal_criterion=(-1e9, 1e9)).screen_best(lab, everyone).pairs)
    each = {i: len(poet().screen_best(lab, children(lab, [p])).pairs) for i, p in enumerate(points, 20)}
    assert ids(poet(admit=admit).screen_best(lab, everyone).pairs) == [i for i in ranked if each[i]][:admit]


def test_select_asks_the_criterion_of_the_fresh_score_and_says_why_not() -> None:
    lab = ScriptedLab(two())
    scores = Scores.of(torch.tensor([50.0, 300.0, 300.5, 100.0]))
    scores = replace(scores, status=torch.tensor([0, 0, 0, int(Status.TIMEOUT)]))
    verdict = poet().aiga_select(lab, children(lab, [[1.0, 0.0], [2.0, 0.0], [3.0, 0.0], [4.0, 0.0]]), scores)
    assert verdict.admit.tolist() == [True, True, False, False]
    assert verdict.niche[:2].tolist() == [20, 21]
    assert verdict.reason == ["", "", "its agent scores 300.5, outside [50, 300]", "its agent could not be scored: TIMEOUT"]
    assert verdict.retire.tolist() == []


@pytest.mark.parametrize(
    ("capacity", "retired", "admitted"),
    [(5, [], 2), (4, [10], 2), (3, [10, 11], 2), (2, [10, 11, 12], 2), (1, [10, 11, 12], 1)],
)
def test_past_the_capacity_the_oldest_retire_and_never_a_newcomer(capacity: int, retired: list[int], admitted: int) -> None:
    lab = ScriptedLab(niches([[0.0, 0.0], [4.0, 0.0], [9.0, 0.0]], [[0.0, 0.0]] * 3))
    verdict = poet(capacity=capacity).aiga_select(
        lab, children(lab, [[1.0, 0.0], [2.0, 0.0]]), Scores.of(torch.full((2,), 100.0))
    )
    assert (verdict.retire.tolist(), int(verdict.admit.sum())) == (retired, admitted)
    assert verdict.reason[1] == ("" if admitted == 2 else "no room among 1 niches")


def test_an_iteration_without_proposals_changes_nothing() -> None:
    empty = Pairs.join()
    verdict = poet().aiga_select(ScriptedLab(two()), empty, Scores.of(torch.empty(0)))
    assert (len(verdict.admit), len(verdict.retire), list(verdict.reason)) == (0, 0, [])


@pytest.mark.parametrize(("stone", "passed"), [([30.0, 30.0], True), ([4.0, 3.0], False)])
def test_the_archive_check_asks_every_agent_that_ever_was_and_steers_nothing(stone: list[float], passed: bool) -> None:
    lab = ScriptedLab(niches([[0.0, 0.0]], [[0.0, 0.0]]), stones=[[50.0, 50.0], stone])
    plugin = poet(archive_check=True, minimal_criterion=(50.0, 290.0), normalise=False)
    through = plugin.screen_best(lab, children(lab, [[4.0, 3.0]])).pairs
    assert ("archive-check", 2, 5) in lab.evaluated
    verdict = plugin.aiga_select(lab, through, Scores.of(torch.tensor([100.0])))
    assert (verdict.admit.tolist(), dict(verdict.notes)) == ([True], {"novelty": [5.0], "archive_passed": [passed]})
    assert plugin.aiga_metrics(lab)["archive_passed"] == float(passed)


def told(offers: Offers | None) -> dict[int, tuple[str, int, float]]:
    assert offers is not None
    source = offers.agents.ids[offers.agent].tolist()
    rows = zip(offers.niche.tolist(), offers.operator, source, offers.claimed.tolist(), strict=True)
    return {niche: (operator, agent, claimed) for niche, operator, agent, claimed in rows}


def test_every_niche_is_offered_the_best_agent_from_elsewhere_if_strictly_better() -> None:
    lab = ScriptedLab(niches([[0.0, 0.0], [3.0, 3.0], [9.0, 9.0]], [[3.0, 3.0], [0.0, 0.0], [9.0, 9.0]]), iteration=25)
    assert told(poet().aiga_transfer(lab)) == {10: ("direct", 101, 300.0), 11: ("direct", 100, 300.0)}
    assert lab.evaluated == [("transfer/choose", 9, 5), ("transfer/choose", 6, 5)]
    assert lab.improved == [(6, "niche")]


def test_an_equal_score_is_no_reason_to_move() -> None:
    assert poet().aiga_transfer(ScriptedLab(niches([[0.0, 0.0], [2.0, 0.0]], [[1.0, 0.0]] * 2), iteration=25)) is None


def test_a_proposal_carries_the_improved_agent_and_its_source_and_leaves_the_niches_alone() -> None:
    lab = ScriptedLab(niches([[1.0, 1.0], [20.0, 20.0]], [[9.0, 9.0], [0.0, 0.0]]), iteration=25, gain=1.0)
    before, offers = vectors(lab.niches.agents).clone(), poet().aiga_transfer(lab)
    assert told(offers) == {10: ("proposal", 101, 300.0), 11: ("proposal", 100, 100.0)}
    assert offers is not None
    assert vectors(offers.agents)[offers.agent].tolist() == [[1.0, 1.0], [10.0, 10.0]]
    assert torch.equal(vectors(lab.niches.agents), before)


def test_agents_of_unlike_kinds_change_places() -> None:
    lab = ScriptedLab(niches([[0.0, 0.0], [5.0, 5.0], [8.0, 0.0]], [[5.0], [0.0, 0.0], [2.0]]), iteration=25, gain=0.25)
    offers = poet().aiga_transfer(lab)
    assert told(offers) == {10: ("direct", 101, 300.0), 11: ("direct", 100, 300.0)}
    assert offers is not None
    assert {batch.kind for batch in offers.agents.batches} == {VECTOR, SCALAR}
    through = poet().screen_best(lab, children(lab, [[5.0, 4.0]], agent=1)).pairs
    assert through.agents.batches[0].kind == SCALAR


def test_a_resident_without_a_score_is_replaced_by_an_agent_with_one() -> None:
    fitness: Callable[[Tensor, Tensor], Tensor] = lambda point, weights: torch.where(weights[:, 0] > 5, NAN, 10.0)  # noqa: E731
    offers = poet().aiga_transfer(ScriptedLab(two(), iteration=25, fitness=fitness))
    assert told(offers) == {11: ("direct", 100, 10.0)}


@pytest.mark.parametrize(
    ("options", "iteration", "count"),
    [({"transfer": False}, 25, 2), ({}, 0, 2), ({}, 24, 2), ({}, 25, 1), ({"transfer_every": 10}, 25, 2)],
)
def test_nothing_is_tried_when_no_transfer_is_due(options: dict[str, Any], iteration: int, count: int) -> None:
    lab = ScriptedLab(two().take(torch.arange(count)), iteration=iteration)
    assert poet(**options).aiga_transfer(lab) is None
    assert (lab.evaluated, lab.improved) == ([], [])


def test_counts_survive_a_resume() -> None:
    lab, plugin = ScriptedLab(two(), iteration=150), poet(children=30)
    pairs = proposed(plugin, lab)
    pairs = replace(pairs, envs=pairs.envs.with_ids(torch.arange(20, 50)))
    for screen in (plugin.screen_duplicates, plugin.screen_criterion, plugin.screen_best):
        pairs = screen(lab, pairs).pairs
    plugin.aiga_select(lab, pairs, Scores.of(torch.full((len(pairs),), 100.0)))
    plugin.aiga_transfer(lab)
    metrics, again = plugin.aiga_metrics(lab), poet(children=30)
    again.load_state_dict(plugin.state_dict(), Poet.state_version)
    assert again.aiga_metrics(lab) == metrics
    assert (metrics["children"], metrics["admitted"], metrics["transfers_tried"]) == (30.0, 3.0, 4.0)
