"""A search over architectures as a plugin: it proposes newborn agents, trains them, admits all that have a score.

Every architecture that was tried is an agent in one and the same environment, a niche under the number of its trial. Structure,
score and snapshot come of one row: what the journal says of a trial is what was scored.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor

import aiga
from aiga.components import Structure
from aiga.data import NOBODY, Offers, Pairs, Scores, Verdict
from aiga_search.options import SearchOptions
from aiga_search.site import Residents, Site, kinds_of
from aiga_search.training import parameters, trained
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
    """

    Options: ClassVar[type[SearchOptions]] = SearchOptions
    options: Any
    pillar = "architectures"

    def __init__(self, options: Any = None) -> None:
        super().__init__(options)
        self.trials = Trials(self.options.trials)
        self._proposed = 0
        self._choices: dict[str, Mapping[str, Any]] = {}  # by hash of the kind, within an iteration

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

    def standing(self, lab: aiga.Lab) -> aiga.Standing:
        """It searches where it owns ``select``: another owner scores no trial."""
        if (owner := lab.slots["select"]) != self.name:
            return aiga.Standing(False, f"{owner} owns select, so that no trial is scored")
        best = "none has a score yet" if self.trials.best is None else f"best {self.trials.best:.4g}"
        count = self.trials.count
        return aiga.Standing(True, f"{count:,} trial{'s' * (count != 1)}, {best}, {self.trials.failed:,} failed")

    def state_dict(self) -> dict[str, Any]:
        return {"proposed": self._proposed, "trials": self.trials.state_dict()}

    def load_state_dict(self, state: dict[str, Any], version: int) -> None:
        self._proposed, self._choices = state["proposed"], {}
        self.trials.load_state_dict(state["trials"])

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
        self._choices = dict(zip(hashes, made.choices or [{}] * count, strict=True))
        nobody = torch.full((count, 2), NOBODY, dtype=torch.int64)
        here = torch.zeros(count, dtype=torch.int64)
        return Pairs(site.envs, agents, here, agent, nobody, made.parents, tuple(made.operators))

    def screen_forecast(self, lab: aiga.Lab, pairs: Pairs) -> aiga.Screened:
        """Lets those through that do best on validation examples after a few steps; none of these steps is kept."""
        rows = self._own(pairs)
        keep = -(-len(rows) * self.options.forecast_keep // 1)
        if len(rows) <= keep:
            return aiga.Screened(pairs, rows[:0], ())
        tried = trained(lab, pairs.take(rows), self.options.forecast, self.options.forecast_steps)
        fitness = torch.nan_to_num(lab.evaluate(tried, purpose="forecast").fitness.cpu(), nan=-torch.inf)
        place = fitness.argsort(descending=True, stable=True).argsort()
        out = torch.nonzero(place >= keep).flatten()
        kinds = kinds_of(pairs.agents)
        reasons = tuple(
            f"architecture {kinds[agent].hash}: forecast {score:g}, place {number} of {len(rows)}"
            for agent, score, number in zip(
                pairs.agent[rows[out]].tolist(), fitness[out].tolist(), (place[out] + 1).tolist(), strict=True
            )
        )
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
        """Admits every architecture that has a score, under the number of its trial."""
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
        notes = {
            "structure": [dict(kind.structure) for kind in mine],
            "structure_hash": [kind.hash for kind in mine],
            "parameters": size[pairs.agent].tolist(),
        }
        return Verdict(admit, number, self._retired(lab, fitness[admit]), reasons, notes)

    def aiga_accept(self, lab: aiga.Lab, offers: Offers, scores: Scores) -> Tensor:
        """None: an architecture's score is that of the agent which was trained for it."""
        return torch.zeros(len(offers), dtype=torch.bool)

    def aiga_metrics(self, lab: aiga.Lab) -> dict[str, float]:
        """``trials``, how many of them ``failed``, ``best`` score so far, and the mean ``parameters`` of who lives."""
        size = parameters(lab.niches.agents).double()
        out = {"trials": float(self.trials.count), "failed": float(self.trials.failed), "parameters": float(size.mean())}
        return out if self.trials.best is None else {**out, "best": self.trials.best}

    def _own(self, pairs: Pairs) -> Tensor:
        """Rows that this plugin proposed in this iteration."""
        mine = torch.tensor([kind.hash in self._choices for kind in kinds_of(pairs.agents)], dtype=torch.bool)
        return torch.nonzero(mine[pairs.agent]).flatten()

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
