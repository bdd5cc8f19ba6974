"""What a disk or a database that fails means to a person: one sentence with the place and the remedy."""

from __future__ import annotations

import errno
import sqlite3
from pathlib import Path

BUSY_SECONDS = 5.0


def result_kind(error: sqlite3.Error) -> int | None:
    """SQLite's primary result code; the extended ones keep it in their lowest byte."""
    code = getattr(error, "sqlite_errorcode", None)
    return code & 0xFF if code is not None else None


# What can go wrong with a sound database: the disk, the permissions, another program.
OUTSIDE = {
    sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM,
}  # fmt: skip


def database_sentence(path: Path, error: sqlite3.Error) -> str:
    kind = result_kind(error)
    if kind == sqlite3.SQLITE_FULL:
        return disk_full(path.parent)
    if kind == sqlite3.SQLITE_BUSY:
        return f"{path} has been busy for {BUSY_SECONDS:g} seconds; close other programs that use it and try again."
    if kind in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return f"{path} is damaged; start Limner again, and it puts the file aside and reads the pictures anew."
    if kind in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_IOERR):
        return f"{path} can't be written ({error}); make its folder writable, or choose another one with --data."
    return f"{path} can't be used ({error}); choose another folder with --data."


def disk_full(folder: Path) -> str:
    return f"The disk that holds {folder} is full; free some space, or choose another folder with --data."


def is_disk_full(error: OSError) -> bool:
    return error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)) or getattr(error, "winerror", 0) == 112


def folder_sentence(folder: Path, error: OSError) -> str:
    if is_disk_full(error):
        return disk_full(folder)
    why = error.strerror or error
    return f"The folder {folder} can't be used ({why}); make it writable, or choose another with --data."
