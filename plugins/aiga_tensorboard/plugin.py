"""The plugin `tensorboard`: what may be set, and what it registers."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from aiga import Options, Plugin, Registry
from aiga_tensorboard.logger import TensorBoardLogger


class TensorBoardOptions(Options):
    """Options of `tensorboard`.

    Attributes:
        every: iterations from one logging to the next.
        pictures: show environments as pictures when they are admitted.
        niches: up to this many niches each have a curve of their own; beyond it best and mean stand alone, since TensorBoard
            slows down under thousands of curves.
    """

    every: int = Field(default=1, ge=1)
    pictures: bool = True
    niches: int = Field(default=500, ge=0)


class TensorBoard(Plugin):
    """Follows the run in ``tb/``: look at it with ``tensorboard --logdir runs/NAME/tb``. A resumed run has no step twice."""

    name = "tensorboard"
    Options: ClassVar[type[TensorBoardOptions]] = TensorBoardOptions
    options: TensorBoardOptions

    def __init__(self, options: TensorBoardOptions | None = None) -> None:
        super().__init__(options)
        self._logger = TensorBoardLogger(self.options.every, self.options.pictures, self.options.niches)

    def state_dict(self) -> dict[str, Any]:
        return self._logger.state_dict()

    def load_state_dict(self, state: dict[str, Any], version: int) -> None:
        self._logger.load_state_dict(state)

    def aiga_register(self, registry: Registry) -> None:
        registry.logger("tensorboard", self._logger)
