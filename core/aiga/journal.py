"""The journal: what happened in a run, append-only, in SQLite with a write-ahead log.

Two streams. *search* is a function of seed and config alone; *operations* (starts, stops, checkpoints, times) is not. An
iteration is one transaction: it is there whole, index of its stepping stones included, or not at all.
"""

from __future__ import annotations

import contextlib
import json
import math
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from aiga.database import guarded, reader, writer
from aiga.errors import InputError, StorageError
from aiga.views import ANNECS, COVERAGE, LINEAGE, STANDINGS, VIEWS, table

if TYPE_CHECKING:
    import pandas as pd

VERSION = 1
PAGE = 1000  # rows read at a time: a reader holds no lock for longer, so that the log can be folded back into the file
RESERVED = ("id", "iteration", "type", "time")
_TABLES = ("search", "stones", "segments", "iterations")  # what a truncation shortens
_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE search (id INTEGER PRIMARY KEY, iteration INTEGER NOT NULL, type TEXT NOT NULL, data TEXT NOT NULL);
CREATE TABLE operations (id INTEGER PRIMARY KEY, iteration INTEGER, time REAL NOT NULL, type TEXT NOT NULL, data TEXT NOT NULL);
CREATE TABLE iterations (iteration INTEGER PRIMARY KEY, time REAL NOT NULL);
CREATE TABLE segments (name TEXT PRIMARY KEY, iteration INTEGER NOT NULL, sha256 TEXT NOT NULL, size INTEGER NOT NULL);
CREATE TABLE stones (id INTEGER PRIMARY KEY, role TEXT NOT NULL CHECK (role IN ('environment', 'agent')),
                     segment TEXT NOT NULL, row INTEGER NOT NULL, kind TEXT NOT NULL, iteration INTEGER NOT NULL);
