"""Drafts: pictures in a few steps, by models and LoRAs that were distilled for it. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from toolkit.adapters import LoraUse
from toolkit.distilled import way_of_lora
from toolkit.errors import RequestError
from toolkit.lora_bases import misfits, told_base
from toolkit.loras import find_lora
from toolkit.request import GenerationRequest

if TYPE_CHECKING:
    from toolkit.model_files import ModelFile, WeightsFile
    from toolkit.models import ModelIndex

# A LoRA below this weight doesn't change how many steps a picture needs.
_WORKS_FROM = 0.5


def few_step_loras(models: ModelIndex) -> list[WeightsFile]:
    """The LoRAs that let models draw in few steps."""
    return [file for file in models.files("lora") if way_of_lora(file)]


def draft_lora(
    model: ModelFile, models: ModelIndex, among: Sequence[WeightsFile] | None = None
) -> WeightsFile | None:  # fmt: skip
    """The LoRA that lets a model draw in few steps: one that names the model, else one for its family.

    `among` are the few-step LoRAs, for whoever asks for many models.
    """
    files = few_step_loras(models) if among is None else among
    own = [file for file in files if file.name.lower().startswith(model.id.lower())]
    if own:
        return own[0]
    if model.card.get("known_words"):
        return None  # the small models that come with the studio share a family's shape with nobody
    misfit = misfits(models)
    base = model.row.base
    return next((file for file in files if told_base(file, by_name=True) == base and not misfit(file, model)), None)


def can_draft(model: ModelFile, models: ModelIndex, among: Sequence[WeightsFile] | None = None) -> bool:
    """Whether there is a few-step way to draw with a model."""
    return "few_steps" in model.card or draft_lora(model, models, among) is not None


def few_step_defaults(loras: Sequence[LoraUse], models: ModelIndex) -> dict[str, Any]:
    """How a picture is sampled by default because of a distilled LoRA that it has; nothing without one."""
    ways = (way_of_lora(find_lora(use.name, models)) for use in loras if use.weight >= _WORKS_FROM)
    return next((way.defaults for way in ways if way), {})


def drafted(request: GenerationRequest, model: ModelFile, models: ModelIndex) -> GenerationRequest:
    """The request with what lets its model draw in few steps; sampler, steps and guidance follow from that.

    Raises RequestError where there is nothing. Drafting a picture twice changes nothing: a resolved request doesn't ask
    for it any more.
    """
    request = replace(request, draft=False)
    if "few_steps" in model.card:
        return request  # its usual way to be sampled is the few-step one
    file = draft_lora(model, models)
    if file is None:
        raise RequestError(
            "draft",
            f"There is no way yet to draw drafts with {model.title}: put an LCM, Lightning or Hyper LoRA for "
            f"{model.row.title} into models/loras.",
        )
    loras = request.loras
    return replace(request, loras=loras if _has(loras, file.name) else (*loras, LoraUse(file.name)))


def _has(loras: Sequence[LoraUse], name: str) -> bool:
    return any(use.name == name for use in loras)
