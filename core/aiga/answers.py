"""Whether what a plugin answered can be used; asked inside the plugin's own call, so that a fault carries its name."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from aiga.components import Screened
from aiga.data import Offers, Pairs, Population, Scores, State, Verdict
from aiga.niches import Niches

Check = Callable[[Any], None]


def anything(answer: Any) -> None:
    """No answer is wrong."""


def check_proposals(pairs: Pairs) -> None:
    """Whether ``pairs`` fit together.

    Raises:
        TypeError, ValueError: saying what is wrong.
    """
    _is(pairs, Pairs)
    columns = {n: len(getattr(pairs, n)) for n in ("env", "agent", "env_parents", "agent_parents", "operator")}
    if len(set(columns.values())) > 1:
        raise ValueError(f"columns of unlike lengths: {columns}")
    _rows("env", pairs.env, len(pairs.envs))
    _rows("agent", pairs.agent, len(pairs.agents))


def check_verdict(count: int) -> Check:
    """The check of a verdict on ``count`` proposals."""

    def check(verdict: Verdict) -> None:
        _is(verdict, Verdict)
        lengths = {n: len(getattr(verdict, n)) for n in ("admit", "niche", "reason")}
        lengths |= {name: len(note) for name, note in verdict.notes.items()}
        if set(lengths.values()) != {count}:
            raise ValueError(f"a verdict on {count} proposals with columns of other lengths: {lengths}")
        json.dumps({name: list(note) for name, note in verdict.notes.items()})  # the journal keeps them
        keys = verdict.niche[verdict.admit]
        if len(torch.unique(keys)) < len(keys):
            raise ValueError("two rows are admitted to one niche")

    return check


def check_offers(niches: Niches) -> Check:
    """The check of offers to ``niches``."""

    def check(offers: Offers) -> None:
        _is(offers, Offers)
        lengths = {n: len(getattr(offers, n)) for n in ("agent", "niche", "operator", "claimed")}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"columns of unlike lengths: {lengths}")
        _rows("agent", offers.agent, len(offers.agents))
        lost = offers.niche[niches.rows(offers.niche) < 0]
        if len(lost):
            raise ValueError(f"an offer names niche {int(lost[0])}, which is not active")

    return check


def check_accepted(offers: Offers) -> Check:
    """The check of which ``offers`` were accepted."""

    def check(accepted: Tensor) -> None:
        if accepted.dtype != torch.bool or accepted.shape != (len(offers),):
            raise ValueError(f"a mask of {len(offers)} bools is wanted, found {accepted.dtype} {tuple(accepted.shape)}")
        niche = offers.niche[accepted.cpu()]
        if len(torch.unique(niche)) < len(niche):
            raise ValueError("two agents are accepted for one niche")

    return check


def check_scores(count: int) -> Check:
    """The check of scores of ``count`` pairs."""

    def check(scores: Scores) -> None:
        _is(scores, Scores)
        lengths = {"status": len(scores.status)} | {name: len(column) for name, column in scores.columns.items()}
        if "fitness" not in lengths or set(lengths.values()) != {count}:
            raise ValueError(f"scores of {count} pairs with columns of other lengths, or without fitness: {lengths}")

    return check


def check_improved(before: Population) -> Check:
    """The check that an optimiser gave every agent back, row for row and kind for kind."""

    def check(answer: tuple[Population, State]) -> None:
        found, wanted = ([(batch.kind, len(batch)) for batch in p.batches] for p in (answer[0], before))
        if found != wanted or any(batch.noise is not None for batch in answer[0].batches):
            raise ValueError("an optimiser gives back the agents it was given, explicit, row for row and kind for kind")

    return check


def check_screened(count: int) -> Check:
    """The check of what a screen made of ``count`` proposals."""

    def check(screened: Screened) -> None:
        _is(screened, Screened)
        check_proposals(screened.pairs)
        if len(screened.rejected) != len(screened.reasons):
            raise ValueError(f"{len(screened.rejected)} rows are rejected with {len(screened.reasons)} reasons")
        _rows("rejected", screened.rejected, count)

    return check


def check_metrics(metrics: Mapping[str, Any]) -> None:
    """Whether ``metrics`` are numbers by name.

    Raises:
        TypeError, ValueError: if not.
    """
    for name, value in metrics.items():
        if not isinstance(name, str):
            raise TypeError(f"the name of a metric is {name!r}")
        float(value)


def _is(answer: Any, wanted: type) -> None:
    if not isinstance(answer, wanted):
        raise TypeError(f"answers {type(answer).__name__} instead of {wanted.__name__}")


def _rows(name: str, rows: Tensor, count: int) -> None:
    if len(rows) and (int(rows.min()) < 0 or int(rows.max()) >= count):
        raise ValueError(f"{name} names rows outside a population of {count}")
