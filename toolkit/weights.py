"""Files of weights: checked by their headers in milliseconds, and known by the hashes that other tools write."""

from __future__ import annotations

import hashlib
import json
import threading
from functools import lru_cache
from pathlib import Path
from typing import Any

from toolkit.errors import ModelError

_MAX_HEADER = 100 * 1024 * 1024
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
    """Raise ModelError naming the file unless its safetensors header is sound and all its tensors are there.

    The format: eight bytes of header length (little endian), the header as JSON, then the tensors' bytes at the
    offsets that the header gives.
    """
    try:
        stat = path.stat()
    except OSError as error:
        raise ModelError(f"{short(path)} can't be read ({error.strerror}). Copy the model folder again.") from error
    reason = _fault(path, stat.st_mtime_ns, stat.st_size)
    if reason:
        raise ModelError(f"{short(path)} is damaged: {reason}. Copy the file again.")


@lru_cache(maxsize=256)
def _fault(path: Path, mtime_ns: int, size: int) -> str | None:
    """What is wrong with a safetensors file, None for a sound one; a changed file has another key."""
    if size < 8:
        return f"it has only {size} bytes"
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if length > _MAX_HEADER or length + 8 > size:
                return f"its header would be {length} bytes long, but the file has {size}"
            header = json.loads(file.read(length))
        header.pop("__metadata__", None)
        ends = [tensor["data_offsets"] for tensor in header.values()]
        needed = 8 + length + max((end for _, end in ends), default=0)
        if any(not 0 <= start <= end for start, end in ends):
            return "its header places a tensor outside the file"
    except OSError as error:
        return f"it can't be read ({error.strerror})"
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return "its header is not a safetensors header"
    return None if needed <= size else f"it should have {needed} bytes and has {size}"


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
