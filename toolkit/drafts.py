"""Drafts: pictures in a few steps, by models and LoRAs that were distilled for it. Imports no torch.

What a distilled model wants follows from the method that its makers name it by; `WAYS` says it for each. A method's
number of steps stands in many names ("4step", "8-steps").
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from toolkit.adapters import LoraUse
from toolkit.errors import RequestError
from toolkit.lora_bases import told_base
from toolkit.request import GenerationRequest

if TYPE_CHECKING:
    from toolkit.model_files import ModelFile, WeightsFile
    from toolkit.models import ModelIndex


@dataclass(frozen=True, slots=True)
class Way:
    """A distillation by the word in its files' names, and how it is sampled; `steps` where a name says no number."""

    word: str
    sampler: str
    schedule: str
    steps: int
    guidance: float = 1.0


WAYS = (
    Way("draft", "ddim", "normal", 4),  # the starter's own
    Way("lcm", "lcm", "normal", 6, 1.5),  # Luo et al. 2023
    Way("lightning", "euler", "sgm_uniform", 4),  # Lin et al. 2024
    Way("hyper", "tcd", "normal", 8),  # Ren et al. 2024
    Way("dmd2", "lcm", "normal", 4),  # Yin et al. 2024
    Way("pcm", "ddim", "sgm_uniform", 4),  # Wang et al. 2024
    Way("turbo", "euler_a", "sgm_uniform", 4),  # Sauer et al. 2023
)


def way_of(name: str) -> Way | None:
    """The distillation that a file's name tells, with the steps that it says."""
    words = re.split(r"[^a-z0-9]+", name.lower())
    way = next((way for way in WAYS if any(word.startswith(way.word) for word in words)), None)
    steps = re.search(r"(\d{1,2})[-_ ]?steps?", name.lower())
    return way and (replace(way, steps=int(steps[1])) if steps and 0 < int(steps[1]) <= 50 else way)


def draft_lora(model: ModelFile, models: ModelIndex) -> WeightsFile | None:
    """The LoRA that lets a model draw in few steps: one that names the model, else one for its family."""
    files = [file for file in models.files("lora") if way_of(file.name)]
    own = [file for file in files if file.name.lower().startswith(model.id.lower())]
    if own:
        return own[0]
    if model.card.get("known_words"):
        return None  # the small models that come with the studio share a family's shape with nobody
    return next((file for file in files if told_base(file, by_name=True) == model.row.base), None)


def drafted(request: GenerationRequest, model: ModelFile, models: ModelIndex) -> GenerationRequest:
    """The request in the model's few-step way; what was asked for explicitly stays. Raises RequestError without one.

    Drafting a picture twice changes nothing: a resolved request no longer asks for it.
    """
    request = replace(request, draft=False)
    way, loras = way_of(model.id), request.loras
    if way is None:
        file = draft_lora(model, models)
        if file is None:
            raise RequestError(
                "draft",
                f"There is no way yet to draw drafts with {model.title}: put an LCM, Lightning or Hyper LoRA for "
                f"{model.row.title} into models/loras.",
            )
        way = way_of(file.name)
        if not _has(loras, file.name):
            loras = (*loras, LoraUse(file.name))
    asked = request.sampling
    return replace(
        request,
        loras=loras,
        sampling=replace(
            asked,
            sampler=way.sampler if asked.sampler == "auto" else asked.sampler,
            schedule=way.schedule if asked.sampler == "auto" and asked.schedule == "auto" else asked.schedule,
            steps=way.steps if asked.steps is None else asked.steps,
            guidance=way.guidance if asked.guidance is None else asked.guidance,
        ),
    )


def _has(loras: Sequence[LoraUse], name: str) -> bool:
    return any(use.name == name for use in loras)
