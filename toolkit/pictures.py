"""Pictures that people bring: kept in the data folder by their content, each person's apart from everybody else's."""

from __future__ import annotations

import hashlib
import logging
import os
import re
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageChops

from toolkit.complaints import folder_sentence
from toolkit.errors import RequestError, StorageError
from toolkit.geometry import Size
from toolkit.jobs import OWNER, Who
from toolkit.opening import Opened, open_picture

log = logging.getLogger(__name__)

# A visitor's oldest pictures make room for new ones; the owner's disk is the owner's.
VISITOR_BYTES = 500_000_000


class Kept(NamedTuple):
    """A picture that is kept: its SHA-256 name, its size, and sentences about what was changed on the way."""

    sha: str
    size: Size
    notes: tuple[str, ...] = ()


class InputPictures:
    """FOLDER/PERSON/SHA.png, where PERSON is a hash of the person's id and SHA that of the pixels.

    Whoever knows the name of somebody else's picture gets nothing for it.
    """

    def __init__(self, folder: Path, visitor_bytes: int = VISITOR_BYTES) -> None:
        self.folder = Path(folder)
        self._visitor_bytes = visitor_bytes

    def add(self, source: bytes | Path | Image.Image, who: Who = OWNER, *, name: str = "") -> Kept:
        """Keep a picture as RGB; raise RequestError for what is no picture, StorageError when it can't be written."""
        opened = open_picture(source, name)
        return self._keep(opened.image, who, opened.notes)

    def add_mask(self, source: bytes | Path | Image.Image, who: Who = OWNER, *, name: str = "") -> Kept:
        """Keep a mask, white = change; of a picture with transparency what is painted counts, whatever its colour."""
        opened = open_picture(source, name or ("" if isinstance(source, Path) else "The mask"), field="start.mask")
        return self._keep(opened.alpha or opened.image.convert("L"), who, ())

    def add_transparency(self, source: bytes | Path | Image.Image, who: Who = OWNER, *, name: str = "") -> Kept:
        """Keep a mask of what is transparent in a picture; raise RequestError when nothing is."""
        opened: Opened = open_picture(source, name, field="start.mask")
        if opened.alpha is None:
            called = name or (source.name if isinstance(source, Path) else "The picture")
            raise RequestError("start.mask", f"{called} has no transparent parts to draw in: give a mask as a file.")
        return self._keep(ImageChops.invert(opened.alpha), who, ())

    def get(self, sha: str, who: Who = OWNER, *, field: str = "start.image") -> Image.Image:
        """A picture (RGB) or mask (L) that this person brought; raise RequestError for `field` for any other name."""
        path = self._path(sha, who)
        try:
            with Image.open(path, formats=["PNG"]) as image:
                image.load()
            with suppress(OSError):
                os.utime(path)  # what is in use is the last to make room
            return image
        except FileNotFoundError:
            raise _not_here(field)
        except (OSError, SyntaxError, ValueError):
            log.warning("%s can't be read", path)
            raise RequestError(field, "The kept copy of the picture can't be read any more: choose the picture again.")

    def file(self, sha: str, who: Who = OWNER, *, field: str = "start.image") -> Path:
        """The PNG file of a picture that this person brought; raise RequestError for `field` for any other name."""
        path = self._path(sha, who)
        if not path.is_file():
            raise _not_here(field)
        with suppress(OSError):
            os.utime(path)
        return path

    def size(self, sha: str, who: Who = OWNER, *, field: str = "start.image") -> Size:
        """The size of a picture of this person's, without decoding it; raise RequestError as `get` does."""
        try:
            with Image.open(self._path(sha, who), formats=["PNG"]) as image:
                return Size(*image.size)
        except (OSError, SyntaxError, ValueError):
            raise _not_here(field)

    def _path(self, sha: str, who: Who) -> Path:
        plain = sha if re.fullmatch(r"[0-9a-f]{64}", sha) else "none"
        return self.folder / hashlib.sha256(who.id.encode()).hexdigest()[:32] / f"{plain}.png"

    def _keep(self, image: Image.Image, who: Who, notes: tuple[str, ...]) -> Kept:
        sha = pixel_hash(image)
        path = self._path(sha, who)
        kept = Kept(sha, Size(*image.size), notes)
        try:
            if path.exists():
                os.utime(path)
                return kept
            path.parent.mkdir(parents=True, exist_ok=True)
            _write(image, path)
        except OSError as error:
            raise StorageError(folder_sentence(path.parent, error)) from error
        if who.role != OWNER.role:
            _make_room(path, self._visitor_bytes)
        return kept


def pixel_hash(image: Image.Image) -> str:
    """SHA-256 of mode, size and pixels: the same picture has one name, whatever file it came in."""
    digest = hashlib.sha256(f"{image.mode} {image.width}x{image.height}\n".encode())
    digest.update(image.tobytes())
    return digest.hexdigest()


def _not_here(field: str) -> RequestError:
    what = "mask" if field.endswith("mask") else "picture"
    return RequestError(field, f"The {what} that this starts from is not among yours: choose it again.")


def _write(image: Image.Image, path: Path) -> None:
    """All of the file or nothing, under a name that nobody else writes to meanwhile."""
    handle, part = tempfile.mkstemp(suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            image.save(file, "PNG", compress_level=1)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(part)
        raise


def _make_room(new: Path, limit: int) -> None:
    """Remove the longest unused pictures beside `new` until all of them fit `limit` bytes."""
    files = []
    for path in new.parent.glob("*.png"):
        with suppress(OSError):
            stat = path.stat()
            files.append((stat.st_mtime_ns, stat.st_size, path))
    total = sum(size for _, size, _ in files)
    for _, size, path in sorted(files):
        if total <= limit:
            return
        if path != new:
            with suppress(OSError):
                path.unlink()
                total -= size
