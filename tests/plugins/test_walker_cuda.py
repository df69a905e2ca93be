from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from aiga import Batch, InputError, Kind, Output, Pairs, Percept, Population, Stream
from aiga.experiment import run
from aiga_networks.mlp import Mlp, MlpNetwork
from aiga_walker import courses
from aiga_walker.domain import WalkerDomain
from aiga_walker.gym_autoreset import AutoresetEnv
from aiga_walker.gym_courses import GymnasiumCourses
from aiga_walker.gym_physics import Device as OnDevice
from aiga_walker.gym_vector import BipedalVectorEnv
from aiga_walker.physics import cuda_compiler, cuda_engine, manifolds, policy, trig
from aiga_walker.physics.cuda_device import Argument, Device, packed
from aiga_walker.physics.engine import Lives, Policies, engine
from aiga_walker.terrain import terrains

HOPPER = (9, 0)
MLP = MlpNetwork(Mlp.Options(hidden=(9,), init_scale=0.7))
SPACES = (WalkerDomain.inputs, WalkerDomain.outputs)
HAS_NUMBA_CUDA = importlib.util.find_spec("numba_cuda") is not None
needs_numba_cuda = pytest.mark.skipif(not HAS_NUMBA_CUDA, reason="numba-cuda is not installed")
needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="PTX is run as C")
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")


class Unsaid:
    """A network that does not say itself as layers."""

    def newborn(self, leaves: Any) -> Any:
        return {}

    def step(self, leaves: Any, life: Any, percept: Percept) -> tuple[Output, Any]:
        return MLP.step(leaves, life, percept)


def ptx_as_c() -> Any:
    path = Path(__file__).parents[2] / "benchmarks" / "walker_ptx.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules.setdefault(path.stem, importlib.util.module_from_spec(spec))
    spec.loader.exec_module(module)
    return module


def policies(count: int) -> Policies:
    size = 25 * policy.PADDED
    params = np.random.default_rng(0).normal(0.0, 0.3, (count, size)).astype(np.float32)
    params.reshape(count, 25, policy.PADDED)[..., 4:] = 0.0
    return Policies(params.reshape(-1), size, np.array([24, policy.PADDED, policy.TANH]))


def lived(simulator: Any, name: str = "Hardcore", count: int = 6, limit: int = 60) -> Lives:
    number = np.arange(count)
    ground = engine().ground(terrains(courses.named(name, 3)))
    pushes = np.random.default_rng(1).uniform(-5, 5, count)
    lives = simulator.rollout(ground, number % 3, pushes, number % 4, policies(4), limit, record=True)
    assert isinstance(lives, Lives)
    return lives


def assert_same_bits(mine: Lives, theirs: Lives) -> None:
    for name in ("totals", "lengths", "fates", "observations", "actions", "rewards", "poses"):
        assert getattr(mine, name).tobytes() == getattr(theirs, name).tobytes(), name


def stepped(herd: Any, steps: int = 25) -> list[bytes]:
    """What walkers see, get and look like when they are begun apart and stepped with noise."""
    dice, rows, made = np.random.default_rng(3), np.arange(4), []
    herd.begin(rows, terrains(courses.named("Stairs", 4)), dice.uniform(-5, 5, 4).astype(np.float32))
    for step in range(steps):
        if step == 10:
            herd.begin(rows[1:3], terrains(courses.named("PitGap", 2)), np.zeros(2, np.float32))
        some = rows[step % 2 :]
        herd.step(some, dice.uniform(-1.2, 1.2, (len(some), 4)).astype(np.float32))
        made += [np.asarray(part).tobytes() for part in (herd.seen, herd.rewards, herd.ends, herd.poses())]
    return made


class Emulated:
    """Runs the kernels' PTX as C on the CPU."""

    def __init__(self) -> None:
        self._c, self._made = ptx_as_c(), dict[str, Any]()

    def __call__(self, name: str, threads: int, arguments: Sequence[Argument]) -> None:
        if name not in self._made:
            ptx = cuda_compiler.kept_ptx(*cuda_engine.sources()[name], HOPPER)
            self._made[name] = self._c.compiled(ptx)
        self._made[name](packed(arguments), threads)


