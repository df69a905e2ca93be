"""Lives in the compiled simulator: the same as Box2D's, on either path, on any number of threads and lanes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from aiga import Batch, Dense, InputError, Kind, Output, Pairs, Percept, Population, Scores, Status, Stream, Trajectory
from aiga.data import Leaves
from aiga_networks.mlp import Mlp, MlpNetwork
from aiga_walker import Walker, courses
from aiga_walker.compiling import compile_aloud
from aiga_walker.domain import WalkerDomain
from aiga_walker.env import CourseWalker
from aiga_walker.fast import path_of, policies_of
from aiga_walker.lives import CROWDED, grounds, pushes
from aiga_walker.physics import layout as at
from aiga_walker.physics import store
from aiga_walker.physics.engine import engine
from aiga_walker.stepped import HostHerd, live_stepped

MLP = MlpNetwork(Mlp.Options(hidden=(9,), init_scale=0.7))
MIXED = courses.course_of({"roughness": 1.0, "gap": (0.2, 1.3), "stump": (0.2, 0.7), "stair": (0.1, 0.4), "stair_steps": 3})


class Unsaid:
    """A network that does not say itself as layers."""

    def __init__(self) -> None:
        self.structure = MLP.structure

    def newborn(self, leaves: Leaves) -> Leaves:
        return {}

    def step(self, leaves: Leaves, life: Leaves, percept: Percept) -> tuple[Output, Leaves]:
        return MLP.step(leaves, life, percept)


def some_pairs(count: int, course: Any = MIXED, **changed: torch.Tensor) -> Pairs:
    envs = course.rows(torch.arange(count) + 5)
    layout = MLP.build(MLP.structure, WalkerDomain.inputs, WalkerDomain.outputs)
    leaves = {**MLP.init(Stream(3), layout, count), **changed}
    agents = Batch.of(Kind("mlp", MLP.structure), leaves)
    return Pairs.of(Population((envs,)), Population((agents,)), torch.arange(count), torch.arange(count))


def lived(domain: WalkerDomain, network: Any, pairs: Pairs) -> tuple[Scores, Trajectory]:
    made = domain.live(pairs, network, torch.arange(len(pairs)) * 7, record=True)
    assert isinstance(made, tuple)
    return made


def test_a_stepped_life_is_box2ds_bit_for_bit() -> None:
    pairs = some_pairs(12)
    fast, fast_lives = lived(WalkerDomain(steps=150), Unsaid(), pairs)
    slow, slow_lives = lived(WalkerDomain(steps=150, physics="box2d"), Unsaid(), pairs)
    assert {name: column.tolist() for name, column in fast.columns.items()} == {
        name: column.tolist() for name, column in slow.columns.items()
    }
    for one, other in (
        (fast_lives.observations, slow_lives.observations),
        (fast_lives.actions, slow_lives.actions),
        (fast_lives.rewards, slow_lives.rewards),
        (fast_lives.done, slow_lives.done),
        (fast_lives.extras["poses"], slow_lives.extras["poses"]),
    ):
        assert one.dtype == other.dtype
        assert torch.equal(one, other)


def test_a_fused_life_is_what_box2d_makes_of_its_actions() -> None:
    pairs, walker = some_pairs(8), CourseWalker()
    scores, lives = lived(WalkerDomain(steps=150), MLP, pairs)
    lengths = scores.columns["length"].long().tolist()
    for row, (ground, push) in enumerate(zip(grounds(pairs.envs), pushes(torch.arange(8) * 7), strict=True)):
        observation, total = walker.begin(ground, push), 0.0
        for step in range(lengths[row]):
            assert np.array_equal(observation, lives.observations[step, row].numpy())
            observation, reward, over, _, _ = walker.step(lives.actions[step, row].numpy())
            assert np.float32(reward) == lives.rewards[step, row].item()
            total += float(np.float32(reward))
        assert over or lengths[row] == 150
        assert total == scores.fitness[row].item()
        assert bool(lives.done[-1, row]) == over


def test_the_fused_policy_is_the_network_but_for_rounding() -> None:
    pairs = some_pairs(6)
    _, lives = lived(WalkerDomain(steps=60), MLP, pairs)
    (agents,) = pairs.agents.batches
    for step in (0, 20):
        output, _ = MLP.step(agents.leaves, {}, Percept(lives.observations[step]))
        torch.testing.assert_close(lives.actions[step], output.action, rtol=0, atol=2e-6)


@pytest.mark.parametrize("activation", ["tanh", "relu", "identity"])
@pytest.mark.parametrize("hidden", [(), (17,), (40, 3, 33)])
def test_layers_of_any_size_and_kind_are_computed(activation: Any, hidden: tuple[int, ...]) -> None:
    network = MlpNetwork(Mlp.Options(hidden=hidden, activation=activation, output="tanh", init_scale=0.4))
    layout = network.build(network.structure, WalkerDomain.inputs, WalkerDomain.outputs)
    agents = Batch.of(Kind("mlp", network.structure), network.init(Stream(1), layout, 5))
    pairs = Pairs.of(some_pairs(5).envs, Population((agents,)), torch.arange(5), torch.arange(5))
    _, lives = lived(WalkerDomain(steps=3), network, pairs)
    output, _ = network.step(agents.leaves, {}, Percept(lives.observations[1]))
    torch.testing.assert_close(lives.actions[1], output.action, rtol=0, atol=5e-6)


def test_results_hang_on_no_number_of_threads_and_no_company() -> None:
    pairs, alone = some_pairs(70), WalkerDomain(steps=120)
    alone.configure(threads=1)
    crowd = WalkerDomain(steps=120)
    crowd.configure(threads=3)
    seeds = torch.arange(70)
    for network in (MLP, Unsaid()):
        one, many = alone.live(pairs, network, seeds), crowd.live(pairs, network, seeds)
        assert isinstance(one, Scores)
        assert isinstance(many, Scores)
        assert one.fitness.tolist() == many.fitness.tolist()
        picked = torch.tensor([64, 3, 31])
        few = crowd.live(pairs.take(picked), network, seeds[picked])
        assert isinstance(few, Scores)
        assert few.fitness.tolist() == one.fitness[picked].tolist()


def test_results_hang_on_no_number_of_lanes() -> None:
    terrain, policies = grounds(some_pairs(20).envs), policies_of(MLP.layers(some_pairs(20).agents.batches[0].leaves))
    totals = []
    for lanes in (1, 16, 32):
        simulator = engine(lanes)
        lives = simulator.rollout(
            simulator.ground(terrain), np.arange(20), pushes(torch.arange(20)), np.arange(20), policies, limit=100
        )
        totals.append(lives.totals.tobytes() + lives.lengths.tobytes())
    assert totals[0] == totals[1] == totals[2]


def test_an_action_that_is_not_a_number_fails_its_row_alone_on_both_paths() -> None:
    whole = some_pairs(3)
    (agents,) = whole.agents.batches
    name = sorted(agents.leaves)[0]
    broken = agents.leaves[name].clone()
    broken[1] = torch.nan
    expected = lived(WalkerDomain(steps=20), MLP, whole)[0].fitness
    scores, _ = lived(WalkerDomain(steps=20), MLP, some_pairs(3, **{name: broken}))
    assert scores.status.tolist() == [int(Status.OK), int(Status.NAN), int(Status.OK)]
    assert scores.reasons == {1: "the action of step 0 is not a number"}
    assert scores.fitness[[0, 2]].tolist() == expected[[0, 2]].tolist()


class Crowding(HostHerd):
    """A herd whose second walker comes among too much ground after four steps."""

    def step(self, rows: torch.Tensor, actions: torch.Tensor) -> None:
        self.calls = getattr(self, "calls", 0) + 1
        if self.calls == 5:
            self.herd._g.reshape(3, -1)[1] |= at.CROWDED * (np.arange(at.INTS) == at.FLAGS)
        super().step(rows, actions)


def test_a_walker_among_more_ground_than_there_is_room_for_fails_its_row_alone() -> None:
    pairs, network = some_pairs(3), Unsaid()
    expected, whole = live_stepped(pairs, network, torch.arange(3), 20, HostHerd(engine(), 3, 1), record=True)  # type: ignore[arg-type]
    scores, lives = live_stepped(pairs, network, torch.arange(3), 20, Crowding(engine(), 3, 1), record=True)  # type: ignore[arg-type]
    assert scores.status.tolist() == [int(Status.OK), int(Status.ERROR), int(Status.OK)]
    assert scores.reasons == {1: CROWDED}
    assert scores.columns["length"].tolist() == [20.0, 4.0, 20.0]
    assert scores.fitness[[0, 2]].tolist() == expected.fitness[[0, 2]].tolist()
    assert lives is not None
    assert whole is not None
    assert lives.done[:, 1].tolist() == [False] * 4 + [True] * 16
    assert torch.equal(lives.observations[:5, 1], whole.observations[:5, 1])


def test_the_path_follows_from_what_the_network_offers() -> None:
    domain = WalkerDomain()
    assert (domain.path(MLP), domain.path(Unsaid())) == ("fused", "stepped")  # type: ignore[arg-type]
    assert WalkerDomain(physics="box2d").path(MLP) == "box2d"
    assert WalkerDomain(physics="cuda").path(MLP) == "cuda-fused"
    assert path_of(MLP) == "fused"


def test_layers_that_lead_nowhere_are_refused() -> None:
    wrong = [Dense(torch.zeros(1, 3), torch.zeros(1, 24, 3), "tanh")]
    with pytest.raises(ValueError, match="24 observations to 4 actions; found 24 to 3"):
        policies_of(wrong)
    gap = [Dense(torch.zeros(1, 8), torch.zeros(1, 24, 8), "tanh"), Dense(torch.zeros(1, 4), torch.zeros(1, 9, 4), "tanh")]
    with pytest.raises(ValueError, match="layer 2 takes 9 numbers; layer 1 gives 8"):
        policies_of(gap)
    with pytest.raises(ValueError, match="found activation 'gelu'"):
        policies_of([Dense(torch.zeros(1, 4), torch.zeros(1, 24, 4), "gelu")])


def test_first_hit_lidar_is_refused() -> None:
    with pytest.raises(ValueError, match='needs physics "box2d"'):
        WalkerDomain(lidar="first-hit")


def test_a_damaged_kernel_is_compiled_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import numba

    monkeypatch.setenv("AIGA_CACHE", str(tmp_path))

    def made() -> Any:
        def double(x: float) -> float:
            return 2 * x

        dispatcher = numba.njit(double)
        dispatcher._cache = store.KernelCache(double, 1)
        return dispatcher

    first = made()
    assert first(2.0) == 4.0
    (kernel,) = (tmp_path / "kernels").glob("*.kernel")
    second = made()
    assert second(2.0) == 4.0
    assert sum(second.stats.cache_hits.values()) == 1
    kernel.write_bytes(kernel.read_bytes()[:-9])
    third = made()
    assert third(2.0) == 4.0
    assert sum(third.stats.cache_hits.values()) == 0


def test_what_is_compiled_already_is_not_spoken_of() -> None:
    engine().compile()
    said: list[str] = []
    compile_aloud(said.append)
    assert said == []


def test_a_walker_at_rest_takes_less_than_four_kibibytes() -> None:
    assert engine().herd(3).bytes_each < 4096


def test_a_kernel_under_anothers_name_is_as_good_as_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import numba

    monkeypatch.setenv("AIGA_CACHE", str(tmp_path))

    def double(x: float) -> float:
        return 2 * x

    def triple(x: float) -> float:
        return 3 * x

    def made(function: Any) -> Any:
        dispatcher = numba.njit(function)
        dispatcher._cache = store.KernelCache(function, 1)
        return dispatcher

    assert (made(double)(2.0), made(triple)(2.0)) == (4.0, 6.0)
    first, second = sorted((tmp_path / "kernels").glob("*.kernel"))
    second.write_bytes(first.read_bytes())
    assert made(triple)(2.0) == 6.0


def test_a_folder_that_keeps_no_kernels_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIGA_CACHE", str(tmp_path))
    assert store.unwritable() == ""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("AIGA_CACHE", str(tmp_path / "file"))
    assert "cannot be written (Not a directory); set AIGA_CACHE" in store.unwritable()
    with pytest.raises(InputError, match="set AIGA_CACHE to a folder that can"):
        Walker().checkup()


def test_numba_that_may_not_compile_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("numba.core.config.DISABLE_JIT", 1)
    with pytest.raises(InputError, match=r"NUMBA_DISABLE_JIT is set.*physics = \"box2d\""):
        WalkerDomain().check()
    WalkerDomain(physics="box2d").check()
