"""Adam (Kingma & Ba 2015) for a batch of agents, by sums and products alone: a row's bits hang on nothing but that row."""

from __future__ import annotations

import torch
from torch import Tensor

Columns = dict[str, Tensor]
FLAT = ("m", "v")  # columns with a number for each parameter
FIRST, SECOND = 0.9, 0.999  # how much of its moments is kept from step to step


def start_adam(rows: Tensor) -> Columns:
    """Moments at rest for ``[B, D]`` rows: ``m`` and ``v`` like these, and the decays' powers ``first``, ``second`` ``[B]``."""
    ones = torch.ones(len(rows), dtype=torch.float64, device=rows.device)
    return {"m": torch.zeros_like(rows), "v": torch.zeros_like(rows), "first": ones, "second": ones.clone()}


def descend(rows: Tensor, gradient: Tensor, state: Columns, lr: float, eps: float) -> tuple[Tensor, Columns]:
    """One step down ``gradient`` ``[B, D]``; rows whose gradient is not all finite stay, and their state too.

    Returns:
        New rows and their state; nothing given is changed.
    """
    sound = gradient.isfinite().all(dim=1)
    gradient = torch.where(sound[:, None], gradient, 0.0)
    first, second = state["first"] * FIRST, state["second"] * SECOND
    m = FIRST * state["m"] + (1.0 - FIRST) * gradient
    v = SECOND * state["v"] + (1.0 - SECOND) * gradient * gradient
    mean = m.double() / (1.0 - first)[:, None]
    deviation = (v.double() / (1.0 - second)[:, None]).sqrt()
    new = (rows.double() - lr * mean / (deviation + eps)).to(rows.dtype)
    after = {"m": m, "v": v, "first": first, "second": second}
    kept = {name: torch.where(sound.reshape(-1, *[1] * (x.ndim - 1)), x, state[name]) for name, x in after.items()}
    return torch.where(sound[:, None], new, rows), kept
