"""The perceptron of :mod:`aiga_walker.physics.policy` for a thread of a CUDA device: the same sums in the same order.

Neighbouring threads may have different agents, so that a load of one weight fetches seven others in vain. Eight units at a
time use what a load fetches, and read each input once for all of them.
"""

# mypy: allow-untyped-defs, allow-untyped-decorators, no-check-untyped-defs

from __future__ import annotations

from typing import Any

import numpy as np

from aiga_walker.physics import layout as at
from aiga_walker.physics.policy import RELU, TANH
from aiga_walker.physics.target import Target

UNITS = 8  # of a layer at a time; divides policy.PADDED


def build(t: Target, tanh: Any) -> Any:
    """``think(...)``, see :mod:`aiga_walker.physics.policy`.

    Args:
        t: the target.
        tanh: of single floats.
    """
    load, store, zero = t.load, t.store, at.ZERO

    @t.inline
    def bent(total, activation):
        if activation == TANH:
            total = tanh(total)
        elif activation == RELU:
            total = total if total > zero else total if total != total else zero
        return total

    @t.jit
    def think(params, at_params, layers, inputs, at_inputs, out, at_out, x):
        here, there = 0, len(x) // 2
        for i in range(layers[0]):
            store(x, here + i, inputs[at_inputs + i])
        k = at_params
        for layer in range(len(layers) // 3):
            count, units, activation = layers[3 * layer], layers[3 * layer + 1], layers[3 * layer + 2]
            for unit in range(0, units, UNITS):
                w = np.uint64(k + unit)
                t0, t1, t2, t3 = load(params, w), load(params, w + 1), load(params, w + 2), load(params, w + 3)
                t4, t5, t6, t7 = load(params, w + 4), load(params, w + 5), load(params, w + 6), load(params, w + 7)
                for i in range(count):
                    w += np.uint64(units)
                    v = load(x, here + i)
                    t0, t1 = t0 + load(params, w) * v, t1 + load(params, w + 1) * v
                    t2, t3 = t2 + load(params, w + 2) * v, t3 + load(params, w + 3) * v
                    t4, t5 = t4 + load(params, w + 4) * v, t5 + load(params, w + 5) * v
                    t6, t7 = t6 + load(params, w + 6) * v, t7 + load(params, w + 7) * v
                to = np.uint64(there + unit)
                store(x, to, bent(t0, activation))
                store(x, to + 1, bent(t1, activation))
                store(x, to + 2, bent(t2, activation))
                store(x, to + 3, bent(t3, activation))
                store(x, to + 4, bent(t4, activation))
                store(x, to + 5, bent(t5, activation))
                store(x, to + 6, bent(t6, activation))
                store(x, to + 7, bent(t7, activation))
            k += units + count * units
            here, there = there, here
        for i in range(4):
            out[at_out + i] = load(x, here + i)

    return think
