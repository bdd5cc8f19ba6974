"""Names of models that say nothing of the machine they lie on: what goes into a picture that others will see."""

from __future__ import annotations

import os
import re
from dataclasses import replace

from toolkit.request import GenerationRequest

_ENDING = re.compile(r"\.(safetensors|ckpt|pt|pth|bin)$", re.IGNORECASE)


def is_plain_name(name: str) -> bool:
    """Whether this is a name and no path, on any system."""
    return bool(name) and name not in (".", "..") and not any(mark in name for mark in ("/", "\\", os.sep, "~", "\0"))


def plain_name(name: str) -> str:
    """The name at the end of a path of any system, without the ending of weights; a plain name as it is."""
    if is_plain_name(name):
        return name
    parts = [part for part in re.split(r"[\\/]", name) if part not in ("", ".", "..", "~")]
    return _ENDING.sub("", parts[-1]) if parts else ""


def shareable(request: GenerationRequest) -> GenerationRequest:
    """The request with its model's name in the place of its path."""
    name = plain_name(request.model)
    return request if name == request.model else replace(request, model=name)
