"""The events that were found, kept on disk from the moment they are known.

Two kinds of file: SQLite (any name), for questions asked while the stream goes on, and `.jsonl`, one JSON
object a line, for pipes and people. Each event is on the disk when `add` returns: what was reported is still
there after a crash or a power cut.
"""

from __future__ import annotations

import json
import math
import os
import sqlite3
import threading
from abc import abstractmethod
from contextlib import closing
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from .closing import Closing
from .errors import StoreError, reason
from .whole import refuse_missing_folder

SCHEMA_VERSION = 2
"""Version of the SQLite tables, in the file's `user_version`."""

_APPLICATION_ID = 0x4D61674D  # "MagM": says whose database it is, in the file's header.
_BUSY_S = 5.0  # Another program's read or checkpoint takes milliseconds.
_TABLE = """
CREATE TABLE events (
    id INTEGER PRIMARY KEY,
    stream TEXT NOT NULL,
    track INTEGER NOT NULL,
    onset REAL NOT NULL,
    apex REAL NOT NULL,
    "offset" REAL NOT NULL,
    kind TEXT NOT NULL,
    label TEXT,
    probabilities TEXT NOT NULL,
    intensity_px REAL NOT NULL,
    model_id TEXT NOT NULL,
    made_faces INTEGER NOT NULL,
    wall_time TEXT NOT NULL,
    run_start TEXT NOT NULL,
    motion TEXT,
    action_units TEXT,
    confidence REAL
)
"""
# Kept as JSON in a database.
_NESTED = ("probabilities", "motion", "action_units")


@dataclass(frozen=True, slots=True)
class Event:
    """One expression that was seen.

    `stream` names the source, `track` the face in it. `onset`, `apex` and `offset` are seconds of the
    stream's own time. `kind` is "micro", "macro" or "blink"; `label` the expression, None where none was
    named (a blink); `probabilities` those of all labels. `intensity_px` is the largest displacement in pixels
    of the crop. `model_id` names the classifier, `made_faces` says that it was trained on made faces.
    `wall_time` is the time of day when the event became known, `run_start` that when the watching began, the
    same for all events of a run: it tells two runs in one file apart. Both are ISO 8601. `motion` is where
    each part of the face that moved went by the apex, [x, y] in pixels of the crop, to the right and down;
    `action_units` are those it may show, likeliest first; `confidence` is `Interval.confidence`. These three
    are not in files of earlier versions: empty and None. Raises ValueError for times that are out of order
    and for numbers that are not finite.
    """

    stream: str
    track: int
    onset: float
    apex: float
    offset: float
    kind: str
    label: str | None
    probabilities: dict[str, float]
    intensity_px: float
    model_id: str
    made_faces: bool
    wall_time: str
    run_start: str
    motion: dict[str, list[float]] = field(default_factory=dict)
    action_units: list[int] = field(default_factory=list)
    confidence: float | None = None

    def __post_init__(self) -> None:
        numbers = [self.onset, self.apex, self.offset, self.intensity_px, *self.probabilities.values()]
        numbers += [number for place in self.motion.values() for number in place]
        numbers += [] if self.confidence is None else [self.confidence]
        if not all(math.isfinite(number) for number in numbers):
            raise ValueError(f"an event's times, motion and probabilities must be finite: {self}")
        if not self.onset <= self.apex <= self.offset:
            raise ValueError(
                f"onset {self.onset}, apex {self.apex} and offset {self.offset} s: must be in this order"
            )


_COLUMNS = tuple(column.name for column in fields(Event))
# Came later than the files of some users: their columns are added where such a file is written to.
_LATER = {"motion": "TEXT", "action_units": "TEXT", "confidence": "REAL"}
# What our lines begin with: only what is surely ours may be mended.
_LINE_START = f'{{"{_COLUMNS[0]}": '.encode()


class EventStore(Closing):
    """A file that events are added to, from any thread; a context manager that closes it."""

    @abstractmethod
    def add(self, event: Event) -> None:
        """Write the event and wait until it is on the disk; raise StoreError if it cannot be."""

    @abstractmethod
    def close(self) -> None:
        """Close the file; closing again does nothing."""


