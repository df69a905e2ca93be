from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from aiga import Batch, Kind, Lab, Pairs, Plugin, Population, Registry, Scores, Space, Status, Stream
from aiga.data import State, flatten
from aiga.streams import derive
from aiga_es import Cem, Es, Evolution, Pgpe, es, sampled
from aiga_networks import Mlp, MlpNetwork

Fitness = Callable[[Tensor, Tensor], Tensor]


def quadratic(x: Tensor, target: Tensor) -> Tensor:
    return -((x.double() - target[:, None]) ** 2).sum(dim=1)


@dataclass
class FakeLab:
    """Scores a pair by the agent's numbers and the environment's target; remembers what it was asked."""

    fitness: Fitness = quadratic
    iteration: int = 0
    asked: list[Pairs] = field(default_factory=list)
    purposes: list[str] = field(default_factory=list)

    def rng(self, *key: int | str) -> Stream:
        return Stream(derive(self.iteration, *key))

    def evaluate(self, pairs: Pairs, *, episodes: int = 1, purpose: str) -> Scores:
        self.asked.append(pairs)
        self.purposes.append(purpose)
        target = torch.cat([batch.leaves["target"] for batch in pairs.envs.batches])[pairs.env]
        out = torch.empty(len(pairs), dtype=torch.float64)
        for start, batch in pairs.agents.parts():
            mine = (pairs.agent >= start) & (pairs.agent < start + len(batch))
            rows = flatten(batch.take(pairs.agent[mine] - start).explicit().leaves)
            out[mine] = self.fitness(rows, target[mine])
        status = torch.where(out.isfinite(), int(Status.OK), int(Status.NAN))
        return Scores({"fitness": out}, status)

    @property
    def lab(self) -> Lab:
        return cast(Lab, self)


class Registered:
    def __init__(self) -> None:
        self.found: dict[str, Evolution] = {}

    def optimiser(self, name: str, optimiser: Evolution) -> None:
        self.found[name] = optimiser


def optimiser(plugin: type[Plugin], **options: Any) -> Evolution:
    registry = Registered()
    plugin(plugin.Options(**options)).aiga_register(cast(Registry, registry))
    assert list(registry.found) == [plugin.name]
    return registry.found[plugin.name]


def targets(*values: float) -> Population:
    return Population((Batch.of(Kind("target"), {"target": torch.tensor(values, dtype=torch.float64)}),))


def vectors(*rows: list[float], kind: str = "vector") -> Population:
    return Population((Batch.of(Kind(kind), {"x": torch.tensor(rows)}),))


def homes(envs: Population, agents: Population) -> Pairs:
    rows = torch.arange(len(agents))
    return Pairs.of(envs, agents, rows, rows)


def x_of(agents: Population) -> Tensor:
    return agents.batches[0].leaves["x"]


def columns(state: State) -> dict[str, Tensor]:
    (only,) = state.values()
    return only


every_rule = pytest.mark.parametrize(
    ("plugin", "options"),
    [(Es, {}), (Pgpe, {}), (Pgpe, {"optimizer": "adam"}), (Cem, {})],
    ids=["es", "pgpe", "pgpe-adam", "cem"],
)


def test_the_gradient_is_the_mean_over_pairs_of_rank_difference_times_noise_over_sigma() -> None:
    lab, rule = FakeLab(), optimiser(Es, population=6, sigma=0.5, weight_decay=0.25)
    agents = vectors([1.0, -2.0])
    _, state = rule.improve(lab.lab, homes(targets(3.0), agents), rule.start(agents), 1)

    rows = flatten(lab.asked[0].agents.batches[0].explicit().leaves).tolist()
    fitness = [-((a - 3) ** 2) - (b - 3) ** 2 for a, b in rows]
    rank = [sum(other < f for other in fitness) / 5 - 0.5 for f in fitness]
    gradient = [0.0, 0.0]
    for plus in (0, 2, 4):
        for i, centre in enumerate([1.0, -2.0]):
            noise = (rows[plus][i] - centre) / 0.5
            gradient[i] += (rank[plus] - rank[plus + 1]) * noise / 0.5 / 3
    follow = torch.tensor([gradient[0] - 0.25 * 1.0, gradient[1] + 0.25 * 2.0])
    assert torch.allclose(columns(state)["m"][0], 0.1 * follow, rtol=1e-4)


