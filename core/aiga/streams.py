"""Counter-based random numbers: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).

A :class:`Stream` is a key, not a cursor: the same stream asked for the same shape answers the same numbers, on any device and
in chunks of any size, because only integer operations and correctly rounded floating-point ones are used. Derive a
stream for each thing that is drawn: ``lab.rng("mutate").child("gap").rows(child_keys)``.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from aiga.crossing import onto

_MASK = 0xFFFFFFFF
_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)
_ROUNDS = 10
_PIECE = 2**16  # numbers worked on at a time on a CPU: intermediate results then stay in its cache


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
        a = ((second >> 32).bitwise_and_(_MASK) ^ b).bitwise_xor_(low)
        c = ((first >> 32).bitwise_and_(_MASK) ^ d).bitwise_xor_(high)
        b, d = second.bitwise_and_(_MASK), first.bitwise_and_(_MASK)
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
        # A number without dimensions is at home on every device.
        out = mix((onto(out, word.device) if out.ndim and word.ndim else out) ^ mix(word))
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
        row_keys: ``[B]`` int64 on the host, or None. With them, every draw has a leading axis ``B``, and a row's numbers
            depend on its own key alone.
    """

    key: int
    row_keys: Tensor | None = None

    def child(self, *parts: int | str) -> Stream:
        """A stream of its own, named by ``parts``; row keys are kept."""
        return Stream(derive(self.key, *parts), self.row_keys)

    def rows(self, keys: Tensor) -> Stream:
        """The same stream with ``[B]`` int64 row keys: what each row concerns, never its position."""
        return Stream(self.key, keys.to(device="cpu", dtype=torch.int64))

    def each(self, count: int) -> Stream:
        """The same stream with ``count`` row keys: its own, or where it has none the rows' numbers.

        Raises:
            ValueError: if it has another number of row keys.
        """
        if self.row_keys is None:
            return self.rows(torch.arange(count))
        if len(self.row_keys) != count:
            raise ValueError(f"{count} rows asked for with {len(self.row_keys)} row keys")
        return self

    def words(self, *shape: int, device: torch.device | str = "cpu") -> Tensor:
        """int64 words of 32 random bits, of ``shape``, after a leading ``[B]`` where there are row keys."""
        return self._draw(lambda words: words, torch.int64, shape, device)

    def uniform(self, *shape: int, low: float = 0.0, high: float = 1.0, device: torch.device | str = "cpu") -> Tensor:
        """float64 in the open interval (``low``, ``high``)."""
        return (self.words(*shape, device=device).double() + 0.5) * 2.0**-32 * (high - low) + low

    def normal(self, *shape: int, device: torch.device | str = "cpu") -> Tensor:
        """float32 standard normal numbers, at most 6.34 from zero."""
        return self._draw(lambda words: _probit(words.double().add_(0.5).mul_(2.0**-32)), torch.float32, shape, device)

    def gumbel(self, *shape: int, device: torch.device | str = "cpu") -> Tensor:
        """float32 standard Gumbel numbers: ``argmax(logits + gumbel)`` draws from ``softmax(logits)``, bit-equal anywhere.

        A softmax and a cumulative sum would draw the same, but for roundings that hang on a row's place.
        """
        return self._draw(lambda words: _gumbel(words.double().add_(0.5).mul_(2.0**-32)), torch.float32, shape, device)

    def integers(self, low: int, high: int, *shape: int, device: torch.device | str = "cpu") -> Tensor:
        """int64 from ``low`` up to, not including, ``high``; a range of at most 2**31."""
        return ((self.words(*shape, device=device) * (high - low)) >> 32) + low

    def permutation(self, count: int) -> Tensor:
        """``[count]`` int64: the numbers from 0 in random order; with row keys ``[B, count]``."""
        return torch.argsort(self.words(count), dim=-1, stable=True)

    def _draw(
        self, finish: Callable[[Tensor], Tensor], dtype: torch.dtype, shape: tuple[int, ...], device: torch.device | str
    ) -> Tensor:
        """What ``finish`` makes of the words, element by element, in pieces that fit a processor's cache."""
        device = torch.device(device)
        keys = torch.zeros(1, dtype=torch.int64) if self.row_keys is None else self.row_keys
        keys, count = onto(keys, device), math.prod(shape)
        out = torch.empty(len(keys), count, dtype=dtype, device=device)
        for rows, columns in _pieces(len(keys), count, _PIECE if device.type == "cpu" else max(out.numel(), 1)):
            out[rows, columns] = finish(_words(self.key, keys[rows], columns, device))
        return out.reshape(shape if self.row_keys is None else (len(keys), *shape))


