"""How new is an environment? Mean distance to its nearest stepping stones (Lehman & Stanley 2011; POET, Wang et al. 2019)."""

from __future__ import annotations

import torch
from torch import Tensor

_CELLS = 2**22  # distances held at a time: 32 MiB, however large the archive grows


def novelty(candidates: Tensor, archive: Tensor, k: int = 5, *, normalise: bool = True) -> Tensor:
    """Mean Euclidean distance from each candidate to its ``k`` nearest archived descriptions.

    Args:
        candidates: ``[B, d]`` descriptions, in the domain's units.
        archive: ``[A, d]`` descriptions of everything ever admitted, retired ones too.
        k: neighbours averaged; with fewer than ``k`` archived, all of them count.
        normalise: measure each dimension in units of the span it has over archive and candidates together, so that metres do
            not outweigh counts. The candidates belong to the span because an archive of one environment has none. A
            dimension in which all agree adds nothing either way.

    Returns:
        ``[B]`` float64 distances; ``inf`` where the archive is empty, so that a first environment is always new.

    Raises:
        ValueError: if the two have different ``d``.
    """
    candidates, archive = candidates.double(), archive.to(candidates.device).double()
    if len(archive) == 0 or len(candidates) == 0:
        return candidates.new_full((len(candidates),), torch.inf)
    if candidates.shape[1] != archive.shape[1]:
        raise ValueError(f"descriptions differ in length: {candidates.shape[1]} and {archive.shape[1]}")
    if normalise:
        span = _span(torch.cat([archive, candidates]))
        candidates, archive = candidates / span, archive / span
    near = min(k, len(archive))
    blocks = torch.split(candidates, max(1, _CELLS // len(archive)))
    return torch.cat([_distance(block, archive).topk(near, largest=False).values.mean(dim=1) for block in blocks])


def _span(descriptions: Tensor) -> Tensor:
    span = descriptions.amax(dim=0) - descriptions.amin(dim=0)
    return torch.where(span > 0, span, torch.ones_like(span))


def _distance(one: Tensor, other: Tensor) -> Tensor:
    # By products of matrices, cdist's default for many rows, equal descriptions would not be at distance zero.
    return torch.cdist(one, other, compute_mode="donot_use_mm_for_euclid_dist")
