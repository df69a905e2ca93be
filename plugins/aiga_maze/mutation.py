"""How mazes change: larger or smaller, a few walls moved, another rule for the goal, a longer or shorter life.

Whatever changes, every free cell can be walked to from the start, the farthest goal can be reached within half a life, and
there are a few goals to choose from: of a single one agents would be born knowing where it is, and lives would teach nothing.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from aiga import Batch, Stream
from aiga.data import Leaves
from aiga_maze.genome import ANYWHERE, SMALLEST, goals, start
from aiga_maze.grid import FAR, connected, count, distances, inside, nth, shifted

LEAST_FREE: Final = 5  # free cells of a maze, the start among them
LEAST_GOALS: Final = LEAST_FREE - 1  # cells where the goal may be
LEAST_STEPS: Final = 20
_ATTEMPTS: Final = 24  # walls tried to be moved
_GENES: Final = ("size", "walls", "goal", "steps")


def mutate(rng: Stream, parents: Batch, max_size: int, max_steps: int) -> Batch:
    """One child for each of ``B`` parents: every gene changes with a chance of a half, and one at least.

    Args:
        rng: with a row key for each child; without, rows are keyed by their position.
        parents: mazes.
        max_size: greatest number of cells along a side; at most the parents' canvas.
        max_steps: longest life.
    """
    rng = rng.each(len(parents))
    device = parents.device
    chosen = rng.child("which").uniform(len(_GENES), device=device) < 0.5
    sure = rng.child("sure").integers(0, len(_GENES), device=device)
    changes = dict(zip(_GENES, (chosen | torch.nn.functional.one_hot(sure, len(_GENES)).bool()).unbind(dim=1), strict=True))
    size, free = _resized(rng.child("size"), parents, changes["size"], max_size)
    child = Batch.of(parents.kind, {**parents.leaves, "size": size, "free": free})
    free = _moved_walls(rng.child("walls"), child, changes["walls"])
    child = Batch.of(parents.kind, {**child.leaves, "free": free})
    walk = distances(free, start(child))
    farthest = torch.where(walk < FAR, walk, 0).flatten(1).amax(dim=1).to(torch.int64)
    steps = child.leaves["steps"] + torch.where(changes["steps"], _length(rng.child("steps"), device), 0)
    goal = _goal(rng.child("goal"), child.leaves["goal"], farthest, changes["goal"])
    child = Batch.of(parents.kind, _reachable({**child.leaves, "goal": goal, "steps": steps}, farthest, max_steps))
    enough = (count(goals(child)[0]) >= LEAST_GOALS)[:, None]
    goal = torch.where(enough, child.leaves["goal"], torch.tensor(ANYWHERE, device=device))
    return Batch.of(parents.kind, _reachable({**child.leaves, "goal": goal}, farthest, max_steps))


def _resized(rng: Stream, parents: Batch, change: Tensor, max_size: int) -> tuple[Tensor, Tensor]:
    """``[B]`` sizes and ``[B, M, M]`` free cells of mazes that lost their outermost cells, or got new ones all around."""
    size, free = parents.leaves["size"], parents.leaves["free"]
    canvas = free.shape[1]
    grows = rng.uniform(device=size.device) < 0.5
    grows = torch.where(size <= SMALLEST, True, torch.where(size + 2 > min(max_size, canvas), False, grows))
    new = torch.where(grows, size + 2, size - 2)
    ring = inside(new, canvas, 1) & ~inside(new, canvas, 2)
    wide, narrow = shifted(free, -1, -1) | ring, shifted(free, 1, 1) & inside(new, canvas)
    cells = torch.where(grows[:, None, None], wide, narrow)
    sized = Batch.of(parents.kind, {**parents.leaves, "size": new, "free": cells})
    # What can no longer be walked to becomes wall.
    cells = distances(cells, start(sized)) < FAR
    able = change & (new >= SMALLEST) & (new <= min(max_size, canvas)) & (count(cells) >= LEAST_FREE)
    return torch.where(able, new, size), torch.where(able[:, None, None], cells, free)


def _moved_walls(rng: Stream, mazes: Batch, change: Tensor) -> Tensor:
    """``[B, M, M]`` free cells after one to half a side's cells became wall or ceased to be; none that cuts a maze in two."""
    size, free = mazes.leaves["size"], mazes.leaves["free"]
    canvas = free.shape[1]
    able = inside(size, canvas) & ~start(mazes)
    wanted = torch.where(change, 1 + ((rng.child("count").words(device=size.device) * (size // 2)) >> 32), 0)
    draws = (rng.child("where").words(_ATTEMPTS, device=size.device) * count(able)[:, None]) >> 32
    picks, line = nth(able, draws), torch.arange(canvas * canvas, device=size.device)
    for attempt in range(_ATTEMPTS):
        if not bool((wanted > 0).any()):
            break
        tried = free ^ (line == picks[:, attempt, None]).reshape(free.shape)
        good = (wanted > 0) & (count(tried) >= LEAST_FREE) & connected(tried)
        free, wanted = torch.where(good[:, None, None], tried, free), wanted - good.to(torch.int64)
    return free


def _goal(rng: Stream, goal: Tensor, farthest: Tensor, change: Tensor) -> Tensor:
    """``[B, 2]`` least and greatest walks to the goal, each up to two steps further or nearer."""
    move = rng.integers(-2, 3, 2, device=goal.device) * change[:, None]
    near = torch.minimum((goal[:, 0] + move[:, 0]).clamp(min=1), farthest)
    far = torch.maximum(torch.minimum(goal[:, 1], farthest) + move[:, 1], near)
    anywhere = far >= farthest  # as far as the maze goes, however large it becomes
    return torch.stack([near, torch.where(anywhere, FAR - 1, far)], dim=1)


def _length(rng: Stream, device: torch.device) -> Tensor:
    by = torch.tensor([-20, -10, 10, 20], device=device)
    return by[rng.integers(0, 4, device=device)]


def _reachable(leaves: Leaves, farthest: Tensor, max_steps: int) -> Leaves:
    """Lives long enough for the farthest goal, or goals near enough for the longest life."""
    far = torch.minimum(leaves["goal"][:, 1], farthest)
    near_enough = max(1, max_steps // 2)
    far_stored = torch.where(far > near_enough, near_enough, leaves["goal"][:, 1])
    near = leaves["goal"][:, 0].clamp(max=near_enough)
    needed = (2 * far).clamp(min=LEAST_STEPS, max=max_steps)
    steps = torch.maximum(leaves["steps"], needed).clamp(max=max_steps)
    return {**leaves, "goal": torch.stack([near, far_stored], dim=1), "steps": steps}
