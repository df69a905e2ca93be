"""What a kernel is compiled for: ``L`` walkers a variable on a CPU, or one, on a CPU or a CUDA device.

Every source of this package is a function ``build(t)`` that defines the kernels of a target in its own words: ``t.jit``
compiles, ``t.load``, ``t.select`` and the like are vector operations on lanes, and plain Python on single floats.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np


@dataclass(frozen=True)
class Target:
    """The words of one target.

    Attributes:
        name: ``cpu`` or ``cuda``.
        lanes: walkers a variable holds.
        jit: compiles a function that kernels call.
        inline: the same, and dissolves it in its callers.
        load, store: lanes from, to neighbouring elements of a float32 array.
        select: of two values the first where a mask holds.
        any_lane: whether a mask holds anywhere.
        whole: a number in every lane.
        single, double: conversions between float32 and float64.
        sqrt, floor, trunc, fabs, fma: as in C.
    """

    name: str
    lanes: int
    jit: Any
    inline: Any
    load: Any
    store: Any
    select: Any
    any_lane: Any
    whole: Any
    single: Any
    double: Any
    sqrt: Any
    floor: Any
    trunc: Any
    fabs: Any
    fma: Any


# Division by zero gives infinity, as in C. No fastmath: a contracted product is another bit.
OPTIONS: dict[str, Any] = {"error_model": "numpy", "nogil": True, "_nrt": False}


def cpu(lanes: int) -> Target:
    """A CPU, ``lanes`` walkers at a time: 16 fill a register of AVX-512, 8 one of AVX2, 1 needs none."""
    jit = numba.njit(**OPTIONS)
    inline = numba.njit(forceinline=True, **OPTIONS)
    from aiga_walker.physics import lanes as vectors

    if lanes > 1:
        return Target("cpu", lanes, jit, inline, **vectors.operations(lanes))

    unary = {name: vectors.unary(f"llvm.{name}") for name in ("sqrt", "floor", "trunc", "fabs")}
    return Target("cpu", 1, jit, inline, **_single(inline), **unary, fma=vectors.fma)


def cuda() -> Target:
    """A CUDA device: a walker a thread. Its functions become code in :mod:`aiga_walker.physics.cuda_compiler`."""
    from numba import cuda as device

    def jit(function: Any) -> Any:
        return device.jit(device=True, opt=True)(function)

    def inline(function: Any) -> Any:
        return device.jit(device=True, opt=True, forceinline=True)(function)

    # Python's own floor and trunc give integers; these stay in double precision, where sines need them.
    @inline
    def floor(x):
        return device.libdevice.floor(x)

    @inline
    def trunc(x):
        return device.libdevice.trunc(x)

    @inline
    def fma(a, b, c):
        return device.fma(a, b, c)

    # An index without a sign is never counted from the end, which costs more here than the load itself.
    @inline
    def load(array, index):
        return array[np.uint64(index)]

    @inline
    def store(array, index, value):
        array[np.uint64(index)] = value

    words = {**_single(inline), "load": load, "store": store, "floor": floor, "trunc": trunc, "fma": fma}
    return Target("cuda", 1, jit, inline, sqrt=math.sqrt, fabs=math.fabs, **words)


def _single(inline: Any) -> dict[str, Any]:
    """The operations on lanes where there is one."""

    @inline
    def load(array, index):
        return array[index]

    @inline
    def store(array, index, value):
        array[index] = value

    @inline
    def select(where, yes, no):
        return yes if where else no

    @inline
    def any_lane(where):
        return where

    @inline
    def single(x):
        return np.float32(x)

    @inline
    def double(x):
        return np.float64(x)

    return {
        "load": load,
        "store": store,
        "select": select,
        "any_lane": any_lane,
        "whole": single,
        "single": single,
        "double": double,
    }


def plain() -> Target:
    """Python itself, on NumPy's single floats: slow, for what is computed once."""

    def same(function: Any) -> Any:
        return function

    return Target("python", 1, same, same, **_single(same), sqrt=np.sqrt, floor=np.floor, trunc=np.trunc, fabs=abs, fma=None)
