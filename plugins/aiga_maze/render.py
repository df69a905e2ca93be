"""What the maze's plugin draws: mazes from above, a life as its paths, a life as an animation."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from aiga import Batch, Subject, Trajectory
from aiga_maze import genome
from aiga_maze.draw import Cell, Plan

MOST_FRAMES: Final = 400


def render(subject: Subject) -> Any:
    """Draws ``subject``; None where it is not a maze's, or a trajectory is missing."""
    batches = subject.envs.batches
    if not batches or any(batch.kind.component != "maze" for batch in batches):
        return None
    if subject.what == "environments":
        return [plan.empty() for batch in batches for plan in plans(batch, subject.caption)]
    if subject.trajectory is None or "cells" not in subject.trajectory.extras:
        return None
    first = batches[0].take(batches[0].ids.new_zeros(1))
    (plan,) = plans(first, subject.caption, side=360)
    goal, walks = walks_of(subject.trajectory, first)
    if subject.what == "lifetime":
        return plan.paths(goal, walks)
    if subject.what == "animation":
        return animation(plan, goal, walks)
    return None


def plans(mazes: Batch, caption: str, side: int = 240) -> list[Plan]:
    """One for each maze."""
    mazes = mazes.to("cpu")
    maybe, _ = genome.goals(mazes)
    sizes = mazes.leaves["size"].tolist()
    grids = zip(mazes.leaves["free"].numpy(), maybe.numpy(), sizes, strict=True)
    return [Plan(free[:size, :size], some[:size, :size], side, caption) for free, some, size in grids]


def walks_of(trajectory: Trajectory, maze: Batch) -> tuple[Cell, list[list[Cell]]]:
    """The goal, and the cells of each walk from where the agent was put down: of the first row, up to the end of its life."""
    canvas, size = maze.leaves["free"].shape[1], int(maze.leaves["size"][0])
    length = min(len(trajectory.rewards), int(maze.leaves["steps"][0]))
    cells = [divmod(cell, canvas) for cell in trajectory.extras["cells"][:length, 0].tolist()]
    reached = trajectory.extras["reached"][:length, 0].tolist()
    goal = divmod(int(trajectory.extras["goal"][0, 0]), canvas)
    walks: list[list[Cell]] = [[(size // 2, size // 2)]]
    for cell, there in zip(cells, reached, strict=True):
        if there:
            walks[-1].append(goal)
            walks.append([cell])
        else:
            walks[-1].append(cell)
    return goal, walks


def animation(plan: Plan, goal: Cell, walks: list[list[Cell]]) -> NDArray[np.uint8]:
    """``[N, H, W, 3]``: a frame a step, of a life of more than 400 steps fewer, and always the last one."""
    moments = [(cell, walk[: place + 1], number) for number, walk in enumerate(walks) for place, cell in enumerate(walk)]
    stride = -(-len(moments) // MOST_FRAMES)
    chosen = [*moments[:-1:stride], moments[-1]]
    return np.stack([plan.frame(cell, goal, track, f"{10 * number}") for cell, track, number in chosen])
