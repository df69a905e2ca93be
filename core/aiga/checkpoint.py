"""Checkpoints: the live state of a run, put in place whole, and believed only where it verifies against its hashes."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiga import codec
from aiga.durable import storage, sync_folder, write_atomic, write_synced
from aiga.errors import InputError

FORMAT = 1
MANIFEST, LATEST = "manifest.json", "LATEST"
_ASIDE = ".replaced"  # a checkpoint that makes way for a newer one of the same iteration; it counts until that one is in place
_FOLDER = re.compile(r"(\d+)(\.replaced)?")
_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


@dataclass(frozen=True)
class Checkpoint:
    """What was saved at the end of an iteration: ``tree`` holds plain values, tensors (on the host) and aiga's data."""

    iteration: int
    tree: dict[str, Any]


class _Damaged(Exception):
    """Why a checkpoint cannot be believed."""


def save(folder: Path, iteration: int, tree: Mapping[str, Any], keep: int = 3) -> None:
    """Saves a checkpoint beside the former ones, forced to the disk; then only the newest ``keep`` stay.

    Checkpoints of later iterations are removed, too: the run went back and took another way.

    Args:
        folder: ``checkpoints/`` of the run; made where it is missing.
        iteration: at whose end the state is, not negative.
        tree: one part a key; keys of letters, digits, ``_``, ``.`` and ``-``.
        keep: how many checkpoints stay, this one included.

    Raises:
        StorageError: if it cannot be written; the former checkpoints stay, and this one is there whole or not at all.
        ValueError: for a key that cannot name a file.
        TypeError: for values that :mod:`aiga.codec` does not know.
    """
    files = _encode(iteration, tree)
    target, aside = folder / f"{iteration:06d}", folder / f".{iteration:06d}.partial"
    former = target.with_name(target.name + _ASIDE)
    with storage(target, "writing the checkpoint"):
        folder.mkdir(parents=True, exist_ok=True)
        _sweep(folder)
        if target.exists() and former.exists():
            _remove(folder, [former])
        try:
            aside.mkdir()
            for name, content in files.items():
                write_synced(aside / name, content)
            sync_folder(aside)
            if target.exists():
                target.rename(former)
            aside.rename(target)
        except BaseException:
            shutil.rmtree(aside, ignore_errors=True)
            raise
        sync_folder(folder)
        write_atomic(folder / LATEST, f"{target.name}\n".encode())
        _remove(folder, [p for n, p in _found(folder) if n > iteration or p.name.endswith(_ASIDE)])
        _remove(folder, [path for _, path in _found(folder)][keep:])


def newest(folder: Path) -> tuple[Checkpoint | None, list[str]]:
    """The newest checkpoint that verifies, and complaints for the user about what does not.

    Returns:
        The checkpoint, None where none verifies; and a sentence for each newer one that cannot be used, and for a ``LATEST``
        that cannot be right. No checkpoint and no complaint: none was ever saved.

    Raises:
        InputError: if the newest intact one was written by a newer aiga.
    """
    complaints: list[str] = []
    checkpoint = None
    for _, path in _found(folder):
        try:
            checkpoint = _read(path)
            break
        except _Damaged as reason:
            complaints.append(f"The checkpoint {path} is not used: {reason}.")
    complaints += _doubts(folder, checkpoint)
    if checkpoint is not None and complaints:
        complaints.append(f"The run goes on from iteration {checkpoint.iteration}; what came later is computed again.")
    return checkpoint, complaints


def truncate(folder: Path, iteration: int) -> None:
    """Removes checkpoints past ``iteration``: the run goes back, and may take another way from there.

    Raises:
        StorageError: if they cannot be removed.
    """
    if folder.is_dir():
        with storage(folder, f"going back to iteration {iteration}"):
            _remove(folder, [path for found, path in _found(folder) if found > iteration])
            _sweep(folder)
            held = [found for found, _ in _found(folder)]
            if held:
                write_atomic(folder / LATEST, f"{held[0]:06d}\n".encode())
            else:
                (folder / LATEST).unlink(missing_ok=True)


