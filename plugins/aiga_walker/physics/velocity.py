"""The velocity solver: 180 rounds of joints and contacts, on the velocities of ``L`` walkers that stay in registers.

A *slot* is one contact of each walker in a block, or none of some; slots of a body follow each other in the order in which
Box2D solves that body's contacts. Rows of a slot, each ``L`` numbers wide, are listed below, and after them those of a joint.
"""

from __future__ import annotations

from types import SimpleNamespace

from aiga_walker.physics import layout as at
from aiga_walker.physics.target import Target

# Normal; of each point: arm, masses along normal and tangent, impulses; the block's matrix and its inverse; friction, points.
N_X, N_Y = 0, 1
FIRST, SECOND = 2, 8
R_X, R_Y, M_N, M_T, I_N, I_T = range(6)
K11, K12, K22, B11, B12, B22, RUB, POINTS = range(14, 22)
SLOT = 22

# Arms of both bodies; the motor's speed, greatest impulse and mass; impulses; inverse determinants; columns of the mass matrix
# and two of their cross products; and whether the joint is at its lower (-1) or upper (1) limit.
RA_X, RA_Y, RB_X, RB_Y, RATE, MOST, MASS, J_X, J_Y, J_Z, J_M, DET2, DET3 = range(13)
E11, E12, E13, E22, E23, E33, C_X, C_Y, C_Z, AT_LIMIT = range(13, 23)
JOINT_ROWS = 23


