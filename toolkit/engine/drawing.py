"""A job from request to pictures: unmodified diffusers pipelines between our text encoding and our decoding."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any

import diffusers
import torch
from PIL import Image

from toolkit.controls import find_control
from toolkit.engine.adapters.control import Unit, controlled
from toolkit.engine.adapters.sets import LoraSet, Use, reading
from toolkit.engine.beginnings import Beginning, begin, enlarged, enlarged_latents, unpacked
from toolkit.engine.components import Components
from toolkit.engine.denoiser import Seat, unskipped
from toolkit.engine.device import dtype_name
from toolkit.engine.guidance import rescaled
from toolkit.engine.manager import PipelineManager
from toolkit.engine.passes import Drawing, in_batches
from toolkit.engine.protocol import EngineJob, Picture
from toolkit.engine.runner import Control, Drawn
from toolkit.engine.tiling import tiled, wraps_itself
from toolkit.errors import Cancelled
from toolkit.geometry import Size
from toolkit.loras import find_lora
from toolkit.models import ModelIndex
from toolkit.plugins.calls import denoising, enlarge, preprocess
from toolkit.plugins.plugins import Plugins
from toolkit.request import GenerationRequest
from toolkit.resizing import resized
from toolkit.starts import UPSCALERS, AsIs


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
        if isinstance(request.start, AsIs):
            return self._as_it_is(job)
        control.phase("loading")
        model = self._models.find(request.model)
        with self._manager.lease(model) as components, torch.no_grad():
            drawing = self._drawing(components, job, control)
            kept, found = _pictures(drawing, job.pictures)
        facts = {
            "engine": self._engine,
            "device": components.device.type,
            "dtype": dtype_name(components.dtype),
            "batch": drawing.at_once(request.size, request.count),
            "company": drawing.company,
            "rows": drawing.rows,
            "torch": torch.__version__,
            "diffusers": diffusers.__version__,
            "model_hash": model.settled_hash(),
        }
        if components.attention != "auto":
            facts["attention"] = components.attention
        # Finishing steps work on all of a picture, so what is outside of a mask stays no longer as it was.
        own = {} if request.finish else found[0][2]
        if alone := components.coalescer.alone(job.exact):
            facts["alone"] = alone
        notes = [*drawing.notes, *(note for _, note, _ in found if note)]
        pictures = tuple(picture for picture, _, _ in found)
        return Drawn(pictures, {**facts, **own}, notes[0] if notes else None, indices=tuple(kept))

    def _as_it_is(self, job: EngineJob) -> Drawn:
        picture = _packed(unpacked(job.pictures[job.request.start.image]))
        return Drawn((picture,) * job.request.count, {"engine": self._engine})

    def _drawing(self, components: Components, job: EngineJob, control: Control) -> Drawing:
        request, sampling = job.request, job.request.sampling
        control.phase("encoding")
        loras = self._loras(components, request)
        texts = components.text.encode_pair(
            request.prompt, request.negative, sampling.clip_skip,
            key=loras.text_key, patch=partial(reading, components, loras),
            words=components.words.used((request.prompt, request.negative), self._models.files("embedding")),
        )  # fmt: skip
        patch, key = self._patch(components, request)
        units = self._units(components, job, control)
        rescaling = (rescaled(sampling.guidance, sampling.rescale),) if sampling.rescale else ()
        place = partial(components.coalescer.job, job.who, job.exact, control.checkpoint, control.alive)

        def seat(turn: Any, calls: int, start: Beginning) -> Seat:
            steering = (controlled(units, start.size, calls, start.window),) if units else ()
            transforms = (unskipped(control.skips), *rescaling, *steering)
            return Seat(
                turn, components.unet, patch=patch, patch_key=key, transforms=transforms, adapters=loras, calls=calls
            )  # fmt: skip

        drawing = Drawing(components, request, texts, control, place, seat)
        drawing.enlarge = partial(self._enlarged, drawing)
        drawing.reserve = partial(self._manager.reserve, components)
        return drawing

    def _enlarged(self, drawing: Drawing, image: Image.Image, size: Size) -> Image.Image:
        """A picture between two passes, by the plugin's upscaler that the request names."""
        request, plugins, control = drawing.request, self._plugins(), drawing.control
        name = request.refine.upscaler
        if name in UPSCALERS:
            return image
        larger = None
        if plugins is not None:
            with control.plugins_turn():
                larger = enlarge(
                    plugins, name, image, size, request, device=drawing.components.device.type,
                    checkpoint=control.checkpoint,
                )  # fmt: skip
        if larger is None:
            drawing.notes.append(f"The upscaler “{name}” failed, so the picture was enlarged by Lanczos in between.")
        return larger or image

    def _loras(self, components: Components, request: GenerationRequest) -> LoraSet:
        uses = []
        for use in request.loras:
            lora = components.loras.take(find_lora(use.name, self._models))
            text_weight = use.weight if use.text_weight is None else use.text_weight
            uses.append(Use(lora, use.weight, text_weight, use.start, use.end))
        return LoraSet(tuple(uses))

    def _units(self, components: Components, job: EngineJob, control: Control) -> list[Unit]:
        units = []
        for use in job.request.controls:
            picture = resized(unpacked(job.pictures[use.image]), job.request.size, use.resize)
            plugins = self._plugins()
            if use.preprocessor != "none" and plugins is not None:
                device = components.device.type
                picture = preprocess(
                    plugins, use, picture, job.request, device=device, checkpoint=control.checkpoint
                )  # fmt: skip
            net = components.controls.take(find_control(use.kind, self._models))
            units.append(Unit(net, picture, use.weight, use.start, use.end, use.resize))
        return units

    def _patch(self, components: Components, request: GenerationRequest) -> tuple[Any, str | None]:
        """What surrounds this job's calls of the denoiser, and a key: requests with equal keys change it equally."""
        plugins = self._plugins() if request.extras else None
        asked = denoising(plugins, components.unet, request) if plugins is not None else None
        axes = "" if wraps_itself(request.prompt, components.model.card) else request.tile
        if asked is None and not axes:
            return None, None

        @contextmanager
        def patch() -> Iterator[None]:
            with tiled(components.unet, axes), asked() if asked is not None else nullcontext():
                yield

        return patch, json.dumps([axes, request.extras if asked is not None else {}], sort_keys=True)


