"""What each search proposes, and who leaves."""

from __future__ import annotations

import builtins
import importlib.util
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from search_runs import residents, site

from aiga import InputError, Plan, Stream
from aiga.data import NOBODY
from aiga_digits.domain import DigitsDomain
from aiga_search import RandomSearch, RegularisedEvolution, Tpe
from aiga_search.evolution import winners
from aiga_search.trials import Trial

HERE = site(widths=(4, 64))
ROWS = Stream(1).rows(torch.arange(8))


def evolution(**options: Any) -> RegularisedEvolution:
    return RegularisedEvolution(RegularisedEvolution.Options(batch=4, **options))


def hidden(structures: Any) -> list[tuple[int, ...]]:
    return [tuple(structure["hidden"]) for structure in structures]


def test_a_tournament_is_won_by_the_best_of_its_sample() -> None:
    scores = torch.rand(10).double()
    rng = Stream(3).rows(torch.arange(200))
    drawn = rng.integers(0, 10, 3)
    won = winners(rng, scores, 3)
    assert torch.equal(scores[won], scores[drawn].max(dim=1).values)
    assert len(won.unique()) > 5


def test_a_sample_of_everybody_many_times_over_is_won_by_the_best() -> None:
    assert set(winners(ROWS, torch.tensor([1.0, 9.0, 3.0]).double(), 60).tolist()) == {1}


def test_evolution_begins_with_random_architectures_until_its_population_is_full() -> None:
    some = residents(HERE, [1.0, 2.0, 3.0])
    made = evolution(population=8).propose(HERE, some, ROWS)
    assert set(made.operators) == {"random"}
    assert len(made.structures) == 5
    assert made.structures == HERE.space.initial(ROWS.rows(torch.arange(5)), 5)


def test_a_child_is_a_mutant_of_the_winner_and_names_it_as_its_parent() -> None:
    some = residents(HERE, [1.0, 9.0, 3.0, 2.0])
    made = evolution(population=4, sample=60).propose(HERE, some, ROWS)
    assert made.structures == HERE.space.mutate(ROWS, [some.structures[1]] * 8)
    assert made.parents.tolist() == [[101, NOBODY]] * 8
    assert set(made.operators) == {"mutate"}


def test_a_share_of_the_children_is_crossed_of_two_winners_first() -> None:
    some = residents(HERE, [1.0, 2.0, 3.0, 4.0])
    made = evolution(population=4, sample=1, crossover=0.5).propose(HERE, some, Stream(1).rows(torch.arange(60)))
    crossed = torch.tensor([operator == "cross, mutate" for operator in made.operators])
    assert 15 < int(crossed.sum()) < 45
    assert torch.equal(made.parents[:, 1] >= 0, crossed)


def test_a_childs_architecture_hangs_on_its_own_key_alone() -> None:
    some = residents(HERE, [1.0, 2.0, 3.0, 4.0])
    search = evolution(population=4, crossover=0.3)
    whole = search.propose(HERE, some, ROWS)
    some_of_them = search.propose(HERE, some, ROWS.rows(torch.tensor([6, 2])))
    assert some_of_them.structures == [whole.structures[6], whole.structures[2]]


def test_the_oldest_die_however_good_they_are() -> None:
    some = residents(HERE, [99.0, 1.0, 98.0, 2.0])
    leaving = evolution(population=4).leaving(some, torch.tensor([0.0, 0.0]))
    assert leaving.tolist() == [1, 2]
    assert evolution(population=6).leaving(some, torch.tensor([0.0, 0.0])).tolist() == []


@pytest.mark.parametrize("search", [RandomSearch, Tpe])
def test_in_the_other_searches_all_but_the_best_leave(search: Any) -> None:
    some = residents(HERE, [5.0, 1.0, 4.0, -torch.inf])
    plugin = search(search.Options(best=2))
    assert plugin.leaving(some, torch.tensor([4.5], dtype=torch.float64)).tolist() == [2, 3, 4]
    assert plugin.leaving(some, torch.tensor([], dtype=torch.float64)).tolist() == [2, 4]


def test_random_search_draws_from_the_space_whatever_was_found() -> None:
    search = RandomSearch()
    one, other = (search.propose(HERE, residents(HERE, scores), ROWS).structures for scores in ([], [9.0, 1.0]))
    assert one == other == HERE.space.initial(ROWS, 8)


