"""Draws the pictures on style and LoRA cards with the starter: `python -m webui.draw_previews`, after a new training.

Only styles whose words the starter knows get one: a picture that a style had no part in would promise what it can't
keep. A style names its picture in its TOML file (`preview = "ID.webp"`); a LoRA's stands beside its file.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.adapters import LoraUse
from toolkit.jobs import OWNER
from toolkit.request import STARTER, GenerationRequest
from toolkit.studio import Studio
from webui.catalogue import catalogue

if TYPE_CHECKING:
    from PIL.Image import Image

THING, GROUND, SEED, SIDE = "a purple cat", " on a pink background", 11, 160
# A style that brings its own surroundings gets no other.
SURROUNDINGS = ("background", "sky", "ground")


def draw_previews(studio: Studio) -> list[Path]:
    """Draw every picture anew, and return their files."""
    drawn = []
    for plain in catalogue(studio, OWNER)["styles"]:
        style = studio.styles.styles[plain["id"]]
        if style.preview and STARTER not in plain["unknown_to"]:
            path = style.source.parent / style.preview
            own = any(word in style.prompt for word in SURROUNDINGS)
            request = GenerationRequest(THING if own else THING + GROUND, seed=SEED, styles=(style.id,))
            drawn.append(_save(studio, request, path))
    for lora in studio.models.files("lora"):
        if lora.facts.get("base") == STARTER:
            request = GenerationRequest(THING + GROUND, seed=SEED, loras=(LoraUse(lora.name),))
            drawn.append(_save(studio, request, lora.path.with_suffix(".webp")))
    return drawn


def _save(studio: Studio, request: GenerationRequest, path: Path) -> Path:
    (picture,) = studio.generate(request, exact=True)
    image: Image = picture.image
    image.resize((SIDE, SIDE)).save(path, quality=84, method=6)
    return path


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as data, Studio(data=data, engine="inline") as studio:
        for path in draw_previews(studio):
            print(path.name, path.stat().st_size)
