"""A run's directory: made whole or not at all, held by one process at a time, free to be moved and copied."""

from __future__ import annotations

import contextlib
import difflib
import errno
import fcntl
import json
import os
import re
import shutil
import socket
import tempfile
import time
import tomllib
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from aiga.durable import storage, sync_folder, write_synced
from aiga.errors import InputError, StorageError
from aiga.journal import Journal

FORMAT = 1
MARK, CONFIG, JOURNAL, LOCK = "aiga.json", "run.toml", "journal.db", "lock"
FOLDERS = ("stones", "checkpoints", "tb", "art")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_PATIENCE = 0.5  # seconds: whoever asks if a run is alive holds its lock for an instant


@dataclass(frozen=True)
class Holder:
    """The process that holds a run: ``pid`` on ``host``; 0 and empty where it could not write who it is."""

    pid: int = 0
    host: str = ""

    def __str__(self) -> str:
        if not self.pid:
            return "another process"
        return f"process {self.pid}" + ("" if self.host == socket.gethostname() else f" on {self.host}")


class Lock:
    """Sole use of a run until :meth:`release`, the end of a ``with``, or the end of the process, however it ends."""

    def __init__(self, handle: int) -> None:
        self._handle: int | None = handle
        # A forked worker would hold the lock on, past the death of this process.
        mine = weakref.ref(self)
        os.register_at_fork(after_in_child=lambda: _release(mine()))

    def release(self) -> None:
        """Lets go; more than once does no harm."""
        handle, self._handle = self._handle, None
        if handle is not None:
            os.close(handle)

    def __enter__(self) -> Lock:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def __del__(self) -> None:
        self.release()


def _release(lock: Lock | None) -> None:
    if lock is not None:
        lock.release()