def _pieces(rows: int, columns: int, limit: int) -> Iterator[tuple[slice, slice]]:
    """Cuts ``[rows, columns]`` into pieces of up to ``limit`` numbers, a multiple of 4 where it is less than a row."""
    wide = min(max(columns, 1), limit)
    tall = limit // wide
    for row in range(0, rows, tall):
        for column in range(0, columns, wide):
            yield slice(row, min(row + tall, rows)), slice(column, min(column + wide, columns))


def _words(key: int, keys: Tensor, columns: slice, device: torch.device) -> Tensor:
    """``[len(keys), columns]`` words; ``columns`` starts at a multiple of 4."""
    blocks = torch.arange(columns.start // 4, (columns.stop + 3) // 4, dtype=torch.int64, device=device)
    counter = (keys[:, None] & _MASK, (keys[:, None] >> 32) & _MASK, blocks & _MASK, (blocks >> 32) & _MASK)
    out = torch.stack(philox(counter, key), dim=-1)
    return out.reshape(len(keys), -1)[:, : columns.stop - columns.start]


def _signed(key: int) -> int:
    key &= 2**64 - 1
    return key - 2**64 if key >= 2**63 else key


def _horner(x: Tensor, first: float, *rest: float) -> Tensor:
    """The polynomial in ``x`` with these coefficients, highest power first."""
    out = torch.full_like(x, first)
    for coefficient in rest:
        out.mul_(x).add_(coefficient)
    return out


def _log(x: Tensor) -> Tensor:
    # torch.log rounds differently in a vector's body, in its tail and on a GPU; sums and products do not.
    mantissa, exponent = torch.frexp(x)
    part = _log_of_ratio((mantissa - 0.7071067811865476).div_(mantissa + 0.7071067811865476))
    return part.add_(exponent.double().sub_(0.5).mul_(0.6931471805599453))


def _log_of_ratio(ratio: Tensor) -> Tensor:
    """``log((1 + ratio) / (1 - ratio))`` for ratios up to 0.18 from zero; it works in their memory."""
    series = _horner(ratio * ratio, 1 / 13, 1 / 11, 1 / 9, 1 / 7, 1 / 5, 1 / 3, 1.0)
    return ratio.mul_(2.0).mul_(series)


def _gumbel(p: Tensor) -> Tensor:
    """The Gumbel quantile, ``-log(-log(p))``."""
    # Near 1 a logarithm is the small difference of large numbers, unless it is taken of what is left to 1.
    waiting = torch.where(p > 0.75, _log_of_ratio((1.0 - p) / (1.0 + p)), _log(p).neg_())
    return _log(waiting).neg_()


def _probit(p: Tensor) -> Tensor:
    """The normal quantile to seven figures: algorithm AS 241, PPND7 (Wichura 1988)."""
    q = p - 0.5
    r = (q * q).neg_().add_(0.180625)
    numerator = _horner(r, 59.109374720, 159.29113202, 50.434271938, 3.3871327179)
    centre = numerator.div_(_horner(r, 67.187563600, 78.757757664, 17.895169469, 1.0)).mul_(q)
    outside = q.abs() > 0.425
    if p.device.type != "cpu":  # one pass over everything beats waiting for the number of outer elements
        return torch.where(outside, _outer(p), centre)
    rows = torch.nonzero(outside, as_tuple=True)
    centre[rows] = _outer(p[rows])
    return centre


def _outer(p: Tensor) -> Tensor:
    """The quantile of ``p`` further than 0.425 from a half."""
    tail = _log(torch.minimum(p, 1.0 - p)).neg_().sqrt_()
    r = tail - 1.6
    near = _horner(r, 0.17023821103, 1.3067284816, 2.7568153900, 1.4234372777)
    near.div_(_horner(r, 0.12021132975, 0.73700164250, 1.0))
    r = tail - 5.0
    far = _horner(r, 0.017337203997, 0.42868294337, 3.0812263860, 6.6579051150)
    far.div_(_horner(r, 0.012258202635, 0.24197894225, 1.0))
    outer = torch.where(tail <= 5.0, near, far)
    return torch.where(p < 0.5, -outer, outer)
