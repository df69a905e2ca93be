"""A multilayer perceptron inside the rollout: the weights of each walker's own agent, lanes over units.

A unit's sum runs over its inputs in order and its bias comes first, product and sum rounded apart, so that the bits do not
hang on lanes, batch or threads.
"""

from __future__ import annotations

from types import SimpleNamespace

from aiga_walker.physics import layout as at
from aiga_walker.physics.target import Target

IDENTITY, TANH, RELU = range(3)
PADDED = 16  # units of a layer are padded to a multiple of this


def build(t: Target) -> SimpleNamespace:
    """``think(...)`` and ``tanh(x)``."""
    load, store, select, whole, wide = t.load, t.store, t.select, t.whole, t.lanes
    zero, one, bound = at.ZERO, at.ONE, at.F(9.0)
    # A rational function of odd degree 13 over even degree 6, of least error between -9 and 9 in single precision.
    p1, p3, p5, p7 = (
        at.F(4.89352455891786e-03),
        at.F(6.37261928875436e-04),
        at.F(1.48572235717979e-05),
        at.F(5.12229709037114e-08),
    )
    p9, p11, p13 = at.F(-8.60467152213735e-11), at.F(2.00018790482477e-13), at.F(-2.76076847742355e-16)
    q0, q2, q4, q6 = (
        at.F(4.89352518554385e-03),
        at.F(2.26843463243900e-03),
        at.F(1.18534705686654e-04),
        at.F(1.19825839466702e-06),
    )

    @t.inline
    def tanh(x):
        """Hyperbolic tangent, within 4e-7; NaN stays NaN."""
        x = select(x > bound, whole(bound), select(x < -bound, whole(-bound), x))
        s = x * x
        top = x * (((((((p13 * s + p11) * s + p9) * s + p7) * s + p5) * s + p3) * s) + p1)
        y = top / (((q6 * s + q4) * s + q2) * s + q0)
        return select(y > one, whole(one), select(y < -one, whole(-one), y))

    @t.jit
    def think(params, at_params, layers, inputs, at_inputs, out, at_out, x):
        """The four actions of one agent.

        Args:
            params: weights of all agents; this one's begin at ``at_params``: of each layer, biases, then rows of weights, one
                for each input, both of padded length.
            layers: of each layer: inputs, padded outputs, activation.
            inputs, at_inputs: the observation.
            out, at_out: where the actions go.
            x: scratch, twice the longest layer or observation.
        """
        here, there = 0, len(x) // 2
        for i in range(layers[0]):
            x[here + i] = inputs[at_inputs + i]
        k = at_params
        for layer in range(len(layers) // 3):
            count, units, activation = layers[3 * layer], layers[3 * layer + 1], layers[3 * layer + 2]
            weights = k + units
            for unit in range(0, units, wide):
                total = load(params, k + unit)
                w = weights + unit
                for i in range(count):
                    total = total + load(params, w) * x[here + i]
                    w += units
                if activation == TANH:
                    total = tanh(total)
                elif activation == RELU:
                    total = select(total > zero, total, select(total == total, whole(zero), total))
                store(x, there + unit, total)
            k = weights + count * units
            here, there = there, here
        for i in range(4):
            out[at_out + i] = x[here + i]

    return SimpleNamespace(think=think, tanh=tanh)
