"""Omniglot's two archives (Lake, Salakhutdinov & Tenenbaum 2015), downloaded and checked by hash."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from aiga import downloads
from aiga.downloads import silent

ARCHIVES: Final = ("images_background.zip", "images_evaluation.zip")
URL: Final = "https://raw.githubusercontent.com/brendenlake/omniglot/master/python"
HASHES: Final = (
    "ad41ab679c8b5d90b271ef46be6987cc81211774a695c29dcc5367b2b26ee640",
    "1f61a8f3366785b057fc117d9228e78a16e3d976c8953b2a10fcc74cf0609cee",
)
_BY_HAND: Final = f'Or put {" and ".join(ARCHIVES)} into a folder and write source = "folder" and folder = "..." for it.'


def fetch(folder: Path, url: str, hashes: tuple[str, str], say: Callable[[str], None] = silent) -> Path:
    """``folder``, with both archives in it; see :func:`aiga.downloads.fetch`.

    Args:
        folder: made where it is not there.
        url: the folder on a server.
        hashes: SHA-256 of the archives, background and evaluation.
        say: shows a line to a person before a download.

    Raises:
        InputError: if the archives cannot be had, or not those of these hashes.
    """
    files = dict(zip(ARCHIVES, hashes, strict=True))
    return downloads.fetch(folder, url, files, "[plugins.characters.options] hashes", _BY_HAND, say)
