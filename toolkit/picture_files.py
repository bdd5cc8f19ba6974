"""The gallery's files on the disk: written whole or not at all, never over another one, removed only from inside."""

from __future__ import annotations

import logging
import os
import re
import time
from contextlib import ExitStack, suppress
from pathlib import Path

from toolkit.complaints import disk_full, is_disk_full
from toolkit.errors import StorageError
from toolkit.exports import exports_of

log = logging.getLogger(__name__)

PART = ".part"
_NUMBER = re.compile(r"(\d{1,9})[-.].*")


class PictureFiles:
    """FOLDER/DATE/NUMBER-SEED.png; while a file is written, DATE/NUMBER.part holds its number and its bytes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, day: str, seed: int | None, content: bytes | memoryview) -> Path:
        """Save `content` under the day's next number and return its path; raises StorageError, leaving nothing."""
        folder = self._folder / day
        try:
            folder.mkdir(parents=True, exist_ok=True)
            number, part = _reserve(folder)
            path = folder / f"{number:05}-{seed if seed is not None else 'unknown'}.png"
            with ExitStack() as undo:
                undo.callback(_discard, part)
                with part.open("r+b") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(part, path)
                # From here on, a file of the part's name is somebody else's.
                undo.pop_all()
            _sync_folder(folder)
        except OSError as error:
            raise StorageError(_sentence(folder, error, len(content))) from error
        return path

    def names(self) -> set[str]:
        """All pictures, relative to the folder, with forward slashes."""
        names = (path.relative_to(self._folder).as_posix() for path in self._listed("*.png"))
        return {name for name in names if _is_unicode(name)}

    def remove_parts(self, older_than_s: float) -> None:
        """Remove what a crash left unfinished; with other studios at work, only what is `older_than_s` old."""
        for pattern in (f"*{PART}", f".thumbs/*/*{PART}"):
            for part in self._listed(pattern):
                with suppress(OSError):
                    if time.time() - part.stat().st_mtime >= older_than_s:
                        part.unlink()

    def remove(self, name: str) -> bool:
        """Remove one picture; False when it can't be, or doesn't lie in the folder."""
        path = self._folder / name
        try:
            if not path.parent.resolve().is_relative_to(self._folder.resolve()):
                log.warning("%s lies outside of %s and is left alone", path, self._folder)
                return False
            path.unlink(missing_ok=True)
            for made in exports_of(path):
                made.unlink(missing_ok=True)
        except OSError as error:
            log.warning("%s can't be removed: %s", path, error)
            return False
        return True

    def _listed(self, pattern: str) -> list[Path]:
        prefix, _, name = pattern.rpartition("/")
        return list(self._folder.glob(f"{prefix}/{name}" if prefix else f"[0-9]*/{name}"))


def _is_unicode(name: str) -> bool:
    """POSIX lets any bytes be a name; the database and the page take text only."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _reserve(folder: Path) -> tuple[int, Path]:
    """The next number, and the file made for it that nobody else can make.

    Whoever holds NUMBER.part is the only one to make NUMBER-*.png, so a look at the folder afterwards is final.
    """
    number = _highest(folder) + 1
    while True:
        part = folder / f"{number:05}{PART}"
        try:
            part.open("xb").close()
        except FileExistsError:
            number += 1
            continue
        if not any(folder.glob(f"{number:05}-*")):
            return number, part
        _discard(part)
        number += 1


def _discard(part: Path) -> None:
    with suppress(OSError):
        part.unlink()


def _highest(folder: Path) -> int:
    with os.scandir(folder) as entries:
        return max((int(found[1]) for entry in entries if (found := _NUMBER.fullmatch(entry.name))), default=0)


def _sync_folder(folder: Path) -> None:
    """Have the new name itself on the disk; Windows does so by itself and opens no folders."""
    if os.name != "posix":
        return
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _sentence(folder: Path, error: OSError, size: int) -> str:
    if is_disk_full(error):
        return f"The picture ({size / 1e6:.1f} MB) could not be saved. {disk_full(folder)}"
    why = error.strerror or error
    return (
        f"The picture could not be saved in {folder} ({why}); make the folder writable, or choose another with --data."
    )
