"""Two algorithms far from POET, a page each, that need nothing of the core but its hooks."""

from __future__ import annotations

from pathlib import Path

import support
import torch

import aiga

# Mouret & Clune 2015: a niche is a cell of behaviour space; here the cell is where the agent's answer to its environment falls.
ELITES = '''
    """Varies a random elite; its cell is a column that a wrapper adds to every score."""

    @aiga.wrapper
    def aiga_evaluate(self, lab, pairs):
        scores = yield
        first = torch.cat([flatten(batch.leaves)[:, 0] for batch in pairs.agents.batches])
        return scores.with_columns(cell=(first[pairs.agent] * 20).floor().long())

    def aiga_generate(self, lab):
        niches, rng = lab.niches, lab.rng("vary")
        parents = rng.child("parent").integers(0, len(niches), 8)
        agents, where = niches.agents.take(niches.agent[parents])
        noise = rng.child("noise").rows(torch.arange(8))
        varied = []
        for start, batch in agents.parts():
            flat = flatten(batch.leaves)
            step = rng.child("noise").rows(torch.arange(start, start + len(batch))).normal(flat.shape[1])
            varied.append(aiga.Batch.of(batch.kind, unflatten(flat + 0.1 * step, batch.leaves)))
        envs = niches.envs.take(niches.env[parents])[0]
        new = envs.with_ids(torch.full((len(envs),), -1))
        return aiga.Pairs.of(new, aiga.Population(tuple(varied)), torch.arange(8), where, "vary")

    def aiga_select(self, lab, pairs, scores):
        cells = scores.columns["cell"] + 1000
        held = lab.niches.rows(cells)
        bar = torch.where(held >= 0, lab.niches.score[held.clamp(min=0)], torch.nan)
        admit = scores.best_above(cells, bar)
        start = lab.niches.key[lab.niches.key < 500]  # what the run was founded with is in no cell
        return Verdict(admit, cells, start, ["" if yes else "no better than the elite" for yes in admit.tolist()])

    def aiga_accept(self, lab, offers, scores):
        return torch.zeros(len(offers), dtype=torch.bool)
'''

# OpenAI 2019: one environment, an edge of a box, that is widened while the agent masters it, narrowed while it fails.
RANDOMISATION = '''
    """One niche whose environment is replaced by one further out whenever its agent does well there."""

    def __init__(self, options=None):
        super().__init__(options)
        self.edge = 0.0

    def aiga_generate(self, lab):
        niches = lab.niches
        score = float(niches.score[0])
        self.edge = max(0.0, self.edge + (0.5 if score > 200.0 else -0.25))
        env = niches.envs.batches[0].take(niches.env[:1])
        env = aiga.Batch.of(env.kind, {**env.leaves, "point": torch.full((1, 2), self.edge, dtype=torch.float64)})
        row = torch.zeros(1, dtype=torch.int64)
        return aiga.Pairs.of(aiga.Population((env,)), niches.agents, row, niches.agent, "widen")

    def aiga_select(self, lab, pairs, scores):
        yes = scores.ok
        return Verdict(yes, lab.niches.key[: len(pairs)], lab.niches.key[:0], ["failed"] * len(pairs))

    def aiga_accept(self, lab, offers, scores):
        return scores.best_above(offers.niche, scores.columns["resident"])

    def state_dict(self):
        return {"edge": self.edge}

    def load_state_dict(self, state, version):
        self.edge = state["edge"]
'''
HEAD = "from aiga.data import flatten, unflatten"
BETTER = """
    def aiga_generate(self, lab):
        niches = lab.niches
        improved = lab.improve(niches.pairs(), 1)
        return aiga.Pairs.of(niches.envs, improved, niches.env, torch.arange(len(niches)), "coach")
"""


def test_map_elites_fills_cells_and_replaces_elites_by_better_ones(tmp_path: Path) -> None:
    config = support.bare(slots={"select": "elites"}, plugins={"elites": support.plugin(tmp_path, "elites", ELITES, HEAD)})
    run = aiga.run(config, name="r", runs=tmp_path)
    admitted = [event for event in support.events(run.path, "admitted") if event["iteration"]]
    cells: dict[int, float] = {}
    for event in admitted:
        assert event["score"] > cells.get(event["niche"], -torch.inf)
        cells[event["niche"]] = event["score"]
    assert len(cells) > 3
    replaced = [event for event in support.events(run.path, "retired") if event["replaced"]]
    assert replaced
    assert len(admitted) == len(cells) + len(replaced)
    assert support.events(run.path, "iteration")[-1]["niches"] == len(cells)

    parted = aiga.run(config, name="p", runs=tmp_path, overrides=["run.stop.iterations=5"])
    aiga.resume(parted.path, overrides=["run.stop.iterations=12"])
    support.same(parted.path, run.path)


def test_automatic_domain_randomisation_widens_the_one_niche(tmp_path: Path) -> None:
    config = support.bare(
        population={"networks": ["affine"], "niches": 1},
        slots={"select": "adr", "improve": "es"},
        plugins={
            "adr": support.plugin(tmp_path, "adr", RANDOMISATION, HEAD),
            "es": {"options": {"population": 32, "lr": 0.05}},
        },
    )
    run = aiga.run(config, name="r", runs=tmp_path)
    assert {event["niches"] for event in support.events(run.path, "iteration")} == {1}
    assert all(event["replaced"] for event in support.events(run.path, "retired"))
    ids = [event["env"] for event in support.events(run.path, "admitted")]
    envs, where = run_environments(run, ids)
    edges = envs.batches[0].leaves["point"][where, 0]
    assert float(edges.max()) >= 0.5
    assert len(ids) == 13  # the founder, and one an iteration

    parted = aiga.run(config, name="p", runs=tmp_path, overrides=["run.stop.iterations=5"])
    aiga.resume(parted.path, overrides=["run.stop.iterations=12"])
    support.same(parted.path, run.path)


def run_environments(run: aiga.Run, ids: list[int]) -> tuple[aiga.Population, torch.Tensor]:
    """These environments of a run, and where each is."""
    found = [run.stone(id).genome for id in ids]
    joined, where = aiga.Population.join(*found)
    return joined, torch.cat(where)


def test_agents_proposed_for_active_environments_move_in_where_they_are_better(tmp_path: Path) -> None:
    config = support.bare(
        slots={"improve": "none"},
        run={"stop": {"iterations": 6}},
        plugins={
            "coach": support.plugin(tmp_path, "coach", BETTER.replace("lab.improve(niches.pairs(), 1)", "varied(lab)"), VARIED)
        },
    )
    run = aiga.run(config, name="r", runs=tmp_path)
    tried = support.events(run.path, "transferred")
    assert {event["operator"] for event in tried} == {"coach"}
    assert any(event["accepted"] for event in tried)
    assert all(event["accepted"] == (event["score"] > event["resident_score"]) for event in tried)
    assert len(support.events(run.path, "admitted")) == 2  # the founding alone: an environment that lives is not born again
    assert not support.events(run.path, "rejected")


VARIED = """
from aiga.data import flatten, unflatten


def varied(lab):
    agents = lab.niches.agents
    batches = []
    for start, batch in agents.parts():
        flat = flatten(batch.leaves)
        step = lab.rng("step", start).rows(torch.arange(len(batch))).normal(flat.shape[1])
        batches.append(aiga.Batch.of(batch.kind, unflatten(flat + 0.05 * step, batch.leaves)))
    return aiga.Population(tuple(batches)).in_order(lab.niches.agent)
"""
