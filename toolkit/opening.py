"""Picture files from anywhere as upright RGB pictures in sRGB; refused before decoding when they are too large."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps

from toolkit.errors import RequestError

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
MAX_BYTES = 100_000_000
MAX_SIDE = 30_000
MAX_PIXELS = 33_000_000

# What Pillow raises for files that are damaged or aren't what they say; its text limits are ValueErrors.
_UNREADABLE = (
    OSError, ValueError, SyntaxError, EOFError, KeyError, IndexError, TypeError, AttributeError, OverflowError,
    RuntimeError, MemoryError, struct.error, zlib.error,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Opened:
    """A decoded picture: `image` RGB, `alpha` L when some of it was transparent, and sentences about what changed."""

    image: Image.Image
    alpha: Image.Image | None = None
    notes: tuple[str, ...] = ()


def open_picture(source: bytes | Path | Image.Image, name: str = "", *, field: str = "start.image") -> Opened:
    """Decode a PNG, JPEG, WebP, GIF, BMP, TIFF or AVIF file (its first picture), or take one that is decoded.

    The EXIF rotation is applied, colours become sRGB by the picture's own profile, transparent parts lie on white.
    Raises RequestError for `field`, in one sentence with the `name` of the file, for everything that can't be used.
    """
    called = name or (source.name if isinstance(source, Path) else "The picture")
    try:
        with _opened(source, called, field) as image:
            _check_size(image, called, field)
            image.load()
            return _upright_srgb(image)
    except RequestError:
        raise
    except FileNotFoundError:
        raise RequestError(field, f"There is no file {source}: choose the picture again.")
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_large(called, "far too many", field)
    except Image.UnidentifiedImageError:
        raise RequestError(field, f"{called} is not a picture that can be read: use PNG, JPEG, WebP, AVIF or TIFF.")
    except _UNREADABLE:
        raise RequestError(field, f"{called} is cut short or damaged: save or download it again.")


def _opened(source: bytes | Path | Image.Image, called: str, field: str) -> Image.Image:
    if isinstance(source, Image.Image):
        return source.copy()
    length = len(source) if isinstance(source, bytes) else source.stat().st_size
    if length > MAX_BYTES:
        raise RequestError(field, f"{called} has {length / 1e6:,.0f} MB: use a file of at most {MAX_BYTES / 1e6:.0f}.")
    return Image.open(io.BytesIO(source) if isinstance(source, bytes) else source, formats=FORMATS)


def _check_size(image: Image.Image, called: str, field: str) -> None:
    if max(image.size) > MAX_SIDE or image.width * image.height > MAX_PIXELS:
        raise _too_large(called, f"{image.width:,} × {image.height:,}", field)


def _too_large(called: str, pixels: str, field: str) -> RequestError:
    most = f"{MAX_PIXELS / 1e6:.0f} million pixels and {MAX_SIDE:,} a side"
    return RequestError(field, f"{called} has {pixels} pixels: make it smaller, at most {most}.")


def _upright_srgb(image: Image.Image) -> Opened:
    profile, notes = image.info.get("icc_profile"), []
    image = _upright(image)
    alpha = None
    if image.has_transparency_data:
        alpha = image.convert("RGBA").getchannel("A")
        alpha = None if alpha.getextrema()[0] == 255 else alpha
    image = _eight_bits(image, keep_alpha=alpha is not None)
    if profile:
        image = _converted(image, profile, notes)
    image = image.convert("RGB")
    if alpha is not None:
        white = Image.new("RGB", image.size, "white")
        image = Image.composite(image, white, alpha)
        notes.append("The transparent parts of the picture lie on white.")
    return Opened(image, alpha, tuple(notes))


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except _UNREADABLE:  # damaged EXIF says nothing about the pixels
        return image


def _eight_bits(image: Image.Image, *, keep_alpha: bool) -> Image.Image:
    """The colours in L, RGB, CMYK or LAB. Pillow would cut 16-bit greys off at 255 instead of scaling them."""
    if image.mode.startswith("I") or image.mode == "F":
        values = np.nan_to_num(np.asarray(image).astype(np.float64), posinf=0, neginf=0)
        top = 65535.0 if image.mode.startswith("I;16") else _white(values, image.mode)
        return Image.fromarray((values.clip(0, top) * (255 / top)).round().astype(np.uint8))
    if keep_alpha or image.mode in ("P", "PA", "RGBA", "RGBa", "RGBX"):
        return image.convert("RGBA").convert("RGB")
    if image.mode in ("1", "LA", "La"):
        return image.convert("L")
    return image


def _white(values: np.ndarray, mode: str) -> float:
    """The value of white where the file doesn't say: the smallest customary one that holds all values."""
    top = float(values.max())
    customary = (1.0, 255.0, 65535.0) if mode == "F" else (255.0, 65535.0)
    return next((white for white in customary if top <= white), top)


def _converted(image: Image.Image, profile: bytes, notes: list[str]) -> Image.Image:
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        target = ImageCms.createProfile("sRGB")
        space = source.profile.xcolor_space.strip()
        fitting = {"GRAY": "L", "RGB": "RGB", "CMYK": "CMYK", "LAB": "LAB", "Lab": "LAB"}.get(space)
        if fitting is None or (fitting == "CMYK") != (image.mode == "CMYK"):
            return image
        done = ImageCms.profileToProfile(
            image.convert(fitting), source, target, ImageCms.Intent.RELATIVE_COLORIMETRIC, outputMode="RGB",
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )  # fmt: skip
    except (ImageCms.PyCMSError, OSError, ValueError):
        notes.append("The picture's colour profile is damaged and was left out.")
        return image
    return image if done is None else done