def test_steps_are_those_of_adam_with_decaying_step_sizes() -> None:
    lab, rule = FakeLab(), optimiser(Es, population=8, lr=0.1, lr_decay=0.5, lr_floor=0.04)
    agents = vectors([0.5, -1.0, 2.0])
    state = rule.start(agents)
    x = torch.nn.Parameter(x_of(agents)[0].double())
    adam = torch.optim.Adam([x], lr=0.1, betas=(0.9, 0.999), eps=1e-8, maximize=True)
    for lr in (0.1, 0.05, 0.04, 0.04):
        before = columns(state)["m"][0].double()
        agents, state = rule.improve(lab.lab, homes(targets(0.0), agents), state, 1)
        lab.iteration += 1
        x.grad = (columns(state)["m"][0].double() - 0.9 * before) / 0.1
        adam.param_groups[0]["lr"] = lr
        adam.step()
        assert torch.allclose(x_of(agents)[0].double(), x, atol=1e-5)
    assert columns(state)["t"].tolist() == [4]


def test_weight_decay_pulls_towards_zero_where_fitness_tells_nothing() -> None:
    lab = FakeLab(fitness=lambda x, _: torch.ones(len(x), dtype=torch.float64))
    rule, agents = optimiser(Es, population=8), vectors([2.0, -3.0, 0.0])
    after, _ = rule.improve(lab.lab, homes(targets(0.0), agents), rule.start(agents), 5)
    still, _ = (r := optimiser(Es, population=8, weight_decay=0.0)).improve(
        lab.lab, homes(targets(0.0), agents), r.start(agents), 5
    )
    assert torch.allclose(x_of(after), torch.tensor([[1.95, -2.95, 0.0]]), atol=1e-3)
    assert torch.equal(x_of(still), x_of(agents))


def test_sigma_and_step_size_decay_each_step_down_to_their_floors() -> None:
    lab, rule = FakeLab(), optimiser(Es, population=2, lr=0.01, lr_decay=0.5, sigma=0.1, sigma_decay=0.25)
    agents = vectors([0.0])
    state, sigmas = rule.start(agents), []
    for _ in range(5):
        agents, state = rule.improve(lab.lab, homes(targets(0.0), agents), state, 1)
        noise = lab.asked[-1].agents.batches[0].noise
        assert noise is not None
        sigmas.append(noise.scale.item())
    assert sigmas == pytest.approx([0.1, 0.025, 0.01, 0.01, 0.01])
    assert columns(state)["lr"].item() == 0.001
    assert columns(state)["sigma"].item() == 0.01


@pytest.mark.parametrize("plugin", [Es, Pgpe])
def test_perturbations_come_in_antithetic_pairs(plugin: type[Plugin]) -> None:
    lab, rule, agents = FakeLab(), optimiser(plugin, population=6), vectors([1.0, 2.0], [5.0, -1.0])
    rule.improve(lab.lab, homes(targets(0.0, 1.0), agents), rule.start(agents), 1)
    rows = flatten(lab.asked[0].agents.batches[0].explicit().leaves).reshape(2, 3, 2, 2)
    assert torch.allclose(rows.mean(dim=2), x_of(agents)[:, None].expand(2, 3, 2), atol=1e-6)
    assert len(rows[:, :, 0].flatten().unique()) == 12


@every_rule
def test_one_evaluation_a_step_serves_all_niches(plugin: type[Plugin], options: dict[str, Any]) -> None:
    rule = optimiser(plugin, population=8, **options)
    for count in (1, 9):
        lab, agents = FakeLab(), vectors(*[[0.0, 1.0]] * count)
        rule.improve(lab.lab, homes(targets(*range(count)), agents), rule.start(agents), 3)
        assert lab.purposes == ["improve/0", "improve/1", "improve/2"]
        assert [len(pairs) for pairs in lab.asked] == [8 * count] * 3


