"""What a job's drawing begins with, and the way from what is drawn back into the picture it began with."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.nn.functional import interpolate, max_pool2d

from toolkit.engine.components import Components
from toolkit.geometry import Size
from toolkit.masking import Box, changed_box, filled, fitting_mask, paste_back, untouched
from toolkit.request import GenerationRequest
from toolkit.resizing import drawing_size, extended, resized
from toolkit.starts import FromImage, FromText, Inpaint, Outpaint

Back = Callable[[Image.Image], tuple[Image.Image, dict[str, Any]]]


def _as_drawn(image: Image.Image) -> tuple[Image.Image, dict[str, Any]]:
    return image, {}


@dataclass(frozen=True)
class Beginning:
    """A way of drawing ("text", "image", "inpaint") at `size`, a multiple of the model's.

    `latents` (1, channels, height, width) are the picture to begin with, `mask` (1, 1, height, width) in pixels is 1
    where it may change, `masked` the latents of the picture without what is masked. `back` gives the finished picture
    for a drawn one, and facts about it for the metadata; `window` is the whole picture's size and the part that is
    drawn, where that is not all of it.
    """

    mode: str
    size: Size
    strength: float = 1.0
    latents: torch.Tensor | None = None
    mask: torch.Tensor | None = None
    masked: torch.Tensor | None = None
    back: Back = field(default=_as_drawn)
    window: tuple[Size, Box] | None = None


def begin(components: Components, request: GenerationRequest, pictures: Mapping[str, bytes]) -> Beginning:
    """The beginning that `request.start` asks for; `pictures` are its input pictures as PNG files by their SHA-256."""
    match request.start:
        case FromImage(image=sha, strength=strength, resize=resize):
            image = resized(unpacked(pictures[sha]), request.size, resize)
            latents = components.decoder.encode(image, request.tile)
            return Beginning("image", request.size, strength, latents)
        case Inpaint(image=sha, mask=mask):
            image = unpacked(pictures[sha])
            return _inside(components, request, image, fitting_mask(unpacked(pictures[mask], "L"), Size(*image.size)))
        case Outpaint(image=sha, left=left, top=top, right=right, bottom=bottom):
            image = unpacked(pictures[sha])
            mask = Image.new("L", (image.width + left + right, image.height + top + bottom), 255)
            mask.paste(0, (left, top, left + image.width, top + image.height))
            return _inside(components, request, extended(image, left, top, right, bottom), mask)
        case FromText():
            return Beginning("text", request.size)
    raise TypeError(f"Nothing is drawn for {request.start!r}")


def enlarged(components: Components, image: Image.Image, size: Size, strength: float, tile: str) -> Beginning:
    """The beginning of a second, larger pass over a finished picture."""
    larger = image.resize(size, Image.Resampling.LANCZOS)
    return Beginning("image", size, strength, components.decoder.encode(larger, tile))


def enlarged_latents(latents: torch.Tensor, size: Size, scale: int, strength: float) -> Beginning:
    """The same from the latents alone, without a way through pixels."""
    cells = (size.height // scale, size.width // scale)
    larger = interpolate(latents.float().cpu(), cells, mode="bicubic", antialias=False)
    return Beginning("image", size, strength, larger)


def _inside(components: Components, request: GenerationRequest, image: Image.Image, mask: Image.Image) -> Beginning:
    start: Any = request.start
    card = components.model.card
    native, multiple = Size(*card["native_size"]), int(card["size_multiple"])
    box = None
    part, part_mask = image, mask
    if getattr(start, "area", "whole") == "masked":
        box = changed_box(mask, start.padding, native)
        part, part_mask = image.crop(box), mask.crop(box)
    size = drawing_size(Size(*part.size), native, multiple)
    if box is not None and size.pixels < native.pixels:
        # Small things get all the detail that the model can draw.
        scale = (native.pixels / size.pixels) ** 0.5
        size = Size(round(size.width * scale), round(size.height * scale)).snap(multiple)
    small = part.resize(size, Image.Resampling.LANCZOS)
    small_mask = _covering(part_mask, size)
    if start.fill == "fill":
        small = filled(small, small_mask)
    cells = _cells(small_mask, components.latent_scale)
    latents = components.decoder.encode(small, request.tile)
    masked = latents
    if components.family.channels == 9:
        grey = Image.composite(Image.new("RGB", size, (128, 128, 128)), small, _whole(cells))
        masked = components.decoder.encode(grey, request.tile)
    at_cells = max_pool2d(cells, components.latent_scale)
    if start.fill == "noise":
        # The same for every picture of a job; a second draw, as first ones are what the sampler adds for some seed.
        noise = torch.randn((2, *latents.shape[1:]), generator=torch.Generator().manual_seed(0))[1:]
        latents = torch.where(at_cells > 0, noise, latents)
    elif start.fill == "nothing":
        latents = latents * (1 - at_cells)

    def back(drawn: Image.Image) -> tuple[Image.Image, dict[str, Any]]:
        whole = paste_back(image, drawn, mask, start.feather, box)
        before, after = untouched(image, mask), untouched(whole, mask)
        return whole, {"untouched": after} if before == after else {}

    window = (Size(*image.size), box) if box is not None else None
    return Beginning("inpaint", size, start.strength, latents, cells, masked, back, window)


def unpacked(file: bytes, mode: str = "RGB") -> Image.Image:
    """An input picture from its PNG file."""
    with Image.open(io.BytesIO(file), formats=["PNG"]) as image:
        return image.convert(mode)


def _covering(mask: Image.Image, size: Size) -> Image.Image:
    """The mask at the size that is drawn, white wherever any of it is: what the model may see as changing."""
    solid = mask.point(lambda value: 255 if value else 0)
    return solid.resize(size, Image.Resampling.BOX).point(lambda value: 255 if value else 0)


def _cells(mask: Image.Image, scale: int) -> torch.Tensor:
    """The mask (1, 1, height, width) in 0…1, a whole latent cell where any of its pixels is white.

    The pipelines look at one pixel of each cell only.
    """
    values = torch.from_numpy(np.array(mask))[None, None].float() / 255
    return interpolate(max_pool2d((values > 0).float(), scale), scale_factor=scale)


def _whole(cells: torch.Tensor) -> Image.Image:
    return Image.fromarray((cells[0, 0] * 255).to(torch.uint8).numpy())