def open_store(path: str | Path) -> EventStore:
    """Open or make a file for events: JSON lines if its name ends in `.jsonl`, SQLite otherwise.

    What an existing file holds is kept. Raises StoreError where the folder is missing or not writable, or
    where the file is not one of ours or a newer version's.
    """
    path = Path(path)
    refuse_missing_folder(path)
    if path.exists() and not path.is_file():
        raise StoreError(f"{path} is a folder or a device; give the name of a file")
    return _LineStore(path) if _is_lines(path) else _DatabaseStore(path)


def read_events(path: str | Path) -> list[Event]:
    """Read the events of a file, in the order they were added, also while it is being written.

    A last line that a crash cut short is left out. Raises StoreError where there is no such file or it is
    not one of ours.
    """
    path = Path(path)
    if not path.is_file():
        raise StoreError(f"{path}: there is no such file; give one that was written with --events")
    return _read_lines(path)[0] if _is_lines(path) else _read_database(path)


def _is_lines(path: Path) -> bool:
    return path.suffix.lower() == ".jsonl"


class _LineStore(EventStore):
    """JSON lines, each flushed to the disk."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        try:
            is_new = not path.exists()
            torn = 0 if is_new else _read_lines(path)[1]
            self._file = path.open("ab", buffering=0)
            self._whole = self._file.tell() - torn
            # What a crash left of a last line would spoil the next one.
            self._file.truncate(self._whole)
            if self._whole and not torn:
                self._end_last_line()
            if is_new:
                _flush_folder(path.parent)
        except OSError as error:
            raise StoreError(f"{path} cannot be written: {reason(error)}; give another path") from error

    def _end_last_line(self) -> None:
        """Give the last event its line end, which editors leave out."""
        with self._path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            if file.read() != b"\n":
                self._whole += self._file.write(b"\n")

    def add(self, event: Event) -> None:
        line = (json.dumps(asdict(event), ensure_ascii=False, allow_nan=False) + "\n").encode()
        with self._lock:
            if self._file.closed:
                raise StoreError(f"{self._path} is closed: events cannot be added any more")
            try:
                written = 0
                while written < len(line):
                    written += self._file.write(line[written:])
                os.fsync(self._file.fileno())
            except OSError as error:
                # A full disk takes half a line: nothing, then, rather than a broken file.
                self._file.truncate(self._whole)
                raise StoreError(f"{self._path} cannot be written: {reason(error)}") from error
            self._whole += len(line)

    def close(self) -> None:
        with self._lock:
            self._file.close()


class _DatabaseStore(EventStore):
    """SQLite with a write-ahead log: readers never wait for the writer, nor it for them."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        connection: sqlite3.Connection | None = None
        try:
            # One connection, used under a lock: the monitor's threads are not the one that opened it.
            # No isolation level: transactions are begun and ended here, by name.
            connection = sqlite3.connect(path, timeout=_BUSY_S, check_same_thread=False, isolation_level=None)
            _prepare(connection, path=path)
        except BaseException as error:
            if connection is not None:
                connection.close()
            if isinstance(error, sqlite3.Error):
                raise _database_error(path, error) from error
            raise
        self._connection: sqlite3.Connection | None = connection

    def add(self, event: Event) -> None:
        row = asdict(event)
        for name in _NESTED:
            row[name] = json.dumps(row[name], ensure_ascii=False, allow_nan=False)
        names = ", ".join(f'"{name}"' for name in _COLUMNS)
        places = ", ".join(f":{name}" for name in _COLUMNS)
        with self._lock:
            if self._connection is None:
                raise StoreError(f"{self._path} is closed: events cannot be added any more")
            try:
                self._connection.execute(f"INSERT INTO events ({names}) VALUES ({places})", row)
            except sqlite3.Error as error:
                raise StoreError(f"{self._path} cannot be written: {error}") from error

    def close(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None


def _prepare(connection: sqlite3.Connection, *, path: Path) -> None:
    """Check whose database it is before anything in it is changed, and make the table in an empty one."""
    _check_owner(connection, path=path)
    connection.execute("PRAGMA journal_mode = WAL")
    # FULL: the log is on the disk when a commit returns, and not only handed to the system.
    connection.execute("PRAGMA synchronous = FULL")
    # Two programs may open a new file at once: the second waits here, and finds the table made.
    connection.execute("BEGIN IMMEDIATE")
    try:
        if _check_owner(connection, path=path) == 0:
            connection.execute(_TABLE)
            connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        for name in _LATER.keys() - _columns_of(connection):
            connection.execute(f"ALTER TABLE events ADD COLUMN {name} {_LATER[name]}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _columns_of(connection: sqlite3.Connection) -> set[str]:
    return {row[1] for row in connection.execute("PRAGMA table_info(events)")}


def _check_owner(connection: sqlite3.Connection, *, path: Path) -> int:
    """Give the schema version, 0 for an empty database; raise StoreError if it is not ours to touch."""
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    owner = int(connection.execute("PRAGMA application_id").fetchone()[0])
    tables = int(connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])
    if owner == 0 and version == 0 and tables == 0:
        return 0
    if owner != _APPLICATION_ID:
        raise StoreError(f"{path} is another program's database; give another path for the events")
    if version != SCHEMA_VERSION:
        way_out = "update it" if version > SCHEMA_VERSION else "give another path for the events"
        raise StoreError(
            f"{path} has schema version {version}, this MagnifyMe knows only {SCHEMA_VERSION}: {way_out}"
        )
    return version


def _read_database(path: Path) -> list[Event]:
    address = path.resolve().as_uri()
    # Without a log nobody is writing, and in a folder that is read-only no log can be made beside the file.
    log = path.with_name(path.name + "-wal")
    query = "?mode=ro" if log.exists() or os.access(path.parent, os.W_OK) else "?immutable=1"
    try:
        with closing(sqlite3.connect(address + query, uri=True, timeout=_BUSY_S)) as connection:
            if _check_owner(connection, path=path) == 0:
                raise StoreError(f"{path} is empty: no events have been written to it")
            there = _columns_of(connection)
            columns = [name for name in _COLUMNS if name in there or name not in _LATER]
            names = ", ".join(f'"{name}"' for name in columns)
            rows = connection.execute(f"SELECT {names} FROM events ORDER BY id").fetchall()
    except sqlite3.Error as error:
        raise _database_error(path, error) from error
    return [_from_row(dict(zip(columns, row, strict=True))) for row in rows]


def _from_row(row: dict[str, Any]) -> Event:
    # What an earlier version wrote has no value in the later columns.
    known = {name: value for name, value in row.items() if value is not None or name not in _LATER}
    for name in known.keys() & set(_NESTED):
        known[name] = json.loads(known[name])
    known["made_faces"] = bool(known["made_faces"])
    return Event(**known)


def _read_lines(path: Path) -> tuple[list[Event], int]:
    """Read the events of a JSON lines file; give them and how many bytes a torn last line has."""
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {reason(error)}") from error
    last = lines.pop()
    if last and _is_json(last):  # whole, but for the line end
        lines.append(last)
        last = b""
    if not last.startswith(_LINE_START[: len(last)]):
        raise StoreError(f"{path}: its end is not an event; give another path for the events")
    events = []
    for number, line in enumerate(lines, 1):
        try:
            values = json.loads(line)
            # A later version may say more of an event; what this one knows must be there.
            known = [name for name in _COLUMNS if name in values or name not in _LATER]
            events.append(Event(**{name: values[name] for name in known}))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise StoreError(f"{path}, line {number}: not an event; give another path") from error
    return events, len(last)


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def _database_error(path: Path, error: sqlite3.Error) -> StoreError:
    if isinstance(error, sqlite3.OperationalError):
        return StoreError(f"{path} cannot be opened: {error}; give a path that can be written")
    return StoreError(f"{path} is no SQLite database; give another path for the events")


def _flush_folder(folder: Path) -> None:
    """Put a new file's name on the disk too; only POSIX systems know how."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
