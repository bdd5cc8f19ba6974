"""Small pictures of the gallery's pictures: WebP files beside them, made after a save without anybody waiting."""

from __future__ import annotations

import io
import logging
import os
import queue
import secrets
import threading
from contextlib import suppress
from pathlib import Path

from PIL import Image

from toolkit.embedded import MAX_PIXELS

log = logging.getLogger(__name__)

LONGEST_SIDE = 256
QUALITY = 80
MEDIA_TYPE = "image/webp"

# What Pillow raises for files that are damaged or aren't what they say.
UNREADABLE = (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError, Image.DecompressionBombWarning)


class Thumbnails:
    """The thumbnails of the pictures below `folder`, kept in `folder`/.thumbs under the same names."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._wanted: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def later(self, name: str) -> None:
        """Have the thumbnail of the picture `name` (relative to the folder) made in the background."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="limner-thumbnails", daemon=True)
                self._thread.start()
        self._wanted.put(name)

    def get(self, name: str) -> bytes | None:
        """The thumbnail as `MEDIA_TYPE`, made now when it isn't there yet; None when the picture can't be read."""
        with suppress(OSError):
            return self._file(name).read_bytes()
        return self._make(name)

    def remove(self, name: str) -> None:
        with suppress(OSError):
            self._file(name).unlink()

    def close(self) -> None:
        """Finish what was asked for and stop; may be called twice."""
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None:
            self._wanted.put(None)
            thread.join()

    def _file(self, name: str) -> Path:
        return (self._folder / ".thumbs" / name).with_suffix(".webp")

    def _work(self) -> None:
        while (name := self._wanted.get()) is not None:
            if not self._file(name).exists():
                self._make(name)

    def _make(self, name: str) -> bytes | None:
        try:
            with Image.open(self._folder / name, formats=["PNG"]) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise ValueError(f"{image.width} × {image.height} pixels are too many")
                small = image.convert("RGB")
            small.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS, reducing_gap=3.0)
            packed = io.BytesIO()
            small.save(packed, "WEBP", quality=QUALITY)
        except UNREADABLE as error:
            log.warning("no thumbnail of %s: %s", name, error)
            return None
        # A thumbnail that can't be kept is made again when it is needed.
        with suppress(OSError):
            self._keep(self._file(name), packed.getvalue())
        if not (self._folder / name).exists():  # it was purged meanwhile
            self.remove(name)
        return packed.getvalue()

    @staticmethod
    def _keep(path: Path, content: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
        try:
            part.write_bytes(content)
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
