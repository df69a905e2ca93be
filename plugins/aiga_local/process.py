"""One worker process as its parent sees it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from typing import IO, Any

from aiga.codec import dumps
from aiga_local.frames import PIECE, Inbox, write

START_LIMIT = 300.0  # seconds to import torch and the run's plugins, on a machine that is busy with something else
_TAIL = 4096  # bytes of standard error kept


class Process:
    """A worker process, started at once and without waiting for it.

    Attributes:
        ready: it has loaded the run's components.
        blocks: numbers of the blocks it was given and has not answered, the one it is at first.
        deadline: by ``time.monotonic()``, when it must have said something; infinite while it is idle.
        limit: seconds it was given until then.
        open: pipes that something may still come from.
    """

    def __init__(self, recipe: str, timeout: float, board: int) -> None:
        self.ready = False
        self.blocks: deque[int] = deque()
        self.allow(START_LIMIT)
        self._inbox = Inbox()
        self._said = b""
        threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
        path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)  # noqa: PTH109
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-X", "faulthandler", "-m", "aiga_local.worker", str(board)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            pass_fds=(board,),
            env={**os.environ, **threads, "PYTHONPATH": path},
            # Out of the terminal's foreground group: Ctrl-C reaches the parent alone, even before the worker can ignore it.
            process_group=0,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._stdin, self._stdout, self._stderr = self._process.stdin, self._process.stdout, self._process.stderr
        self.open: list[IO[bytes]] = [self._stdout, self._stderr]
        for pipe in self.open:
            os.set_blocking(pipe.fileno(), False)
        self.send(json.dumps({"recipe": recipe, "timeout": timeout}).encode())

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def idle(self) -> bool:
        return self.ready and not self.blocks

    def allow(self, seconds: float) -> None:
        """Sets the deadline, ``seconds`` from now."""
        self.limit, self.deadline = seconds, time.monotonic() + seconds

    def give(self, order: dict[str, Any], timeout: float) -> None:
        """Hands over blocks; each is to be answered within ``timeout`` seconds of the one before."""
        self.blocks.extend(order["blocks"])
        self.allow(timeout)
        self.send(dumps(order))

    def send(self, message: bytes) -> None:
        """Sends a message; to a process that is dead it is lost, which :meth:`ended` tells."""
        try:
            write(self._stdin.fileno(), message)
        except OSError:
            self._process.kill()

    def read(self) -> Iterator[bytes]:
        """The messages that have arrived since; never waits."""
        for piece in self._pieces(self._stdout):
            yield from self._inbox.feed(piece)

    def listen(self) -> None:
        """Takes in what the process complained of; never waits."""
        for piece in self._pieces(self._stderr):
            self._said = (self._said + piece)[-_TAIL:]

    def _pieces(self, pipe: IO[bytes]) -> Iterator[bytes]:
        while pipe in self.open:
            try:
                piece = os.read(pipe.fileno(), PIECE)
            except BlockingIOError:
                return
            if not piece:
                self.open.remove(pipe)
                return
            yield piece

    def ended(self) -> bool:
        return self._process.poll() is not None

    @property
    def complaint(self) -> str:
        """The last of what it wrote to standard error."""
        return self._said.decode(errors="replace").strip()

    def fate(self) -> str:
        """How it ended, in words; asked of a process that did."""
        code = self._process.returncode
        if code is not None and code < 0:
            return f"worker process ended by {signal.Signals(-code).name}"
        last = self.complaint.splitlines()[-1:]
        return ": ".join([f"worker process ended with exit code {code}", *last])

    def leave(self) -> None:
        """Tells the process to end, without waiting."""
        self._stdin.close()

    def end(self, wait: float = 0.0) -> None:
        """Ends the process: after ``wait`` seconds in which it may end by itself, at once and for certain."""
        try:
            self._process.wait(wait)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self.listen()
        self.open.clear()
        for pipe in (self._stdin, self._stdout, self._stderr):
            pipe.close()
