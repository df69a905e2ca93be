"""The executor `local` without worker processes: domains with threads of their own or on a device, and memory that runs out."""

from __future__ import annotations

from typing import Literal

import pytest
import torch
from torch import Tensor

import aiga
from aiga.components import Life, Network, Output, Percept, Space
from aiga.data import Batch, Kind, Leaves, Pairs, Population, Scores, Status
from aiga.errors import Abandoned
from aiga.registry import Components
from aiga_local import Local
from aiga_local.executor import LocalExecutor
from aiga_local.plugin import LocalOptions


class Doubling:
    """Doubles its one weight; its value is the number of rows it worked on."""

    def __init__(self) -> None:
        self.structure = {"version": 1}

    def newborn(self, leaves: Leaves) -> Life:
        return {}

    def step(self, leaves: Leaves, life: Life, percept: Percept) -> tuple[Output, Life]:
        return Output(2 * leaves["w"], torch.full((len(leaves["w"]),), float(len(leaves["w"])))), life


class Roomy:
    """A domain that has memory for so many rows at a time, and notes the threads torch had."""

    version, solved, steps = 1, 1.0, 1
    inputs, outputs = Space((1,)), Space((1,))

    def __init__(self, parallelism: Literal["serial", "threads", "device"]) -> None:
        self.parallelism = parallelism
        self.room = 1000
        self.error: Exception = RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")
        self.calls: list[int] = []
        self.threads: set[int] = set()

    def live(self, pairs: Pairs, network: Network, seeds: Tensor, record: bool = False) -> Scores:
        self.threads.add(torch.get_num_threads())
        self.calls.append(len(pairs))
        if len(pairs) > self.room:
            raise self.error
        weights = {name: leaf[pairs.agent] for name, leaf in pairs.agents.batches[0].leaves.items()}
        output, _ = network.step(weights, network.newborn(weights), Percept(torch.zeros(len(pairs), 1)))
        assert output.value is not None
        return Scores.of(output.action[:, 0] + seeds, {"steps": len(pairs)}, rows=output.value)


def made(domain: Roomy, **options: int) -> LocalExecutor:
    components = Components()
    components.domain("roomy", domain)  # type: ignore[arg-type]
    components.network("doubling", Doubling())  # type: ignore[arg-type]
    with components.registering("local"):
        Local(LocalOptions(**options)).aiga_register(components)
    executor = components.get("executor", "local")
    assert isinstance(executor, LocalExecutor)
    return executor


def pairs_of(count: int) -> Pairs:
    agents = Batch.of(Kind("doubling"), {"w": torch.arange(float(count))[:, None]})
    envs = Batch.of(Kind("roomy"), {"x": torch.zeros(1, 1)})
    return Pairs.of(Population((envs,)), Population((agents,)), torch.zeros(count, dtype=torch.int64), torch.arange(count))


@pytest.mark.parametrize("parallelism", ["threads", "device"])
def test_domains_that_are_not_serial_run_here_in_blocks_of_their_own_whatever_the_workers(
    parallelism: Literal["threads", "device"],
) -> None:
    domain = Roomy(parallelism)
    executor = made(domain, block=2, device_block=16)
    executor.configure(workers=2, device="cpu", threads=2)
    scores = executor.run("roomy", pairs_of(35), torch.zeros(35, 1, dtype=torch.int64))
    assert domain.calls == [16, 16, 3]
    assert scores.columns["rows"].tolist() == [16.0] * 35
    assert scores.fitness.tolist() == [2.0 * row for row in range(35)]
    assert domain.threads == {2}


def test_serial_domains_run_with_one_thread_and_the_threads_there_were_are_put_back() -> None:
    domain, before = Roomy("serial"), torch.get_num_threads()
    executor = made(domain)
    torch.set_num_threads(2)
    try:
        executor.run("roomy", pairs_of(9), torch.zeros(9, 1, dtype=torch.int64))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert domain.threads == {1}
    assert domain.calls == [8, 1]


@pytest.mark.parametrize("parallelism", ["serial", "threads", "device"])
@pytest.mark.parametrize(
    "error",
    [RuntimeError("CUDA out of memory."), MemoryError(), torch.OutOfMemoryError("HIP out of memory")],
    ids=lambda error: type(error).__name__,
)
def test_running_out_of_memory_halves_the_block_for_good_and_loses_no_row(
    parallelism: Literal["serial", "threads", "device"], error: Exception
) -> None:
    domain = Roomy(parallelism)
    domain.room, domain.error = 5, error
    executor = made(domain, block=16, device_block=16)
    seeds = torch.arange(42).reshape(21, 2)
    scores = executor.run("roomy", pairs_of(21), seeds)
    assert [loss["rows"] for loss in executor.drain_losses()] == [8, 4]
    assert domain.calls == [16, 8, *[4] * 10, 2]
    assert scores.ok.all()
    assert scores.columns["returns"].tolist() == (seeds + 2 * torch.arange(21)[:, None]).tolist()
    assert scores.cost == {"steps": 42}
    executor.run("roomy", pairs_of(21), seeds)
    assert executor.drain_losses() == []
    assert executor.blocks["serial" if parallelism == "serial" else "device"] == 4


def test_a_single_row_without_memory_fails_and_other_errors_make_no_block_smaller() -> None:
    domain = Roomy("threads")
    domain.room = 0
    executor = made(domain, device_block=2)
    scores = executor.run("roomy", pairs_of(3), torch.zeros(3, 1, dtype=torch.int64))
    assert scores.status.tolist() == [int(Status.ERROR)] * 3
    assert scores.reasons[2].startswith("roomy: RuntimeError: CUDA out of memory.")
    domain.error = RuntimeError("shapes differ")
    executor = made(domain, device_block=2)
    executor.run("roomy", pairs_of(3), torch.zeros(3, 1, dtype=torch.int64))
    assert executor.blocks["device"] == 2
    assert executor.losses == []


def test_a_domain_that_answers_too_few_rows_fails_them_instead_of_guessing() -> None:
    class Short(Roomy):
        def live(self, pairs: Pairs, network: Network, seeds: Tensor, record: bool = False) -> Scores:
            return Scores.of(torch.zeros(1))

    executor = made(Short("serial"))
    scores = executor.run("roomy", pairs_of(3), torch.zeros(3, 1, dtype=torch.int64))
    assert scores.status.tolist() == [int(Status.ERROR)] * 3
    assert "scores of 3 pairs with columns of other lengths" in scores.reasons[0]


def test_a_call_can_be_given_up_between_two_blocks() -> None:
    domain = Roomy("threads")
    executor = made(domain, device_block=2)
    executor.interrupted = lambda: len(domain.calls) == 2
    with pytest.raises(Abandoned):
        executor.run("roomy", pairs_of(9), torch.zeros(9, 1, dtype=torch.int64))
    assert domain.calls == [2, 2]


def test_the_plugin_refuses_options_that_make_no_sense() -> None:
    for wrong in ({"block": 0}, {"timeout": 0.0}, {"chunk": -1}, {"blocks": 4}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            LocalOptions(**wrong)
    assert aiga.Plugin in Local.__mro__
