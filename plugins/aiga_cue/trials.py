"""What ``P`` lives of cue-reward association are shown, drawn at birth: every random number hangs on a life's seed.

A trial is a blank, half of the life's cues among up to ``blanks`` blank steps in random order, a question and a blank: was the
target among the cues? One of a life's cues is its target, and nothing but the reward says which.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from aiga import Batch, Stream
from aiga.crossing import onto
from aiga.streams import derive
from aiga_cue.genome import MOST_BLANKS, MOST_CUES

_CHANCE: Final = Stream(derive("cue", "life", 1))
_POOL: Final = Stream(derive("cue", "pool", 1))
_MOST_POOL: Final = 16
_SHORTEST: Final = 4  # steps of a trial
_SLOTS: Final = MOST_CUES // 2 + MOST_BLANKS
_LATE: Final = 2**32  # after every word


@dataclass(frozen=True)
class Trials:
    """The trials of ``P`` lives of up to ``T`` steps.

    Attributes:
        shown: ``[T, P, bits]`` float32, the bits of the cue, 1 or -1; 0 in blank steps and for bits that a cue has not.
        asked: ``[T, P]`` bool: the question.
        answer: ``[T, P]`` int64: what is right to answer it, 1 for yes.
    """

    shown: Tensor
    asked: Tensor
    answer: Tensor


def trials(envs: Batch, env: Tensor, seeds: Tensor, steps: int, bits: int) -> Trials:
    """The trials of ``P`` lives, on the device of ``envs``.

    Args:
        envs: tasks.
        env: ``[P]`` int64, the task of each life.
        seeds: ``[P]`` int64.
        steps: of the longest life.
        bits: of the largest cue there is room for.
    """
    device = envs.device
    task = {name: leaf[onto(env, device)] for name, leaf in envs.leaves.items()}
    which, asked, answer = _schedule(task, _CHANCE.rows(seeds), steps)
    codes = _codes(task, _CHANCE.rows(seeds))
    line = torch.arange(bits, device=device)
    signs = ((codes[:, :, None] >> line) & 1).float() * 2.0 - 1.0
    signs = torch.where(line < task["bits"][:, None, None], signs, 0.0)
    signs = torch.nn.functional.pad(signs, (0, 0, 0, 1))  # the last is a blank
    shown = signs.gather(1, torch.where(which < 0, MOST_CUES, which)[:, :, None].expand(-1, -1, bits))
    return Trials(shown.transpose(0, 1).contiguous(), asked.T.contiguous(), answer.T.contiguous())


def _schedule(task: dict[str, Tensor], chance: Stream, steps: int) -> tuple[Tensor, Tensor, Tensor]:
    """``[P, T]`` each: which cue is shown, -1 for none; whether there is a question; whether cue 0, the target, was shown."""
    cues, half, device = task["cues"][:, None, None], task["cues"][:, None] // 2, task["cues"].device
    lives, count = len(task["cues"]), -(-steps // _SHORTEST)
    blanks = (chance.child("blanks").words(count, device=device) * (task["blanks"][:, None] + 1)) >> 32
    slots, line = half + blanks, torch.arange(_SLOTS, device=device)
    order = chance.child("order").words(count, _SLOTS, device=device)
    place = torch.argsort(torch.where(line < slots[:, :, None], order, _LATE), dim=2, stable=True)
    line = torch.arange(MOST_CUES, device=device)
    order = chance.child("cues").words(count, MOST_CUES, device=device)
    cue = torch.argsort(torch.where(line < cues, order, _LATE), dim=2, stable=True)[:, :, : MOST_CUES // 2]
    shown = line[: MOST_CUES // 2] < half[:, :, None]
    length = slots + 3
    start = length.cumsum(dim=1) - length

    def at(time: Tensor, values: Tensor, otherwise: int) -> Tensor:
        out = torch.full((lives, steps + 1), otherwise, dtype=torch.int64, device=device)
        return out.scatter_(1, time.clamp(max=steps).flatten(1), values.flatten(1))[:, :steps]

    when = torch.where(shown, start[:, :, None] + 1 + place[:, :, : MOST_CUES // 2], steps)
    question = start + slots + 1
    right = (shown & (cue == 0)).any(dim=2).to(torch.int64)
    return at(when, cue, -1), at(question, torch.ones_like(question), 0).bool(), at(question, right, 0)


def _codes(task: dict[str, Tensor], chance: Stream) -> Tensor:
    """``[P, MOST_CUES]`` int64: the bits of each cue as a number; no two cues of a life are the same."""
    device, space = task["bits"].device, 2 ** task["bits"]
    fresh = distinct(chance.child("bits").words(MOST_CUES, device=device), space)
    pool = distinct(_POOL.rows(task["seed"]).words(_MOST_POOL, device=device), space)
    order = chance.child("pool").words(_MOST_POOL, device=device)
    line = torch.arange(_MOST_POOL, device=device)
    drawn = torch.argsort(torch.where(line < task["pool"][:, None], order, _LATE), dim=1, stable=True)[:, :MOST_CUES]
    return torch.where(task["pool"][:, None] > 0, pool.gather(1, drawn), fresh)


def distinct(words: Tensor, space: Tensor) -> Tensor:
    """``[R, K]`` int64 numbers below ``space`` ``[R]``, no two of a row the same, of 32-bit ``words`` ``[R, K]``.

    Where ``space`` is less than ``K``, only the first ``space`` numbers are distinct.
    """
    found = torch.empty_like(words)
    for number in range(words.shape[1]):
        drawn = (words[:, number] * (space - number).clamp(min=1)) >> 32
        for taken in found[:, :number].sort(dim=1).values.unbind(dim=1):
            drawn = drawn + (drawn >= taken)
        found[:, number] = drawn
    return found
