"""Input pictures against a request: is each there, does it fit, and which size does the drawing have?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from toolkit.errors import RequestError
from toolkit.geometry import Size
from toolkit.jobs import Who
from toolkit.masking import fitting_mask
from toolkit.request import GenerationRequest
from toolkit.resizing import drawing_size
from toolkit.starts import (
    UPSCALERS,
    AsIs,
    FromImage,
    FromText,
    Inpaint,
    Outpaint,
    check_refine,
    check_start,
    check_tile,
    check_variation,
)

if TYPE_CHECKING:
    from toolkit.models import ModelFile
    from toolkit.pictures import InputPictures

MAX_SIDE = 4096
_MODES = {FromText: "text", FromImage: "image", Inpaint: "inpaint", Outpaint: "inpaint"}


def mode_of(request: GenerationRequest) -> str:
    """The way of drawing that a request needs: "text", "image", "inpaint", or "" for none at all."""
    return _MODES.get(type(request.start), "")


def begun(
    request: GenerationRequest, model: ModelFile, pictures: InputPictures | None, who: Who
) -> GenerationRequest:  # fmt: skip
    """The request with the size that its input picture asks for; raise RequestError for a picture that won't do."""
    check_tile(request.tile)
    check_variation(request.variation, request.count)
    mode = mode_of(request)
    if mode and mode not in model.row.pipelines:
        can = " or ".join({"text": "from text", "image": "from a picture", "inpaint": "inside a mask"}[name]
                          for name in model.row.pipelines if not name.startswith("control"))  # fmt: skip
        raise RequestError("model", f"{model.title} can't draw this way; it draws {can}. Choose another model.")
    for number, unit in enumerate(request.controls):
        if pictures is None:
            raise RequestError("controls", "This studio keeps no input pictures, which control units are for.")
        pictures.size(unit.image, who, field=f"controls.{number}.image")
    if isinstance(request.start, FromText):
        return request
    if pictures is None:
        raise RequestError("start.image", "This studio keeps no input pictures; start from text.")
    if isinstance(request.start, (Inpaint, Outpaint)) and (request.tile or request.refine):
        what = "tiled" if request.tile else "refined"
        raise RequestError("start", f"A picture that is changed in parts can't be {what}: do that in a second job.")
    size = pictures.size(request.start.image, who)
    match request.start:
        case AsIs():
            return _sized(request, size)
        case FromImage():
            card = model.card
            native, multiple = Size(*card["native_size"]), int(card["size_multiple"])
            return request if request.size else replace(request, size=drawing_size(size, native, multiple))
        case Inpaint(mask=mask):
            fitting_mask(pictures.get(mask, who, field="start.mask"), size)
            return _sized(request, size)
        case Outpaint(left=left, top=top, right=right, bottom=bottom):
            return _sized(request, Size(size.width + left + right, size.height + top + bottom))
    return request


def check_passes(request: GenerationRequest, upscalers: Sequence[str] = UPSCALERS) -> None:
    """Raise RequestError for a strength or a second pass that the resolved request can't be drawn with."""
    steps = request.sampling.steps or 1
    check_start(request.start, steps)
    check_refine(request.refine, steps, upscalers)
    if request.refine is not None and request.size is not None:
        side = round(max(request.size) * request.refine.scale)
        if side > MAX_SIDE:
            fitting = int(MAX_SIDE / max(request.size) * 10) / 10
            raise RequestError(
                "refine.scale",
                f"Refining {request.size} at {request.refine.scale:g} times the size makes {side} pixels a side; "
                f"at most {MAX_SIDE} work, so at most {fitting:g} times.",
            )


def _sized(request: GenerationRequest, size: Size) -> GenerationRequest:
    """What is changed in parts keeps the size of its picture."""
    if max(size) > MAX_SIDE:
        raise RequestError("start", f"The picture would be {size}; at most {MAX_SIDE} pixels a side work.")
    if request.size not in (None, size):
        raise RequestError("size", f"The size is {request.size} and the picture is {size}: leave the size open.")
    return replace(request, size=size)
