"""What the form's values mean: one table links the fields of a request to the values that the page's inputs hold.

A value is what an input gives: text. Numbers are text too, so that a wrong one can be answered at its field as it was
typed; an empty box leaves the choice to the model.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Callable, Mapping

from toolkit.adapters import controls_from, loras_from
from toolkit.errors import RequestError
from toolkit.finishing import extras_from, steps_from
from toolkit.geometry import Size
from toolkit.request import STARTER, GenerationRequest
from toolkit.starts import (
    FromText,
    Inpaint,
    Outpaint,
    Refine,
    Start,
    Variation,
    option_from_dict,
    option_to_dict,
    pictures_of,
    start_from_dict,
    start_to_dict,
)


@dataclass(frozen=True, slots=True)
class Link:
    """One field of the request (dotted, as errors name it) and the form values that make it up.

    `to_field` takes the values in the order of `names`; `to_values` gives them back in that order.
    """

    field: str
    names: tuple[str, ...]
    to_field: Callable[..., Any]
    to_values: Callable[[Any], tuple[Any, ...]]


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _shown(value: Any) -> tuple[str]:
    """A number as its box shows it; empty when the model decides."""
    return ("" if value is None else str(value),)


def _whole(field: str, label: str) -> Callable[[Any], int | None]:
    def read(value: Any) -> int | None:
        number = _number(field, label)(value)
        if number is not None and number != int(number):
            raise RequestError(field, f"{label} can’t be {number}: it must be a whole number. Try {round(number)}.")
        return None if number is None else int(number)

    return read


def _number(field: str, label: str) -> Callable[[Any], int | float | None]:
    def read(value: Any) -> int | float | None:
        text = _text(value).strip().replace(",", ".")
        if not text:
            return None
        if re.fullmatch(r"[+-]?\d{1,19}", text):
            return int(text)
        if not re.fullmatch(r"[+-]?(\d{1,19}\.?\d{0,19}|\.\d{1,19})([eE][+-]?\d{1,2})?", text):
            raise RequestError(field, f"{label} can’t be “{text[:40]}”: it must be a number, or empty.")
        return float(text)

    return read


def _size(width: Any, height: Any) -> Size | None:
    sides = _whole("size", "Width")(width), _whole("size", "Height")(height)
    if sides == (None, None):
        return None
    if None in sides:
        missing, given = ("width", sides[1]) if sides[0] is None else ("height", sides[0])
        raise RequestError("size", f"The {missing} is empty. Fill in both sides (for example {given}), or neither.")
    return Size(*sides)  # type: ignore[arg-type]


def _count(value: Any) -> int:
    count = _whole("count", "Pictures")(value)
    return 1 if count is None else count


def _styles(value: Any) -> tuple[str, ...]:
    try:
        names = json.loads(value or "[]")
    except ValueError:
        names = None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise RequestError("styles", f"“{value}” is not a list of styles. Take the styles off and choose them again.")
    return tuple(names)


def _json(field: str, value: Any, usual: Any) -> Any:
    """What a hidden input holds for the page's scripts; `usual` when it is empty."""
    text = _text(value).strip()
    try:
        return json.loads(text) if text else usual
    except (ValueError, RecursionError):
        raise RequestError(field, f"The page holds “{text[:40]}” for “{field}”, which can’t be read: choose it again.")


def _written(plain: Any) -> tuple[str]:
    return (json.dumps(plain, ensure_ascii=False) if plain else "",)


def _start(value: Any) -> Start:
    start = start_from_dict(_json("start", value, {"kind": "text"}))
    names = pictures_of(start)
    if names and not names[0]:
        raise RequestError("start.image", "Choose the picture to begin with: drop, paste or pick one.")
    if isinstance(start, Inpaint) and not start.mask:
        raise RequestError("start.mask", "Paint over what should change in the picture; nothing is painted yet.")
    if isinstance(start, Outpaint) and not any((start.left, start.top, start.right, start.bottom)):
        raise RequestError("start", "Pull a side of the frame outwards, or type how many pixels to add to it.")
    return start


def _start_shown(start: Start) -> tuple[str]:
    return _written({} if isinstance(start, FromText) else start_to_dict(start))


def _variation(seed: Any, strength: Any) -> Variation | None:
    number = _whole("variation.seed", "Variation seed")(seed)
    share = _number("variation.strength", "Variation strength")(strength)
    if number is None and share is not None:
        raise RequestError("variation.seed", "A variation strength needs a variation seed: type one, or empty both.")
    if number is None:
        return None
    return Variation(number) if share is None else Variation(number, share)


