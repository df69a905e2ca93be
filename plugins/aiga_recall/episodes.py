"""Episodes of recall: patterns are shown in turn, then one of them in part, to be completed (Miconi et al. 2018)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import torch
from torch import Tensor

from aiga import Stream
from aiga.data import Leaves
from aiga_recall import genome

_PLACES: Final = 2**20  # more than there are numbers in a pattern


@dataclass(frozen=True)
class Episodes:
    """``P`` episodes of patterns of up to ``W`` numbers, in ``T`` steps, the longest one's.

    Attributes:
        observations: ``[T, P, W]`` float32, 0 where there is nothing to see and after an episode's end.
        target: ``[P, W]`` float32, the pattern that is probed; 0 beyond its bits.
        used: ``[P, W]`` bool, its bits.
        blanked: ``[P, W]`` bool, those of its bits that the probe does not show.
        length: ``[P]`` int64 steps.
    """

    observations: Tensor
    target: Tensor
    used: Tensor
    blanked: Tensor
    length: Tensor


class Source(Protocol):
    """Where patterns come from."""

    width: int

    def patterns(self, rng: Stream, leaves: Leaves, count: int) -> Tensor:
        """``[P, count, W]`` float32 patterns; ``rng`` has a row key for each episode."""
        ...

    def blanked(self, rng: Stream, leaves: Leaves) -> Tensor:
        """``[P, W]`` bool: what the probe does not show."""
        ...


class Binary:
    """Patterns of -1 and 1, as many of one as of the other; the probe blanks some at random.

    Args:
        width: the longest pattern.
    """

    def __init__(self, width: int) -> None:
        self.width = width

    def patterns(self, rng: Stream, leaves: Leaves, count: int) -> Tensor:
        """See :class:`Source`; of an odd number of bits one more is -1."""
        bits = leaves["bits"]
        # The first numbers of a stream do not hang on how many are drawn: on the longest list of patterns beside this one.
        drawn = rng.child("pattern").words(count, self.width, device=bits.device)
        return torch.where(_least(drawn, bits[:, None], bits[:, None] // 2), 1.0, -1.0)

    def blanked(self, rng: Stream, leaves: Leaves) -> Tensor:
        """See :class:`Source`."""
        bits = leaves["bits"]
        some = (leaves["blank"] * bits).round().long()
        return _least(rng.child("blank").words(self.width, device=bits.device), bits, some)


def episodes(rng: Stream, leaves: Leaves, source: Source) -> Episodes:
    """One episode for each of ``P`` tasks.

    Args:
        rng: with a row key for each episode.
        leaves: of the tasks, ``[P]`` each; on their device everything is drawn.
        source: where patterns come from.
    """
    device, count = leaves["bits"].device, len(leaves["bits"])
    most, width = int(leaves["patterns"].max()), source.width
    used = torch.arange(width, device=device) < leaves["bits"][:, None]
    patterns = torch.where(used[:, None], source.patterns(rng, leaves, most), 0.0)
    which = (rng.child("probe").words(device=device) * leaves["patterns"]) >> 32
    rows = torch.arange(count, device=device)
    target, blanked = patterns[rows, which], source.blanked(rng, leaves) & used
    begin, length = genome.shown(leaves), genome.length(leaves)
    time = torch.arange(int(length.max()), device=device)[:, None]
    pattern, visible = _presented(rng, leaves, time)
    shown = torch.where((visible & (time < begin))[:, :, None], patterns[rows, pattern], 0.0)
    probed = ((time >= begin) & (time < length))[:, :, None] & ~blanked
    return Episodes(torch.where(probed, target, shown), target, used, blanked, length)


def _presented(rng: Stream, leaves: Leaves, time: Tensor) -> tuple[Tensor, Tensor]:
    """``[T, P]`` each: the pattern whose turn it is, and whether it is shown or the gap after it is on."""
    slot = leaves["presentation"] + leaves["gap"]
    turn = time // slot
    cycle = (turn // leaves["patterns"]).clamp(max=leaves["cycles"] - 1)
    most = int(leaves["patterns"].max())
    drawn = rng.child("order").words(int(leaves["cycles"].max()), genome.MOST_PATTERNS, device=time.device)[:, :, :most]
    beyond = torch.arange(most, device=time.device) >= leaves["patterns"][:, None, None]
    order = (_distinct(drawn) + beyond * 2**60).argsort(dim=2)
    rows = torch.arange(len(slot), device=time.device)
    return order[rows, cycle, turn % leaves["patterns"]], time % slot < leaves["presentation"]


def _distinct(words: Tensor) -> Tensor:
    """``words`` ``[..., N]`` in an order that no two share."""
    return words * _PLACES + torch.arange(words.shape[-1], device=words.device)


def _least(words: Tensor, bits: Tensor, count: Tensor) -> Tensor:
    """``[..., W]`` bool: where the ``count`` least of the first ``bits`` of ``words`` are, whatever ties there are."""
    places = torch.arange(words.shape[-1], device=words.device)
    keys = torch.where(places < bits[..., None], _distinct(words), 2**60)
    bound = _sorted(keys).gather(-1, (count[..., None] - 1).clamp(min=0).expand(*keys.shape[:-1], 1))
    return (keys <= bound) & (count[..., None] > 0)


def _sorted(keys: Tensor) -> Tensor:
    if keys.device.type != "cpu":
        return keys.sort(dim=-1).values
    return torch.from_numpy(np.sort(keys.numpy(), axis=-1))  # many times faster than torch's own, which sorts places too
