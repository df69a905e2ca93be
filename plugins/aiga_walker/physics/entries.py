"""What Python calls of the kernels on a CPU; each call is one thread's work and holds no lock."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from aiga_walker.physics import layout as at
from aiga_walker.physics import senses
from aiga_walker.physics.kernels import GROUP
from aiga_walker.physics.lanes import fetch_add

JOB, FRESH, STEPS = range(3)  # columns of a thread's book: whose life is in a place, whether it has just begun, how long it is
VOID = 16  # of a life's end: an action was not a number


def build(kernels: SimpleNamespace, jit: Any) -> SimpleNamespace:
    """``rollout`` and ``steps``, compiled by ``jit``."""
    begin, step, think = kernels.begin, kernels.step, kernels.think
    zero, over = at.ZERO, senses.OVER

    @jit
    def start(f, g, rows, courses, pushes, first, world):
        """New lives in some rows."""
        for k in range(len(rows)):
            begin(f, g, rows[k], first, courses[k], pushes[k], world)

    @jit
    def steps(f, g, rows, walkers, actions, seen, rewards, ends, world, scratch):
        """One step of some rows, group by group; see ``step`` in :mod:`aiga_walker.physics.kernels`."""
        for a in range(0, len(rows), GROUP):
            count = min(GROUP, len(rows) - a)
            for k in range(count):
                walkers[k] = rows[a + k]
            step(f, g, walkers, count, world, scratch, actions, seen, rewards, ends)

    @jit
    def rollout(
        counter, courses, pushes, agents, params, size, layers, limit, first, f, g, book, walkers, actions, seen, rewards, ends,
        x, world, scratch, totals, lengths, fates, record, observations, acts, worths, poses,
    ):  # fmt: skip
        """Whole lives: a place whose life is over takes the next from ``counter``.

        Args:
            counter: ``[1]`` int64, the next life, shared by all threads.
            courses, pushes, agents: ``[P]`` of each life.
            params, size, layers: see :mod:`aiga_walker.physics.policy`; ``size`` floats are one agent.
            limit: the longest life, in steps.
            first: the row that a life begins with.
            f, g, book, walkers, actions, seen, rewards, ends, x: this thread's places.
            world, scratch: see :mod:`aiga_walker.physics.kernels`.
            totals, lengths, fates: ``[P]`` to fill: float64 returns, steps, ends.
            record: whether to fill ``observations`` ``[P, limit, 24]``, ``acts`` ``[P, limit, 4]``, ``worths`` ``[P, limit]``
                and ``poses`` ``[P, limit, 5, 3]``.
        """
        lives, count = len(courses), 0
        for row in range(len(book)):
            book[row, JOB] = -1
        while True:
            for row in range(len(book)):
                if book[row, JOB] < 0 and counter[0] < lives:
                    job = fetch_add(counter, 1)
                    if job < lives:
                        book[row, JOB], book[row, FRESH], book[row, STEPS] = job, 1, 0
                        begin(f, g, row, first, courses[job], pushes[job], world)
                        walkers[count] = row
                        count += 1
                        for i in range(4):
                            actions[row * 4 + i] = zero
            kept = 0
            for k in range(count):
                row = walkers[k]
                if book[row, FRESH] == 0:
                    job = book[row, JOB]
                    think(params, agents[job] * size, layers, seen, row * 24, actions, row * 4, x)
                    void = False
                    for i in range(4):
                        void |= actions[row * 4 + i] != actions[row * 4 + i]
                    if void:
                        fates[job] = VOID
                        book[row, JOB] = -1
                        continue
                    if record:
                        n = book[row, STEPS]
                        for i in range(24):
                            observations[job, n, i] = seen[row * 24 + i]
                        for i in range(4):
                            acts[job, n, i] = actions[row * 4 + i]
                walkers[kept] = row
                kept += 1
            count = kept
            if count == 0:
                if counter[0] >= lives:
                    return
                continue
            step(f, g, walkers, count, world, scratch, actions, seen, rewards, ends)
            kept = 0
            for k in range(count):
                row = walkers[k]
                if book[row, FRESH] == 1:
                    book[row, FRESH] = 0
                else:
                    job, n = book[row, JOB], book[row, STEPS]
                    totals[job] += rewards[row]
                    lengths[job] = n + 1
                    book[row, STEPS] = n + 1
                    fates[job] = ends[row]
                    if record:
                        worths[job, n] = rewards[row]
                        for b in range(at.BODIES):
                            o = row * at.FLOATS + b * at.BODY
                            poses[job, n, b, 0], poses[job, n, b, 1] = f[o + at.PX], f[o + at.PY]
                            poses[job, n, b, 2] = f[o + at.A]
                    if ends[row] & over != 0 or n + 1 >= limit:
                        book[row, JOB] = -1
                        continue
                walkers[kept] = row
                kept += 1
            count = kept

    return SimpleNamespace(start=start, steps=steps, rollout=rollout)
