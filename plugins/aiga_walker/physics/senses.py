"""What a walker perceives, and what its step was worth: lidar, the 24 numbers of the observation, reward, end."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

from aiga_walker.physics import layout as at
from aiga_walker.physics.target import Target

RAYS = 10
_RANGE = 160 / 30.0
_SIN = tuple(math.sin(1.5 * i / 10.0) * _RANGE for i in range(RAYS))
_COS = tuple(math.cos(1.5 * i / 10.0) * _RANGE for i in range(RAYS))
FALLEN, OVER, FINISHED, LOST = at.FALLEN, at.OVER, at.FINISHED, at.LOST


def build(t: Target, references: Any, stretch: Any, finish: float) -> SimpleNamespace:
    """``perceive(...)`` and ``judge(...)``.

    Args:
        t: the target.
        references: angle between the bodies of each joint where it is at 0.
        stretch: of the ground, that an x is in.
        finish: m, the finishing line.
    """
    load, store, select, whole, wide = t.load, t.store, t.select, t.whole, t.lanes
    zero, one, far = at.ZERO, at.ONE, at.F(_SIN[-1] + 0.1)
    body_size, polygon_size, line_size, bins_size = at.BODY, at.POLYGON, at.LINE, at.BIN
    corners, normals, box_at = at.CORNERS, at.NORMALS, at.BOX
    chunks = -(-RAYS // wide)
    padded = chunks * wide
    r0, r1, r2, r3 = references

    @t.jit
    def cast_edge(line, e, x, y, dx, dy, nearest):
        """The least fraction of each ray to an edge, or ``nearest``."""
        x1, y1, nx, ny = line[e], line[e + 1], line[e + 2], line[e + 3]
        rx, ry = line[e + line_size] - x1, line[e + line_size + 1] - y1
        along = nx * (x1 - x) + ny * (y1 - y)
        square = rx * rx + ry * ry
        into = dx * nx + dy * ny
        part = along / into
        px, py = x + part * dx, y + part * dy
        place = ((px - x1) * rx + (py - y1) * ry) / square
        hit = (into != zero) & (part >= zero) & (part <= nearest) & (place >= zero) & (place <= one)
        return select(hit, part, nearest)

    @t.jit
    def cast_box(boxes, k, x, y, dx, dy, nearest):
        """The least fraction of each ray to where it enters a box, or ``nearest``."""
        lower, upper = whole(zero), whole(one)
        enters, misses = lower < zero, lower < zero
        for i in range(int(boxes[k + corners])):
            nx, ny = boxes[k + normals + 2 * i], boxes[k + normals + 2 * i + 1]
            above = nx * (boxes[k + 2 * i] - x) + ny * (boxes[k + 2 * i + 1] - y)
            into = dx * nx + dy * ny
            part = above / into
            nought = into == zero
            misses = misses | (nought & (whole(above) < zero))
            rising = (into < zero) & (lower * into > above)
            falling = (into > zero) & (upper * into > above)
            lower, upper = select(rising, part, lower), select(falling, part, upper)
            enters = enters | rising
            misses = misses | (upper < lower)
        hit = enters & (lower <= nearest)
        # What misses one side misses the box.
        return select(misses, nearest, select(hit, lower, nearest))

    @t.jit
    def lidar(f, o, line, lo, boxes, bo, bins, no, sf):
        """Leaves each ray's fraction in ``sf[32:42]``."""
        x, y = f[o + at.PX], f[o + at.PY]
        for i in range(padded):
            sf[i], sf[16 + i] = zero, zero
        for i in range(RAYS):
            sf[i] = at.F(float(x) + _SIN[i]) - x
            sf[16 + i] = at.F(float(y) - _COS[i]) - y
        first, last = no + stretch(x) * bins_size, no + stretch(x + far) * bins_size
        for chunk in range(chunks):
            dx, dy = load(sf, chunk * wide), load(sf, 16 + chunk * wide)
            nearest = whole(one)
            for i in range(bins[first], bins[last + 1] + 1):
                nearest = cast_edge(line, lo + i * line_size, x, y, dx, dy, nearest)
            for i in range(bins[first + 2], bins[last + 3] + 1):
                k = bo + i * polygon_size
                if boxes[k + box_at] <= x + far and boxes[k + box_at + 2] >= x:
                    nearest = cast_box(boxes, k, x, y, dx, dy, nearest)
            store(sf, 32 + chunk * wide, nearest)

    @t.jit
    def perceive(f, o, g, h, line, lo, boxes, bo, bins, no, sf, out, to):
        """The observation, computed in double precision as Gymnasium does, to ``out[to : to + 24]``."""
        b1, b2, b3, b4 = o + body_size, o + 2 * body_size, o + 3 * body_size, o + 4 * body_size
        flags = g[h + at.FLAGS]
        out[to] = f[o + at.A]
        out[to + 1] = at.F(2.0 * float(f[o + at.W]) / 50)
        out[to + 2] = at.F(0.3 * float(f[o + at.VX]) * 20.0 / 50)
        out[to + 3] = at.F(0.3 * float(f[o + at.VY]) * (400 / 30.0) / 50)
        out[to + 4] = f[b1 + at.A] - f[o + at.A] - r0
        out[to + 5] = at.F(float(f[b1 + at.W] - f[o + at.W]) / 4)
        out[to + 6] = at.F(float(f[b2 + at.A] - f[b1 + at.A] - r1) + 1.0)
        out[to + 7] = at.F(float(f[b2 + at.W] - f[b1 + at.W]) / 6)
        out[to + 8] = at.F(flags & 1)
        out[to + 9] = f[b3 + at.A] - f[o + at.A] - r2
        out[to + 10] = at.F(float(f[b3 + at.W] - f[o + at.W]) / 4)
        out[to + 11] = at.F(float(f[b4 + at.A] - f[b3 + at.A] - r3) + 1.0)
        out[to + 12] = at.F(float(f[b4 + at.W] - f[b3 + at.W]) / 6)
        out[to + 13] = at.F(flags >> 1 & 1)
        lidar(f, o, line, lo, boxes, bo, bins, no, sf)
        for i in range(RAYS):
            out[to + 14 + i] = sf[32 + i]

    @t.jit
    def worth(x, a):
        return 130 * float(x) / 30.0 - 5.0 * abs(float(a))

    @t.jit
    def judge(f, o, g, h, x, a, actions, act):
        """The reward of the step from ``x`` and ``a``, the hull's place and angle before it; and how it ends the life."""
        px = f[o + at.PX]
        reward = at.F(worth(px, f[o + at.A]) - worth(x, a))
        price = at.F(0.00035 * 80)
        for i in range(4):
            size = abs(actions[act + i])
            reward = reward - price * (size if size < one else one)
        end = 0
        flags = g[h + at.FLAGS]
        if flags & at.FELL != 0 or px < zero:
            reward, end = at.F(-100.0), FALLEN | OVER
        if float(px) > finish:
            end |= OVER
            if flags & at.FELL == 0:
                end |= FINISHED
        if flags & at.CROWDED != 0:
            end |= LOST | OVER
        return reward, end

    return SimpleNamespace(perceive=perceive, judge=judge)
