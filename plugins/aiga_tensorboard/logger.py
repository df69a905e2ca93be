"""Writes what a lab shows of each iteration to TensorBoard."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import torch

from aiga import Lab, Subject
from aiga_tensorboard.event_file import EventFile
from aiga_tensorboard.tally import Tally

_PICTURES = 16  # environments drawn at one logging: a search that admits hundreds at once must not wait for its pictures


class TensorBoardLogger:
    """Implements :class:`aiga.components.Logger`, under ``tb/`` of the run.

    Args:
        every: iterations from one logging to the next; events in between are counted all the same.
        pictures: draw environments when they are admitted, if an enabled plugin can.
        niches: up to this many niches each have a curve of their own.
    """

    def __init__(self, every: int, pictures: bool, niches: int) -> None:
        self._every, self._pictures, self._niches = every, pictures, niches
        self._tally = Tally()
        self._drawn = 0  # environments of the archive that have had their turn to be drawn
        self._described = False
        self._file: EventFile | None = None
        self._clock = _Clock()

    def log(self, lab: Lab, metrics: Mapping[str, float]) -> None:
        """Counts the iteration's events and, where it is due, writes its numbers.

        Raises:
            OSError: if they cannot be written; the next call starts a new file.
        """
        self._tally.add(lab.events)
        if lab.iteration % self._every:
            return
        numbers = {**search(lab, self._niches), **self._tally.take(), **self._clock.take(lab), **metrics}
        values = [*_scalars(numbers), *self._texts(lab), *self._images(lab)]
        try:
            if self._file is None:
                self._file = EventFile(lab.path / "tb", first=lab.iteration)
            self._file.write(lab.iteration, values)
        except OSError:
            self._file = None
            raise
        self._described = True
        self._drawn = len(lab.archive.env_ids)

    def close(self) -> None:
        """Lets go of the file; nothing is pending."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def state_dict(self) -> dict[str, Any]:
        return {"tally": self._tally.state_dict(), "drawn": self._drawn, "described": self._described}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes back: the next record starts a file that makes later ones of this run void."""
        self._tally.load_state_dict(state["tally"])
        self._drawn, self._described = state["drawn"], state["described"]
        self.close()
        self._clock = _Clock()

    def _texts(self, lab: Lab) -> list[Any]:
        config = lab.path / "run.toml"
        if self._described or not config.is_file():
            return []
        from torch.utils.tensorboard.summary import text

        # Four spaces make a line code in TensorBoard's Markdown, whatever characters are in it.
        code = "\n".join(f"    {line}" for line in config.read_text(encoding="utf-8").splitlines())
        return list(text("configuration", code).value)  # type: ignore[no-untyped-call]

    def _images(self, lab: Lab) -> list[Any]:
        fresh = lab.archive.env_ids[self._drawn :][:_PICTURES]
        if not self._pictures or not len(fresh):
            return []
        envs, rows = lab.archive.environments(fresh)
        pictures = lab.render(Subject("environments", envs.in_order(rows)))
        if pictures is None:
            return []
        from torch.utils.tensorboard.summary import image

        tags = [f"environments/env-{env}" for env in fresh.tolist()]
        drawn = zip(tags, pictures, strict=True)
        return [value for tag, picture in drawn for value in image(tag, picture, dataformats="HWC").value]  # type: ignore[no-untyped-call]


def search(lab: Lab, most: int) -> dict[str, float]:
    """Numbers of the active niches by tag: each one's score by environment, if there are at most ``most``."""
    niches = lab.niches
    known = torch.isfinite(niches.score)
    score = niches.score[known]
    out = {"search/niches": float(len(niches)), "search/environments": float(len(lab.archive.env_ids))}
    if len(score):
        out |= {"search/best_score": float(score.max()), "search/mean_score": float(score.mean())}
    if len(niches) <= most:
        # Where one environment is home to several niches, the best of them stands for it: it comes last.
        order = torch.argsort(score)
        named = zip(niches.env_ids[known][order].tolist(), score[order].tolist(), strict=True)
        out |= {f"scores/env-{env}": value for env, value in named}
    return out


class _Clock:
    """Work and time between two loggings of one stretch."""

    def __init__(self) -> None:
        self._time: float | None = None
        self._steps = 0
        self._iteration = 0
        self._seconds: dict[tuple[str, str], float] = {}

    def take(self, lab: Lab) -> dict[str, float]:
        """Work so far, its speed, and seconds an iteration by plugin and hook since last taken; the first time work alone."""
        now, steps, seconds = time.perf_counter(), lab.meter.total("environment_steps"), lab.meter.seconds()
        out = {"work/environment_steps": float(steps), "work/episodes": float(lab.meter.total("episodes"))}
        if self._time is not None:
            iterations = lab.iteration - self._iteration
            out["work/steps_per_second"] = (steps - self._steps) / max(now - self._time, 1e-9)
            out["work/seconds_per_iteration"] = (now - self._time) / iterations
            for (plugin, hook), spent in seconds.items():
                out[f"seconds/{plugin}.{hook}"] = (spent - self._seconds.get((plugin, hook), 0.0)) / iterations
        self._time, self._steps, self._iteration, self._seconds = now, steps, lab.iteration, seconds
        return out


def _scalars(numbers: Mapping[str, float]) -> list[Any]:
    from tensorboard.compat.proto.summary_pb2 import Summary

    return [Summary.Value(tag=tag, simple_value=value) for tag, value in numbers.items()]
