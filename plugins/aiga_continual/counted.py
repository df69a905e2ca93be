"""A network that counts what it is asked: examples learnt from and looked at, steps of lives, gradient steps within them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from typing import Any

from torch import Tensor

from aiga.components import Life, Network, Output, Percept
from aiga.data import Leaves
from aiga.wrapped import Wrapped


class Counted(Wrapped):
    """Passes everything on to ``network``, and has the network's capabilities and no others.

    Attributes:
        work: of single lives: ``forward_steps`` (in ``step`` and ``unroll``), ``examples`` (in ``learn`` and ``answers``) and
            ``gradient_steps`` (in ``learn``).
    """

    def __init__(self, network: Network) -> None:
        super().__init__(network)
        self.work: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._network, name)
        return getattr(self, f"_{name}")(found) if name in ("learn", "answers", "unroll") else found

    def _learn(self, learn: Callable[..., Life]) -> Callable[..., Life]:
        def counted(leaves: Leaves, life: Life, x: Tensor, *given: Any, **named: Any) -> Life:
            self.work += Counter(dict.fromkeys(("examples", "gradient_steps"), x.shape[0] * x.shape[1]))
            return learn(leaves, life, x, *given, **named)

        return counted

    def _answers(self, answers: Callable[..., Tensor]) -> Callable[..., Tensor]:
        def counted(leaves: Leaves, life: Life, x: Tensor) -> Tensor:
            self.work["examples"] += x.shape[0] * x.shape[1]
            return answers(leaves, life, x)

        return counted

    def _unroll(self, unroll: Callable[..., Output]) -> Callable[..., Output]:
        def counted(leaves: Leaves, percepts: Percept) -> Output:
            self.work["forward_steps"] += math.prod(percepts.observation.shape[:3])
            return unroll(leaves, percepts)

        return counted

    def step(self, leaves: Leaves, life: Life, percept: Percept) -> tuple[Output, Life]:
        """As the network's, counted."""
        self.work["forward_steps"] += len(percept.observation)
        return super().step(leaves, life, percept)
