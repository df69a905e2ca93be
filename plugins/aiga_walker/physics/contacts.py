"""Contacts of one walker with the ground: found by bounding boxes, kept in order of age, updated each step.

Functions take the walker's floats ``f`` from ``o`` and ints ``g`` from ``h``; the ground's vertices ``line`` from ``lo``,
boxes ``boxes`` from ``bo``, ``nb`` of them, which come before the edges in the numbers of fixtures; stretches ``bins`` from
``no``; the bodies' polygons ``shapes``; and scratch ``sf`` and ``si``.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from aiga_walker.physics import layout as at
from aiga_walker.physics import position, velocity
from aiga_walker.physics.target import Target

# Scratch: per contact, in one step. Time of impact and how far its ground has come in sf; in si how often it was met, and
# bits: 1 the time is known, 2 it may still be met. Then found pairs.
TOI, GROUND = 64, 112
SUBSTEPS, KNOWN, FOUND, ISLAND = 16, 64, 160, 288
MANY = ISLAND - FOUND
MET, OPEN = 1, 2
# Of each body's way through the step: its bounding box, by how much a turning vertex may leave its straight way, and the
# vertices at both ends.
SWEEP, SWEEP_SIZE, SAG, ENDS = 160, 25, 4, 5
ISLAND_SLOTS = SWEEP + at.BODIES * SWEEP_SIZE  # of sf
SF = ISLAND_SLOTS + 32 * velocity.SLOT
SI = ISLAND + at.CONTACTS


def build(t: Target, manifolds: SimpleNamespace, cell: Any) -> SimpleNamespace:
    """``update``, ``collide``, ``find``, ``moved``, ``fill_velocity`` and ``fill_position``."""
    zero, half, one, two, radius, padding = at.ZERO, at.HALF, at.ONE, at.TWO, at.RADIUS, at.PADDING
    body_size, contact_size, icontact_size = at.BODY, at.CONTACT, at.ICONTACT
    contact_at, icontact_at, polygon_size, line_size = at.CONTACT_AT, at.ICONTACT_AT, at.POLYGON, at.LINE
    corners, box_at, centre, friction, room = at.CORNERS, at.BOX, at.CENTRE, at.FRICTION, at.CONTACTS
    bins_size, last_bin, ratio = at.BIN, at.BINS - 1, one / cell
    apart, skin = at.F(1.5) * at.SKINS, radius + padding
    sweep, sweep_size, eighth = SWEEP, SWEEP_SIZE, half * half * half
    ill = at.F(1000.0)
    edge, box = manifolds.edge, manifolds.box
    fell, crowded, hull, shank, far_shank = at.FELL, at.CROWDED, at.HULL, at.SHANK, at.FAR_SHANK
    rub, points_row = velocity.RUB, velocity.POINTS

    @t.jit
    def ground(line, lo, boxes, bo, nb, fixture):
        """The padded bounding box of a fixture."""
        if fixture < nb:
            k = bo + fixture * polygon_size + box_at
            return boxes[k], boxes[k + 1], boxes[k + 2], boxes[k + 3]
        k = lo + (fixture - nb) * line_size
        x1, y1, x2, y2 = line[k], line[k + 1], line[k + line_size], line[k + line_size + 1]
        lx, hx = (x1, x2) if x1 < x2 else (x2, x1)
        ly, hy = (y1, y2) if y1 < y2 else (y2, y1)
        return lx - radius - padding, ly - radius - padding, hx + radius + padding, hy + radius + padding

    @t.jit
    def overlap(f, body, lx, ly, hx, hy):
        apart = f[body + at.LOW_X] - hx > zero or f[body + at.LOW_Y] - hy > zero
        return not (apart or lx - f[body + at.HIGH_X] > zero or ly - f[body + at.HIGH_Y] > zero)

    @t.jit
    def flag(g, h, body, begins):
        """What Gymnasium's listener notes. The end of one contact clears a foot's flag though another may go on."""
        if body == hull:
            if begins:
                g[h + at.FLAGS] |= fell
        elif body in (shank, far_shank):
            bit = 1 if body == shank else 2
            if begins:
                g[h + at.FLAGS] |= bit
            else:
                g[h + at.FLAGS] &= ~bit

    @t.jit
    def update(f, o, g, h, line, lo, boxes, bo, nb, shapes, sf, slot):
        """The contact's manifold, anew; whether it touches."""
        k, q = o + contact_at + slot * contact_size, h + icontact_at + slot * icontact_size
        fixture, body, state = g[q], g[q + at.BODY_OF], g[q + at.STATE]
        b = o + body * body_size
        s, c, px, py = f[b + at.SIN], f[b + at.COS], f[b + at.PX], f[b + at.PY]
        if fixture < nb:
            points, face_b, id0, id1 = box(boxes, bo + fixture * polygon_size, shapes, body * polygon_size, s, c, px, py, sf)
        else:
            e = lo + (fixture - nb) * line_size
            points, face_b, id0, id1 = edge(
                line[e],
                line[e + 1],
                line[e + line_size],
                line[e + line_size + 1],
                shapes,
                body * polygon_size,
                s,
                c,
                px,
                py,
                sf,
            )
        was = state & at.TOUCHING != 0
        if points > 0:
            before, old0, old1 = state >> 2, g[q + at.ID], g[q + at.ID + 1]
            n0, t0 = f[k + at.POINTS_AT + at.P_NORMAL], f[k + at.POINTS_AT + at.P_TANGENT]
            n1, t1 = f[k + at.POINTS_AT + at.POINT + at.P_NORMAL], f[k + at.POINTS_AT + at.POINT + at.P_TANGENT]
            for i in range(4):
                f[k + i] = sf[i]
            for i in range(points):
                p, key = k + at.POINTS_AT + i * at.POINT, id0 if i == 0 else id1
                normal, tangent = zero, zero
                if before > 0 and old0 == key:
                    normal, tangent = n0, t0
                elif before > 1 and old1 == key:
                    normal, tangent = n1, t1
                f[p], f[p + 1], f[p + at.P_NORMAL], f[p + at.P_TANGENT] = sf[4 + 2 * i], sf[5 + 2 * i], normal, tangent
                g[q + at.ID + i] = key
        g[q + at.STATE] = (at.TOUCHING if points > 0 else 0) | (at.FACE_B if face_b == 1 else 0) | points << 2
        if was != (points > 0):
            flag(g, h, body, points > 0)
        return points > 0

    @t.jit
    def collide(f, o, g, h, line, lo, boxes, bo, nb, shapes, sf):
        """Updates every contact, newest first; drops those whose bounding boxes came apart."""
        count, dropped = g[h], False
        for body in range(at.BODIES):
            b, p, k = o + body * body_size, body * polygon_size, sweep + body * sweep_size
            s, c, px, py = f[b + at.SIN], f[b + at.COS], f[b + at.PX], f[b + at.PY]
            lx, ly, hx, hy = at.F(1e30), at.F(1e30), at.F(-1e30), at.F(-1e30)
            for i in range(int(shapes[p + corners])):
                x, y = shapes[p + 2 * i], shapes[p + 2 * i + 1]
                x, y = (c * x - s * y) + px, (s * x + c * y) + py
                lx, ly, hx, hy = min(lx, x), min(ly, y), max(hx, x), max(hy, y)
            # What is farther from an edge than the skins, and half as much again, has no manifold with it.
            sf[k], sf[k + 1], sf[k + 2], sf[k + 3] = lx - apart, ly - apart, hx + apart, hy + apart
        for slot in range(count - 1, -1, -1):
            q = h + icontact_at + slot * icontact_size
            body = g[q + at.BODY_OF]
            lx, ly, hx, hy = ground(line, lo, boxes, bo, nb, g[q])
            if overlap(f, o + body * body_size, lx, ly, hx, hy):
                k = sweep + body * sweep_size
                off = sf[k] > hx - skin or sf[k + 1] > hy - skin or sf[k + 2] < lx + skin or sf[k + 3] < ly + skin
                # Of boxes not: the sides of a face reach beyond it, and the widest face is found by climbing.
                if off and g[q] >= nb and g[q + at.STATE] & at.TOUCHING == 0:
                    continue
                update(f, o, g, h, line, lo, boxes, bo, nb, shapes, sf, slot)
                continue
            if g[q + at.STATE] & at.TOUCHING != 0:
                flag(g, h, body, False)
            g[q], dropped = -1, True
        if dropped:
            kept = 0
            for slot in range(count):
                if g[h + icontact_at + slot * icontact_size] >= 0:
                    if kept < slot:
                        for i in range(icontact_size):
                            to, of = icontact_at + kept * icontact_size + i, icontact_at + slot * icontact_size + i
                            g[h + to] = g[h + of]
                        for i in range(contact_size):
                            to, of = contact_at + kept * contact_size + i, contact_at + slot * contact_size + i
                            f[o + to] = f[o + of]
                    kept += 1
            g[h] = kept

    @t.jit
    def consider(f, o, g, h, line, lo, boxes, bo, nb, si, fixture, body, found):
        """Notes the pair if it is a new one and its bounding boxes overlap; how many are noted then."""
        lx, ly, hx, hy = ground(line, lo, boxes, bo, nb, fixture)
        if not overlap(f, o + body * body_size, lx, ly, hx, hy):
            return found
        for slot in range(g[h]):
            q = h + icontact_at + slot * icontact_size
            if g[q] == fixture and g[q + at.BODY_OF] == body:
                return found
        if found == MANY:
            g[h + at.FLAGS] |= crowded
            return found
        # Kept in the order of Box2D's sorted pairs: by fixture, then by body.
        key, place = fixture * 8 + body, found
        while place > 0 and si[FOUND + place - 1] > key:
            si[FOUND + place] = si[FOUND + place - 1]
            place -= 1
        si[FOUND + place] = key
        return found + 1

    @t.jit
    def stretch(x):
        """The stretch of ground that ``x`` is in."""
        place = x * ratio
        if place < zero:
            return 0
        if place > at.F(at.BINS):
            return last_bin
        return min(int(place), last_bin)

    @t.jit
    def find(f, o, g, h, line, lo, boxes, bo, nb, bins, no, sf, si, bodies):
        """New contacts of the bodies whose bits are set."""
        found = 0
        for body in range(at.BODIES):
            if bodies >> body & 1 == 0:
                continue
            b = o + body * body_size
            first, last = no + stretch(f[b + at.LOW_X]) * bins_size, no + stretch(f[b + at.HIGH_X]) * bins_size
            for fixture in range(bins[first + 2], bins[last + 3] + 1):
                found = consider(f, o, g, h, line, lo, boxes, bo, nb, si, fixture, body, found)
            for fixture in range(nb + bins[first], nb + bins[last + 1] + 1):
                found = consider(f, o, g, h, line, lo, boxes, bo, nb, si, fixture, body, found)
        for i in range(found):
            slot = g[h]
            if slot == room:
                g[h + at.FLAGS] |= crowded
                return
            fixture, body = si[FOUND + i] >> 3, si[FOUND + i] & 7
            q = h + icontact_at + slot * icontact_size
            g[q], g[q + at.BODY_OF], g[q + at.STATE] = fixture, body, 0
            si[SUBSTEPS + slot], si[KNOWN + slot], sf[GROUND + slot] = 0, OPEN, zero
            for other in range(slot):
                if g[h + icontact_at + other * icontact_size] == fixture:
                    sf[GROUND + slot] = sf[GROUND + other]
            g[h] = slot + 1

    @t.jit
    def moved(f, b, shapes, body, s0, c0, sf):
        """Whether a body left its padded bounding box; if so it has a new one, longer where it is going.

        ``s0`` and ``c0`` are sine and cosine of the angle at the sweep's start. Leaves the body's way in ``sf``.
        """
        p, way = body * polygon_size, sweep + body * sweep_size
        gx, gy = shapes[p + centre], shapes[p + centre + 1]
        px, py = f[b + at.X0] - (c0 * gx - s0 * gy), f[b + at.Y0] - (s0 * gx + c0 * gy)
        s1, c1, qx, qy = f[b + at.SIN], f[b + at.COS], f[b + at.PX], f[b + at.PY]
        lx, ly, hx, hy = at.F(1e30), at.F(1e30), at.F(-1e30), at.F(-1e30)
        for i in range(int(shapes[p + corners])):
            x, y = shapes[p + 2 * i], shapes[p + 2 * i + 1]
            ax, ay = (c0 * x - s0 * y) + px, (s0 * x + c0 * y) + py
            bx, by = (c1 * x - s1 * y) + qx, (s1 * x + c1 * y) + qy
            lx, ly, hx, hy = min(lx, ax, bx), min(ly, ay, by), max(hx, ax, bx), max(hy, ay, by)
            k = way + ENDS + 4 * i
            sf[k], sf[k + 1], sf[k + 2], sf[k + 3] = ax, ay, bx, by
        sf[way], sf[way + 1], sf[way + 2], sf[way + 3] = lx, ly, hx, hy
        turned = f[b + at.A] - f[b + at.A0]
        # r (1 - cos(angle / 2)), and no vertex is farther than 1.25 m from its body's centre of mass.
        sf[way + SAG] = eighth * turned * turned * at.F(1.25)
        lx, ly, hx, hy = lx - radius, ly - radius, hx + radius, hy + radius
        inside = f[b + at.LOW_X] <= lx and f[b + at.LOW_Y] <= ly and hx <= f[b + at.HIGH_X] and hy <= f[b + at.HIGH_Y]
        if inside:
            return False
        lx, ly, hx, hy = lx - padding, ly - padding, hx + padding, hy + padding
        dx, dy = two * (qx - px), two * (qy - py)
        if dx < zero:
            lx += dx
        else:
            hx += dx
        if dy < zero:
            ly += dy
        else:
            hy += dy
        f[b + at.LOW_X], f[b + at.LOW_Y], f[b + at.HIGH_X], f[b + at.HIGH_Y] = lx, ly, hx, hy
        return True

    @t.jit
    def arm(f, b, p, face_b, nx, ny, ox, oy):
        """From a body's centre to one point of a contact, halfway between the two skins."""
        s, c = f[b + at.SIN], f[b + at.COS]
        x, y = f[p], f[p + 1]
        if not face_b:
            x, y = (c * x - s * y) + f[b + at.PX], (s * x + c * y) + f[b + at.PY]
        reach = radius - ((x - ox) * nx + (y - oy) * ny)
        ax, ay = x + reach * nx, y + reach * ny
        bx, by = x - radius * nx, y - radius * ny
        return half * (ax + bx) - f[b + at.X], half * (ay + by) - f[b + at.Y]

    @t.jit
    def fill_velocity(f, o, g, h, shapes, slot, scale, c, first, wide):
        """Fills a slot of the velocity solver, whose rows lie ``wide`` apart from ``first`` on; impulses times ``scale``."""
        k, q = o + contact_at + slot * contact_size, h + icontact_at + slot * icontact_size
        body, state = g[q + at.BODY_OF], g[q + at.STATE]
        b, shape = o + body * body_size, body * polygon_size
        m, i = shapes[shape + at.INV_MASS], shapes[shape + at.INV_INERTIA]
        points, face_b = state >> 2, state & at.FACE_B != 0
        nx, ny, ox, oy = f[k], f[k + 1], f[k + 2], f[k + 3]
        if face_b:
            s, co = f[b + at.SIN], f[b + at.COS]
            nx, ny = co * nx - s * ny, s * nx + co * ny
            ox, oy = (co * ox - s * oy) + f[b + at.PX], (s * ox + co * oy) + f[b + at.PY]
        tx, ty = (-nx, -ny) if face_b else (nx, ny)
        c[first], c[first + wide] = tx, ty
        r1 = r2 = zero
        for j in range(points):
            p = k + at.POINTS_AT + j * at.POINT
            rx, ry = arm(f, b, p, face_b, nx, ny, ox, oy)
            rn, rt = rx * ty - ry * tx, rx * -tx - ry * ty
            along, across = m + i * rn * rn, m + i * rt * rt
            r = first + (velocity.FIRST if j == 0 else velocity.SECOND) * wide
            c[r], c[r + wide] = rx, ry
            c[r + velocity.M_N * wide] = one / along if along > zero else zero
            c[r + velocity.M_T * wide] = one / across if across > zero else zero
            c[r + velocity.I_N * wide] = scale * f[p + at.P_NORMAL]
            c[r + velocity.I_T * wide] = scale * f[p + at.P_TANGENT]
            if j == 0:
                r1 = rn
            else:
                r2 = rn
        count = points
        if points == 2:
            k11, k22, k12 = m + i * r1 * r1, m + i * r2 * r2, m + i * r1 * r2
            det = k11 * k22 - k12 * k12
            if k11 * k11 < ill * det:
                c[first + velocity.K11 * wide], c[first + velocity.K12 * wide] = k11, k12
                c[first + velocity.K22 * wide] = k22
                det = one / det if det != zero else det
                c[first + velocity.B11 * wide], c[first + velocity.B12 * wide] = det * k22, -det * k12
                c[first + velocity.B22 * wide] = det * k11
            else:
                count = 1
        c[first + rub * wide] = shapes[shape + friction]
        c[first + points_row * wide] = at.F(count)
        return count

    @t.jit
    def fill_position(f, o, g, h, slot, p, first, wide):
        """Fills a slot of the position solver."""
        k, q = o + contact_at + slot * contact_size, h + icontact_at + slot * icontact_size
        state = g[q + at.STATE]
        for i in range(4):
            p[first + i * wide] = f[k + i]
        for j in range(state >> 2):
            at_point = k + at.POINTS_AT + j * at.POINT
            p[first + (position.P_X + 2 * j) * wide] = f[at_point]
            p[first + (position.P_Y + 2 * j) * wide] = f[at_point + 1]
        p[first + position.FACE_B * wide] = one if state & at.FACE_B != 0 else zero
        p[first + position.POINTS * wide] = at.F(state >> 2)

    return SimpleNamespace(
        update=update,
        collide=collide,
        find=find,
        moved=moved,
        fill_velocity=fill_velocity,
        fill_position=fill_position,
        stretch=stretch,
    )
