"""LoRAs by name: tags in prompts as A1111 writes them, and files in the models' folders. Imports no torch."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING

from toolkit.adapters import LoraUse
from toolkit.errors import RequestError

if TYPE_CHECKING:
    from toolkit.model_files import WeightsFile
    from toolkit.models import ModelIndex

_TAG = re.compile(r"<(?:lora|lyco):([^<>]{1,300})>", re.IGNORECASE)


def take_tags(prompt: str) -> tuple[str, tuple[LoraUse, ...]]:
    """The prompt without its `<lora:…>` tags, and the LoRAs that they name.

    `<lora:name>`, `<lora:name:0.8>`, `<lora:name:text:denoiser>` and `<lora:name:te=0.5:unet=1>`. Raises RequestError
    for a tag that can't be read.
    """
    uses = tuple(_use(found[1], found[0]) for found in _TAG.finditer(prompt))
    if not uses:
        return prompt, ()
    text = _TAG.sub("", prompt)
    return re.sub(r"[ \t]{2,}", " ", re.sub(r"\s*,(\s*,)+", ",", text)).strip(" ,"), uses


def tags(uses: Sequence[LoraUse]) -> str:
    """The LoRAs as tags, as every tool reads them."""
    return "".join(
        f" <lora:{use.name}:{use.weight:g}>"
        if use.text_weight is None
        else f" <lora:{use.name}:{use.text_weight:g}:{use.weight:g}>"
        for use in uses
    )


def find_lora(name: str, models: ModelIndex) -> WeightsFile:
    """The LoRA file of this name, with or without its ending; raise RequestError naming the nearest ones."""
    files = models.files("lora")
    wanted = name.removesuffix(".safetensors").lower()
    for file in files:
        if wanted in (file.name.lower(), str(file.facts.get("alias") or "").lower()):
            return file
    near = get_close_matches(wanted, [file.name for file in files], n=3, cutoff=0.5)
    there = f"Did you mean {' or '.join(near)}?" if near else "Put its .safetensors file into models/loras."
    raise RequestError("loras", f"There is no LoRA called “{name[:100]}” here. {there}")


def known(uses: Sequence[LoraUse], models: ModelIndex) -> tuple[LoraUse, ...]:
    """The same LoRAs under the names of their files; raise RequestError for one that isn't here."""
    return tuple(
        LoraUse(find_lora(use.name, models).name, use.weight, use.text_weight, use.start, use.end) for use in uses
    )


def _use(inside: str, tag: str) -> LoraUse:
    name, *values = (part.strip() for part in inside.split(":"))
    named = dict(value.split("=", 1) for value in values if "=" in value)
    try:
        plain = [float(value) for value in values if "=" not in value]
        named_weights = {key.strip().lower(): float(value) for key, value in named.items()}
    except ValueError:
        raise RequestError("prompt", f"{tag[:100]} can't be read: write <lora:name:weight>, such as <lora:neon:0.8>.")
    if not name or len(plain) > 2 or named_weights.keys() - {"te", "unet"}:
        raise RequestError("prompt", f"{tag[:100]} can't be read: write <lora:name:weight> or <lora:name:text:unet>.")
    text = plain[0] if plain else named_weights.get("te", 1.0)
    unet = plain[1] if len(plain) > 1 else named_weights.get("unet", text)
    text = named_weights.get("te", text)
    return LoraUse(name, unet, None if text == unet else text)
