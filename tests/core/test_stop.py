"""When a stretch ends: limits, and requests by signals."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from types import FrameType

import pytest
import support

import aiga
from aiga.errors import Abandoned


def wait(number: signal.Signals) -> None:
    """Asks itself to stop, and goes on for a while."""
    os.kill(os.getpid(), number)
    time.sleep(5.0)


def test_without_limits_it_never_ends() -> None:
    assert support.limit().due(10**9, 10**12) is None


def test_iterations_and_evaluations_are_of_the_whole_run() -> None:
    assert support.limit(5).due(4, 0) is None
    assert support.limit(5).due(5, 0) == "5 iterations are done"
    assert support.limit(evaluations=100).due(1, 99) is None
    assert support.limit(evaluations=100).due(1, 130) == "130 evaluations are done"


def test_minutes_are_of_the_stretch() -> None:
    stop = support.limit(seconds=0.05)
    assert stop.due(0, 0) is None
    time.sleep(0.06)
    assert stop.due(0, 0) == "time is up"


def test_a_run_stops_at_each_limit(tmp_path: Path) -> None:
    timed = support.bare(run={"stop": {"minutes": 0.005, "iterations": None}})
    assert aiga.run(timed, name="t", runs=tmp_path).operations("stop")["reason"].tolist() == ["time is up"]
    counted = support.bare(run={"stop": {"evaluations": 30, "iterations": None}})
    run = aiga.run(counted, name="e", runs=tmp_path)
    (reason,) = run.operations("stop")["reason"]
    assert int(reason.split()[0]) >= 30
    assert support.events(run.path, "iteration")[-1]["episodes"] == int(reason.split()[0])
    before = support.lines(run.path)
    aiga.resume(run.path)  # the limit is reached already: nothing happens but a note
    assert support.lines(run.path) == before
    aiga.resume(run.path, minutes=0.005, overrides=["run.stop.evaluations=1000000"])
    assert len(support.lines(run.path)) > len(before)


def test_one_signal_asks_for_the_next_boundary() -> None:
    stop = support.limit()
    with stop.listening(), stop.abandonable():
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.01)
        assert stop.due(3, 3) == "SIGTERM received"
        assert not stop.abandoned


def test_past_its_grace_an_iteration_is_left() -> None:
    stop = support.limit(grace=0.05)
    with stop.listening():
        with pytest.raises(Abandoned), stop.abandonable():
            wait(signal.SIGINT)
        assert stop.abandoned
        with pytest.raises(Abandoned), stop.abandonable():
            pytest.fail("no other iteration is begun")


def test_what_is_not_abandonable_is_never_left() -> None:
    stop = support.limit(grace=0.02)
    with stop.listening():
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.1)
        assert stop.abandoned


def test_an_abandonment_that_somebody_swallows_is_raised_again() -> None:
    stop, swallowed = support.limit(grace=0.02), []

    def deaf() -> None:
        try:
            wait(signal.SIGTERM)
        except BaseException as error:
            swallowed.append(error)
        time.sleep(5.0)

    with stop.listening(), pytest.raises(Abandoned), stop.abandonable():
        deaf()
    assert len(swallowed) == 1


def test_handlers_and_timers_of_others_are_put_back() -> None:
    def mine(number: int, frame: FrameType | None) -> None: ...

    before = [signal.signal(number, mine) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)]
    try:
        stop = support.limit(grace=30.0)
        with stop.listening():
            os.kill(os.getpid(), signal.SIGTERM)
        assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)] == [mine] * 3
        assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    finally:
        for number, handler in zip((signal.SIGINT, signal.SIGTERM, signal.SIGALRM), before, strict=True):
            signal.signal(number, handler)


def test_outside_the_main_thread_it_listens_to_nothing(tmp_path: Path) -> None:
    found: list[aiga.Run] = []
    config = support.bare(run={"stop": {"iterations": 1}})
    thread = threading.Thread(target=lambda: found.append(aiga.run(config, name="r", runs=tmp_path)))
    thread.start()
    thread.join(60)
    assert found[0].journal()["iteration"].max() == 1