@needs_numba_cuda
def test_a_small_kernel_compiles_without_a_device_and_contracts_nothing() -> None:
    from aiga_walker.physics.target import cuda

    device, target = cuda_compiler.numba_cuda(), cuda()
    sincos, edge = trig.build(target).sincos, manifolds.build(target).edge

    def kernel(line: Any, shapes: Any, angles: Any, out: Any) -> None:
        k = device.grid(1)
        m = device.local.array(28, "float32")
        s, c = sincos(angles[k])
        points, _, _, _ = edge(line[0], line[1], line[2], line[3], shapes, 0, s, c, angles[k + 1], angles[k + 2], m)
        out[k] = m[points]

    ptx = cuda_compiler.ptx_of(kernel, "*f4 *f4 *f4 *f4", HOPPER)
    assert ".target sm_90" in ptx
    assert ".entry kernel(" in ptx
    assert set(cuda_compiler.contracted(ptx).values()) == {0}
    # The fused products of sine and cosine are meant, and in double precision.
    assert "fma.rn.f64" in ptx
    assert "div.rn.f32" in ptx or "rcp.rn.f32" in ptx
    assert "sqrt.rn.f32" in ptx


@needs_numba_cuda
def test_a_kernel_is_held_once_its_code_and_what_it_was_made_of_lie_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIGA_CACHE", str(tmp_path))
    monkeypatch.setattr(cuda_compiler, "machine_code", lambda ptx, capability, registers: (b"code", ""))
    device = cuda_compiler.numba_cuda()

    def kernel(out: Any) -> None:
        out[device.grid(1)] = 1

    def held(registers: int = 64) -> bool:
        return cuda_compiler.held(kernel, "*f4", HOPPER, registers)

    assert not held()
    ptx = cuda_compiler.kept_ptx(kernel, "*f4", HOPPER)
    assert not held()
    assert cuda_compiler.kept_machine_code(ptx, "kernel", HOPPER, 64) == b"code"
    assert held()
    assert not held(registers=128)
    (code,) = (tmp_path / "kernels").glob("*.cubin")
    code.write_bytes(code.read_bytes()[:-1])
    assert not held()


def test_what_changes_a_bit_is_found_in_ptx() -> None:
    ptx = "fma.rn.f32 a; mul.f32 b; div.approx.ftz.f32 c; mul.rn.f32 d; fma.rn.f64 e; add.f64 f;"
    assert cuda_compiler.contracted(ptx) == {"fma.f32": 1, "approx": 1, "ftz": 1, "open": 2}


@needs_numba_cuda
@needs_gcc
@pytest.mark.timeout(1800)
def test_the_kernels_ptx_computes_the_cpus_bits() -> None:
    simulator = cuda_engine.CudaEngine("cpu", launcher=Emulated())
    assert_same_bits(lived(simulator), lived(engine()))
    assert stepped(simulator.herd(4)) == stepped(engine().herd(4))


