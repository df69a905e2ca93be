"""``gtn-niches``: each niche's teacher screens new architectures, and hands its agent's skill to others.

Such et al. (2020) judge an architecture by what a few steps on generated data make of it. Here the data are meta-learned on
what the niche's own agent does, so that a newborn of any architecture can do likewise after a few steps; and as agents move
between niches, so do their skills, into architectures that are at home there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

import torch
from torch import Tensor

import aiga
from aiga.crossing import onto
from aiga.data import NOBODY, Kind, Offers, Pairs, Population
from aiga.forecasts import Trust
from aiga.newborns import newborns
from aiga.streams import combine
from aiga.threads import threads
from aiga_gtn.niches import doings, rounds
from aiga_gtn.niches.architectures import MUTANT, RANDOM, networks_of, proposed
from aiga_gtn.niches.contest import Trial, contest
from aiga_gtn.niches.options import GtnNichesOptions
from aiga_gtn.niches.teachers import Teachers
from aiga_gtn.niches.teaching import taught

TAUGHT = "taught"


class GtnNiches(aiga.Plugin):
    """Trains a teacher a niche, proposes architectures, forecasts what they are worth, and offers taught agents.

    Forecasts choose only while they are above chance; see :class:`aiga.forecasts.Trust`.
    """

    name: ClassVar[str] = "gtn-niches"
    Options: ClassVar[type[GtnNichesOptions]] = GtnNichesOptions
    options: GtnNichesOptions
    pillar: ClassVar[str] = "architectures"

    def __init__(self, options: Any = None) -> None:
        super().__init__(options)
        given = self.options
        self._trust = Trust(given.keep, given.sample, given.window, given.least, given.level)
        self._teachers: Teachers | None = None
        self._imitation, self._failed, self._offers = float("nan"), 0, 0
        # Of this iteration: by hash of an agent its niche's key; and then forecast, weight and key.
        self._newborn: dict[int, int] = {}
        self._waiting: dict[int, tuple[float, float, int]] = {}

    def standing(self, lab: aiga.Lab) -> aiga.Standing:
        """It acts where architectures can be searched, and be it that lots choose among them."""
        if not self._networks(lab):
            return aiga.Standing(
                False, "no niche's agent is of a network whose architecture is searched: name parts of it in the option search"
            )
        count = len(lab.niches.agents.batches)
        kinds = f"{count:,} architecture{'s' * (count != 1)} among {len(lab.niches):,} niches"
        return aiga.Standing(True, f"{kinds}; {self._trust.words}")

    def state_dict(self) -> dict[str, Any]:
        teachers = {} if self._teachers is None else self._teachers.state_dict()
        numbers = {"imitation": self._imitation, "failed": self._failed, "offers": self._offers}
        return {"teachers": teachers, "trust": self._trust.state_dict(), **numbers}

    def load_state_dict(self, state: dict[str, Any], version: int) -> None:
        self._teachers = Teachers(**state["teachers"]) if state["teachers"] else None
        self._trust.load_state_dict(state["trust"])
        self._imitation, self._failed, self._offers = state["imitation"], state["failed"], state["offers"]
        self._newborn, self._waiting = {}, {}

    def check(self, plan: aiga.Plan) -> None:
        """Networks that the option names must be there, and have a space."""
        networks_of(plan.component, self.options.networks, plan.networks)

    def aiga_register(self, registry: aiga.Registry) -> None:
        registry.screen("gtn-niches.forecast", self.screen_forecast, aiga.Cost.SURROGATE)
        registry.screen("gtn-niches.trial", self.screen_trial, aiga.Cost.REAL)

    def aiga_generate(self, lab: aiga.Lab) -> Pairs | None:
        """Trains teachers where it is time to, and proposes architectures where it is."""
        self._newborn, self._waiting = {}, {}
        networks = self._networks(lab)
        if not len(lab.niches) or not networks:
            return None
        if self._due(lab, self.options.train_every):
            with threads(self.options.threads):
                self._learn(lab, networks)
        if not self._due(lab, self.options.propose_every):
            return None
        pairs, keys = proposed(lab, self._able(lab), networks, self.options.candidates)
        hashes = pairs.agents.hashes[pairs.agent]
        self._newborn = dict(zip(hashes.tolist(), keys.tolist(), strict=True))
        return pairs

    def screen_forecast(self, lab: aiga.Lab, pairs: Pairs) -> aiga.Screened:
        """Teaches what this plugin proposed, and lets those through, as they are then, that do most as their niche's agent."""
        hashes = _own(pairs)
        key = torch.full((len(pairs),), NOBODY)
        for place, each in hashes.items():
            key[place] = self._newborn.get(each, NOBODY)
        rows = torch.nonzero(key != NOBODY).flatten()
        if not len(rows) or self._teachers is None:
            return aiga.Screened(pairs, rows[:0], ())
        agents, row = pairs.agents.take(pairs.agent[rows])
        agents = agents.in_order(row)
        with threads(self.options.threads):
            done, off = self._teach(lab, agents, key[rows], forecast=True)
        known_as = torch.tensor([hashes[row] for row in rows.tolist()])
        chosen = self._trust.choose(lab.rng("forecast").rows(known_as), -off, key[rows])
        on = torch.nonzero(chosen.on).flatten()
        went = done.hashes[on].tolist()
        known = zip((-off[on]).tolist(), chosen.weight[on].tolist(), key[rows[on]].tolist(), strict=True)
        self._waiting = dict(zip(went, known, strict=True))
        out = torch.nonzero(~chosen.on).flatten()
        rest = torch.nonzero(key == NOBODY).flatten()
        through = pairs.take(rows[on])
        passed = Pairs(
            through.envs, done, through.env, on, through.env_parents, through.agent_parents, through.operator
        ).compact()
        reasons = tuple(chosen.reasons[i] for i in out.tolist())
        return aiga.Screened(Pairs.join(pairs.take(rest).compact(), passed), rows[out], reasons)

    def screen_trial(self, lab: aiga.Lab, pairs: Pairs) -> aiga.Screened:
        """Lets those of them through that are surely above who lives there; what forecasts were worth is learnt here."""
        hashes = _own(pairs)
        rows = torch.tensor([row for row, each in hashes.items() if each in self._waiting], dtype=torch.int64)
        if not len(rows):
            return aiga.Screened(pairs, rows, ())
        known = zip(*(self._waiting[hashes[row]] for row in rows.tolist()), strict=True)
        forecast, weight, key = known
        tried = self._tuned(lab, pairs.take(rows).compact())
        keys = torch.tensor(key)
        trial = self._contest(lab, tried, lab.niches.rows(keys))
        self._trust.tell(_doubles(forecast), trial.score, _doubles(weight), keys)
        rest = torch.ones(len(pairs), dtype=torch.bool)
        rest[rows] = False
        won, lost = (torch.nonzero(each).flatten() for each in (trial.wins, ~trial.wins))
        reasons = tuple(trial.complaint(row) for row in lost.tolist())
        through = Pairs.join(pairs.take(torch.nonzero(rest).flatten()).compact(), tried.take(won).compact())
        return aiga.Screened(through, rows[lost], reasons)

    def aiga_transfer(self, lab: aiga.Lab) -> Offers | None:
        """Offers each niche the best of the newborns of its own architecture that other niches' teachers taught.

        Only niches whose agents have another architecture teach it: between equal ones the agent itself can move.
        """
        able, every = self._able(lab), self.options.transfer_every
        if not every or not len(able) or not self._due(lab, every):
            return None
        niches = lab.niches
        hashes = [batch.kind.hash for batch in niches.agents.batches for _ in range(len(batch))]
        kind = [hashes[agent] for agent in niches.agent.tolist()]
        kinds = [batch.kind for batch in niches.agents.batches for _ in range(len(batch))]
        ways = [(a, b) for b in range(len(niches)) for a in able.tolist() if kind[a] != kind[b]]
        if not ways:
            return None
        source, target = torch.tensor(ways).unbind(1)
        wanted: list[Kind] = [kinds[agent] for agent in niches.agent[target].tolist()]
        rng = lab.rng("transfer").rows(combine(niches.key[source], niches.key[target]))
        networks = lambda name: lab.component("network", name)  # noqa: E731
        agents, row = newborns(networks, wanted, rng, lab.domain.inputs, lab.domain.outputs)
        agents = agents.to(niches.agents.batches[0].device).in_order(row)
        with threads(self.options.threads):
            done, _ = self._teach(lab, agents, niches.key[source])
        tried = Pairs.of(niches.envs, done.with_ids(niches.agent_ids[source]), niches.env[target], torch.arange(len(source)))
        return self._offered(lab, self._tuned(lab, tried), target)

    def aiga_metrics(self, lab: aiga.Lab) -> dict[str, float]:
        """How forecasts stand, see :meth:`aiga.forecasts.Trust.metrics`; ``teachers``, and how many are ``able``.

        And ``imitation``, how far learners were from doing as their niches' agents at the end of the last round, a mean over
        teachers; how often a teacher stayed as it was because a learner ``failed``; and taught ``offers``.
        """
        able = 0 if self._teachers is None else int((self._teachers.age >= self.options.apprenticeship).sum())
        count = 0 if self._teachers is None else len(self._teachers)
        out = {"teachers": float(count), "able": float(able), "failed": float(self._failed), "offers": float(self._offers)}
        if self._imitation == self._imitation:
            out["imitation"] = self._imitation
        return {**out, **self._trust.metrics()}

    def _networks(self, lab: aiga.Lab) -> dict[str, aiga.Network]:
        return networks_of(lab.component, self.options.networks, (batch.kind.component for batch in lab.niches.agents.batches))

    def _due(self, lab: aiga.Lab, every: int) -> bool:
        return lab.iteration > 0 and lab.iteration % every == 0

    def _able(self, lab: aiga.Lab) -> Tensor:
        """``[M]`` int64 rows of the niches whose teacher has learnt long enough."""
        if self._teachers is None:
            return torch.empty(0, dtype=torch.int64)
        rows = lab.niches.rows(self._teachers.keys[self._teachers.age >= self.options.apprenticeship])
        return rows[rows >= 0].sort().values

    def _learn(self, lab: aiga.Lab, networks: dict[str, aiga.Network]) -> None:
        """A round of meta-learning; niches without a teacher get one, and those that are gone lose theirs."""
        niches, options = lab.niches, self.options
        done = self._lived(lab, "record", options.recorded)
        old = None
        if self._teachers is not None:
            # What a checkpoint held is on the host.
            old = self._teachers.take(_places(niches.key, self._teachers.keys)).to(done.reward.device)
        fresh = niches.key if old is None else niches.key[~torch.isin(niches.key, old.keys)]
        if len(fresh):
            rng = lab.rng("teacher").rows(fresh)
            new = Teachers.born(options, fresh, done.of(onto(niches.rows(fresh), done.reward.device)), rng)
            old = new if old is None else Teachers.join(old, new)
        assert old is not None, "there is a niche, and so a teacher"
        mine = done.of(onto(niches.rows(old.keys), done.reward.device))
        self._teachers, off, failed, cost = rounds.learnt(options, old, mine, networks, lab.domain, lab.rng("learn"))
        self._failed += failed
        self._imitation = float(off.nanmean())
        lab.meter.count(dict(cost), "learn")

    def _lived(self, lab: aiga.Lab, purpose: str, lives: int) -> doings.Doings:
        """What all niches' agents do in so many lives of each."""
        niches = lab.niches
        seeds = lab.rng(purpose).rows(niches.envs.hashes[niches.env]).words(lives)
        done, cost = doings.lived(lab, seeds, self.options.horizon)
        lab.meter.count(dict(cost), purpose)
        return done

    def _teach(self, lab: aiga.Lab, agents: Population, keys: Tensor, forecast: bool = False) -> tuple[Population, Tensor]:
        """Newborn agents taught by the teachers of these niches; and how far each is from what its niche's agent does.

        Args:
            lab: the run.
            agents: ``P`` of them.
            keys: ``[P]`` int64, one an agent.
            forecast: whether to say how far; else NaN.
        """
        assert self._teachers is not None, "nobody is taught without a teacher"
        options, niches = self.options, lab.niches
        teachers = self._teachers.to(niches.agents.batches[0].device)
        real = options.lessons == "lives" or forecast
        done = self._lived(lab, "forecast", options.forecast_lives) if real else None
        row = _places(keys, teachers.keys, every=True)
        rows, device = niches.rows(teachers.keys), teachers.centre.device
        kept = torch.nonzero(rows >= 0).flatten()
        teachers, row = teachers.take(kept), (torch.cumsum(rows >= 0, 0) - 1)[row]
        mine = None if done is None else done.of(onto(rows[kept], device))
        with torch.no_grad():
            flat = aiga.data.flatten(teachers.leaves)
            shown = rounds.lessons(options, teachers, flat, mine, lab.domain, lab.rng("stretches"))
        on = onto(row, device)
        networks = lambda name: lab.component("network", name)  # noqa: E731
        compared = mine.of(on) if mine is not None and forecast else None
        seen = options.steps * options.batch * options.length + (0 if compared is None else compared.alive[:, 0].numel())
        lab.meter.count({"gradient_steps": len(agents) * options.steps, "examples": len(agents) * seen}, "teach")
        return taught(agents, shown.of(on), networks, lab.domain, compared)

    def _tuned(self, lab: aiga.Lab, pairs: Pairs) -> Pairs:
        """The same pairs after some steps of the run's optimiser, each with an agent of its own."""
        if not self._tunes(lab):
            return pairs
        ids = pairs.agents.ids[pairs.agent]
        agents = lab.improve(pairs, self.options.tune, purpose="tune").with_ids(ids)
        return replace(pairs, agents=agents, agent=torch.arange(len(pairs)))

    def _tunes(self, lab: aiga.Lab) -> bool:
        return self.options.tune > 0 and lab.slots["improve"] != "none"

    def _contest(self, lab: aiga.Lab, tried: Pairs, niche: Tensor) -> Trial:
        """Taught agents beside who lives in these niches."""
        return contest(lab, tried, niche, self.options.episodes, self.options.sure, self._tunes(lab))

    def _offered(self, lab: aiga.Lab, tried: Pairs, target: Tensor) -> Offers | None:
        """Of each target the best of those that are surely above who lives there."""
        trial = self._contest(lab, tried, target)
        rows = torch.nonzero(trial.best(target)).flatten()
        self._offers += len(rows)
        if not len(rows):
            return None
        agents, agent = tried.agents.take(tried.agent[rows])
        return Offers(agents, agent, lab.niches.key[target[rows]], (TAUGHT,) * len(rows), trial.score[rows])


def _own(pairs: Pairs) -> dict[int, int]:
    """Hashes of agents by row, of those rows alone that may be of this plugin: the host waits for no other agent's."""
    rows = torch.tensor([row for row, word in enumerate(pairs.operator) if word in (MUTANT, RANDOM)], dtype=torch.int64)
    agents, place = pairs.agents.take(pairs.agent[rows])
    return dict(zip(rows.tolist(), agents.hashes[place].tolist(), strict=True))


def _doubles(numbers: Sequence[float]) -> Tensor:
    return torch.tensor(numbers, dtype=torch.float64)


def _places(keys: Tensor, known: Tensor, every: bool = False) -> Tensor:
    """``[K]`` int64: where ``keys`` stand among ``known``; those that do not are left out, unless every one must."""
    match = keys[:, None] == known[None, :]
    found = match.any(dim=1)
    assert not every or bool(found.all()), "a niche has a teacher"
    return match[found].to(torch.int64).argmax(dim=1)
