"""Files that others publish, downloaded once and checked by hash."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from aiga.errors import InputError

_SECONDS: Final = 60.0  # without a byte, after which a server counts as gone


def cache(name: str) -> Path:
    """Where a component keeps what it can make or fetch again: below ``AIGA_CACHE``, or the user's cache directory."""
    import platformdirs

    given = os.environ.get("AIGA_CACHE")
    return Path(given or platformdirs.user_cache_dir("aiga", appauthor=False)) / name


def address(url: str) -> str:
    """An option that names a folder on a server, as it was given; empty for none.

    Raises:
        ValueError: if it is no such address.
    """
    try:
        parts = urlsplit(url)
        fine = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        fine = False
    if url and not fine:
        raise ValueError(f"{url!r} is no address of a folder on a server. Write one such as https://example.org/folder.")
    return url


def silent(text: str) -> None:
    """Shows nothing."""


def fetch(
    folder: Path, url: str, files: Mapping[str, str], hashes: str, by_hand: str, say: Callable[[str], None] = silent
) -> Path:
    """``folder``, with all files in it; nothing is downloaded that lies there already with the right hash.

    Args:
        folder: made where it is not there.
        url: the folder on a server.
        files: SHA-256 by name.
        hashes: the option that says other hashes, for messages.
        by_hand: a sentence on what a person does who cannot download.
        say: shows a line to a person before a download.

    Raises:
        InputError: if what the server sent has another hash, it cannot be reached, or ``folder`` not be written.
    """
    import pooch
    import requests

    registry = {name: f"sha256:{digest}" for name, digest in files.items()}
    shelf: Any = pooch.create(folder, base_url=f"{url.rstrip('/')}/", registry=registry)
    server: Any = pooch.HTTPDownloader(timeout=_SECONDS)
    with _quiet(pooch.get_logger()):
        for name, digest in files.items():
            where = f"{url.rstrip('/')}/{name}"
            if not (folder / name).exists():
                say(f"downloading {where}")
            try:
                shelf.fetch(name, downloader=server)
            except (requests.RequestException, OSError) as error:
                what = f"{where}: could not be downloaded to {folder}: {error}. Try again later."
                raise InputError(f"{what} {by_hand}") from error
            except ValueError as error:
                raise InputError(
                    f"{where}: what came has not the SHA-256 {digest}: it was damaged on the way, or changed. "
                    f"Try again, or give the hash of a file you trust as {hashes}. {by_hand}"
                ) from error
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
