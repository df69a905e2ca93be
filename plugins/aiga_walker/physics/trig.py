"""Sine and cosine with the bits of glibc's ``sinf`` and ``cosf``, which Box2D calls, on lanes as on single floats.

After Arm's optimized routines, which glibc took over in version 2.28: reduction to a quarter turn and two polynomials, all
in double precision; the fused products are where its builds for processors with FMA have them. Beyond 120 rad, where
glibc reduces by integers, a second term of pi stands in: the last bit may differ there.
"""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from aiga_walker.physics.target import Target


def build(t: Target) -> SimpleNamespace:
    """``sincos(x)`` and, for single floats, ``sincos1(x)``: sine and cosine."""
    select, double, single, fma, trunc, floor, fabs = t.select, t.double, t.single, t.fma, t.trunc, t.floor, t.fabs
    per_turn = float.fromhex("0x1.45F306DC9C883p+23")  # 2**24 / (pi/2)
    quarter = float.fromhex("0x1.921FB54442D18p0")
    quarter_low = float.fromhex("0x1.1A62633145C07p-54")
    half, unit, scale, far = 8388608.0, 1.0, 2.0**-24, 120.0
    c1, c2 = float.fromhex("-0x1.ffffffd0c621cp-2"), float.fromhex("0x1.55553e1068f19p-5")
    c3, c4 = float.fromhex("-0x1.6c087e89a359dp-10"), float.fromhex("0x1.99343027bf8c3p-16")
    s1, s2, s3 = (float.fromhex(h) for h in ("-0x1.555545995a603p-3", "0x1.1107605230bc4p-7", "-0x1.994eb3774cf24p-13"))
    tiny = np.float32(2.0**-12)
    one, two, fourth, four = 1.0, 2.0, 0.25, 4.0

    def sincos(angle):
        given = double(angle)
        n = floor((trunc(given * per_turn) + half) * scale)
        x = fma(-n, quarter, given)
        x = select(fabs(given) >= far, fma(-n, quarter_low, x), x)
        x2 = x * x
        x3 = x2 * x
        sin = fma(fma(x2, s3, s2), x3 * x2, fma(x3, s1, x))
        x4 = x2 * x2
        cos = fma(fma(x2, c4, c3), x4 * x2, fma(x4, c2, fma(x2, c1, unit)))
        turn = n - four * floor(n * fourth)
        odd = (turn == one) | (turn == one + two)
        s, c = select(odd, cos, sin), select(odd, sin, cos)
        s = select(turn >= two, -s, s)
        c = select((turn == one) | (turn == two), -c, c)
        return select(fabs(angle) < tiny, angle, single(s)), single(c)

    if t.lanes == 1:
        made = t.inline(sincos)
        return SimpleNamespace(sincos=made, sincos1=made)
    return SimpleNamespace(sincos=t.inline(sincos))
