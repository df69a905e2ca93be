"""The outer loop under Lightning: every step has fresh learners, of fresh architectures, and lives of their own."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

import aiga
from aiga.data import Batch
from aiga.threads import threads
from aiga_gtn.descent import adam, known
from aiga_gtn.learners import Group, Nursery
from aiga_gtn.policies.lessons import Judged, follow, teach
from aiga_gtn.policies.lives import Lives
from aiga_gtn.policies.options import GtnPolicyOptions
from aiga_gtn.policies.teacher import PolicyTeacher, Shown


class GtnPolicyModule(pl.LightningModule):
    """A teacher of policies under training.

    A batch is a number, and all chance of an outer step comes from a stream keyed by epoch and number; that of validations and
    of the learners at the end from streams of other names. So no learner is ever met twice, and no life lived twice.

    What is logged: ``loss`` and ``fitness``, means over the learners that did not fail; ``failed``, how many did; the counted
    work of their lives so far, such as ``environment_steps``; after a validation ``val_fitness`` and ``val_failed``.

    Args:
        teacher: to train.
        nursery: where its learners come from.
        fresh: where those come from that validations and the domain's report judge.
        lives: where learners live.
        options: of the plugin.
        rng: of the trainer.

    Attributes:
        teacher: as it is now.
        failures: why learners failed so far, and how many did for each reason.
        cost: counted work of the learners' lives so far, without validations.
    """

    def __init__(
        self,
        teacher: PolicyTeacher,
        nursery: Nursery,
        fresh: Nursery,
        lives: Lives,
        options: GtnPolicyOptions,
        rng: aiga.Stream,
    ) -> None:
        super().__init__()
        self.teacher = teacher
        self.failures: dict[str, int] = {}
        self.cost: Counter[str] = Counter()
        self._nursery, self._fresh, self._lives, self._options, self._rng = nursery, fresh, lives, options, rng

    def training_step(self, batch: int, batch_idx: int) -> Tensor | None:
        """The mean loss, whose gradient is known; None where all learners failed, and the teacher stays as it is."""
        with threads(self._options.threads):
            return self._follow(self._rng.child("train", self.current_epoch, int(batch)))

    def validation_step(self, batch: int, batch_idx: int) -> None:
        """Judges fresh learners of their networks' own architectures, the same in every validation."""
        rng = self._rng.child("validate", int(batch))
        fitness = self.judged(rng, self.taught(rng, self._options.validated), self._options.validated_lives)
        sound = fitness.isfinite()
        self._tell("val_failed", float((~sound).sum()), on_step=False)
        self._tell("val_fitness", float(fitness[sound].mean()) if bool(sound.any()) else math.nan, on_step=False)

    def val_dataloader(self) -> Any:
        """One number a validation; none where nobody is to be judged."""
        from aiga.training import draws

        return draws(1) if self._options.validated else []

    def configure_optimizers(self) -> Any:
        """Adam, perhaps with a step size that falls along a cosine."""
        return adam(self.teacher.parameters(), self._options)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Adds failures and counted work."""
        checkpoint["gtn-policy"] = {"failures": self.failures, "cost": dict(self.cost)}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Takes back what was added."""
        self.failures = dict(checkpoint["gtn-policy"]["failures"])
        self.cost = Counter(checkpoint["gtn-policy"]["cost"])

    def taught(self, rng: aiga.Stream, each: int, nursery: Nursery | None = None) -> list[tuple[Group, Batch]]:
        """Fresh learners, group by group, and what they are once they are taught.

        Args:
            rng: everything random hangs on it.
            each: learners of every network.
            nursery: where they come from; None for their networks' own architectures.
        """
        # Lightning validates in inference mode, in which nothing has a gradient, and learners learn by theirs.
        with torch.inference_mode(False), torch.no_grad(), threads(self._options.threads):
            groups = (nursery or self._fresh).draw(rng.child("learners"), each, self.teacher.rates)
            shown = self.teacher.show(rng.child("lesson"))
            return [(group, group.agents(teach(group, _spread(shown, len(group))))) for group in groups]

    def judged(self, rng: aiga.Stream, taught: list[tuple[Group, Batch]], lives: int) -> Tensor:
        """``[learners]`` float64 on the host, in the order of groups: mean fitness of so many lives each; NaN for failed ones.

        Args:
            rng: makes the lives, the same ones whatever the groups.
            taught: see :meth:`taught`.
            lives: of each learner.
        """
        seeds = [rng.child("lives").rows(group.rows).words(lives) for group, _ in taught]
        with threads(self._options.threads):
            return torch.cat([self._lives.fitness(agents, some) for (_, agents), some in zip(taught, seeds, strict=True)])

    def agents(self) -> list[Batch]:
        """Fresh agents of each network's own architecture, taught."""
        return [agents for _, agents in self.taught(self._rng.child("taught"), self._options.taught)]

    def _follow(self, rng: aiga.Stream) -> Tensor | None:
        """One outer step's loss, as :meth:`training_step` answers it."""
        options = self._options
        groups = self._nursery.draw(rng.child("learners"), options.learners, self.teacher.rates)
        shown = self.teacher.show(rng.child("lesson"))

        def judge(group: Group, flat: Tensor) -> Judged:
            return self._lives.judged(group, flat, rng.child("lives").rows(group.rows).words(options.lives))

        outcome = follow(shown, groups, judge)
        self.cost.update(outcome.cost)
        for reason in outcome.failures.values():
            self.failures[reason] = self.failures.get(reason, 0) + 1
        self._tell("failed", float(len(outcome.failures)), on_step=True)
        for name, count in self.cost.items():
            self.log(name, float(count), on_step=True, on_epoch=False, batch_size=1)
        if outcome.slopes is None:
            return None
        self._tell("fitness", float(outcome.fitness.nanmean()), on_step=True)
        mean = float(outcome.losses.nanmean())
        self._tell("loss", mean, on_step=True)
        parameters = [parameter for parameter in self.teacher.parameters() if parameter.requires_grad]
        gradients = torch.autograd.grad(tuple(shown), parameters, tuple(outcome.slopes), materialize_grads=True)
        return known(mean, gradients, parameters)

    def _tell(self, name: str, value: float, on_step: bool) -> None:
        self.log(name, value, on_step=on_step, on_epoch=True, prog_bar=True, batch_size=1, sync_dist=not on_step)


def _spread(shown: Shown, learners: int) -> Shown:
    return Shown(*(part.expand(learners, *part.shape) for part in shown))
