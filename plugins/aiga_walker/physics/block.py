"""One step of ``L`` walkers side by side: what lies between the contacts they have and the places they come to.

Gathers each walker's bodies, joints and touching contacts into lanes, solves velocities and positions there, and puts them
back. Walkers may differ in everything; a lane beyond the last walker repeats it and is not put back.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from aiga_walker.physics import layout as at
from aiga_walker.physics import position, velocity
from aiga_walker.physics.target import Target

BODY_ROWS = 25  # of p: centre, angle, sine and cosine of each body; after them the new centres and angles, three rows each


def build(
    t: Target,
    masses: tuple[tuple[float, float], ...],
    arms: Any,
    references: Any,
    contacts: SimpleNamespace,
    solve_velocity: Any,
    solve_position: Any,
) -> SimpleNamespace:
    """``advance(...)``; see the modules whose functions it is given for them."""
    load, store, select, any_lane, sqrt, fabs, whole, wide = (
        t.load,
        t.store,
        t.select,
        t.any_lane,
        t.sqrt,
        t.fabs,
        t.whole,
        t.lanes,
    )
    zero, one, dt, gravity = at.ZERO, at.ONE, at.DT, at.DT * at.GRAVITY
    max_move, max_turn = at.MAX_TRANSLATION, at.MAX_ROTATION
    body_size, joint_at, joint_size, icontact_size, icontact_at = at.BODY, at.JOINT_AT, at.JOINT, at.ICONTACT, at.ICONTACT_AT
    rows, slot, pslot = velocity.JOINT_ROWS, velocity.SLOT, position.SLOT
    fill_velocity, fill_position = contacts.fill_velocity, contacts.fill_position
    room = at.CONTACTS if wide == 1 else at.BODIES * at.CONTACTS

    def start_of(number):
        a, b = at.JOINED[number]
        (ma, ia), (mb, ib) = masses[a], masses[b]
        ax_, ay_, bx_, by_ = arms[number]
        reference, lower, upper, mass = references[number], at.LOWER[number], at.UPPER[number], one / (ia + ib)
        first, limit_row = number * rows * wide, number * wide
        va, vb, pa, pb = 3 * a * wide, 3 * b * wide, 5 * a * wide, 5 * b * wide
        m, i = ma + mb, ia + ib

        @t.inline
        def start(v, p, j, which, ratio):
            """Prepares a joint and gives its old impulses to the velocities; whether it is at a limit in any lane."""
            aa, sa, ca = load(p, pa + 2 * wide), load(p, pa + 3 * wide), load(p, pa + 4 * wide)
            ab, sb, cb = load(p, pb + 2 * wide), load(p, pb + 3 * wide), load(p, pb + 4 * wide)
            rax, ray = ca * ax_ - sa * ay_, sa * ax_ + ca * ay_
            rbx, rby = cb * bx_ - sb * by_, sb * bx_ + cb * by_
            e11 = (m + ray * ray * ia) + rby * rby * ib
            e12 = -ray * rax * ia - rby * rbx * ib
            e13 = -ray * ia - rby * ib
            e22 = (m + rax * rax * ia) + rbx * rbx * ib
            e23 = rax * ia + rbx * ib
            e33 = whole(i)
            det = e11 * e22 - e12 * e12
            det2 = select(det != zero, one / det, det)
            cx, cy, cz = e22 * e33 - e23 * e23, e23 * e13 - e12 * e33, e12 * e23 - e22 * e13
            det = (e11 * cx + e12 * cy) + e13 * cz
            det3 = select(det != zero, one / det, det)
            angle = ab - aa - reference
            now = select(angle <= lower, whole(-one), select(angle >= upper, whole(one), whole(zero)))
            ix, iy = load(j, first + velocity.J_X * wide), load(j, first + velocity.J_Y * wide)
            iz, im = load(j, first + velocity.J_Z * wide), load(j, first + velocity.J_M * wide)
            same = (now == load(which, limit_row)) & (now != zero)
            ix, iy, iz, im = ix * ratio, iy * ratio, select(same, iz, whole(zero)) * ratio, im * ratio
            store(which, limit_row, now)
            store(j, first + velocity.RA_X * wide, rax)
            store(j, first + velocity.RA_Y * wide, ray)
            store(j, first + velocity.RB_X * wide, rbx)
            store(j, first + velocity.RB_Y * wide, rby)
            store(j, first + velocity.MASS * wide, whole(mass))
            store(j, first + velocity.J_X * wide, ix)
            store(j, first + velocity.J_Y * wide, iy)
            store(j, first + velocity.J_Z * wide, iz)
            store(j, first + velocity.J_M * wide, im)
            store(j, first + velocity.DET2 * wide, det2)
            store(j, first + velocity.DET3 * wide, det3)
            store(j, first + velocity.E11 * wide, e11)
            store(j, first + velocity.E12 * wide, e12)
            store(j, first + velocity.E13 * wide, e13)
            store(j, first + velocity.E22 * wide, e22)
            store(j, first + velocity.E23 * wide, e23)
            store(j, first + velocity.E33 * wide, e33)
            store(j, first + velocity.C_X * wide, cx)
            store(j, first + velocity.C_Y * wide, cy)
            store(j, first + velocity.C_Z * wide, cz)
            store(j, first + velocity.AT_LIMIT * wide, now)
            store(v, va, load(v, va) - ma * ix)
            store(v, va + wide, load(v, va + wide) - ma * iy)
            store(v, va + 2 * wide, load(v, va + 2 * wide) - ia * ((rax * iy - ray * ix) + im + iz))
            store(v, vb, load(v, vb) + mb * ix)
            store(v, vb + wide, load(v, vb + wide) + mb * iy)
            store(v, vb + 2 * wide, load(v, vb + 2 * wide) + ib * ((rbx * iy - rby * ix) + im + iz))
            return any_lane(now != zero)

        return start

    start0, start1, start2, start3 = (start_of(number) for number in range(at.JOINTS))

    @t.jit
    def warm(v, c, first, count, row, m, i):
        """Gives the old impulses of a body's contacts to its velocities, whose rows begin at ``row``."""
        vx, vy, w = load(v, row), load(v, row + wide), load(v, row + 2 * wide)
        for k in range(count):
            s = first + k * slot * wide
            nx, ny = load(c, s), load(c, s + wide)
            points = load(c, s + velocity.POINTS * wide)
            for q in range(2):
                r = s + (velocity.FIRST + q * (velocity.SECOND - velocity.FIRST)) * wide
                some = points >= at.TWO if q == 1 else points >= one
                rx, ry = load(c, r), load(c, r + wide)
                n, u = load(c, r + velocity.I_N * wide), load(c, r + velocity.I_T * wide)
                px, py = n * nx + u * ny, n * ny - u * nx
                w = select(some, w + i * (rx * py - ry * px), w)
                vx, vy = select(some, vx + m * px, vx), select(some, vy + m * py, vy)
        store(v, row, vx)
        store(v, row + wide, vy)
        store(v, row + 2 * wide, w)

    @t.jit
    def drift(v, p, body):
        """Moves a body by its velocity, which is first bounded."""
        row = 3 * body * wide
        vx, vy, w = load(v, row), load(v, row + wide), load(v, row + 2 * wide)
        dx, dy, turn = dt * vx, dt * vy, dt * w
        far = dx * dx + dy * dy
        ratio = max_move / sqrt(far)
        fast = far > max_move * max_move
        vx, vy = select(fast, vx * ratio, vx), select(fast, vy * ratio, vy)
        w = select(turn * turn > max_turn * max_turn, w * (max_turn / fabs(turn)), w)
        store(v, row, vx)
        store(v, row + wide, vy)
        store(v, row + 2 * wide, w)
        q = 5 * body * wide
        return load(p, q) + dt * vx, load(p, q + wide) + dt * vy, load(p, q + 2 * wide) + dt * w

    @t.jit
    def take(f, g, row, shapes, v, p, j, which, counts, ratio, lane):
        """Gathers one walker into a lane; how many slots its bodies need is raised to in ``counts``."""
        o, h = row * at.FLOATS, row * at.INTS
        for b in range(at.BODIES):
            k = o + b * body_size
            push = shapes[b * at.POLYGON + at.INV_MASS] * f[o + at.PUSH] if b == 0 else zero
            v[3 * b * wide + lane] = f[k + at.VX] + dt * (zero + push)
            v[(3 * b + 1) * wide + lane] = f[k + at.VY] + gravity
            v[(3 * b + 2) * wide + lane] = f[k + at.W] + zero
            p[5 * b * wide + lane], p[(5 * b + 1) * wide + lane] = f[k + at.X], f[k + at.Y]
            p[(5 * b + 2) * wide + lane] = f[k + at.A]
            p[(5 * b + 3) * wide + lane], p[(5 * b + 4) * wide + lane] = f[k + at.SIN], f[k + at.COS]
        for n in range(at.JOINTS):
            k, r = o + joint_at + n * joint_size, n * rows * wide + lane
            j[r + velocity.J_X * wide], j[r + velocity.J_Y * wide] = f[k], f[k + 1]
            j[r + velocity.J_Z * wide], j[r + velocity.J_M * wide] = f[k + 2], f[k + 3]
            j[r + velocity.RATE * wide] = f[k + at.SPEED]
            j[r + velocity.MOST * wide] = dt * f[k + at.TORQUE]
            which[n * wide + lane] = at.F(g[h + at.LIMIT_AT + n])
        ratio[lane] = f[o + at.STARTED]
        for b in range(at.BODIES):
            counts[b * (wide + 1) + lane] = 0
        for k in range(g[h]):
            s = h + icontact_at + k * icontact_size
            if g[s + at.STATE] & at.TOUCHING != 0:
                counts[g[s + at.BODY_OF] * (wide + 1) + lane] += 1
        for b in range(at.BODIES):
            most = b * (wide + 1) + wide
            if counts[b * (wide + 1) + lane] > counts[most]:
                counts[most] = counts[b * (wide + 1) + lane]

    @t.jit
    def fill(f, g, row, shapes, c, q, counts, starts, lane):
        """Fills the lane's slots with the walker's touching contacts, newest first, each body's where its slots begin."""
        o, h = row * at.FLOATS, row * at.INTS
        for b in range(at.BODIES):
            counts[b * (wide + 1) + lane] = 0
            for k in range(counts[b * (wide + 1) + wide]):
                c[((starts[b] + k) * slot + velocity.POINTS) * wide + lane] = zero
                q[((starts[b] + k) * pslot + position.POINTS) * wide + lane] = zero
        for k in range(g[h] - 1, -1, -1):
            s = h + icontact_at + k * icontact_size
            if g[s + at.STATE] & at.TOUCHING == 0:
                continue
            b = g[s + at.BODY_OF]
            place = starts[b] + counts[b * (wide + 1) + lane]
            counts[b * (wide + 1) + lane] += 1
            fill_velocity(f, o, g, h, shapes, k, f[o + at.STARTED], c, place * slot * wide + lane, wide)
            fill_position(f, o, g, h, k, q, place * pslot * wide + lane, wide)

    @t.jit
    def put(f, g, row, v, j, which, c, counts, starts, lane):
        """Puts a lane's velocities and impulses back."""
        o, h = row * at.FLOATS, row * at.INTS
        for b in range(at.BODIES):
            k = o + b * body_size
            f[k + at.VX], f[k + at.VY] = v[3 * b * wide + lane], v[(3 * b + 1) * wide + lane]
            f[k + at.W] = v[(3 * b + 2) * wide + lane]
            counts[b * (wide + 1) + lane] = 0
        for n in range(at.JOINTS):
            k, r = o + joint_at + n * joint_size, n * rows * wide + lane
            f[k], f[k + 1] = j[r + velocity.J_X * wide], j[r + velocity.J_Y * wide]
            f[k + 2], f[k + 3] = j[r + velocity.J_Z * wide], j[r + velocity.J_M * wide]
            g[h + at.LIMIT_AT + n] = int(which[n * wide + lane])
        f[o + at.PUSH], f[o + at.STARTED] = zero, at.DT_RATIO
        for k in range(g[h] - 1, -1, -1):
            s = h + icontact_at + k * icontact_size
            if g[s + at.STATE] & at.TOUCHING == 0:
                continue
            b = g[s + at.BODY_OF]
            first = (starts[b] + counts[b * (wide + 1) + lane]) * slot * wide + lane
            counts[b * (wide + 1) + lane] += 1
            to = o + at.CONTACT_AT + k * at.CONTACT + at.POINTS_AT
            for i in range(int(c[first + velocity.POINTS * wide])):
                r = first + (velocity.FIRST if i == 0 else velocity.SECOND) * wide
                f[to + i * at.POINT + at.P_NORMAL] = c[r + velocity.I_N * wide]
                f[to + i * at.POINT + at.P_TANGENT] = c[r + velocity.I_T * wide]

    (m0, i0), (m1, i1), (m2, i2), (m3, i3), (m4, i4) = masses

    @t.jit
    def advance(f, g, walkers, begin, count, shapes, scratch):
        """Velocities and places of ``walkers[begin : begin + L]`` after a step; the places stay in the block.

        Args:
            f, g: all walkers' rows.
            walkers: numbers of rows; only ``count`` of them are there.
            begin: the first of the block.
            count: see ``walkers``.
            shapes: the bodies' polygons.
            scratch: ``v, p, j, which, solved, ratio, c, q, counts, starts``: see :func:`aiga_walker.physics.kernels.scratch`.
        """
        v, p, j, which, solved, ratio, c, q, counts, starts = scratch
        for b in range(at.BODIES):
            counts[b * (wide + 1) + wide] = 0
        for lane in range(wide):
            take(f, g, walkers[min(begin + lane, count - 1)], shapes, v, p, j, which, counts, ratio, lane)
        n4, n3, n0 = counts[4 * (wide + 1) + wide], counts[3 * (wide + 1) + wide], counts[wide]
        n1, n2 = counts[(wide + 1) + wide], counts[2 * (wide + 1) + wide]
        starts[4], starts[3], starts[0], starts[1], starts[2] = 0, n4, n4 + n3, n4 + n3 + n0, n4 + n3 + n0 + n1
        for lane in range(wide):
            fill(f, g, walkers[min(begin + lane, count - 1)], shapes, c, q, counts, starts, lane)
        warm(v, c, 0, n4, 12 * wide, m4, i4)
        warm(v, c, starts[3] * slot * wide, n3, 9 * wide, m3, i3)
        warm(v, c, starts[0] * slot * wide, n0, 0, m0, i0)
        warm(v, c, starts[1] * slot * wide, n1, 3 * wide, m1, i1)
        warm(v, c, starts[2] * slot * wide, n2, 6 * wide, m2, i2)
        scale = load(ratio, 0)
        limited = 8 if start3(v, p, j, which, scale) else 0
        limited |= 4 if start2(v, p, j, which, scale) else 0
        limited |= 1 if start0(v, p, j, which, scale) else 0
        limited |= 2 if start1(v, p, j, which, scale) else 0
        solve_velocity(v, j, limited, c, n4, n3, n0, n1, n2)
        for b in range(at.BODIES):
            x, y, a = drift(v, p, b)
            store(p, (BODY_ROWS + 3 * b) * wide, x)
            store(p, (BODY_ROWS + 3 * b + 1) * wide, y)
            store(p, (BODY_ROWS + 3 * b + 2) * wide, a)
        for lane in range(wide):
            if begin + lane < count:
                put(f, g, walkers[begin + lane], v, j, which, c, counts, starts, lane)
        solve_position(p[BODY_ROWS * wide :], which, solved, limited, q, n4, n3, n0, n1, n2)

    return SimpleNamespace(advance=advance, room=room)
