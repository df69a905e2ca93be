"""The outer loop under Lightning: every step has fresh learners, of fresh architectures, and real examples of its own."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

import aiga
from aiga.threads import threads
from aiga_gtn.descent import adam, known
from aiga_gtn.inner import teach
from aiga_gtn.learners import Group, Nursery
from aiga_gtn.lessons import Examples, one_each
from aiga_gtn.options import GtnOptions
from aiga_gtn.outer import meta_gradient
from aiga_gtn.teacher import Teacher

SNAPSHOTS = 8  # of what is shown, over the training
Judge = Callable[[aiga.Batch, Tensor], aiga.Scores]
"""What the domain makes of taught learners of one kind, with a seed for each."""


class GtnModule(pl.LightningModule):
    """A teacher under training.

    A batch is a number, and all chance of an outer step comes from a stream keyed by epoch and number; that of validations and
    of the learners at the end from streams of other names. So no learner is ever met twice.

    What is logged: ``loss``, the mean over the learners that did not fail; ``failed``, how many did; after a validation
    ``val_fitness``, the mean of what the domain finds of fresh learners, and ``val_failed``.

    Args:
        teacher: to train.
        nursery: where its learners come from.
        examples: real ones of the domain, to judge learners by.
        judge: the domain's own judgement, for validations.
        options: of the plugin.
        rng: of the trainer.

    Attributes:
        teacher: as it is now.
        rng: of the trainer.
        failures: why learners failed so far, and how many did for each reason.
        snapshots: by outer step, an example of each class that was shown then, ``[classes, *shape]``.
    """

    def __init__(
        self, teacher: Teacher, nursery: Nursery, examples: Examples, judge: Judge, options: GtnOptions, rng: aiga.Stream
    ) -> None:
        super().__init__()
        self.teacher = teacher
        self.failures: dict[str, int] = {}
        self.snapshots: dict[int, Tensor] = {}
        self._nursery, self._examples, self._judge, self._options = nursery, examples, judge, options
        self.rng = rng

    def training_step(self, batch: int, batch_idx: int) -> Tensor | None:
        """The mean loss, whose gradient is known; None where all learners failed, and the teacher stays as it is."""
        with threads(self._options.threads):
            return self._follow(self.rng.child("train", self.current_epoch, int(batch)))

    def validation_step(self, batch: int, batch_idx: int) -> None:
        """Judges fresh learners of fresh architectures, the same in every validation."""
        groups, flats = self.taught(self.rng.child("validate", int(batch)), self._nursery, self._options.validated)
        fitness = torch.cat([self.judged(group, flat) for group, flat in zip(groups, flats, strict=True)])
        sound = fitness.isfinite()
        self._tell("val_failed", float((~sound).sum()), on_step=False)
        self._tell("val_fitness", float(fitness[sound].mean()) if bool(sound.any()) else math.nan, on_step=False)

    def on_validation_end(self) -> None:
        """Keeps what is shown at this time, every second of it once there is much."""
        if not self.trainer.sanity_checking:
            self.snapshots[self.global_step] = self.shown()
            if len(self.snapshots) > SNAPSHOTS:
                self.snapshots = dict(list(self.snapshots.items())[::2])

    def val_dataloader(self) -> Any:
        """One number a validation; none where nobody is to be judged."""
        from aiga.training import draws

        return draws(1) if self._options.validated else []

    def configure_optimizers(self) -> Any:
        """Adam, perhaps with a step size that falls along a cosine."""
        return adam(self.teacher.parameters(), self._options)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Adds failures and snapshots."""
        checkpoint["gtn"] = {"failures": self.failures, "snapshots": self.snapshots}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Takes back what was added."""
        kept: Mapping[str, Any] = checkpoint["gtn"]
        self.failures = dict(kept["failures"])
        self.snapshots = {int(step): shown for step, shown in kept["snapshots"].items()}

    def taught(self, rng: aiga.Stream, nursery: Nursery, each: int) -> tuple[list[Group], list[Tensor]]:
        """Fresh learners of the nursery, and for each group the leaves ``[P, D]`` that they have once they are taught.

        Args:
            rng: everything random hangs on it.
            nursery: where they come from.
            each: learners of every network.
        """
        # Lightning validates in inference mode, in which nothing has a gradient, and learners learn by theirs.
        with torch.inference_mode(False), torch.no_grad(), threads(self._options.threads):
            groups = nursery.draw(rng.child("learners"), each, self.teacher.rates)
            flats, _ = teach(self.teacher, self.teacher.draw(rng.child("lesson")), groups)
            return groups, flats

    def judged(self, group: Group, flat: Tensor) -> Tensor:
        """``[P]`` float64 fitness, on the host, that the domain finds of learners with these leaves; NaN for failed ones."""
        with torch.no_grad(), threads(self._options.threads):
            scores = self._judge(group.agents(flat), self.rng.child("judge").rows(group.rows).words(1)[:, 0])
        return scores.fitness.cpu().double()

    @property
    def learners(self) -> int:
        """Of each network, that are taught at the end."""
        return self._options.taught

    def shown(self) -> Tensor:
        """``[classes, *shape]``: the first example of each class in a lesson; black where there is none."""
        with torch.inference_mode(False), torch.no_grad():
            lesson = self.teacher.draw(self.rng.child("shown"))
            x = self.teacher.show(lesson, 0, self.teacher.steps).x.flatten(0, 1)
            return one_each(x, lesson.labels.flatten(), self.teacher.classes).cpu()

    def _follow(self, rng: aiga.Stream) -> Tensor | None:
        """One outer step's loss, as :meth:`training_step` answers it."""
        options = self._options
        groups = self._nursery.draw(rng.child("learners"), options.learners, self.teacher.rates)
        lesson = self.teacher.draw(rng.child("lesson"))
        number = torch.arange(sum(len(group) for group in groups))
        x, labels = self._examples(rng.child("real").rows(number), options.examples)
        outcome = meta_gradient(
            self.teacher,
            lesson,
            groups,
            (x.to(self.teacher.rates), labels),
            block=options.block,
            intermediate=options.intermediate,
        )
        for reason in outcome.failures.values():
            self.failures[reason] = self.failures.get(reason, 0) + 1
        self._tell("failed", float(len(outcome.failures)), on_step=True)
        if not outcome.gradients:
            return None
        mean = float(outcome.losses.nanmean())
        self._tell("loss", mean, on_step=True)
        parameters = [parameter for parameter in self.teacher.parameters() if parameter.requires_grad]
        return known(mean, outcome.gradients, parameters)

    def _tell(self, name: str, value: float, on_step: bool) -> None:
        self.log(name, value, on_step=on_step, on_epoch=True, prog_bar=True, batch_size=1, sync_dist=not on_step)
