"""Whether what a plugin answered can be used; asked inside the plugin's own call, so that a fault carries its name."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor

from aiga.components import Screened
from aiga.data import Batch, Offers, Pairs, Population, Scores, State, Verdict
from aiga.niches import Niches

Check = Callable[[Any], None]
T = TypeVar("T")

# Columns of an admission that the loop and the journal write themselves.
ADMITTED = ("env", "kind", "parents", "operator", "agent_parents", "by", "niche", "agent", "score", "episodes", "purpose")
_JOURNAL = ("id", "iteration", "type", "time")


def anything(answer: Any) -> None:
    """No answer is wrong."""


def something(answer: T | None) -> T:
    """The answer of a component that cannot do without one.

    Raises:
        TypeError: if it is None.
    """
    if answer is None:
        raise TypeError("answers nothing")
    return answer


def check_proposals(pairs: Pairs) -> None:
    """Whether ``pairs`` fit together.

    Raises:
        TypeError, ValueError: saying what is wrong.
    """
    _is(pairs, Pairs)
    _population("envs", pairs.envs)
    _population("agents", pairs.agents)
    _int64(env=pairs.env, agent=pairs.agent)
    _same_length(pairs, ("env", "agent", "env_parents", "agent_parents", "operator"))
    for name in ("env_parents", "agent_parents"):
        _tensor(name, getattr(pairs, name), torch.int64, (len(pairs.env), 2))
    _words("operator", pairs.operator)
    _rows("env", pairs.env, len(pairs.envs))
    _rows("agent", pairs.agent, len(pairs.agents))


def check_verdict(count: int, niches: Niches) -> Check:
    """The check of a verdict on ``count`` proposals while ``niches`` are active."""

    def check(verdict: Verdict) -> None:
        _is(verdict, Verdict)
        lengths = {n: len(getattr(verdict, n)) for n in ("admit", "niche", "reason")}
        lengths |= {name: len(note) for name, note in verdict.notes.items()}
        if set(lengths.values()) != {count}:
            raise ValueError(f"a verdict on {count} proposals with columns of other lengths: {lengths}")
        _tensor("admit", verdict.admit, torch.bool, (count,))
        _int64(niche=verdict.niche, retire=verdict.retire)
        _words("reason", verdict.reason)
        _notes(verdict.notes)
        keys = verdict.niche[verdict.admit]
        if len(torch.unique(keys)) < len(keys):
            raise ValueError("two rows are admitted to one niche")
        lost = verdict.retire[~torch.isin(verdict.retire, niches.key)]
        if len(lost):
            raise ValueError(f"retire names niche {int(lost[0])}, which is not active")

    return check


def check_offers(niches: Niches) -> Check:
    """The check of offers to ``niches``."""

    def check(offers: Offers) -> None:
        _is(offers, Offers)
        _population("agents", offers.agents)
        _int64(agent=offers.agent, niche=offers.niche)
        _same_length(offers, ("agent", "niche", "operator", "claimed"))
        _words("operator", offers.operator)
        _rows("agent", offers.agent, len(offers.agents))
        lost = offers.niche[niches.rows(offers.niche) < 0]
        if len(lost):
            raise ValueError(f"an offer names niche {int(lost[0])}, which is not active")

    return check


def check_accepted(offers: Offers) -> Check:
    """The check of which ``offers`` were accepted."""

    def check(accepted: Tensor) -> None:
        _tensor("the mask", accepted, torch.bool, (len(offers),))
        niche = offers.niche[accepted.cpu()]
        if len(torch.unique(niche)) < len(niche):
            raise ValueError("two agents are accepted for one niche")

    return check


def check_scores(count: int) -> Check:
    """The check of scores of ``count`` pairs."""

    def check(scores: Scores) -> None:
        _is(scores, Scores)
        columns = {"status": scores.status, **scores.columns}
        for name, column in columns.items():
            if not isinstance(column, Tensor):
                raise TypeError(f"column {name} is a {type(column).__name__}, not a tensor")
        lengths = {name: len(column) if column.ndim else 0 for name, column in columns.items()}
        if "fitness" not in lengths or set(lengths.values()) != {count}:
            raise ValueError(f"scores of {count} pairs with columns of other lengths, or without fitness: {lengths}")
        _tensor("status", scores.status, torch.int64, (count,))
        if scores.fitness.ndim != 1 or not scores.fitness.is_floating_point():
            raise ValueError(f"fitness is {scores.fitness.dtype} {tuple(scores.fitness.shape)}, not floats of ({count},)")
        for kind, amount in scores.cost.items():
            if not isinstance(kind, str) or type(amount) is not int or amount < 0:
                raise ValueError(f"cost counts work in whole numbers by kind, found {kind!r}: {amount!r}")

    return check


def check_state(agents: Population) -> Check:
    """The check that an optimiser's state has a row for each of ``agents``."""

    def check(state: State) -> None:
        if not isinstance(state, dict):
            raise TypeError(f"state is a {type(state).__name__}, not tensors by name, by kind of agents")
        for batch in agents.batches:
            for name, column in state.get(batch.kind.hash, {}).items():
                if not isinstance(column, Tensor) or not column.ndim or len(column) != len(batch):
                    raise ValueError(f"state {name!r} is no tensor with a row for each of {len(batch)} agents")

    return check


