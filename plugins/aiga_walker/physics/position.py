"""The position solver: up to 60 rounds that push bodies out of the ground and joints together, on ``L`` walkers at once.

A walker whose errors are small is done, as in Box2D; its lane keeps what it has while others go on.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from aiga_walker.physics import layout as at
from aiga_walker.physics.target import Target

# Rows of a slot: normal and point of the manifold, two points, whether the face is the body's, how many points.
N_X, N_Y, C_X, C_Y, P_X, P_Y, Q_X, Q_Y, FACE_B, POINTS = range(10)
SLOT = 10


def build(
    t: Target, masses: tuple[tuple[float, float], ...], arms: Any, references: Any, centres: Any, sincos: Any
) -> SimpleNamespace:
    """``push(...)``, one slot, and ``solve(...)``, all rounds of a block.

    Args:
        t: the target.
        masses: inverse mass and inverse inertia of each body, float32.
        arms: of each joint, its place on bodies A and B from their centres of mass, four float32.
        references: angle between the bodies of each joint where it is at 0.
        centres: centre of mass of each body.
        sincos: see :mod:`aiga_walker.physics.trig`.
    """
    load, store, select, any_lane, sqrt, whole, wide = t.load, t.store, t.select, t.any_lane, t.sqrt, t.whole, t.lanes
    zero, one, slop, radius, rounds = at.ZERO, at.ONE, at.SLOP, at.RADIUS, at.POSITION_ITERATIONS
    most, most_turn, angular_slop, enough = at.MAX_CORRECTION, at.MAX_ANGULAR_CORRECTION, at.ANGULAR_SLOP, -at.F(3.0) * at.SLOP

    @t.inline
    def clamp(x, low, high):
        least = select(x < high, x, high)
        return select(low > least, low, least)

    @t.inline
    def point(nx, ny, qx, qy, lx, ly, face_b, x, y, a, gx, gy, m, i, strength):
        """One point of a contact; where the body is pushed to, and how far the two were apart."""
        s, c = sincos(a)
        px, py = x - (c * gx - s * gy), y - (s * gx + c * gy)
        # The plane stands on the ground, or, of a body's face, moves with the body.
        tx, ty = (c * nx - s * ny), (s * nx + c * ny)
        wx, wy = (c * qx - s * qy) + px, (s * qx + c * qy) + py
        vx, vy = (c * lx - s * ly) + px, (s * lx + c * ly) + py
        ux, uy = select(face_b, tx, nx), select(face_b, ty, ny)
        ox, oy = select(face_b, wx, qx), select(face_b, wy, qy)
        kx, ky = select(face_b, lx, vx), select(face_b, ly, vy)
        apart = ((kx - ox) * ux + (ky - oy) * uy) - radius - radius
        ux, uy = select(face_b, -ux, ux), select(face_b, -uy, uy)
        rx, ry = kx - x, ky - y
        error = clamp(strength * (apart + slop), whole(-most), whole(zero))
        rn = rx * uy - ry * ux
        k = m + i * rn * rn
        impulse = select(k > zero, -error / k, whole(zero))
        jx, jy = impulse * ux, impulse * uy
        return x + m * jx, y + m * jy, a + i * (rx * jy - ry * jx), apart

    @t.inline
    def push(p, s, x, y, a, gx, gy, m, i, strength, least):
        """One slot; and the least distance so far."""
        nx, ny, qx, qy = load(p, s), load(p, s + N_Y * wide), load(p, s + C_X * wide), load(p, s + C_Y * wide)
        lx, ly, face_b = load(p, s + P_X * wide), load(p, s + P_Y * wide), load(p, s + FACE_B * wide) != zero
        points = load(p, s + POINTS * wide)
        x1, y1, a1, apart = point(nx, ny, qx, qy, lx, ly, face_b, x, y, a, gx, gy, m, i, strength)
        some, two = points > zero, points > one
        x, y, a = select(some, x1, x), select(some, y1, y), select(some, a1, a)
        least = select(some & (apart < least), apart, least)
        if any_lane(two):
            lx, ly = load(p, s + Q_X * wide), load(p, s + Q_Y * wide)
            x1, y1, a1, apart = point(nx, ny, qx, qy, lx, ly, face_b, x, y, a, gx, gy, m, i, strength)
            x, y, a = select(two, x1, x), select(two, y1, y), select(two, a1, a)
            least = select(two & (apart < least), apart, least)
        return x, y, a, least

    def joint_of(number):
        a, b = at.JOINED[number]
        (ma, ia), (mb, ib) = masses[a], masses[b]
        ax_, ay_, bx_, by_ = arms[number]
        reference, lower, upper, mass = references[number], at.LOWER[number], at.UPPER[number], one / (ia + ib)

        @t.inline
        def joint(which, limited, ax, ay, aa, bx, by, ba):
            """One round of a joint; and whether its errors were small."""
            fine = which == which
            if limited:
                angle = ba - aa - reference
                under, over = angle - lower, angle - upper
                low, high = which < zero, which > zero
                turned = select(
                    low,
                    clamp(under + angular_slop, whole(-most_turn), whole(zero)),
                    clamp(over - angular_slop, whole(zero), whole(most_turn)),
                )
                impulse = -mass * turned
                held = low | high
                aa, ba = select(held, aa - ia * impulse, aa), select(held, ba + ib * impulse, ba)
                fine = select(low, -under, select(high, over, whole(zero))) <= angular_slop
            sa, ca = sincos(aa)
            sb, cb = sincos(ba)
            rax, ray = ca * ax_ - sa * ay_, sa * ax_ + ca * ay_
            rbx, rby = cb * bx_ - sb * by_, sb * bx_ + cb * by_
            cx, cy = bx + rbx - ax - rax, by + rby - ay - ray
            k11 = (ma + mb) + ia * ray * ray + ib * rby * rby
            k12 = -ia * rax * ray - ib * rbx * rby
            k22 = (ma + mb) + ia * rax * rax + ib * rbx * rbx
            det = k11 * k22 - k12 * k12
            det = select(det != zero, one / det, det)
            x, y = -(det * (k22 * cx - k12 * cy)), -(det * (k11 * cy - k12 * cx))
            fine = fine & (sqrt(cx * cx + cy * cy) <= slop)
            return (
                ax - ma * x,
                ay - ma * y,
                aa - ia * (rax * y - ray * x),
                bx + mb * x,
                by + mb * y,
                ba + ib * (rbx * y - rby * x),
                fine,
            )

        return joint

    hip, knee, far_hip, far_knee = (joint_of(number) for number in range(at.JOINTS))
    (m0, i0), (m1, i1), (m2, i2), (m3, i3), (m4, i4) = masses
    (g0x, g0y), (g1x, g1y), (g2x, g2y), (g3x, g3y), (g4x, g4y) = centres
    slot, strength = SLOT * wide, at.BAUMGARTE

    @t.jit
    def solve(v, which, solved, limited, p, n4, n3, n0, n1, n2):
        """All rounds; slots as in :mod:`aiga_walker.physics.velocity`.

        Args:
            v: rows of the bodies' centres and angles.
            which: a row for each joint, -1 or 1 at its lower or upper limit.
            solved: a row to fill, 1 where the errors became small.
            limited: which joints are at a limit in any lane, as bits.
            p: slots.
            n4, n3, n0, n1, n2: how many slots each body has.
        """
        x0, y0, a0 = load(v, 0 * wide), load(v, 1 * wide), load(v, 2 * wide)
        x1, y1, a1 = load(v, 3 * wide), load(v, 4 * wide), load(v, 5 * wide)
        x2, y2, a2 = load(v, 6 * wide), load(v, 7 * wide), load(v, 8 * wide)
        x3, y3, a3 = load(v, 9 * wide), load(v, 10 * wide), load(v, 11 * wide)
        x4, y4, a4 = load(v, 12 * wide), load(v, 13 * wide), load(v, 14 * wide)
        l0, l1, l2, l3 = limited & 1 != 0, limited & 2 != 0, limited & 4 != 0, limited & 8 != 0
        u0, u1, u2, u3 = load(which, 0), load(which, wide), load(which, 2 * wide), load(which, 3 * wide)
        nought, unity = whole(zero), whole(one)
        left = nought
        for _ in range(rounds):
            least = nought
            r0x, r0y, r0a = x0, y0, a0
            r1x, r1y, r1a = x1, y1, a1
            r2x, r2y, r2a = x2, y2, a2
            r3x, r3y, r3a = x3, y3, a3
            r4x, r4y, r4a = x4, y4, a4
            s = 0
            for _slot in range(n4):
                r4x, r4y, r4a, least = push(p, s, r4x, r4y, r4a, g4x, g4y, m4, i4, strength, least)
                s += slot
            for _slot in range(n3):
                r3x, r3y, r3a, least = push(p, s, r3x, r3y, r3a, g3x, g3y, m3, i3, strength, least)
                s += slot
            for _slot in range(n0):
                r0x, r0y, r0a, least = push(p, s, r0x, r0y, r0a, g0x, g0y, m0, i0, strength, least)
                s += slot
            for _slot in range(n1):
                r1x, r1y, r1a, least = push(p, s, r1x, r1y, r1a, g1x, g1y, m1, i1, strength, least)
                s += slot
            for _slot in range(n2):
                r2x, r2y, r2a, least = push(p, s, r2x, r2y, r2a, g2x, g2y, m2, i2, strength, least)
                s += slot
            r3x, r3y, r3a, r4x, r4y, r4a, fine3 = far_knee(u3, l3, r3x, r3y, r3a, r4x, r4y, r4a)
            r0x, r0y, r0a, r3x, r3y, r3a, fine2 = far_hip(u2, l2, r0x, r0y, r0a, r3x, r3y, r3a)
            r0x, r0y, r0a, r1x, r1y, r1a, fine0 = hip(u0, l0, r0x, r0y, r0a, r1x, r1y, r1a)
            r1x, r1y, r1a, r2x, r2y, r2a, fine1 = knee(u1, l1, r1x, r1y, r1a, r2x, r2y, r2a)
            on = left == zero
            x0, y0, a0 = select(on, r0x, x0), select(on, r0y, y0), select(on, r0a, a0)
            x1, y1, a1 = select(on, r1x, x1), select(on, r1y, y1), select(on, r1a, a1)
            x2, y2, a2 = select(on, r2x, x2), select(on, r2y, y2), select(on, r2a, a2)
            x3, y3, a3 = select(on, r3x, x3), select(on, r3y, y3), select(on, r3a, a3)
            x4, y4, a4 = select(on, r4x, x4), select(on, r4y, y4), select(on, r4a, a4)
            fine = fine0 & fine1 & fine2 & fine3 & (least >= enough)
            left = select(fine, unity, left)
            if not any_lane(left == zero):
                break
        store(solved, 0, left)
        store(v, 0 * wide, x0)
        store(v, 1 * wide, y0)
        store(v, 2 * wide, a0)
        store(v, 3 * wide, x1)
        store(v, 4 * wide, y1)
        store(v, 5 * wide, a1)
        store(v, 6 * wide, x2)
        store(v, 7 * wide, y2)
        store(v, 8 * wide, a2)
        store(v, 9 * wide, x3)
        store(v, 10 * wide, y3)
        store(v, 11 * wide, a3)
        store(v, 12 * wide, x4)
        store(v, 13 * wide, y4)
        store(v, 14 * wide, a4)

    return SimpleNamespace(push=push, solve=solve)