def test_children_that_would_die_unborn_are_refused() -> None:
    with pytest.raises(ValidationError, match="at most the population"):
        RegularisedEvolution.Options(batch=9, population=8)


class TestTpe:
    """The model of Optuna, whose study is made anew of the trials."""

    @pytest.fixture(autouse=True)
    def _there(self) -> None:
        pytest.importorskip("optuna")

    def taught(self, rounds: int, **options: Any) -> Tpe:
        """A search that is told that narrow networks are good."""
        search = Tpe(Tpe.Options(**options))
        for number in range(rounds):
            self.tell(search, search.propose(HERE, residents(HERE, []), Stream(7).rows(torch.arange(8) + 8 * number)))
        return search

    def tell(self, search: Tpe, made: Any) -> None:
        first = search.trials.count + 1
        told = [
            Trial(first + place, structure, -float(sum(structure["hidden"])), choices=choices)
            for place, (structure, choices) in enumerate(zip(made.structures, made.choices, strict=True))
        ]
        search.trials.add(told)

    def test_proposals_are_functions_of_trials_and_seed_alone(self) -> None:
        search = self.taught(3)
        made = search.propose(HERE, residents(HERE, []), ROWS)
        again = Tpe(search.options)
        again.load_state_dict(search.state_dict(), Tpe.state_version)
        assert again.propose(HERE, residents(HERE, [3.0]), ROWS).structures == made.structures
        assert again.propose(HERE, residents(HERE, []), ROWS.rows(torch.arange(8) + 100)).structures != made.structures
        self.tell(again, made)
        assert again.propose(HERE, residents(HERE, []), ROWS).structures != made.structures

    def test_it_proposes_what_was_good_once_it_has_seen_enough(self) -> None:
        sizes = {}
        for startup in (10, 10_000):
            made = self.taught(6, startup=startup).propose(HERE, residents(HERE, []), ROWS)
            sizes[startup] = sum(sum(widths) for widths in hidden(made.structures))
        assert sizes[10] < 0.6 * sizes[10_000]

    def test_architectures_are_of_the_space(self) -> None:
        made = self.taught(3).propose(HERE, residents(HERE, []), ROWS)
        for structure in made.structures:
            assert structure.keys() == HERE.network.structure.keys()
            assert all(4 <= width <= 64 for width in structure["hidden"])
            assert 1 <= len(structure["hidden"]) <= 4

    def test_failed_trials_teach_it_nothing(self) -> None:
        search = self.taught(3)
        made = search.propose(HERE, residents(HERE, []), ROWS)
        search.trials.add([Trial(25, made.structures[0], None, "failed", made.choices[0])])
        assert search.propose(HERE, residents(HERE, []), ROWS).structures == made.structures

    def test_without_optuna_it_is_refused_before_the_run_with_the_remedy(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("aiga_search.tpe.find_spec", lambda name: None)
        with pytest.raises(InputError, match=r"Install aiga\[search\]"):
            Tpe().aiga_register(None)  # type: ignore[arg-type]

    def test_nothing_of_optuna_is_loaded_before_it_is_needed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        spec = importlib.util.find_spec("aiga_search.tpe")
        assert spec is not None
        assert spec.loader is not None
        real = builtins.__import__

        def without(name: str, *given: Any, **named: Any) -> Any:
            assert not name.startswith("optuna")
            return real(name, *given, **named)

        monkeypatch.setattr(builtins, "__import__", without)
        spec.loader.exec_module(importlib.util.module_from_spec(spec))

    def test_a_space_that_composes_nothing_is_refused(self) -> None:
        here = site()
        here.network.space = object()  # type: ignore[attr-defined]
        with pytest.raises(InputError, match="composes no architectures"):
            Tpe().propose(here, residents(HERE, []), ROWS)

    def test_it_is_refused_before_a_run_is_begun(self) -> None:
        here = site()
        here.network.space = object()  # type: ignore[attr-defined]
        plan = Plan(DigitsDomain(), {"perceptron": here.network}, 1, {}, lambda kind, name: object())
        with pytest.raises(InputError, match=r"^\[population\] networks: .*composes no architectures.*regularised-evolution"):
            Tpe().check(plan)
