"""How far do raw pixels get? One-shot classification by the nearest image: what a set's difficulty is measured by."""

from __future__ import annotations

import torch
from torch import Tensor

from aiga import Stream
from aiga_characters.sets import Characters


def pixel_neighbour(characters: Characters, rng: Stream, ways: int = 20, episodes: int = 10) -> float:
    """Share of images whose nearest neighbour by pixels is of their own class, within alphabets (Lake et al. 2015).

    In an episode one drawer shows ``ways`` classes of an alphabet once each, and another drawer's images are classified.

    Args:
        characters: any set, both splits alike.
        rng: decides classes and drawers.
        ways: classes of an episode; alphabets of fewer are left out.
        episodes: of each alphabet.

    Returns:
        The mean over episodes and alphabets, between 0 and 1.

    Raises:
        ValueError: if no alphabet has ``ways`` classes.
    """
    shares = []
    for alphabet in torch.unique(characters.alphabet).tolist():
        members = torch.nonzero(characters.alphabet == alphabet).flatten()
        if len(members) >= ways:
            episode = rng.child(alphabet).rows(torch.arange(episodes))
            shares.append(_episodes(characters.images, members, episode, ways))
    if not shares:
        raise ValueError(f"no alphabet has {ways} classes. Ask for fewer ways.")
    return float(torch.cat(shares).mean())


def _episodes(images: Tensor, members: Tensor, rng: Stream, ways: int) -> Tensor:
    """``[E]`` shares of one alphabet."""
    classes = members[rng.child("classes").permutation(len(members))[:, :ways]]
    drawers = rng.child("drawers").permutation(images.shape[1])[:, :2]
    shown, asked = (images[classes, drawers[:, which, None]].flatten(2).float() for which in (0, 1))
    nearest = torch.cdist(asked, shown).argmin(dim=2)
    return (nearest == torch.arange(ways)).double().mean(dim=1)
