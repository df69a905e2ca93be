"""Lanes back to pairs: means over the episodes, and what failed."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor

from aiga.data import Scores, Status
from aiga_local.blocks import Span, Work


def gather(work: Work, blocks: Sequence[tuple[Span, Scores]]) -> Scores:
    """Scores of pairs, on the host, from scores of lanes wherever they are.

    Means are taken in float64, episode by episode, so that their bits hang on nothing but the returns. A pair fails with the
    worst status of its episodes, and every number of it is NaN, but for the ``returns`` of episodes that went well.

    Args:
        work: what was asked.
        blocks: every lane once, in any order.
    """
    blocks = sorted(blocks, key=lambda block: block[0])
    near = Scores.on_host([scores for _, scores in blocks], work.pairs.agents)
    blocks = [(span, scores) for (span, _), scores in zip(blocks, near, strict=True)]
    pairs, episodes = len(work.pairs), work.episodes
    shape = (pairs, episodes)
    status, reasons, cost = _status(work, blocks)
    returns = _column(work, blocks, "fitness").double()
    wrong = (status == int(Status.OK)) & ~torch.isfinite(returns)
    status[wrong] = int(Status.NAN)
    for lane in torch.nonzero(wrong).flatten().tolist():
        reasons[lane] = f"{work.domain}: fitness {float(returns[lane])} in episode {lane % episodes}"
    returns = torch.where(status == int(Status.OK), returns, math.nan)

    worst, at = status.reshape(shape).max(dim=1)
    failed = worst != int(Status.OK)
    names = dict.fromkeys(name for _, scores in blocks for name in scores.columns)
    columns = {"fitness": _mean(returns.reshape(shape), failed)}
    for name in names:
        if name != "fitness":
            column = _column(work, blocks, name)
            columns[name] = _mean(column.reshape(*shape, *column.shape[1:]), failed)
    columns["returns"] = returns.reshape(shape)
    lanes = {row: row * episodes + int(at[row]) for row in torch.nonzero(failed).flatten().tolist()}
    for lane in lanes.values():
        reasons.setdefault(lane, f"{work.domain}: {Status(int(status[lane])).words}")
    return Scores(columns, worst, {row: reasons[lane] for row, lane in lanes.items()}, cost)


def _status(work: Work, blocks: Sequence[tuple[Span, Scores]]) -> tuple[Tensor, dict[int, str], dict[str, int]]:
    """``[P * E]`` status, reasons by lane, and the cost of all."""
    status = torch.full((len(work.lanes),), int(Status.ERROR))
    reasons: dict[int, str] = {}
    cost: Counter[str] = Counter()
    for (start, stop), scores in blocks:
        status[work.lanes[start:stop]] = scores.status
        reasons.update({int(work.lanes[start + row]): reason for row, reason in scores.reasons.items()})
        cost.update(scores.cost)
    return status, reasons, dict(cost)


def _column(work: Work, blocks: Sequence[tuple[Span, Scores]], name: str) -> Tensor:
    """``[P * E, ...]`` by lane, in the column's own floating type or float64; NaN where a block lacks it.

    Raises:
        ValueError: if two blocks disagree about the shape of a row.
    """
    held = [scores.columns[name] for _, scores in blocks if name in scores.columns]
    # A failed block has nothing but a fitness of its own; the type is that of the blocks that went well.
    like = next((s.columns[name] for _, s in blocks if name in s.columns and bool(s.ok.any())), held[0] if held else None)
    if like is None:
        return torch.empty(0, dtype=torch.float64)
    if len({column.shape[1:] for column in held}) > 1:
        shapes = sorted({str(list(column.shape[1:])) for column in held})
        raise ValueError(f"{work.domain}: rows of column {name!r} have shapes {' and '.join(shapes)}")
    dtype = like.dtype if like.is_floating_point() else torch.float64
    out = torch.full((len(work.lanes), *like.shape[1:]), math.nan, dtype=dtype)
    having = [span for span, scores in blocks if name in scores.columns]
    lanes = torch.cat([work.lanes[start:stop] for start, stop in having])
    out[lanes] = torch.cat([column.to(dtype) for column in held])
    return out


def _mean(column: Tensor, failed: Tensor) -> Tensor:
    """``[P, ...]`` means of ``[P, E, ...]`` in the column's own type, NaN where ``failed``."""
    total = column[:, 0].double()
    for episode in range(1, column.shape[1]):
        total = total + column[:, episode].double()
    mean = total / column.shape[1]
    mean[failed] = math.nan
    return mean.to(column.dtype)
