"""LoRAs for the page: what their files and the notes beside them say, and which models each of them fits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from toolkit.distilled import way_of_lora
from toolkit.errors import RequestError
from toolkit.lora_bases import misfits
from toolkit.loras import take_tags
from toolkit.sidecars import lora_card

if TYPE_CHECKING:
    from toolkit.model_files import ModelFile, WeightsFile
    from toolkit.studio import Studio
    from toolkit.styles import Style

_LONGEST = 300

# For each LoRA what it was made for instead, by the ids of models that it doesn't fit.
Strangers = Mapping[str, Mapping[str, str]]


def lora_strangers(studio: Studio, models: list[ModelFile]) -> Strangers:
    """Which models which LoRA doesn't fit; {} for one that fits them all."""
    misfit = misfits(studio.models)
    found = {
        file.name: {model.id: made_for for model in models if (made_for := misfit(file, model))}
        for file in studio.models.files("lora")
    }
    studio.models.memory.save()
    return found


def loras_of(style: Style) -> list[str]:
    """The LoRAs that a style brings, by name."""
    try:
        return [use.name for use in take_tags(style.prompt)[1]]
    except RequestError:  # a tag that can't be read is told when the style is used
        return []


def lora_views(studio: Studio, strangers: Strangers) -> list[dict[str, Any]]:
    """The LoRAs to choose from; those that are a way to draw drafts are chosen elsewhere."""
    styles = {name: style.id for style in studio.styles.styles.values() for name in loras_of(style)}
    files = (file for file in studio.models.files("lora") if way_of_lora(file) is None)
    return [_view(file, strangers.get(file.name, {}), styles.get) for file in files]


def _view(file: WeightsFile, strangers: Mapping[str, str], style_of: Callable[[str], str | None]) -> dict[str, Any]:
    card = lora_card(file)
    return {
        "name": card.name,
        "title": card.title,
        "description": card.description[:_LONGEST],
        "trigger": card.trigger[:_LONGEST],
        "base": card.base[:_LONGEST],
        "weight": card.weight,
        "licence": card.licence,
        "bytes": file.bytes,
        "error": str(file.facts.get("error") or ""),
        "misfits": strangers,
        "style": style_of(card.name),
        "preview": f"/limner/loras/{quote(file.name, safe='')}/preview" if file.preview is not None else None,
    }
