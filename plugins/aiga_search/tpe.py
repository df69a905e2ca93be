"""``tpe``: the tree-structured Parzen estimator (Bergstra et al. 2011), by Optuna, over the choices an architecture is made of.

Optuna holds nothing: at each proposal a study is made anew of the trials in the plugin's state, its sampler seeded from the
run's stream. So proposals are a function of trials and seed, and a run resumes without any storage but its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

import torch
from torch import Tensor

import aiga
from aiga.data import NOBODY
from aiga_search.options import TpeOptions
from aiga_search.search import ArchitectureSearch, Proposed, all_but_the_best
from aiga_search.site import Residents, Site
from aiga_search.trials import Trial

if TYPE_CHECKING:
    import optuna

T = TypeVar("T")


class Tpe(ArchitectureSearch):
    """Proposes what is likelier among good trials than among the others; the best stay. Failed trials teach it nothing."""

    name = "tpe"
    Options: ClassVar[type[TpeOptions]] = TpeOptions
    options: TpeOptions

    def aiga_register(self, registry: aiga.Registry) -> None:
        """Its screens.

        Raises:
            InputError: if Optuna is not installed.
        """
        if find_spec("optuna") is None:
            raise aiga.InputError(
                "tpe is Optuna's, which is not installed. Install aiga[search], or write [slots] "
                'select = "regularised-evolution".'
            )
        super().aiga_register(registry)

    def check(self, plan: aiga.Plan) -> None:
        super().check(plan)
        ((name, network),) = plan.networks.items()
        if not hasattr(cast(Any, network).space, "compose"):
            raise aiga.InputError(f"[population] networks: {_no_choices(name)}")

    def propose(self, site: Site, residents: Residents, rng: aiga.Stream) -> Proposed:
        if not hasattr(site.space, "compose"):
            raise aiga.InputError(_no_choices(site.name))
        assert rng.row_keys is not None
        asked = study(self.trials, rng.rows(rng.row_keys[:1]), self.options)
        structures, choices = [], []
        for _ in range(len(rng.row_keys)):
            suggested = Suggested(asked.ask())
            structures.append(site.space.compose(suggested))
            choices.append(suggested.record())
        parents = torch.full((len(structures), 2), NOBODY, dtype=torch.int64)
        return Proposed(structures, ("tpe",) * len(structures), parents, choices)

    def leaving(self, residents: Residents, scores: Tensor) -> Tensor:
        return all_but_the_best(residents, scores, self.options.best)


def _no_choices(network: str) -> str:
    what = f'the space of the network "{network}" composes no architectures of choices, as tpe needs'
    return f'{what}. Write [slots] select = "regularised-evolution", or name another network.'


class Suggested:
    """:class:`aiga.choices.Choices` that an Optuna trial makes.

    A choice goes by what it is between and by how many such there were before: the second width from 8 to 128 is one and the
    same parameter in every architecture that has two.
    """

    def __init__(self, trial: optuna.trial.Trial) -> None:
        self._trial, self._seen = trial, dict[str, int]()

    def pick(self, of: Sequence[T]) -> T:
        # By number: what is picked from may be anything.
        number: int = self._trial.suggest_categorical(self._name(f"pick of {list(of)}"), tuple(range(len(of))))
        return of[number]

    def integer(self, low: int, high: int) -> int:
        return self._trial.suggest_int(self._name(f"integer {low} to {high}"), low, high)

    def width(self, low: int, high: int) -> int:
        return self._trial.suggest_int(self._name(f"width {low} to {high}"), low, high, log=True)

    def record(self) -> dict[str, Any]:
        """The choices so far, JSON-able: by parameter the value, and what it was chosen from as Optuna writes it."""
        from optuna.distributions import distribution_to_json

        ranges = self._trial.distributions
        return {name: [value, distribution_to_json(ranges[name])] for name, value in self._trial.params.items()}

    def _name(self, what: str) -> str:
        number = self._seen.get(what, 0)
        self._seen[what] = number + 1
        return f"{what}, {number}"


def study(trials: Iterable[Trial], rng: aiga.Stream, options: TpeOptions) -> optuna.Study:
    """A study that knows these trials, and asks by ``rng``, a stream of one row key."""
    import optuna

    sampler = optuna.samplers.TPESampler(
        seed=int(rng.child("sampler").words(1)), n_startup_trials=options.startup, n_ei_candidates=options.candidates
    )
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        made = optuna.create_study(direction="maximize", sampler=sampler)
    finally:
        optuna.logging.set_verbosity(before)
    made.add_trials([_told(trial) for trial in trials if trial.choices])
    return made


def _told(trial: Trial) -> optuna.trial.FrozenTrial:
    """What was chosen, and what came of it."""
    from optuna.distributions import json_to_distribution
    from optuna.trial import TrialState, create_trial

    values = {name: value for name, (value, _) in trial.choices.items()}
    ranges = {name: json_to_distribution(text) for name, (_, text) in trial.choices.items()}
    state = TrialState.FAIL if trial.score is None else TrialState.COMPLETE
    return create_trial(params=values, distributions=ranges, value=trial.score, state=state)
