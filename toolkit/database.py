"""The studio's SQLite file: opened safely, checked, migrated, and put aside when it is damaged.

One connection behind one lock serves all threads; other processes that use the same file (a second page, the command
line) are waited for up to five seconds. Nothing that can't be made again from the pictures lives here alone but the
waiting jobs and who owns what.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from toolkit.complaints import BUSY_SECONDS, OUTSIDE, database_sentence, folder_sentence, result_kind
from toolkit.errors import StorageError
from toolkit.sessions import Session

log = logging.getLogger(__name__)

# Each entry brings a database from version i to i + 1; published entries never change.
MIGRATIONS = (
    """
    CREATE TABLE pictures (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        path TEXT NOT NULL UNIQUE,
        who TEXT NOT NULL,
        job TEXT NOT NULL,
        place INTEGER NOT NULL,
        created REAL NOT NULL,
        width INTEGER NOT NULL,
        height INTEGER NOT NULL,
        request TEXT NOT NULL,
        words TEXT NOT NULL,
        deleted REAL,
        missing INTEGER NOT NULL DEFAULT 0
    );
    CREATE INDEX pictures_newest ON pictures (who, created DESC, seq DESC) WHERE deleted IS NULL AND missing = 0;
    CREATE INDEX pictures_by_job ON pictures (job, place);
    CREATE TABLE jobs (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        who TEXT NOT NULL,
        role TEXT NOT NULL,
        request TEXT NOT NULL,
        exact INTEGER NOT NULL,
        state TEXT NOT NULL,
        created REAL NOT NULL,
        started REAL,
        ended REAL,
        error TEXT,
        seconds TEXT NOT NULL DEFAULT '{}',
        alone INTEGER NOT NULL DEFAULT 0,
        returned INTEGER NOT NULL DEFAULT 0,
        session TEXT NOT NULL
    );
    CREATE INDEX jobs_by_state ON jobs (state, who, seq);
    CREATE INDEX jobs_by_person ON jobs (who, ended);
    CREATE TABLE people (id TEXT PRIMARY KEY, served INTEGER NOT NULL) WITHOUT ROWID;
    """,
)


class Database:
    """Opens, checks and migrates `path`, making it (and its folder) when it is not there.

    A damaged file is renamed to NAME.damaged-TIME and an empty one takes its place; `damaged` then holds the new name.
    Raises StorageError when the file can't be opened or was made by a newer Limner.
    """

    def __init__(self, path: str | Path, migrations: Sequence[str] = MIGRATIONS) -> None:
        self.path = Path(path)
        self.damaged: Path | None = None
        self._lock = threading.RLock()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.session = Session(self.path.with_name(self.path.name + "-sessions"))
        except OSError as error:
            raise StorageError(folder_sentence(self.path.parent, error)) from error
        try:
            with _told_plainly(self.path):
                self._connection = self._open_sound()
                self._migrate(migrations)
        except StorageError:
            self.close()
            raise
        except OSError as error:
            self.close()
            raise StorageError(folder_sentence(self.path.parent, error)) from error

    def _open_sound(self) -> sqlite3.Connection:
        connection = _connect(self.path)
        try:
            _prepare(connection)
            complaint = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
        except sqlite3.DatabaseError as error:
            if result_kind(error) in OUTSIDE:
                connection.close()
                raise
            complaint = str(error)
        if complaint == "ok":
            return connection
        connection.close()
        self.damaged = _put_aside(self.path)
        log.warning("%s is damaged (%s) and was renamed to %s", self.path, complaint, self.damaged.name)
        connection = _connect(self.path)
        _prepare(connection)
        return connection

    def _migrate(self, migrations: Sequence[str]) -> None:
        version = self._version()
        if version > len(migrations):
            raise StorageError(
                f"{self.path} was made by a newer Limner (its version is {version}, this one knows {len(migrations)}); "
                "update Limner, or choose another folder with --data."
            )
        if 0 < version < len(migrations):
            with closing(sqlite3.connect(self.path.with_name(f"{self.path.name}.backup-{version}"))) as copy:
                self._connection.backup(copy)
        while version < len(migrations):
            with self.transaction() as connection:
                # Another process may have migrated while this one waited for the lock.
                version = self._version()
                if version < len(migrations):
                    for statement in filter(str.strip, migrations[version].split(";")):
                        connection.execute(statement)
                    version += 1
                    connection.execute(f"PRAGMA user_version = {version}")

    def _version(self) -> int:
        return self._connection.execute("PRAGMA user_version").fetchone()[0]

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing, alone on the database; raises StorageError when it can't be read or written."""
        with self._lock, _told_plainly(self.path), self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            yield self._connection

    def rows(self, statement: str, values: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """All rows of a query; raises StorageError when the database can't be read."""
        with self._lock, _told_plainly(self.path):
            return self._connection.execute(statement, values).fetchall()

    def close(self) -> None:
        """Let go of the file; may be called twice."""
        with self._lock:
            if hasattr(self, "_connection"):
                self._connection.close()
            self.session.close()


def _connect(path: Path) -> sqlite3.Connection:
    # Python's own transaction handling is off: `transaction` says BEGIN IMMEDIATE, so that a lock is never upgraded.
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    return connection


def _prepare(connection: sqlite3.Connection) -> None:
    connection.execute(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")


def _put_aside(path: Path) -> Path:
    """Rename the file with what belongs to it; WAL and shared memory of a damaged file must not meet the new one."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    aside = path.with_name(f"{path.name}.damaged-{stamp}")
    number = 1
    while aside.exists():
        number += 1
        aside = path.with_name(f"{path.name}.damaged-{stamp}-{number}")
    for ending in ("-wal", "-shm"):
        beside = path.with_name(path.name + ending)
        if beside.exists():
            beside.replace(aside.with_name(aside.name + ending))
    return path.replace(aside)


@contextmanager
def _told_plainly(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise StorageError(database_sentence(path, error)) from error
