"""What a plugin's callable may use of the studio: little, made fresh for each call, and nothing that leads further."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from toolkit.errors import RequestError

if TYPE_CHECKING:
    from PIL.Image import Image

    from toolkit.request import GenerationRequest


def _nothing(*_: object) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Context:
    """`request` is the picture's own (count 1, its seed); `settings` are the plugin's own, checked and complete.

    `folder` is the plugin's folder, `data` the studio's data folder, `models` the folder with weights of every kind;
    `weights` finds files there and in every other folder of models that the studio uses.
    `progress(done, of)` tells how far the call is; `checkpoint()` raises Cancelled when the person has stopped the
    job, so call both between steps that take long.
    """

    request: GenerationRequest
    settings: Mapping[str, Any]
    folder: Path
    data: Path
    models: Path
    log: logging.Logger
    device: str = "cpu"
    progress: Callable[[int, int], None] = _nothing
    checkpoint: Callable[[], None] = _nothing
    purpose: str = field(default="", repr=False)
    places: tuple[Path, ...] = field(default=(), repr=False)

    def weights(self, kind: str) -> dict[str, Path]:
        """The files of a kind ("upscaler", "lora", "controlnet", "embedding", "vae") by name, without loading any."""
        from toolkit.models import ModelIndex

        return {file.name: file.path for file in ModelIndex(self.places or (self.models,)).files(kind)}

    def random(self) -> Random:
        """Chance that is the same for the same picture and step."""
        return Random(f"{self.request.seed}/{self.purpose}")

    def picture(self, name: str) -> Image:
        """The input picture that an `ImageInput` names, as RGB."""
        from PIL import Image

        path = self.data / "inputs" / f"{name}.png"
        try:
            with Image.open(path, formats=["PNG"]) as image:
                return image.convert("RGB")
        except OSError:
            raise RequestError("finish", f"The input picture {name[:8]}… is not in the studio any more: give it again.")
