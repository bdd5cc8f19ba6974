"""From a request as asked to a request that can be drawn: every "auto" made concrete, every wrong value refused."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from toolkit.adapters import check_controls, check_loras
from toolkit.beginning import begun, check_passes, mode_of
from toolkit.controls import find_control, resolved
from toolkit.drafts import drafted, few_step_defaults
from toolkit.errors import ModelError, RequestError
from toolkit.geometry import Size
from toolkit.jobs import OWNER, Who
from toolkit.lora_bases import check_bases
from toolkit.loras import known, take_tags
from toolkit.plugins.calls import check_preprocessors, refiners
from toolkit.plugins.calls import prepare as prepare_by_plugins
from toolkit.request import GenerationRequest, Sampling, Written
from toolkit.samplers import check_sampler, choose_schedule, find_sampler
from toolkit.starts import AsIs, FromImage, Refine, check_start
from toolkit.walks import take_walk

if TYPE_CHECKING:
    from toolkit.models import ModelFile, ModelIndex
    from toolkit.pictures import InputPictures
    from toolkit.plugins.plugins import Plugins
    from toolkit.styles import StyleLibrary

MAX_PROMPT = 10_000
MAX_STEPS = 150
MAX_COUNT = 16
MAX_SIDE = 4096
MAX_SEED = 2**32 - 1
GUIDANCE = (1.0, 30.0)
MAX_CLIP_SKIP = 12


def prepare(
    request: GenerationRequest, models: ModelIndex, styles: StyleLibrary, *, paths: bool = True,
    plugins: Plugins | None = None, pictures: InputPictures | None = None, who: Who = OWNER,
) -> GenerationRequest:  # fmt: skip
    """Resolve `request`; raise RequestError with the field that is wrong and what would be right.

    Preparing a resolved request changes nothing, so a saved picture's request draws the same picture again.
    `paths` says whether a model may be named by a folder; only somebody at the machine should do that. `plugins`
    rewrite the request after its styles, with its seed; without them finishing steps are refused. `pictures` are the
    input pictures of `who`, which requests that start from one need.
    """
    request, _ = expand(request, styles, plugins)
    count = request.count
    request = _with_loras(request, models)
    model = _model(request.model, models, paths)
    request = begun(request, model, pictures, who)
    if isinstance(request.start, AsIs):
        return _as_it_is(request, count)
    if request.draft:
        request = drafted(request, model, models)
    check_bases(request.loras, model, models)
    if not take_walk(request.prompt)[0].strip():
        raise RequestError("prompt", "The prompt is empty: type what you want to see, for example “a red fish”.")
    request = _with_controls(request, model, models, plugins)
    request = replace(
        request,
        model=model.id,
        size=request.size if mode_of(request) == "inpaint" else _size(request.size, model),
        sampling=_sampling(request, model, models),
        count=count,
    )
    request = replace(request, refine=_refine(request))
    check_passes(request, refiners(plugins))
    return request


def expand(
    request: GenerationRequest, styles: StyleLibrary, plugins: Plugins | None
) -> tuple[GenerationRequest, bool]:
    """The request with its seed, its styles and all that plugins rewrite, and whether they rewrote its words.

    It needs no model, so that the page can show what a prompt becomes while somebody types.
    """
    request = GenerationRequest.from_dict(request.to_dict())  # a script may hand over values of any type
    _check_text(request)
    request = _apply_styles(request, styles)
    _whole("count", "pictures at once", request.count, 1, MAX_COUNT)
    request = replace(request, seed=_seed(request))
    if plugins is None:
        if request.finish or request.extras:
            raise RequestError("finish", "This studio has no plugins, which finishing steps and extras are for.")
        return request, False
    before = (request.prompt, request.negative)
    request = prepare_by_plugins(plugins, request)
    _check_text(request)
    return request, (request.prompt, request.negative) != before


def _refine(request: GenerationRequest) -> Refine | None:
    """A second pass with as many steps as the first, or as many more as leave one of them to draw."""
    refine, steps = request.refine, request.sampling.steps or 1
    if refine is None or refine.steps is not None or not 0 < refine.strength <= 1 or int(steps * refine.strength):
        return refine
    return replace(refine, steps=math.ceil(1 / refine.strength))


def _as_it_is(request: GenerationRequest, count: int) -> GenerationRequest:
    if not request.finish:
        raise RequestError("finish", "The picture is only finished, so add at least one finishing step.")
    check_start(request.start, 1)
    return replace(request, count=count, sampling=Sampling(), refine=None, variation=None, loras=(), controls=())


def _with_controls(
    request: GenerationRequest, model: ModelFile, models: ModelIndex, plugins: Plugins | None
) -> GenerationRequest:
    """Control units with the names of ControlNets that are here and fit, and preprocessors that are there."""
    if not request.controls:
        return request
    check_controls(request.controls)
    if plugins is None:
        raise RequestError("controls", "This studio has no plugins, which control units are for.")
    units = resolved(request.controls, model, models, plugins.registry.controls())
    return check_preprocessors(plugins, replace(request, controls=units))


def _with_loras(request: GenerationRequest, models: ModelIndex) -> GenerationRequest:
    """LoRA tags out of the texts and into `loras`, each under the name of a file that is here."""
    prompt, tags = take_tags(request.prompt)
    negative, more = take_tags(request.negative)
    written = request.written and replace(request.written, prompt=take_tags(request.written.prompt)[0])
    if not (tags or more or request.loras):
        return request
    loras = known((*request.loras, *tags, *more), models)
    check_loras(loras)
    return replace(request, prompt=prompt, negative=negative, written=written, loras=loras)


def _check_text(request: GenerationRequest) -> None:
    for field, text in (("prompt", request.prompt), ("negative", request.negative)):
        if len(text) > MAX_PROMPT:
            raise RequestError(field, f"The {field} text has {len(text):,} characters; at most {MAX_PROMPT:,} work.")
        if any((ord(letter) < 32 and letter not in "\n\r\t") or 0xD800 <= ord(letter) <= 0xDFFF for letter in text):
            raise RequestError(field, f"The {field} text holds a control character; type it again without it.")


def _model(name: str, models: ModelIndex, paths: bool) -> ModelFile:
    if not paths and name not in {model.id for model in models.list()}:
        raise RequestError("model", f"There is no model called “{name}” in this studio.")
    try:
        return models.find(name)
    except ModelError as error:
        raise RequestError("model", str(error)) from error


def _apply_styles(request: GenerationRequest, styles: StyleLibrary) -> GenerationRequest:
    if not request.styles:
        return request
    for style in request.styles:
        if style not in styles.styles:
            near = get_close_matches(style, styles.styles, n=1)
            hint = f" Did you mean “{near[0]}”?" if near else ""
            raise RequestError("styles", f"There is no style “{style}”.{hint}")
    prompt, negative = styles.apply(request.prompt, request.negative, request.styles)
    written = Written(request.prompt, request.negative, request.styles)
    return replace(request, prompt=prompt, negative=negative, styles=(), written=written)


def _size(size: Size | None, model: ModelFile) -> Size:
    if size is None:
        return Size(*model.card["native_size"])
    multiple = int(model.card["size_multiple"])
    low = 8 * multiple
    right = Size(*(min(MAX_SIDE // multiple * multiple, max(low, side)) for side in size.snap(multiple)))
    if min(size) < low or max(size) > MAX_SIDE:
        raise RequestError("size", f"{size} won't work: each side must be {low} to {MAX_SIDE} pixels. Try {right}.")
    if size != right:
        raise RequestError(
            "size", f"{size} won't work with this model: both sides must be multiples of {multiple}. Try {right}."
        )
    return size


def _sampling(request: GenerationRequest, model: ModelFile, models: ModelIndex) -> Any:
    asked = request.sampling
    defaults: dict[str, Any] = dict(model.card["defaults"])
    for unit in request.controls[:1]:
        # A ControlNet that was made for another way of sampling than the model's usual one says so in its card.
        own = find_control(unit.kind, models).defaults
        defaults |= {name: value for name, value in own.items() if name in defaults}
    few = few_step_defaults(request.loras, models)
    defaults |= few
    sampler, schedule_in_name = find_sampler(defaults["sampler"] if asked.sampler == "auto" else asked.sampler)
    if asked.schedule != "auto":
        schedule_in_name = None
    schedule = choose_schedule(sampler, schedule_in_name or asked.schedule, defaults.get("schedule"))
    steps = defaults["steps"] if asked.steps is None else asked.steps
    usual = defaults["guidance"]
    if isinstance(request.start, FromImage) and not few:
        # A model may redraw a picture wholly at any strength when it is guided as for a new one.
        usual = model.card.get("rework_guidance", usual)
    guidance = usual if asked.guidance is None else asked.guidance
    if not (math.isfinite(guidance) and GUIDANCE[0] <= guidance <= GUIDANCE[1]):
        raise RequestError(
            "sampling.guidance",
            f"A guidance of {guidance} won't work: it must be a number from {GUIDANCE[0]:g} to {GUIDANCE[1]:g}.",
        )
    if asked.clip_skip is not None:
        _whole("sampling.clip_skip", "clip skip", asked.clip_skip, 1, MAX_CLIP_SKIP)
    if not (math.isfinite(asked.rescale) and 0 <= asked.rescale <= 1):
        raise RequestError("sampling.rescale", f"A rescale of {asked.rescale:g} won't work: choose from 0 to 1.")
    steps = _whole("sampling.steps", "steps", steps, 1, MAX_STEPS)
    check_sampler(sampler, str(model.scheduler.get("prediction_type", "epsilon")), steps, asked.eta)
    return replace(
        asked,
        sampler=sampler.name,
        schedule=schedule,
        steps=steps,
        guidance=float(guidance),
    )


def _whole(field: str, label: str, value: int, low: int, high: int) -> int:
    if not low <= value <= high:
        raise RequestError(field, f"{value:,} {label} won't work: choose from {low} to {high}.")
    return value


def _seed(request: GenerationRequest) -> int:
    last = MAX_SEED - request.count + 1
    if request.seed is None:
        return random.SystemRandom().randrange(last + 1)
    if not 0 <= request.seed <= last:
        raise RequestError("seed", f"The seed {request.seed} won't work: choose a whole number from 0 to {last}.")
    return request.seed
