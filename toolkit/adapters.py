"""What a request adds to a model: LoRAs by name, and ControlNet units with the pictures that steer them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from toolkit.errors import RequestError
from toolkit.finishing import options_from
from toolkit.starts import RESIZES

MAX_LORAS, MAX_CONTROLS = 12, 4
LORA_WEIGHTS, CONTROL_WEIGHTS = (-4.0, 4.0), (0.0, 2.0)


@dataclass(frozen=True, slots=True)
class LoraUse:
    """A LoRA by the name of its file, added `weight` times to the denoiser (Hu et al. 2021).

    `text_weight` is that of the text encoder, None the same; `start` and `end` are the part of the steps, 0 to 1, in
    which it works.
    """

    name: str
    weight: float = 1.0
    text_weight: float | None = None
    start: float = 0.0
    end: float = 1.0

    def to_dict(self) -> dict[str, Any]:
        return _changed(self)


@dataclass(frozen=True, slots=True)
class ControlUse:
    """A ControlNet unit (Zhang et al. 2023): `kind` names the ControlNet, `image` (SHA-256) the picture it follows.

    `preprocessor` makes the control picture of `image` ("none": it is one already) with `options`; `resize` brings it
    to the request's size; `start` and `end` are the part of the steps, 0 to 1, in which it steers.
    """

    kind: str
    image: str
    preprocessor: str = "none"
    weight: float = 1.0
    start: float = 0.0
    end: float = 1.0
    resize: str = "crop"
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def to_dict(self) -> dict[str, Any]:
        return _changed(self)


def loras_from(plain: Any) -> tuple[LoraUse, ...]:
    """The LoRAs of a request from JSON; raise RequestError for what is none."""
    return _all_from(LoraUse, plain, "loras", MAX_LORAS)


def controls_from(plain: Any) -> tuple[ControlUse, ...]:
    """The ControlNet units of a request from JSON; raise RequestError for what is none."""
    return _all_from(ControlUse, plain, "controls", MAX_CONTROLS)


def check_loras(loras: tuple[LoraUse, ...]) -> None:
    """Raise RequestError for a weight or a part of the steps that can't be."""
    for number, lora in enumerate(loras):
        where = f"loras.{number}"
        _within(f"{where}.weight", f"weight of the LoRA {lora.name}", lora.weight, *LORA_WEIGHTS)
        if lora.text_weight is not None:
            _within(f"{where}.text_weight", f"text weight of the LoRA {lora.name}", lora.text_weight, *LORA_WEIGHTS)
        _check_part(where, lora.start, lora.end)


def check_controls(controls: tuple[ControlUse, ...]) -> None:
    """Raise RequestError for a weight, a part of the steps or a way to resize that can't be."""
    for number, unit in enumerate(controls):
        where = f"controls.{number}"
        if len(unit.image) != 64 or set(unit.image) - set("0123456789abcdef"):
            raise RequestError(f"{where}.image", "A control picture must be named by its SHA-256.")
        _within(f"{where}.weight", f"weight of the {unit.kind} control", unit.weight, *CONTROL_WEIGHTS)
        _check_part(where, unit.start, unit.end)
        if unit.resize not in RESIZES:
            raise RequestError(f"{where}.resize", f"“{unit.resize[:60]}” won't work: choose {', '.join(RESIZES)}.")


_TYPES: Mapping[str, tuple[tuple[type, ...], str]] = {
    "str": ((str,), "text"),
    "float": ((int, float), "a number"),
    "float | None": ((int, float, type(None)), "a number"),
}


def _changed(value: Any) -> dict[str, Any]:
    required = {"name", "kind", "image"}
    named = {item.name: getattr(value, item.name) for item in fields(value)}
    usual = type(value)(**{name: named[name] for name in required & named.keys()})
    kept = {name: own for name, own in named.items() if name in required or own != getattr(usual, name)}
    return {**kept, **({"options": dict(kept["options"])} if "options" in kept else {})}


def _all_from(kind: type, plain: Any, where: str, most: int) -> tuple[Any, ...]:
    if not isinstance(plain, (list, tuple)) or len(plain) > most:
        raise RequestError(where, f"“{where}” must be a list of at most {most}.")
    return tuple(one if isinstance(one, kind) else _one(kind, one, f"{where}.{n}") for n, one in enumerate(plain))


def _one(kind: type, plain: Any, where: str) -> Any:
    if not isinstance(plain, Mapping):
        raise RequestError(where, f"{str(plain)[:60]} is not a set of named values.")
    known = {item.name: item.type for item in fields(kind)}
    unknown = sorted(str(name) for name in plain if name not in known)
    if unknown:
        raise RequestError(f"{where}.{unknown[0][:60]}", f"There is no setting called “{where}.{unknown[0][:60]}”.")
    for name in ("name",) if kind is LoraUse else ("kind", "image"):
        if name not in plain:
            raise RequestError(f"{where}.{name}", f"“{where}.{name}” is missing.")
    values = dict(plain)
    for name, value in plain.items():
        if name == "options":
            values[name] = options_from(value, f"{where}.options")
            continue
        types, wanted = _TYPES[known[name]]
        if not isinstance(value, types) or isinstance(value, bool):
            raise RequestError(f"{where}.{name}", f"“{where}.{name}” is {str(value)[:60]}, but must be {wanted}.")
    return kind(**values)


def _check_part(where: str, start: float, end: float) -> None:
    if not 0 <= start < end <= 1:
        raise RequestError(
            f"{where}.start", f"A part of the steps from {start:g} to {end:g} won't work: 0 ≤ start < end ≤ 1."
        )


def _within(field_name: str, label: str, value: float, low: float, high: float) -> None:
    if not (math.isfinite(value) and low <= value <= high):
        raise RequestError(field_name, f"A {label} of {value:g} won't work: choose from {low:g} to {high:g}.")
