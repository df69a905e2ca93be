"""Calls of a trainer or a domain in a training: what they raise carries the plugin's name, the place and the line."""

from __future__ import annotations

import errno
import os
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from aiga.durable import storage
from aiga.errors import RAISED, AigaError, PluginError

_OF_THE_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO)
_CALLERS = (__file__, str(Path(__file__).with_name("fitting.py")))
_NOT_MINE = ("pytorch_lightning", "lightning_fabric", f"{os.sep}torch{os.sep}", *_CALLERS)


@contextmanager
def guarded(plugin: str, doing: Callable[[], str]) -> Iterator[None]:
    """Puts the plugin's name to what is raised in the body; errors of the disk and of aiga stay what they are.

    Raises:
        PluginError: naming plugin, place and line.
        StorageError: for a disk that is full.
    """
    try:
        yield
    except AigaError:
        raise
    except RAISED as error:
        if isinstance(error, OSError) and error.errno in _OF_THE_DISK:
            with storage(Path(error.filename or "."), doing()):
                raise
        frames = traceback.extract_tb(error.__traceback__)
        mine = [frame for frame in frames if not any(part in frame.filename for part in _NOT_MINE)] or frames
        where = f" ({Path(mine[-1].filename).name}:{mine[-1].lineno})" if mine else ""
        text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise PluginError(f"plugin {plugin!r} raised in {doing()}: {text}{where}") from error
