"""How long the streams are by which trained agents are judged."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Exam:
    """What a report is made on.

    Attributes:
        classes: lengths of the streams that agents learn, ascending; the last is that of the oracle and of the classes' age.
        draws: of classes, for each length.
        newborn: whether agents that were never trained are judged beside the trained ones, as many of each network.
    """

    classes: tuple[int, ...] = (10, 50, 100)
    draws: int = 1
    newborn: bool = False
