"""What agents did in their lives, as others are to imitate it: it is what they themselves would do again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import support
import torch
from torch import Tensor

import aiga
from aiga import Lab, Pairs, Scores, Stream, Trajectory
from aiga.data import Leaves
from aiga.testing import bench
from aiga.threads import threads
from aiga_cartpole.domain import CartPoleDomain
from aiga_gtn.niches.doings import Doings, answers, imitation, lived
from aiga_gtn.niches.options import GtnNichesOptions
from aiga_gtn.niches.teachers import Teachers, cut_out

LIVES, HORIZON = 3, 24
POLES: dict[str, Any] = {
    "run": {"workers": 0, "episodes": 1, "device": "cpu", "seed": 4},
    "population": {"domain": "cartpole", "networks": ["policy", "rnn", "backpropamine", "mlp"], "niches": 6},
    "plugins": {
        "cartpole": {"options": {"steps": HORIZON}},
        "policy": {"options": {"hidden": 5, "search": ["width"], "widths": [3, 9]}},
        "rnn": {"options": {"units": 6}},
        "backpropamine": {"options": {"units": 4, "alpha_scale": 0.3}},
        "mlp": {"options": {"hidden": [4]}},
    },
}


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    with threads(1):
        yield


def seeds(count: int, lives: int = LIVES) -> Tensor:
    return Stream(9).rows(torch.arange(count)).words(lives)


def resident(lab: Lab, niche: int) -> tuple[aiga.Network, Leaves]:
    (batch,) = lab.niches.agents.in_order(lab.niches.agent[niche : niche + 1]).batches
    return lab.component("network", batch.kind.component), batch.leaves


def test_agents_who_perceive_again_what_they_perceived_answer_the_same_again() -> None:
    with bench(POLES) as lab:
        done, cost = lived(lab, seeds(6), HORIZON)
        assert done.observation.shape == (HORIZON, 6, LIVES, 4) or len(done.reward) < HORIZON
        lengths = done.alive.sum(dim=0)
        assert len(set(lengths.flatten().tolist())) > 3
        assert int(lengths.max()) == len(done.reward)
        assert cost == {"episodes": 6 * LIVES, "environment_steps": int(lengths.sum())}
        kinds = {resident(lab, niche)[0] for niche in range(6)}
        assert len(kinds) == 4
        for niche in range(6):
            network, leaves = resident(lab, niche)
            mine = done.of(torch.tensor([niche]))
            again = answers(network, leaves, mine.percepts).softmax(dim=3)
            on = mine.alive.bool()
            torch.testing.assert_close(again[on], mine.target[on], rtol=1e-4, atol=1e-6)
            assert float(imitation(network, leaves, mine, True)) == pytest.approx(0.0, abs=1e-6)


def test_someone_else_does_otherwise() -> None:
    with bench(POLES) as lab:
        done, _ = lived(lab, seeds(6), HORIZON)
        network, leaves = resident(lab, 0)
        other = {name: leaf + 0.5 for name, leaf in leaves.items()}
        assert float(imitation(network, other, done.of(torch.tensor([0])), True)) > 1e-3


def test_what_comes_after_the_end_of_a_life_counts_for_nothing() -> None:
    with bench(POLES) as lab:
        done, _ = lived(lab, seeds(6), HORIZON)
        network, leaves = resident(lab, 1)
        mine = done.of(torch.tensor([1]))
        over = mine.alive == 0.0
        assert bool(over.any())
        spoilt = Doings(
            torch.where(over[..., None], 100.0, mine.observation), mine.reward, mine.previous,
            torch.where(over[..., None], 0.5, mine.target), mine.alive,
        )  # fmt: skip
        assert torch.equal(imitation(network, leaves, spoilt, True), imitation(network, leaves, mine, True))


def test_lives_end_at_the_horizon() -> None:
    with bench(POLES) as lab:
        long, short = (lived(lab, seeds(6), horizon)[0] for horizon in (HORIZON, 5))
        for name, part in vars(short).items():
            assert torch.equal(part, getattr(long, name)[:5]), name


def test_what_an_agent_does_hangs_not_on_its_company() -> None:
    with bench(POLES) as lab:
        both, _ = lived(lab, seeds(6), HORIZON)
        given = seeds(6)
        given[1:] += 1
        one, _ = lived(lab, given, HORIZON)
        steps = min(len(both.reward), len(one.reward))
        for name in vars(both):
            assert torch.equal(getattr(both, name)[:steps, 0], getattr(one, name)[:steps, 0]), name


@pytest.mark.parametrize("niche", range(6))
def test_unrolled_lives_answer_as_lives_step_by_step(niche: int) -> None:
    class Plain:
        """The same network without a way to unroll whole lives."""

        def __init__(self, network: aiga.Network) -> None:
            self.newborn, self.step = network.newborn, network.step

    with bench(POLES) as lab:
        done, _ = lived(lab, seeds(6), HORIZON)
        network, leaves = resident(lab, niche)
        slopes = []
        for way in (network, Plain(network)):
            mine = {name: leaf.clone().requires_grad_() for name, leaf in leaves.items()}
            loss = imitation(way, mine, done.of(torch.tensor([(niche + 1) % 6])), True)  # type: ignore[arg-type]
            slopes.append([loss, *torch.autograd.grad(loss.sum(), list(mine.values()), allow_unused=True)])
        for one, other in zip(*slopes, strict=True):
            if one is not None and other is not None:
                torch.testing.assert_close(one, other, rtol=2e-4, atol=1e-6)


def test_where_a_record_has_no_logits_the_actions_are_imitated(monkeypatch: pytest.MonkeyPatch) -> None:
    live, records = CartPoleDomain.live, list[Trajectory]()

    def without(self: CartPoleDomain, pairs: Pairs, network: aiga.Network, seeds: Tensor, record: bool = False) -> Any:
        scores, trajectory = live(self, pairs, network, seeds, record)  # type: ignore[misc]
        assert isinstance(scores, Scores)
        records.append(trajectory)
        return scores, replace(trajectory, extras={})

    with bench(support.merge(POLES, {"population": {"networks": ["policy"], "niches": 2}})) as lab:
        monkeypatch.setattr(CartPoleDomain, "live", without)
        done, _ = lived(lab, seeds(2), HORIZON)
    taken = done.target.argmax(dim=3)
    assert torch.equal(taken.flatten(1), records[0].actions)
    assert set(done.target.unique().tolist()) == {0.0, 1.0}
    assert torch.equal(done.previous[1:], done.target[:-1])
    assert float(done.previous[0].abs().max()) == 0.0


def test_answers_that_are_no_choices_are_imitated_by_their_squares() -> None:
    config = {"population": {"domain": "points", "networks": ["linear", "policy"], "niches": 2}, "plugins": {"policy": {}}}
    with bench(support.merge(support.bare(), config)) as lab:
        done, _ = lived(lab, seeds(2), HORIZON)
        for niche in range(2):
            network, leaves = resident(lab, niche)
            mine = done.of(torch.tensor([niche]))
            assert float(imitation(network, leaves, mine, False)) == pytest.approx(0.0, abs=1e-10)
            off = replace(mine, target=mine.target + torch.tensor([0.3, 0.1]))
            assert float(imitation(network, leaves, off, False)) == pytest.approx((0.09 + 0.01) / 2, rel=1e-4)


def test_what_a_domain_shows_nobody_is_not_shown_to_imitators() -> None:
    config = {
        "population": {"domain": "recall", "networks": ["rnn"]},
        "plugins": {"recall": {}, "rnn": {"options": {"units": 5}}},
    }
    with bench(config) as lab:
        done, _ = lived(lab, seeds(len(lab.niches)), HORIZON)
        assert float(done.previous.abs().max()) == 0.0
        network, leaves = resident(lab, 0)
        steps = done.alive.bool()[:, :1]
        again = answers(network, leaves, done.of(torch.tensor([0])).percepts)
        torch.testing.assert_close(again[steps], done.target[:, :1][steps], rtol=1e-4, atol=1e-5)


OPTIONS = GtnNichesOptions(steps=4, batch=5, length=6, noise=2, hidden=3)


def made(lives: int = 3, steps: int = 17, niches: int = 4) -> Doings:
    """Lives that are told apart by their numbers, of all lengths."""
    place = torch.arange(steps * niches * lives, dtype=torch.float64).reshape(steps, niches, lives)
    length = 1 + torch.arange(niches * lives).reshape(niches, lives) * (steps - 1) // (niches * lives - 1)
    alive = (torch.arange(steps)[:, None, None] < length).double()
    return Doings(place[..., None], place + 0.25, place[..., None] + 0.5, place[..., None] + 0.75, alive)


def stretches(doings: Doings, keys: Tensor) -> tuple[Doings, ...]:
    leaves = {name: torch.zeros(len(keys), OPTIONS.steps) for name in ("rate", "momentum")}
    return cut_out(OPTIONS, leaves, doings, Stream(2).rows(keys)).shown


def test_stretches_are_pieces_of_a_niches_own_lives_from_between_birth_and_end() -> None:
    doings = made()
    _, niches, lives = doings.reward.shape
    lengths, starts, whole = doings.alive.sum(dim=0), set[tuple[int, int, int]](), 0
    for shown in stretches(doings, torch.arange(niches)):
        assert shown.reward.shape == (OPTIONS.length, niches, OPTIONS.batch)
        for niche in range(niches):
            for number in range(OPTIONS.batch):
                start, life = divmod(int(shown.observation[0, niche, number, 0]), niches * lives)
                life -= niche * lives
                assert 0 <= life < lives
                end = int(lengths[niche, life])
                lasts = min(OPTIONS.length, end - start)
                assert start == 0 or start + OPTIONS.length <= end
                assert shown.alive[:, niche, number].tolist() == [1.0] * lasts + [0.0] * (OPTIONS.length - lasts)
                for name, part in vars(shown).items():
                    piece = getattr(doings, name)[start : start + lasts, niche, life]
                    assert torch.equal(part[:lasts, niche, number], piece), name
                starts.add((niche, life, start))
                whole += lasts == OPTIONS.length
    assert len(starts) > 25
    assert whole > 20


def test_stretches_are_drawn_by_the_niches_key() -> None:
    doings, keys = made(), torch.tensor([7, 3, 9, 5])
    order = torch.tensor([2, 0, 3])
    for one, other in zip(stretches(doings, keys), stretches(doings.of(order), keys[order]), strict=True):
        assert all(torch.equal(part[:, order], getattr(other, name)) for name, part in vars(one).items())
    twins = stretches(made().of(torch.tensor([1, 1])), torch.tensor([7, 3]))
    assert not torch.equal(twins[0].reward[:, 0], twins[0].reward[:, 1])


def test_a_life_shorter_than_a_stretch_is_shown_from_birth_to_its_end() -> None:
    doings = made(steps=3)
    for shown in stretches(doings, torch.arange(4)):
        assert torch.equal(shown.alive[3:], torch.zeros(3, 4, OPTIONS.batch, dtype=torch.float64))


def test_what_teachers_show_is_in_units_of_what_was_perceived() -> None:
    doings = made(niches=2, lives=4, steps=9)
    far = GtnNichesOptions(**{**OPTIONS.model_dump(), "reach": 2.0})
    born = Teachers.born(far, torch.arange(2), doings, Stream(1).rows(torch.arange(2)))
    for niche in range(2):
        lived_through = doings.alive[:, niche].bool()
        seen = doings.observation[:, niche][lived_through][:, 0]
        assert float(born.centre[niche, 0]) == pytest.approx(float(seen.mean()))
        assert float(born.spread[niche, 0]) == pytest.approx(float(seen.std(correction=0)))
    wild = {name: leaf * 100.0 for name, leaf in born.leaves.items()}
    bounds = [(born.centre + side * 2.0 * born.spread)[:, 0] for side in (-1.0, 1.0)]
    wild = {name: leaf.double() for name, leaf in wild.items()}
    for shown in born.lessons(far, wild, aiga.Space((1,)), (1,)).shown:
        low, high = (shown.observation[..., 0].amin(dim=(0, 2)), shown.observation[..., 0].amax(dim=(0, 2)))
        assert bool((low >= bounds[0] - 1e-6).all())
        assert bool((high <= bounds[1] + 1e-6).all())
