"""Rules that look at the perturbed agents themselves, run a few niches at a time so that memory stays bounded."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from aiga_es.draws import Draws
from aiga_es.evolution import Columns

_NUMBERS = 2**22  # float64 numbers of perturbed agents held at a time: 32 MiB

Tell = Callable[[Tensor, Tensor, Tensor, Columns], tuple[Tensor, Columns]]


def tell_in_blocks(tell: Tell, centre: Tensor, draws: Draws, fitness: Tensor, state: Columns) -> tuple[Tensor, Columns]:
    """Tells every niche, as many in one batch as fit.

    Args:
        tell: takes centres ``[b, D]``, perturbed agents ``[b, M, D]`` float64, ``fitness`` ``[b, M]`` and state, and answers
            with new centres and state. A row must not depend on the others.
        centre: ``[B, D]``.
        draws: the perturbations.
        fitness: ``[B, M]``.
        state: with a column ``stdev`` ``[B, D]``.

    Returns:
        New centres and state of all ``B`` niches.
    """
    rows = max(1, _NUMBERS // (fitness.shape[1] * centre.shape[1]))
    told = []
    for start in range(0, len(centre), rows):
        some = slice(start, start + rows)
        held = {name: column[some] for name, column in state.items()}
        told.append(tell(centre[some], draws.take(some).values(centre[some], held["stdev"]), fitness[some], held))
    columns = {name: torch.cat([part[name] for _, part in told]) for name in state}
    return torch.cat([new for new, _ in told]), columns
