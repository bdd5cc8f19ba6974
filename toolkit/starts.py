"""Where a picture starts, as plain frozen values: from text, from a picture, inside a mask, or beyond its borders.

Pictures inside them are the SHA-256 names that `toolkit.pictures` gave; sizes, weights and strengths are checked by
the `check_…` functions, types by `start_from_dict` and `options_from_dict`, so that JSON from anywhere can be read.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from typing import Any

from toolkit.errors import RequestError

RESIZES = ("crop", "fill", "stretch")
AREAS = ("whole", "masked")
FILLS = ("original", "fill", "noise", "nothing")
TILES = ("", "x", "y", "xy")
UPSCALERS = ("lanczos", "latent")

MAX_FEATHER, MAX_PADDING, MAX_EXTENSION = 64, 256, 2048
MAX_SCALE, MAX_REFINE_STEPS, MAX_SEED = 4.0, 150, 2**32 - 1


@dataclass(frozen=True, slots=True)
class FromText:
    """The picture starts from noise alone."""


@dataclass(frozen=True, slots=True)
class FromImage:
    """Image to image: the picture starts from `image` (SHA-256) with noise over it.

    `strength` in (0, 1] is the share of the noise levels that are drawn anew; `resize` brings the image to the
    request's size: "crop" covers it, "fill" shows all of the image with blurred edges around it, "stretch" deforms.
    """

    image: str
    strength: float = 0.6
    resize: str = "crop"


@dataclass(frozen=True, slots=True)
class Inpaint:
    """Draws anew where `mask` (SHA-256 of an L picture) is not black; where it is 0, no pixel changes.

    `feather` is how many pixels, inwards from the mask's edge, the drawing fades in over. With `area` "masked" the
    model draws only the mask's surroundings (`padding` pixels more on each side) at its own size, so that small
    things get all of its detail. `fill` is what the masked part starts from: the "original" pixels, colours that
    run in from its borders ("fill"), "noise" or "nothing"; with strength 1 nothing is left of it.
    """

    image: str
    mask: str
    strength: float = 1.0
    feather: int = 4
    area: str = "whole"
    padding: int = 32
    fill: str = "original"


@dataclass(frozen=True, slots=True)
class Outpaint:
    """Continues `image` (SHA-256) by so many pixels to each side; the image itself stays as it is."""

    image: str
    left: int = 0
    top: int = 0
    right: int = 0
    bottom: int = 0
    strength: float = 1.0
    feather: int = 8
    fill: str = "fill"


@dataclass(frozen=True, slots=True)
class AsIs:
    """Takes `image` (SHA-256) as it is: no model draws, only the request's finishing steps work on it."""

    image: str


Start = FromText | FromImage | Inpaint | Outpaint | AsIs


@dataclass(frozen=True, slots=True)
class Variation:
    """The noise of the request's seed turned towards that of `seed`: spherical interpolation by `strength` in [0, 1].

    Of several pictures each has the next variation seed, while the request's own seed stays.
    """

    seed: int
    strength: float = 0.2


@dataclass(frozen=True, slots=True)
class Refine:
    """A second pass over the finished picture, `scale` times as large ("hires fix").

    `upscaler` enlarges in between: "lanczos" the pixels, "latent" the latents, which needs a strength of 0.5 or more
    to come out sharp; any other name is that of a plugin's upscaler. `steps` None takes as many as the first pass; of
    these, `strength` × steps are drawn.
    """

    scale: float = 2.0
    upscaler: str = "lanczos"
    strength: float = 0.5
    steps: int | None = None


_KINDS: Mapping[str, type] = {
    "text": FromText, "image": FromImage, "inpaint": Inpaint, "outpaint": Outpaint, "as_is": AsIs,
}  # fmt: skip
_NAMES = {kind: name for name, kind in _KINDS.items()}
_OPTIONS: Mapping[str, type] = {"variation": Variation, "refine": Refine}
_TYPES: Mapping[str, tuple[tuple[type, ...], str]] = {
    "str": ((str,), "text"),
    "int": ((int,), "a whole number"),
    "int | None": ((int, type(None)), "a whole number"),
    "float": ((int, float), "a number"),
}


def start_to_dict(start: Start) -> dict[str, Any]:
    """JSON-ready: {"kind": "text" | "image" | "inpaint" | "outpaint" | "as_is"} and what differs from the defaults."""
    return {"kind": _NAMES[type(start)], **_changed(start)}


def start_from_dict(plain: Any) -> Start:
    """Read what `start_to_dict` wrote; raise RequestError for an unknown kind or name, or a value of the wrong type."""
    kind = plain.get("kind") if isinstance(plain, Mapping) else None
    if not isinstance(kind, str) or kind not in _KINDS:
        known = ", ".join(_KINDS)
        raise RequestError("start", f"A picture can't start from {_short(plain)}; its “kind” must be one of {known}.")
    return _read(_KINDS[kind], {name: value for name, value in plain.items() if name != "kind"}, "start")


def option_to_dict(option: Variation | Refine) -> dict[str, Any]:
    """JSON-ready values of a variation or a refine pass, defaults left out."""
    return _changed(option)


def option_from_dict(name: str, plain: Any) -> Variation | Refine:
    """Read what `option_to_dict` wrote for the request's field `name`; raise RequestError as `start_from_dict`."""
    return _read(_OPTIONS[name], plain, name)


