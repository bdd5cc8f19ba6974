"""After decoding: plugins' finishing steps on each picture, then the reviews that say what may be kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from PIL import Image, ImageFilter

from toolkit.engine.control import Drawn
from toolkit.engine.protocol import Picture
from toolkit.plugins import calls
from toolkit.request import GenerationRequest

if TYPE_CHECKING:
    from toolkit.plugins.plugins import Plugins


def finish_all(
    drawn: Drawn, request: GenerationRequest, plugins: Plugins, checkpoint: Callable[[], None]
) -> Drawn:
    """The same pictures finished and reviewed; one that is withheld leaves an empty picture and its reason."""
    pictures, withheld, notes = [], [], [drawn.note] if drawn.note else []
    device = str(drawn.facts.get("device", "cpu"))
    for index, picture in zip(drawn.indices or range(request.count), drawn.pictures, strict=True):
        checkpoint()
        own = request.picture(index)
        image = Image.frombytes(picture.mode, (picture.width, picture.height), picture.rgb)
        done = calls.finish(plugins, image, own, device=device, checkpoint=checkpoint)
        review = calls.review(plugins, done.image, own)
        image = done.image
        if review.verdict == "blur":
            image = image.filter(ImageFilter.GaussianBlur(max(image.size) / 12))
            notes.append(f"The picture was blurred: {review.reason or 'a plugin asked for it'}.")
        if review.verdict == "block":
            image = Image.new("RGB", (1, 1))
        notes += done.notes
        withheld.append((review.reason or "a plugin asked for it") if review.verdict == "block" else "")
        pictures.append(Picture(image.width, image.height, image.tobytes(), image.mode))
    note = " ".join(dict.fromkeys(notes)) or None
    return replace(drawn, pictures=tuple(pictures), note=note, withheld=tuple(withheld) if any(withheld) else ())