CREATE INDEX search_type ON search (type, iteration);
CREATE INDEX search_iteration ON search (iteration);
CREATE INDEX stones_iteration ON stones (iteration)
"""


@dataclass(frozen=True)
class StoneEntry:
    """Where a stepping stone lies: row ``row`` of the environments or agents of a segment; ``kind`` is the hash of its kind."""

    id: int
    role: Literal["environment", "agent"]
    segment: str
    row: int
    kind: str
    iteration: int


@dataclass(frozen=True)
class Segment:
    """A file of stepping stones, and the entries of those in it; ``entries`` is empty where one is looked up."""

    name: str
    iteration: int
    sha256: str
    size: int
    entries: tuple[StoneEntry, ...] = ()


def canonical(data: Mapping[str, Any]) -> str:
    """``data`` as JSON that is the same for equal data: keys sorted, floats by ``repr``, ASCII, no blanks.

    NaN becomes null and infinities the strings ``"Infinity"`` and ``"-Infinity"``, so that every JSON reader accepts a line.

    Raises:
        TypeError: for anything but None, bool, int, float, str, lists, tuples and mappings.
    """
    return json.dumps(_finite(data), sort_keys=True, separators=(",", ":"), allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value


class Journal:
    """The journal of one run. One process writes, any number read meanwhile.

    Args:
        path: of ``journal.db``; made where it is missing, unless ``readonly``.
        readonly: change nothing; works on a full disk and on media that cannot be written, too.

    Raises:
        InputError: if a newer aiga wrote it.
        StorageError: here and in every method, if the file is missing, damaged, or cannot be written.
    """

    def __init__(self, path: Path, readonly: bool = False) -> None:
        self.path, self.readonly = Path(path), readonly
        with self._guarded("opening it"):
            self._db = reader(self.path) if readonly else writer(self.path)
        try:
            with self._guarded("reading its version"):
                self._check_version()
            if not readonly:
                with self._transaction("making its tables"):
                    self._prepare()
        except BaseException:
            self._db.close()
            raise

    def close(self) -> None:
        """Folds the log into the file and lets go of it."""
        with self._guarded("closing it"):
            self._db.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def commit(
        self,
        iteration: int,
        search: Sequence[tuple[str, Mapping[str, Any]]],
        operations: Sequence[tuple[str, Mapping[str, Any]]] = (),
        stones: Segment | None = None,
    ) -> None:
        """Writes an iteration in one transaction, forced to the disk: all of it, or nothing.

        Args:
            iteration: above every one committed.
            search: (type, data) rows in order; data are JSON-able, without the keys in ``RESERVED``.
            operations: rows of the other stream.
            stones: what :meth:`aiga.stones.Stones.write` returned.

        Raises:
            ValueError: if the iteration was committed before, a key is reserved, or a stepping stone is already there.
        """
        rows = [(iteration, kind, _encode(data)) for kind, data in search]
        now = time.time()
        with self._transaction(f"committing iteration {iteration}"):
            last = self._last()
            if last is not None and iteration <= last:
                raise ValueError(f"iteration {iteration} cannot follow iteration {last}, which is committed")
            self._db.execute("INSERT INTO iterations VALUES (?, ?)", (iteration, now))
            self._db.executemany("INSERT INTO search (iteration, type, data) VALUES (?, ?, ?)", rows)
            self._add_operations(iteration, now, operations)
            if stones is not None:
                self._add_segment(stones)

    def operation(self, type: str, data: Mapping[str, Any], iteration: int | None = None) -> None:
        """Writes one row of *operations* at once; ``iteration`` is the last committed one where none is given."""
        with self._transaction(f"writing the operation {type!r}"):
            self._add_operations(self._last() if iteration is None else iteration, time.time(), [(type, data)])

    def truncate(self, iteration: int) -> int:
        """Deletes, in one transaction, what lies past ``iteration``; operations stay. Recomputed rows get the same ids again.

        Returns:
            How many rows of *search* were deleted.
        """
        with self._transaction(f"going back to iteration {iteration}"):
            deleted = {t: self._db.execute(f"DELETE FROM {t} WHERE iteration > ?", (iteration,)).rowcount for t in _TABLES}
        return deleted["search"]

    @property
    def iteration(self) -> int | None:
        """The last iteration committed; None before the first."""
        with self._guarded("reading it"):
            return self._last()

    def lines(self, since: int = 0, times: bool = False) -> Iterator[str]:
        """The search stream, one JSON object a row: ``id``, ``iteration``, ``type``, then the data with keys sorted.

        Args:
            since: only rows with a higher id.
            times: add ``time``, when the row's iteration was committed (UTC, to the millisecond).
        """
        for row, iteration, kind, data, stamp in self._pages(since):
            clock = f',"time":"{_clock(stamp)}"' if times and stamp is not None else ""
            rest = "," + data[1:-1] if data != "{}" else ""
            yield f'{{"id":{row},"iteration":{iteration},"type":{json.dumps(kind)}{rest}{clock}}}'

    def frame(self, type: str | None = None) -> pd.DataFrame:
        """The search stream, or its rows of one type: ``id``, ``iteration``, ``type``, then a column for every key in the data.

        Null becomes NaN in numeric columns and None in others; infinities are numbers again.
        """
        found = (row[:4] for row in self._pages(0)) if type is None else self._of_type(type)
        rows = [{"id": r, "iteration": iteration, "type": kind, **self._data(data)} for r, iteration, kind, data in found]
        return table(rows, ("id", "iteration", "type"))

    def operations(self, type: str | None = None) -> pd.DataFrame:
        """The operations stream, or its rows of one type, flat as :meth:`frame`; ``time`` is in seconds since 1970."""
        where, arguments = ("WHERE type = ?", (type,)) if type is not None else ("", ())
        with self._guarded("reading it"):
            found = self._db.execute(f"SELECT id, iteration, time, type, data FROM operations {where} ORDER BY id", arguments)
            rows = [dict(zip(("id", "iteration", "time", "type"), r[:4], strict=True)) | self._data(r[4]) for r in found]
        return table(rows, ("id", "iteration", "time", "type"))

    def counts(self) -> dict[str, int]:
        """How many rows of each type *search* holds."""
        return dict(self._select("SELECT type, COUNT(*) FROM search GROUP BY type ORDER BY type"))

    def last(self, type: str) -> dict[str, Any] | None:
        """The data of the latest row of a type, with its ``id`` and ``iteration``; None where there is none."""
        query = "SELECT id, iteration, data FROM search WHERE type = ? ORDER BY iteration DESC, id DESC LIMIT 1"
        found = self._select(query, (type,))
        return {"id": found[0][0], "iteration": found[0][1], **self._data(found[0][2])} if found else None

    def about(self, key: str, id: int, types: Sequence[str]) -> list[dict[str, Any]]:
        """The rows of these types whose ``key`` is ``id``, in order: their data with ``id``, ``iteration`` and ``type``."""
        marks = ", ".join("?" * len(types))
        query = f"""SELECT id, iteration, type, data FROM search
                    WHERE type IN ({marks}) AND json_extract(data, '$.' || ?) = ? ORDER BY id"""
        found = self._select(query, (*types, key, id))
        return [{"id": row[0], "iteration": row[1], "type": row[2], **self._data(row[3])} for row in found]

    def annecs(self) -> pd.DataFrame:
        """Environments created and later solved, accumulated over the iterations.

        Returns:
            ``iteration``; ``annecs_active``, those admitted since the founding and solved later, solved at birth left out;
            ``annecs``, of them those that passed the criterion against every agent that ever was, missing where the run never
            checked; ``solved_at_birth``, counted apart. An environment counts from the iteration it was first solved in.
        """
        return self._query_frame(ANNECS, ("iteration", "annecs_active", "annecs", "solved_at_birth"))

    def lineage(self) -> pd.DataFrame:
        """Who came of whom, a row a parent: ``iteration``, ``role`` (as of stones), ``child``, ``parent``, ``operator``."""
        return self._query_frame(LINEAGE, ("iteration", "role", "child", "parent", "operator"))

    def coverage(self) -> pd.DataFrame:
        """By iteration, accumulated: ``niches`` ever occupied (cells, levels) and ``environments`` ever admitted."""
        return self._query_frame(COVERAGE, ("iteration", "niches", "environments"))

    def standings(self) -> list[dict[str, Any]]:
        """Which pillars act, in the order first told: ``pillar``, ``plugin`` (None where it has none), ``acts`` and ``why``."""
        rows = [self._data(data) for (data,) in self._select(STANDINGS)]
        return [{name: row[name] for name in ("pillar", "plugin", "acts", "why")} for row in rows]

    def stones(self, ids: Sequence[int]) -> list[StoneEntry]:
        """The entries of these stepping stones, in order of id; unknown ids are left out."""
        query = """SELECT id, role, segment, row, kind, iteration FROM stones
                   WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id"""
        return [StoneEntry(*row) for row in self._select(query, (json.dumps(list(ids)),))]

    def segments(self) -> list[tuple[str, int]]:
        """Name and size in bytes of every file of stepping stones, in order."""
        return self._select("SELECT name, size FROM segments ORDER BY iteration")

    def segment(self, name: str) -> Segment:
        """A file of stepping stones.

        Raises:
            KeyError: if no such segment was committed.
        """
        found = self._select("SELECT name, iteration, sha256, size FROM segments WHERE name = ?", (name,))
        if not found:
            raise KeyError(name)
        return Segment(*found[0])

    def _pages(self, since: int) -> Iterator[tuple[int, int, str, str, float | None]]:
        query = f"""SELECT s.id, s.iteration, s.type, s.data, i.time
                    FROM search AS s LEFT JOIN iterations AS i USING (iteration)
                    WHERE s.id > ? ORDER BY s.id LIMIT {PAGE}"""
        while page := self._select(query, (since,)):
            yield from page
            since = page[-1][0]

    def _of_type(self, type: str) -> Iterator[tuple[int, int, str, str]]:
        # In the order of the index, which is that of the ids, so that no page needs a sort.
        query = f"""SELECT id, iteration, type, data FROM search
                    WHERE type = ? AND (iteration, id) > (?, ?) ORDER BY iteration, id LIMIT {PAGE}"""
        place = (-(2**63), 0)
        while page := self._select(query, (type, *place)):
            yield from page
            place = page[-1][1], page[-1][0]

    def _select(self, query: str, arguments: Sequence[Any] = ()) -> list[Any]:
        with self._guarded("reading it"):
            return self._db.execute(query, arguments).fetchall()

    def _query_frame(self, query: str, columns: Sequence[str]) -> pd.DataFrame:
        import pandas as pd

        return pd.DataFrame(self._select(query), columns=list(columns))

    def _data(self, text: str) -> dict[str, Any]:
        try:
            return json.loads(text)  # type: ignore[no-any-return]
        except ValueError as error:
            raise StorageError(f"{self.path}: a row is damaged ({error}). Restore it from a copy of the run.") from error

    def _last(self) -> int | None:
        return self._db.execute("SELECT MAX(iteration) FROM iterations").fetchone()[0]  # type: ignore[no-any-return]

    def _add_operations(self, iteration: int | None, now: float, operations: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        rows = [(iteration, now, kind, _encode(data)) for kind, data in operations]
        self._db.executemany("INSERT INTO operations (iteration, time, type, data) VALUES (?, ?, ?, ?)", rows)

    def _add_segment(self, segment: Segment) -> None:
        entries = [(e.id, e.role, e.segment, e.row, e.kind, e.iteration) for e in segment.entries]
        try:
            self._db.execute(
                "INSERT INTO segments VALUES (?, ?, ?, ?)", (segment.name, segment.iteration, segment.sha256, segment.size)
            )
            self._db.executemany("INSERT INTO stones VALUES (?, ?, ?, ?, ?, ?)", entries)
        except sqlite3.IntegrityError as error:
            raise ValueError(f"a stepping stone of {segment.name} is in the journal already: {error}") from error

    def _check_version(self) -> None:
        if not self._db.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone():
            if self.readonly:
                raise StorageError(f"{self.path}: not a journal: it has no table 'meta'. Restore it from a copy of the run.")
            return
        (found,) = self._db.execute("SELECT value FROM meta WHERE key = 'version'").fetchone()
        if int(found) > VERSION:
            raise InputError(
                f"{self.path}: written by a newer aiga (journal version {found}, this one reads {VERSION}). Upgrade aiga."
            )

    def _prepare(self) -> None:
        if not self._db.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone():
            for statement in _SCHEMA.split(";"):
                self._db.execute(statement)
            self._db.execute("INSERT INTO meta VALUES ('version', ?)", (str(VERSION),))
        held = dict(self._db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'view'"))
        for name, query in VIEWS.items():
            sql = f"CREATE VIEW {name} AS {query.strip()}"
            if held.get(name) != sql:
                self._db.execute(f"DROP VIEW IF EXISTS {name}")
                self._db.execute(sql)

    @contextlib.contextmanager
    def _transaction(self, doing: str) -> Iterator[None]:
        with self._guarded(doing):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                # SQLite rolls back by itself after some errors (a full disk among them), and not after others.
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def _guarded(self, doing: str) -> contextlib.AbstractContextManager[None]:
        return guarded(self.path, doing)


def _encode(data: Mapping[str, Any]) -> str:
    clash = [key for key in RESERVED if key in data]
    if clash:
        raise ValueError(f"the journal itself writes {', '.join(clash)}; give the data's key another name")
    return canonical(data)


def _clock(stamp: float) -> str:
    return datetime.fromtimestamp(stamp, UTC).isoformat(timespec="milliseconds")
