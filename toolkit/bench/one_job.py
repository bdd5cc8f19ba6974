"""`one-job`: a picture by the inline engine, against the plain diffusers call with the same model and settings."""

from __future__ import annotations

import threading
from typing import Any

import diffusers
import torch
from diffusers import StableDiffusionPipeline

from toolkit.bench.comparison import times_as_long
from toolkit.bench.measure import Result
from toolkit.engine.device import choose_device, choose_dtype, dtype_name
from toolkit.engine.inline import InlineEngine
from toolkit.engine.protocol import EngineEvent, EngineJob
from toolkit.errors import EngineError
from toolkit.geometry import Size
from toolkit.jobs import JobState
from toolkit.models import ModelFile, ModelIndex
from toolkit.request import GenerationRequest, Sampling
from toolkit.samplers import choose_schedule, find_sampler, scheduler_options

AIM = 1.05
RUNS = 15
STEPS = 20
_COLOURS = ("red", "orange", "yellow", "green", "teal", "blue", "purple", "pink", "brown", "black")
_THINGS = ("circle", "square", "star", "heart", "moon", "house", "fish")


def measure(models: ModelIndex, model_id: str, dtype: str, runs: int | None = None) -> Result:
    """The ratio ours ÷ peer, the median of `runs` pairs; loading and the first picture of each are not counted.

    Ours makes previews and events as it does for a page. Every picture has a prompt of its own, so that our
    remembered embeddings are no help.
    """
    model = models.find(model_id)
    precision = choose_dtype(dtype, choose_device())
    peer, ours = PlainPipeline(model, precision), OurEngine(models, model, dtype_name(precision))
    try:
        for warm in (peer, ours):
            warm(-1)
        return times_as_long(
            "one-job", ours, peer, aim=AIM, runs=runs or RUNS, precision=precision,
            learned=lambda: {"model": model.id, "size": model.card["native_size"], "steps": STEPS},
        )  # fmt: skip
    finally:
        ours.close()


def request_of(model_id: str, card: Any, number: int, steps: int = STEPS) -> GenerationRequest:
    """The picture of run `number`, the same for both sides."""
    thing, colour = _THINGS[number % len(_THINGS)], _COLOURS[number % len(_COLOURS)]
    sampler, _ = find_sampler(card["defaults"]["sampler"])
    schedule = choose_schedule(sampler, "auto", card["defaults"].get("schedule"))
    return GenerationRequest(
        prompt=f"a {colour} {thing} on a white background",
        model=model_id,
        size=Size(*card["native_size"]),
        seed=1000 + number,
        sampling=Sampling(sampler.name, schedule, steps, float(card["defaults"]["guidance"])),
    )


class PlainPipeline:
    """The peer: diffusers' pipeline as its documentation calls it."""

    def __init__(self, model: ModelFile, precision: torch.dtype, steps: int = STEPS) -> None:
        diffusers.utils.logging.disable_progress_bar()
        self._model, self._steps = model, steps
        self._pipeline = StableDiffusionPipeline.from_pretrained(
            str(model.path), dtype=precision, local_files_only=True, safety_checker=None
        ).to(choose_device())
        self._pipeline.set_progress_bar_config(disable=True)

    def __call__(self, number: int) -> Any:
        return draw_plainly(self._pipeline, request_of(self._model.id, self._model.card, number, self._steps))


def draw_plainly(pipeline: Any, request: GenerationRequest, **more: Any) -> Any:
    """A request's picture by a pipeline of diffusers from prompt to pixels; `more` are arguments of its call."""
    sampler, _ = find_sampler(request.sampling.sampler)
    options = scheduler_options(sampler, request.sampling.schedule)
    pipeline.scheduler = getattr(diffusers, sampler.scheduler).from_config(pipeline.scheduler.config, **options)
    return pipeline(
        request.prompt,
        negative_prompt=request.negative,
        width=request.size.width,
        height=request.size.height,
        num_inference_steps=request.sampling.steps,
        guidance_scale=request.sampling.guidance,
        generator=torch.Generator().manual_seed(request.seed),
        **more,
    ).images[0]


class OurEngine:
    """One job after the other through the inline engine."""

    def __init__(self, models: ModelIndex, model: ModelFile, dtype: str) -> None:
        self._model = model
        self._engine = InlineEngine(models, dtype=dtype)
        self._ended = threading.Event()
        self._last: EngineEvent | None = None
        self._engine.start(self._on_event, lambda reason: None)

    def __call__(self, number: int) -> EngineEvent:
        self._ended.clear()
        request = request_of(self._model.id, self._model.card, number)
        self._engine.submit(EngineJob(f"bench-{number}", request))
        self._ended.wait()
        if self._last is None or self._last.state is not JobState.FINISHED:
            raise EngineError(f"The benchmark's job failed: {self._last.error if self._last else 'no event'}")
        return self._last

    def close(self) -> None:
        self._engine.close()

    def _on_event(self, event: EngineEvent) -> None:
        if event.state.ended:
            self._last = event
            self._ended.set()
