"""kill -9 in the middle of many commits: what was committed is there, nothing twice; stones, journal and checkpoint agree."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from aiga import checkpoint
from aiga.journal import Journal
from aiga.stones import Stones

# Forks a worker for every line it reads, kills it that many seconds after its first commit, and tells the last one it made.
NURSERY = """
import itertools, os, signal, sys, time
from pathlib import Path
import torch
from aiga import checkpoint
from aiga.data import Batch, Kind
from aiga.journal import Journal
from aiga.stones import Stones

torch.set_num_threads(1)
folder = Path(sys.argv[1])

def work(told):
    journal = Journal(folder / "journal.db")
    stones = Stones(folder / "stones", journal)
    found, complaints = checkpoint.newest(folder / "checkpoints")
    assert complaints == [], complaints
    start = -1 if found is None else found.iteration
    checkpoint.truncate(folder / "checkpoints", start)
    journal.truncate(start)
    stones.truncate(start)
    for iteration in itertools.count(start + 1):
        ids = torch.arange(3 * iteration, 3 * iteration + 3)
        stones.stage(iteration, agents=Batch(Kind("mlp"), ids, {"w": ids.double()[:, None]}))
        rows = [("born", {"env": int(id), "score": float(id) / 3}) for id in ids]
        journal.commit(iteration, rows, [("times", {"seconds": 0.5})], stones=stones.write())
        os.write(told, b"%d\\n" % iteration)
        if iteration % 5 == 0:
            checkpoint.save(folder / "checkpoints", iteration, {"search": {"iteration": iteration}})

for line in sys.stdin:
    ears, mouth = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            work(mouth)
        finally:
            os._exit(1)
    os.close(mouth)
    heard = os.read(ears, 1)
    time.sleep(float(line))
    os.kill(child, signal.SIGKILL)
    status = os.waitpid(child, 0)[1]
    assert os.WIFSIGNALED(status), "the worker ended by itself"
    while more := os.read(ears, 65536):
        heard += more
    os.close(ears)
    print(heard[:heard.rfind(b"\\n")].split()[-1].decode(), flush=True)
"""


class Nursery:
    def __init__(self, folder: Path) -> None:
        command = [sys.executable, "-c", NURSERY, str(folder)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def start(self, seconds: float) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{seconds}\n")
        self.process.stdin.flush()

    def told(self) -> int:
        assert self.process.stdout is not None
        return int(self.process.stdout.readline())


@pytest.fixture
def nursery(tmp_path: Path) -> Iterator[Nursery]:
    made = Nursery(tmp_path)
    yield made
    made.process.communicate()


def test_killed_over_and_over_the_journal_is_that_of_a_run_never_killed(tmp_path: Path, nursery: Nursery) -> None:
    chance, reached = random.Random(0), -1
    for _ in range(12):
        nursery.start(chance.uniform(0.0, 0.2))
        told = nursery.told()
        with Journal(tmp_path / "journal.db", readonly=True) as journal:
            last = journal.iteration
            assert last is not None
            assert last in (told, told + 1)
            ids = torch.arange(3 * last + 3)
            lines = [json.loads(line) for line in journal.lines()]
            assert lines == [{"id": n + 1, "iteration": n // 3, "type": "born", "env": n, "score": n / 3} for n in ids.tolist()]
            population, where = Stones(tmp_path / "stones", journal).read(ids)
            weights = torch.cat([batch.leaves["w"] for batch in population.batches])
            assert weights[where, 0].tolist() == ids.tolist()
        found, complaints = checkpoint.newest(tmp_path / "checkpoints")
        assert complaints == []
        assert reached <= (-1 if found is None else found.iteration) <= last
        reached = -1 if found is None else found.iteration
    assert reached > 10


def test_a_reader_beside_a_writer_that_is_killed_never_sees_part_of_an_iteration(tmp_path: Path, nursery: Nursery) -> None:
    nursery.start(0.05)
    nursery.told()
    nursery.start(1.0)
    deadline, grown = time.monotonic() + 30, set[int]()
    with Journal(tmp_path / "journal.db", readonly=True) as journal:
        while len(grown) < 20 and time.monotonic() < deadline:
            count = sum(journal.counts().values())
            assert count % 3 == 0
            grown.add(count)
        last = nursery.told()
        seen = sum(journal.counts().values())
    assert len(grown) > 2
    assert seen in (3 * (last + 1), 3 * (last + 2))


def test_the_log_of_a_killed_run_is_taken_up_without_its_shared_memory(tmp_path: Path, nursery: Nursery) -> None:
    nursery.start(0.1)
    told = nursery.told()
    assert (tmp_path / "journal.db-wal").stat().st_size > 0
    (tmp_path / "journal.db-shm").unlink()
    with Journal(tmp_path / "journal.db") as journal:
        assert journal.iteration in (told, told + 1)
