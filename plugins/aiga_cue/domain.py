"""The domain ``cue``: cue-reward association, where one of some random cues must be found out from rewards alone."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Final, Literal

import torch
from torch import Tensor

from aiga import Batch, Contestant, InputError, Network, Pairs, Population, Report, Scores, Space, Stream, Trajectory
from aiga.crossing import onto
from aiga.lockstep import lockstep
from aiga.streams import combine, derive
from aiga_cue import genome
from aiga_cue.trials import Trials, trials

ANSWERS: Final = 2  # no and yes
BESIDE: Final = 4 + ANSWERS  # question, reward, previous action, one, time
# Cues, bits, blanks, steps and pool. ``full`` is the task of Miconi et al. (2019), ``mini`` a smaller one.
_TASKS: Final = {
    "mini": (2, 8, 3, 40, 0),
    "full": (4, 20, 3, 120, 0),
    "mini-fixed": (2, 8, 3, 40, 2),
    "full-fixed": (4, 20, 3, 120, 4),
}


class CueDomain:
    """Cue-reward tasks and lives in them; implements :class:`aiga.Domain`.

    A right answer pays 1, a wrong one -1, and both are perceived in the next step; see :mod:`aiga_cue.trials`.

    Args:
        start: the task to start from, by name.
        max_bits: of a cue; part of what agents perceive.
        max_steps: the longest life.

    Raises:
        InputError: if no task has that name, or its cues are too large or its lives too long.
    """

    version = genome.VERSION
    solved = 90.0
    outputs = Space((ANSWERS,), "discrete")
    names = tuple(_TASKS)
    parallelism: Literal["serial", "threads", "device"] = "device"

    def __init__(self, start: str = "full", max_bits: int = 20, max_steps: int = 200) -> None:
        self.steps, self.max_bits = max_steps, max_bits
        self.inputs = Space((max_bits + BESIDE,))
        self._start = self.named(start)

    def initial(self, rng: Stream, count: int) -> Batch:
        """The task to start from, ``count`` times, each with a seed of its own."""
        rng = rng.each(count)
        tasks = self._start.take(torch.zeros(count, dtype=torch.int64))
        return Batch.of(tasks.kind, {**tasks.leaves, "seed": rng.child("seed").words()})

    def mutate(self, rng: Stream, parents: Batch) -> Batch:
        """One child for each row, see :func:`aiga_cue.genome.mutate`."""
        return genome.mutate(rng, parents, self.max_bits, self.steps)

    def describe(self, envs: Batch) -> Tensor:
        """``[B, 5]`` float64, see :func:`aiga_cue.genome.describe`."""
        return genome.describe(envs)

    def distance(self, a: Batch, b: Batch) -> Tensor:
        """``[A, B]`` float64: Euclidean, over the descriptions."""
        return genome.distance(a, b)

    def named(self, name: str) -> Batch:
        """A task of ``names``, one row.

        Raises:
            InputError: if there is none of that name, or it has more bits or steps than this domain's may have.
        """
        if name not in _TASKS:
            close = difflib.get_close_matches(name, _TASKS, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise InputError(f"no cue task is named {name!r}; there are {', '.join(_TASKS)}.{hint}")
        cues, bits, blanks, steps, pool = _TASKS[name]
        if bits > self.max_bits:
            raise InputError(f"cues of task {name!r} have {bits} bits, max_bits is {self.max_bits}: raise it")
        if steps > self.steps:
            raise InputError(f"lives in task {name!r} last {steps} steps, max_steps is {self.steps}: raise it")
        return genome.task(cues, bits, blanks, steps, pool, combine(derive("cue", "named", name))[None] & 0xFFFFFFFF)

    def live(self, pairs: Pairs, network: Network, seeds: Tensor, record: bool = False) -> Scores | tuple[Scores, Trajectory]:
        """One life a pair; ``seeds`` fix cues, target, trials and the draws of answers.

        Returns:
            Scores with ``fitness``, the percentage of right answers, 50 by chance; ``reward``; ``first_third`` and
            ``last_third``, the share of right answers in these parts of a life. The trajectory's extras are, beside ``logits``
            and ``values``, ``asked`` and ``right``.
        """
        agents, agent = pairs.agents_of_one_kind()
        tasks, (moved,) = Population.join(pairs.envs)
        envs, env = tasks.batches[0].to(agents.device), moved[pairs.env]
        lengths = tasks.batches[0].leaves["steps"].cpu()[env]
        shown = trials(envs, env, seeds, int(lengths.max()), self.max_bits)
        world = _World(shown, onto(lengths, agents.device))
        lived = lockstep(world, network, agents.leaves, agent, seeds, lengths, ANSWERS, record)
        whole, first, last = world.shares()
        columns = {"reward": lived.reward, "first_third": first, "last_third": last}
        scores = lived.scores(100.0 * whole, {"environment_steps": int(lengths.sum())}, **columns)
        return scores if lived.trajectory is None else (scores, lived.trajectory)

    def report(self, contestants: Mapping[str, Contestant], rng: Stream) -> Report:
        """How trained agents do in fresh lives of the task to start from, see :func:`aiga_cue.report.report`."""
        from aiga_cue.report import report

        return report(self, self._start, contestants, rng)


class _World:
    """The trials of one call, and what was answered."""

    def __init__(self, shown: Trials, lengths: Tensor) -> None:
        self._trials, self._lengths = shown, lengths
        self._time = lengths.float()
        self._bias = torch.ones(len(lengths), 1, device=lengths.device)
        self._right: list[Tensor] = []

    def observe(self, step: int, reward: Tensor, previous: Tensor) -> Tensor:
        shown, asked = self._trials.shown[step], self._trials.asked[step].float()
        return torch.cat([shown, asked[:, None], reward[:, None], previous, self._bias, (step / self._time)[:, None]], dim=1)

    def act(self, step: int, action: Tensor) -> Tensor:
        right = action == self._trials.answer[step]
        self._right.append(right)
        return torch.where(self._trials.asked[step], right.float() * 2.0 - 1.0, 0.0)

    def traces(self) -> dict[str, Tensor]:
        step = len(self._right) - 1
        return {"asked": self._trials.asked[step], "right": self._right[step]}

    def shares(self) -> tuple[Tensor, Tensor, Tensor]:
        """``[P]`` float64 each: the share of right answers in the whole life, and in its first and last third."""
        right, asked = torch.stack(self._right), self._trials.asked
        time = torch.arange(len(right), device=right.device)[:, None]
        parts = (time < self._lengths, 3 * time < self._lengths, (3 * time >= 2 * self._lengths) & (time < self._lengths))
        counted = [((asked & part & right).sum(dim=0).double(), (asked & part).sum(dim=0).double()) for part in parts]
        whole, first, last = (good / count.clamp(min=1.0) for good, count in counted)
        return whole, first, last
