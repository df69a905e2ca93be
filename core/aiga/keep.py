"""``keep``: the owner of ``select`` where nobody else is named. The niches stay; better agents may move in."""

from __future__ import annotations

import torch
from torch import Tensor

from aiga.components import Lab
from aiga.data import NOBODY, Offers, Pairs, Scores, Verdict
from aiga.hooks import Plugin


class Keep(Plugin):
    """Admits no new environment, retires none, and accepts the best offer that is strictly above the resident."""

    name = "keep"

    def aiga_select(self, lab: Lab, pairs: Pairs, scores: Scores) -> Verdict:
        """Leaves proposals for active environments to the transfer phase."""
        active = torch.isin(pairs.envs.ids[pairs.env], lab.niches.env_ids).tolist()
        nobody = torch.zeros(len(pairs), dtype=torch.bool)
        reason = ["" if lives else "keep admits no environment" for lives in active]
        return Verdict(nobody, torch.full((len(pairs),), NOBODY), torch.empty(0, dtype=torch.int64), reason)

    def aiga_accept(self, lab: Lab, offers: Offers, scores: Scores) -> Tensor:
        """At most one offer a niche: the best of those strictly above the resident."""
        return scores.best_above(offers.niche, scores.columns["resident"])
