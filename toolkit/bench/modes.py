"""Eight jobs that begin in every way a picture can begin: for `all-modes` and `equality`."""

from __future__ import annotations

import hashlib
import io
from dataclasses import replace
from typing import Any

from PIL import Image, ImageDraw

from toolkit.bench.one_job import request_of
from toolkit.engine.protocol import EngineJob
from toolkit.geometry import Size
from toolkit.request import GenerationRequest
from toolkit.starts import FromImage, Inpaint, Outpaint, Refine, Variation

STEPS = 10


def jobs_of_all_modes(model_id: str, card: Any, number: int) -> dict[str, EngineJob]:
    """A job of each mode by its name, all of another seed for each `number`."""
    size = Size(*card["native_size"])
    quarter = size.width // 4
    parts = (_picture(size), _mask(size), _picture(Size(size.width - quarter, size.height)))
    pictures = {_name(content): content for content in parts}
    first, second, narrow = pictures
    text = request_of(model_id, card, number)
    text = replace(text, sampling=replace(text.sampling, steps=STEPS))
    requests: dict[str, GenerationRequest] = {
        "text": text,
        "image": replace(text, start=FromImage(first, 0.8)),
        "inpaint": replace(text, start=Inpaint(first, second)),
        "inpaint-area": replace(text, start=Inpaint(first, second, 0.8, area="masked", fill="fill")),
        "outpaint": replace(text, start=Outpaint(narrow, right=quarter)),
        "variation": replace(text, variation=Variation(number + 5, 0.3)),
        "tile": replace(text, tile="xy"),
        "refine": replace(text, refine=Refine(1.5, strength=0.5)),
    }
    return {
        mode: EngineJob(f"{mode}-{number}", replace(request, seed=number * 100 + place), False, mode, pictures)
        for place, (mode, request) in enumerate(requests.items())
    }


def _picture(size: Size) -> bytes:
    image = Image.new("RGB", size, "#f4f1ea")
    pen = ImageDraw.Draw(image)
    pen.ellipse((size.width // 4, size.height // 4, size.width * 3 // 4, size.height * 3 // 4), fill="#c8452f")
    return _png(image)


def _mask(size: Size) -> bytes:
    mask = Image.new("L", size, 0)
    ImageDraw.Draw(mask).rectangle((size.width // 3, size.height // 3, size.width - 1, size.height - 1), fill=255)
    return _png(mask)


def _png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def _name(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
