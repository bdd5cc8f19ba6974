"""Pictures brought to the size that is drawn."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageFilter, ImageOps

from toolkit.errors import RequestError
from toolkit.geometry import Size

# A picture of up to this many times the model's own pixels is drawn at its own size.
_LARGEST = 2.25
_SMALLEST = 0.25


def resized(image: Image.Image, size: Size, how: str) -> Image.Image:
    """`image` at exactly `size`: "crop" covers it, "fill" shows all with blurred edges around, "stretch" deforms."""
    if image.size == size:
        return image.copy()
    match how:
        case "stretch":
            return image.resize(size, Image.Resampling.LANCZOS)
        case "crop":
            return ImageOps.fit(image, size, Image.Resampling.LANCZOS)
        case "fill":
            return _filled(image, size)
    raise RequestError("start.resize", f"“{how}” is not known as resize: choose crop, fill or stretch.")


def drawing_size(picture: Size, native: Size, multiple: int) -> Size:
    """The size at which a model that was taught `native` pixels draws a picture of this shape.

    The picture's own size where the model can draw it well, otherwise as many pixels as the model was taught; both
    sides are multiples of `multiple`.
    """
    share = picture.pixels / native.pixels
    scale = 1.0 if _SMALLEST <= share <= _LARGEST else share**-0.5
    return Size(round(picture.width * scale), round(picture.height * scale)).snap(multiple)


def _filled(image: Image.Image, size: Size) -> Image.Image:
    """All of `image`, centred, its border pixels drawn out to the edges and blurred the more the further they are."""
    scale = min(size.width / image.width, size.height / image.height)
    inside = [min(limit, max(1, round(side * scale))) for side, limit in zip(image.size, size, strict=True)]
    inner = image.resize(Size(*inside), Image.Resampling.LANCZOS)
    left, top = (size.width - inner.width) // 2, (size.height - inner.height) // 2
    return extended(inner, left, top, size.width - inner.width - left, size.height - inner.height - top)


def extended(image: Image.Image, left: int, top: int, right: int, bottom: int) -> Image.Image:
    """`image` on a canvas with so many pixels more on each side, filled with its drawn-out and blurred edges."""
    sides = ((top, bottom), (left, right), (0, 0))
    longest = max(left, top, right, bottom)
    edges = Image.fromarray(np.pad(np.asarray(image.convert("RGB")), sides, mode="edge"))
    canvas = edges.filter(ImageFilter.BoxBlur(longest / 6)).filter(ImageFilter.BoxBlur(longest / 6))
    canvas.paste(image, (left, top))
    return canvas
