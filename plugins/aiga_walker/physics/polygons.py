"""Convex polygons as Box2D makes them of their corners: the same order of vertices, the same bits of normals and masses."""

from __future__ import annotations

from types import SimpleNamespace

from aiga_walker.physics import layout as at
from aiga_walker.physics.target import Target


def build(t: Target) -> SimpleNamespace:
    """``polygon(points, count, out, start)`` and ``mass(out, start, density)``."""
    zero, half, one, third = at.ZERO, at.HALF, at.ONE, at.ONE / at.F(3.0)
    normals, centroid, corners, epsilon = at.NORMALS, at.CENTROID, at.CORNERS, at.EPSILON
    centre, inv_mass, inv_inertia = at.CENTRE, at.INV_MASS, at.INV_INERTIA
    sqrt, counts = t.sqrt, tuple(at.F(i) for i in range(9))

    @t.jit
    def turn(points, i, j, k):
        """Cross product of the ways from corner ``i`` to ``j`` and to ``k``."""
        return (points[j, 0] - points[i, 0]) * (points[k, 1] - points[i, 1]) - (points[j, 1] - points[i, 1]) * (
            points[k, 0] - points[i, 0]
        )

    @t.jit
    def far(points, i, j):
        x, y = points[j, 0] - points[i, 0], points[j, 1] - points[i, 1]
        return x * x + y * y

    @t.jit
    def polygon(points, count, out, start):
        """The hull of ``count`` corners, by gift wrapping from the rightmost one; its normals and centroid."""
        first = 0
        for i in range(1, count):
            x, x0 = points[i, 0], points[first, 0]
            if x > x0 or (x == x0 and points[i, 1] < points[first, 1]):
                first = i
        here, m = first, 0
        while m < count:
            out[start + 2 * m], out[start + 2 * m + 1] = points[here, 0], points[here, 1]
            m += 1
            to = 0
            for j in range(1, count):
                if to == here:
                    to = j
                    continue
                c = turn(points, here, to, j)
                if c < zero or (c == zero and far(points, here, j) > far(points, here, to)):
                    to = j
            here = to
            if to == first:
                break
        out[start + corners] = counts[m]
        cx, cy, area = zero, zero, zero
        for i in range(m):
            j = i + 1 if i + 1 < m else 0
            x1, y1, x2, y2 = out[start + 2 * i], out[start + 2 * i + 1], out[start + 2 * j], out[start + 2 * j + 1]
            x, y = x2 - x1, y2 - y1
            nx, ny = y, -x
            length = sqrt(nx * nx + ny * ny)
            if length >= epsilon:
                inverse = one / length
                nx, ny = nx * inverse, ny * inverse
            out[start + normals + 2 * i], out[start + normals + 2 * i + 1] = nx, ny
            triangle = half * (x1 * y2 - y1 * x2)
            area += triangle
            share = triangle * third
            cx += share * (x1 + x2)
            cy += share * (y1 + y2)
        inverse = one / area
        out[start + centroid], out[start + centroid + 1] = cx * inverse, cy * inverse

    @t.jit
    def mass(out, start, density):
        """Centre, inverse mass and inverse inertia of the body that is this polygon."""
        m = int(out[start + corners])
        sx, sy = zero, zero
        for i in range(m):
            sx += out[start + 2 * i]
            sy += out[start + 2 * i + 1]
        share = one / counts[m]
        sx, sy = sx * share, sy * share
        cx, cy, area, inertia = zero, zero, zero, zero
        for i in range(m):
            j = i + 1 if i + 1 < m else 0
            x1, y1 = out[start + 2 * i] - sx, out[start + 2 * i + 1] - sy
            x2, y2 = out[start + 2 * j] - sx, out[start + 2 * j + 1] - sy
            d = x1 * y2 - y1 * x2
            triangle = half * d
            area += triangle
            weight = triangle * third
            cx += weight * (x1 + x2)
            cy += weight * (y1 + y2)
            xx = x1 * x1 + x2 * x1 + x2 * x2
            yy = y1 * y1 + y2 * y1 + y2 * y2
            inertia += (half * half * third * d) * (xx + yy)
        total = density * area
        share = one / area
        cx, cy = cx * share, cy * share
        gx, gy = cx + sx, cy + sy
        about = density * inertia + total * ((gx * gx + gy * gy) - (cx * cx + cy * cy))
        inverse = one / total
        # Box2D weighs the centre by the mass and divides again.
        lx, ly = (total * gx) * inverse, (total * gy) * inverse
        about -= total * (lx * lx + ly * ly)
        out[start + centre], out[start + centre + 1] = lx, ly
        out[start + inv_mass], out[start + inv_inertia] = inverse, one / about

    return SimpleNamespace(polygon=polygon, mass=mass)
