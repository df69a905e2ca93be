"""The vector environments on a device, which is feigned: the same steps as on the host, and nothing read but what is over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode

import aiga_walker  # noqa: F401  registers the environments
from aiga_walker import gym_physics
from aiga_walker.compiling import compile_aloud
from aiga_walker.gym_autoreset import AutoresetEnv
from aiga_walker.gym_courses import GymnasiumCourses
from aiga_walker.gym_memory import DeviceMemory
from aiga_walker.gym_physics import Device, physics_of
from aiga_walker.lives import CROWDED
from aiga_walker.physics import cuda_engine
from aiga_walker.physics import layout as at
from aiga_walker.physics.engine import Engine, engine
from aiga_walker.stepped import HostHerd

COUNT = 5


class Feigned:
    """The engine of a device whose tensors lie on the host."""

    device = torch.device("cpu")

    def __init__(self, compiled: bool = True, kept: bool = True) -> None:
        self.herds: list[HostHerd] = []
        self.compiled, self.kept = compiled, kept

    def held(self) -> bool:
        return self.kept

    def compile(self, progress: Callable[[float], None] | None = None) -> None:
        for part in (1 / 3, 2 / 3, 1.0) if progress else ():
            progress(part)
        self.compiled = self.kept = True

    def herd(self, count: int) -> HostHerd:
        self.herds.append(HostHerd(engine(), count, 1))
        return self.herds[-1]


def on_device(mode: str | AutoresetMode, steps: int | None = 20, simulator: Any = None) -> AutoresetEnv:
    simulator = simulator or Feigned()
    return AutoresetEnv(COUNT, GymnasiumCourses(True), lambda: Device(simulator, COUNT), None, steps, mode, "cpu")


def actions(steps: int) -> np.ndarray:
    return np.random.default_rng(1).uniform(-1, 1, (steps, COUNT, 4)).astype(np.float32)


@pytest.mark.parametrize("mode", list(AutoresetMode)[:2])
def test_steps_and_resets_are_the_hosts(mode: AutoresetMode) -> None:
    host = gymnasium.make_vec("aiga/BipedalWalkerHardcore-v3", num_envs=COUNT, max_episode_steps=20, autoreset_mode=mode)
    device = on_device(mode)
    expected, (seen, _) = host.reset(seed=3)[0], device.reset(seed=3)
    assert np.array_equal(seen.numpy(), expected)
    for action in actions(65):
        mine, other = device.step(torch.from_numpy(action)), host.step(action)
        for tensor, array in zip(mine[:4], other[:4], strict=True):
            assert isinstance(tensor, torch.Tensor)
            assert np.array_equal(tensor.numpy(), array.astype(tensor.numpy().dtype))
        assert mine[4].keys() == other[4].keys()
        if "final_obs" in other[4]:
            for one, two in zip(mine[4]["final_obs"], other[4]["final_obs"], strict=True):
                assert np.array_equal(one, two)


def test_episodes_that_are_over_wait_for_their_reset_where_it_is_asked_for() -> None:
    env = on_device("Disabled", steps=3)
    env.reset(seed=0)
    for action in actions(3):
        env.step(action)
    with pytest.raises(RuntimeError, match=r"environments \[0, 1, 2, 3, 4\] are over"):
        env.step(actions(1)[0])
    _, _ = env.reset(options={"reset_mask": np.ones(COUNT, np.bool_)})
    assert not env.step(actions(1)[0])[3].any()


def test_an_action_that_is_not_a_number_steps_nobody() -> None:
    env = on_device("NextStep")
    seen = env.reset(seed=0)[0].clone()
    wrong = torch.zeros(COUNT, 4)
    wrong[2, 1] = torch.nan
    with pytest.raises(ValueError, match=r"environments \[2\] are not numbers"):
        env.step(wrong)
    assert torch.equal(env._walkers.seen, seen)
    with pytest.raises(ValueError, match=r"shape \(5, 3\)"):
        env.step(torch.zeros(COUNT, 3))


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_a_walker_among_too_much_ground_is_told_of_at_the_next_step(mode: AutoresetMode) -> None:
    simulator = Feigned()
    env = on_device(mode, simulator=simulator)
    env.reset(seed=0)
    simulator.herds[0].herd._g.reshape(COUNT, -1)[3, at.FLAGS] |= at.CROWDED
    env.step(actions(1)[0])
    with pytest.raises(RuntimeError, match=rf"environments \[3\]: {CROWDED}"):
        env.step(actions(1)[0])
    env.reset(seed=0)
    env.step(actions(1)[0])


def test_a_step_reads_the_device_a_fixed_number_of_times(monkeypatch: pytest.MonkeyPatch) -> None:
    env = on_device("NextStep", steps=None)
    env.reset(seed=0)
    asked: list[int] = []
    flags = DeviceMemory.flags

    def counted(self: DeviceMemory, *each: Any) -> Any:
        asked.append(len(each))
        return flags(self, *each)

    monkeypatch.setattr(DeviceMemory, "flags", counted)
    env.step(actions(1)[0])
    assert asked == [2, 1]


def test_complex_actions_are_refused() -> None:
    memory = DeviceMemory(torch.device("cpu"))
    for wrong in (torch.zeros(2, 4, dtype=torch.complex64), np.zeros((2, 4), complex)):
        with pytest.raises(ValueError, match=r"must be numbers of shape \(2, 4\); found torch.complex"):
            memory.actions(wrong, (2, 4))


def test_compiling_for_a_device_is_told_of_on_the_device_that_was_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    simulators = {torch.device("cuda", number): Feigned(compiled=False, kept=False) for number in range(2)}
    monkeypatch.setattr(cuda_engine, "cuda_engine", simulators.__getitem__)
    monkeypatch.setattr(gym_physics, "device_of", torch.device)
    assert isinstance(physics_of("fast", 3, device="cuda:1"), Device)
    assert [simulator.compiled for simulator in simulators.values()] == [False, True]
    told = capsys.readouterr().err.splitlines()
    assert told[0].startswith("compiling the walker's simulator for cuda:1, once")
    assert told[1:3] == [f"compiling the walker's simulator: {part} %" for part in (25, 50)]
    assert told[3].startswith("compiled in")
    physics_of("fast", 3, device="cuda:1")
    assert capsys.readouterr().err == ""


def test_kernels_for_a_device_that_lie_on_disk_are_fetched_without_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    simulator, said = Feigned(compiled=False), list[str]()
    monkeypatch.setattr(cuda_engine, "cuda_engine", lambda device: simulator)
    compile_aloud(said.append, torch.device("cuda", 0))
    assert simulator.compiled
    assert said == []


def test_courses_are_laid_out_with_one_kernel_alone() -> None:
    simulator = Engine(8)
    simulator.compile_ground()
    assert simulator._polygon.signatures
    assert not [kernel for kernel in (simulator._start, simulator._steps, simulator._rollout) if kernel.signatures]