@dataclass(frozen=True)
class RunDirectory:
    """Where everything of one run lies; nothing in it names an absolute path."""

    path: Path

    @staticmethod
    def create(runs: Path, name: str, files: Mapping[str, str | bytes]) -> RunDirectory:
        """Makes ``runs/NAME`` with ``files`` and an empty journal. Whatever fails, nothing is left behind.

        Args:
            runs: the folder of runs; made where it is missing.
            name: letters, digits, ``.``, ``_`` and ``-``, at most 100, a letter or digit first.
            files: contents by relative path, ``run.toml`` among them.

        Raises:
            InputError: if the name is taken (says how to resume) or cannot be one.
            StorageError: if it cannot be written.
            ValueError: for a file that would lie outside, or without ``run.toml``.
        """
        _check_name(name)
        _check_files(files)
        target = runs / name
        _check_free(runs, name)
        made = [folder for folder in (runs, *runs.parents) if not folder.exists()]
        with storage(target, "making the run"):
            try:
                runs.mkdir(parents=True, exist_ok=True)
                aside = Path(tempfile.mkdtemp(prefix=f".{name}.", suffix=".partial", dir=runs))
                try:
                    _fill(aside, files)
                    _put(aside, runs, name)
                except StorageError as error:  # of the journal, under a name that is gone
                    raise StorageError(str(error).replace(str(aside), str(target))) from error
                finally:
                    shutil.rmtree(aside, ignore_errors=True)
            except BaseException:
                for folder in made:
                    with contextlib.suppress(OSError):
                        folder.rmdir()
                raise
        return RunDirectory(target)

    @staticmethod
    def check_free(runs: Path, name: str) -> None:
        """Whether :meth:`create` could make ``runs/NAME``.

        Raises:
            InputError: if the name is taken or cannot be one.
        """
        _check_name(name)
        _check_free(runs, name)

    @staticmethod
    def open(path: Path) -> RunDirectory:
        """An existing run.

        Raises:
            InputError: if there is none, with the names that come near; if it is no run directory; or if a newer aiga made it.
        """
        if not path.is_dir():
            raise InputError(f"{path}: there is no such run.{_near(path)}")
        if not (path / CONFIG).is_file() or not (path / MARK).is_file():
            missing = CONFIG if not (path / CONFIG).is_file() else MARK
            raise InputError(f"{path}: not a run directory: it has no {missing}. Name a directory that `aiga run` made.")
        if not (path / JOURNAL).is_file():
            raise InputError(f"{path}: its {JOURNAL} is missing. Restore it from a copy of the run; nothing was changed.")
        try:
            mark = json.loads((path / MARK).read_bytes())
            version, maker = int(mark["format"]), str(mark.get("aiga", "a newer one"))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            remedy = f'Restore it from a copy of the run, or write {{"format": {FORMAT}}} into it'
            raise InputError(f"{path / MARK}: cannot be read or is damaged ({error}). {remedy}.") from error
        if version > FORMAT:
            raise InputError(
                f"{path}: made by a newer aiga, {maker} (run format {version}, this one reads {FORMAT}). Upgrade aiga."
            )
        return RunDirectory(path)

    @property
    def name(self) -> str:
        return self.path.absolute().name

    @property
    def training(self) -> bool:
        """Whether it is that of a training, of ``aiga train``."""
        try:
            return "train" in tomllib.loads(self.config_path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False  # whoever reads it will say what is wrong

    @property
    def config_path(self) -> Path:
        return self.path / CONFIG

    @property
    def journal_path(self) -> Path:
        return self.path / JOURNAL

    @property
    def stones(self) -> Path:
        return self.path / "stones"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def tb(self) -> Path:
        return self.path / "tb"

    @property
    def art(self) -> Path:
        return self.path / "art"

    @property
    def log_path(self) -> Path:
        return self.path / "log.txt"

    def lock(self) -> Lock:
        """Takes the run for this process, at once; the operating system lets go of it when the process dies.

        Raises:
            InputError: naming the process that holds it.
            StorageError: if the lock cannot be made.
        """
        path = self.path / LOCK
        with storage(path, "locking the run"):
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            with storage(path, "locking the run"):
                taken = _seize(handle)
            if not taken:
                remedy = "Wait for it to end, or stop it (Ctrl-C or SIGTERM), then try again"
                raise InputError(f"{self.path}: in use by {_holder(path)}. {remedy}.")
            with contextlib.suppress(OSError):  # on a full disk: who holds it is told for convenience only
                os.ftruncate(handle, 0)
                os.pwrite(handle, json.dumps({"pid": os.getpid(), "host": socket.gethostname()}).encode(), 0)
        except BaseException:
            os.close(handle)
            raise
        return Lock(handle)

    def holder(self) -> Holder | None:
        """The process that runs it now; None where nobody does."""
        path = self.path / LOCK
        try:
            handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return None
        except OSError as error:
            return _holder(path) if error.errno in (errno.EAGAIN, errno.EACCES) else None
        finally:
            os.close(handle)

    def log(self, line: str) -> None:
        """Adds a line with the time to ``log.txt``. Never raises: on a full disk the reason must still reach the user."""
        stamp = datetime.now(UTC).isoformat(timespec="seconds")
        with contextlib.suppress(OSError), self.log_path.open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(f"{stamp} {line}\n")


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        remedy = "Use letters, digits, '.', '_' and '-', at most 100, beginning with a letter or digit"
        raise InputError(f"--name {name!r}: cannot name a run. {remedy}.")


def _check_files(files: Mapping[str, str | bytes]) -> None:
    if CONFIG not in files:
        raise ValueError(f"a run needs {CONFIG}")
    for place in files:
        parts = PurePosixPath(place).parts
        if not parts or PurePosixPath(place).is_absolute() or ".." in parts or parts[0] in (MARK, JOURNAL, LOCK):
            raise ValueError(f"{place!r} cannot be a file of a run")


def _check_free(runs: Path, name: str) -> None:
    target = runs / name
    if (target / CONFIG).exists():
        option = "" if str(runs) == "runs" else f" --runs {runs}"
        remedy = f"Resume it with `aiga resume {name}{option}`, or choose another name with --name"
        raise InputError(f"{target}: this run exists already. {remedy}.")
    if target.exists() or target.is_symlink():
        raise InputError(f"{target}: exists already, and is not a run. Choose another name with --name, or remove it.")
    if runs.exists() and not runs.is_dir():
        raise InputError(f"{runs}: not a folder, so no run can be made in it. Choose another one with --runs.")


def _fill(aside: Path, files: Mapping[str, str | bytes]) -> None:
    from importlib.metadata import version  # slow to import, and needed here alone

    aside.chmod(0o777 & ~_umask())
    for folder in FOLDERS:
        (aside / folder).mkdir()
    for place, content in files.items():
        (aside / place).parent.mkdir(parents=True, exist_ok=True)
        write_synced(aside / place, content.encode() if isinstance(content, str) else content)
    write_synced(aside / MARK, (json.dumps({"format": FORMAT, "aiga": version("aiga")}) + "\n").encode())
    Journal(aside / JOURNAL).close()
    for folder, _, _ in os.walk(aside):
        sync_folder(Path(folder))


def _put(aside: Path, runs: Path, name: str) -> None:
    try:
        aside.rename(runs / name)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
            _check_free(runs, name)  # another process was quicker
        raise
    sync_folder(runs)


def _near(path: Path) -> str:
    if not path.parent.is_dir():
        return f" Nor is there a folder {path.parent}: name the folder of runs with --runs."
    names = sorted(p.parent.name for p in path.parent.glob(f"[!.]*/{CONFIG}"))
    close = difflib.get_close_matches(path.name, names, n=1)
    if close:
        return f" Did you mean {close[0]}?"
    return f" There are: {', '.join(names[:10])}{', ...' if names[10:] else ''}." if names else f" {path.parent} holds no run."


def _seize(handle: int) -> bool:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)


def _holder(path: Path) -> Holder:
    try:
        found = json.loads(path.read_bytes())
        return Holder(int(found["pid"]), str(found["host"]))
    except (OSError, ValueError, KeyError, TypeError):
        return Holder()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
