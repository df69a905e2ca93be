"""POET's options, and the two sets of values they are known by: the paper's and the reference code's."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from aiga import Options

PRESETS: dict[str, dict[str, Any]] = {
    "paper": {
        "minimal_criterion": (50.0, 300.0),
        "capacity": 20,
        "reproduce_every": 150,
        "children": 512,
        "admit": 3,
        "normalise": True,
    },
    "original-code": {
        "minimal_criterion": (25.0, 340.0),
        "capacity": 25,
        "reproduce_every": 200,
        "children": 8,
        "admit": 1,
        "normalise": False,
    },
}

# TOML knows arrays but no tuples.
Band = Annotated[tuple[float, float], Field(strict=False)]


class PoetOptions(Options):
    """Options of ``[plugins.poet.options]``; what is not given comes from the preset.

    Attributes:
        preset: values of ``minimal_criterion``, ``capacity``, ``reproduce_every``, ``children``, ``admit`` and ``normalise``:
            the paper's (arXiv 1901.01753) or those of the reference code, whose walker also had ``max_gap = 8``.
        minimal_criterion: lowest and highest score, both included, that a newcomer's agent may have.
        capacity: most active niches; past it the oldest retire.
        reproduce_every: iterations from one reproduction to the next.
        transfer_every: iterations from one round of transfers to the next.
        children: environments made at a reproduction.
        admit: most of them that may become niches.
        reproduce_above: lowest latest score with which a niche may be a parent.
        transfer: whether agents move between niches; false is the paper's ablation, in which a child keeps its parent's agent.
        episodes: lifetimes averaged in each score that POET asks for.
        novelty_k: nearest stepping stones that novelty is averaged over.
        normalise: measure each dimension of a description by its span; false as in the reference code.
        archive_check: also score newcomers against every agent that ever was, as ANNECS is defined; recorded, never steering.
        proposal_steps: optimiser steps of an agent in the environment it is proposed for.
    """

    preset: Literal["paper", "original-code"] = "paper"
    minimal_criterion: Band = PRESETS["paper"]["minimal_criterion"]
    capacity: int = Field(default=PRESETS["paper"]["capacity"], ge=1)
    reproduce_every: int = Field(default=PRESETS["paper"]["reproduce_every"], ge=1)
    transfer_every: int = Field(default=25, ge=1)
    children: int = Field(default=PRESETS["paper"]["children"], ge=1)
    admit: int = Field(default=PRESETS["paper"]["admit"], ge=1)
    reproduce_above: float = 200.0
    transfer: bool = True
    episodes: int = Field(default=5, ge=1)
    novelty_k: int = Field(default=5, ge=1)
    normalise: bool = PRESETS["paper"]["normalise"]
    archive_check: bool = False
    proposal_steps: int = Field(default=1, ge=1)

    @model_validator(mode="before")
    @classmethod
    def _from_preset(cls, given: Any) -> Any:
        preset = given.get("preset") if isinstance(given, dict) else None
        return {**PRESETS[preset], **given} if isinstance(preset, str) and preset in PRESETS else given

    @field_validator("minimal_criterion")
    @classmethod
    def _in_order(cls, band: tuple[float, float]) -> tuple[float, float]:
        low, high = band
        if low < high:
            return band
        remedy = f"[{high:g}, {low:g}]" if high < low else "[50, 300]"
        raise ValueError(f"lower bound {low:g} must be below upper bound {high:g}. Write {remedy}.")


def deviations(options: PoetOptions) -> list[str]:
    """Lines that say what ``options`` keeps of the paper, and by how much the rest is off."""
    paper, kept, off = PoetOptions(), [], []
    for name in PoetOptions.model_fields:
        mine, theirs = getattr(options, name), getattr(paper, name)
        if mine != theirs:
            off.append(f"{name} {_shown(mine)} (paper: {_shown(theirs)})")
        elif name in _RULES:
            kept.append(f"{name} {_shown(mine)}")
    lines = [f"as in the paper: {', '.join(kept)}"] if kept else []
    lines += [f"unlike the paper: {', '.join(off)}"] if off else []
    if options.preset == "original-code":
        lines.append("the original code's walker had pits of at most 8 cells too: max_gap = 8 in the walker's options")
    return [
        *lines,
        "beside the paper: a newcomer must meet the criterion, and a transfer must win, once more on fresh seeds",
    ]


def misfits(options: PoetOptions, solved: float) -> list[str]:
    """Lines on bounds that lie beyond the score at which the domain calls an environment solved."""
    low, known = options.minimal_criterion[0], f"in this domain a score of {solved:.4g} is solved"
    lines = []
    if low >= solved:
        lines.append(f"minimal_criterion {_shown(options.minimal_criterion)}: {known}, so only what is solved at birth gets in")
    if options.reproduce_above > solved:
        lines.append(
            f"reproduce_above {options.reproduce_above:g}: {known}, so nothing is invented before a niche is past that"
        )
    return [f"{line}. Write a lower one, such as {_below(solved):g}." for line in lines]


def _below(solved: float) -> float:
    return float(f"{solved - 0.5 * abs(solved):.2g}")


# Rules decide what may enter; they are named even where nothing differs.
_RULES = ("minimal_criterion", "reproduce_above", "novelty_k", "transfer")


def _shown(value: Any) -> str:
    return f"[{value[0]:g}, {value[1]:g}]" if isinstance(value, tuple) else str(value)
