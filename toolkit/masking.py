"""Masks: what may change, how the drawing fades in, and the way back into a picture whose other pixels stay.

A mask is an L picture of the picture's size, white = change. Everything here softens inwards only: where the mask
is 0 the weight of the drawing is exactly 0, so that those pixels come back byte for byte.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import numpy as np
from PIL import Image

from toolkit.errors import RequestError
from toolkit.geometry import Size

# Masks painted on a smaller copy of the picture have its shape up to a rounded pixel.
_SAME_SHAPE = 0.01


class Box(NamedTuple):
    """A part of a picture, in pixels; right and bottom are the first ones outside."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def size(self) -> Size:
        return Size(self.right - self.left, self.bottom - self.top)


def fitting_mask(mask: Image.Image, picture: Size) -> Image.Image:
    """`mask` as L at the picture's size; raise RequestError when it has another shape or changes nothing."""
    mask, size = mask.convert("L"), Size(*mask.size)
    if size != picture:
        ratio = size.width * picture.height / (size.height * picture.width)
        if abs(ratio - 1) > _SAME_SHAPE:
            raise RequestError(
                "start.mask", f"The mask is {size} and the picture {picture}: give a mask of the picture's size."
            )
        # Both ways a pixel far from any white one stays exactly 0.
        smaller = size.width > picture.width
        mask = mask.resize(picture, Image.Resampling.BOX if smaller else Image.Resampling.NEAREST)
    if mask.getbbox() is None:
        raise RequestError("start.mask", "The mask is black all over, so there is nothing to change: paint some white.")
    return mask


def weights(mask: Image.Image, feather: int) -> np.ndarray:
    """How much of the drawing each pixel takes: float32 (height, width) in 0…1, exactly 0 where the mask is 0.

    Rises over `feather` pixels from the mask's edge inwards; where the mask is thinner than that, it rises to its
    middle, so that thin strokes are drawn as well. The picture's own border is no edge.
    """
    values = np.asarray(mask, dtype=np.float32) / 255
    if feather < 1:
        return values
    box = mask.getbbox()
    if box is None:
        return values
    # Only the mask's own surroundings are looked at: a stroke on a large picture costs little.
    part = np.s_[max(0, box[1] - 1) : box[3] + 1, max(0, box[0] - 1) : box[2] + 1]
    depth = _depth(values[part] > 0, feather)
    deepest = _dilated(depth, feather)
    rise = depth / np.maximum(1, np.minimum(deepest, feather + 1), dtype=np.float32)
    result = np.zeros_like(values)
    result[part] = values[part] * rise * rise * (3 - 2 * rise)
    return result


