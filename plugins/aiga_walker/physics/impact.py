"""The time at which a moving body meets the ground: GJK distances and conservative advancement along separating axes.

Shape A, of ``na`` vertices that lie ``stride`` apart from ``a`` on in ``ground``, stands still. Shape B is a polygon whose
centre goes from ``(x0, y0)``, turned by ``a0``, to ``(x1, y1)``, turned by ``a1``. ``sf[32:53]`` and ``si[:12]`` hold the
simplex.
"""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

from aiga_walker.physics import layout as at
from aiga_walker.physics.target import Target

SIMPLEX = 32  # of sf: three vertices, each the points on A and on B, their difference, and a weight
VERTEX = 7


def build(t: Target, sincos: Any) -> SimpleNamespace:
    """``time_of_impact(...)`` and what it stands on."""
    zero, half, one, two, epsilon = at.ZERO, at.HALF, at.ONE, at.TWO, at.EPSILON
    tiny, corners, centre = epsilon * epsilon, at.CORNERS, at.CENTRE
    sqrt, fabs, single = t.sqrt, t.fabs, t.single
    turn = two * at.PI
    target = max(at.SLOP, at.SKINS - at.F(3.0) * at.SLOP)
    tolerance = at.F(0.25) * at.SLOP
    v0, v1, v2 = SIMPLEX, SIMPLEX + VERTEX, SIMPLEX + 2 * VERTEX

    @t.jit
    def place(sf, si, i, ground, a, stride, shapes, b, s, c, px, py):
        """Fills vertex ``i`` of the simplex from the two indices in ``si``."""
        v = SIMPLEX + i * VERTEX
        ia, ib = si[i], si[3 + i]
        ax, ay = ground[a + ia * stride], ground[a + ia * stride + 1]
        x, y = shapes[b + 2 * ib], shapes[b + 2 * ib + 1]
        bx, by = (c * x - s * y) + px, (s * x + c * y) + py
        sf[v], sf[v + 1], sf[v + 2], sf[v + 3], sf[v + 4], sf[v + 5] = ax, ay, bx, by, bx - ax, by - ay

    @t.jit
    def move(sf, si, to, of):
        for k in range(VERTEX):
            sf[SIMPLEX + to * VERTEX + k] = sf[SIMPLEX + of * VERTEX + k]
        si[to], si[3 + to] = si[of], si[3 + of]

    @t.jit
    def measure(sf, count):
        """Length or area of the simplex."""
        if count == 2:
            x, y = sf[v0 + 4] - sf[v1 + 4], sf[v0 + 5] - sf[v1 + 5]
            return sqrt(x * x + y * y)
        if count == 3:
            x, y = sf[v1 + 4] - sf[v0 + 4], sf[v1 + 5] - sf[v0 + 5]
            return x * (sf[v2 + 5] - sf[v0 + 5]) - y * (sf[v2 + 4] - sf[v0 + 4])
        return zero

    @t.jit
    def solve2(sf, si):
        """The part of a segment nearest to the origin; how many of its ends are left."""
        x1, y1, x2, y2 = sf[v0 + 4], sf[v0 + 5], sf[v1 + 4], sf[v1 + 5]
        ex, ey = x2 - x1, y2 - y1
        d2 = -(x1 * ex + y1 * ey)
        if d2 <= zero:
            sf[v0 + 6] = one
            return 1
        d1 = x2 * ex + y2 * ey
        if d1 <= zero:
            sf[v1 + 6] = one
            move(sf, si, 0, 1)
            return 1
        inverse = one / (d1 + d2)
        sf[v0 + 6], sf[v1 + 6] = d1 * inverse, d2 * inverse
        return 2

    @t.jit
    def solve3(sf, si):
        """The part of a triangle nearest to the origin; how many of its corners are left."""
        x1, y1, x2, y2, x3, y3 = sf[v0 + 4], sf[v0 + 5], sf[v1 + 4], sf[v1 + 5], sf[v2 + 4], sf[v2 + 5]
        ex, ey, fx, fy, gx, gy = x2 - x1, y2 - y1, x3 - x1, y3 - y1, x3 - x2, y3 - y2
        d12_1, d12_2 = x2 * ex + y2 * ey, -(x1 * ex + y1 * ey)
        d13_1, d13_2 = x3 * fx + y3 * fy, -(x1 * fx + y1 * fy)
        d23_1, d23_2 = x3 * gx + y3 * gy, -(x2 * gx + y2 * gy)
        n = ex * fy - ey * fx
        d1, d2, d3 = n * (x2 * y3 - y2 * x3), n * (x3 * y1 - y3 * x1), n * (x1 * y2 - y1 * x2)
        if d12_2 <= zero and d13_2 <= zero:
            sf[v0 + 6] = one
            return 1
        if d12_1 > zero and d12_2 > zero and d3 <= zero:
            inverse = one / (d12_1 + d12_2)
            sf[v0 + 6], sf[v1 + 6] = d12_1 * inverse, d12_2 * inverse
            return 2
        if d13_1 > zero and d13_2 > zero and d2 <= zero:
            inverse = one / (d13_1 + d13_2)
            sf[v0 + 6], sf[v2 + 6] = d13_1 * inverse, d13_2 * inverse
            move(sf, si, 1, 2)
            return 2
        if d12_1 <= zero and d23_2 <= zero:
            sf[v1 + 6] = one
            move(sf, si, 0, 1)
            return 1
        if d13_1 <= zero and d23_1 <= zero:
            sf[v2 + 6] = one
            move(sf, si, 0, 2)
            return 1
        if d23_1 > zero and d23_2 > zero and d1 <= zero:
            inverse = one / (d23_1 + d23_2)
            sf[v1 + 6], sf[v2 + 6] = d23_1 * inverse, d23_2 * inverse
            move(sf, si, 0, 2)
            return 2
        inverse = one / (d1 + d2 + d3)
        sf[v0 + 6], sf[v1 + 6], sf[v2 + 6] = d1 * inverse, d2 * inverse, d3 * inverse
        return 3

    @t.jit
    def support(p, start, stride, count, x, y):
        best, most = 0, p[start] * x + p[start + 1] * y
        for i in range(1, count):
            d = p[start + i * stride] * x + p[start + i * stride + 1] * y
            if d > most:
                best, most = i, d
        return best

    @t.jit
    def distance(sf, si, count, metric, ground, a, stride, na, shapes, b, s, c, px, py):
        """Distance of the shapes, and count and size of the simplex, from which the next call starts."""
        nb = int(shapes[b + corners])
        for i in range(count):
            place(sf, si, i, ground, a, stride, shapes, b, s, c, px, py)
            sf[SIMPLEX + i * VERTEX + 6] = zero
        if count > 1:
            now = measure(sf, count)
            if now < half * metric or two * metric < now or now < epsilon:
                count = 0
        if count == 0:
            si[0], si[3] = 0, 0
            place(sf, si, 0, ground, a, stride, shapes, b, s, c, px, py)
            sf[v0 + 6] = one
            count = 1
        for _ in range(20):
            saved = count
            for i in range(saved):
                si[6 + i], si[9 + i] = si[i], si[3 + i]
            if count == 2:
                count = solve2(sf, si)
            elif count == 3:
                count = solve3(sf, si)
            if count == 3:
                break
            if count == 1:
                dx, dy = -sf[v0 + 4], -sf[v0 + 5]
            else:
                ex, ey = sf[v1 + 4] - sf[v0 + 4], sf[v1 + 5] - sf[v0 + 5]
                if ex * -sf[v0 + 5] - ey * -sf[v0 + 4] > zero:
                    dx, dy = -ey, ex
                else:
                    dx, dy = ey, -ex
            if dx * dx + dy * dy < tiny:
                break
            si[count] = support(ground, a, stride, na, -dx, -dy)
            si[3 + count] = support(shapes, b, 2, nb, c * dx + s * dy, -s * dx + c * dy)
            place(sf, si, count, ground, a, stride, shapes, b, s, c, px, py)
            again = False
            for i in range(saved):
                again |= si[count] == si[6 + i] and si[3 + count] == si[9 + i]
            if again:
                break
            count += 1
        if count == 1:
            x, y = sf[v0] - sf[v0 + 2], sf[v0 + 1] - sf[v0 + 3]
        elif count == 2:
            w1, w2 = sf[v0 + 6], sf[v1 + 6]
            x = (w1 * sf[v0] + w2 * sf[v1]) - (w1 * sf[v0 + 2] + w2 * sf[v1 + 2])
            y = (w1 * sf[v0 + 1] + w2 * sf[v1 + 1]) - (w1 * sf[v0 + 3] + w2 * sf[v1 + 3])
        else:
            x, y = zero, zero
        return sqrt(x * x + y * y), count, measure(sf, count)

    @t.jit
    def sweep(shapes, b, x0, y0, a0, x1, y1, a1, part):
        """The body's transform, a part of the way on."""
        rest = one - part
        s, c = sincos(rest * a0 + part * a1)
        lx, ly = shapes[b + centre], shapes[b + centre + 1]
        return s, c, (rest * x0 + part * x1) - (c * lx - s * ly), (rest * y0 + part * y1) - (s * lx + c * ly)

    @t.jit
    def witness(kind, nx, ny, mx, my, ground, a, stride, ia, shapes, b, ib, s, c, px, py):
        """How far two vertices, or a vertex and a face, are apart along the axis."""
        if kind == 2:
            ux, uy = c * nx - s * ny, s * nx + c * ny
            bx, by = (c * mx - s * my) + px, (s * mx + c * my) + py
            return (ground[a + ia * stride] - bx) * ux + (ground[a + ia * stride + 1] - by) * uy
        x, y = shapes[b + 2 * ib], shapes[b + 2 * ib + 1]
        bx, by = (c * x - s * y) + px, (s * x + c * y) + py
        if kind == 1:
            return (bx - mx) * nx + (by - my) * ny
        return (bx - ground[a + ia * stride]) * nx + (by - ground[a + ia * stride + 1]) * ny

    @t.jit
    def axis(si, count, ground, a, stride, shapes, b, s, c, px, py):
        """The axis of the simplex: of two points 0, of a face of A 1, of B 2; its direction and the middle of the face."""
        if count == 1:
            x, y = shapes[b + 2 * si[3]], shapes[b + 2 * si[3] + 1]
            nx = (c * x - s * y) + px - ground[a + si[0] * stride]
            ny = (s * x + c * y) + py - ground[a + si[0] * stride + 1]
            length = sqrt(nx * nx + ny * ny)
            if length >= epsilon:
                inverse = one / length
                nx, ny = nx * inverse, ny * inverse
            return 0, nx, ny, zero, zero
        if si[0] == si[1]:
            kind = 2
            x1, y1, x2, y2 = shapes[b + 2 * si[3]], shapes[b + 2 * si[3] + 1], shapes[b + 2 * si[4]], shapes[b + 2 * si[4] + 1]
        else:
            kind = 1
            i, j = a + si[0] * stride, a + si[1] * stride
            x1, y1, x2, y2 = ground[i], ground[i + 1], ground[j], ground[j + 1]
        nx, ny = y2 - y1, -(x2 - x1)
        length = sqrt(nx * nx + ny * ny)
        if length >= epsilon:
            inverse = one / length
            nx, ny = nx * inverse, ny * inverse
        mx, my = half * (x1 + x2), half * (y1 + y2)
        if witness(kind, nx, ny, mx, my, ground, a, stride, si[0], shapes, b, si[3], s, c, px, py) < zero:
            nx, ny = -nx, -ny
        return kind, nx, ny, mx, my

    @t.jit
    def time_of_impact(sf, si, ground, a, stride, na, shapes, b, x0, y0, a0, x1, y1, a1):
        """Whether the shapes come to touch on the way, and at which part of it."""
        nb = int(shapes[b + corners])
        d = turn * single(math.floor(a0 / turn))
        a0, a1 = a0 - d, a1 - d
        t1, count, metric = zero, 0, zero
        for _ in range(20):
            s, c, px, py = sweep(shapes, b, x0, y0, a0, x1, y1, a1, t1)
            apart, count, metric = distance(sf, si, count, metric, ground, a, stride, na, shapes, b, s, c, px, py)
            if apart <= zero:
                return False, zero
            if apart < target + tolerance:
                return True, t1
            kind, nx, ny, mx, my = axis(si, count, ground, a, stride, shapes, b, s, c, px, py)
            t2 = one
            for _push in range(16):
                s, c, px, py = sweep(shapes, b, x0, y0, a0, x1, y1, a1, t2)
                ia, ib = 0, 0
                if kind == 2:
                    ux, uy = c * nx - s * ny, s * nx + c * ny
                    ia = support(ground, a, stride, na, -ux, -uy)
                else:
                    ib = support(shapes, b, 2, nb, c * -nx + s * -ny, -s * -nx + c * -ny)
                    if kind == 0:
                        ia = support(ground, a, stride, na, nx, ny)
                s2 = witness(kind, nx, ny, mx, my, ground, a, stride, ia, shapes, b, ib, s, c, px, py)
                if s2 > target + tolerance:
                    return False, one
                if s2 > target - tolerance:
                    t1 = t2
                    break
                s, c, px, py = sweep(shapes, b, x0, y0, a0, x1, y1, a1, t1)
                s1 = witness(kind, nx, ny, mx, my, ground, a, stride, ia, shapes, b, ib, s, c, px, py)
                if s1 < target - tolerance:
                    return False, t1
                if s1 <= target + tolerance:
                    return True, t1
                low, high = t1, t2
                for root in range(50):
                    if root & 1:
                        part = low + (target - s1) * (high - low) / (s2 - s1)
                    else:
                        part = half * (low + high)
                    s, c, px, py = sweep(shapes, b, x0, y0, a0, x1, y1, a1, part)
                    here = witness(kind, nx, ny, mx, my, ground, a, stride, ia, shapes, b, ib, s, c, px, py)
                    if fabs(here - target) < tolerance:
                        t2 = part
                        break
                    if here > target:
                        low, s1 = part, here
                    else:
                        high, s2 = part, here
        return False, t1

    return SimpleNamespace(time_of_impact=time_of_impact)
