"""Names of leaves: ``part.tag.role``, the tag saying how to compute, so that a step reads the architecture off its leaves."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from aiga.data import Leaves


class Plan(NamedTuple):
    """What the names of leaves say.

    Attributes:
        tags: by part, such as ``{"core": "additive", "trace": "decay"}``.
        roles: ``part.role`` of each name.
    """

    tags: dict[str, str]
    roles: dict[str, str]


def name(part: str, tag: str, role: str) -> str:
    """Of a leaf."""
    return f"{part}.{tag}.{role}" if tag else f"{part}.{role}"


def read(leaves: Leaves) -> tuple[dict[str, str], Leaves]:
    """The tags by part, and the leaves by ``part.role``."""
    plan = _plan(tuple(leaves))
    return plan.tags, {plan.roles[each]: leaf for each, leaf in leaves.items()}


def role(leaf: str) -> str:
    """``part.role`` of a leaf's name."""
    return _plan((leaf,)).roles[leaf]


@lru_cache(maxsize=256)
def _plan(names: tuple[str, ...]) -> Plan:
    plan = Plan({}, {})
    for each in names:
        part, _, rest = each.partition(".")
        tag, _, last = rest.rpartition(".")
        plan.roles[each] = f"{part}.{last}"
        if tag:
            plan.tags[part] = tag
    return plan
