"""Adam (Kingma & Ba 2015) for a batch of searches: evotorch's rule, its state kept as a dict of tensors.

It runs in double precision and is rounded once: the powers in it round by an element's place in its tensor, which must not
show. evotorch is imported when a step is taken, since it brings ray and takes seconds.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from aiga_es.evolution import Columns


def start_adam(centre: Tensor) -> Columns:
    """Moments at rest for ``[B, D]`` centres: ``m``, ``v`` (``[B, D]`` float32) and ``t`` (``[B]`` int64)."""
    return {
        "m": torch.zeros_like(centre, dtype=torch.float32),
        "v": torch.zeros_like(centre, dtype=torch.float32),
        "t": torch.zeros(len(centre), dtype=torch.int64, device=centre.device),
    }


def adam_state(centre: Tensor, columns: Columns, lr: Tensor) -> Any:
    """These columns as evotorch's ``AdamState``, with a step size ``lr`` ``[B]`` for each row; betas 0.9 and 0.999."""
    from evotorch.algorithms.functional.funcadam import AdamState

    def scalar(value: float) -> Tensor:
        return torch.tensor(value, dtype=torch.float64, device=centre.device)

    return AdamState(
        center=centre.double(),
        center_learning_rate=lr.double(),
        beta1=scalar(0.9),
        beta2=scalar(0.999),
        epsilon=scalar(1e-8),
        m=columns["m"].double(),
        v=columns["v"].double(),
        t=columns["t"].double(),
    )


def adam_columns(state: Any) -> Columns:
    """The columns ``m``, ``v`` and ``t`` of an ``AdamState``."""
    return {"m": state.m.float(), "v": state.v.float(), "t": state.t.to(torch.int64)}


def climb(centre: Tensor, follow: Tensor, columns: Columns, lr: Tensor) -> tuple[Tensor, Columns]:
    """One step up ``follow`` ``[B, D]``: new centres, and the columns :func:`start_adam` began."""
    from evotorch.algorithms.functional.funcadam import adam_tell

    after = adam_tell(adam_state(centre, columns, lr), follow_grad=follow.double())
    return after.center.to(centre.dtype), adam_columns(after)
