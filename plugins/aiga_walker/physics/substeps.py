"""Continuous collision of one walker: its bodies are taken back to where they first meet the ground, and go on from there.

In a step, each contact is asked for its time of impact; the earliest is solved on its own, with the other contacts of that
body, and the rest of the step is done anew, until no impact is left.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from aiga_walker.physics import contacts as table
from aiga_walker.physics import layout as at
from aiga_walker.physics import position, velocity
from aiga_walker.physics.target import Target


def build(t: Target, contacts: SimpleNamespace, impact: SimpleNamespace, touch: Any, push: Any, sincos: Any) -> SimpleNamespace:
    """``impacts(...)``, and ``advance`` and ``place`` of one body.

    Args:
        t: the target.
        contacts, impact: see those modules.
        touch, push: of one walker, see :mod:`aiga_walker.physics.velocity` and :mod:`aiga_walker.physics.position`.
        sincos: of single floats.
    """
    zero, one, epsilon, dt = at.ZERO, at.ONE, at.EPSILON, at.DT
    body_size, icontact_size, icontact_at = at.BODY, at.ICONTACT, at.ICONTACT_AT
    polygon_size, line_size, corners, centre = at.POLYGON, at.LINE, at.CORNERS, at.CENTRE
    toi, ground_at, substeps, known, island = table.TOI, table.GROUND, table.SUBSTEPS, table.KNOWN, table.ISLAND
    sweep, sweep_size = table.SWEEP, table.SWEEP_SIZE
    met, free, slots, slot_size, pslot = table.MET, table.OPEN, table.ISLAND_SLOTS, velocity.SLOT, position.SLOT
    late = one - at.F(10.0) * epsilon
    near = at.F(0.00675)  # within this the solver may see an impact: its target, its tolerance and half a millimetre
    enough, rounds, most_rounds = -at.F(1.5) * at.SLOP, at.TOI_ITERATIONS, at.VELOCITY_ITERATIONS
    max_move, max_turn, strength = at.MAX_TRANSLATION, at.MAX_ROTATION, at.TOI_BAUMGARTE
    sqrt, fabs = t.sqrt, t.fabs
    update, find, moved, fill_velocity, fill_position = (
        contacts.update,
        contacts.find,
        contacts.moved,
        contacts.fill_velocity,
        contacts.fill_position,
    )
    time_of_impact = impact.time_of_impact

    @t.jit
    def place(f, b, shapes, body):
        """Sine, cosine and origin of a body, from its centre and angle."""
        s, c = sincos(f[b + at.A])
        gx, gy = shapes[body * polygon_size + centre], shapes[body * polygon_size + centre + 1]
        f[b + at.SIN], f[b + at.COS] = s, c
        f[b + at.PX], f[b + at.PY] = f[b + at.X] - (c * gx - s * gy), f[b + at.Y] - (s * gx + c * gy)

    @t.jit
    def advance(f, b, alpha):
        """Moves the start of a body's sweep to ``alpha`` of the step."""
        part = (alpha - f[b + at.ALPHA]) / (one - f[b + at.ALPHA])
        rest = one - part
        f[b + at.X0] = rest * f[b + at.X0] + part * f[b + at.X]
        f[b + at.Y0] = rest * f[b + at.Y0] + part * f[b + at.Y]
        f[b + at.A0] = rest * f[b + at.A0] + part * f[b + at.A]
        f[b + at.ALPHA] = alpha

    @t.jit
    def bring(g, h, sf, fixture, alpha):
        """The ground's fixture, too, has come to ``alpha``, for whoever else meets it in this step."""
        for slot in range(g[h]):
            if g[h + icontact_at + slot * icontact_size] == fixture:
                sf[ground_at + slot] = alpha

    @t.jit
    def off(sf, way, lx, ly, hx, hy, margin):
        """Whether the body's way stays off a bounding box."""
        return sf[way] - hx > margin or lx - sf[way + 2] > margin or sf[way + 1] - hy > margin or ly - sf[way + 3] > margin

    @t.jit
    def clear(sf, line, e, shapes, body):
        """Whether a body surely stays off an edge all the way: off its bounding box, or on one side of its line."""
        way = sweep + body * sweep_size
        x1, y1, x2, y2 = line[e], line[e + 1], line[e + line_size], line[e + line_size + 1]
        margin = near + sf[way + table.SAG]
        if off(sf, way, min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2), margin):
            return True
        nx, ny = line[e + 2], line[e + 3]
        above, below = at.F(1e30), at.F(-1e30)
        for i in range(int(shapes[body * polygon_size + corners])):
            k = way + table.ENDS + 4 * i
            d0 = (sf[k] - x1) * nx + (sf[k + 1] - y1) * ny
            d1 = (sf[k + 2] - x1) * nx + (sf[k + 3] - y1) * ny
            above, below = min(above, d0, d1), max(below, d0, d1)
        return above > margin or below < -margin

    @t.jit
    def clear_box(sf, boxes, k, body):
        """Whether a body surely stays off a box's bounding box all the way."""
        way, box = sweep + body * sweep_size, k + at.BOX
        margin = near + sf[way + table.SAG] - (at.RADIUS + at.PADDING)
        return off(sf, way, boxes[box], boxes[box + 1], boxes[box + 2], boxes[box + 3], margin)

    @t.jit
    def alone(f, b, o, g, h, shapes, body, sf, si, count, alpha):
        """Solves the body with its ``count`` contacts of the island, and moves it through the rest of the step."""
        p = body * polygon_size
        m, i = shapes[p + at.INV_MASS], shapes[p + at.INV_INERTIA]
        gx, gy = shapes[p + centre], shapes[p + centre + 1]
        x, y, a = f[b + at.X], f[b + at.Y], f[b + at.A]
        for k in range(count):
            fill_position(f, o, g, h, si[island + k], sf, slots + k * pslot, 1)
        for _ in range(rounds):
            least = zero
            for k in range(count):
                x, y, a, least = push(sf, slots + k * pslot, x, y, a, gx, gy, m, i, strength, least)
            if least >= enough:
                break
        f[b + at.X0], f[b + at.Y0], f[b + at.A0] = x, y, a
        # Contacts are seen from the place to which the body was pushed.
        f[b + at.X], f[b + at.Y], f[b + at.A] = x, y, a
        place(f, b, shapes, body)
        for k in range(count):
            fill_velocity(f, o, g, h, shapes, si[island + k], zero, sf, slots + k * slot_size, 1)
        vx, vy, w = f[b + at.VX], f[b + at.VY], f[b + at.W]
        for _ in range(most_rounds):
            ux, uy, uw = vx, vy, w
            same = True
            for k in range(count):
                s = slots + k * slot_size
                n1, t1 = sf[s + velocity.FIRST + velocity.I_N], sf[s + velocity.FIRST + velocity.I_T]
                n2, t2 = sf[s + velocity.SECOND + velocity.I_N], sf[s + velocity.SECOND + velocity.I_T]
                vx, vy, w = touch(sf, s, vx, vy, w, m, i)
                same = same and n1 == sf[s + velocity.FIRST + velocity.I_N]
                same = same and t1 == sf[s + velocity.FIRST + velocity.I_T]
                if sf[s + velocity.POINTS] == at.TWO:
                    same = same and n2 == sf[s + velocity.SECOND + velocity.I_N]
                    same = same and t2 == sf[s + velocity.SECOND + velocity.I_T]
            # What neither velocities nor impulses change in one round, no later round changes.
            if same and ux == vx and uy == vy and uw == w:
                break
        left = (one - alpha) * dt
        dx, dy, turn = left * vx, left * vy, left * w
        if dx * dx + dy * dy > max_move * max_move:
            ratio = max_move / sqrt(dx * dx + dy * dy)
            vx, vy = vx * ratio, vy * ratio
        if turn * turn > max_turn * max_turn:
            w = w * (max_turn / fabs(turn))
        f[b + at.X], f[b + at.Y], f[b + at.A] = x + left * vx, y + left * vy, a + left * w
        f[b + at.VX], f[b + at.VY], f[b + at.W] = vx, vy, w
        place(f, b, shapes, body)

    @t.jit
    def earliest(f, o, g, h, line, lo, boxes, bo, nb, shapes, sf, si):
        """The contact with the earliest impact, -1 for none, and when it is."""
        best, soonest = -1, one
        for slot in range(g[h] - 1, -1, -1):
            if si[known + slot] & free == 0 or si[substeps + slot] > 8:
                continue
            if si[known + slot] & met == 0:
                q = h + icontact_at + slot * icontact_size
                fixture, body = g[q], g[q + at.BODY_OF]
                b = o + body * body_size
                start = sf[ground_at + slot]
                if start < f[b + at.ALPHA]:
                    start = f[b + at.ALPHA]
                    bring(g, h, sf, fixture, start)
                elif f[b + at.ALPHA] < start:
                    advance(f, b, start)
                alpha = one
                if fixture < nb:
                    k, p = bo + fixture * polygon_size, body * polygon_size
                    n = int(boxes[k + corners])
                    if not clear_box(sf, boxes, k, body):
                        hit, part = time_of_impact(
                            sf, si, boxes, k, 2, n, shapes, p, f[b + at.X0], f[b + at.Y0], f[b + at.A0],
                            f[b + at.X], f[b + at.Y], f[b + at.A],
                        )  # fmt: skip
                        if hit:
                            alpha = min(start + (one - start) * part, one)
                else:
                    k, p = lo + (fixture - nb) * line_size, body * polygon_size
                    if not clear(sf, line, k, shapes, body):
                        hit, part = time_of_impact(
                            sf, si, line, k, line_size, 2, shapes, p, f[b + at.X0], f[b + at.Y0], f[b + at.A0],
                            f[b + at.X], f[b + at.Y], f[b + at.A],
                        )  # fmt: skip
                        if hit:
                            alpha = min(start + (one - start) * part, one)
                sf[toi + slot] = alpha
                si[known + slot] |= met
            if sf[toi + slot] < soonest:
                best, soonest = slot, sf[toi + slot]
        return best, soonest

    @t.jit
    def impacts(f, o, g, h, line, lo, boxes, bo, nb, bins, no, shapes, sf, si):
        """All impacts of a walker's step."""
        for body in range(at.BODIES):
            f[o + body * body_size + at.ALPHA] = zero
        for slot in range(g[h]):
            si[substeps + slot], si[known + slot], sf[ground_at + slot] = 0, free, zero
        while True:
            slot, alpha = earliest(f, o, g, h, line, lo, boxes, bo, nb, shapes, sf, si)
            if slot < 0 or late < alpha:
                return
            q = h + icontact_at + slot * icontact_size
            fixture, body = g[q], g[q + at.BODY_OF]
            b = o + body * body_size
            x, y, a, x0, y0, a0 = f[b + at.X], f[b + at.Y], f[b + at.A], f[b + at.X0], f[b + at.Y0], f[b + at.A0]
            before, before_ground = f[b + at.ALPHA], sf[ground_at + slot]
            bring(g, h, sf, fixture, alpha)
            advance(f, b, alpha)
            f[b + at.X], f[b + at.Y], f[b + at.A] = f[b + at.X0], f[b + at.Y0], f[b + at.A0]
            place(f, b, shapes, body)
            touches = update(f, o, g, h, line, lo, boxes, bo, nb, shapes, sf, slot)
            si[known + slot] = free
            si[substeps + slot] += 1
            if not touches:
                si[known + slot] = 0
                bring(g, h, sf, fixture, before_ground)
                f[b + at.X], f[b + at.Y], f[b + at.A], f[b + at.X0], f[b + at.Y0], f[b + at.A0] = x, y, a, x0, y0, a0
                f[b + at.ALPHA] = before
                place(f, b, shapes, body)
                continue
            si[island], count = slot, 1
            for other in range(g[h] - 1, -1, -1):
                k = h + icontact_at + other * icontact_size
                if other == slot or g[k + at.BODY_OF] != body or count == 32:
                    continue
                before_ground = sf[ground_at + other]
                bring(g, h, sf, g[k], alpha)
                si[known + other] |= free
                if update(f, o, g, h, line, lo, boxes, bo, nb, shapes, sf, other):
                    si[island + count] = other
                    count += 1
                else:
                    bring(g, h, sf, g[k], before_ground)
            alone(f, b, o, g, h, shapes, body, sf, si, count, alpha)
            s0, c0 = sincos(f[b + at.A0])
            grew = moved(f, b, shapes, body, s0, c0, sf)
            for other in range(g[h]):
                if g[h + icontact_at + other * icontact_size + at.BODY_OF] == body:
                    si[known + other] &= ~met
            if grew:
                find(f, o, g, h, line, lo, boxes, bo, nb, bins, no, sf, si, 1 << body)

    return SimpleNamespace(impacts=impacts, place=place)