def _variation_shown(variation: Variation | None) -> tuple[str, str]:
    return ("", "") if variation is None else (str(variation.seed), str(variation.strength))


def _refine(value: Any) -> Refine | None:
    plain = _json("refine", value, None)
    return None if plain is None else option_from_dict("refine", plain)


def _refine_shown(refine: Refine | None) -> tuple[str]:
    # A pass with nothing but defaults is still a pass.
    return ("" if refine is None else json.dumps(option_to_dict(refine)),)


def _rescale(value: Any) -> float:
    return _number("sampling.rescale", "Rescale")(value) or 0.0


def _listed(field: str, read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: read(_json(field, value, ()))


def _list_shown(values: Any) -> tuple[str]:
    return _written([value.to_dict() for value in values])


def _alone(value: Any) -> tuple[Any, ...]:
    return (value,)


def _auto(value: Any) -> str:
    return _text(value) or "auto"


TABLE: tuple[Link, ...] = (
    Link("prompt", ("prompt",), _text, _alone),
    Link("negative", ("negative",), _text, _alone),
    Link("styles", ("styles",), _styles, lambda names: (json.dumps(list(names), ensure_ascii=False),)),
    Link("model", ("model",), lambda value: _text(value) or STARTER, _alone),
    Link("size", ("width", "height"), _size, lambda size: tuple(str(side) for side in size) if size else ("", "")),
    Link("count", ("count",), _count, _shown),
    Link("sampling.steps", ("steps",), _whole("sampling.steps", "Steps"), _shown),
    Link("sampling.guidance", ("guidance",), _number("sampling.guidance", "Guidance"), _shown),
    Link("seed", ("seed",), _whole("seed", "Seed"), _shown),
    Link("sampling.sampler", ("sampler",), _auto, _alone),
    Link("sampling.schedule", ("schedule",), _auto, _alone),
    Link("sampling.eta", ("eta",), _number("sampling.eta", "Eta"), _shown),
    Link("sampling.clip_skip", ("clip_skip",), _whole("sampling.clip_skip", "Clip skip"), _shown),
    Link("sampling.rescale", ("rescale",), _rescale, lambda value: (str(value) if value else "",)),
    Link("variation", ("variation_seed", "variation_strength"), _variation, _variation_shown),
    Link("start", ("start",), _start, _start_shown),
    Link("tile", ("tile",), _text, _alone),
    Link("refine", ("refine",), _refine, _refine_shown),
    Link("loras", ("loras",), _listed("loras", loras_from), _list_shown),
    Link("controls", ("controls",), _listed("controls", controls_from), _list_shown),
    Link("draft", ("draft",), lambda value: _text(value) == "yes", lambda draft: ("yes" if draft else "",)),
    Link("finish", ("finish",), _listed("finish", steps_from), _list_shown),
    Link("extras", ("extras",), lambda value: extras_from(_json("extras", value, {})), _written),
)
# What the page's own controls choose; these inputs are never seen, and hold JSON or one word.
HIDDEN = ("styles", "start", "tile", "refine", "loras", "controls", "draft", "finish", "extras")
NAMES: tuple[str, ...] = tuple(name for link in TABLE for name in link.names)
FIELD_OF: Mapping[str, str] = {name: link.field for link in TABLE for name in link.names}


def read(values: Mapping[str, Any]) -> GenerationRequest:
    """The request that the form asks for; raise RequestError naming the field of a value that can't be one."""
    found = {link.field: link.to_field(*(values.get(name) for name in link.names)) for link in TABLE}
    return GenerationRequest().with_(**{field.split(".")[-1]: value for field, value in found.items()})


def fill(request: GenerationRequest) -> dict[str, Any]:
    """The form values that ask for `request`: `read` gives the same request back.

    A resolved request asks for what was typed, so its styles can be taken off again: `written` takes the place of
    the text that the styles made.
    """
    asked = as_asked(request)
    values: dict[str, Any] = {}
    for link in TABLE:
        value: Any = asked
        for part in link.field.split("."):
            value = getattr(value, part)
        values.update(zip(link.names, link.to_values(value), strict=True))
    return values


def as_asked(request: GenerationRequest) -> GenerationRequest:
    """The request with what was typed in the place of what its styles made of it."""
    if request.written is None:
        return request
    written = request.written
    return request.with_(prompt=written.prompt, negative=written.negative, styles=written.styles, written=None)