Found = tuple[Picture, str | None, Mapping[str, Any]]


def _pictures(drawing: Drawing, inputs: Mapping[str, bytes]) -> tuple[list[int], list[Found]]:
    """The wanted pictures' indices, and each decoded and set back into what it began with, with a note and facts."""
    request, components, control = drawing.request, drawing.components, drawing.control
    beginning = begin(components, request, inputs)
    later = 0
    if request.refine is not None:
        larger = Beginning("image", refined_size(request), request.refine.strength)
        again = drawing.calls(_refining_steps(request), larger.strength)
        later = again * -(-request.count // drawing.at_once(larger.size, request.count))
    steps = request.sampling.steps
    latents = dict(in_batches(drawing, lambda _: beginning, range(request.count), steps, later))
    if request.refine is not None:
        latents = _refined(drawing, latents)
    control.phase("decoding")
    kept = control.skips.settle(latents)
    if not kept:
        raise Cancelled("Every picture of the job was skipped.")
    found = []
    for index in kept:
        control.checkpoint()
        picture, note = components.decoder.decode(latents[index], request.tile)
        image, facts = beginning.back(_unpacked(picture))
        found.append((_packed(image), note, facts))
    return kept, found


def _refined(drawing: Drawing, latents: Mapping[int, torch.Tensor]) -> dict[int, torch.Tensor]:
    """The second pass over each picture, at its larger size."""
    request, components, refine = drawing.request, drawing.components, drawing.request.refine
    size = refined_size(request)
    drawing.control.phase("decoding")

    def begin_again(index: int) -> Beginning:
        if refine.upscaler == "latent":
            return enlarged_latents(latents[index], size, components.latent_scale, refine.strength)
        image = _unpacked(components.decoder.decode(latents[index], request.tile)[0])
        return enlarged(components, drawing.enlarge(image, size), size, refine.strength, request.tile)

    beginnings: dict[int, Beginning] = {}

    def remembered(index: int) -> Beginning:
        return beginnings.get(index) or beginnings.setdefault(index, begin_again(index))

    return dict(in_batches(drawing, remembered, latents, _refining_steps(request)))


def refined_size(request: GenerationRequest) -> Size:
    """The size of a refined picture: `scale` times the first one, in whole latent cells."""
    scale = request.refine.scale if request.refine else 1.0
    return Size(round(request.size.width * scale), round(request.size.height * scale)).snap(8)


def _refining_steps(request: GenerationRequest) -> int:
    return request.refine.steps or request.sampling.steps


def _unpacked(picture: Picture) -> Image.Image:
    return Image.frombytes(picture.mode, (picture.width, picture.height), picture.rgb)


def _packed(image: Image.Image) -> Picture:
    return Picture(image.width, image.height, image.tobytes(), image.mode)
