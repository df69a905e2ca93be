"""Omniglot's two archives (Lake, Salakhutdinov & Tenenbaum 2015), downloaded and checked by hash."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from aiga import AigaError, InputError

ARCHIVES: Final = ("images_background.zip", "images_evaluation.zip")
URL: Final = "https://raw.githubusercontent.com/brendenlake/omniglot/master/python"
HASHES: Final = (
    "ad41ab679c8b5d90b271ef46be6987cc81211774a695c29dcc5367b2b26ee640",
    "1f61a8f3366785b057fc117d9228e78a16e3d976c8953b2a10fcc74cf0609cee",
)
_SECONDS: Final = 60.0  # without a byte, after which a server counts as gone


def silent(text: str) -> None:
    """Shows nothing."""


def fetch(folder: Path, url: str, hashes: tuple[str, str], say: Callable[[str], None] = silent) -> Path:
    """``folder``, with both archives in it; nothing is downloaded that lies there already with the right hash.

    Args:
        folder: made where it is not there.
        url: the folder on a server.
        hashes: SHA-256 of the archives, background and evaluation.
        say: shows a line to a person before a download.

    Raises:
        InputError: if what the server sent has another hash.
        AigaError: if the server cannot be reached, or ``folder`` not be written.
    """
    import pooch
    import requests

    registry = {name: f"sha256:{digest}" for name, digest in zip(ARCHIVES, hashes, strict=True)}
    shelf: Any = pooch.create(folder, base_url=f"{url.rstrip('/')}/", registry=registry)
    server: Any = pooch.HTTPDownloader(timeout=_SECONDS)
    with _quiet(pooch.get_logger()):
        for name, digest in zip(ARCHIVES, hashes, strict=True):
            where = f"{url.rstrip('/')}/{name}"
            by_hand = f'Or put {" and ".join(ARCHIVES)} into a folder and write source = "folder" and folder = "..." for it.'
            if not (folder / name).exists():
                say(f"downloading {where}")
            try:
                shelf.fetch(name, downloader=server)
            except ValueError as error:
                raise InputError(
                    f"{where}: what came has not the SHA-256 {digest}: it was damaged on the way, or changed. "
                    f"Try again, or give the hash of a file you trust as [plugins.characters.options] hashes. {by_hand}"
                ) from error
            except (requests.RequestException, OSError) as error:
                raise AigaError(f"{where}: could not be downloaded to {folder}: {error}. Try again later. {by_hand}") from error
    return folder


@contextmanager
def _quiet(logger: logging.Logger) -> Iterator[None]:
    """Lets pooch say nothing but warnings: what a person should know is said by others."""
    before = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(before)
