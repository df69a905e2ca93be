"""Counter-based random numbers: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).

A :class:`Stream` is a key, not a cursor: the same stream asked for the same shape answers the same numbers, on any device and
in chunks of any size, because only integer operations and correctly rounded floating-point ones are used. Derive a
stream for each thing that is drawn: ``lab.rng("mutate").child("gap").rows(child_keys)``.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

import torch
from torch import Tensor

_MASK = 0xFFFFFFFF
_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)
_ROUNDS = 10


def philox(counter: tuple[Tensor, Tensor, Tensor, Tensor], key: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Philox4x32-10: four 32-bit words for each 128-bit counter.

    Args:
        counter: four int64 tensors that broadcast together, each holding 32-bit words, least significant first.
        key: 64 bits.

    Returns:
        Four int64 tensors of 32-bit words.
    """
    a, b, c, d = counter
    low, high = key & _MASK, (key >> 32) & _MASK
    for _ in range(_ROUNDS):
        # An int64 product wraps modulo 2**64, which keeps all 64 bits of a 32 x 32 product.
        first, second = a * _MULTIPLIERS[0], c * _MULTIPLIERS[1]
        a, b, c, d = (
            ((second >> 32) & _MASK) ^ b ^ low,
            second & _MASK,
            ((first >> 32) & _MASK) ^ d ^ high,
            first & _MASK,
        )
        low, high = (low + _WEYL[0]) & _MASK, (high + _WEYL[1]) & _MASK
    return a, b, c, d


def mix(words: Tensor) -> Tensor:
    """A bijective scramble of int64 words (the finaliser of SplitMix64, Steele et al. 2014), element by element."""
    z = words + (0x9E3779B97F4A7C15 - 2**64)
    z = (z ^ ((z >> 30) & (2**34 - 1))) * (0xBF58476D1CE4E5B9 - 2**64)
    z = (z ^ ((z >> 27) & (2**37 - 1))) * (0x94D049BB133111EB - 2**64)
    return z ^ ((z >> 31) & (2**33 - 1))


def combine(*keys: Tensor | int) -> Tensor:
    """One int64 key of several, order mattering: int64 tensors that broadcast together, or ints."""
    out = torch.zeros((), dtype=torch.int64)
    for key in keys:
        word = key if isinstance(key, Tensor) else torch.tensor(_signed(key), dtype=torch.int64)
        out = mix(out.to(word.device) ^ mix(word))
    return out


def derive(*parts: int | str) -> int:
    """A 64-bit key from ints and strings, order mattering."""
    text = "\x1f".join(f"{type(part).__name__}:{part}" for part in parts)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


@dataclass(frozen=True)
class Stream:
    """A key to draw from, with one row key for each row where ``rows`` is set.

    Attributes:
        key: 64 bits.
        row_keys: ``[B]`` int64 on the host, or None. With them, every draw has a leading axis ``B``, and a row's numbers depend on
            its own key alone.
    """

    key: int
    row_keys: Tensor | None = None

    def child(self, *parts: int | str) -> Stream:
        """A stream of its own, named by ``parts``; row keys are kept."""
        return Stream(derive(self.key, *parts), self.row_keys)

    def rows(self, keys: Tensor) -> Stream:
        """The same stream with ``[B]`` int64 row keys: what each row concerns, never its position."""
        return Stream(self.key, keys.to(device="cpu", dtype=torch.int64))

    def words(self, *shape: int, device: torch.device | str = "cpu") -> Tensor:
        """int64 words of 32 random bits, of ``shape``, after a leading ``[B]`` where there are row keys."""
        count = math.prod(shape)
        blocks = torch.arange((count + 3) // 4, dtype=torch.int64, device=device)
        low, high = blocks & _MASK, (blocks >> 32) & _MASK
        if self.row_keys is None:
            zero = torch.zeros((), dtype=torch.int64, device=device)
            out = torch.stack(philox((zero.expand_as(low), zero.expand_as(low), low, high), self.key), dim=-1)
            return out.reshape(-1)[:count].reshape(shape)
        keys = self.row_keys.to(device)[:, None]
        size = (len(keys), len(blocks))
        counter = (keys & _MASK, (keys >> 32) & _MASK, low[None], high[None])
        out = torch.stack(philox(tuple(word.expand(size) for word in counter), self.key), dim=-1)  # type: ignore[arg-type]
        return out.reshape(len(keys), -1)[:, :count].reshape(len(keys), *shape)

    def uniform(
        self, *shape: int, low: float = 0.0, high: float = 1.0, device: torch.device | str = "cpu"
    ) -> Tensor:
        """float64 in the open interval (``low``, ``high``)."""
        return (self.words(*shape, device=device).double() + 0.5) * 2.0**-32 * (high - low) + low

    def normal(self, *shape: int, device: torch.device | str = "cpu") -> Tensor:
        """float32 standard normal numbers, at most 6.3 from zero."""
        return _probit((self.words(*shape, device=device).double() + 0.5) * 2.0**-32).float()

    def integers(self, low: int, high: int, *shape: int, device: torch.device | str = "cpu") -> Tensor:
        """int64 from ``low`` up to, not including, ``high``; a range of at most 2**31."""
        return ((self.words(*shape, device=device) * (high - low)) >> 32) + low

    def permutation(self, count: int) -> Tensor:
        """``[count]`` int64: the numbers from 0 in random order; with row keys ``[B, count]``."""
        return torch.argsort(self.words(count), dim=-1, stable=True)


def _signed(key: int) -> int:
    key &= 2**64 - 1
    return key - 2**64 if key >= 2**63 else key


def _log(x: Tensor) -> Tensor:
    # torch.log rounds differently in a vector's body, in its tail and on a GPU; sums and products do not.
    mantissa, exponent = torch.frexp(x)
    ratio = (mantissa - 0.7071067811865476) / (mantissa + 0.7071067811865476)
    square = ratio * ratio
    series = torch.full_like(square, 1 / 13)
    for denominator in (11, 9, 7, 5, 3, 1):
        series = series * square + 1 / denominator
    return 2.0 * ratio * series + (exponent.double() - 0.5) * 0.6931471805599453


def _probit(p: Tensor) -> Tensor:
    """The normal quantile to seven figures: algorithm AS 241, PPND7 (Wichura 1988)."""
    q = p - 0.5
    r = 0.180625 - q * q
    centre = (((59.109374720 * r + 159.29113202) * r + 50.434271938) * r + 3.3871327179) / (
        ((67.187563600 * r + 78.757757664) * r + 17.895169469) * r + 1.0
    )
    tail = torch.sqrt(-_log(torch.minimum(p, 1.0 - p)))
    r = tail - 1.6
    near = (((0.17023821103 * r + 1.3067284816) * r + 2.7568153900) * r + 1.4234372777) / (
        (0.12021132975 * r + 0.73700164250) * r + 1.0
    )
    r = tail - 5.0
    far = (((0.017337203997 * r + 0.42868294337) * r + 3.0812263860) * r + 6.6579051150) / (
        (0.012258202635 * r + 0.24197894225) * r + 1.0
    )
    outer = torch.where(tail <= 5.0, near, far)
    return torch.where(q.abs() <= 0.425, q * centre, torch.where(q < 0, -outer, outer))