def build(t: Target, masses: tuple[tuple[float, float], ...]) -> SimpleNamespace:
    """``contact(...)``, one round of one slot, and ``solve(...)``, all rounds of a block.

    Args:
        t: the target.
        masses: inverse mass and inverse inertia of each body, float32.
    """
    load, store, select, any_lane, wide = t.load, t.store, t.select, t.any_lane, t.lanes
    zero = at.ZERO
    iterations = at.VELOCITY_ITERATIONS

    @t.inline
    def clamp(x, low, high):
        # Box2D keeps the second of two that compare equal: it matters for the sign of zero.
        least = select(x < high, x, high)
        return select(low > least, low, least)

    @t.inline
    def rub(c, p, nx, ny, friction, on, vx, vy, w, m, i):
        """Friction at one point."""
        rx, ry = load(c, p + R_X * wide), load(c, p + R_Y * wide)
        dx, dy = vx - w * ry, vy + w * rx
        tx, ty = ny, -nx
        old = load(c, p + I_T * wide)
        most = friction * load(c, p + I_N * wide)
        new = clamp(old + load(c, p + M_T * wide) * -(dx * tx + dy * ty), -most, most)
        change = new - old
        store(c, p + I_T * wide, select(on, new, old))
        px, py = change * tx, change * ty
        return (
            select(on, vx + m * px, vx),
            select(on, vy + m * py, vy),
            select(on, w + i * (rx * py - ry * px), w),
        )

    @t.inline
    def contact(c, s, vx, vy, w, m, i):
        """One slot at ``s``: friction first, then what keeps the bodies apart, of one point or of two at once."""
        nx, ny = load(c, s + N_X * wide), load(c, s + N_Y * wide)
        friction, points = load(c, s + RUB * wide), load(c, s + POINTS * wide)
        p, q = s + FIRST * wide, s + SECOND * wide
        one, two = points == at.ONE, points == at.TWO
        vx, vy, w = rub(c, p, nx, ny, friction, one | two, vx, vy, w, m, i)
        r1x, r1y = load(c, p + R_X * wide), load(c, p + R_Y * wide)
        a1 = load(c, p + I_N * wide)
        n1 = load(c, p + M_N * wide)
        if any_lane(two):
            vx, vy, w = rub(c, q, nx, ny, friction, two, vx, vy, w, m, i)
            r2x, r2y = load(c, q + R_X * wide), load(c, q + R_Y * wide)
            a2 = load(c, q + I_N * wide)
            k11, k12, k22 = load(c, s + K11 * wide), load(c, s + K12 * wide), load(c, s + K22 * wide)
            b11, b12, b22 = load(c, s + B11 * wide), load(c, s + B12 * wide), load(c, s + B22 * wide)
            b1 = ((vx - w * r1y) * nx + (vy + w * r1x) * ny) - (k11 * a1 + k12 * a2)
            b2 = ((vx - w * r2y) * nx + (vy + w * r2x) * ny) - (k12 * a1 + k22 * a2)
            # Both points push, or one of them, or none: the first that fits.
            x1, x2 = -(b11 * b1 + b12 * b2), -(b12 * b1 + b22 * b2)
            both = (x1 >= zero) & (x2 >= zero)
            y1 = -n1 * b1
            only1 = (y1 >= zero) & (k12 * y1 + b2 >= zero)
            y2 = -load(c, q + M_N * wide) * b2
            only2 = (y2 >= zero) & (k12 * y2 + b1 >= zero)
            none = (b1 >= zero) & (b2 >= zero)
            x1 = select(both, x1, select(only1, y1, zero))
            x2 = select(both, x2, select(only1, zero, select(only2, y2, zero)))
            fits = two & (both | only1 | only2 | none)
            d1, d2 = x1 - a1, x2 - a2
            p1x, p1y, p2x, p2y = d1 * nx, d1 * ny, d2 * nx, d2 * ny
            ux, uy = vx + m * (p1x + p2x), vy + m * (p1y + p2y)
            uw = w + i * ((r1x * p1y - r1y * p1x) + (r2x * p2y - r2y * p2x))
            store(c, q + I_N * wide, select(fits, x2, a2))
            a12 = select(fits, x1, a1)
        else:
            ux, uy, uw, a12, fits = vx, vy, w, a1, two
        new = a1 + -n1 * ((vx - w * r1y) * nx + (vy + w * r1x) * ny)
        new = select(new > zero, new, zero)
        change = new - a1
        px, py = change * nx, change * ny
        sx, sy, sw = vx + m * px, vy + m * py, w + i * (r1x * py - r1y * px)
        store(c, p + I_N * wide, select(one, new, a12))
        return (
            select(one, sx, select(fits, ux, vx)),
            select(one, sy, select(fits, uy, vy)),
            select(one, sw, select(fits, uw, w)),
        )

    def joint_of(number):
        a, b = at.JOINED[number]
        (ma, ia), (mb, ib) = masses[a], masses[b]

        @t.inline
        def joint(j, p, limited, ax, ay, aw, bx, by, bw):
            """One round of a joint whose rows begin at ``p``: motor, then limit and point, or the point alone."""
            rax, ray = load(j, p + RA_X * wide), load(j, p + RA_Y * wide)
            rbx, rby = load(j, p + RB_X * wide), load(j, p + RB_Y * wide)
            old, most = load(j, p + J_M * wide), load(j, p + MOST * wide)
            new = clamp(old + -load(j, p + MASS * wide) * (bw - aw - load(j, p + RATE * wide)), -most, most)
            store(j, p + J_M * wide, new)
            change = new - old
            aw, bw = aw - ia * change, bw + ib * change
            cx = bx - bw * rby - ax + aw * ray
            cy = by + bw * rbx - ay - aw * rax
            det, e11 = load(j, p + DET2 * wide), load(j, p + E11 * wide)
            e12, e22 = load(j, p + E12 * wide), load(j, p + E22 * wide)
            x, y = det * (e22 * -cx - e12 * -cy), det * (e11 * -cy - e12 * -cx)
            if limited:
                x, y, z = limit(j, p, cx, cy, bw - aw, x, y)
                store(j, p + J_X * wide, load(j, p + J_X * wide) + x)
                store(j, p + J_Y * wide, load(j, p + J_Y * wide) + y)
                free = load(j, p + AT_LIMIT * wide) == zero
                ta, tb = rax * y - ray * x, rbx * y - rby * x
                aw, bw = aw - ia * select(free, ta, ta + z), bw + ib * select(free, tb, tb + z)
            else:
                store(j, p + J_X * wide, load(j, p + J_X * wide) + x)
                store(j, p + J_Y * wide, load(j, p + J_Y * wide) + y)
                aw, bw = aw - ia * (rax * y - ray * x), bw + ib * (rbx * y - rby * x)
            return ax - ma * x, ay - ma * y, aw, bx + mb * x, by + mb * y, bw

        return joint

    @t.inline
    def limit(j, p, cx, cy, cz, x, y):
        """Impulses where the joint is at a limit; ``x`` and ``y`` where it is at none."""
        which, iz = load(j, p + AT_LIMIT * wide), load(j, p + J_Z * wide)
        e11, e12, e13 = load(j, p + E11 * wide), load(j, p + E12 * wide), load(j, p + E13 * wide)
        e22, e23, e33 = load(j, p + E22 * wide), load(j, p + E23 * wide), load(j, p + E33 * wide)
        det = load(j, p + DET3 * wide)
        x3 = -(det * ((cx * load(j, p + C_X * wide) + cy * load(j, p + C_Y * wide)) + cz * load(j, p + C_Z * wide)))
        y3 = -(det * ((e11 * (cy * e33 - cz * e23) + e12 * (cz * e13 - cx * e33)) + e13 * (cx * e23 - cy * e13)))
        z3 = -(det * ((e11 * (e22 * cz - e23 * cy) + e12 * (e23 * cx - e12 * cz)) + e13 * (e12 * cy - e22 * cx)))
        new = iz + z3
        # A limit only pushes: where it would pull, it lets go and the point is solved alone.
        lets = ((which < zero) & (new < zero)) | ((which > zero) & (new > zero))
        gx, gy = -cx + iz * e13, -cy + iz * e23
        det2 = load(j, p + DET2 * wide)
        x2, y2 = det2 * (e22 * gx - e12 * gy), det2 * (e11 * gy - e12 * gx)
        free = which == zero
        z = select(lets, -iz, z3)
        store(j, p + J_Z * wide, select(free, iz, select(lets, zero, new)))
        return select(free, x, select(lets, x2, x3)), select(free, y, select(lets, y2, y3)), z

    hip, knee, far_hip, far_knee = (joint_of(number) for number in range(at.JOINTS))
    mass = tuple(m for m, _ in masses)
    inertia = tuple(i for _, i in masses)
    m0, m1, m2, m3, m4 = mass
    i0, i1, i2, i3, i4 = inertia
    j0, j1, j2, j3 = (number * JOINT_ROWS * wide for number in range(at.JOINTS))
    slot = SLOT * wide

    @t.jit
    def solve(v, j, limited, c, n4, n3, n0, n1, n2):
        """All rounds.

        Args:
            v: rows of the bodies' velocities, x, y and angular of each body.
            j: rows of the four joints.
            limited: which joints are at a limit in any lane, as bits.
            c: slots, of far shank, far thigh, hull, thigh and shank, in this order.
            n4, n3, n0, n1, n2: how many slots each of these has.
        """
        x0, y0, w0 = load(v, 0 * wide), load(v, 1 * wide), load(v, 2 * wide)
        x1, y1, w1 = load(v, 3 * wide), load(v, 4 * wide), load(v, 5 * wide)
        x2, y2, w2 = load(v, 6 * wide), load(v, 7 * wide), load(v, 8 * wide)
        x3, y3, w3 = load(v, 9 * wide), load(v, 10 * wide), load(v, 11 * wide)
        x4, y4, w4 = load(v, 12 * wide), load(v, 13 * wide), load(v, 14 * wide)
        l0, l1, l2, l3 = limited & 1 != 0, limited & 2 != 0, limited & 4 != 0, limited & 8 != 0
        for _ in range(iterations):
            x3, y3, w3, x4, y4, w4 = far_knee(j, j3, l3, x3, y3, w3, x4, y4, w4)
            x0, y0, w0, x3, y3, w3 = far_hip(j, j2, l2, x0, y0, w0, x3, y3, w3)
            x0, y0, w0, x1, y1, w1 = hip(j, j0, l0, x0, y0, w0, x1, y1, w1)
            x1, y1, w1, x2, y2, w2 = knee(j, j1, l1, x1, y1, w1, x2, y2, w2)
            s = 0
            for _slot in range(n4):
                x4, y4, w4 = contact(c, s, x4, y4, w4, m4, i4)
                s += slot
            for _slot in range(n3):
                x3, y3, w3 = contact(c, s, x3, y3, w3, m3, i3)
                s += slot
            for _slot in range(n0):
                x0, y0, w0 = contact(c, s, x0, y0, w0, m0, i0)
                s += slot
            for _slot in range(n1):
                x1, y1, w1 = contact(c, s, x1, y1, w1, m1, i1)
                s += slot
            for _slot in range(n2):
                x2, y2, w2 = contact(c, s, x2, y2, w2, m2, i2)
                s += slot
        store(v, 0 * wide, x0)
        store(v, 1 * wide, y0)
        store(v, 2 * wide, w0)
        store(v, 3 * wide, x1)
        store(v, 4 * wide, y1)
        store(v, 5 * wide, w1)
        store(v, 6 * wide, x2)
        store(v, 7 * wide, y2)
        store(v, 8 * wide, w2)
        store(v, 9 * wide, x3)
        store(v, 10 * wide, y3)
        store(v, 11 * wide, w3)
        store(v, 12 * wide, x4)
        store(v, 13 * wide, y4)
        store(v, 14 * wide, w4)

    return SimpleNamespace(contact=contact, solve=solve)
