"""A job from request to pictures: unmodified diffusers pipelines between our text encoding and our decoding."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from functools import partial
from typing import Any

import diffusers
import torch

from toolkit.engine.components import Components
from toolkit.engine.conditioning import ConditioningPair
from toolkit.engine.denoiser import Seat
from toolkit.engine.device import dtype_name, free_cache, out_of_memory
from toolkit.engine.manager import PipelineManager
from toolkit.engine.previews import Previewer, Watched
from toolkit.engine.protocol import EngineJob
from toolkit.engine.runner import Control, Drawn
from toolkit.errors import EngineError
from toolkit.models import ModelIndex
from toolkit.plugins.calls import denoising
from toolkit.plugins.plugins import Plugins
from toolkit.request import GenerationRequest
from toolkit.samplers import choose_schedule, find_sampler, scheduler_options

log = logging.getLogger(__name__)

# Pixels denoised at once for one job: on a CPU a larger batch only needs more memory.
_AT_ONCE = {"cpu": 2**20, "mps": 2**20, "cuda": 2**23}


class Drawer:
    """Draws resolved requests; called on job threads."""

    def __init__(
        self, models: ModelIndex, manager: PipelineManager, engine: str,
        plugins: Callable[[], Plugins | None] = lambda: None,
    ) -> None:  # fmt: skip
        self._models, self._manager, self._engine, self._plugins = models, manager, engine, plugins
        diffusers.utils.logging.disable_progress_bar()
        diffusers.utils.logging.set_verbosity_error()  # its warnings are advice to programmers

    def draw(self, job: EngineJob, control: Control) -> Drawn:
        """Draw a job's pictures; raise a LimnerError with a sentence for a person, or whatever torch raises."""
        request = job.request
        control.phase("loading")
        model = self._models.find(request.model)
        with self._manager.lease(model) as components, torch.no_grad():
            control.phase("encoding")
            texts = components.text.encode_pair(request.prompt, request.negative, request.sampling.clip_skip)
            control.phase("denoising")
            plugins = self._plugins() if request.extras else None
            patch = denoising(plugins, components.unet, request) if plugins is not None else None
            with components.coalescer.job(job.who, job.exact, control.checkpoint) as turn:
                seat = partial(Seat, turn, components.unet, patch=patch, patch_key=_patch_key(request, patch))
                latents, batch = _in_batches(components, request, texts, control, seat)
            control.phase("decoding")
            pictures, notes = [], []
            for one in latents:
                control.checkpoint()
                picture, note = components.decoder.decode(one[None])
                pictures.append(picture)
                notes.append(note)
        facts = {
            "engine": self._engine,
            "device": components.device.type,
            "dtype": dtype_name(components.dtype),
            "batch": batch,
            "company": turn.company,
            "torch": torch.__version__,
            "diffusers": diffusers.__version__,
            "model_hash": model.hash,
        }
        return Drawn(tuple(pictures), facts, next(filter(None, notes), None))


def _in_batches(
    components: Components, request: GenerationRequest, texts: ConditioningPair, control: Control,
    seat: Callable[..., Seat],
) -> tuple[list[torch.Tensor], int]:  # fmt: skip
    """Latents of every picture, and how many were denoised together; fewer at once when memory runs out."""
    at_once = max(1, min(request.count, _AT_ONCE[components.device.type] // request.size.pixels))
    latents: list[torch.Tensor] = []
    while len(latents) < request.count:
        number = min(at_once, request.count - len(latents))
        batches = -(-(request.count - len(latents)) // at_once)
        control.plan(steps_left=batches * request.sampling.steps)
        try:
            latents.extend(_denoise(components, request, texts, control, len(latents), number, seat))
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
            free_cache(components.device)
            if number == 1:
                raise EngineError(
                    f"There is not enough memory for {request.size} with this model. Try a smaller size."
                ) from error
            at_once = number // 2
            log.warning("out of memory with %d pictures at once; going on with %d", number, at_once)
    return latents, at_once


def _denoise(
    components: Components, request: GenerationRequest, texts: ConditioningPair, control: Control,
    first: int, number: int, seat: Callable[..., Seat],
) -> torch.Tensor:  # fmt: skip
    """Latents (number, channels, height, width) of the pictures from index `first` on.

    Every picture has a generator of its own on the CPU, seeded with seed + index: it draws the same noise in every
    batch and on every machine.
    """
    sampling, device = request.sampling, components.device
    scheduler = make_scheduler(components, sampling.sampler, sampling.schedule)
    generators = [torch.Generator().manual_seed(request.seed + first + index) for index in range(number)]
    width, height = (side // components.latent_scale for side in request.size)
    shape = (1, components.latent_channels, height, width)
    noise = torch.cat([torch.randn(shape, generator=generator) for generator in generators])
    previewer = Previewer(components.model.card, components.latent_scale, sampling.steps)
    watched = Watched(scheduler)

    def after_step(_: Any, step: int, __: Any, values: dict[str, Any]) -> dict[str, Any]:
        control.step(previewer.make(watched.estimate, step + 1))
        return values

    pipeline = components.pipeline("text", seat(calls=sampling.steps), scheduler)
    return pipeline(
        **texts.pipeline_arguments(number, device),
        width=request.size.width,
        height=request.size.height,
        num_inference_steps=sampling.steps,
        guidance_scale=sampling.guidance,
        latents=noise.to(device),
        generator=generators,
        output_type="latent",
        callback_on_step_end=after_step,
    ).images


def _patch_key(request: GenerationRequest, patch: Any) -> str | None:
    """Requests with the same options for plugins change the denoiser in the same way."""
    return None if patch is None else json.dumps(request.extras, sort_keys=True)


def make_scheduler(components: Components, sampler_name: str, schedule: str) -> Any:
    """A scheduler for one job, with the model's own noise levels and prediction type."""
    sampler, named = find_sampler(sampler_name)
    preferred = components.model.card["defaults"].get("schedule")
    schedule = choose_schedule(sampler, named or schedule, preferred)
    kind = getattr(diffusers, sampler.scheduler)
    return kind.from_config(dict(components.model.scheduler), **scheduler_options(sampler, schedule))
