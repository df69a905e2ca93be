"""Compiled kernels on disk: found again by what they were made of, and by the processor they were made for.

Numba's own cache looks at the time stamp of the one file that a function stands in; these kernels are made of a dozen, and an
installed package bears no times worth the name. So a file here is named by a hash of all sources, the versions of what
compiles, the lanes and the processor. A file that cannot be read is as good as none.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pickle
import sys
import tempfile
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import platformdirs
from numba.core import config
from numba.core.caching import _Cache
from numba.core.compiler import CompileResult

_SOURCES = Path(__file__).parent
_SETTINGS = ("OPT", "LOOP_VECTORIZE", "SLP_VECTORIZE", "ENABLE_AVX", "BOUNDSCHECK", "DEBUGINFO_DEFAULT", "FULL_TRACEBACKS")
ENTRIES = ("start", "steps", "rollout", "polygon")


def folder() -> Path:
    """Where kernels lie: ``AIGA_CACHE``, or the user's cache directory."""
    given = os.environ.get("AIGA_CACHE")
    return (
        Path(given).expanduser() / "kernels"
        if given
        else Path(platformdirs.user_cache_dir("aiga", appauthor=False)) / "kernels"
    )


@cache
def stamp() -> str:
    """A hash of what kernels are made of: sources, compilers, Python."""
    digest = hashlib.sha256()
    for path in sorted([*_SOURCES.glob("*.py"), _SOURCES.parent / "terrain.py"]):
        digest.update(path.read_bytes())
    versions = [version("numba"), version("llvmlite"), version("numpy"), sys.version]
    # What a user may have told Numba's compiler by environment variables.
    versions += [f"{name}={getattr(config, name, None)}" for name in _SETTINGS]
    return hashlib.sha256(digest.digest() + "\n".join(versions).encode()).hexdigest()[:16]


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _processor(codegen: Any) -> str:
    return _short(str(codegen.magic_tuple()))


class KernelCache(_Cache):
    """What a Numba dispatcher asks before it compiles.

    Args:
        function: the kernel, as Python.
        lanes: walkers a variable.
    """

    def __init__(self, function: Any, lanes: int) -> None:
        self._function, self._lanes = function, lanes

    @property
    def cache_path(self) -> str:
        """The folder."""
        return str(folder())

    def path(self, signature: Any, codegen: Any) -> Path:
        """The file of one signature on this processor."""
        name = f"{self._function.__name__}-{self._lanes}-{stamp()}-{_processor(codegen)}-{_short(str(signature))}.kernel"
        return folder() / name

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The compiled kernel; None where there is none, or none that can be read."""
        target_context.refresh()
        try:
            payload = whole(self.path(sig, target_context.codegen()))
            if payload is None:
                return None
            rebuild: Any = CompileResult._rebuild
            return rebuild(target_context, *pickle.loads(payload))
        except Exception:
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Writes the kernel; see :func:`keep`."""
        keep(self.path(sig, data.codegen), pickle.dumps(data._reduce(), protocol=4))

    def enable(self) -> None:
        """Always on."""

    def disable(self) -> None:
        """Always on."""

    def flush(self) -> None:
        """Removes nothing: other processes may be reading."""


def held(lanes: int) -> bool:
    """Whether kernels of these sources for so many lanes lie on disk undamaged, for this processor."""
    from numba.core.registry import cpu_target

    codegen = cpu_target.target_context.codegen()
    files = {name: folder().glob(f"{name}-{lanes}-{stamp()}-{_processor(codegen)}-*.kernel") for name in ENTRIES}
    return all(any(whole(path) is not None for path in paths) for paths in files.values())


def disabled() -> str:
    """Why Numba compiles nothing, in words for the user; empty where it does."""
    return (
        "NUMBA_DISABLE_JIT is set, and Numba compiles the simulator; unset it, or take Box2D"
        if getattr(config, "DISABLE_JIT", 0)
        else ""
    )


def unwritable() -> str:
    """Why no kernel can be kept, in words for the user; empty where they can."""
    try:
        folder().mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder(), suffix=".part") as file:
            file.write(bytes(2**22))  # about what the kernels of one number of lanes take
            file.flush()
    except OSError as error:
        return f"{folder()} cannot be written ({error.strerror or error}); set AIGA_CACHE to a folder that can"
    return ""


def _digest(path: Path, payload: bytes) -> bytes:
    # With the name: a kernel under another one's would be called with the wrong arguments.
    return hashlib.sha256(path.name.encode() + payload).digest()


def keep(path: Path, payload: bytes) -> None:
    """Writes a file, whole or not at all; a disk that is full or read-only only costs the next start some time."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as file:
            part = Path(file.name)
        try:
            part.write_bytes(_digest(path, payload) + payload)
            part.replace(path)
        except OSError:
            part.unlink(missing_ok=True)


def whole(path: Path) -> bytes | None:
    """What was kept at ``path``; None where it is not what was written, or nothing."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    return data[32:] if _digest(path, data[32:]) == data[:32] else None
