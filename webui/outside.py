"""Whether anything outside a picture's mask changed: counted on the saved file, never taken from what was promised."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from toolkit.errors import LimnerError, MetadataError
from toolkit.masking import fitting_mask, untouched
from toolkit.metadata import read_settings
from toolkit.starts import Inpaint, Outpaint

if TYPE_CHECKING:
    from pathlib import Path

    from toolkit.entries import Entry
    from toolkit.geometry import Size
    from toolkit.jobs import Who
    from toolkit.pictures import InputPictures


def outside_of(pictures: InputPictures, entry: Entry, who: Who) -> dict[str, Any]:
    """{"state": "same" | "changed" | "unknown", "pixels", "changed", "sha256", "recorded"} of a saved picture.

    `pixels` are those that had to stay, `changed` how many of them did not; `recorded` says whether the hash in the
    file's metadata is the one that was counted here, None when it holds none.
    """
    start = entry.request.start
    if not isinstance(start, (Inpaint, Outpaint)):
        return {"state": "unknown", "why": "This picture was not drawn inside of another one."}
    try:
        with Image.open(entry.path, formats=["PNG"]) as file:
            drawn = file.convert("RGB")
        before = pictures.get(start.image, who)
        if isinstance(start, Inpaint):
            mask = fitting_mask(pictures.get(start.mask, who, field="start.mask"), before.size)
        else:
            before, mask = _extended(before, start, drawn.size)
    except (LimnerError, OSError):
        return {"state": "unknown", "why": "The picture it began with is no longer kept."}
    if drawn.size != before.size:
        return {"state": "unknown", "why": "The picture was enlarged afterwards, so its pixels are others."}
    keep = np.asarray(mask) == 0
    changed = int((np.asarray(drawn)[keep] != np.asarray(before)[keep]).any(axis=-1).sum())
    counted = untouched(drawn, mask)
    recorded = _recorded(entry.path)
    return {
        "state": "changed" if changed else "same",
        "pixels": int(keep.sum()),
        "changed": changed,
        "sha256": counted["sha256"],
        "recorded": None if recorded is None else recorded == counted["sha256"],
    }


def _extended(before: Image.Image, start: Outpaint, size: Size | tuple[int, int]) -> tuple[Image.Image, Image.Image]:
    """The picture on its enlarged canvas, and the mask of what was added."""
    wanted = (before.width + start.left + start.right, before.height + start.top + start.bottom)
    canvas, mask = Image.new("RGB", wanted), Image.new("L", wanted, 255)
    canvas.paste(before, (start.left, start.top))
    mask.paste(0, (start.left, start.top, start.left + before.width, start.top + before.height))
    return canvas, mask


def _recorded(path: Path) -> str | None:
    try:
        facts = read_settings(path)[1]
    except MetadataError:
        return None
    found = facts.get("untouched")
    return found.get("sha256") if isinstance(found, dict) else None
