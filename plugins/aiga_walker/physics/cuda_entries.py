"""The kernels of a CUDA device, a walker a thread: whole lives, and one step of walkers whose rows lie in the device's memory.

Threads share nothing but the number of the next life, so that their number and order change no bit of a life.
"""

# mypy: allow-untyped-defs, allow-untyped-decorators, no-check-untyped-defs

from __future__ import annotations

import itertools
from types import SimpleNamespace
from typing import Any

from aiga_walker.physics import contacts, position, senses, velocity
from aiga_walker.physics import layout as at
from aiga_walker.physics.entries import VOID

WIDEST = 256  # units of the widest layer of a policy that a thread has room for


def build(kernels: SimpleNamespace, think: Any, device: Any) -> SimpleNamespace:
    """``rollout``, ``start`` and ``steps`` as Python, and the types of their arguments.

    Args:
        kernels: of :func:`aiga_walker.physics.kernels.build` for a CUDA device.
        think: of :mod:`aiga_walker.physics.cuda_policy`.
        device: the module ``numba.cuda``.
    """
    begin, step, room = kernels.begin, kernels.step, kernels.room
    zero, over, floats, ints, body = at.ZERO, senses.OVER, at.FLOATS, at.INTS, at.BODY
    bodies, px, py, angle = at.BODIES, at.PX, at.PY, at.A
    sf_size, si_size, deep = contacts.SF, contacts.SI, 2 * WIDEST
    f4, i4, i8 = "float32", "int32", "int64"
    sizes = (15, 40, at.JOINTS * velocity.JOINT_ROWS, at.JOINTS, 1, 1, room * velocity.SLOT, room * position.SLOT)
    e1, e2, e3, e4, e5, e6, e7, block_floats = itertools.accumulate(sizes)
    angles, block_ints = 2 * at.BODIES, 3 * at.BODIES

    @device.jit(device=True, opt=True, forceinline=True)
    def parts(a, n):
        """A thread's scratch for a block of one walker, as :meth:`aiga_walker.physics.engine.Engine.scratch` lays it out."""
        return a[:e1], a[e1:e2], a[e2:e3], a[e3:e4], a[e4:e5], a[e5:e6], a[e6:e7], a[e7:], n[:angles], n[angles:]

    def rollout(
        counter, courses, pushes, agents, params, size, layers, limit, first, line, boxes, bins, nboxes, width, shapes, totals,
        lengths, fates, record, observations, acts, worths, poses,
    ):  # fmt: skip
        """Whole lives, one after another; see ``rollout`` in :mod:`aiga_walker.physics.entries`. All arrays are flat."""
        f, g = device.local.array(floats, f4), device.local.array(ints, i4)
        walkers, actions, seen, x = (
            device.local.array(1, i8),
            device.local.array(4, f4),
            device.local.array(24, f4),
            device.local.array(deep, f4),
        )
        rewards, ends = device.local.array(1, f4), device.local.array(1, i4)
        world = line, boxes, bins, nboxes, width, shapes, device.local.array(sf_size, f4), device.local.array(si_size, i4)
        block = parts(device.local.array(block_floats, f4), device.local.array(block_ints, i8))
        walkers[0] = 0
        job, fresh, n, total, lives = -1, False, 0, 0.0, len(courses)
        while True:
            # One step in each round, whatever a thread does else, keeps the threads of a warp together.
            if job < 0:
                job = device.atomic.add(counter, 0, 1)
                if job >= lives:
                    return
                begin(f, g, 0, first, courses[job], pushes[job], world)
                fresh, n, total = True, 0, 0.0
                for i in range(4):
                    actions[i] = zero
            else:
                think(params, agents[job] * size, layers, seen, 0, actions, 0, x)
                void = False
                for i in range(4):
                    void |= actions[i] != actions[i]
                if void:
                    totals[job], lengths[job], fates[job] = total, n, VOID
                    job = -1
                    continue
                if record != 0:
                    for i in range(24):
                        observations[(job * limit + n) * 24 + i] = seen[i]
                    for i in range(4):
                        acts[(job * limit + n) * 4 + i] = actions[i]
            step(f, g, walkers, 1, world, block, actions, seen, rewards, ends)
            if fresh:
                fresh = False
                continue
            total += rewards[0]
            if record != 0:
                worths[job * limit + n] = rewards[0]
                for b in range(bodies):
                    to = ((job * limit + n) * bodies + b) * 3
                    poses[to], poses[to + 1] = f[b * body + px], f[b * body + py]
                    poses[to + 2] = f[b * body + angle]
            n += 1
            if ends[0] & over != 0 or n >= limit:
                totals[job], lengths[job], fates[job] = total, n, ends[0]
                job = -1

    def start(f, g, rows, courses, pushes, first, line, boxes, bins, nboxes, width, shapes):
        """New lives in some rows."""
        k = device.grid(1)
        if k < len(rows):
            world = line, boxes, bins, nboxes, width, shapes, device.local.array(sf_size, f4), device.local.array(si_size, i4)
            begin(f, g, rows[k], first, courses[k], pushes[k], world)

    def steps(f, g, rows, actions, seen, rewards, ends, line, boxes, bins, nboxes, width, shapes):
        """One step of some rows; ``f``, ``g``, ``actions``, ``seen``, ``rewards`` and ``ends`` are of all rows."""
        k = device.grid(1)
        if k < len(rows):
            world = line, boxes, bins, nboxes, width, shapes, device.local.array(sf_size, f4), device.local.array(si_size, i4)
            block = parts(device.local.array(block_floats, f4), device.local.array(block_ints, i8))
            walkers = device.local.array(1, i8)
            walkers[0] = rows[k]
            step(f, g, walkers, 1, world, block, actions, seen, rewards, ends)

    # Types of the arguments: * is a flat array.
    ground, row = "*f4 *f4 *i4 *i4 i8 *f4", "*f4 *i4 *i8"
    return SimpleNamespace(
        rollout=(rollout, f"*i8 *i8 *f4 *i8 *f4 i8 *i8 i8 *f4 {ground} *f8 *i8 *i4 i8 *f4 *f4 *f4 *f4"),
        start=(start, f"{row} *i8 *f4 *f4 {ground}"),
        steps=(steps, f"{row} *f4 *f4 *f4 *i4 {ground}"),
    )
