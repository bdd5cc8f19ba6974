"""The texts that a picture file carries, read from its header alone."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

from PIL import Image

from toolkit.errors import MetadataError

FORMATS = ("PNG", "JPEG", "WEBP")
MAX_BYTES = 200_000_000
MAX_PIXELS = 8192 * 8192
MAX_CHARACTERS = 8_000_000

_EXIF, _USER_COMMENT = 0x8769, 0x9286
# What Pillow raises for files that are damaged or aren't what they say; its text limits are ValueErrors.
_UNREADABLE = (
    OSError, ValueError, SyntaxError, EOFError, KeyError, IndexError, TypeError, AttributeError, OverflowError,
    RuntimeError, struct.error, zlib.error,
)  # fmt: skip


def embedded_texts(source: Path | bytes) -> dict[str, str]:
    """The texts by their names; the EXIF comment of a JPEG or WebP counts as "parameters". Decodes no pixel.

    Raises MetadataError for what isn't a PNG, JPEG or WebP file, is damaged, too large or claims too many pixels.
    """
    try:
        if _length(source) > MAX_BYTES:
            raise MetadataError(f"This file is larger than {MAX_BYTES // 1_000_000} MB, the most that Limner reads.")
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source, formats=FORMATS) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise _too_many_pixels(f"{picture.width} × {picture.height} pixels")
            texts = {str(name): text for name, text in picture.info.items() if isinstance(text, str)}
            if picture.format != "PNG":
                texts |= _comment(picture)
    except FileNotFoundError as error:
        raise MetadataError(f"There is no file {source}.") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_many_pixels("far more pixels") from error
    except Image.UnidentifiedImageError as error:
        raise MetadataError("This file is not a picture that Limner reads; PNG, JPEG and WebP are.") from error
    except _UNREADABLE as error:
        raise MetadataError("This picture is damaged, or holds more text than a picture should.") from error
    if sum(map(len, texts.values())) > MAX_CHARACTERS:
        raise MetadataError("This picture holds more text than a picture should.")
    return texts


def _length(source: Path | bytes) -> int:
    return len(source) if isinstance(source, bytes) else source.stat().st_size


def _too_many_pixels(claim: str) -> MetadataError:
    return MetadataError(f"This picture claims to have {claim}; Limner reads at most 8192 × 8192.")


def _comment(picture: Image.Image) -> dict[str, str]:
    comment: Any = picture.getexif().get_ifd(_EXIF).get(_USER_COMMENT)
    text = comment if isinstance(comment, str) else _decoded(comment) if isinstance(comment, bytes) else ""
    return {"parameters": text} if text.strip() else {}


def _decoded(comment: bytes) -> str:
    """EXIF says the character code in eight bytes; for "UNICODE" it leaves the order of the bytes open."""
    code, text = comment[:8], comment[8:]
    if code == b"UNICODE\0":
        marks = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
        little = text[1::2].count(0) > text[::2].count(0)
        decoded = text.decode(marks.get(text[:2], "utf-16-le" if little else "utf-16-be"), "replace")
    elif code in (b"ASCII\0\0\0", b"\0" * 8, b"JIS\0\0\0\0\0"):
        decoded = text.decode("utf-8", "replace")
    else:
        decoded = comment.decode("utf-8", "replace")
    return decoded.rstrip("\0")
