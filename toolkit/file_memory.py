"""What is known of files of weights, kept between starts: reading thousands of headers or gigabytes twice is waste.

It is a cache: deleting it, or losing it, costs the time to read the files again and nothing else.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import queue
import sqlite3
import threading
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

FILE = "model-files.sqlite"
VERSION = 2
_SMALL = 64 * 1024 * 1024
_BUSY_SECONDS = 2.0

Facts = Mapping[str, Any]
Stamp = tuple[int, int]


class FileMemory:
    """Facts and SHA-256 hashes of files, by path, as long as their time and size stay the same.

    Without a `path` they are kept for this process only. Large files are hashed one after the other by a thread.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._facts: dict[str, tuple[Stamp, Facts]] = {}
        self._hashes: dict[str, tuple[Stamp, str]] = {}
        self._fresh: dict[str, tuple[Stamp, Facts]] = {}
        self._asked: set[tuple[str, Stamp]] = set()
        self._waiting: queue.SimpleQueue[tuple[str, Stamp]] = queue.SimpleQueue()
        self._hasher: threading.Thread | None = None
        self._read()

    def facts(self, path: str, stamp: Stamp, find: Callable[[], Facts]) -> Facts:
        """What is known of a file, found out by `find` when it isn't known yet."""
        known = self._facts.get(path)
        if known is not None and known[0] == stamp:
            return known[1]
        found = find()
        with self._lock:
            self._facts[path] = self._fresh[path] = (stamp, found)
        return found

    def save(self) -> None:
        """Keep what was found since the last time for the next start."""
        with self._lock:
            fresh, self._fresh = self._fresh, {}
        rows = [(path, *stamp, json.dumps(found)) for path, (stamp, found) in fresh.items()]
        self._write("INSERT OR REPLACE INTO facts VALUES (?, ?, ?, ?)", rows)

    def sha256(self, path: Path, wait: bool = False) -> str | None:
        """The hash of a file, None while a large one is still being read; with `wait` it is read here and now."""
        stat = path.stat()
        key, stamp = os.path.abspath(path), (stat.st_mtime_ns, stat.st_size)
        with self._lock:
            known = self._hashes.get(key)
            if known is not None and known[0] == stamp:
                return known[1]
            first = (key, stamp) not in self._asked
            self._asked.add((key, stamp))
        if wait or stat.st_size <= _SMALL:
            return self._hash(key, stamp)
        if first:
            self._waiting.put((key, stamp))
            self._start()
        return None

    def known(self, path: Path) -> str | None:
        """The hash of a file if it is known by now, or found at once; no large file is read for it."""
        stat = path.stat()
        kept = self._hashes.get(os.path.abspath(path))
        if kept is not None and kept[0] == (stat.st_mtime_ns, stat.st_size):
            return kept[1]
        return self.sha256(path) if stat.st_size <= _SMALL else None

    def with_hash(self, digits: str) -> list[Path]:
        """The files, as they are now, whose hash is known and begins with `digits`."""
        with self._lock:
            paths = [Path(path) for path, (_, value) in self._hashes.items() if value.startswith(digits)]
        return [path for path in paths if path.is_file() and (self.known(path) or "").startswith(digits)]

    def _start(self) -> None:
        with self._lock:
            if self._hasher is None:
                self._hasher = threading.Thread(target=self._work, name="model-hash", daemon=True)
                self._hasher.start()

    def _work(self) -> None:
        while True:
            path, stamp = self._waiting.get()
            try:
                if not self._learn(path, stamp):
                    self._hash(path, stamp)
            except OSError as error:
                log.info("%s could not be hashed: %s", path, error)
                with self._lock:
                    self._asked.discard((path, stamp))

    def _learn(self, path: str, stamp: Stamp) -> bool:
        """Take a hash that another process has found meanwhile."""
        if self._path is None:
            return False
        try:
            with closing(self._open()) as connection:
                row = connection.execute(
                    "SELECT sha256 FROM hashes WHERE path = ? AND mtime = ? AND size = ?", (path, *stamp)
                ).fetchone()
        except (OSError, sqlite3.Error):
            return False
        if row is not None:
            with self._lock:
                self._hashes[path] = (stamp, row[0])
        return row is not None

    def _hash(self, path: str, stamp: Stamp) -> str:
        with open(path, "rb") as file:
            value = hashlib.file_digest(file, "sha256").hexdigest()
        with self._lock:
            self._hashes[path] = (stamp, value)
        self._write("INSERT OR REPLACE INTO hashes VALUES (?, ?, ?, ?)", [(path, *stamp, value)])
        return value

    def _read(self) -> None:
        if self._path is None:
            return
        try:
            with closing(self._open()) as connection:
                for path, mtime, size, found in connection.execute("SELECT * FROM facts"):
                    self._facts[path] = (mtime, size), json.loads(found)
                for path, mtime, size, value in connection.execute("SELECT * FROM hashes"):
                    self._hashes[path] = (mtime, size), value
        except (OSError, sqlite3.OperationalError) as error:
            log.info("%s can't be read now (%s)", self._path, error)  # another process is making it
        except (sqlite3.Error, ValueError) as error:
            log.warning("%s is damaged (%s); it is made again", self._path, error)
            self._facts, self._hashes = {}, {}
            self._discard()

    def _write(self, statement: str, rows: list[tuple[Any, ...]]) -> None:
        if self._path is None or not rows:
            return
        try:
            with closing(self._open()) as connection, connection:
                connection.executemany(statement, rows)
        except (OSError, sqlite3.Error) as error:
            log.warning("%s can't be written (%s); it is only remembered until the end", self._path, error)

    def _open(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(self._path, timeout=_BUSY_SECONDS)
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version != VERSION:
            connection.executescript(
                f"""
                BEGIN IMMEDIATE;
                DROP TABLE IF EXISTS facts; DROP TABLE IF EXISTS hashes;
                CREATE TABLE facts (path TEXT PRIMARY KEY, mtime INTEGER, size INTEGER, facts TEXT);
                CREATE TABLE hashes (path TEXT PRIMARY KEY, mtime INTEGER, size INTEGER, sha256 TEXT);
                PRAGMA user_version = {VERSION};
                COMMIT;
                """
            )
        return connection

    def _discard(self) -> None:
        try:
            self._path.unlink(missing_ok=True)
        except OSError as error:
            log.warning("%s can't be deleted: %s", self._path, error)
