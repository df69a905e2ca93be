"""A stepping stone lived again from its id alone: the same pair, the same seeds, the same score to the bit; and drawn."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from aiga import config as configs
from aiga.components import Executor
from aiga.data import Pairs, Population, Scores, Status, Trajectory
from aiga.errors import AigaError, InputError
from aiga.experiment import Assembled, assemble
from aiga.hooks import Subject
from aiga.lab import episode_seeds, redrawn
from aiga.machine import machine
from aiga.runs import Run, Stone
from aiga.stones import Stones
from aiga.viewing import viewing


@dataclass(frozen=True)
class Lifetime:
    """One recorded episode of a replay: the first.

    Attributes:
        envs: the environment as it was lived in, one row; drawn anew where the run redraws environments.
        fitness: of this episode.
    """

    envs: Population
    trajectory: Trajectory
    fitness: float


@dataclass(frozen=True)
class Replayed:
    """What came of a replay.

    Attributes:
        stone: with the score that the journal has.
        score: as it is now; None where the run never scored this stone.
        lifetime: where it was asked for, and there is one.
        differences: what is not as it was when the run was made, for people to whom the scores differ.
    """

    stone: Stone
    score: float | None
    lifetime: Lifetime | None
    differences: tuple[str, ...] = ()

    @property
    def same(self) -> bool:
        """Whether the score is the journal's, to the bit; true where there is none to compare."""
        return self.score == self.stone.score


class _Recorder:
    """An executor that keeps the one lifetime it is asked for."""

    def __init__(self, executor: Any) -> None:
        self._executor = executor
        self.lifetime: Lifetime | None = None

    def run(self, domain: str, pairs: Pairs, seeds: Tensor) -> Scores:
        """Records instead of scoring."""
        scores, trajectory = self._executor.record(domain, pairs, seeds[:, 0])
        self.lifetime = Lifetime(pairs.envs.in_order(pairs.env), trajectory, float(scores.fitness[0]))
        return scores.with_columns(returns=scores.fitness[:, None])  # type: ignore[no-any-return]

    def close(self) -> None:
        """Nothing of its own."""


def replay(run: Run, id: int, record: bool = False) -> Replayed:
    """Lives the scored lifetime of a stepping stone again.

    Args:
        run: where it is; another process may be writing it.
        id: of an environment or an agent.
        record: keep the first episode.

    Raises:
        InputError: if there is no such stone, the run's plugins cannot be had, or the executor cannot record.
        AigaError: if the pair fails now.
    """
    stone = run.stone(id)
    if stone.score is None or stone.purpose is None or stone.env is None or stone.agent is None:
        return Replayed(stone, None, None)
    # Worker processes change no result, and one pair does not need them.
    config = configs.load(run.folder.config_path, ["run.workers=0"])
    made = assemble(config)
    executor = made.components.get("executor", config.run.executor)
    try:
        pairs = _pair(run, stone.env, stone.agent, made.device)
        seeds = episode_seeds(config.run.seed, stone.purpose, stone.iteration, pairs.envs.hashes[pairs.env], stone.episodes)
        scores = _live(executor, config.population.domain, pairs, seeds, config.population.redraw)
        if int(scores.status[0]) != int(Status.OK):
            raise AigaError(
                f"{run.path}: stepping stone {id} fails now: {scores.reasons.get(0, Status(int(scores.status[0])).name)}"
            )
        lifetime = _recorded(executor, made, pairs, seeds) if record else None
    finally:
        executor.close()
    return Replayed(stone, float(scores.fitness[0]), lifetime, tuple(_differences(run, made, stone.iteration)))


def draw(run: Run, subject: Subject) -> Any:
    """What the first of the run's plugins that answers to ``subject`` made of it; None where none does.

    Raises:
        AigaError: if the plugins cannot be had, or one raises.
    """
    made = assemble(configs.load(run.folder.config_path, ["run.workers=0"]))
    with run.reading() as journal:
        workspace = viewing(run, made, journal)
        try:
            return workspace.lab("core").render(subject)
        finally:
            workspace.executor.close()


def _pair(run: Run, env: int, agent: int, device: str) -> Pairs:
    with run.reading() as journal:
        stones = Stones(run.folder.stones, journal)
        envs, _ = stones.read(torch.tensor([env]))
        agents, _ = stones.read(torch.tensor([agent]))
    row = torch.zeros(1, dtype=torch.int64)
    return Pairs.of(envs, Population(tuple(batch.to(device) for batch in agents.batches)), row, row)


def _live(executor: Executor, domain: str, pairs: Pairs, seeds: Tensor, redraw: bool) -> Scores:
    return redrawn(executor, domain, pairs, seeds) if redraw else executor.run(domain, pairs, seeds)


def _recorded(executor: Any, made: Assembled, pairs: Pairs, seeds: Tensor) -> Lifetime | None:
    run, population = made.config.run, made.config.population
    if not hasattr(executor, "record"):
        raise InputError(f'[run] executor: "{run.executor}" cannot record a lifetime. Leave out --out, or run it with "local".')
    recorder = _Recorder(executor)
    _live(recorder, population.domain, pairs, seeds[:, :1], population.redraw)
    return recorder.lifetime


def _differences(run: Run, made: Assembled, iteration: int) -> list[str]:
    """What a stretch of the run that scored the stone had otherwise: machine, versions, device."""
    stretches = [(-1, row) for row in run.operations("start").to_dict("records")]
    stretches += [(int(row["from"]), row) for row in run.operations("resume").to_dict("records")]
    # A later stretch that began before the stone's iteration computed it anew.
    was: dict[Hashable, Any] = next((row for begun, row in reversed(stretches) if begun < iteration), {})
    now = {**machine(), "device": made.device}
    return [f"{name} was {was[name]}, is {value}" for name, value in now.items() if name in was and was[name] != value]
