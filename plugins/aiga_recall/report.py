"""What is compared of trained agents: errors of recall, as they are and with the traces of other episodes, and pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

import torch
from torch import Tensor

from aiga import Batch, Contestant, Report, Stream
from aiga.components import Life
from aiga.plots import gallery
from aiga_recall import genome
from aiga_recall.draw import tile
from aiga_recall.episodes import Episodes, Source, episodes
from aiga_recall.lives import answers, errors

EPISODES: Final = 1000  # of each agent
WIDE, FEW = 256, 100  # episodes where patterns are longer than so many numbers: an hour would not do for all
PICTURES: Final = 5
_NUMBERS: Final = 2**24  # of lives and leaves at once


class Tested(NamedTuple):
    """What ``A`` agents did in ``E`` episodes, the same for each: ``error`` ``[A, E]``, and ``answers`` ``[A, E, W]``."""

    error: Tensor
    answers: Tensor


def report(contestants: Mapping[str, Contestant], rng: Stream, task: Batch, source: Source, signs: bool) -> Report:
    """Errors in per cent, and what is recalled.

    Where a network names ``traces``, they are also taken from the agent's next episode
    just before the probe: what was remembered in them is then of other patterns, and an error like chance says that nothing
    else remembers.

    Args:
        contestants: by name.
        rng: of the episodes.
        task: one.
        source: where patterns come from.
        signs: how an error is measured; see :func:`aiga_recall.lives.errors`.
    """
    count = EPISODES if source.width <= WIDE else FEW
    rows, recalled = dict[str, dict[str, tuple[float, ...]]](), dict[str, Tensor]()
    for name, each in contestants.items():
        found = trial(each, rng, task, source, signs, count)
        own = found.error.mean(dim=1)
        rows[name] = {"error %": _percent(own)}
        if traces(each):
            swapped = trial(each, rng, task, source, signs, count, swap=True)
            rows[name]["traces swapped, error %"] = _percent(swapped.error.mean(dim=1))
        rows[name]["parameters"] = (float(each.parameters),)
        middle = own.argsort()[len(own) // 2]
        recalled[name] = found.answers[middle, :PICTURES]
    chance = 50.0 * float(task.leaves["blank"][0]) if signs else 100.0
    rows["chance" if signs else "nothing answered"] = {"error %": (chance,)}
    shown = _shown(rng, task, source, torch.arange(count)[:PICTURES])
    pictures = {"pattern": shown.target, "probe": torch.where(shown.blanked, 0.0, shown.target), **recalled}
    bits = int(task.leaves["bits"][0])
    columns = {name: [tile(each[:bits].cpu()) for each in tensors] for name, tensors in pictures.items()}
    what = "bits with a wrong sign" if signs else "squared difference left of the part that is not shown"
    notes = (
        f"{what}, in {count:,} episodes that none was trained on, the same for every agent"
        + ("" if signs else "; of images kept for testing"),
        "traces swapped: those of another episode are put in before the probe",
    )
    title = f"recall of {int(task.leaves['patterns'][0])} patterns of {bits} numbers, a part of one shown again"
    return Report(title, rows, {"recall": gallery(columns)}, notes)


def trial(each: Contestant, rng: Stream, task: Batch, source: Source, signs: bool, count: int, swap: bool = False) -> Tested:
    """What a contestant's agents do in ``count`` episodes; with ``swap`` each has the traces of the agent's next one at the
    probe.
    """
    agents, leaves = len(each.agents), each.agents.leaves
    size = sum(part[0].numel() for part in (*leaves.values(), *each.network.newborn(leaves).values()))
    some = min(count, max(2, _NUMBERS // (agents * size)))
    found = []
    for keys in torch.split(torch.arange(count), some):
        row = torch.arange(agents).repeat_interleave(len(keys)).to(each.agents.device)
        shown = _shown(rng, task, source, keys.repeat(agents), each.agents.device)
        before = _swapping(int(genome.shown(task.leaves)[0]), agents, traces(each)) if swap else None
        *_, answer = answers({name: leaf[row] for name, leaf in leaves.items()}, each.network, shown, before)
        error = errors(answer, shown, signs).cpu()
        found.append((error.reshape(agents, -1), answer.cpu().reshape(agents, len(keys), -1)))
    error, answer = (torch.cat(parts, dim=1) for parts in zip(*found, strict=True))
    return Tested(error, answer)


def traces(each: Contestant) -> tuple[str, ...]:
    """The parts of its lives that hold what was learnt in them."""
    return tuple(getattr(each.network, "traces", ()))


def _swapping(probe: int, agents: int, parts: tuple[str, ...]) -> Callable[[int, Life], Life]:
    def before(step: int, life: Life) -> Life:
        if step != probe:
            return life
        return {name: _next(part, agents) if name in parts else part for name, part in life.items()}

    return before


def _next(part: Tensor, agents: int) -> Tensor:
    return part.reshape(agents, -1, *part.shape[1:]).roll(-1, dims=1).reshape(part.shape)


def _shown(rng: Stream, task: Batch, source: Source, keys: Tensor, device: torch.device | str = "cpu") -> Episodes:
    leaves = {name: leaf.to(device).expand(len(keys)) for name, leaf in task.leaves.items()}
    return episodes(rng.child("episode").rows(keys), leaves, source)


def _percent(error: Tensor) -> tuple[float, ...]:
    return tuple((100.0 * error).tolist())
