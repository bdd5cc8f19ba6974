"""Which model here is the one that drew a picture: by its name, by its hash, or where it lay the last time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from toolkit.plain_names import plain_name
from toolkit.recall import shown
from toolkit.request import GenerationRequest

if TYPE_CHECKING:
    from toolkit.models import ModelIndex


def with_model(
    request: GenerationRequest, facts: Mapping[str, Any], models: ModelIndex, paths: bool = False
) -> tuple[GenerationRequest, list[str]]:
    """A request that was read from a picture, with a model that is here; a sentence where that is in doubt.

    `facts` may hold "model_hash". With `paths` a model outside of the studio's folders is named by its path, as only
    somebody at the machine may do. What isn't found keeps its name, which `prepare` then tells.
    """
    listed = {model.id: model for model in models.list()}
    name = next((one for one in (request.model, plain_name(request.model)) if one in listed), None)
    digits = facts.get("model_hash")
    digits = digits.lower() if isinstance(digits, str) else ""
    known = listed[name].known_hash if name is not None else None
    if name is not None and (not digits or known is None or known.startswith(digits)):
        return request.with_(model=name), []
    same = models.by_hash(digits)
    if same is not None and (paths or same.id in listed):
        return request.with_(model=same.id), []
    if name is None:
        return request, []
    doubt = f"The model called “{shown(name)}” here is not the one that drew this picture: that has the hash {digits}."
    return request.with_(model=name), [doubt]
