"""What an agent's representation is like: how sparse, how many units are dead, how far neighbours tell classes apart."""

from __future__ import annotations

import torch
from characters_learners import Taught
from torch import Tensor

from aiga import Stream
from aiga_characters.domain import CharactersDomain
from aiga_continual.architecture import plan_of
from aiga_continual.vision import gate, see

ACTIVE = 0.01  # a unit above this counts as active, as in the paper
NEIGHBOURS = 5
SHOWN = 15  # images of a class that neighbours are sought among; the other five are asked about


def probed(taught: Taught, domain: CharactersDomain, classes: int) -> dict[str, float]:
    """Percentages by name, on images of so many classes that the agent was not taught with.

    ``active`` and ``dead`` units, of the features ``before`` and ``after`` the gate and of the ``gate`` itself; and right
    answers of the five nearest neighbours among each of these.
    """
    characters = domain.characters
    split = characters.classes("evaluation")
    drawn = Stream(0).child("probe").permutation(len(split))[:classes] + split.start
    x = (characters.images[drawn].float() / 255.0).flatten(0, 1)[None, :, None]
    plan = plan_of(taught.leaves)
    with torch.no_grad():
        seen, opened = (torch.cat(part, dim=1)[0] for part in _looks(taught, x))
    out = {}
    for name, units in (("before", seen), ("after", seen * opened), ("gate", opened)):
        if name == "before" or plan.gate:
            out[f"{name}: active"] = 100.0 * float((units > ACTIVE).double().mean())
            out[f"{name}: dead"] = 100.0 * float((units <= ACTIVE).all(dim=0).double().mean())
            out[f"{name}: 5 neighbours"] = 100.0 * neighbours(units.unflatten(0, (classes, -1)))
    return out


def _looks(taught: Taught, x: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    plan, pieces = plan_of(taught.leaves), torch.split(x, 200, dim=1)
    seen = [see(taught.leaves, plan.features, some, exact=True) for some in pieces]
    opened = [gate(taught.leaves, plan, some, exact=True) for some in pieces]
    return seen, [torch.ones_like(s) if o is None else o for s, o in zip(seen, opened, strict=True)]


def neighbours(units: Tensor) -> float:
    """Share of the last images of ``[C, 20, F]`` whose nearest neighbours among the first are mostly of their class."""
    classes = len(units)
    label = torch.arange(classes)
    known, asked = units[:, :SHOWN].flatten(0, 1), units[:, SHOWN:].flatten(0, 1)
    near = torch.cdist(asked, known).topk(NEIGHBOURS, largest=False).indices // SHOWN
    wanted = label.repeat_interleave(units.shape[1] - SHOWN)
    return float((near.mode(dim=1).values == wanted).double().mean())
