"""What stands beside a file of weights: notes of A1111, of Civitai's helpers, and our own cards. Imports no torch.

`NAME.json` holds A1111's "activation text", "preferred weight", "description" and "sd version", and our own "title",
"licence", "base" and "style"; `NAME.civitai.info` and `NAME.metadata.json` what Civitai says of a version.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from toolkit.errors import ModelError
from toolkit.weights import read_json

if TYPE_CHECKING:
    from toolkit.model_files import WeightsFile

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
    return _texts(
        {
            "title": model.get("name") if isinstance(model, Mapping) else None,
            "description": plain.get("description"), "trigger": ", ".join(words), "base": plain.get("baseModel"),
        }
    )  # fmt: skip


def _texts(plain: Mapping[str, Any]) -> dict[str, Any]:
    """What is text and not empty, without markup and not too long."""
    texts = {name: _MARKUP.sub("", value).strip()[:_LONGEST] for name, value in plain.items() if isinstance(value, str)}
    return {name: value for name, value in texts.items() if value}