@needs_numba_cuda
@needs_gcc
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("network", [MLP, Unsaid()])
def test_the_domain_lives_in_them_as_on_the_processor(network: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    simulator = cuda_engine.CudaEngine("cpu", launcher=Emulated())
    monkeypatch.setattr(cuda_engine, "cuda_engine", lambda device: simulator)
    count = 5
    agents = Batch.of(Kind("mlp", MLP.structure), MLP.init(Stream(3), MLP.build(MLP.structure, *SPACES), count))
    rows = torch.arange(count)
    pairs = Pairs.of(Population((courses.named("Hardcore", count),)), Population((agents,)), rows, rows)
    for record in (False, True):
        made = [WalkerDomain(steps=40, physics=name).live(pairs, network, rows, record=record) for name in ("cuda", "fast")]
        scores = [each[0] if isinstance(each, tuple) else each for each in made]
        assert scores[0].fitness.tolist() == scores[1].fitness.tolist()
        assert scores[0].columns["length"].tolist() == scores[1].columns["length"].tolist()
        if isinstance(made[0], tuple) and isinstance(made[1], tuple):
            assert torch.equal(made[0][1].observations, made[1][1].observations)
            assert torch.equal(made[0][1].extras["poses"], made[1][1].extras["poses"])


@needs_numba_cuda
@needs_gcc
@pytest.mark.timeout(1800)
def test_a_vector_environment_steps_them_as_on_the_processor() -> None:
    simulator = cuda_engine.CudaEngine("cpu", launcher=Emulated())
    made = lambda: OnDevice(simulator, 3)  # noqa: E731
    env = AutoresetEnv(3, GymnasiumCourses(True), made, None, 12, "SameStep", "cpu")
    other = BipedalVectorEnv(3, hardcore=True, max_episode_steps=12, autoreset_mode="SameStep")
    assert np.array_equal(env.reset(seed=2)[0].numpy(), other.reset(seed=2)[0])
    for action in np.random.default_rng(0).uniform(-1, 1, (30, 3, 4)).astype(np.float32):
        for mine, theirs in zip(env.step(torch.from_numpy(action))[:4], other.step(action)[:4], strict=True):
            assert np.array_equal(mine.numpy(), theirs.astype(mine.numpy().dtype))


@pytest.mark.skipif(HAS_NUMBA_CUDA and torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_run_on_a_gpu_that_is_not_there_is_refused_before_it_begins(tmp_path: Path) -> None:
    config = {"population": {"domain": "walker", "networks": ["mlp"]}, "plugins": {"walker": {"options": {"physics": "cuda"}}}}
    with pytest.raises(InputError, match=r'physics "cuda".*pip install .*physics = "fast"'):
        run(config, name="none", runs=tmp_path)
    assert not list(tmp_path.iterdir())


@needs_numba_cuda
@needs_gpu
@pytest.mark.timeout(900)
def test_a_device_computes_the_cpus_bits() -> None:
    simulator = cuda_engine.CudaEngine()
    assert_same_bits(lived(simulator, count=600, limit=200), lived(engine(), count=600, limit=200))

    class OnCpu:
        """A herd whose numbers are fetched."""

        def __init__(self, herd: Any) -> None:
            self.begin, self.step, self._herd = herd.begin, herd.step, herd

        def __getattr__(self, name: str) -> Any:
            return getattr(self._herd, name).cpu()

        def poses(self) -> Any:
            return self._herd.poses().cpu()

    assert stepped(OnCpu(simulator.herd(4))) == stepped(engine().herd(4))


@pytest.mark.skipif(HAS_NUMBA_CUDA, reason="numba-cuda is installed")
def test_without_numba_cuda_the_remedy_is_named() -> None:
    with pytest.raises(ModuleNotFoundError, match=r"numba-cuda.*pip install 'aiga\[cuda\]'"):
        cuda_compiler.numba_cuda()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_without_a_device_the_remedy_is_named() -> None:
    with pytest.raises(RuntimeError, match=r"CUDA device.*pip install 'aiga\[cuda\]'.*on the CPU"):
        Device({}, torch.device("cuda"))


def test_a_flat_tensor_is_seven_parameters() -> None:
    values = torch.arange(5, dtype=torch.float64)
    assert packed([3, values]) == [3, 0, 0, 5, 8, values.data_ptr(), 5, 8]


def test_new_courses_take_the_places_of_old_ones_and_make_room_for_more_boxes() -> None:
    here = torch.device("cpu")
    few, many = (engine().ground(terrains(courses.named(name, 2))) for name in ("flat", "Hardcore"))
    placed = cuda_engine.Courses.of(few, here).placed(3, torch.tensor([0, 2]), None)
    placed = cuda_engine.Courses.of(many, here).placed(3, torch.tensor([1, 2]), placed)
    expected = few.spread(3, np.array([0, 2])).put(np.array([1, 2]), many)
    assert placed.width == expected.width > few.width
    for part in ("line", "boxes", "bins", "count"):
        assert getattr(placed, part).numpy().tobytes() == getattr(expected, part).tobytes()


def test_a_layer_too_wide_for_a_thread_is_refused() -> None:
    simulator = cuda_engine.CudaEngine("cpu", launcher=lambda name, threads, arguments: None)
    ground = engine().ground(terrains(courses.named("flat", 1)))
    wide = Policies(np.zeros(25 * 512, np.float32), 25 * 512, np.array([24, 512, policy.TANH]))
    with pytest.raises(ValueError, match=r"512 wide.*room for 256"):
        simulator.rollout(ground, [0], [0.0], [0], wide, 1)
