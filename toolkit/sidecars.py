"""What stands beside a file of weights: notes of A1111, of Civitai's helpers, and our own cards. Imports no torch.

`NAME.json` holds A1111's "activation text", "preferred weight", "description" and "sd version", and our own "title",
"licence", "base" and "style"; `NAME.civitai.info` and `NAME.metadata.json` what Civitai says of a version.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.errors import ModelError
from toolkit.weights import read_json

if TYPE_CHECKING:
    from toolkit.model_files import WeightsFile
    from toolkit.models import ModelIndex

@dataclass(frozen=True, slots=True)
class LoraCard:
    """A LoRA as it is shown: what its header and the notes beside it say. `weight` is the recommended one.

    `trigger` are words that the LoRA was trained with, `style` says that it gives a look and not a thing.
    """

    name: str
    path: Path
    title: str
    description: str = ""
    trigger: str = ""
    negative: str = ""
    weight: float = 1.0
    style: bool = False
    base: str = ""
    licence: str = "unknown"
    preview: Path | None = None


CIVITAI = (".civitai.info", ".metadata.json")
_LONGEST = 2000
_MARKUP = re.compile(r"<[^<>]{0,300}>")


def told(file: WeightsFile) -> dict[str, Any]:
    """The facts of a file's header with those beside it, which its person may have written: these win.

    "trigger" are words with commas, "weight" is the recommended one (a number), "style" whether it gives a look.
    """
    found = dict(file.facts)
    for ending in CIVITAI:
        found |= _civitai(_beside(file, ending))
    return found | _own(_beside(file, ".json"))


def lora_card(file: WeightsFile) -> LoraCard:
    """The card of one LoRA; reads the notes beside it."""
    facts = told(file)
    names = ("description", "trigger", "negative", "base", "licence")
    texts = {name: str(facts[name]) for name in names if facts.get(name)}
    title = str(facts.get("title") or file.name)
    return LoraCard(
        file.name, file.path, title, **texts, weight=float(facts.get("weight", 1.0)),
        style=facts.get("style") is True, preview=file.preview,
    )  # fmt: skip


def lora_cards(models: ModelIndex) -> list[LoraCard]:
    """All LoRAs of a studio that aren't damaged, by name."""
    return [lora_card(file) for file in models.files("lora") if "error" not in file.facts]


def _beside(file: WeightsFile, ending: str) -> Mapping[str, Any]:
    path = file.path.with_name(f"{file.path.stem}{ending}")
    try:
        return read_json(path) if path.is_file() else {}
    except ModelError:  # a damaged note is no reason not to list the file
        return {}


def _own(plain: Mapping[str, Any]) -> dict[str, Any]:
    texts = {
        "title": plain.get("title"), "licence": plain.get("licence", plain.get("license")),
        "description": plain.get("description"), "trigger": plain.get("activation text"),
        "base": plain.get("base") or plain.get("sd version"), "negative": plain.get("negative text"),
    }  # fmt: skip
    found = _texts(texts)
    weight = plain.get("preferred weight")
    if isinstance(weight, (int, float)) and not isinstance(weight, bool) and math.isfinite(weight) and weight != 0:
        found["weight"] = float(weight)  # A1111 writes 0 where nothing was set
    if isinstance(plain.get("style"), bool):
        found["style"] = plain["style"]
    return found


def _civitai(plain: Mapping[str, Any]) -> dict[str, Any]:
    plain = plain.get("civitai") if isinstance(plain.get("civitai"), Mapping) else plain
    model, words = plain.get("model"), plain.get("trainedWords")
    words = [word for word in words if isinstance(word, str)] if isinstance(words, list) else []
    tags = model.get("tags") if isinstance(model, Mapping) else None
    looks = {"style": True} if isinstance(tags, list) and "style" in tags else {}
    return looks | _texts(
        {
            "title": model.get("name") if isinstance(model, Mapping) else None,
            "description": plain.get("description"), "trigger": ", ".join(words), "base": plain.get("baseModel"),
        }
    )  # fmt: skip


def _texts(plain: Mapping[str, Any]) -> dict[str, Any]:
    """What is text and not empty, without markup and not too long."""
    texts = {name: _MARKUP.sub("", value).strip()[:_LONGEST] for name, value in plain.items() if isinstance(value, str)}
    return {name: value for name, value in texts.items() if value}
