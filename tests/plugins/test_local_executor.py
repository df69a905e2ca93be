"""The executor `local`, in this process and with worker processes, on a toy domain that can misbehave in many ways."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from aiga.data import Batch, Kind, Noise, Pairs, Population, Scores, Status
from aiga.discovery import assemble
from aiga.errors import Abandoned, AigaError
from aiga.registry import Components
from aiga_local.executor import LocalExecutor

TOY = '''
import os, sys, time, torch, aiga
from pathlib import Path
from aiga.components import Output, Percept, Space
from aiga.data import Scores, Status

HERE = Path(__file__).parent
FINE, RAISE, NAN, DIE, HANG, DIE_ONCE, SPIN, SLOW, STATUS, GARBLE, CHATTER = range(11)


class ToyDomain:
    version, solved, steps, parallelism = 1, 1.0, 5, "serial"
    inputs, outputs = Space((3,)), Space((2,))

    def live(self, pairs, network, seeds, record=False):
        (envs,), (agents,) = pairs.envs.batches, pairs.agents.batches
        assert agents.noise is None
        mode = envs.leaves["mode"][pairs.env]
        self.misbehave(set(mode.tolist()))
        slope = envs.leaves["slope"][pairs.env]
        leaves = {name: leaf[pairs.agent] for name, leaf in agents.leaves.items()}
        life, total = network.newborn(leaves), torch.zeros(len(mode), dtype=torch.float64)
        for step in range(self.steps):
            phase = seeds[:, None] % 1000 + step + torch.arange(3)
            output, life = network.step(leaves, life, Percept(torch.sin(phase * slope[:, None])))
            total += output.action.double().sum(dim=1)
        total[mode == NAN] = torch.nan
        columns = {"last": output.action, "rows": output.value, "pid": torch.full((len(mode),), os.getpid())}
        scores = Scores.of(total, {"environment_steps": self.steps * len(mode)}, **columns)
        scores.status[mode == STATUS] = int(Status.ERROR)
        return Scores(scores.columns, scores.status, {int(r): "tripped" for r in torch.nonzero(mode == STATUS)}, scores.cost)

    def misbehave(self, modes):
        if RAISE in modes:
            return 1 / 0
        if GARBLE in modes:
            return os.write(1, b"x" * 50), os.read(0, 10)
        if CHATTER in modes:
            sys.stderr.write("chatter " * 40_000)
        if SLOW in modes:
            time.sleep(0.2)
        if HANG in modes:
            (HERE / "pid").write_text(str(os.getpid()))
            time.sleep(1000)
        if SPIN in modes:
            (HERE / "pid").write_text(str(os.getpid()))
            while True:
                pass
        if DIE in modes or (DIE_ONCE in modes and not (HERE / "died").exists()):
            (HERE / "died").touch()
            print("going down", file=sys.stderr, flush=True)
            os.kill(os.getpid(), 9) if DIE in modes else os._exit(3)


class Linear:
    """Its value is the number of rows it worked on."""

    structure = {"version": 1}

    def newborn(self, leaves):
        return {}

    def step(self, leaves, life, percept):
        action = torch.tanh(torch.bmm(leaves["w"], percept.observation[:, :, None])[:, :, 0])
        return Output(action, torch.full((len(action),), float(len(action)))), life


class Recurrent(Linear):
    def newborn(self, leaves):
        return {"h": torch.zeros(len(leaves["w"]), 2)}

    def step(self, leaves, life, percept):
        output, _ = super().step(leaves, life, percept)
        h = torch.tanh(output.action + torch.bmm(leaves["v"], life["h"][:, :, None])[:, :, 0])
        return Output(h, output.value), {"h": h}


class Toy(aiga.Plugin):
    name = "toy"

    def aiga_register(self, registry):
        registry.domain("toy", ToyDomain())
        registry.network("linear", Linear())
        registry.network("recurrent", Recurrent())
'''
FINE, RAISE, NAN, DIE, HANG, DIE_ONCE, SPIN, SLOW, STATUS, GARBLE, CHATTER = range(11)
MARKS = ("pid", "died")


@pytest.fixture(scope="module")
def components(tmp_path_factory: pytest.TempPathFactory) -> Components:
    path = tmp_path_factory.mktemp("toy") / "toy.py"
    path.write_text(TOY)
    return assemble(json.dumps({"plugins": [{"name": "toy", "path": str(path), "options": {}}]}))


@pytest.fixture
def here(components: Components) -> Iterator[Path]:
    """The folder of the plugin, where the toy leaves its marks."""
    folder = Path(json.loads(components.recipe)["plugins"][0]["path"]).parent
    yield folder
    for name in MARKS:
        (folder / name).unlink(missing_ok=True)


def made(components: Components, workers: int, **options: float) -> LocalExecutor:
    executor = LocalExecutor(components, **{"block": 4, "timeout": 60.0, **options})  # type: ignore[arg-type]
    executor.configure(workers=workers, device="cpu")
    return executor


@pytest.fixture(scope="module")
def pair_of_workers(components: Components) -> Iterator[LocalExecutor]:
    executor = made(components, 2)
    yield executor
    executor.close()


def environments(modes: list[int], *, version: int = 1) -> Batch:
    slope = torch.linspace(0.3, 1.7, len(modes) + version)[version:]
    return Batch.of(Kind("toy", {"version": version}), {"slope": slope, "mode": torch.tensor(modes)})


def linear(count: int) -> Batch:
    return Batch.of(Kind("linear"), {"w": torch.sin(torch.arange(6.0 * count)).reshape(count, 2, 3)})


def perturbed(count: int) -> Batch:
    """An implicit batch of recurrent agents, two antithetic rows of each base."""
    leaves = {"w": torch.cos(torch.arange(6.0 * count)).reshape(-1, 2, 3), "v": torch.ones(count, 2, 2) / 3}
    rows = 2 * count
    sign = torch.tensor([1.0, -1.0]).repeat(count)
    noise = Noise(9, torch.arange(rows) // 2, torch.arange(rows) // 2, sign, torch.full((count,), 0.1))
    return Batch(Kind("recurrent"), torch.full((rows,), -1), leaves, noise)


def lives(modes: list[int]) -> Pairs:
    """One pair for each mode, with explicit linear agents."""
    rows = torch.arange(len(modes))
    return Pairs.of(Population((environments(modes),)), Population((linear(len(modes)),)), rows, rows)


def mixed() -> Pairs:
    """Every one of 5 environments of two kinds with every one of 7 agents of two kinds."""
    envs = Population((environments([FINE, FINE, FINE]), environments([FINE, FINE], version=2)))
    return Pairs.cross(envs, Population((linear(3), perturbed(2))))


def seeds(pairs: Pairs, episodes: int = 1) -> Tensor:
    return torch.arange(len(pairs) * episodes).reshape(len(pairs), episodes) * 7919


def same_bits(one: Scores, other: Scores) -> bool:
    columns = set(one.columns) - {"pid"}
    return (
        columns == set(other.columns) - {"pid"}
        and all(torch.equal(one.columns[name].nan_to_num(7e7), other.columns[name].nan_to_num(7e7)) for name in columns)
        and torch.equal(one.status, other.status)
        and dict(one.reasons) == dict(other.reasons)
        and one.cost == other.cost
    )


def until(condition: Callable[[], bool], seconds: float = 20.0) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


def alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and ") Z" not in stat.read_text()


@pytest.mark.parametrize("episodes", [1, 3])
def test_results_are_the_same_bits_with_workers_and_without(
    components: Components, pair_of_workers: LocalExecutor, episodes: int
) -> None:
    pairs = mixed()
    expected = made(components, 0).run("toy", pairs, seeds(pairs, episodes))
    assert expected.ok.all()
    assert (expected.columns["rows"] == 4).all()
    assert expected.cost == {"environment_steps": 5 * 35 * episodes}
    scores = pair_of_workers.run("toy", pairs, seeds(pairs, episodes))
    assert same_bits(scores, expected)
    assert os.getpid() not in scores.columns["pid"].tolist()


def test_results_are_the_same_bits_for_any_size_of_message(components: Components) -> None:
    pairs, executor = mixed(), made(components, 1, chunk=3)
    try:
        scores = executor.run("toy", pairs, seeds(pairs, 2))
    finally:
        executor.close()
    assert same_bits(scores, made(components, 0).run("toy", pairs, seeds(pairs, 2)))


def test_a_row_scores_the_same_alone_and_in_company(components: Components) -> None:
    executor, pairs = made(components, 0), mixed()
    together = executor.run("toy", pairs, seeds(pairs, 2))
    for row in (0, 3, 17, 34):
        alone = executor.run("toy", pairs.take(torch.tensor([row])), seeds(pairs, 2)[[row]])
        assert same_bits(alone, Scores(together.take(torch.tensor([row])).columns, alone.status, {}, alone.cost))


@pytest.mark.parametrize("count", [0, 1, 3, 4, 5])
def test_any_number_of_pairs_runs_with_and_without_workers(
    components: Components, pair_of_workers: LocalExecutor, count: int
) -> None:
    pairs = mixed().take(torch.arange(count) * 6)
    expected = made(components, 0).run("toy", pairs, seeds(pairs))
    assert len(expected) == count
    assert same_bits(pair_of_workers.run("toy", pairs, seeds(pairs)), expected)


def test_what_goes_wrong_in_a_life_is_a_status_with_a_reason_and_the_same_in_workers(
    components: Components, pair_of_workers: LocalExecutor
) -> None:
    pairs = lives([FINE, NAN, FINE, STATUS, RAISE, FINE, FINE, FINE, FINE])
    scores = pair_of_workers.run("toy", pairs, seeds(pairs))
    ok, nan, error = int(Status.OK), int(Status.NAN), int(Status.ERROR)
    assert scores.status.tolist() == [ok, nan, ok, error, error, error, error, error, ok]
    assert scores.reasons[1] == "toy: fitness nan in episode 0"
    assert scores.reasons[3] == "tripped"
    assert scores.reasons[4].startswith("toy: ZeroDivisionError: division by zero (toy.py:")
    assert torch.equal(scores.fitness.isfinite(), scores.ok)
    assert same_bits(made(components, 0).run("toy", pairs, seeds(pairs)), scores)
    assert pair_of_workers.drain_losses() == []


def test_what_a_domain_prints_or_reads_garbles_no_message(pair_of_workers: LocalExecutor) -> None:
    pairs = lives([GARBLE, FINE, FINE, FINE, CHATTER, FINE])
    assert pair_of_workers.run("toy", pairs, seeds(pairs)).ok.all()


def test_workers_are_kept_from_call_to_call_and_an_idle_one_that_died_is_replaced(pair_of_workers: LocalExecutor) -> None:
    # Slow enough that both get work.
    pairs = lives([SLOW] * 16)
    before = {int(pid) for pid in pair_of_workers.run("toy", pairs, seeds(pairs)).columns["pid"]}
    assert {int(pid) for pid in pair_of_workers.run("toy", pairs, seeds(pairs)).columns["pid"]} == before
    victim = min(before)
    os.kill(victim, signal.SIGKILL)
    # Left for the executor to reap; while one thread still ends, a process takes work as if it lived.
    os.waitid(os.P_PID, victim, os.WEXITED | os.WNOWAIT)
    scores = pair_of_workers.run("toy", pairs, seeds(pairs))
    assert scores.ok.all()
    (loss,) = pair_of_workers.drain_losses()
    assert (loss["pid"], loss["reason"], loss["retried"]) == (victim, "worker process ended by SIGKILL", False)
    json.dumps(loss)


def test_a_busy_worker_that_dies_once_costs_nothing_but_time(components: Components, here: Path) -> None:
    executor, pairs = made(components, 1, chunk=2), lives([FINE, DIE_ONCE, FINE, FINE, FINE])
    try:
        scores = executor.run("toy", pairs, seeds(pairs))
    finally:
        executor.close()
    assert scores.ok.all()
    (loss,) = executor.losses
    assert loss["retried"]
    assert loss["reason"] == "worker process ended with exit code 3: going down"
    assert loss["stderr"] == "going down"


def test_blocks_that_kill_or_hang_two_workers_are_marked_failed_and_the_others_are_not(
    components: Components, here: Path
) -> None:
    # Blocks of four, three of them to a message: one fine, one deadly, one fine, one endless.
    pairs = lives([FINE] * 4 + [FINE, DIE, FINE, FINE] + [FINE] * 4 + [HANG])
    executor = made(components, 2, timeout=1.0, chunk=3)
    try:
        scores = executor.run("toy", pairs, seeds(pairs))
    finally:
        executor.close()
    error, timeout = int(Status.ERROR), int(Status.TIMEOUT)
    assert scores.status.tolist() == [0] * 4 + [error] * 4 + [0] * 4 + [timeout]
    assert scores.reasons[5] == "toy: worker process ended by SIGKILL, and so did a second one"
    assert scores.reasons[12] == "toy: worker process gave no answer in 1 s, and so did a second one"
    assert sorted(loss["retried"] for loss in executor.losses) == [False, False, True, True]
    assert not alive(int((here / "pid").read_text()))


def test_a_call_can_be_given_up_while_workers_are_busy_and_the_executor_used_again(
    pair_of_workers: LocalExecutor, here: Path
) -> None:
    pairs = lives([FINE] * 4 + [HANG] * 8)
    pair_of_workers.interrupted = (here / "pid").exists
    begun = time.monotonic()
    try:
        with pytest.raises(Abandoned):
            pair_of_workers.run("toy", pairs, seeds(pairs))
    finally:
        pair_of_workers.interrupted = lambda: False
    assert time.monotonic() - begun < 30
    assert not alive(int((here / "pid").read_text()))
    fine = lives([FINE] * 6)
    assert pair_of_workers.run("toy", fine, seeds(fine)).ok.all()


def test_a_call_left_by_an_exception_from_a_signal_leaves_no_answer_to_the_next(
    pair_of_workers: LocalExecutor, here: Path
) -> None:
    def leave(number: int, frame: object) -> None:
        raise Abandoned

    before = signal.signal(signal.SIGALRM, leave)
    slow, fine = lives([SLOW] * 40), lives([FINE] * 9)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.5)
        with pytest.raises(Abandoned):
            pair_of_workers.run("toy", slow, seeds(slow))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    scores = pair_of_workers.run("toy", fine, seeds(fine))
    assert scores.ok.all()
    assert scores.columns["returns"].shape == (9, 1)


def test_closing_ends_the_workers_at_once_and_a_later_call_starts_new_ones(components: Components) -> None:
    executor, pairs = made(components, 1), lives([FINE])
    pid = int(executor.run("toy", pairs, seeds(pairs)).columns["pid"])
    begun = time.monotonic()
    executor.close()
    executor.close()
    assert time.monotonic() - begun < 1.5
    assert not alive(pid)
    assert int(executor.run("toy", pairs, seeds(pairs)).columns["pid"]) not in (pid, os.getpid())
    executor.configure(workers=0, device="cpu")
    assert int(executor.run("toy", pairs, seeds(pairs)).columns["pid"]) == os.getpid()


def test_no_worker_outlives_a_parent_that_was_killed(components: Components, here: Path, tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(
        textwrap.dedent(f"""
        import sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        import test_local_executor as t
        from aiga.discovery import assemble
        executor = t.made(assemble({components.recipe!r}), 1)
        pairs = t.lives([{SPIN}])
        executor.run("toy", pairs, t.seeds(pairs))
        """)
    )
    parent = subprocess.Popen([sys.executable, str(script)])
    try:
        assert until(lambda: (here / "pid").exists() and (here / "pid").read_text() != "")
        worker = int((here / "pid").read_text() or 0)
        assert alive(worker)
    finally:
        parent.kill()
        parent.wait()
    assert until(lambda: not alive(worker), 5.0)


def test_plugins_that_a_worker_cannot_load_end_the_call_with_the_reason(components: Components, here: Path) -> None:
    executor, pairs = made(components, 1), lives([FINE])
    (here / "toy.py").rename(here / "away.py")
    try:
        with pytest.raises(AigaError, match="could not load the run's plugins"):
            executor.run("toy", pairs, seeds(pairs))
    finally:
        (here / "away.py").rename(here / "toy.py")
    assert executor.run("toy", pairs, seeds(pairs)).ok.all()


def test_a_domain_or_network_that_nobody_registered_is_named_before_anything_runs(components: Components) -> None:
    executor, pairs = made(components, 2), lives([FINE])
    with pytest.raises(KeyError, match="maze"):
        executor.run("maze", pairs, seeds(pairs))
    stranger = Population((Batch.of(Kind("lstm"), {"w": torch.zeros(1, 2)}),))
    with pytest.raises(KeyError, match="lstm"):
        executor.run("toy", Pairs.of(pairs.envs, stranger, pairs.env, pairs.agent), seeds(pairs))
