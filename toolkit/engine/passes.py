"""One pass over the noise levels with an unmodified pipeline of diffusers: embeddings and latents in, latents out."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import diffusers
import torch
from PIL import Image

from toolkit.engine.beginnings import Beginning
from toolkit.engine.coalescer import Turn
from toolkit.engine.components import Components
from toolkit.engine.conditioning import ConditioningPair
from toolkit.engine.denoiser import Seat
from toolkit.engine.device import free_cache, out_of_memory
from toolkit.engine.noise import first_noise, generators_for
from toolkit.engine.previews import Previewer, Watched
from toolkit.engine.runner import Control
from toolkit.engine.skips import AllSkipped
from toolkit.errors import EngineError
from toolkit.geometry import Size
from toolkit.request import GenerationRequest
from toolkit.samplers import choose_schedule, denoiser_calls, find_sampler, scheduler_options

log = logging.getLogger(__name__)

# Pixels denoised at once for one job: on a CPU a larger batch only needs more memory.
_AT_ONCE = {"cpu": 2**20, "mps": 2**20, "cuda": 2**23}


@dataclass
class Drawing:
    """What every pass of one job shares.

    `place` is the job's place at the denoiser for one pass, `seat(turn, calls, beginning)` the pipeline's UNet there.
    `enlarge` makes a picture larger before a second pass, to the given size or near it; `reserve` has memory made free
    for a call of so many rows of so many cells. `company` is the largest number of jobs that shared a call, `rows` the
    largest batch; `notes` are sentences for the person.
    """

    components: Components
    request: GenerationRequest
    texts: ConditioningPair
    control: Control
    place: Callable[[], AbstractContextManager[Turn]]
    seat: Callable[[Turn, int, Beginning], Seat]
    enlarge: Callable[[Image.Image, Size], Image.Image] = lambda image, size: image
    reserve: Callable[[int, int], None] = lambda rows, cells: None
    company: int = 1
    rows: int = 1
    notes: list[str] = field(default_factory=list)

    def at_once(self, size: Size, number: int) -> int:
        """How many of `number` pictures are denoised together."""
        return max(1, min(number, _AT_ONCE[self.components.device.type] // size.pixels))

    def calls(self, steps: int, strength: float) -> int:
        """How often a pass asks the denoiser, which is how its progress is counted."""
        sampler, _ = find_sampler(self.request.sampling.sampler)
        return denoiser_calls(sampler, max(1, min(int(steps * strength), steps)))


def in_batches(
    drawing: Drawing, begin: Callable[[int], Beginning], pictures: Iterable[int], steps: int, later: int = 0
) -> Iterator[tuple[int, torch.Tensor]]:
    """Yield (index, latents (1, channels, height, width)) of `pictures`, fewer at once when memory runs out.

    `begin(index)` is a picture's beginning; pictures drawn together share their size. `later` are the calls of passes
    still to come. Pictures that are given up meanwhile don't come.
    """
    skips = drawing.control.skips
    left, at_once = list(pictures), 0
    while left := skips.left(left):
        at_once = at_once or drawing.at_once(begin(left[0]).size, len(left))
        together = [index for place, index in enumerate(left[:at_once]) if index == left[0] + place]
        beginnings = [begin(index) for index in together]
        calls = drawing.calls(steps, beginnings[0].strength)
        drawing.control.plan(calls * -(-len(left) // at_once) + later)
        skips.drawing = together
        try:
            drawn = denoise(drawing, beginnings, together[0], steps)
        except AllSkipped:
            continue
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
            free_cache(drawing.components.device)
            if len(together) == 1:
                size = beginnings[0].size
                raise EngineError(
                    f"There is not enough memory for {size} with this model. Try a smaller size."
                ) from error
            at_once = len(together) // 2
            log.warning("out of memory with %d pictures at once; going on with %d", len(together), at_once)
            continue
        left = left[len(together) :]
        wanted = skips.left(together)
        yield from ((index, one[None]) for index, one in zip(together, drawn, strict=True) if index in wanted)


def denoise(drawing: Drawing, beginnings: list[Beginning], first: int, steps: int) -> torch.Tensor:
    """Latents (pictures, channels, height, width) of the pictures from index `first` on, one for each beginning."""
    components, request, start = drawing.components, drawing.request, beginnings[0]
    sampling, device, number = request.sampling, components.device, len(beginnings)
    scheduler = make_scheduler(components, sampling.sampler, sampling.schedule)
    generators = generators_for(request, first, number)
    cells = tuple(side // components.latent_scale for side in (start.size.height, start.size.width))
    noise = first_noise(request, first, generators, (components.latent_channels, *cells)).to(device)
    _noised_with(scheduler, noise)
    calls = drawing.calls(steps, start.strength)
    previewer, watched = Previewer(components.model.card, components.latent_scale, calls), Watched(scheduler)

    def after_step(_: Any, step: int, __: Any, values: dict[str, Any]) -> dict[str, Any]:
        drawing.control.step(previewer.make(watched.estimate, step + 1))
        drawing.control.skips.check()
        return values

    drawing.reserve(number * (2 if sampling.guidance > 1 else 1), cells[0] * cells[1])
    drawing.control.phase("denoising")
    with drawing.place() as turn:
        latents = components.pipeline(start.mode, drawing.seat(turn, calls, start), scheduler)(
            **drawing.texts.pipeline_arguments(number, device),
            **_arguments(beginnings, noise, device),
            num_inference_steps=steps,
            guidance_scale=sampling.guidance,
            eta=sampling.eta or 0.0,
            generator=generators,
            output_type="latent",
            callback_on_step_end=after_step,
        ).images
    drawing.company, drawing.rows = max(drawing.company, turn.company), max(drawing.rows, turn.rows)
    return latents


def make_scheduler(components: Components, sampler_name: str, schedule: str) -> Any:
    """A scheduler for one job, with the model's own noise levels and prediction type."""
    sampler, named = find_sampler(sampler_name)
    preferred = components.model.card["defaults"].get("schedule")
    schedule = choose_schedule(sampler, named or schedule, preferred)
    kind = getattr(diffusers, sampler.scheduler)
    return kind.from_config(dict(components.model.scheduler), **scheduler_options(sampler, schedule))


def _arguments(beginnings: list[Beginning], noise: torch.Tensor, device: torch.device) -> dict[str, Any]:
    """What each kind of pipeline takes to begin with."""
    start = beginnings[0]
    size = {"width": start.size.width, "height": start.size.height}
    if start.mode == "text":
        return {"latents": noise, **size}
    image = torch.cat([one.latents for one in beginnings]).to(device)
    if start.mode == "image":
        return {"image": image, "strength": start.strength}
    masked = torch.cat([one.masked for one in beginnings]).to(device)
    given = {"image": image, "mask_image": start.mask, "masked_image_latents": masked, "strength": start.strength}
    # At full strength the pipeline takes the noise as it is; below it puts noise over the image by the scheduler.
    return {**given, **size, **({"latents": noise} if start.strength >= 1 else {})}


def _noised_with(scheduler: Any, noise: torch.Tensor) -> None:
    """Have this job's scheduler put our noise over pictures: that of the seed, and of its variation."""
    add_noise = scheduler.add_noise
    scheduler.add_noise = lambda original, _, timesteps: add_noise(original, noise.to(original), timesteps)