@every_rule
def test_a_niche_is_improved_alike_in_any_company(plugin: type[Plugin], options: dict[str, Any]) -> None:
    rule, lab = optimiser(plugin, population=16, **options), FakeLab()
    count, size = 19, 37
    agents = vectors(*Stream(1).normal(count, size).tolist())
    envs = targets(*range(count))
    state = rule.start(agents)
    for _ in range(2):
        whole, after = rule.improve(lab.lab, homes(envs, agents), state, 1)
        for rows in (torch.tensor([0]), torch.tensor([7, 3]), torch.arange(1, 18), torch.arange(18, -1, -1)):
            mine, _ = agents.take(rows)
            held = {kind: {name: column[rows] for name, column in part.items()} for kind, part in state.items()}
            some, some_state = rule.improve(lab.lab, homes(envs.take(rows)[0], mine), held, 1)
            assert torch.equal(x_of(some), x_of(whole)[rows])
            assert all(torch.equal(column, columns(after)[name][rows]) for name, column in columns(some_state).items())
        agents, state = whole, after
        lab.iteration += 1


@every_rule
def test_rows_of_pairs_may_stand_in_any_order(plugin: type[Plugin], options: dict[str, Any]) -> None:
    rule, lab, agents, envs = (
        optimiser(plugin, population=8, **options),
        FakeLab(),
        vectors([0.0], [1.0], [2.0]),
        targets(5, 6, 7),
    )
    straight, _ = rule.improve(lab.lab, homes(envs, agents), rule.start(agents), 1)
    order = torch.tensor([2, 0, 1])
    permuted, _ = rule.improve(lab.lab, Pairs.of(envs, agents, order, order), rule.start(agents), 1)
    assert torch.equal(x_of(permuted), x_of(straight))


def test_an_agent_without_a_niche_of_its_own_is_refused() -> None:
    rule, agents, envs = optimiser(Es, population=2), vectors([0.0], [1.0]), targets(1, 2)
    for agent in ([0], [0, 0], [0, 1, 1]):
        pairs = Pairs.of(envs, agents, torch.zeros(len(agent), dtype=torch.int64), torch.tensor(agent))
        with pytest.raises(ValueError, match="exactly one niche"):
            rule.improve(FakeLab().lab, pairs, rule.start(agents), 1)


@every_rule
def test_agents_of_unlike_architecture_are_improved_in_one_call(plugin: type[Plugin], options: dict[str, Any]) -> None:
    batches = []
    for hidden in ([3], [4, 2]):
        net = MlpNetwork(Mlp.Options(hidden=hidden))
        leaves = net.init(Stream(2), net.build(net.structure, Space((2,)), Space((1,))), 2)
        batches.append(Batch.of(Kind("mlp", net.structure), leaves).with_ids(torch.tensor([7, len(hidden)])))
    agents, lab, rule = Population(tuple(batches)), FakeLab(), optimiser(plugin, population=8, **options)
    envs = targets(1, 2, 3, 4)
    after, state = rule.improve(lab.lab, homes(envs, agents), rule.start(agents), 1)
    assert len(lab.asked) == 1
    assert [b.kind for b in after.batches] == [b.kind for b in agents.batches]
    assert torch.equal(after.ids, agents.ids)
    for place, batch in enumerate(agents.batches):
        alone = Population((batch,))
        pairs = Pairs.of(envs, alone, torch.arange(2) + 2 * place, torch.arange(2))
        one, one_state = rule.improve(lab.lab, pairs, rule.start(alone), 1)
        assert torch.equal(flatten(one.batches[0].leaves), flatten(after.batches[place].leaves))
        assert not torch.equal(flatten(one.batches[0].leaves), flatten(batch.leaves))
        assert one_state.keys() == {batch.kind.hash}
        assert all(torch.equal(c, state[batch.kind.hash][n]) for n, c in one_state[batch.kind.hash].items())


@every_rule
def test_a_quadratic_is_climbed_in_every_niche(plugin: type[Plugin], options: dict[str, Any]) -> None:
    rule, lab = optimiser(plugin, population=64, **options), FakeLab()
    agents, envs = vectors(*[[0.0] * 5] * 3), targets(0.5, -0.4, 0.3)
    state, start = rule.start(agents), quadratic(x_of(agents), envs.batches[0].leaves["target"])
    for lab.iteration in range(60):
        agents, state = rule.improve(lab.lab, homes(envs, agents), state, 1)
    assert (quadratic(x_of(agents), envs.batches[0].leaves["target"]) > 0.1 * start).all()


