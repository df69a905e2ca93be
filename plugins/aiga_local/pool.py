"""Worker processes that live a call's blocks: dealt out as workers fall idle, taken back from those that die or hang."""

from __future__ import annotations

import json
import os
import selectors
import tempfile
import time
import weakref
from collections import deque
from collections.abc import Callable
from typing import IO, Any

from aiga.codec import loads
from aiga.data import Scores, Status
from aiga.errors import Abandoned, AigaError
from aiga_local.blocks import Span, Work, failed
from aiga_local.process import Process

TICK = 0.1  # seconds between looks at deadlines and at the wish to stop
FALSE_STARTS = 3  # workers in a row that died before they were ready, until the cause is taken for lasting
LEAVE = 2.0  # seconds for workers to end by themselves


class _Job:
    """The blocks of one call: which wait, which are done, how often each was lost."""

    def __init__(self, domain: str, spans: list[Span]) -> None:
        self.domain = domain
        self.spans = spans
        self.waiting = deque(range(len(spans)))
        self.done: dict[int, Scores] = {}
        self.lost = [0] * len(spans)

    def take_back(self, blocks: deque[int], status: Status, reason: str) -> bool:
        """Takes a lost worker's blocks back, the one it was at at most once; says whether that one gets its second try."""
        first, *later = blocks
        self.lost[first] += 1
        again = self.lost[first] == 1
        if not again:
            start, stop = self.spans[first]
            self.done[first] = failed(stop - start, status, f"{self.domain}: {reason}, and so did a second one")
        self.waiting.extendleft(reversed([first, *later] if again else later))
        return again


class Pool:
    """Persistent worker processes, started when first needed.

    Args:
        recipe: JSON of the run's components.
        workers: how many, at least 1.
        timeout: seconds a worker may spend on a block.
        chunk: blocks in one message.
        losses: where workers lost are noted, JSON-able.
    """

    def __init__(self, recipe: str, workers: int, timeout: float, chunk: int, losses: list[dict[str, Any]]) -> None:
        self._recipe = recipe
        self._workers = workers
        self._timeout = timeout
        self._chunk = chunk
        self._losses = losses
        self._processes: list[Process] = []
        self._board = _board()
        self._jobs = 0
        self._false_starts = 0
        self.close = weakref.finalize(self, _end, self._processes, self._board)

    def live(self, work: Work, spans: list[Span], rows: int, interrupted: Callable[[], bool]) -> list[Scores]:
        """Scores of each block, one row a lane.

        Raises:
            Abandoned: when ``interrupted`` says so; the pool may be used again.
            AigaError: if worker processes cannot be started.
        """
        self._drop(lambda process: bool(process.blocks))
        job = _Job(work.domain, spans)
        self._jobs += 1
        data = work.dump()
        self._board.seek(0)
        self._board.truncate()
        self._board.write(data)
        self._board.flush()
        order = {"job": self._jobs, "size": len(data), "rows": rows}
        try:
            self._attend(job)
            while len(job.done) < len(spans):
                if interrupted():
                    raise Abandoned("given up while worker processes were busy")
                self._replenish()
                self._deal(job, order)
                self._wait()
                self._attend(job)
        except BaseException:
            # A worker cannot be told to leave a block; and what one that is starting said may be lost, as Abandoned may be
            # raised by a signal at any moment.
            self._drop(lambda process: not process.idle)
            raise
        finally:
            self._board.truncate(0)
        return [job.done[number] for number in range(len(spans))]

    def _drop(self, unwanted: Callable[[Process], bool]) -> None:
        for process in [process for process in self._processes if unwanted(process)]:
            self._discard(process)

    def _replenish(self) -> None:
        while len(self._processes) < self._workers:
            self._processes.append(Process(self._recipe, self._timeout, self._board.fileno()))

    def _deal(self, job: _Job, order: dict[str, Any]) -> None:
        for process in self._processes:
            if process.idle and job.waiting:
                blocks = [job.waiting.popleft() for _ in range(min(self._chunk, len(job.waiting)))]
                process.give({**order, "blocks": blocks, "spans": [job.spans[b] for b in blocks]}, self._timeout)

    def _wait(self) -> None:
        """Waits until a worker says something, or for one tick."""
        with selectors.DefaultSelector() as selector:
            for process in self._processes:
                for pipe in process.open:
                    selector.register(pipe, selectors.EVENT_READ)
            selector.select(TICK)

    def _attend(self, job: _Job) -> None:
        """Hears what workers have to say, and lets go of those that are dead or overdue."""
        for process in list(self._processes):
            self._hear(process, job)

    def _hear(self, process: Process, job: _Job) -> None:
        # Asked first: what a dead worker wrote before its end is still read below.
        ended = process.ended()
        for message in process.read():
            if process.ready:
                answer = loads(message)
                process.blocks.popleft()
                process.allow(self._timeout)
                job.done[answer["block"]] = answer["scores"]
            else:
                self._greet(process, json.loads(message)["broken"])
        process.listen()
        if process.idle:
            process.deadline = float("inf")
        if ended:
            self._lose(process, job, Status.ERROR, None)
        elif time.monotonic() > process.deadline:
            self._lose(process, job, Status.TIMEOUT, f"worker process gave no answer in {process.limit:g} s")

    def _greet(self, process: Process, broken: str | None) -> None:
        if broken is not None:
            self._discard(process)
            raise AigaError(
                f"local: a worker process could not load the run's plugins: {broken}. "
                "What a run names must be importable in a new process; with run.workers = 0 no process is started."
            )
        process.ready = True
        self._false_starts = 0

    def _lose(self, process: Process, job: _Job, status: Status, reason: str | None) -> None:
        """Notes the loss of a worker and takes its blocks back."""
        self._discard(process)
        reason = reason or process.fate()
        retried = bool(process.blocks) and job.take_back(process.blocks, status, reason)
        said = process.complaint
        self._losses.append({"what": "worker", "pid": process.pid, "reason": reason, "retried": retried, "stderr": said})
        if not process.ready:
            self._false_starts += 1
            if self._false_starts >= FALSE_STARTS:
                raise AigaError(f"local: {FALSE_STARTS} worker processes in a row did not start: {reason}. {said}".rstrip())

    def _discard(self, process: Process) -> None:
        self._processes.remove(process)
        process.end()


def _board() -> IO[bytes]:
    """An anonymous file, in memory where that can be had: written once a call, read by every worker, gone with the last one."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("aiga-local"), "w+b")
    return tempfile.TemporaryFile()


def _end(processes: list[Process], board: IO[bytes]) -> None:
    for process in processes:
        process.leave()
    until = time.monotonic() + LEAVE
    for process in processes:
        process.end(max(0.0, until - time.monotonic()))
    processes.clear()
    board.close()
