"""The lab: seeds, streams, scratch work, stepping stones, and who is charged for what."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import support
import torch

import aiga
from aiga.data import Batch, Pairs, Population, flatten
from aiga.engine import Engine

CONFIG = support.bare(slots={"improve": "es"}, plugins={"es": {"options": {"population": 8, "episodes": 2}}})


@pytest.fixture
def it(tmp_path: Path) -> Iterator[Engine]:
    """A run of two niches of unlike networks, after two iterations."""
    with support.founded(tmp_path, CONFIG, iterations=2) as engine:
        yield engine


def test_two_calls_of_one_purpose_share_their_seeds_whoever_asks_and_in_any_company(it: Engine) -> None:
    pairs = it.w.niches.pairs()
    both = it.w.lab("poet").evaluate(pairs, episodes=3, purpose="compare")
    one = it.w.lab("es").evaluate(pairs.take(torch.tensor([1])), episodes=3, purpose="compare")
    assert torch.equal(both.columns["seeds"][1], one.columns["seeds"][0])
    assert torch.equal(both.columns["returns"][1], one.columns["returns"][0])


def test_another_purpose_iteration_episode_or_environment_draws_fresh_seeds(it: Engine) -> None:
    pairs, lab = it.w.niches.pairs(), it.w.lab("core")
    seeds = [lab.evaluate(pairs, episodes=4, purpose=purpose).columns["seeds"] for purpose in ("one", "other")]
    it.step()
    seeds.append(it.w.lab("core").evaluate(pairs, episodes=4, purpose="one").columns["seeds"])
    assert len(torch.unique(torch.stack(seeds))) == 3 * 2 * 4


def test_seeds_hang_on_what_an_environment_is_never_on_its_id_or_row(it: Engine) -> None:
    pairs, lab = it.w.niches.pairs(), it.w.lab("core")
    renamed = replace(pairs, envs=pairs.envs.with_ids(torch.tensor([77, 78])))
    first = lab.evaluate(pairs, purpose="x").columns["seeds"]
    assert torch.equal(lab.evaluate(renamed, purpose="x").columns["seeds"], first)
    flipped = lab.evaluate(pairs.take(torch.tensor([1, 0])), purpose="x").columns["seeds"]
    assert torch.equal(flipped, first.flip(0))


def test_a_stream_is_keyed_by_plugin_iteration_and_key(it: Engine) -> None:
    keys = [it.w.lab(plugin).rng(*key).key for plugin in ("a", "b") for key in ((), ("x",), ("x", 1), (1, "x"), ("x1",))]
    before = it.w.lab("a").rng("x").key
    assert it.w.lab("a").rng("x").key == before
    it.step()
    keys += [it.w.lab("a").rng("x").key, it.w.lab("a", ("scope",)).rng("x").key]
    assert len(set(keys)) == len(keys)


def test_what_is_remembered_can_be_read_at_once_and_ever_after(it: Engine) -> None:
    agents = it.w.niches.agents
    ids = it.w.lab("core").remember(agents)
    assert len(set(ids.tolist()) | set(it.w.niches.agent_ids.tolist())) == 2 * len(agents)
    for _ in range(2):
        found, where = it.w.archive.agents(ids)
        read, place = found.take(where)
        assert torch.equal(read.in_order(place).hashes, agents.hashes)
        assert set(ids.tolist()) <= set(it.w.archive.agent_ids.tolist())
        it.step()


def test_improve_is_scratch_work_that_keeps_nothing(it: Engine) -> None:
    before = it.w.niches
    state = {kind: {name: leaf.clone() for name, leaf in held.items()} for kind, held in before.state.items()}
    improved = it.w.lab("core").improve(before.pairs(), 2, state="niche")
    assert it.w.niches is before
    assert all(torch.equal(leaf, state[kind][name]) for kind, held in before.state.items() for name, leaf in held.items())
    assert not torch.equal(improved.hashes, before.agents.in_order(before.agent).hashes)


def test_improve_answers_one_row_a_pair_in_their_order_kinds_mixed(it: Engine) -> None:
    pairs = it.w.niches.pairs()
    wanted = torch.tensor([1, 0, 1, 1, 0])
    improved = it.w.lab("core").improve(pairs.take(wanted), 1)
    kinds = [batch.kind for batch in improved.batches for _ in range(len(batch))]
    assert kinds == [it.w.niches.agents.take(it.w.niches.agent[row : row + 1])[0].batches[0].kind for row in wanted.tolist()]
    assert torch.equal(improved.hashes[[0, 2]], improved.hashes[[2, 3]])
    again = it.w.lab("core").improve(pairs.take(wanted[:1]), 1)
    assert torch.equal(again.hashes, improved.hashes[:1])


def test_scratch_work_of_one_purpose_shares_its_noise_and_another_draws_its_own(it: Engine) -> None:
    lab, niches = it.w.lab("core"), it.w.niches
    # Away from the origin, where what a linear agent answers hangs on its weights.
    moved = lab.domain.mutate(lab.rng("moved").rows(torch.arange(2)), niches.envs.take(niches.env)[0].batches[0])
    pairs = Pairs.of(Population((moved.with_ids(torch.tensor([77, 78])),)), niches.agents, torch.arange(2), niches.agent)
    plain, again, best, transfer = (
        lab.improve(pairs, 3, purpose=purpose).hashes for purpose in ("scratch", "scratch", "best", "transfer")
    )
    assert torch.equal(plain, again)
    assert torch.equal(plain, lab.improve(pairs, 3).hashes)
    assert torch.equal(best[:1], lab.improve(pairs.take(torch.tensor([0])), 3, purpose="best").hashes)
    assert bool((plain != best).all())
    assert bool((plain != transfer).all())
    assert bool((best != transfer).all())


def test_improve_takes_rows_that_improve_gave_and_implicit_ones(it: Engine) -> None:
    pairs, lab = it.w.niches.pairs(), it.w.lab("core")
    once = lab.improve(pairs.take(torch.tensor([1, 0, 1])), 1)  # a kind stands in several batches of it
    scratch = Pairs.of(pairs.envs, once, pairs.env[[1, 0, 1]], torch.arange(3))
    assert len(lab.improve(scratch, 1)) == 3


def test_a_niches_state_is_inherited_by_its_environment_and_kind_alone(it: Engine) -> None:
    for _ in range(20):  # the step size falls, so that a fresh state differs from a niche's
        it.step()
    pairs, lab = it.w.niches.pairs(), it.w.lab("core")
    own = flat(lab.improve(pairs, 1, state="niche"))
    fresh = flat(lab.improve(pairs, 1, state="fresh"))
    assert all(not torch.equal(a, b) for a, b in zip(own, fresh, strict=True))
    swapped = Pairs.of(pairs.envs, pairs.agents, pairs.env, pairs.agent.flip(0))
    unlike = [flat(lab.improve(swapped, 1, state=state)) for state in ("niche", "fresh")]  # type: ignore[arg-type]
    assert all(torch.equal(a, b) for a, b in zip(*unlike, strict=True))


def flat(agents: Population) -> list[torch.Tensor]:
    return [row for batch in agents.batches for row in flatten(batch.leaves)]


def test_work_is_charged_to_the_plugin_that_asked_and_to_its_purpose(tmp_path: Path) -> None:
    body = """
        def aiga_generate(self, lab):
            lab.improve(lab.niches.pairs(), 1)
            lab.evaluate(lab.niches.pairs(), episodes=5, purpose="look")
            lab.meter.count({"examples": 3}, "study")

        @aiga.wrapper
        def aiga_evaluate(self, lab, pairs):
            scores = yield
            return aiga.Scores.of(scores.fitness)
    """
    asks = support.plugin(tmp_path, "asks", body)
    with support.founded(tmp_path, support.merge(CONFIG, {"plugins": {"asks": asks}}), iterations=1) as it:
        rows = {
            (plugin, purpose): (kind, amount)
            for plugin, purpose, kind, amount in it.meter.rows()
            if kind != "environment_steps"
        }
        assert rows["asks", "look"] == ("episodes", 2 * 5)
        assert rows["asks", "study"] == ("examples", 3)
        assert rows["es", "improve/0"] == ("episodes", 2 * 8 * 2)
        assert rows["es", "asks/scratch/improve/0"] == ("episodes", 2 * 8 * 2)
        assert rows["core", "score"] == ("episodes", 2 * 2 * 2)  # the founders', and those of the iteration
        # A wrapper that forgets the cost hides nothing.
        assert it.meter.total("environment_steps") == it.meter.total("episodes")


def test_a_wrapper_adds_columns_to_every_evaluation(tmp_path: Path) -> None:
    body = """
        @aiga.wrapper
        def aiga_evaluate(self, lab, pairs):
            scores = yield
            return scores.with_columns(double=scores.fitness * 2)
    """
    config = support.bare(plugins={"wraps": support.plugin(tmp_path, "wraps", body)})
    with support.founded(tmp_path, config) as it:
        scores = it.w.lab("anyone").evaluate(it.w.niches.pairs(), purpose="x")
        assert torch.equal(scores.columns["double"], scores.fitness * 2)


def test_redraw_gives_every_episode_an_environment_of_its_own(tmp_path: Path) -> None:
    body = """
        def aiga_register(self, registry):
            registry.domain("moody", Moody())
    """
    head = """
    from aiga.testing.points import PointsDomain

    class Moody(PointsDomain):
        def live(self, pairs, network, seeds, record=False):
            return aiga.Scores.of(pairs.envs.batches[0].leaves["seed"][pairs.env].double(), {"environment_steps": len(pairs)})
    """
    returns = {}
    for redraw in (False, True):
        config = support.bare(
            population={"domain": "moody", "redraw": redraw}, plugins={"moody": support.plugin(tmp_path, "moody", body, head)}
        )
        folder = tmp_path / str(redraw)
        folder.mkdir()
        with support.founded(folder, config) as it:
            pairs = it.w.niches.pairs()
            cross = Pairs.of(pairs.envs, pairs.agents, pairs.env[[0, 0, 1]], torch.tensor([0, 1, 1]))
            scores = it.w.lab("core").evaluate(cross, episodes=4, purpose="x")
            returns[redraw] = scores.columns["returns"]
            assert torch.allclose(scores.fitness, returns[redraw].mean(dim=1))
    assert [len(row.unique()) for row in returns[False]] == [1, 1, 1]
    assert [len(row.unique()) for row in returns[True]] == [4, 4, 4]
    assert torch.equal(returns[True][0], returns[True][1])  # two agents in one environment meet the same draws


def test_redraw_of_a_domain_without_seeds_is_bad_input(tmp_path: Path) -> None:
    head = """
    from aiga.testing.points import PointsDomain

    class Fixed(PointsDomain):
        def initial(self, rng, count):
            batch = super().initial(rng, count)
            return aiga.Batch.of(batch.kind, {"point": batch.leaves["point"]})
    """
    body = "def aiga_register(self, registry):\n    registry.domain('fixed', Fixed())\n"
    plugins = {"fixed": support.plugin(tmp_path, "fixed", body, head)}
    with pytest.raises(aiga.InputError, match=r"redraw: .*no seed"):
        aiga.run(
            support.bare(population={"domain": "fixed", "redraw": True}, plugins=plugins), name="r", runs=tmp_path / "runs"
        )
    assert not (tmp_path / "runs").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_a_device_that_is_not_there_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(aiga.InputError, match=r"\[run\] device: there is no 'cuda:1'"):
        aiga.run(support.bare(run={"device": "cuda:1"}), name="r", runs=tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_a_component_that_is_not_there_is_a_key_error_that_names_those_that_are(it: Engine) -> None:
    lab = it.w.lab("core")
    assert lab.component("domain", "points") is it.w.domain
    with pytest.raises(KeyError, match="there are: linear, affine"):
        lab.component("network", "lstm")


def test_rows_can_be_put_in_any_order_kinds_mixed(it: Engine) -> None:
    agents = it.w.niches.agents
    rows = torch.tensor([1, 0, 0, 1, 1])
    assert torch.equal(agents.in_order(rows).hashes, agents.hashes[rows])
    merged, where = agents.in_order(rows).merged()
    assert [batch.kind for batch in merged.batches] == list(dict.fromkeys(b.kind for b in agents.in_order(rows).batches))
    assert torch.equal(merged.hashes[where], agents.hashes[rows])
    assert len(Population().in_order(torch.empty(0, dtype=torch.int64))) == 0
    assert isinstance(merged.batches[0], Batch)
