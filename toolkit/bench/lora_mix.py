"""`lora-mix`: eight people with three sets of LoRAs, half of them with a ControlNet, at once by the engine.

The peer draws the same pictures one after the other: diffusers' pipelines over the same components, the LoRAs loaded
unfused through peft and chosen for each picture with `set_adapters`, the ControlNet called by diffusers' pipeline.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import replace
from typing import Any

import diffusers
import torch
from diffusers import ControlNetModel, StableDiffusionControlNetPipeline, StableDiffusionPipeline
from PIL import Image, ImageDraw

from toolkit.adapters import ControlUse, LoraUse
from toolkit.bench.crowd import eight_at_once
from toolkit.bench.measure import Result
from toolkit.bench.one_job import draw_plainly, request_of
from toolkit.controls import find_control
from toolkit.engine.device import choose_device, choose_dtype
from toolkit.engine.protocol import EngineJob
from toolkit.geometry import Size
from toolkit.loras import find_lora
from toolkit.models import ModelFile, ModelIndex

AIM, AIM_CUDA = 1.2, 2.0
RUNS = 5
STEPS = 10
NET = "limner-starter-lines"
SETS = (
    (LoraUse("limner-starter-neon"),),
    (LoraUse("limner-starter-linocut", 0.8),),
    (LoraUse("limner-starter-blueprint", 0.6), LoraUse("limner-starter-neon", 0.5)),
)


def measure(models: ModelIndex, model_id: str, dtype: str, runs: int | None = None) -> Result:
    """How many times as many pictures a second, from text to pixels on both sides, with another prompt for each."""
    model = models.find(model_id)
    precision = choose_dtype(dtype, choose_device())
    size = Size(*model.card["native_size"])
    peer = PlainLoras(models, model, precision, outline(size))
    return eight_at_once(
        "lora-mix", models, lambda number: job_of(model, number), lambda number: peer(job_of(model, number)),
        aim=AIM_CUDA if choose_device().type == "cuda" else AIM, runs=runs or RUNS, precision=precision,
        known={"model": model.id, "steps": STEPS, "lora_sets": len(SETS), "with_control": "every second job"},
    )  # fmt: skip


def job_of(model: ModelFile, number: int, steps: int = STEPS) -> EngineJob:
    """A job of a person of its own: the next set of LoRAs, every second one with the ControlNet."""
    request = request_of(model.id, model.card, number, steps)
    picture = _png(outline(request.size))
    name = hashlib.sha256(picture).hexdigest()
    controls = (ControlUse(NET, name, weight=0.8),) if number % 2 else ()
    request = replace(request, loras=SETS[number % len(SETS)], controls=controls)
    return EngineJob(f"bench-{number}", request, who=f"person {number}", pictures={name: picture})


class PlainLoras:
    """The peer: every LoRA loaded once, chosen by `set_adapters`, never fused."""

    def __init__(self, models: ModelIndex, model: ModelFile, precision: torch.dtype, outline: Image.Image) -> None:
        diffusers.utils.logging.disable_progress_bar()
        self._outline = outline
        self._plain = StableDiffusionPipeline.from_pretrained(
            str(model.path), dtype=precision, local_files_only=True, safety_checker=None
        ).to(choose_device())
        for name in {use.name for uses in SETS for use in uses}:
            file = find_lora(name, models).path
            self._plain.load_lora_weights(str(file.parent), weight_name=file.name, adapter_name=name)
        net = ControlNetModel.from_pretrained(
            str(find_control(NET, models).path.parent), dtype=precision, local_files_only=True
        ).to(choose_device())
        self._steered = StableDiffusionControlNetPipeline(
            **self._plain.components, controlnet=net, requires_safety_checker=False
        )
        for pipeline in (self._plain, self._steered):
            pipeline.set_progress_bar_config(disable=True)

    def __call__(self, job: EngineJob) -> Image.Image:
        request = job.request
        pipeline, more = self._plain, {}
        if request.controls:
            pipeline = self._steered
            more = {"image": self._outline, "controlnet_conditioning_scale": request.controls[0].weight}
        if request.loras:
            self._plain.enable_lora()
            self._plain.set_adapters([use.name for use in request.loras], [use.weight for use in request.loras])
        else:
            self._plain.disable_lora()
        return draw_plainly(pipeline, request, **more)


def outline(size: Size) -> Image.Image:
    """The control picture: white lines on black, as the preprocessor for edges makes them."""
    image = Image.new("RGB", size, "black")
    box = (size.width // 4, size.height // 4, size.width * 3 // 4, size.height * 3 // 4)
    ImageDraw.Draw(image).ellipse(box, outline="white", width=2)
    return image


def _png(image: Image.Image) -> bytes:
    file: Any = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()
