"""From settings found in a picture to a request: nothing in a picture is trusted, and nothing is changed silently."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from toolkit.errors import MetadataError, RequestError
from toolkit.further_settings import KEYS, read
from toolkit.geometry import Size
from toolkit.request import GenerationRequest, Sampling
from toolkit.samplers import find_sampler, find_schedule

# Wider than what the studio draws, which `prepare` checks: a picture from elsewhere may be read and then adapted.
MAX_SIDE = 16_384
MAX_STEPS = 10_000
MAX_GUIDANCE = 1_000
MAX_SEED = 2**64 - 1
MAX_COUNT = 1_000
MAX_STYLES = 100

_UNDERSTOOD = {"Steps", "Sampler", "Schedule type", "CFG scale", "Seed", "Size", "Model", "Model hash", "Version"}
_NAMED_AT_MOST = 8


def request_of(settings: Mapping[str, str]) -> tuple[GenerationRequest, list[str]]:
    """The request for settings under A1111's keys, without its words, and sentences about what was not understood.

    Raises MetadataError for a value that no picture can have.
    """
    notes: list[str] = []
    sampler, schedule = _sampler(settings, notes)
    request = GenerationRequest(
        size=_size(settings, notes),
        seed=_seed(settings, notes),
        sampling=Sampling(
            sampler=sampler,
            schedule=schedule,
            steps=_number(settings, "Steps", int, notes),
            guidance=_number(settings, "CFG scale", float, notes),
        ),
    )
    request = request.with_(**read(settings, lambda key, kind: _number(settings, key, kind, notes), notes))
    if settings.get("Model"):
        request = request.with_(model=settings["Model"][:1000])
    elif settings.get("Model hash"):
        notes.append(f"The model is only named by its hash, {shown(settings['Model hash'])}.")
    else:
        notes.append("The picture doesn't say which model drew it.")
    unused = [key for key in settings if key not in _UNDERSTOOD | KEYS]
    if unused:
        more = f" and {len(unused) - _NAMED_AT_MOST:,} more" if len(unused) > _NAMED_AT_MOST else ""
        notes.append(f"Limner doesn't use these settings of the picture: {', '.join(unused[:_NAMED_AT_MOST])}{more}.")
    return checked(request), notes


def checked(request: GenerationRequest) -> GenerationRequest:
    """The request itself; raises MetadataError for a value that no picture can have."""
    size, sampling = request.size, request.sampling
    if size is not None and not (min(size) >= 1 and max(size) <= MAX_SIDE):
        raise MetadataError(f"This picture asks for {shown(str(size))} pixels; each side must be 1 to {MAX_SIDE:,}.")
    _within("steps", sampling.steps, 1, MAX_STEPS)
    _within("guidance (CFG scale)", sampling.guidance, 0, MAX_GUIDANCE)
    _within("seed", request.seed, 0, MAX_SEED)
    _within("number of pictures", request.count, 1, MAX_COUNT)
    styles = (*request.styles, *(request.written.styles if request.written else ()))
    _within("number of styles", len(styles), 0, MAX_STYLES)
    return request


def with_upscaler(request: GenerationRequest, upscalers: Sequence[str]) -> tuple[GenerationRequest, list[str]]:
    """A request that was read from a picture, refined by one of `upscalers`; a sentence when it named another one."""
    refine = request.refine
    if refine is None or refine.upscaler in upscalers:
        return request, []
    same = next((name for name in upscalers if name.lower() == refine.upscaler.lower()), None)
    if same is not None:
        return replace(request, refine=replace(refine, upscaler=same)), []
    missing = (
        f"This picture was enlarged by “{shown(refine.upscaler)}” before its second pass, which is not here; "
        "Lanczos takes its place."
    )
    return replace(request, refine=replace(refine, upscaler="lanczos")), [missing]


def shown(value: str) -> str:
    """A value from a picture, short enough for a sentence."""
    plain = " ".join(value.split())
    return plain if len(plain) <= 40 else plain[:39] + "…"


def _within(name: str, value: float | None, low: int, high: int) -> None:
    if value is not None and not (math.isfinite(value) and low <= value <= high):
        raise MetadataError(f"The {name} in this picture is {shown(str(value))}; it must be from {low} to {high:,}.")


def _number(settings: Mapping[str, str], key: str, kind: type, notes: list[str]) -> float | int | None:
    text = settings.get(key)
    if text is None:
        return None
    try:
        value = kind(text)
        if math.isfinite(value):
            return value
    except (ValueError, OverflowError):
        pass
    wanted = "a whole number" if kind is int else "a number"
    notes.append(f"“{key}” is “{shown(text)}” in this picture, which is not {wanted}; the usual value takes its place.")
    return None


def _seed(settings: Mapping[str, str], notes: list[str]) -> int | None:
    seed = _number(settings, "Seed", int, notes)
    return None if seed == -1 else seed


def _size(settings: Mapping[str, str], notes: list[str]) -> Size | None:
    text = settings.get("Size")
    if text is None:
        return None
    found = re.fullmatch(r"(\d{1,30})x(\d{1,30})", text)
    if found:
        return Size(int(found[1]), int(found[2]))
    notes.append(f"The size “{shown(text)}” is not of the form 512x768; the usual size takes its place.")
    return None


def _sampler(settings: Mapping[str, str], notes: list[str]) -> tuple[str, str]:
    """The names of sampler and schedule, "auto" for what is missing or unknown here."""
    label, spacing = settings.get("Sampler"), settings.get("Schedule type", "Automatic")
    sampler, schedule = None, None
    if label is not None:
        try:
            sampler, schedule = find_sampler(label[:100])
        except RequestError:
            notes.append(f"There is no sampler “{shown(label)}” here; the model's usual one takes its place.")
    if spacing.lower() not in ("automatic", "auto", ""):
        try:
            schedule = find_schedule(spacing[:100]).name
        except RequestError:
            notes.append(f"There is no schedule “{shown(spacing)}” here; the sampler's usual one takes its place.")
    if sampler and schedule and schedule not in sampler.schedules:
        label = find_schedule(schedule).label
        notes.append(f"{sampler.label} can't follow the {label} schedule here; its usual one takes its place.")
        schedule = None
    return sampler.name if sampler else "auto", schedule or "auto"
