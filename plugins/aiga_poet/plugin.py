"""POET, the Paired Open-Ended Trailblazer: the plugin's hooks in the order of the loop."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from aiga import Cost, Domain, Lab, Offers, Pairs, Plugin, Population, Registry, Scores, Screened, Standing, Verdict
from aiga_poet.admission import archived_best, best_agents
from aiga_poet.criterion import MinimalCriterion
from aiga_poet.novelty import novelty
from aiga_poet.options import PoetOptions, deviations, misfits
from aiga_poet.reproduction import describe, eligible, reproduce, twins
from aiga_poet.transfer import offer_best


class Poet(Plugin):
    """Owner of ``select``; generates, screens, admits, retires and transfers as in arXiv 1901.01753.

    A reproduction sends its children through three screens: ``poet.duplicates`` (free), ``poet.criterion`` (the parent's agent
    is inside the minimal criterion) and ``poet.best`` (in order of novelty, the best agent that exists is inside it again). A
    best of many looks better than it is, so ``select`` holds the core's score on fresh seeds against the criterion once more.

    Proposals that other plugins make for active niches' environments pass the screens untouched.
    """

    name = "poet"
    Options: ClassVar[type[PoetOptions]] = PoetOptions
    needs = ("initial", "mutate", "describe", "distance")
    pillar = "environments"
    options: PoetOptions

    def __init__(self, options: PoetOptions | None = None) -> None:
        super().__init__(options)
        self.criterion = MinimalCriterion(*self.options.minimal_criterion)
        self._totals: Counter[str] = Counter()
        self._novelty: float | None = None  # mean over the last admission
        self._notes: dict[int, dict[str, Any]] = {}  # by environment id, from screen to select of one iteration

    def notice(self) -> list[str]:
        """What differs from the paper, and by how much."""
        return deviations(self.options)

    def advice(self, domain: Domain) -> list[str]:
        """That nothing, or nothing worth inventing, can come of bounds which are made for another domain's scores."""
        return misfits(self.options, domain.solved)

    def standing(self, lab: Lab) -> Standing:
        """It invents environments, be it that nobody may be a parent yet; for another owner of ``select`` it admits none."""
        if (owner := lab.slots["select"]) != self.name:
            return Standing(False, f"{owner} owns select, and decides what is admitted")
        above, count, admitted = self.options.reproduce_above, len(lab.niches), self._totals["admitted"]
        parents = len(eligible(lab.niches.score, above))
        now = f"{parents:,} may reproduce" if parents else f"waits: no niche scores {above:g} yet"
        return Standing(True, f"{count:,} niche{'s' * (count != 1)}, {admitted:,} admitted, {now}")

    def state_dict(self) -> dict[str, Any]:
        return {"totals": dict(self._totals), "novelty": self._novelty}

    def load_state_dict(self, state: dict[str, Any], version: int) -> None:
        self._totals = Counter(state["totals"])
        self._novelty = state["novelty"]
        self._notes = {}

    def aiga_register(self, registry: Registry) -> None:
        registry.screen("poet.duplicates", self.screen_duplicates, Cost.FREE)
        registry.screen("poet.criterion", self.screen_criterion, Cost.REAL)
        registry.screen("poet.best", self.screen_best, Cost.REAL)

    def aiga_generate(self, lab: Lab) -> Pairs | None:
        self._notes = {}
        if not _due(lab.iteration, self.options.reproduce_every):
            return None
        parents = eligible(lab.niches.score, self.options.reproduce_above)
        if not len(parents):
            return None
        self._totals.update(reproductions=1, children=self.options.children)
        return reproduce(lab, parents, self.options.children)

    def screen_duplicates(self, lab: Lab, pairs: Pairs) -> Screened:
        """Drops environments that repeat an earlier row, an active niche or anything ever admitted; seeds do not count."""
        rows = _newcomers(lab, pairs)
        twin = _over(twins, lab, pairs, rows)
        self._totals["duplicates"] += int((twin >= 0).sum())
        reasons = {r: f"repeats environment {t}" for r, t in zip(rows.tolist(), twin.tolist(), strict=True) if t >= 0}
        return _screened(pairs, reasons)

    def screen_criterion(self, lab: Lab, pairs: Pairs) -> Screened:
        """Drops environments that are too hard or too easy for the agent they come with, the parent's."""
        rows = _newcomers(lab, pairs)
        if not len(rows):
            return _screened(pairs, {})
        scores = lab.evaluate(pairs.take(rows).compact(), episodes=self.options.episodes, purpose="criterion")
        meets, fitness = self.criterion.meets(scores), scores.fitness.cpu()
        self._totals.update(
            failed=int((~scores.ok).sum()),
            too_hard=int((scores.ok & (fitness < self.criterion.low)).sum()),
            too_easy=int((scores.ok & (fitness > self.criterion.high)).sum()),
            passed_criterion=int(meets.sum()),
        )
        out = torch.nonzero(~meets).flatten().tolist()
        return _screened(pairs, {int(rows[i]): self.criterion.complaint(scores, i, "the parent's agent") for i in out})

    def screen_best(self, lab: Lab, pairs: Pairs) -> Screened:
        """Lets the most novel environments through whose best agent is inside the criterion, each with that agent.

        The outcome is that of trying one child after the other until ``admit`` have passed. They are tried in waves, each twice
        as large as the one before, so that however many fail, the calls are few.
        """
        rows = _newcomers(lab, pairs)
        if not len(rows):
            return _screened(pairs, {})
        options = self.options
        described = _over(describe, lab, pairs, rows)
        new = novelty(described, lab.archive.descriptions.cpu(), options.novelty_k, normalise=options.normalise)
        order = torch.argsort(new, descending=True, stable=True)
        reasons = {int(row): "not among the best" for row in rows}
        winners: list[Pairs] = []
        room, tried, size = min(options.admit, options.capacity), 0, min(options.admit, options.capacity)
        while room and tried < len(order):
            wave = order[tried : tried + size]
            tried, size = tried + len(wave), 2 * size
            best = best_agents(
                lab,
                pairs.take(rows[wave]).compact(),
                steps=options.proposal_steps,
                episodes=options.episodes,
                transfer=options.transfer,
            )
            scores = best.scores.take(best.row)
            meets = self.criterion.meets(scores)
            for i in torch.nonzero(~meets).flatten().tolist():
                reasons[int(rows[wave[i]])] = self.criterion.complaint(scores, i, "best agent")
            passed = torch.nonzero(meets).flatten()[:room]
            if len(passed):
                winners.append(best.pairs.take(best.row[passed]).compact())
                self._note(lab, winners[-1], scores.fitness.cpu()[passed], new[wave[passed]])
            for row in rows[wave[passed]].tolist():
                del reasons[row]
            room -= len(passed)
        self._totals.update(tried_best=tried, passed_best=sum(len(w) for w in winners))
        others = torch.nonzero(~torch.isin(torch.arange(len(pairs)), rows)).flatten()
        through = Pairs.join(pairs.take(others).compact(), *winners)
        return Screened(through, torch.tensor(list(reasons), dtype=torch.int64), tuple(reasons.values()))

    def _note(self, lab: Lab, winners: Pairs, best: Tensor, new: Tensor) -> None:
        """Keeps what the event of an admission shall tell of ``winners``."""
        passed: list[bool | None] = [None] * len(winners)
        if self.options.archive_check:
            top = torch.maximum(best, archived_best(lab, winners, self.options.episodes))
            passed = self.criterion.holds(top).tolist()
        for env, value, check in zip(winners.envs.ids[winners.env].tolist(), new.tolist(), passed, strict=True):
            self._notes[env] = {"novelty": value if value < float("inf") else None, "archive_passed": check}

    def aiga_select(self, lab: Lab, pairs: Pairs, scores: Scores) -> Verdict:
        """Admits what meets the criterion on fresh seeds, in the order given, and retires the oldest past the capacity.

        A niche's key is the id of its environment. No newcomer makes another retire: past the capacity it is not
        admitted. Rows for active environments are left, without a reason, to the transfer phase.
        """
        niches, capacity, key = lab.niches, self.options.capacity, pairs.envs.ids[pairs.env]
        rows = _newcomers(lab, pairs)
        meets = self.criterion.meets(scores)
        admit = torch.zeros(len(pairs), dtype=torch.bool)
        admit[rows[meets[rows]][:capacity]] = True
        reason = [""] * len(pairs)
        for row in rows[~admit[rows]].tolist():
            full = f"no room among {capacity} niches"
            reason[row] = full if bool(meets[row]) else self.criterion.complaint(scores, row, "its agent")
        excess = max(0, len(niches) + int(admit.sum()) - capacity)
        retire = niches.key[torch.argsort(niches.born, stable=True)[:excess]]
        notes = [self._notes.get(env, {}) for env in key.tolist()]
        columns = {name: [note.get(name) for note in notes] for name in ("novelty", "archive_passed")}
        self._count_admitted(admit, columns)
        return Verdict(admit, key, retire, reason, columns)

    def _count_admitted(self, admit: Tensor, columns: dict[str, list[Any]]) -> None:
        rows = torch.nonzero(admit).flatten().tolist()
        values = [columns["novelty"][row] for row in rows if columns["novelty"][row] is not None]
        if values:
            self._novelty = sum(values) / len(values)
        self._totals.update(admitted=len(rows), archive_passed=sum(columns["archive_passed"][row] is True for row in rows))

    def aiga_transfer(self, lab: Lab) -> Offers | None:
        count = len(lab.niches)
        if not self.options.transfer or count < 2 or not _due(lab.iteration, self.options.transfer_every):
            return None
        offers = offer_best(lab, steps=self.options.proposal_steps, episodes=self.options.episodes)
        self._totals.update(transfers_tried=2 * count * (count - 1), offers=0 if offers is None else len(offers))
        return offers

    def aiga_accept(self, lab: Lab, offers: Offers, scores: Scores) -> Tensor:
        accepted = scores.best_above(offers.niche, scores.columns["resident"])
        self._totals.update(offers_decided=len(offers), offers_accepted=int(accepted.sum()))
        return accepted

    def aiga_metrics(self, lab: Lab) -> dict[str, float]:
        """Totals over the run, but for ``eligible_parents`` (now) and ``novelty`` (mean over the last admission)."""
        names = (
            *("reproductions", "children", "duplicates", "failed", "too_hard", "too_easy", "passed_criterion"),
            *("tried_best", "passed_best", "admitted", "transfers_tried", "offers", "offers_accepted"),
        )
        out = {name: float(self._totals[name]) for name in names}
        out["eligible_parents"] = float(len(eligible(lab.niches.score, self.options.reproduce_above)))
        if self._novelty is not None:
            out["novelty"] = self._novelty
        if self._totals["offers_decided"]:
            out["acceptance"] = self._totals["offers_accepted"] / self._totals["offers_decided"]
        if self.options.archive_check:
            out["archive_passed"] = float(self._totals["archive_passed"])
        return out


def _due(iteration: int, every: int) -> bool:
    return iteration > 0 and iteration % every == 0


def _newcomers(lab: Lab, pairs: Pairs) -> Tensor:
    """``[M]`` int64 rows whose environment is none of the active ones."""
    return torch.nonzero(~torch.isin(pairs.envs.ids[pairs.env], lab.niches.env_ids)).flatten()


def _over(function: Callable[[Lab, Population], Tensor], lab: Lab, pairs: Pairs, rows: Tensor) -> Tensor:
    """What ``function`` says of the environments of ``rows``, in the order of ``rows``."""
    envs, where = pairs.envs.take(pairs.env[rows])
    return function(lab, envs)[where]


def _screened(pairs: Pairs, reasons: Mapping[int, str]) -> Screened:
    """``pairs`` without the rows that have a reason."""
    rejected = torch.tensor(list(reasons), dtype=torch.int64)
    kept = torch.nonzero(~torch.isin(torch.arange(len(pairs)), rejected)).flatten()
    return Screened(pairs.take(kept), rejected, tuple(reasons.values()))