def _encode(iteration: int, tree: Mapping[str, Any]) -> dict[str, bytes]:
    if iteration < 0:
        raise ValueError(f"a checkpoint needs an iteration that is not negative, not {iteration}")
    files: dict[str, bytes] = {}
    parts: dict[str, dict[str, Any]] = {}
    for key, value in tree.items():
        if not _PART.fullmatch(key) or key == "manifest":
            raise ValueError(f"{key!r} cannot name a part of a checkpoint: use letters, digits, '_', '.' and '-'")
        skeleton, tensors = codec.split(value)
        name = key + (".safetensors" if tensors else ".json")
        content = codec.dumps(value) if tensors else json.dumps(skeleton).encode()
        files[name] = content
        parts[key] = {"file": name, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    body = {"format": FORMAT, "iteration": iteration, "parts": parts}
    files[MANIFEST] = json.dumps({"manifest": body, "sha256": _digest(body)}, indent=1).encode()
    return files


def _read(path: Path) -> Checkpoint:
    """Raises _Damaged with the reason, and InputError for a newer format."""
    body = _manifest(path)
    if body["format"] > FORMAT:
        raise InputError(
            f"{path}: written by a newer aiga (checkpoint format {body['format']}, this one reads {FORMAT}). Upgrade aiga."
        )
    number = _FOLDER.fullmatch(path.name)
    if number is None or int(number[1]) != body["iteration"]:
        raise _Damaged(f"its manifest is that of iteration {body['iteration']}")
    return Checkpoint(body["iteration"], {key: _part(path / part["file"], part) for key, part in body["parts"].items()})


def _manifest(path: Path) -> dict[str, Any]:
    content = _bytes(path / MANIFEST)
    try:
        envelope = json.loads(content)
        body, digest = envelope["manifest"], envelope["sha256"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise _Damaged(f"{MANIFEST} is torn or damaged") from None
    # The envelope is the same in every format, so that a flipped bit is never taken for a newer version.
    if not isinstance(body, dict) or _digest(body) != digest:
        raise _Damaged(f"{MANIFEST} is damaged: its SHA-256 differs")
    return body


def _part(path: Path, expected: Mapping[str, Any]) -> Any:
    content = _bytes(path)
    if len(content) != expected["size"]:
        raise _Damaged(f"{path.name} has {len(content)} bytes instead of {expected['size']}")
    if hashlib.sha256(content).hexdigest() != expected["sha256"]:
        raise _Damaged(f"{path.name} is damaged: its SHA-256 differs")
    try:
        return codec.loads(content) if path.suffix == ".safetensors" else codec.join(json.loads(content), {})
    except ValueError as error:
        raise _Damaged(f"{path.name} cannot be understood: {error}") from error


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise _Damaged(f"{path.name} is missing") from None
    except OSError as error:
        raise _Damaged(f"{path.name} cannot be read: {error.strerror or error}") from error


def _doubts(folder: Path, checkpoint: Checkpoint | None) -> Iterator[str]:
    """What is wrong with LATEST. It may lag behind, where a process was killed between two renames; it never runs ahead."""
    try:
        text = (folder / LATEST).read_bytes().decode().strip()
    except FileNotFoundError:
        return
    except (OSError, UnicodeDecodeError):
        text = ""
    if not re.fullmatch(r"\d+", text):
        yield f"{folder / LATEST} does not name a checkpoint; it is ignored."
    elif not (folder / text).is_dir() and (checkpoint is None or int(text) != checkpoint.iteration):
        yield f"The checkpoint {folder / text}, which {LATEST} names, is missing."


def _found(folder: Path) -> list[tuple[int, Path]]:
    """Iterations and folders of checkpoints, the newest first; of one iteration the one being replaced comes last."""
    if not folder.is_dir():
        return []
    matches = [(match, path) for path in folder.iterdir() if (match := _FOLDER.fullmatch(path.name))]
    ordered = sorted(matches, key=lambda pair: (-int(pair[0][1]), pair[0][2] is not None, pair[1].name))
    return [(int(match[1]), path) for match, path in ordered]


def _remove(folder: Path, paths: list[Path]) -> None:
    """Takes checkpoints out of sight by a rename each, then deletes them: a kill leaves none half there."""
    for path in paths:
        path.rename(folder / f".{path.name}.removed")
    if paths:
        sync_folder(folder)
        _sweep(folder)


def _sweep(folder: Path) -> None:
    """Deletes what is half-written or half-removed."""
    for path in folder.iterdir():
        if path.name.startswith(".") and path.suffix in (".partial", ".removed"):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def _digest(body: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
