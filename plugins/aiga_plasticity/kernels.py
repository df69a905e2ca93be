"""One step of plastic units and its gradient, compiled for the processor: a trace is gone through twice forth and twice back.

As tensor operations the same takes some thirty passes over the traces of all lives, which no cache holds. Sums are added in
whatever order the processor likes best: these kernels are for training, where bits may hang on the machine.

Lives are rows, ``[B, ...]``; each of ``P`` agents has ``B / P`` of them, one after another. ``x`` and ``y`` ``[B, N]`` are
activities before and after, ``m`` ``[B]`` modulators, traces ``[B, N, N]``; of agents come ``alpha`` ``[P, N, N]``, the
modulator's ``weight`` ``[P, N]`` and ``bias`` ``[P]``, and ``eta`` ``[P]``. A kernel that goes back is given gradients of what
the other made, ``by_*``, and writes those of what it was given; of agents' it adds to them.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numba
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

# Sums in any order, but a number that is none stays none.
_LIBERTIES: Final = {"reassoc", "contract", "arcp", "nsz"}
ZERO: Final = np.float32(0.0)


def _compiled(function: Any) -> Any:
    return numba.njit(function, cache=True, fastmath=_LIBERTIES, error_model="numpy")


@_compiled
def through(x: Floats, trace: Floats, sums: Floats, alpha: Floats, whole: Floats) -> None:
    """``whole = sums + x (alpha * trace)``, to the bit ``sums`` where ``alpha`` is zero."""
    lives = len(x) // len(alpha)
    for row in range(len(x)):
        agent = row // lives
        whole[row] = sums[row]
        for i in range(x.shape[1]):
            for j in range(x.shape[1]):
                whole[row, j] += x[row, i] * alpha[agent, i, j] * trace[row, i, j]


@_compiled
def decay_forth(x: Floats, trace: Floats, y: Floats, eta: Floats, new: Floats) -> None:
    """``new = (1 - eta) trace + eta x y``."""
    lives = len(x) // len(eta)
    for row in range(len(x)):
        rate = eta[row // lives]
        for i in range(x.shape[1]):
            scaled = rate * x[row, i]
            for j in range(x.shape[1]):
                new[row, i, j] = (1 - rate) * trace[row, i, j] + scaled * y[row, j]


@_compiled
def decay_back(
    x: Floats,
    trace: Floats,
    alpha: Floats,
    eta: Floats,
    y: Floats,
    by_y: Floats,
    by_new: Floats,
    by_x: Floats,
    by_trace: Floats,
    by_sums: Floats,
    by_alpha: Floats,
    by_eta: Floats,
) -> None:
    """The gradients of :func:`decay_forth` after :func:`through`."""
    lives = len(x) // len(alpha)
    for row in range(len(x)):
        agent = row // lives
        by_sums[row], by_x[row], by_trace[row] = by_y[row], ZERO, ZERO
        by_eta[agent] += _fade_back(x[row], trace[row], eta[agent], y[row], by_new[row], by_x[row], by_trace[row], by_sums[row])
        _answer_back(x[row], trace[row], alpha[agent], y[row], by_x[row], by_trace[row], by_sums[row], by_alpha[agent])


@_compiled
def simple_forth(
    x: Floats, trace: Floats, y: Floats, weight: Floats, bias: Floats, bound: float, m: Floats, new: Floats
) -> None:
    """``m = tanh(y weight + bias)``, ``new = clip(trace + m x y)``."""
    lives, limit = len(x) // len(weight), np.float32(bound)
    for row in range(len(x)):
        agent = row // lives
        m[row] = _modulator(y[row], weight[agent], bias[agent])
        for i in range(x.shape[1]):
            scaled = m[row] * x[row, i]
            for j in range(x.shape[1]):
                value = trace[row, i, j] + scaled * y[row, j]
                value = limit if value > limit else value
                new[row, i, j] = -limit if value < -limit else value


@_compiled
def simple_back(
    x: Floats,
    trace: Floats,
    alpha: Floats,
    weight: Floats,
    bound: float,
    y: Floats,
    m: Floats,
    new: Floats,
    by_y: Floats,
    by_new: Floats,
    by_x: Floats,
    by_trace: Floats,
    by_sums: Floats,
    by_alpha: Floats,
    by_weight: Floats,
    by_bias: Floats,
) -> None:
    """The gradients of :func:`simple_forth` after :func:`through`."""
    lives, units, limit = len(x) // len(alpha), x.shape[1], np.float32(bound)
    by_change = np.empty(units, np.float32)
    for row in range(len(x)):
        agent = row // lives
        by_change[:] = ZERO
        for i in range(units):
            total = ZERO
            for j in range(units):
                slope = ZERO if abs(new[row, i, j]) >= limit else by_new[row, i, j]
                by_trace[row, i, j] = slope
                total += slope * y[row, j]
                by_change[j] += slope * x[row, i]
            by_x[row, i] = total * m[row]
        by_m = ZERO
        for j in range(units):
            by_m += by_change[j] * y[row, j]
            by_sums[row, j] = by_y[row, j] + by_change[j] * m[row]
        by_bias[agent] += _modulator_back(y[row], m[row], weight[agent], by_m, by_sums[row], by_weight[agent])
        _answer_back(x[row], trace[row], alpha[agent], y[row], by_x[row], by_trace[row], by_sums[row], by_alpha[agent])


@_compiled
def retroactive_forth(
    trace: Floats, eligibility: Floats, y: Floats, weight: Floats, bias: Floats, bound: float, m: Floats, new: Floats
) -> None:
    """``m = tanh(y weight + bias)``, ``new = clip(trace + m eligibility)``."""
    lives, limit = len(y) // len(weight), np.float32(bound)
    for row in range(len(y)):
        agent = row // lives
        m[row] = _modulator(y[row], weight[agent], bias[agent])
        for i in range(y.shape[1]):
            for j in range(y.shape[1]):
                value = trace[row, i, j] + m[row] * eligibility[row, i, j]
                value = limit if value > limit else value
                new[row, i, j] = -limit if value < -limit else value


@_compiled
def retroactive_back(
    x: Floats,
    trace: Floats,
    eligibility: Floats,
    alpha: Floats,
    weight: Floats,
    eta: Floats,
    bound: float,
    y: Floats,
    m: Floats,
    new: Floats,
    by_y: Floats,
    by_new: Floats,
    by_eligible: Floats,
    by_x: Floats,
    by_trace: Floats,
    by_eligibility: Floats,
    by_sums: Floats,
    by_alpha: Floats,
    by_weight: Floats,
    by_bias: Floats,
    by_eta: Floats,
) -> None:
    """The gradients of :func:`retroactive_forth`, and of :func:`decay_forth` of the eligibility, after :func:`through`."""
    lives, units, limit = len(x) // len(alpha), x.shape[1], np.float32(bound)
    for row in range(len(x)):
        agent = row // lives
        by_m = ZERO
        for i in range(units):
            for j in range(units):
                slope = ZERO if abs(new[row, i, j]) >= limit else by_new[row, i, j]
                by_trace[row, i, j] = slope
                by_m += slope * eligibility[row, i, j]
                by_eligibility[row, i, j] = slope * m[row]
        by_sums[row], by_x[row] = by_y[row], ZERO
        by_eta[agent] += _fade_back(
            x[row], eligibility[row], eta[agent], y[row], by_eligible[row], by_x[row], by_eligibility[row], by_sums[row]
        )
        by_bias[agent] += _modulator_back(y[row], m[row], weight[agent], by_m, by_sums[row], by_weight[agent])
        _answer_back(x[row], trace[row], alpha[agent], y[row], by_x[row], by_trace[row], by_sums[row], by_alpha[agent])


@_compiled
def _answer_back(
    x: Floats, trace: Floats, alpha: Floats, y: Floats, by_x: Floats, by_trace: Floats, by_sums: Floats, by_alpha: Floats
) -> None:
    """Adds to the gradients of one life; ``by_sums`` comes in as that of ``y``."""
    for j in range(len(x)):
        by_sums[j] *= 1 - y[j] * y[j]
    for i in range(len(x)):
        total = ZERO
        for j in range(len(x)):
            total += by_sums[j] * alpha[i, j] * trace[i, j]
            both = x[i] * by_sums[j]
            by_alpha[i, j] += both * trace[i, j]
            by_trace[i, j] += both * alpha[i, j]
        by_x[i] += total


@_compiled
def _modulator(y: Floats, weight: Floats, bias: float) -> float:
    """``tanh(y weight + bias)`` of one life."""
    total = bias
    for j in range(len(y)):
        total += y[j] * weight[j]
    return np.float32(math.tanh(total))  # type: ignore[return-value]


@_compiled
def _modulator_back(y: Floats, m: float, weight: Floats, by_m: float, by_y: Floats, by_weight: Floats) -> float:
    """Adds to the gradients of one life; returns that of the bias."""
    inner = by_m * (1 - m * m)
    for j in range(len(y)):
        by_weight[j] += inner * y[j]
        by_y[j] += inner * weight[j]
    return inner


@_compiled
def _fade_back(
    x: Floats, trace: Floats, eta: float, y: Floats, by_new: Floats, by_x: Floats, by_trace: Floats, by_y: Floats
) -> float:
    """Adds to the gradients of one life; returns that of ``eta``."""
    by_eta = ZERO
    for i in range(len(x)):
        total = ZERO
        for j in range(len(x)):
            later = by_new[i, j]
            by_eta += later * (x[i] * y[j] - trace[i, j])
            by_trace[i, j] += (1 - eta) * later
            by_y[j] += eta * later * x[i]
            total += later * y[j]
        by_x[i] += eta * total
    return by_eta  # type: ignore[return-value]
