"""Files of weights: checked by their headers in milliseconds, and known by the hashes that other tools write."""

from __future__ import annotations

import hashlib
import json
import threading
from pathlib import Path
from typing import Any

from toolkit.errors import ModelError
from toolkit.headers import Header, HeaderError, glance_at, read_header

_MAX_JSON = 8 * 1024 * 1024
_SMALL = 256 * 1024 * 1024


def short(path: Path) -> str:
    """A file's name with the model folder it stands in: enough to find it, without the folders of the machine."""
    return "/".join(path.parts[-3:])


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file; raise ModelError when it can't be read or is something else."""
    try:
        if path.stat().st_size > _MAX_JSON:
            raise ModelError(f"{short(path)} is larger than {_MAX_JSON // 2**20} MB, too large for a configuration.")
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        kind = type(error).__name__
        raise ModelError(f"{short(path)} can't be read ({kind}). Copy the model folder again.") from error
    if not isinstance(value, dict):
        raise ModelError(f"{short(path)} holds no set of named values. Copy the model folder again.")
    return value


def check_weights(path: Path) -> None:
    """Raise ModelError naming the file unless its safetensors header is sound and all its tensors are there."""
    header_of(path)


def header_of(path: Path, whole: bool = True) -> Header:
    """A file's header; raise ModelError naming the file when it can't be read or isn't sound.

    Without `whole` only as much of it is looked at as tells what the file is.
    """
    try:
        return read_header(path) if whole else glance_at(path)
    except HeaderError as error:
        raise ModelError(f"{short(path)} is damaged: {error}. {error.remedy}.") from error
    except OSError as error:
        raise ModelError(f"{short(path)} can't be read ({error.strerror}). Copy the model folder again.") from error


class ShortHashes:
    """The first ten hex digits of files' SHA-256, as A1111 writes them; large files are read in the background."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[tuple[str, int, int], str | None] = {}

    def of(self, path: Path) -> str | None:
        """The hash of a file, None while a large file is still being read."""
        stat = path.stat()
        key = (str(path), stat.st_mtime_ns, stat.st_size)
        with self._lock:
            if key in self._known:
                return self._known[key]
            self._known[key] = None
        if stat.st_size > _SMALL:
            threading.Thread(target=self._compute, args=(key, path), name="model-hash", daemon=True).start()
            return None
        return self._compute(key, path)

    def _compute(self, key: tuple[str, int, int], path: Path) -> str:
        with path.open("rb") as file:
            value = hashlib.file_digest(file, "sha256").hexdigest()[:10]
        with self._lock:
            self._known[key] = value
        return value
