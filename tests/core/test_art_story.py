"""What a journal tells about environments, and where each of them stands on the poster."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from aiga.art_layout import choose, places
from aiga.art_phylogeny import fate
from aiga.art_story import Life, Move, Story, read, scored
from aiga.data import Batch, Kind, Population
from aiga.journal import Journal
from aiga.niches import HISTORY, Niches

Row = tuple[str, dict[str, Any]]


def admitted(env: int, agent: int, parent: int = -1, agent_parent: int = -1, score: float | None = 100.0) -> Row:
    columns = {"env": env, "niche": env, "agent": agent, "score": score, "operator": "mutate"}
    return "admitted", {**columns, "parents": [parent, -1], "agent_parents": [agent_parent, -1]}


def moved(env: int, source: int, agent: int, accepted: bool = True, score: float = 150.0) -> Row:
    columns = {"env": env, "niche": env, "agent": agent, "from": source, "accepted": accepted}
    return "transferred", {**columns, "score": score, "resident_score": 90.0, "operator": "direct"}


def solved(env: int, agent: int, at_birth: bool = False) -> Row:
    return "solved", {"env": env, "niche": env, "agent": agent, "score": 240.0, "at_birth": at_birth}


def retired(env: int, agent: int) -> Row:
    return "retired", {"env": env, "niche": env, "agent": agent, "score": 300.0, "replaced": False}


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "journal.db") as journal:
        yield journal


def told(journal: Journal, *iterations: Sequence[Row]) -> Story:
    for iteration, rows in enumerate(iterations):
        journal.commit(iteration, list(rows))
    return read(journal)


def living(scores: Sequence[tuple[int, float]]) -> Niches:
    """Niches of these environments with these scores."""
    rows, score = torch.arange(len(scores)), torch.tensor([score for _, score in scores], dtype=torch.float64)
    envs = Population(
        (Batch(Kind("points"), torch.tensor([env for env, _ in scores]), {"point": torch.zeros(len(scores), 2)}),)
    )
    return Niches(rows, rows, rows, rows, score, score[:, None].expand(-1, HISTORY), rows < 0, envs, envs, {})


def test_an_active_environment_has_the_best_score_of_its_niches_and_others_keep_the_journals(journal: Journal) -> None:
    story = told(
        journal,
        [admitted(0, 1), admitted(2, 3), admitted(4, 5), admitted(6, 7)],
        [moved(0, source=3, agent=8, accepted=False), retired(2, 3)],
    )
    assert [life.score for life in story.lives.values()] == [90.0, 300.0, 100.0, 100.0]
    found = scored(story, living([(0, 210.0), (0, 230.0), (0, 220.0), (2, 1.0), (4, float("nan")), (99, 5.0)]))
    assert {env: life.score for env, life in found.lives.items()} == {0: 230.0, 2: 300.0, 4: 100.0, 6: 100.0}
    assert (found.iterations, found.moves) == (story.iterations, story.moves)


def test_what_a_run_was_founded_with_is_told_apart_from_what_was_admitted_since(journal: Journal) -> None:
    assert told(journal, [admitted(0, 1), admitted(2, 3)], [admitted(4, 5, parent=0)]).founders == 2


def test_a_solve_is_credited_to_the_environment_the_agent_last_came_from(journal: Journal) -> None:
    story = told(
        journal,
        [admitted(0, 1), admitted(2, 3, parent=0, agent_parent=1), admitted(4, 5, parent=0, agent_parent=1)],
        [moved(4, source=1, agent=6)],
        [moved(4, source=3, agent=7)],
        [solved(4, agent=8)],
    )
    assert story.lives[4].solver == 2
    assert story.moves == (Move(1, 0, 4, decisive=False), Move(2, 2, 4, decisive=True))


def test_an_agent_that_arrives_in_the_iteration_of_the_solve_did_not_solve_it(journal: Journal) -> None:
    story = told(journal, [admitted(0, 1), admitted(2, 3)], [solved(2, agent=4), moved(2, source=1, agent=5)])
    assert story.lives[2].solver is None
    assert story.moves == (Move(1, 0, 2, decisive=False),)


def test_without_a_transfer_the_solving_agent_came_with_its_environment(journal: Journal) -> None:
    story = told(journal, [admitted(0, 1)], [admitted(2, 3, parent=0, agent_parent=1), solved(2, agent=4, at_birth=True)])
    assert story.lives[2].solver == 0
    assert story.lives[2].at_birth
    assert story.lives[2].parents == (0,)


def test_an_agent_offered_back_to_its_own_environment_is_no_move(journal: Journal) -> None:
    story = told(journal, [admitted(0, 1)], [moved(0, source=1, agent=2)], [solved(0, agent=3)])
    assert story.moves == ()
    assert story.lives[0].solver is None


def test_refused_offers_are_no_moves(journal: Journal) -> None:
    assert told(journal, [admitted(0, 1), admitted(2, 3)], [moved(2, source=1, agent=-1, accepted=False)]).moves == ()


def test_the_score_is_the_latest_of_the_resident(journal: Journal) -> None:
    story = told(
        journal,
        [admitted(0, 1, score=None), admitted(2, 3), admitted(4, 5), admitted(6, 7, score=None)],
        [
            moved(0, source=3, agent=-1, accepted=False),
            moved(2, source=1, agent=8),
            moved(2, source=5, agent=-1, accepted=False),
        ],
        [retired(4, agent=9)],
    )
    assert [story.lives[env].score for env in (0, 2, 4, 6)] == [90.0, 150.0, 300.0, None]


def test_an_environment_is_active_while_any_niche_holds_it(journal: Journal) -> None:
    story = told(journal, [admitted(0, 1), admitted(0, 2), admitted(3, 4)], [retired(0, 5), retired(3, 6)], [], [retired(0, 7)])
    assert story.lives[0].retired == 3
    assert story.lives[3].retired == 1
    assert list(story.lives) == [0, 3]


def test_a_run_that_was_just_founded_has_a_story(journal: Journal) -> None:
    assert read(journal) == Story(0, {}, ())
    assert list(told(journal, [admitted(0, 1)]).lives) == [0]


def life(env: int, parent: int | None = None, born: int | None = None, retired: int | None = None) -> Life:
    parents = () if parent is None else (parent,)
    return Life(env, env if born is None else born, parents, "mutate", None, None, False, None, retired)


def story_of(*lives: Life) -> Story:
    return Story(100, {life.env: life for life in lives}, ())


def test_words_say_who_solved_it_and_when_it_went() -> None:
    assert fate(life(1)) == "not solved"
    assert fate(Life(1, 0, (), "", None, 1200, False, 7, 1300)) == "solved at 1,200 by 7's agent, retired at 1,300"
    assert fate(Life(1, 3, (), "", None, 3, True, None, None)) == "solved at birth"


def test_active_environments_are_shown_first_then_prolific_founders_then_the_newest() -> None:
    story = story_of(life(0, retired=9), life(1, retired=9), life(2, 1, retired=9), life(3, retired=9), life(4, 2))
    assert choose(story, most=1) == [4]
    assert choose(story, most=2) == [1, 4]
    assert choose(story, most=3) == [1, 2, 4]
    assert choose(story, most=4) == [1, 2, 3, 4]


def test_a_child_of_a_hidden_parent_hangs_on_its_nearest_shown_ancestor() -> None:
    rows = places(story_of(life(0), life(1, 0), life(2, 1), life(3)), shown=[0, 2, 3])
    assert (rows[2].parent, rows[2].direct) == (0, False)
    assert rows[3].parent is None


def test_the_latest_child_stands_nearest_to_its_parent() -> None:
    rows = places(story_of(life(0), life(1, 0), life(2, 0), life(3, 1)), shown=[0, 1, 2, 3])
    assert sorted(rows, key=lambda env: rows[env].row) == [0, 2, 1, 3]


@settings(max_examples=60, derandomize=True, deadline=None)
@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=25), st.integers(1, 25))
def test_no_line_of_descent_crosses_a_life_and_every_row_is_used_once(choices: list[int], most: int) -> None:
    lives = [life(env, None if choice % (env + 1) == env else choice % (env + 1)) for env, choice in enumerate(choices)]
    story = story_of(*lives)
    shown = choose(story, most)
    rows = places(story, shown)
    assert sorted(place.row for place in rows.values()) == list(range(len(shown)))
    assert len(shown) == min(most, len(lives))
    for env, place in rows.items():
        if place.parent is None:
            continue
        between = [other for other, where in rows.items() if rows[place.parent].row < where.row < place.row]
        assert all(story.lives[other].born >= story.lives[env].born for other in between)
        assert rows[place.parent].row < place.row
