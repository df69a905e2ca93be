"""Few characters in Omniglot's layout, as a folder and as archives."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch

from aiga_characters.sets import Characters
from aiga_characters.shrink import shrunk


def small(size: int = 105) -> Characters:
    """Two alphabets to learn with and one to judge by, of two, one and two classes."""
    rng = torch.Generator().manual_seed(0)
    ink = (torch.rand(5, 20, 105, 105, generator=rng) < 0.1).to(torch.uint8)
    images = shrunk(ink.flatten(0, 1), size).reshape(5, 20, size, size)
    return Characters(images, torch.tensor([0, 0, 1, 2, 2]), 3, ("Alpha", "Beta", "Gamma"))


def packed(folder: Path) -> Path:
    """The same images in two archives beside nothing else, as they are downloaded."""
    archives = folder.with_name("archives")
    archives.mkdir()
    for split in ("images_background", "images_evaluation"):
        shutil.make_archive(str(archives / split), "zip", folder, split)
    return archives
