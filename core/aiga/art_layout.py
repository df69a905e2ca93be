"""Where each environment stands on the phylogeny: which are shown, under whom, in which row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aiga.art_story import Life, Story

MOST = 60  # environments on one poster: more cannot be read


@dataclass(frozen=True)
class Place:
    """A row of the poster.

    Attributes:
        row: from 0 at the top.
        parent: the nearest shown environment it came of; None for a root.
        direct: whether that is its parent itself, and not one further back.
    """

    row: int
    parent: int | None
    direct: bool


def choose(story: Story, most: int = MOST) -> list[int]:
    """Which environments to show, in order of admission.

    Where they are more than ``most``: those active, then the founders of the most prolific lineages, then the newest.
    """
    descendants = _descendants(story.lives)
    order = sorted(
        story.lives.values(),
        key=lambda life: (
            life.retired is not None,
            -descendants[life.env] if life.retired is not None else 0,
            -life.born,
            -life.env,
        ),
    )
    chosen = {life.env for life in order[:most]}
    return [env for env in story.lives if env in chosen]


def _descendants(lives: Mapping[int, Life]) -> dict[int, int]:
    """How many environments came of each, over any number of generations, first parents alone."""
    out = dict.fromkeys(lives, 0)
    for env in reversed(list(lives)):
        parent = _parent(lives, env)
        if parent is not None:
            out[parent] += out[env] + 1
    return out


def _parent(lives: Mapping[int, Life], env: int) -> int | None:
    # Ids grow with time: whatever a journal says, nothing comes of itself or of what came later.
    return next((parent for parent in lives[env].parents if parent in lives and parent < env), None)


def places(story: Story, shown: Sequence[int]) -> dict[int, Place]:
    """A row for each shown environment, depth first.

    Of one parent's children the latest comes first. The line to an earlier one then passes it before its life began, so that no
    line of descent crosses a life.
    """
    lives, visible = story.lives, set(shown)
    parents: dict[int, tuple[int | None, bool]] = {}
    children: dict[int | None, list[int]] = {}
    for env in shown:
        parent, direct = _parent(lives, env), True
        while parent is not None and parent not in visible:
            parent, direct = _parent(lives, parent), False
        parents[env] = (parent, direct)
        children.setdefault(parent, []).append(env)
    rows: dict[int, Place] = {}
    # Founders stand in order of admission; a stack hands out the last of a list first.
    waiting = sorted(children.get(None, []), key=lambda env: (-lives[env].born, -env))
    while waiting:
        env = waiting.pop()
        rows[env] = Place(len(rows), *parents[env])
        waiting += sorted(children.get(env, []), key=lambda child: (lives[child].born, child))
    return rows
