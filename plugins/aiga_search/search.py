"""A search over architectures as a plugin: it proposes newborn agents, trains them, admits all that have a score.

Every architecture that was tried is an agent in one and the same environment, a niche under the number of its trial. Structure,
score and snapshot come of one row: what the journal says of a trial is what was scored.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor

import aiga
from aiga.components import Structure
from aiga.data import NOBODY, Offers, Pairs, Scores, Verdict
from aiga.forecasts import Trust
from aiga_search.options import SearchOptions
from aiga_search.site import Residents, Site, kinds_of, no_space
from aiga_search.training import optimiser_of, parameters, trained
from aiga_search.trials import Trial, Trials


@dataclass(frozen=True)
class Proposed:
    """Architectures to try.

    Attributes:
        structures: ``B`` of them.
        operators: ``B`` words: what made each.
        parents: ``[B, 2]`` int64 ids of agents, -1 for none.
        choices: ``B`` records of what each was composed of; empty where nobody wants to know.
    """

    structures: Sequence[Structure]
    operators: Sequence[str]
    parents: Tensor
    choices: Sequence[Mapping[str, Any]] = field(default_factory=tuple)

    @staticmethod
    def without_parents(structures: Sequence[Structure], operator: str) -> Proposed:
        """All made by one operator, of nobody."""
        count = len(structures)
        return Proposed(structures, (operator,) * count, torch.full((count, 2), NOBODY, dtype=torch.int64))


class ArchitectureSearch(aiga.Plugin):
    """What the searches share: all but what is proposed, and who leaves.

    Proposals that other plugins make pass the screens untouched; those for the same environment and network are trials too.
    A forecast chooses only while it is above chance; see :class:`aiga.forecasts.Trust`.

    Attributes:
        trials: so far.
        trust: in the forecast.
    """

    Options: ClassVar[type[SearchOptions]] = SearchOptions
    options: Any
    state_version: ClassVar[int] = 2
    pillar = "architectures"

    def __init__(self, options: Any = None) -> None:
        super().__init__(options)
        given = self.options
        self.trials = Trials(given.trials)
        self.trust = Trust(
            given.forecast_keep, given.forecast_sample, given.forecast_window, given.forecast_least, given.forecast_level
        )
        self._proposed = 0
        # By hash of the kind, within an iteration; forecasts, with what each stands for, of those that went on, in order.
        self._choices: dict[str, Mapping[str, Any]] = {}
        self._forecast: dict[str, list[tuple[float, float]]] = {}

    @abstractmethod
    def propose(self, site: Site, residents: Residents, rng: aiga.Stream) -> Proposed:
        """Architectures to try.

        Args:
            site: where.
            residents: who lives there.
            rng: with a row key for each that is asked for; fewer may be proposed.
        """

    @abstractmethod
    def leaving(self, residents: Residents, scores: Tensor) -> Tensor:
        """``[R]`` int64 keys of residents to retire when others with these ``[A]`` scores are admitted."""

    def notice(self) -> list[str]:
        """What is set in vain."""
        if not (idle := self.options.idle):
            return []
        what = f"{' and '.join(idle)} {'has' if len(idle) == 1 else 'have'} no effect without forecast"
        return [f'{what}. Name the optimiser that shall forecast, such as forecast = "{self.options.optimiser}".']

    def check(self, plan: aiga.Plan) -> None:
        """There must be one environment, one network with a space, and the optimisers that are named."""
        if plan.niches != 1 or len(plan.networks) != 1:
            raise aiga.InputError(
                f"[population]: {self.name} searches architectures of one network in one environment, found niches = "
                f"{plan.niches} and the networks {', '.join(plan.networks)}. Write niches = 1 and one of the networks."
            )
        ((name, network),) = plan.networks.items()
        if not hasattr(network, "space"):
            raise aiga.InputError(f"[population] networks: {no_space(name)}")
        for key in ("optimiser", "forecast"):
            if not (wanted := getattr(self.options, key)):
                continue
            try:
                found: Any = optimiser_of(plan.component, wanted)
            except aiga.InputError as error:
                raise aiga.InputError(f"[plugins.{self.name}.options] {key}: {error}") from error
            if hasattr(found, "check"):
                found.check(plan.domain)

    def standing(self, lab: aiga.Lab) -> aiga.Standing:
        """It searches where it owns ``select``: another owner scores no trial."""
        if (owner := lab.slots["select"]) != self.name:
            return aiga.Standing(False, f"{owner} owns select, so that no trial is scored")
        best = "none has a score yet" if self.trials.best is None else f"best {self.trials.best:.4g}"
        count = self.trials.count
        words = f"{count:,} trial{'s' * (count != 1)}, {best}, {self.trials.failed:,} failed"
        if self.options.forecast:
            words += f"; forecasts by {self.options.forecast}: {self.trust.words}"
            words += "" if self.options.forecast_keep < 1.0 else "; with forecast_keep 1 they are judged and reject nothing"
        return aiga.Standing(True, words)

    def state_dict(self) -> dict[str, Any]:
        return {"proposed": self._proposed, "trials": self.trials.state_dict(), "trust": self.trust.state_dict()}

    def load_state_dict(self, state: dict[str, Any], version: int) -> None:
        self._proposed, self._choices, self._forecast = state["proposed"], {}, {}
        self.trials.load_state_dict(state["trials"])
        if version > 1:  # before, nobody asked what forecasts were worth
            self.trust.load_state_dict(state["trust"])

    def aiga_register(self, registry: aiga.Registry) -> None:
        if self.options.forecast:
            registry.screen(f"{self.name}.forecast", self.screen_forecast, aiga.Cost.SURROGATE)
        registry.screen(f"{self.name}.train", self.screen_train, aiga.Cost.REAL)

    def aiga_generate(self, lab: aiga.Lab) -> Pairs:
        site = Site.of(lab)
        numbers = torch.arange(self._proposed + 1, self._proposed + self.options.batch + 1)
        made = self.propose(site, Residents.of(lab.niches), lab.rng("propose").rows(numbers))
        count = len(made.structures)
        self._proposed += count
        agents, agent = site.newborns(lab.rng("newborn").rows(numbers[:count]), lab.domain, made.structures)
        hashes = [kind.hash for kind in kinds_of(agents.in_order(agent))]
        self._choices, self._forecast = dict(zip(hashes, made.choices or [{}] * count, strict=True)), {}
        nobody = torch.full((count, 2), NOBODY, dtype=torch.int64)
        here = torch.zeros(count, dtype=torch.int64)
        return Pairs(site.envs, agents, here, agent, nobody, made.parents, tuple(made.operators))

    def screen_forecast(self, lab: aiga.Lab, pairs: Pairs) -> aiga.Screened:
        """Lets those through that do best on validation examples after a few steps; none of these steps is kept.

        Some that do worse go on all the same, and where the forecast is not above chance lots choose. One proposal by itself
        goes on unasked.
        """
        rows = self._own(pairs)
        if len(rows) < 2:
            return aiga.Screened(pairs, rows[:0], ())
        tried = trained(lab, pairs.take(rows), self.options.forecast, self.options.forecast_steps)
        fitness = lab.evaluate(tried, purpose="forecast").fitness.cpu().double()
        fitness = torch.where(fitness.isfinite(), fitness, torch.nan)
        rng = lab.rng("forecast").rows(pairs.agents.hashes[pairs.agent[rows]])
        chosen = self.trust.choose(rng, fitness, torch.zeros_like(rows))
        hashes = [kind.hash for kind in kinds_of(pairs.agents)]
        mine = [hashes[agent] for agent in pairs.agent[rows].tolist()]
        for place in torch.nonzero(chosen.on).flatten().tolist():
            self._forecast.setdefault(mine[place], []).append((float(fitness[place]), float(chosen.weight[place])))
        out = torch.nonzero(~chosen.on).flatten()
        reasons = tuple(f"architecture {mine[place]}: {chosen.reasons[place]}" for place in out.tolist())
        stay = torch.ones(len(pairs), dtype=torch.bool)
        stay[rows[out]] = False
        return aiga.Screened(pairs.take(torch.nonzero(stay).flatten()), rows[out], reasons)

    def screen_train(self, lab: aiga.Lab, pairs: Pairs) -> aiga.Screened:
        """Gives each proposal its trained agent; rejects none."""
        rows = self._own(pairs)
        nothing = torch.empty(0, dtype=torch.int64)
        if not len(rows):
            return aiga.Screened(pairs, nothing, ())
        done = trained(lab, pairs.take(rows), self.options.optimiser, self.options.steps)
        others = torch.ones(len(pairs), dtype=torch.bool)
        others[rows] = False
        rest = torch.nonzero(others).flatten()
        joined = Pairs.join(pairs.take(rest), done)
        return aiga.Screened(joined.take(torch.cat([rest, rows]).argsort()), nothing, ())

    def aiga_select(self, lab: aiga.Lab, pairs: Pairs, scores: Scores) -> Verdict:
        """Admits every architecture that has a score, under the number of its trial; learns what forecasts were worth."""
        site, kinds = Site.of(lab), kinds_of(pairs.agents)
        here = site.here(pairs)
        number = torch.where(here, here.cumsum(0) + self.trials.count, NOBODY)
        size, mine = parameters(pairs.agents), [kinds[agent] for agent in pairs.agent.tolist()]
        fitness = scores.fitness.cpu()
        made, reasons = list[Trial](), list[str]()
        for row, kind in enumerate(mine):
            if not here[row]:
                reasons.append(f"architectures of {site.name} are searched in environment {int(site.envs.ids[0])} alone")
                continue
            sound = bool(scores.ok[row])
            why = "" if sound else str(scores.reasons.get(row, "it has no score"))
            choices = self._choices.get(kind.hash, {})
            made.append(Trial(int(number[row]), kind.structure, float(fitness[row]) if sound else None, why, choices))
            count = int(size[pairs.agent[row]])
            reasons.append(why and f"trial {int(number[row])}, architecture {kind.hash} of {count} parameters: {why}")
        self.trials.add(made)
        admit = here & scores.ok
        forecast, weight = self._forecasts([kind.hash for kind in mine])
        self.trust.tell(forecast, torch.where(admit, fitness, torch.nan), weight, torch.zeros_like(number))
        notes = {
            "structure": [dict(kind.structure) for kind in mine],
            "structure_hash": [kind.hash for kind in mine],
            "parameters": size[pairs.agent].tolist(),
            "forecast": [value if value == value else None for value in forecast.tolist()],
            "forecast_weight": [value or None for value in weight.tolist()],
        }
        return Verdict(admit, number, self._retired(lab, fitness[admit]), reasons, notes)

    def aiga_accept(self, lab: aiga.Lab, offers: Offers, scores: Scores) -> Tensor:
        """None: an architecture's score is that of the agent which was trained for it."""
        return torch.zeros(len(offers), dtype=torch.bool)

    def aiga_metrics(self, lab: aiga.Lab) -> dict[str, float]:
        """``trials``, how many of them ``failed``, ``best`` score so far, and the mean ``parameters`` of who lives.

        With a forecast how it stands, see :meth:`aiga.forecasts.Trust.metrics`.
        """
        size = parameters(lab.niches.agents).double()
        out = {"trials": float(self.trials.count), "failed": float(self.trials.failed), "parameters": float(size.mean())}
        if self.trials.best is not None:
            out["best"] = self.trials.best
        return {**out, **self.trust.metrics()} if self.options.forecast else out

    def _own(self, pairs: Pairs) -> Tensor:
        """Rows that this plugin proposed in this iteration."""
        mine = torch.tensor([kind.hash in self._choices for kind in kinds_of(pairs.agents)], dtype=torch.bool)
        return torch.nonzero(mine[pairs.agent]).flatten()

    def _forecasts(self, hashes: Sequence[str]) -> tuple[Tensor, Tensor]:
        """``[P]`` float64 forecasts of rows of these kinds, NaN where there is none, and what each stands for.

        Of a kind of which not all that went on came here nobody can tell which is which.
        """
        here, left = Counter(hashes), {kind: list(several) for kind, several in self._forecast.items()}
        forecast, weight = torch.full((len(hashes),), torch.nan, dtype=torch.float64), torch.zeros(len(hashes)).double()
        for row, kind in enumerate(hashes):
            if here[kind] == len(self._forecast.get(kind, ())):
                forecast[row], weight[row] = left[kind].pop(0)
        return forecast, weight

    def _retired(self, lab: aiga.Lab, scores: Tensor) -> Tensor:
        """Who leaves, and with the first that is admitted whom the run was founded with."""
        residents = Residents.of(lab.niches)
        founders = lab.niches.key[lab.niches.born == 0]
        founders = founders if len(scores) or len(residents) else founders[:0]
        return torch.cat([founders, self.leaving(residents, scores)])


def all_but_the_best(residents: Residents, scores: Tensor, best: int) -> Tensor:
    """``[R]`` int64 keys of residents that are not among the ``best`` of all; of equal ones the older is better."""
    order = torch.cat([residents.scores, scores]).argsort(descending=True, stable=True)
    out = order[best:]
    return residents.keys[out[out < len(residents)].sort().values]