def pictures_of(start: Start) -> tuple[str, ...]:
    """The SHA-256 names of the pictures that `start` needs, the image first."""
    match start:
        case Inpaint(image=image, mask=mask):
            return (image, mask)
        case FromImage(image=image) | Outpaint(image=image) | AsIs(image=image):
            return (image,)
    return ()


def check_start(start: Start, steps: int) -> None:
    """Raise RequestError for a value outside of what can be drawn in `steps` steps."""
    if isinstance(start, FromText):
        return
    for name, sha in zip(("image", "mask"), pictures_of(start), strict=False):
        if len(sha) != 64 or set(sha) - set("0123456789abcdef"):
            raise RequestError(f"start.{name}", f"The {name} must be named by its SHA-256, not by “{_short(sha)}”.")
    if isinstance(start, AsIs):
        return
    _check_strength("start.strength", start.strength, steps)
    if isinstance(start, FromImage):
        _one_of("start.resize", start.resize, RESIZES)
        return
    _within("start.feather", "feather", start.feather, 0, MAX_FEATHER)
    _one_of("start.fill", start.fill, FILLS)
    if isinstance(start, Inpaint):
        _one_of("start.area", start.area, AREAS)
        _within("start.padding", "padding", start.padding, 0, MAX_PADDING)
        return
    sides = {side: getattr(start, side) for side in ("left", "top", "right", "bottom")}
    for side, length in sides.items():
        _within(f"start.{side}", f"extension to the {side}", length, 0, MAX_EXTENSION)
    if not any(sides.values()):
        raise RequestError("start", "The picture is extended to no side: give at least one side some pixels, say 64.")


def check_variation(variation: Variation | None, count: int) -> None:
    """Raise RequestError for a variation that `count` pictures can't be drawn with."""
    if variation is not None:
        _within("variation.seed", "variation seed", variation.seed, 0, MAX_SEED - count + 1)
        _within("variation.strength", "variation strength", variation.strength, 0, 1)


def check_refine(refine: Refine | None, steps: int, upscalers: Sequence[str] = UPSCALERS) -> None:
    """Raise RequestError for a second pass that can't be drawn; `steps` are those of the first."""
    if refine is None:
        return
    if not (math.isfinite(refine.scale) and 1 <= refine.scale <= MAX_SCALE):
        raise RequestError(
            "refine.scale", f"Refining at {refine.scale} times the size won't work: choose from 1 to {MAX_SCALE:g}."
        )
    if refine.upscaler not in upscalers:
        raise RequestError(
            "refine.upscaler",
            f"The upscaler “{_short(refine.upscaler)}” is not there: choose {_either(upscalers)}, "
            "or switch on the plugin that brings it.",
        )
    if refine.steps is not None:
        _within("refine.steps", "refining steps", refine.steps, 1, MAX_REFINE_STEPS)
    _check_strength("refine.strength", refine.strength, refine.steps or steps)


def check_tile(tile: str) -> None:
    """Raise RequestError for anything but "", "x", "y" and "xy"."""
    if tile not in TILES:
        raise RequestError("tile", f"“{_short(tile)}” is no way to repeat a picture: choose x, y or xy.")


def _check_strength(field: str, strength: float, steps: int) -> None:
    if not (math.isfinite(strength) and 0 < strength <= 1):
        why = " leaves the picture as it is" if strength == 0 else " won't work"
        raise RequestError(field, f"A strength of {strength}{why}: choose more than 0, up to 1, for example 0.5.")
    if int(steps * strength) < 1:
        least = math.ceil(100 / steps) / 100
        raise RequestError(
            field, f"A strength of {strength} leaves none of the {steps} steps to draw: choose at least {least:g}."
        )


def _within(field: str, label: str, value: float, low: int, high: int) -> None:
    if not (math.isfinite(value) and low <= value <= high):
        raise RequestError(field, f"A {label} of {value} won't work: choose from {low} to {high}.")


def _one_of(field: str, value: str, choices: Sequence[str]) -> None:
    if value not in choices:
        raise RequestError(
            field, f"“{_short(value)}” is not known as {field.split('.')[-1]}: choose {_either(choices)}."
        )


def _either(choices: Sequence[str]) -> str:
    return f"{', '.join(choices[:-1])} or {choices[-1]}"


def _changed(value: Any) -> dict[str, Any]:
    return {
        item.name: getattr(value, item.name) for item in fields(value) if getattr(value, item.name) != item.default
    }


def _read(kind: type, plain: Any, prefix: str) -> Any:
    if not isinstance(plain, Mapping):
        raise RequestError(prefix, f"{_short(plain)} is not a set of named values.")
    known = {item.name: item for item in fields(kind)}
    unknown = sorted(str(name) for name in plain if name not in known)
    if unknown:
        raise RequestError(f"{prefix}.{unknown[0]}", f"There is no setting called “{prefix}.{_short(unknown[0])}”.")
    missing = [name for name, item in known.items() if item.default is MISSING and name not in plain]
    if missing:
        raise RequestError(f"{prefix}.{missing[0]}", f"“{prefix}.{missing[0]}” is missing.")
    for name, value in plain.items():
        types, wanted = _TYPES[known[name].type]
        if not isinstance(value, types) or isinstance(value, bool):
            raise RequestError(f"{prefix}.{name}", f"“{prefix}.{name}” is {_short(value)}, but must be {wanted}.")
    return kind(**plain)


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= 60 else text[:59] + "…"