def changed_box(mask: Image.Image, padding: int, aspect: Size) -> Box:
    """The mask's bounding box and `padding` pixels more, grown to the shape of `aspect` as far as the picture goes."""
    left, top, right, bottom = mask.getbbox()
    box = [max(0, left - padding), max(0, top - padding),
           min(mask.width, right + padding), min(mask.height, bottom + padding)]  # fmt: skip
    width, height = box[2] - box[0], box[3] - box[1]
    wanted = Size(
        min(mask.width, max(width, -(-height * aspect.width // aspect.height))),
        min(mask.height, max(height, -(-width * aspect.height // aspect.width))),
    )
    left, right = _grown(box[0], box[2], wanted.width, mask.width)
    top, bottom = _grown(box[1], box[3], wanted.height, mask.height)
    return Box(left, top, right, bottom)


def filled(image: Image.Image, mask: Image.Image) -> Image.Image:
    """`image` with smooth colours where the mask is not 0, run in from around it; grey where all of it is masked."""
    known = np.asarray(mask) == 0
    pixels = np.asarray(image, dtype=np.float32)
    if not known.any():
        return Image.new("RGB", image.size, (128, 128, 128))
    colours = _run_in(pixels * known[..., None], known.astype(np.float32))
    return Image.fromarray(np.where(known[..., None], pixels, colours).round().clip(0, 255).astype(np.uint8))


def paste_back(
    original: Image.Image, drawn: Image.Image, mask: Image.Image, feather: int, box: Box | None = None
) -> Image.Image:
    """`original` with `drawn` (of any size, stretched into `box`) inside the mask; bytes where it is 0 are kept."""
    box = box or Box(0, 0, *original.size)
    if drawn.size != box.size:
        drawn = drawn.resize(box.size, Image.Resampling.LANCZOS)
    weight = weights(mask, feather)[box.top : box.bottom, box.left : box.right]
    pixels = np.array(original.convert("RGB"))
    inside = weight > 0
    part = pixels[box.top : box.bottom, box.left : box.right]
    before, share = part[inside].astype(np.float32), weight[inside][:, None]
    after = before + (np.asarray(drawn)[inside].astype(np.float32) - before) * share
    part[inside] = after.round().clip(0, 255).astype(np.uint8)
    return Image.fromarray(pixels)


def untouched(image: Image.Image, mask: Image.Image) -> dict[str, str | int]:
    """{"sha256", "pixels"}: a hash of the RGB bytes where the mask is 0, row by row, and how many pixels these are.

    The same for a picture before and after inpainting: saved with it, it proves that nothing else was changed.
    """
    outside = np.asarray(image.convert("RGB"))[np.asarray(mask) == 0]
    return {"sha256": hashlib.sha256(outside.tobytes()).hexdigest(), "pixels": len(outside)}


def _grown(low: int, high: int, length: int, limit: int) -> tuple[int, int]:
    start = min(max(0, low - (length - (high - low)) // 2), limit - length)
    return start, start + length


def _depth(inside: np.ndarray, most: int) -> np.ndarray:
    """How many pixels deep inside the mask a pixel lies, 1 at its edge, at most `most` + 1; 0 outside.

    Counted by taking off the edge, alternately along four and eight directions, which comes close to round.
    """
    depth = np.zeros(inside.shape, dtype=np.uint8)
    for round_ in range(most + 1):
        if not inside.any():
            break
        depth += inside
        inside = _eroded(inside, corners=round_ % 2 == 1)
    return depth


def _eroded(inside: np.ndarray, *, corners: bool) -> np.ndarray:
    around = np.pad(inside, 1, mode="edge")
    if corners:
        across = around[:, :-2] & around[:, 1:-1] & around[:, 2:]
        return across[:-2] & across[1:-1] & across[2:]
    middle = around[1:-1, 1:-1]
    return middle & around[1:-1, :-2] & around[1:-1, 2:] & around[:-2, 1:-1] & around[2:, 1:-1]


def _dilated(values: np.ndarray, radius: int) -> np.ndarray:
    """The largest value within a square of `radius` around each pixel."""
    for axis in (0, 1):
        reach = 0
        while reach < radius:
            step = min(radius - reach, max(1, reach))
            sides = [(step, step) if i == axis else (0, 0) for i in (0, 1)]
            padded = np.pad(values, sides)
            length = values.shape[axis]
            shifted = [np.take(padded, range(start, start + length), axis=axis) for start in (0, 2 * step)]
            values = np.maximum(values, np.maximum(*shifted))
            reach += step
    return values


def _run_in(sums: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Colours everywhere from the known ones: averages at ever coarser sizes, the finest that knows any winning.

    `sums` (height, width, 3) are colours times `share` (height, width) in 0…1, how much of a pixel is known.
    """
    colours = sums / np.maximum(share, 1e-6)[..., None]
    if min(share.shape) < 2 or share.min() >= 1:
        if share.min() > 0:
            return colours
        mean = sums.sum((0, 1)) / max(float(share.sum()), 1e-6)
        return np.where(share[..., None] > 0, colours, mean)
    height, width = share.shape
    even = ((0, height % 2), (0, width % 2))
    half_sums = _halved(np.pad(sums, (*even, (0, 0)), mode="edge"))
    half_share = _halved(np.pad(share, even, mode="edge"))
    coarse = _run_in(half_sums, half_share)
    known = np.minimum(share, 1)[..., None]
    return colours * known + _enlarged(coarse, Size(width, height)) * (1 - known)


def _halved(values: np.ndarray) -> np.ndarray:
    return (values[::2, ::2] + values[1::2, ::2] + values[::2, 1::2] + values[1::2, 1::2]) / 4


def _enlarged(colours: np.ndarray, size: Size) -> np.ndarray:
    bands = [
        Image.fromarray(np.ascontiguousarray(colours[..., band])).resize(
            size, Image.Resampling.BILINEAR, box=(0, 0, size.width / 2, size.height / 2)
        )
        for band in range(3)
    ]
    return np.stack([np.asarray(band) for band in bands], axis=-1)
