"""`preview`: a picture with a preview of every single step, against the same picture without any."""

from __future__ import annotations

import math
from typing import Any

import torch

from toolkit.bench.comparison import times_as_long
from toolkit.bench.measure import Result
from toolkit.bench.one_job import request_of
from toolkit.engine.components import Components
from toolkit.engine.denoiser import Seat
from toolkit.engine.manager import PipelineManager
from toolkit.engine.passes import make_scheduler
from toolkit.engine.previews import Previewer, Watched
from toolkit.models import ModelIndex

AIM = 1.03
# The difference is smaller than what a busy machine does to single pairs, which last a third of a second each.
RUNS = 25
STEPS = 10


def measure(models: ModelIndex, model_id: str, dtype: str, runs: int | None = None) -> Result:
    """The ratio with ÷ without; a page asks for at most four a second, so this is more than it ever costs."""
    model = models.find(model_id)
    manager = PipelineManager(dtype)
    try:
        with manager.lease(model) as components:
            _draw(components, -1, previews=True)
            return times_as_long(
                "preview",
                lambda number: _draw(components, number, previews=True),
                lambda number: _draw(components, number, previews=False),
                aim=AIM, runs=runs or RUNS, precision=manager.dtype,
                learned=lambda: {"model": model.id, "steps": STEPS},
            )  # fmt: skip
    finally:
        manager.close()


def _draw(components: Components, number: int, previews: bool) -> int:
    """Denoise one picture; returns how many previews were made."""
    card, scale = components.model.card, components.latent_scale
    request = request_of(components.model.id, card, number)
    texts = components.text.encode_pair(request.prompt, request.negative)
    scheduler = make_scheduler(components, request.sampling.sampler, request.sampling.schedule)
    watched, made = Watched(scheduler), 0
    previewer = Previewer(card, scale, STEPS, per_second=math.inf)

    def after_step(_: Any, step: int, __: Any, values: dict[str, Any]) -> dict[str, Any]:
        nonlocal made
        if previews:
            made += len(previewer.make(watched.estimate, step + 1))
        return values

    with torch.no_grad(), components.coalescer.job() as turn:
        components.pipeline("text", Seat(turn, components.unet, calls=STEPS), scheduler)(
            **texts.pipeline_arguments(1, components.device),
            width=request.size.width, height=request.size.height, num_inference_steps=STEPS,
            guidance_scale=request.sampling.guidance, generator=torch.Generator().manual_seed(request.seed),
            output_type="latent", callback_on_step_end=after_step,
        )  # fmt: skip
    return made
