"""All kernels of a target, put together, and the two that others call: one step of many walkers, and whole lives of them.

Walkers are stepped in groups, each sorted by how many contacts its walkers have, so that those that need as many rounds of
the solver share a block. A life's place in a group, the size of the group and the number of threads change no bit of it.
"""

from __future__ import annotations

from types import SimpleNamespace

from aiga_walker.physics import (
    block,
    contacts,
    impact,
    manifolds,
    policy,
    polygons,
    position,
    senses,
    substeps,
    trig,
    velocity,
)
from aiga_walker.physics import layout as at
from aiga_walker.physics.figure import Figure
from aiga_walker.physics.target import Target

GROUP = 256  # most walkers that a thread of a CPU steps together


def build(t: Target, single: Target, figure: Figure, narrow: Target | None = None) -> SimpleNamespace:
    """``step(...)`` and ``begin(...)`` of a group, from which entry points are made.

    Args:
        t: the target.
        single: the same, one walker at a time; ``t`` itself where it has one lane.
        figure: the walker's body.
        narrow: of as many lanes as one register holds, for what works on one walker at a time; ``t`` unless given.
    """
    narrow = narrow or t
    masses, arms, references, centres = figure.masses, figure.arms, figure.references, figure.centres
    lanes_trig = trig.build(t)
    sincos = trig.build(single).sincos
    table = contacts.build(single, manifolds.build(single), at.F(figure.cell))
    velocities, positions = velocity.build(t, masses), position.build(t, masses, arms, references, centres, lanes_trig.sincos)
    touch = velocity.build(single, masses).contact if t is not single else velocities.contact
    push = position.build(single, masses, arms, references, centres, sincos).push if t is not single else positions.push
    after = substeps.build(single, table, impact.build(single, sincos), touch, push, sincos)
    blocks = block.build(t, masses, arms, references, table, velocities.solve, positions.solve)
    sense = senses.build(narrow, references, table.stretch, figure.finish)
    brain = policy.build(narrow)
    collide, find, moved, impacts, place = table.collide, table.find, table.moved, after.impacts, after.place
    advance, perceive, judge, think = blocks.advance, sense.perceive, sense.judge, brain.think
    wide = t.lanes
    zero, one, dt, eighty = at.ZERO, at.ONE, at.DT, at.F(80.0)
    still, slow = at.SLEEP_ANGULAR, at.SLEEP_LINEAR
    rates = (at.F(4.0), at.F(6.0), at.F(4.0), at.F(6.0))
    new_rows = block.BODY_ROWS

    @t.jit
    def ask(f, o, actions, act):
        """Sets the motors."""
        for n in range(at.JOINTS):
            k, a = o + at.JOINT_AT + n * at.JOINT, actions[act + n]
            size = abs(a)
            f[k + at.SPEED] = rates[n] if a > zero else -rates[n] if a < zero else zero
            f[k + at.TORQUE] = eighty * (size if size < one else one)

    @t.jit
    def land(f, o, p, lane, shapes, sf):
        """Brings a walker's bodies to where the block has them; which left their padded bounding boxes, as bits."""
        grew = 0
        for b in range(at.BODIES):
            k, r = o + b * at.BODY, (new_rows + 3 * b) * wide + lane
            s0, c0 = f[k + at.SIN], f[k + at.COS]
            f[k + at.X0], f[k + at.Y0], f[k + at.A0] = f[k + at.X], f[k + at.Y], f[k + at.A]
            f[k + at.X], f[k + at.Y], f[k + at.A] = p[r], p[r + wide], p[r + 2 * wide]
            place(f, k, shapes, b)
            if moved(f, k, shapes, b, s0, c0, sf):
                grew |= 1 << b
        return grew

    @t.jit
    def rest(f, o, solved):
        """Counts how long the walker has been still; whether it is awake."""
        least = at.F(1e30)
        for b in range(at.BODIES):
            k = o + b * at.BODY
            vx, vy, w = f[k + at.VX], f[k + at.VY], f[k + at.W]
            if w * w > still or vx * vx + vy * vy > slow:
                f[k + at.REST] = zero
            else:
                f[k + at.REST] += dt
            least = min(least, f[k + at.REST])
        if least < at.TIME_TO_SLEEP or not solved:
            return True
        for b in range(at.BODIES):
            k = o + b * at.BODY
            f[k + at.REST], f[k + at.VX], f[k + at.VY], f[k + at.W] = zero, zero, zero, zero
        return False

    @t.jit
    def touched(g, h):
        count = 0
        for k in range(g[h]):
            count += g[h + at.ICONTACT_AT + k * at.ICONTACT + at.STATE] & at.TOUCHING
        return count

    @t.jit
    def begin(f, g, row, first_f, course, push, world):
        """A new life on a course; its first step, with no action, shows what it sees first."""
        line, boxes, bins, nboxes, width, _, sf, si = world
        o, h = row * at.FLOATS, row * at.INTS
        for i in range(at.CONTACT_AT):
            f[o + i] = first_f[i]
        for i in range(at.ICONTACT_AT):
            g[h + i] = 0
        g[h + at.COURSE] = course
        f[o + at.PUSH] = push
        find(
            f, o, g, h, line, course * at.VERTICES * at.LINE, boxes, course * width * at.POLYGON, nboxes[course], bins,
            course * at.BINS * at.BIN, sf, si, 31,
        )  # fmt: skip

    @t.jit
    def step(f, g, walkers, count, world, scratch, actions, seen, rewards, ends):
        """One step of the group.

        Args:
            f, g: rows of all walkers, one after another.
            walkers: the ``count`` rows to step; sorted by their contacts on return.
            count: see ``walkers``.
            world: ``line, boxes, bins, nboxes, width, shapes, sf, si``: the ground, the bodies, scratch of one walker.
            scratch: of a block.
            actions: four of each row.
            seen, rewards, ends: what comes of it, by row: 24 observations, the reward, bits of :mod:`.senses`.
        """
        line, boxes, bins, nboxes, width, shapes, sf, si = world
        for k in range(count):
            row = walkers[k]
            o, h = row * at.FLOATS, row * at.INTS
            course = g[h + at.COURSE]
            ask(f, o, actions, row * 4)
            collide(
                f, o, g, h, line, course * at.VERTICES * at.LINE, boxes, course * width * at.POLYGON, nboxes[course], shapes, sf
            )
            if wide > 1:
                # Insertion: from step to step the order hardly changes.
                mine, spot = touched(g, h), k
                while spot > 0 and touched(g, walkers[spot - 1] * at.INTS) > mine:
                    walkers[spot] = walkers[spot - 1]
                    spot -= 1
                walkers[spot] = row
        for first in range(0, count, wide):
            advance(f, g, walkers, first, count, shapes, scratch)
            p, solved = scratch[1], scratch[4]
            for lane in range(min(wide, count - first)):
                row = walkers[first + lane]
                o, h = row * at.FLOATS, row * at.INTS
                course = g[h + at.COURSE]
                lo, bo, no = course * at.VERTICES * at.LINE, course * width * at.POLYGON, course * at.BINS * at.BIN
                nb = nboxes[course]
                x, a = f[o + at.PX], f[o + at.A]
                grew = land(f, o, p, lane, shapes, sf)
                awake = rest(f, o, solved[lane] != zero)
                if grew != 0:
                    find(f, o, g, h, line, lo, boxes, bo, nb, bins, no, sf, si, grew)
                if awake:
                    impacts(f, o, g, h, line, lo, boxes, bo, nb, bins, no, shapes, sf, si)
                perceive(f, o, g, h, line, lo, boxes, bo, bins, no, sf, seen, row * 24)
                rewards[row], ends[row] = judge(f, o, g, h, x, a, actions, row * 4)

    return SimpleNamespace(begin=begin, step=step, think=think, polygons=polygons.build(single), room=blocks.room)
