"""What a picture should look like, as plain frozen values: queued, saved in the PNG, sent to the engine, compared."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Mapping

from toolkit.errors import RequestError
from toolkit.finishing import FinishStep, extras_from, steps_from
from toolkit.geometry import Size

STARTER = "limner-starter"


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the denoiser is driven. "auto" and None mean the model's own choice, which `prepare` fills in.

    `steps` ≥ 1; `guidance` is the classifier-free guidance scale (Ho & Salimans 2022), 1 turns it off;
    `schedule` is the spacing of the noise levels ("auto" is the sampler's usual one).
    """

    sampler: str = "auto"
    schedule: str = "auto"
    steps: int | None = None
    guidance: float | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """What the person typed, kept beside the text that styles made of it."""

    prompt: str = ""
    negative: str = ""
    styles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """One request for `count` pictures; picture *i* is drawn from seed + i.

    A request as asked may leave `size`, `seed` and parts of `sampling` open. A resolved request (what `prepare`
    returns, what a saved picture carries) holds concrete values only, its `prompt` has its styles applied, and
    `written` keeps what was typed when that differs. `finish` are steps of plugins on the finished picture, `extras`
    further options for plugins by their names.
    """

    prompt: str = ""
    negative: str = ""
    model: str = STARTER
    size: Size | None = None
    sampling: Sampling = field(default_factory=Sampling)
    count: int = 1
    seed: int | None = None
    styles: tuple[str, ...] = ()
    written: Written | None = None
    finish: tuple[FinishStep, ...] = ()
    extras: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, hash=False)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values, defaults left out; `from_dict` reads it back to an equal request."""
        plain = asdict(self)
        plain["sampling"] = _changed(plain["sampling"], asdict(Sampling()))
        if self.written is not None:
            plain["written"] = _changed(plain["written"], asdict(Written()))
        plain["finish"] = tuple(step.to_dict() for step in self.finish)
        return _as_lists(_changed(plain, {**asdict(GenerationRequest()), "sampling": {}}))

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> GenerationRequest:
        """Read what `to_dict` wrote; raise RequestError for an unknown name or a value of the wrong type."""
        values = dict(_known(cls, plain, ""))
        if "size" in values and values["size"] is not None:
            values["size"] = _size(values["size"])
        if "sampling" in values:
            values["sampling"] = _read(Sampling, values["sampling"], "sampling.")
        if values.get("written") is not None:
            values["written"] = _read(Written, values["written"], "written.")
        values["finish"] = steps_from(values.get("finish", ()))
        values["extras"] = extras_from(values.get("extras", {}))
        return _typed(cls(**_as_tuples(values)))

    def with_(self, **changes: Any) -> GenerationRequest:
        """A copy with `changes`; names of `Sampling` fields may be given directly."""
        inner = {name: changes.pop(name) for name in list(changes) if name in _SAMPLING_FIELDS}
        if inner:
            changes["sampling"] = replace(changes.get("sampling", self.sampling), **inner)
        return replace(self, **changes)


_SAMPLING_FIELDS = frozenset(f.name for f in fields(Sampling))


def _changed(values: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value != defaults[name]}


def _as_lists(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _as_lists(inner) for name, inner in value.items()}
    return [_as_lists(inner) for inner in value] if isinstance(value, (tuple, list)) else value


def _as_tuples(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}


def _known(cls: type, plain: Any, prefix: str) -> Mapping[str, Any]:
    if not isinstance(plain, Mapping):
        raise RequestError(prefix.rstrip(".") or "request", f"{plain!r} is not a set of named values.")
    unknown = sorted(set(plain) - {f.name for f in fields(cls)})
    if unknown:
        raise RequestError(prefix + unknown[0], f"There is no setting called “{prefix}{unknown[0]}”.")
    return plain


def _read(cls: type, plain: Any, prefix: str) -> Any:
    return cls(**_as_tuples(_known(cls, plain, prefix)))


def _size(value: Any) -> Size:
    if isinstance(value, (list, tuple)) and len(value) == 2 and all(type(side) is int for side in value):
        return Size(*value)
    raise RequestError("size", f"{value!r} is not a size; give [width, height] as two whole numbers.")


_TEXT, _WHOLE, _NUMBER = (str,), (int,), (int, float)
_TYPES = {
    "prompt": _TEXT, "negative": _TEXT, "model": _TEXT, "count": _WHOLE, "seed": _WHOLE,
    "sampling.sampler": _TEXT, "sampling.schedule": _TEXT, "sampling.steps": _WHOLE, "sampling.guidance": _NUMBER,
    "written.prompt": _TEXT, "written.negative": _TEXT,
}  # fmt: skip
_OPTIONAL = {"seed", "sampling.steps", "sampling.guidance"}


def _typed(request: GenerationRequest) -> GenerationRequest:
    """Values from JSON may be of any type: refuse a wrong one here, so that everything behind can trust them."""
    for name, types in _TYPES.items():
        value: Any = request
        for part in name.split("."):
            value = getattr(value, part, None)
        if value is None and (name in _OPTIONAL or name.startswith("written.")):
            continue
        if not isinstance(value, types) or isinstance(value, bool):
            wanted = {_TEXT: "text", _WHOLE: "a whole number", _NUMBER: "a number"}[types]
            raise RequestError(name, f"“{name}” is {value!r}, but must be {wanted}.")
    for name, styles in (("styles", request.styles), ("written.styles", request.written and request.written.styles)):
        if styles and not (isinstance(styles, tuple) and all(isinstance(style, str) for style in styles)):
            raise RequestError(name, f"“{name}” must be a list of style names.")
    return request