@every_rule
def test_failed_perturbations_count_as_worst_and_spoil_nothing(plugin: type[Plugin], options: dict[str, Any]) -> None:
    def fails_below_zero(x: Tensor, _: Tensor) -> Tensor:
        return torch.where(x[:, 0] < 0, torch.nan, 1.0).double()

    rule, lab, agents = optimiser(plugin, population=32, **options), FakeLab(fails_below_zero), vectors([0.01, 0.0])
    state = rule.start(agents)
    for lab.iteration in range(20):
        agents, state = rule.improve(lab.lab, homes(targets(0.0), agents), state, 1)
    assert x_of(agents)[0, 0] > 0.02
    assert x_of(agents).isfinite().all()
    assert all(column.double().isfinite().all() for column in columns(state).values())


def test_a_row_marked_as_failed_counts_as_worst_whatever_number_it_carries() -> None:
    class Marking(FakeLab):
        def evaluate(self, pairs: Pairs, *, episodes: int = 1, purpose: str) -> Scores:
            scores = super().evaluate(pairs, episodes=episodes, purpose=purpose)
            failed = torch.where(scores.fitness == scores.fitness.max(), int(Status.TIMEOUT), int(Status.OK))
            return replace(scores, status=failed)

    rule, agents = optimiser(Es, population=2, weight_decay=0.0), vectors([0.0])
    trusting, _ = rule.improve(FakeLab().lab, homes(targets(9.0), agents), rule.start(agents), 1)
    marking, _ = rule.improve(Marking().lab, homes(targets(9.0), agents), rule.start(agents), 1)
    assert x_of(trusting) > 0
    assert x_of(marking) < 0


@every_rule
def test_when_everything_fails_the_agent_stays_sound(plugin: type[Plugin], options: dict[str, Any]) -> None:
    lab = FakeLab(lambda x, _: torch.full((len(x),), torch.nan, dtype=torch.float64))
    rule, agents = optimiser(plugin, population=8, **options), vectors([3.0, -1.0])
    after, state = rule.improve(lab.lab, homes(targets(0.0), agents), rule.start(agents), 2)
    assert torch.allclose(x_of(after), x_of(agents), atol=0.03)
    assert all(column.double().isfinite().all() for column in columns(state).values())


def test_pairs_that_do_not_differ_leave_pgpes_centre_where_it_is() -> None:
    for name in ("clipup", "adam"):
        rule, agents = optimiser(Pgpe, population=8, optimizer=name), vectors([0.0, 0.0])
        state = rule.start(agents)
        after, told = rule.improve(FakeLab().lab, homes(targets(0.0), agents), state, 1)
        assert torch.equal(x_of(after), x_of(agents))
        assert not torch.equal(columns(told)["stdev"], columns(state)["stdev"])


def test_cem_moves_to_the_mean_of_the_best() -> None:
    rule, lab, agents = optimiser(Cem, population=8, parenthood_ratio=0.25), FakeLab(), vectors([1.0, 2.0])
    after, state = rule.improve(lab.lab, homes(targets(9.0), agents), rule.start(agents), 1)
    rows = flatten(lab.asked[0].agents.batches[0].explicit().leaves)
    best = rows[quadratic(rows, torch.full((8,), 9.0)).argsort(descending=True)[:2]]
    assert torch.allclose(x_of(after)[0], best.mean(dim=0), atol=1e-5)
    assert torch.allclose(columns(state)["stdev"][0], best.std(dim=0).clamp(min=0.01), atol=1e-5)


def test_cem_stays_where_it_is_when_fewer_live_than_are_to_be_parents() -> None:
    def one_lives(x: Tensor, _: Tensor) -> Tensor:
        return torch.where(torch.arange(len(x)) == 3, 1.0, torch.nan).double()

    rule, agents = optimiser(Cem, population=8, parenthood_ratio=0.25), vectors([1.0, 2.0])
    after, state = rule.improve(FakeLab(one_lives).lab, homes(targets(0.0), agents), rule.start(agents), 1)
    assert torch.equal(x_of(after), x_of(agents))
    assert (columns(state)["stdev"] == 0.1).all()


@every_rule
def test_a_row_of_fresh_state_starts_anew_and_leaves_the_others_alone(plugin: type[Plugin], options: dict[str, Any]) -> None:
    rule, lab, envs = optimiser(plugin, population=8, **options), FakeLab(), targets(1, 2)
    agents, state = rule.improve(lab.lab, homes(envs, (a := vectors([0.0, 1.0], [1.0, 0.0]))), rule.start(a), 3)
    lab.iteration = 1
    fresh = rule.start(agents)
    mixed = {kind: {n: torch.stack([old[0], fresh[kind][n][1]]) for n, old in part.items()} for kind, part in state.items()}
    went_on, _ = rule.improve(lab.lab, homes(envs, agents), state, 1)
    began, _ = rule.improve(lab.lab, homes(envs, agents), fresh, 1)
    both, _ = rule.improve(lab.lab, homes(envs, agents), mixed, 1)
    assert torch.equal(x_of(both)[0], x_of(went_on)[0])
    assert torch.equal(x_of(both)[1], x_of(began)[1])
    assert not torch.equal(x_of(went_on)[1], x_of(began)[1])