def check_improved(before: Population) -> Check:
    """The check that an optimiser gave every agent back, row for row and kind for kind, and a state."""

    def check(answer: tuple[Population, State]) -> None:
        if not isinstance(answer, tuple) or len(answer) != 2:
            raise TypeError("an optimiser gives back the agents and their state")
        _population("agents", answer[0])
        found, wanted = ([(batch.kind, len(batch)) for batch in p.batches] for p in (answer[0], before))
        if found != wanted or any(batch.noise is not None for batch in answer[0].batches):
            raise ValueError("an optimiser gives back the agents it was given, explicit, row for row and kind for kind")
        check_state(before)(answer[1])

    return check


def check_screened(count: int) -> Check:
    """The check of what a screen made of ``count`` proposals."""

    def check(screened: Screened) -> None:
        _is(screened, Screened)
        check_proposals(screened.pairs)
        _int64(rejected=screened.rejected)
        _words("reasons", screened.reasons)
        if len(screened.rejected) != len(screened.reasons):
            raise ValueError(f"{len(screened.rejected)} rows are rejected with {len(screened.reasons)} reasons")
        _rows("rejected", screened.rejected, count)

    return check


def check_metrics(metrics: Mapping[str, Any]) -> None:
    """Whether ``metrics`` are numbers by name.

    Raises:
        TypeError, ValueError: if not.
    """
    if not isinstance(metrics, Mapping):
        raise TypeError(f"metrics are numbers by name, found {metrics!r}")
    for name, value in metrics.items():
        try:
            number = isinstance(name, str) and float(value) is not None
        except (TypeError, ValueError) as error:
            raise TypeError(f"metric {name!r} is no number: {error}") from error
        if not number:
            raise TypeError(f"the name of a metric is {name!r}")


def check_batch(batch: Batch) -> None:
    """Whether rows can be kept: a kind that JSON can hold, and dense tensors of one length.

    Raises:
        TypeError, ValueError: if not.
    """
    _is(batch, Batch)
    try:
        json.dumps(batch.kind.structure)
    except (TypeError, ValueError) as error:
        raise TypeError(f"the structure of kind {batch.kind.component!r} is nothing that JSON can hold: {error}") from error
    if not batch.leaves:
        raise ValueError(f"a batch of {batch.kind.component!r} has no leaves")
    for name, leaf in batch.leaves.items():
        if not isinstance(leaf, Tensor) or leaf.layout != torch.strided or leaf.is_complex() or leaf.is_quantized:
            raise TypeError(f"leaf {name!r} of {batch.kind.component!r} is no dense, real tensor")
        if batch.noise is None and (not leaf.ndim or len(leaf) != len(batch.ids)):
            raise ValueError(f"leaf {name!r} of {batch.kind.component!r} has not a row for each of {len(batch.ids)} ids")


def check_layout(layout: Any) -> None:
    """Whether a network's layout gives the shapes of its leaves by name, of one leaf at least.

    Raises:
        TypeError: if not.
    """
    if not isinstance(layout, dict) or not layout:
        raise TypeError(f"a layout is the shapes of leaves by name, found {layout!r}")
    for name, shape in layout.items():
        if not isinstance(name, str) or not isinstance(shape, tuple) or not all(type(size) is int for size in shape):
            raise TypeError(f"a layout is the shapes of leaves by name, found {name!r}: {shape!r}")


def check_leaves(layout: Mapping[str, tuple[int, ...]], count: int) -> Check:
    """The check of ``count`` agents that a network made to a layout."""

    def check(leaves: Any) -> None:
        found = {n: tuple(leaf.shape) for n, leaf in leaves.items()} if isinstance(leaves, dict) else leaves
        wanted = {name: (count, *shape) for name, shape in layout.items()}
        if found != wanted:
            raise ValueError(f"leaves of {count} agents should have the shapes {wanted}, found {found}")

    return check


def _is(answer: Any, wanted: type) -> None:
    if not isinstance(answer, wanted):
        raise TypeError(f"answers {type(answer).__name__} instead of {wanted.__name__}")


def _population(name: str, population: Any) -> None:
    if not isinstance(population, Population):
        raise TypeError(f"{name} is a {type(population).__name__}, not a Population")
    for batch in population.batches:
        check_batch(batch)


def _tensor(name: str, found: Any, dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    if not isinstance(found, Tensor) or found.dtype != dtype or tuple(found.shape) != shape:
        what = f"{found.dtype} {tuple(found.shape)}" if isinstance(found, Tensor) else type(found).__name__
        raise TypeError(f"{name} should be a tensor of {dtype} {shape}, found {what}")


def _int64(**columns: Any) -> None:
    for name, found in columns.items():
        _tensor(name, found, torch.int64, (found.numel(),) if isinstance(found, Tensor) else (0,))


def _same_length(answer: Any, names: Sequence[str]) -> None:
    lengths = {name: len(getattr(answer, name)) for name in names}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"columns of unlike lengths: {lengths}")


def _words(name: str, words: Iterable[Any]) -> None:
    other = next((word for word in words if not isinstance(word, str)), None)
    if other is not None or isinstance(words, str):
        raise TypeError(f"{name} should be words, found {other if other is not None else words!r}")


def _notes(notes: Mapping[str, Sequence[Any]]) -> None:
    for name, note in notes.items():
        if not isinstance(name, str):
            raise TypeError(f"the name of a note is {name!r}, not a word")
        if name in ADMITTED or name in _JOURNAL:
            raise ValueError(f"aiga itself writes {name!r} of an admission; give the note another name")
        json.dumps(list(note))  # the journal keeps it


def _rows(name: str, rows: Tensor, count: int) -> None:
    if len(rows) and (int(rows.min()) < 0 or int(rows.max()) >= count):
        raise ValueError(f"{name} names rows outside a population of {count}")
