"""The three pillars of AI-generating algorithms (Clune 2019, arXiv 1905.10985), and whether a plugin's acts in a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiga.components import Lab

PILLARS = {
    "architectures": "what learners are made of is searched for",
    "learning": "learners learn within their lives, and how they do is itself found",
    "environments": "what there is to learn is generated",
}


@dataclass(frozen=True)
class Standing:
    """Whether a plugin's pillar acts in a run as it is now.

    Attributes:
        acts: whether it does.
        why: in a few words, with figures where there are any.
    """

    acts: bool
    why: str = ""

    @staticmethod
    def of_networks(lab: Lab, *names: str) -> Standing:
        """That of a plugin of networks: it acts where agents of active niches are made of one of these."""
        found = lab.niches.networks
        count, which = sum(name in names for name in found), " or ".join(names)
        if not count:
            return Standing(False, f"no niche's agent is {which}")
        return Standing(True, f"{count} of {len(found)} niches' agents are {which}")
