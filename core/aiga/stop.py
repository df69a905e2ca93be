"""When a stretch of a run ends: limits reached, or a person or a scheduler asking for it."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

from aiga.errors import Abandoned

_AGAIN = 1.0  # seconds: a destructor or somebody's bare `except` may swallow what leaves an iteration, so it is raised again
_ASKING = (signal.SIGINT, signal.SIGTERM)
_LONGEST = 1e8  # seconds, three years: clocks of the system take no more


class Stop:
    """Watches limits and signals.

    The first SIGINT or SIGTERM asks for a stop at the next iteration boundary; when ``grace`` seconds have passed, a running
    iteration is abandoned. The second ends the process at once. ``unit`` is what a person calls an iteration.
    """

    def __init__(
        self,
        *,
        seconds: float | None,
        iterations: int | None,
        evaluations: int | None,
        grace: float,
        unit: str = "iteration",
    ) -> None:
        self.reason: str | None = None
        self.abandoned = False
        self._seconds, self._unit = seconds, unit
        self.restart()
        self._iterations, self._evaluations, self._grace = iterations, evaluations, grace
        self._signals, self._inside = 0, False
        self._alarm: Any = None  # whose SIGALRM it was before the first request

    def restart(self) -> None:
        """Counts the seconds from now on: what is prepared before a search is no part of it."""
        self._deadline = None if self._seconds is None else time.monotonic() + self._seconds

    def due(self, iteration: int, evaluations: int) -> str | None:
        """Why the run should stop at this boundary; None where it should go on.

        Args:
            iteration: the last one completed.
            evaluations: episodes lived in the whole run.
        """
        if self.reason is None:
            if self._deadline is not None and time.monotonic() >= self._deadline:
                self.reason = "time is up"
            elif self._iterations is not None and iteration >= self._iterations:
                self.reason = f"{iteration} iterations are done"
            elif self._evaluations is not None and evaluations >= self._evaluations:
                self.reason = f"{evaluations} evaluations are done"
        return self.reason

    @property
    def asked(self) -> bool:
        """Whether a person or a scheduler asked for it, and waits."""
        return self._signals > 0

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Takes SIGINT and SIGTERM while its body runs, SIGALRM from the first of them on; only in the main thread."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.getsignal(number) for number in _ASKING}
        self.take()
        try:
            yield
        finally:
            if self._signals:
                signal.setitimer(signal.ITIMER_REAL, 0)
                before[signal.SIGALRM] = self._alarm
            for number, handler in before.items():
                signal.signal(number, handler)

    def take(self) -> None:
        """Takes SIGINT and SIGTERM, back from a library that took them since; only in the main thread."""
        if threading.current_thread() is threading.main_thread():
            for number in _ASKING:
                signal.signal(number, self._asked)

    @contextmanager
    def abandonable(self) -> Iterator[None]:
        """Marks a body that may be left by :class:`aiga.errors.Abandoned` at any moment."""
        self._inside = True
        try:
            if self.abandoned:
                raise Abandoned
            yield
        finally:
            self._inside = False

    def _asked(self, number: int, frame: FrameType | None) -> None:
        self._signals += 1
        if self._signals > 1:
            with suppress(OSError):
                os.write(2, b"stopped at once; what is saved can be resumed, as if nothing had happened\n")
            # What is not committed will be computed again; a clean-up could hang.
            os._exit(1)
        self.reason = f"{signal.Signals(number).name} received"
        # Straight to the descriptor: a handler may have interrupted a print, which cannot be entered twice.
        with suppress(OSError):
            os.write(2, f"{self.reason}: stopping at the end of this {self._unit}; once more to stop at once\n".encode())
        self._alarm = signal.signal(signal.SIGALRM, self._late) or signal.SIG_DFL
        signal.setitimer(signal.ITIMER_REAL, min(max(self._grace, 1e-3), _LONGEST), _AGAIN)

    def _late(self, number: int, frame: FrameType | None) -> None:
        self.abandoned = True
        if self._inside:
            raise Abandoned