@every_rule
def test_nothing_given_is_changed_and_state_has_one_row_an_agent(plugin: type[Plugin], options: dict[str, Any]) -> None:
    rule, agents = optimiser(plugin, population=8, **options), vectors([0.0, 1.0], [1.0, 0.0], [2.0, 2.0])
    state = rule.start(agents)
    copy, rows = {n: c.clone() for n, c in columns(state).items()}, x_of(agents).clone()
    _, after = rule.improve(FakeLab().lab, homes(targets(1, 2, 3), agents), state, 2)
    assert torch.equal(x_of(agents), rows)
    assert all(torch.equal(column, copy[name]) for name, column in columns(state).items())
    assert {n: (c.dtype, c.shape) for n, c in columns(after).items()} == {n: (c.dtype, c.shape) for n, c in copy.items()}
    assert all(len(column) == 3 for column in columns(after).values())


def test_noise_is_that_of_environment_step_and_iteration() -> None:
    rule, lab, agents, envs = optimiser(Es, population=4), FakeLab(), vectors([0.0], [4.0], [8.0]), targets(1, 2)
    homes_of_three = Pairs.of(envs, agents, torch.tensor([0, 1, 1]), torch.arange(3))
    rule.improve(lab.lab, homes_of_three, rule.start(agents), 2)
    lab.iteration = 1
    rule.improve(lab.lab, homes_of_three, rule.start(agents), 1)
    drawn = []
    for pairs in lab.asked:
        noise = pairs.agents.batches[0].noise
        assert noise is not None
        drawn.append(Stream(noise.stream, noise.keys).normal(1).reshape(3, 2, 2)[:, :, 0])
    assert torch.equal(drawn[0][1], drawn[0][2])
    assert len(torch.cat([step[:2] for step in drawn]).unique()) == 12


@every_rule
def test_memory_limits_change_no_bit(plugin: type[Plugin], options: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    rule, agents = optimiser(plugin, population=16, **options), vectors(*Stream(1).normal(5, 9).tolist())
    pairs, state = homes(targets(*range(5)), agents), rule.start(agents)
    whole, _ = rule.improve(FakeLab().lab, pairs, state, 2)
    for numbers in (1, 2 * 5 * 9, 3 * 16 * 9):
        monkeypatch.setattr(es, "_NUMBERS", numbers)
        monkeypatch.setattr(sampled, "_NUMBERS", numbers)
        assert torch.equal(x_of(rule.improve(FakeLab().lab, pairs, state, 2)[0]), x_of(whole))


def test_no_agents_and_no_steps_cost_nothing() -> None:
    rule, lab, agents = optimiser(Es), FakeLab(), vectors([1.0])
    nobody = Pairs.of(targets(1), Population(), torch.empty(0, dtype=torch.int64), torch.empty(0, dtype=torch.int64))
    assert len(rule.improve(lab.lab, nobody, {}, 3)[0]) == 0
    assert torch.equal(x_of(rule.improve(lab.lab, homes(targets(1), agents), rule.start(agents), 0)[0]), x_of(agents))
    assert not lab.asked


@pytest.mark.parametrize(
    ("plugin", "options", "message"),
    [
        (Es, {"population": 7}, "write 8"),
        (Pgpe, {"population": 7}, "write 8"),
        (Cem, {"population": 8, "parenthood_ratio": 0.2}, "fewer than two parents"),
        (Es, {"sigma": 0.0}, "sigma"),
        (Es, {"lr": "fast"}, "lr"),
    ],
)
def test_options_that_make_no_sense_are_refused(plugin: type[Plugin], options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        plugin.Options(**options)


def test_evotorch_is_not_imported_before_it_is_needed() -> None:
    code = "import sys, aiga_es; aiga_es.Es(); print('evotorch' in sys.modules or 'ray' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
