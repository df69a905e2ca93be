"""The optimiser ``gtn``: newborn agents learn from the lesson of a teacher that was trained before (Such et al. 2020)."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

import aiga
from aiga.data import Batch, Pairs, Population, State, flatten
from aiga.threads import threads
from aiga_gtn.inner import descended, settled
from aiga_gtn.learners import Group
from aiga_gtn.lessons import Real
from aiga_gtn.storing import load
from aiga_gtn.teacher import Taught, Teacher

_OPTION = "[plugins.gtn.options] teacher_file"
_TRAIN = 'Write the path of files/teacher.safetensors in the folder of a training with the trainer "gtn"'
Columns = dict[str, Tensor]


class GtnOptimiser:
    """See :class:`aiga.Optimiser`.

    A lesson has an end: steps beyond it change nothing. Every agent goes on in the lesson where it stands, and after each call
    is settled by the batch that it learnt from last. A step after which an agent's numbers are not finite is left out.

    State of each agent: ``steps`` ``[B]`` of the lesson that it has had; ``failed`` ``[B]``, how many of these were left out;
    ``speed`` ``[B, D]``, the momentum; ``shift`` ``[B, D]``, by what settling moved its leaves, so that it goes on from where
    it was.

    Args:
        path: of ``teacher.safetensors``; empty where there is none.
        threads: of a CPU.

    Attributes:
        digest: of the file, once it was read; another file is refused. Empty before.
    """

    def __init__(self, path: str, threads: int = 1) -> None:
        self._path, self._threads, self.digest = path, threads, ""
        self._teacher: Teacher | None = None
        self._envs: Batch | None = None  # whose real examples a teacher may show

    def check(self, domain: aiga.Domain) -> None:
        """Reads the teacher, so that what is wrong with it is told before a run is begun.

        Raises:
            aiga.InputError: if there is none, or none for this domain.
        """
        self._there()
        self._read(domain)

    def start(self, agents: Population) -> State:
        """Fresh state.

        Raises:
            aiga.InputError: if there is no teacher.
        """
        self._there()
        return {batch.kind.hash: _start(flatten(batch.leaves)) for batch in agents.explicit_kinds()}

    def improve(self, lab: aiga.Lab, niches: Pairs, state: State, steps: int) -> tuple[Population, State]:
        """The next ``steps`` steps of the lesson for every agent, one call a step and kind of agents.

        What of a lesson is not learned is drawn from ``lab.rng``, the same for all agents.

        Raises:
            aiga.InputError: if the file is no teacher for this domain; or its examples are real and there are several
                environments.
            ValueError: if ``niches`` does not name each of its agents exactly once, or the agents are implicit.
        """
        niches.homes()
        kinds, state = niches.agents.explicit_kinds(), dict(state)
        batches, done = list[Batch](), 0
        with torch.no_grad(), threads(self._threads):
            teacher = self._ready(lab, niches)
            lesson = teacher.draw(lab.rng("gtn", "lesson"))
            shown = teacher.show(lesson, 0, teacher.steps)
            for batch in kinds:
                group = Group(lab.component("network", batch.kind.component), batch, torch.arange(len(batch)))
                columns = state[batch.kind.hash]
                flat, after = _learnt(group, shown, columns, steps)
                done += int((after["steps"] - columns["steps"]).sum())
                state[batch.kind.hash] = after
                batches.append(replace(batch, leaves=group.agents(flat).leaves))
        if done:
            lab.meter.count({"gradient_steps": done, "examples": done * shown.x.shape[1]}, "improve")
        return Population(tuple(batches)), state

    def _there(self) -> None:
        if not self._path:
            raise aiga.InputError(f'{_OPTION}: empty, and the optimiser "gtn" needs a teacher. {_TRAIN}.')

    def _ready(self, lab: aiga.Lab, niches: Pairs) -> Teacher:
        """The teacher, where the agents are; its real examples, if it has any, are of where they live."""
        device = niches.agents.batches[0].device
        first, _ = niches.envs.take(niches.env[:1])
        self._envs = first.batches[0]
        if self._teacher is None:
            self._teacher, self.digest = self._read(lab.domain)
        if isinstance(self._teacher.material, Real) and len(torch.unique(niches.envs.hashes[niches.env])) > 1:
            what = "shows real examples, which are those of one environment, and there are several"
            remedy = "Write [population] niches = 1, or name a teacher that makes its own"
            raise aiga.InputError(f"{_OPTION}: {self._path} {what}. {remedy}.")
        return self._teacher.to(device)

    def _read(self, domain: aiga.Domain) -> tuple[Teacher, str]:
        """The teacher, and the digest of its files."""
        if domain.outputs.kind != "discrete" or len(domain.outputs.shape) != 1:
            raise aiga.InputError(f"{_OPTION}: a teacher teaches classes, and {type(domain).__name__} asks for something else.")

        def examples(rng: aiga.Stream, count: int) -> tuple[Tensor, Tensor]:
            assert self._envs is not None
            rows = torch.zeros(1 if rng.row_keys is None else len(rng.row_keys), dtype=torch.int64)
            return cast(Any, domain).examples(self._envs.take(rows), rng, count)  # type: ignore[no-any-return]

        path = Path(self._path)
        try:
            teacher = load(path, domain.inputs, domain.outputs, examples)
        except aiga.InputError as error:
            if not self.digest:
                raise aiga.InputError(f"{_OPTION}: {error}") from error
            what = f"{path} is gone or damaged, and this run was begun with it"
            raise aiga.InputError(f"{_OPTION}: {what}. Put that file back, or start a new run.") from error
        digest = hashlib.sha256(path.read_bytes() + path.with_suffix(".json").read_bytes()).hexdigest()
        if self.digest not in ("", digest):
            what = "is another teacher than the one this run was begun with; one run is not two searches"
            raise aiga.InputError(f"{_OPTION}: {path} {what}. Put that file back, or start a new run.")
        return teacher, digest


def _start(rows: Tensor) -> Columns:
    none = torch.zeros(len(rows), dtype=torch.int64, device=rows.device)
    return {"steps": none, "failed": none.clone(), "speed": torch.zeros_like(rows), "shift": torch.zeros_like(rows)}


def _learnt(group: Group, shown: Taught, columns: Columns, steps: int) -> tuple[Tensor, Columns]:
    """``[P, D]`` leaves of a group's learners after their next steps of what a lesson of ``T`` steps shows; and their state."""
    ends, begun, failed = len(shown.rate), columns["steps"], columns["failed"]
    flat, speed = group.flat - columns["shift"], columns["speed"]
    learnt = torch.zeros_like(begun, dtype=torch.bool)
    for step in range(steps):
        at = begun + step
        here = at < ends
        if not bool(here.any()):
            break
        # Each learner sees the step where it stands, and whoever is through sees the last one for nothing.
        moved, pace = descended(group, flat, speed, _at(shown, at.clamp(max=ends - 1)))
        sound = moved.isfinite().all(dim=1) & pace.isfinite().all(dim=1)
        failed = failed + (here & ~sound).to(torch.int64)
        on, learnt = (here & sound)[:, None], learnt | (here & sound)
        flat, speed = torch.where(on, moved, flat), torch.where(on, pace, speed)
    now = (begun + steps).clamp(max=ends)
    if not bool(learnt.any()):
        return group.flat, {**columns, "steps": now, "failed": failed}
    after = settled(group, flat, _at(shown, (now - 1).clamp(min=0)))
    kept = (learnt & after.isfinite().all(dim=1))[:, None]
    parts = {"speed": torch.where(kept, speed, columns["speed"]), "shift": torch.where(kept, after - flat, columns["shift"])}
    leaves = torch.where(kept, after, group.flat)
    return leaves, {"steps": now, "failed": failed, **parts}


def _at(shown: Taught, step: Tensor) -> Taught:
    """What each of ``P`` learners is shown in the step ``[P]`` where it stands."""
    return Taught(*(part[step] for part in shown))
