"""Where two convex shapes touch: an edge of the ground, or a box of it, against a body's polygon.

Shape A is the ground's and stands still; shape B is a body's, turned by ``(s, c)`` and moved to ``(x, y)``. Both functions
write normal, point and two local points to ``m[0:8]`` and return ``(points, of the body's face, id of the first, id of the
second)``. An id packs indices and kinds of the two features that meet, so that a point is known again in the next step.
"""

from __future__ import annotations

from types import SimpleNamespace

from aiga_walker.physics import layout as at
from aiga_walker.physics.target import Target

_VERTEX, _FACE = 0, 1


def pack(index_a: int, index_b: int, kind_a: int, kind_b: int) -> int:
    """The id of a contact point."""
    return index_a | (index_b << 8) | (kind_a << 16) | (kind_b << 24)


def build(t: Target) -> SimpleNamespace:
    """``edge(...)`` and ``box(...)``."""
    zero, half, one, epsilon, skins = at.ZERO, at.HALF, at.ONE, at.EPSILON, at.SKINS
    normals, centroid, corners, far = at.NORMALS, at.CENTROID, at.CORNERS, at.F(3.4028234663852886e38)
    relative, absolute, slop = at.F(0.98), at.F(0.001), at.ANGULAR_SLOP
    sqrt = t.sqrt
    face_vertex, vertex_face = pack(0, 0, _FACE, _VERTEX), pack(0, 0, _VERTEX, _FACE)

    @t.jit
    def clip(x0, y0, id0, x1, y1, id1, nx, ny, offset, index):
        """A segment cut to one side of a line; whether anything is left of it, and its ends."""
        d0 = (nx * x0 + ny * y0) - offset
        d1 = (nx * x1 + ny * y1) - offset
        if d0 <= zero and d1 <= zero:
            return True, x0, y0, id0, x1, y1, id1
        if d0 * d1 < zero:
            part = d0 / (d0 - d1)
            x, y = x0 + part * (x1 - x0), y0 + part * (y1 - y0)
            cut = index | (id0 & 0xFF00) | vertex_face
            if d0 <= zero:
                return True, x0, y0, id0, x, y, cut
            return True, x1, y1, id1, x, y, cut
        return False, x0, y0, id0, x1, y1, id1

    @t.jit
    def swap(key):
        return ((key & 0xFF) << 8) | ((key >> 8) & 0xFF) | (((key >> 16) & 0xFF) << 24) | (((key >> 24) & 0xFF) << 16)

    @t.jit
    def edge(x1, y1, x2, y2, shapes, b, s, c, px, py, m):
        """An edge without neighbours against polygon ``b`` of ``shapes``; ``m[8:28]`` is scratch."""
        ex, ey = x2 - x1, y2 - y1
        length = sqrt(ex * ex + ey * ey)
        if length >= epsilon:
            inverse = one / length
            ex, ey = ex * inverse, ey * inverse
        n1x, n1y = ey, -ex
        gx, gy = shapes[b + centroid], shapes[b + centroid + 1]
        front = n1x * ((c * gx - s * gy) + px - x1) + n1y * ((s * gx + c * gy) + py - y1) >= zero
        nx, ny = (n1x, n1y) if front else (-n1x, -n1y)
        count = int(shapes[b + corners])
        nearest = far
        for i in range(count):
            vx, vy = shapes[b + 2 * i], shapes[b + 2 * i + 1]
            wx, wy = (c * vx - s * vy) + px, (s * vx + c * vy) + py
            m[8 + 2 * i], m[9 + 2 * i] = wx, wy
            d = nx * (wx - x1) + ny * (wy - y1)
            if d < nearest:
                nearest = d
        if nearest > skins:
            return 0, 0, 0, 0
        best, deepest = -1, -far
        for i in range(count):
            vx, vy = shapes[b + normals + 2 * i], shapes[b + normals + 2 * i + 1]
            ux, uy = c * vx - s * vy, s * vx + c * vy
            m[18 + 2 * i], m[19 + 2 * i] = ux, uy
            wx, wy = m[8 + 2 * i], m[9 + 2 * i]
            d1 = -ux * (wx - x1) + -uy * (wy - y1)
            d2 = -ux * (wx - x2) + -uy * (wy - y2)
            d = d1 if d1 < d2 else d2
            if d > skins:
                return 0, 0, 0, 0
            if (-ux + nx) * nx + (-uy + ny) * ny < -slop:
                continue
            if d > deepest:
                best, deepest = i, d
        of_body = best >= 0 and deepest > relative * nearest + absolute
        if of_body:
            i1, i2 = best, (best + 1 if best + 1 < count else 0)
            ax, ay, bx, by = x1, y1, x2, y2
            id0 = id1 = (best << 8) | vertex_face
            f1x, f1y, f2x, f2y = m[8 + 2 * i1], m[9 + 2 * i1], m[8 + 2 * i2], m[9 + 2 * i2]
            rx, ry = m[18 + 2 * i1], m[19 + 2 * i1]
        else:
            least, j1 = nx * m[18] + ny * m[19], 0
            for i in range(1, count):
                d = nx * m[18 + 2 * i] + ny * m[19 + 2 * i]
                if d < least:
                    j1, least = i, d
            j2 = j1 + 1 if j1 + 1 < count else 0
            ax, ay, bx, by = m[8 + 2 * j1], m[9 + 2 * j1], m[8 + 2 * j2], m[9 + 2 * j2]
            id0, id1 = (j1 << 8) | face_vertex, (j2 << 8) | face_vertex
            if front:
                i1, i2 = 0, 1
                f1x, f1y, f2x, f2y = x1, y1, x2, y2
            else:
                i1, i2 = 1, 0
                f1x, f1y, f2x, f2y = x2, y2, x1, y1
            rx, ry = nx, ny
        sx, sy = ry, -rx
        kept, ax, ay, id0, bx, by, id1 = clip(ax, ay, id0, bx, by, id1, sx, sy, sx * f1x + sy * f1y, i1)
        if not kept:
            return 0, 0, 0, 0
        kept, ax, ay, id0, bx, by, id1 = clip(ax, ay, id0, bx, by, id1, -sx, -sy, -sx * f2x + -sy * f2y, i2)
        if not kept:
            return 0, 0, 0, 0
        if of_body:
            m[0], m[1] = shapes[b + normals + 2 * i1], shapes[b + normals + 2 * i1 + 1]
            m[2], m[3] = shapes[b + 2 * i1], shapes[b + 2 * i1 + 1]
        else:
            m[0], m[1], m[2], m[3] = rx, ry, f1x, f1y
        points, first, second = 0, 0, 0
        for i in range(2):
            qx, qy, key = (ax, ay, id0) if i == 0 else (bx, by, id1)
            if rx * (qx - f1x) + ry * (qy - f1y) <= skins:
                if of_body:
                    key = swap(key)
                else:
                    dx, dy = qx - px, qy - py
                    qx, qy = c * dx + s * dy, -s * dx + c * dy
                m[4 + 2 * points], m[5 + 2 * points] = qx, qy
                if points == 0:
                    first = key
                else:
                    second = key
                points += 1
        return points, int(of_body), first, second

    @t.jit
    def separation(p, a, sa, ca, ax, ay, face, q, b, sb, cb, bx, by):
        """How far polygon B lies before a face of polygon A."""
        nx, ny = p[a + normals + 2 * face], p[a + normals + 2 * face + 1]
        wx, wy = ca * nx - sa * ny, sa * nx + ca * ny
        lx, ly = cb * wx + sb * wy, -sb * wx + cb * wy
        index, least = 0, far
        for i in range(int(q[b + corners])):
            d = q[b + 2 * i] * lx + q[b + 2 * i + 1] * ly
            if d < least:
                index, least = i, d
        vx, vy = p[a + 2 * face], p[a + 2 * face + 1]
        ux, uy = q[b + 2 * index], q[b + 2 * index + 1]
        x, y = (cb * ux - sb * uy) + bx - ((ca * vx - sa * vy) + ax), (sb * ux + cb * uy) + by - ((sa * vx + ca * vy) + ay)
        return x * wx + y * wy

    @t.jit
    def widest(p, a, sa, ca, ax, ay, q, b, sb, cb, bx, by):
        """The face of A that B is farthest before, found by climbing from the one towards B's centroid; and how far."""
        count = int(p[a + corners])
        ux, uy, vx, vy = q[b + centroid], q[b + centroid + 1], p[a + centroid], p[a + centroid + 1]
        dx = (cb * ux - sb * uy) + bx - ((ca * vx - sa * vy) + ax)
        dy = (sb * ux + cb * uy) + by - ((sa * vx + ca * vy) + ay)
        lx, ly = ca * dx + sa * dy, -sa * dx + ca * dy
        face, most = 0, -far
        for i in range(count):
            d = p[a + normals + 2 * i] * lx + p[a + normals + 2 * i + 1] * ly
            if d > most:
                face, most = i, d
        here = separation(p, a, sa, ca, ax, ay, face, q, b, sb, cb, bx, by)
        before = face - 1 if face - 1 >= 0 else count - 1
        after = face + 1 if face + 1 < count else 0
        d_before = separation(p, a, sa, ca, ax, ay, before, q, b, sb, cb, bx, by)
        d_after = separation(p, a, sa, ca, ax, ay, after, q, b, sb, cb, bx, by)
        if d_before > here and d_before > d_after:
            best, most, way = before, d_before, -1
        elif d_after > here:
            best, most, way = after, d_after, 1
        else:
            return face, here
        # At most once around: numbers that are not any would climb for ever.
        for _ in range(count):
            face = best + way
            if face < 0:
                face = count - 1
            elif face >= count:
                face = 0
            d = separation(p, a, sa, ca, ax, ay, face, q, b, sb, cb, bx, by)
            if not d > most:
                break
            best, most = face, d
        return best, most

    @t.jit
    def against(p, a, sa, ca, ax, ay, face, q, b, sb, cb, bx, by, flip, m):
        """The manifold of polygon A's face with the edge of polygon B that faces it most."""
        count, other = int(p[a + corners]), int(q[b + corners])
        vx, vy = p[a + normals + 2 * face], p[a + normals + 2 * face + 1]
        wx, wy = ca * vx - sa * vy, sa * vx + ca * vy
        lx, ly = cb * wx + sb * wy, -sb * wx + cb * wy
        j1, least = 0, far
        for i in range(other):
            d = lx * q[b + normals + 2 * i] + ly * q[b + normals + 2 * i + 1]
            if d < least:
                j1, least = i, d
        j2 = j1 + 1 if j1 + 1 < other else 0
        ux, uy = q[b + 2 * j1], q[b + 2 * j1 + 1]
        x0, y0 = (cb * ux - sb * uy) + bx, (sb * ux + cb * uy) + by
        ux, uy = q[b + 2 * j2], q[b + 2 * j2 + 1]
        x1, y1 = (cb * ux - sb * uy) + bx, (sb * ux + cb * uy) + by
        id0, id1 = face | (j1 << 8) | face_vertex, face | (j2 << 8) | face_vertex
        after = face + 1 if face + 1 < count else 0
        v1x, v1y, v2x, v2y = p[a + 2 * face], p[a + 2 * face + 1], p[a + 2 * after], p[a + 2 * after + 1]
        tx, ty = v2x - v1x, v2y - v1y
        length = sqrt(tx * tx + ty * ty)
        if length >= epsilon:
            inverse = one / length
            tx, ty = tx * inverse, ty * inverse
        m[0], m[1], m[2], m[3] = ty, -tx, half * (v1x + v2x), half * (v1y + v2y)
        gx, gy = ca * tx - sa * ty, sa * tx + ca * ty
        nx, ny = gy, -gx
        w1x, w1y = (ca * v1x - sa * v1y) + ax, (sa * v1x + ca * v1y) + ay
        w2x, w2y = (ca * v2x - sa * v2y) + ax, (sa * v2x + ca * v2y) + ay
        front = nx * w1x + ny * w1y
        side1 = -(gx * w1x + gy * w1y) + skins
        side2 = (gx * w2x + gy * w2y) + skins
        kept, x0, y0, id0, x1, y1, id1 = clip(x0, y0, id0, x1, y1, id1, -gx, -gy, side1, face)
        if not kept:
            return 0, 0, 0, 0
        kept, x0, y0, id0, x1, y1, id1 = clip(x0, y0, id0, x1, y1, id1, gx, gy, side2, after)
        if not kept:
            return 0, 0, 0, 0
        points, first, second = 0, 0, 0
        for i in range(2):
            qx, qy, key = (x0, y0, id0) if i == 0 else (x1, y1, id1)
            if (nx * qx + ny * qy) - front <= skins:
                dx, dy = qx - bx, qy - by
                m[4 + 2 * points], m[5 + 2 * points] = cb * dx + sb * dy, -sb * dx + cb * dy
                if flip == 1:
                    key = swap(key)
                if points == 0:
                    first = key
                else:
                    second = key
                points += 1
        return points, flip, first, second

    @t.jit
    def box(boxes, a, shapes, b, s, c, px, py, m):
        """Box ``a`` of the ground against polygon ``b`` of ``shapes``."""
        face_a, most_a = widest(boxes, a, zero, one, zero, zero, shapes, b, s, c, px, py)
        if most_a > skins:
            return 0, 0, 0, 0
        face_b, most_b = widest(shapes, b, s, c, px, py, boxes, a, zero, one, zero, zero)
        if most_b > skins:
            return 0, 0, 0, 0
        if most_b > relative * most_a + absolute:
            return against(shapes, b, s, c, px, py, face_b, boxes, a, zero, one, zero, zero, 1, m)
        return against(boxes, a, zero, one, zero, zero, face_a, shapes, b, s, c, px, py, 0, m)

    return SimpleNamespace(edge=edge, box=box)
