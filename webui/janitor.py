"""Clears the folder where Gradio keeps its temporary files; Gradio's own cleaner stops for good under load."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path

log = logging.getLogger(__name__)

EVERY = 60.0
OLD = 3600.0
YOUNG = 600.0
MAX_BYTES = 2 * 1024**3


class Janitor:
    """A thread that sweeps every minute while the context lasts."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="limner-janitor", daemon=True)

    def __enter__(self) -> Janitor:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        while not self._closing.is_set():
            sweep(self._folder)
            self._closing.wait(EVERY)


def sweep(folder: Path, *, now: float | None = None, max_bytes: int = MAX_BYTES) -> int:
    """Delete files older than an hour, then the oldest until `max_bytes` are left; returns how many went.

    A file younger than ten minutes stays: a page may be about to fetch it.
    """
    now = time.time() if now is None else now
    files = sorted(_files(folder))
    total, gone = sum(size for _, size, _ in files), 0
    for changed, size, path in files:
        age = now - changed
        if age < YOUNG or (age <= OLD and total <= max_bytes):
            continue
        try:
            path.unlink()
        except OSError as error:  # Windows keeps a file that is being read
            log.debug("%s stays: %s", path, error)
            continue
        total, gone = total - size, gone + 1
    for path in sorted((path for path in folder.rglob("*") if path.is_dir()), reverse=True):
        try:
            if now - path.stat().st_mtime > YOUNG:
                path.rmdir()
        except OSError:
            continue  # not empty, or already gone
    return gone


def _files(folder: Path) -> list[tuple[float, int, Path]]:
    found = []
    for path in folder.rglob("*"):
        try:
            if path.is_file() or path.is_symlink():
                found.append((path.lstat().st_mtime, path.lstat().st_size, path))
        except OSError:
            continue  # gone between the listing and the look
    return found
