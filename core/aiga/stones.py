"""Stepping stones: every environment and agent ever admitted, each written once, in append-only segments with a hash.

A segment holds the stones of one iteration; the journal holds the index, so that memory does not grow with the archive.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from aiga import codec
from aiga.crossing import to_host
from aiga.data import Batch, Population
from aiga.durable import storage, sync_folder, write_atomic
from aiga.errors import StorageError
from aiga.journal import Journal, Segment, StoneEntry

Role = Literal["environment", "agent"]
VERSION = 1
_NAME = re.compile(r"(\d+)\.safetensors")


@dataclass
class _Staged:
    """Stones of an iteration that may not be in the index yet, by role; on the device until somebody reads or writes them."""

    iteration: int
    populations: dict[Role, list[Batch]] = field(default_factory=lambda: {"environment": [], "agent": []})

    def population(self, role: Role) -> Population:
        """On the host."""
        leaves = [leaf for batches in self.populations.values() for batch in batches for leaf in batch.leaves.values()]
        if any(leaf.device.type != "cpu" for leaf in leaves):
            near = iter(to_host(*leaves))
            for batches in self.populations.values():
                batches[:] = [replace(batch, leaves={name: next(near) for name in batch.leaves}) for batch in batches]
        return Population(tuple(self.populations[role]))

    def ids(self) -> Tensor:
        return torch.cat([torch.empty(0, dtype=torch.int64), *(b.ids for held in self.populations.values() for b in held)])


class Stones:
    """The stepping stones of one run.

    Args:
        folder: of the segments; made when the first is written.
        journal: holds their index.
    """

    def __init__(self, folder: Path, journal: Journal) -> None:
        self._folder, self._journal = Path(folder), journal
        self._staged: _Staged | None = None
        self._written: _Staged | None = None  # until the next is written, since its index may not be committed yet

    def stage(self, iteration: int, envs: Population | Batch | None = None, agents: Population | Batch | None = None) -> None:
        """Collects stones with new ids for :meth:`write`; they can be read at once.

        Rows are copied, implicit ones made explicit.

        Raises:
            ValueError: for a row without id, an id staged before, an iteration whose stones are written, or while those of
                another one are neither written nor discarded.
        """
        if self._written is not None and self._written.iteration == iteration:
            raise ValueError(f"the stepping stones of iteration {iteration} are written already")
        staged = self._staged if self._staged is not None else _Staged(iteration)
        if staged.iteration != iteration:
            raise ValueError(f"the stepping stones of iteration {staged.iteration} were neither written nor discarded")
        given: tuple[tuple[Role, Population | Batch | None], ...] = (("environment", envs), ("agent", agents))
        batches = [(role, _copy(b)) for role, p in given if p is not None for b in _batches(p) if len(b)]
        ids = torch.cat([staged.ids(), *(batch.ids for _, batch in batches)])
        if (ids < 0).any():
            raise ValueError("a stepping stone needs an id")
        if len(torch.unique(ids)) != len(ids):
            raise ValueError("a stepping stone with this id was staged in this iteration already")
        for role, batch in batches:
            staged.populations[role].append(batch)
        self._staged = staged

    def discard(self) -> None:
        """Forgets what was staged: the iteration was abandoned. What was written and committed stays."""
        self._staged = self._written = None

    def write(self) -> Segment | None:
        """Writes what was staged as one segment, forced to the disk.

        Returns:
            What :meth:`aiga.journal.Journal.commit` shall enter in the index; None where nothing was staged.

        Raises:
            StorageError: if it cannot be written; what was staged stays so.
        """
        staged = self._staged
        if staged is None or not len(staged.ids()):
            self._staged = None
            return None
        name = f"{staged.iteration:06d}.safetensors"
        populations = {role: Population.join(staged.population(role))[0] for role in staged.populations}
        content = codec.dumps({"version": VERSION, "iteration": staged.iteration, **populations})
        with storage(self._folder / name, "writing stepping stones"):
            self._folder.mkdir(parents=True, exist_ok=True)
            write_atomic(self._folder / name, content)
        self._staged, self._written = None, staged
        entries = tuple(e for role, p in populations.items() for e in _entries(p, role, name, staged.iteration))
        return Segment(name, staged.iteration, hashlib.sha256(content).hexdigest(), len(content), entries)

    def read(self, ids: Tensor) -> tuple[Population, Tensor]:
        """Stepping stones of any kinds and roles, on the host.

        Args:
            ids: ``[M]`` int64, repeats allowed.

        Returns:
            A population of the different stones asked for, and ``[M]`` int64: the row of each asked-for one in it.

        Raises:
            KeyError: naming ids that no stepping stone has.
            StorageError: naming the segment that is missing or damaged.
        """
        wanted, inverse = torch.unique(ids.to("cpu", torch.int64), return_inverse=True)
        found: list[Population] = []
        places: list[Tensor] = []  # of the rows found, in ``wanted``
        for population in self._recent():
            held = torch.isin(population.ids, wanted)
            found.append(population.take(torch.nonzero(held).flatten())[0])
            places.append(torch.searchsorted(wanted, found[-1].ids))
        missing = torch.ones(len(wanted), dtype=torch.bool)
        if places:
            missing[torch.cat(places)] = False
        entries = self._journal.stones(wanted[missing].tolist())
        if len(entries) < int(missing.sum()):
            unknown = sorted(set(wanted[missing].tolist()) - {entry.id for entry in entries})
            raise KeyError(f"no stepping stone has the id {', '.join(map(str, unknown[:5]))}{', ...' if unknown[5:] else ''}")
        for name, members in _grouped(entries).items():
            for population in self._members(name, members):
                found.append(population)
                places.append(torch.searchsorted(wanted, population.ids))
        joined, _ = Population.join(*found)
        row = torch.empty(len(wanted), dtype=torch.int64)
        row[torch.searchsorted(wanted, joined.ids)] = torch.arange(len(joined))
        return joined, row[inverse]

    def truncate(self, iteration: int) -> None:
        """Removes segments past ``iteration``, what a killed process left half-written, and what was staged.

        Call it after :meth:`aiga.journal.Journal.truncate`, so that the index never names a segment that is gone.

        Raises:
            StorageError: if they cannot be removed.
        """
        self._staged = self._written = None
        if not self._folder.is_dir():
            return
        with storage(self._folder, f"going back to iteration {iteration}"):
            for path in self._folder.iterdir():
                match = _NAME.fullmatch(path.name)
                if (match and int(match[1]) > iteration) or path.name.endswith(".partial"):
                    path.unlink()
            sync_folder(self._folder)

    def losses(self) -> list[str]:
        """A line for each segment that is gone or cut, whose stepping stones so cannot be read; contents are not looked at."""
        out = []
        for name, size in self._journal.segments():
            path = self._folder / name
            found = path.stat().st_size if path.is_file() else None
            if found != size:
                what = "missing" if found is None else f"damaged: {found} bytes instead of {size}"
                out.append(f"{path}: {what}. Its stepping stones cannot be read. Restore the file from a copy of the run")
        return out

    def _recent(self) -> list[Population]:
        held = [staged for staged in (self._staged, self._written) if staged is not None]
        return [staged.population(role) for staged in held for role in staged.populations]

    def _members(self, name: str, entries: list[StoneEntry]) -> list[Population]:
        segment = self._load(name)
        out = []
        for role, population in segment.items():
            rows = [entry.row for entry in entries if entry.role == role]
            if rows:
                out.append(population.take(torch.tensor(rows))[0])
        return out

    def _load(self, name: str) -> dict[Role, Population]:
        path = self._folder / name
        expected = self._journal.segment(name)
        lost = "Its stepping stones cannot be read; all others can. Restore the file from a copy of the run"
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            raise StorageError(f"{path}: the file is missing. {lost}.") from None
        except OSError as error:
            raise StorageError(f"{path}: reading stepping stones failed: {error.strerror or error}. {lost}.") from error
        if len(content) != expected.size:
            raise StorageError(f"{path}: damaged: {len(content)} bytes instead of {expected.size}. {lost}.")
        if hashlib.sha256(content).hexdigest() != expected.sha256:
            raise StorageError(f"{path}: damaged: its content is not what was written (SHA-256 differs). {lost}.")
        tree = codec.loads(content)
        if tree["version"] > VERSION:
            raise StorageError(
                f"{path}: written by a newer aiga (version {tree['version']}, this one reads {VERSION}). Upgrade aiga."
            )
        return {"environment": tree["environment"], "agent": tree["agent"]}


def _batches(population: Population | Batch) -> tuple[Batch, ...]:
    return (population,) if isinstance(population, Batch) else population.batches


def _copy(batch: Batch) -> Batch:
    batch = batch.explicit()
    leaves = {name: leaf.detach().clone() for name, leaf in batch.leaves.items()}
    return replace(batch, ids=batch.ids.to("cpu", torch.int64, copy=True), leaves=leaves)


def _entries(population: Population, role: Role, name: str, iteration: int) -> list[StoneEntry]:
    kinds = [kind.hash for kind in population.kinds]
    ids = population.ids.tolist()
    return [StoneEntry(id, role, name, row, kind, iteration) for row, (id, kind) in enumerate(zip(ids, kinds, strict=True))]


def _grouped(entries: list[StoneEntry]) -> dict[str, list[StoneEntry]]:
    groups: dict[str, list[StoneEntry]] = {}
    for entry in entries:
        groups.setdefault(entry.segment, []).append(entry)
    return groups
