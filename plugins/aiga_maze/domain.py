"""The domain ``maze``: mazes as genomes, lives of agents that must find, remember and find again a goal they cannot see."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor

from aiga import Batch, Contestant, InputError, Network, Pairs, Population, Report, Scores, Space, Stream, Trajectory
from aiga.lockstep import lockstep
from aiga_maze import genome, mazes, mutation
from aiga_maze.walks import ACTIONS, INPUTS, Ground, Walks, par


class MazeDomain:
    """Mazes and lives in them; implements :class:`aiga.Domain`.

    A life is spent in one maze with one goal. Reaching it pays 10 and puts the agent down at a random other free cell: who
    learns where the goal is, from the reward alone, collects more towards the end than at the beginning.

    Args:
        start: the maze to start from, by name.
        max_size: cells along a side of the largest maze; odd.
        max_steps: the longest life.
        wall_penalty: what a move into a wall costs.

    Raises:
        InputError: if no maze has that name, or it is too large or its lives too long.
    """

    version = genome.VERSION
    solved = 50.0
    inputs = Space((INPUTS,))
    outputs = Space((ACTIONS,), "discrete")
    names = mazes.NAMES
    parallelism: Literal["serial", "threads", "device"] = "device"

    def __init__(self, start: str = "L7", max_size: int = 15, max_steps: int = 250, wall_penalty: float = 0.0) -> None:
        self.steps, self.max_size, self.wall_penalty = max_steps, max_size, wall_penalty
        self._start = self.named(start)

    def initial(self, rng: Stream, count: int) -> Batch:
        """The maze to start from, ``count`` times."""
        return self._start.take(torch.zeros(count, dtype=torch.int64))

    def mutate(self, rng: Stream, parents: Batch) -> Batch:
        """One child for each row, see :func:`aiga_maze.mutation.mutate`."""
        return mutation.mutate(rng, parents, self.max_size, self.steps)

    def describe(self, envs: Batch) -> Tensor:
        """``[B, 10]`` float64, see :func:`aiga_maze.genome.describe`."""
        return genome.describe(envs)

    def distance(self, a: Batch, b: Batch) -> Tensor:
        """``[A, B]`` float64: Euclidean, over the descriptions."""
        return genome.distance(a, b)

    def named(self, name: str) -> Batch:
        """A maze of ``names``, one row.

        Raises:
            InputError: if there is none of that name, or it is larger or its lives longer than this domain's may be.
        """
        maze = mazes.maze_of(name)
        if maze.side > self.max_size:
            raise InputError(f"maze {name!r} has {maze.side} cells along a side, max_size is {self.max_size}: raise it")
        if maze.steps > self.steps:
            raise InputError(f"lives in maze {name!r} last {maze.steps} steps, max_steps is {self.steps}: raise it")
        return maze.row(self.max_size)

    def live(self, pairs: Pairs, network: Network, seeds: Tensor, record: bool = False) -> Scores | tuple[Scores, Trajectory]:
        """One life a pair; ``seeds`` fix the goal, where the agent is put down, and the draws of its actions.

        Returns:
            Scores with ``fitness``, the reward in percent of :func:`aiga_maze.walks.par`, so that mazes compare; ``reward``;
            ``goals``, how often the goal was reached; ``first_third`` and ``last_third``, reward of these parts of a life. The
            trajectory's extras are, beside ``logits`` and ``values``, ``cells`` after each step, ``reached`` and ``goal``: flat
            cells of the canvas.
        """
        agents, agent = pairs.agents_of_one_kind()
        envs, env = _one_canvas(pairs)
        ground = Ground(envs.to("cpu")).to(agents.device)
        walks = Walks(ground, env, int(envs.leaves["steps"].max()), self.wall_penalty)
        walks.begin(torch.arange(len(pairs)), seeds)
        world = _World(walks, par(walks))
        lengths = envs.leaves["steps"].cpu()[env]
        lived = lockstep(world, network, agents.leaves, agent, seeds, lengths, ACTIONS, record)
        goals, first, last = world.parts()
        columns = {"reward": lived.reward, "goals": goals, "first_third": first, "last_third": last}
        scores = lived.scores(100.0 * lived.reward / world.par, {"environment_steps": int(lengths.sum())}, **columns)
        return scores if lived.trajectory is None else (scores, lived.trajectory)

    def report(self, contestants: Mapping[str, Contestant], rng: Stream) -> Report:
        """How trained agents do in fresh lives of the maze to start from, see :func:`aiga_maze.report.report`."""
        from aiga_maze.report import report

        return report(self, self._start, contestants, rng)


class _World:
    """The walks of one call, and what was paid."""

    def __init__(self, walks: Walks, par: Tensor) -> None:
        self._walks, self.par = walks, par
        self._paid: list[Tensor] = []
        self._reached: list[Tensor] = []

    def observe(self, step: int, reward: Tensor, previous: Tensor) -> Tensor:
        return self._walks.observe(step, reward, previous)

    def act(self, step: int, action: Tensor) -> Tensor:
        reward = self._walks.act(step, action)
        self._paid.append(reward)
        self._reached.append(self._walks.reached)
        return reward

    def traces(self) -> dict[str, Tensor]:
        walks = self._walks
        return {"cells": walks.cell, "reached": walks.reached, "goal": walks.goal}

    def parts(self) -> tuple[Tensor, Tensor, Tensor]:
        """``[P]`` float64 each: how often the goal was reached, and the reward of the first and of the last third of a life."""
        steps, time = self._walks.steps, torch.arange(len(self._paid), device=self._walks.steps.device)[:, None]
        lived, paid = time < steps, torch.stack(self._paid).double()
        goals = (torch.stack(self._reached) & lived).sum(dim=0).double()
        parts = (3 * time < steps, (3 * time >= 2 * steps) & lived)
        first, last = (torch.where(part, paid, 0.0).cumsum(dim=0)[-1] for part in parts)
        return goals, first, last


def _one_canvas(pairs: Pairs) -> tuple[Batch, Tensor]:
    """The mazes that pairs name, each once, on one canvas, and ``[P]`` int64 which is each pair's."""
    used, env = torch.unique(pairs.env, return_inverse=True)
    envs, where = pairs.envs.take(used)
    canvas = max(batch.leaves["free"].shape[1] for batch in envs.batches)
    same = Population(tuple(genome.on_canvas(batch, canvas) for batch in envs.batches))
    joined, (moved,) = Population.join(same)
    return joined.batches[0], moved[where][env]
