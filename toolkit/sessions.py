"""Which processes use a database right now: each holds the lock of a small file, which ends with the process."""

from __future__ import annotations

import os
import secrets
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import IO

if sys.platform == "win32":
    import msvcrt

    def _lock(file: IO[bytes]) -> None:
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock(file: IO[bytes]) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


class Session:
    """The time that one `Database` is open, known to other processes by `id` and seen by them to end, even by SIGKILL.

    Where a file system knows no locks, every other session counts as over.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.id = secrets.token_hex(8)
        self._folder = folder
        self._file: IO[bytes] | None = self._hold(folder / self.id)

    @staticmethod
    def _hold(path: Path) -> IO[bytes]:
        """Another process that looks between opening and locking takes the file for a dead one and removes it."""
        while True:
            file = path.open("wb")
            try:
                _lock(file)
            except (BlockingIOError, PermissionError):
                file.close()
                time.sleep(0.01)
                continue
            except OSError:
                return file
            if path.exists():
                return file
            file.close()

    def others(self) -> set[str]:
        """The ids of the other sessions that are alive; removes what dead ones left."""
        return {path.name for path in self._folder.iterdir() if path.name != self.id and _is_held(path)}

    def close(self) -> None:
        """May be called twice."""
        if self._file is not None:
            self._file.close()
            self._file = None
            (self._folder / self.id).unlink(missing_ok=True)


def _is_held(path: Path) -> bool:
    try:
        with path.open("r+b") as file:
            _lock(file)
            if os.name == "posix":
                path.unlink(missing_ok=True)
    except (BlockingIOError, PermissionError):
        return True
    except OSError:
        return False
    # Windows removes no open file, and refuses when the owner has just opened it again.
    with suppress(OSError):
        path.unlink(missing_ok=True)
    return False
