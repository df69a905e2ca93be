"""The domain ``cartpole``: a cart is pushed to the left or to the right so that its pole does not fall."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Final, Literal

import torch
from torch import Tensor

from aiga import Batch, Contestant, InputError, Network, Pairs, Population, Report, Scores, Space, Stream, Trajectory
from aiga.crossing import onto
from aiga.lockstep import lockstep
from aiga_cartpole import genome
from aiga_cartpole.carts import Carts, born

Actions = Literal["sampled", "greedy"]
PUSHES: Final = 2  # to the left and to the right
SEEN: Final = 4
_SOLVED: Final = 0.975  # of the longest life: 195 steps of 200


class CartPoleDomain:
    """Carts with poles and lives with them; implements :class:`aiga.Domain`.

    Every step pays 1. A life is over with the step in which the pole leans more than 12 degrees or the cart leaves its track,
    and at the latest after ``steps``.

    Args:
        start: the environment to start from, by name.
        steps: the longest life: 500 as in Gymnasium's ``CartPole-v1``, 200 as in ``v0``.
        actions: ``sampled`` from the network's logits, or ``greedy``, the one with the greater logit.
        sigma: standard deviation of a mutated gene's change, in doublings.

    Raises:
        InputError: if no environment has that name.
    """

    version = genome.VERSION
    inputs = Space((SEEN,))
    outputs = Space((PUSHES,), "discrete")
    names = tuple(genome.NAMED)
    parallelism: Literal["serial", "threads", "device"] = "device"

    def __init__(self, start: str = genome.PLAIN, steps: int = 500, actions: Actions = "sampled", sigma: float = 0.5) -> None:
        self.steps, self.actions, self.sigma = steps, actions, sigma
        self.solved = _SOLVED * steps
        self._start = self.named(start)

    def initial(self, rng: Stream, count: int) -> Batch:
        """The environment to start from, ``count`` times."""
        return self._start.take(torch.zeros(count, dtype=torch.int64))

    def mutate(self, rng: Stream, parents: Batch) -> Batch:
        """One child for each row, see :func:`aiga_cartpole.genome.mutate`."""
        return genome.mutate(rng, parents, self.sigma)

    def describe(self, envs: Batch) -> Tensor:
        """``[B, 6]`` float64, see :func:`aiga_cartpole.genome.describe`."""
        return genome.describe(envs)

    def distance(self, a: Batch, b: Batch) -> Tensor:
        """``[A, B]`` float64: Euclidean, over the descriptions."""
        return genome.distance(a, b)

    def named(self, name: str) -> Batch:
        """An environment of ``names``, one row.

        Raises:
            InputError: if there is none of that name.
        """
        if name not in genome.NAMED:
            close = difflib.get_close_matches(name, genome.NAMED, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise InputError(f"no cartpole environment is named {name!r}; there are {', '.join(genome.NAMED)}.{hint}")
        return genome.environment(genome.NAMED[name])

    def live(self, pairs: Pairs, network: Network, seeds: Tensor, record: bool = False) -> Scores | tuple[Scores, Trajectory]:
        """One life a pair; ``seeds`` fix the state at birth and the draws of actions.

        An agent sees the state, ``[P, 4]`` float32: the cart's place and speed, the pole's angle and its speed.

        Returns:
            Scores with ``fitness``, the steps of a life, the last one included. The trajectory's extras are, beside ``logits``
            and ``values``, ``state``, ``[T, P, 4]`` float64 after each step, and ``fallen``: a life that is over and not fallen
            had its time.
        """
        agents, agent = pairs.agents_of_one_kind()
        joined, (moved,) = Population.join(pairs.envs)
        env = onto(moved[pairs.env], agents.device)
        physics = {name: value[env] for name, value in genome.physics(joined.batches[0].to(agents.device)).items()}
        world = _World(Carts(physics, born(physics["spread"], seeds)))
        lengths = torch.full((len(pairs),), self.steps)
        lived = lockstep(world, network, agents.leaves, agent, seeds, lengths, PUSHES, record, greedy=self.actions == "greedy")
        scores = lived.scores(lived.steps.double(), {"environment_steps": int(lived.steps.sum())})
        return scores if lived.trajectory is None else (scores, lived.trajectory)

    def report(self, contestants: Mapping[str, Contestant], rng: Stream) -> Report:
        """How long trained agents keep the pole up, plain and harder, see :func:`aiga_cartpole.report.report`."""
        from aiga_cartpole.report import report

        return report(self, self._start, contestants, rng)


class _World:
    """The carts of one call; agents see their state."""

    def __init__(self, carts: Carts) -> None:
        self._carts = carts
        self._pay = torch.ones_like(carts.fallen, dtype=torch.float32)

    def observe(self, step: int, reward: Tensor, previous: Tensor) -> Tensor:
        return self._carts.state.T.float().contiguous()

    def act(self, step: int, action: Tensor) -> Tensor:
        self._carts.push(action == 1)
        return self._pay

    def ended(self) -> Tensor:
        return self._carts.fallen

    def traces(self) -> dict[str, Tensor]:
        return {"state": self._carts.state.T, "fallen": self._carts.fallen}
