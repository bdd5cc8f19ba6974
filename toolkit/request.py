"""What a picture should look like, as plain frozen values: queued, saved in the PNG, sent to the engine, compared."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Mapping

from toolkit.adapters import ControlUse, LoraUse, controls_from, loras_from
from toolkit.errors import RequestError
from toolkit.finishing import FinishStep, extras_from, steps_from
from toolkit.geometry import Size
from toolkit.starts import (
    FromText,
    Refine,
    Start,
    Variation,
    option_from_dict,
    option_to_dict,
    pictures_of,
    start_from_dict,
    start_to_dict,
)

STARTER = "limner-starter"


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the denoiser is driven. "auto" and None mean the model's own choice, which `prepare` fills in.

    `steps` ≥ 1; `guidance` is the classifier-free guidance scale (Ho & Salimans 2022), 1 turns it off;
    `schedule` is the spacing of the noise levels ("auto" is the sampler's usual one). `eta` is the noise that DDIM and
    the ancestral samplers add, 0 to 1, None the sampler's own; `clip_skip` n takes the text encoder's n-th layer from
    the end, as A1111 counts; `rescale` in [0, 1] brings the contrast of guided predictions back (Lin et al. 2023).
    """

    sampler: str = "auto"
    schedule: str = "auto"
    steps: int | None = None
    guidance: float | None = None
    eta: float | None = None
    clip_skip: int | None = None
    rescale: float = 0.0


@dataclass(frozen=True, slots=True)
class Written:
    """What the person typed, kept beside the text that styles made of it."""

    prompt: str = ""
    negative: str = ""
    styles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """One request for `count` pictures; picture *i* is drawn from seed + i, or from variation seed + i.

    A request as asked may leave `size`, `seed` and parts of `sampling` open. A resolved request (what `prepare`
    returns, what a saved picture carries) holds concrete values only, its `prompt` has its styles applied, and
    `written` keeps what was typed when that differs. `start` says what the picture starts from, `tile` in which
    directions it repeats without a seam ("x", "y", "xy" or ""). `finish` are steps of plugins on the finished picture,
    `extras` further options for plugins by their names. `draft` asks for the model's few-step way; a resolved request
    says that in steps, sampler, guidance and LoRAs.
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
    start: Start = field(default_factory=FromText)
    variation: Variation | None = None
    tile: str = ""
    refine: Refine | None = None
    loras: tuple[LoraUse, ...] = ()
    controls: tuple[ControlUse, ...] = ()
    draft: bool = False
    finish: tuple[FinishStep, ...] = ()
    extras: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, hash=False)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values, defaults left out; `from_dict` reads it back to an equal request."""
        usual = GenerationRequest()
        named = ((item.name, getattr(self, item.name)) for item in fields(self))
        kept = {name: value for name, value in named if value != getattr(usual, name)}
        return _as_lists({name: _PLAIN.get(name, _same)(value) for name, value in kept.items()})

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
        for name, read in _READERS.items():
            if name in values and not (values[name] is None and name in ("variation", "refine")):
                values[name] = read(values[name])
        return _typed(cls(**_as_tuples(values)))

    def pictures(self) -> tuple[str, ...]:
        """The SHA-256 names of every input picture that drawing needs."""
        return (*pictures_of(self.start), *(unit.image for unit in self.controls))

    def picture(self, index: int) -> GenerationRequest:
        """The request that draws one of this one's pictures alone: the next seed, or the next variation of the same."""
        if self.variation is None:
            return replace(self, count=1, seed=(self.seed or 0) + index)
        return replace(self, count=1, variation=replace(self.variation, seed=self.variation.seed + index))

    def with_(self, **changes: Any) -> GenerationRequest:
        """A copy with `changes`; names of `Sampling` fields may be given directly."""
        inner = {name: changes.pop(name) for name in list(changes) if name in _SAMPLING_FIELDS}
        if inner:
            changes["sampling"] = replace(changes.get("sampling", self.sampling), **inner)
        return replace(self, **changes)


_SAMPLING_FIELDS = frozenset(f.name for f in fields(Sampling))


def _same(value: Any) -> Any:
    return value


def _changed(value: Sampling | Written) -> dict[str, Any]:
    plain, usual = asdict(value), asdict(type(value)())
    return {name: own for name, own in plain.items() if own != usual[name]}


def _dicts(values: tuple[Any, ...]) -> list[dict[str, Any]]:
    return [value.to_dict() for value in values]


def _option(name: str) -> Any:
    def read(plain: Any) -> Any:
        return plain if isinstance(plain, (Variation, Refine)) else option_from_dict(name, plain)

    return read


def _start(plain: Any) -> Start:
    return plain if isinstance(plain, Start) else start_from_dict(plain)


# How a field is written where JSON can't hold it as it is, and read again.
_PLAIN = {
    "sampling": _changed, "written": _changed, "start": start_to_dict, "variation": option_to_dict,
    "refine": option_to_dict, "loras": _dicts, "controls": _dicts, "finish": _dicts,
}  # fmt: skip
_READERS = {
    "start": _start, "variation": _option("variation"), "refine": _option("refine"), "loras": loras_from,
    "controls": controls_from, "finish": steps_from, "extras": extras_from,
}  # fmt: skip


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


_TEXT, _WHOLE, _NUMBER, _TICK = (str,), (int,), (int, float), (bool,)
_TYPES = {
    "prompt": _TEXT, "negative": _TEXT, "model": _TEXT, "count": _WHOLE, "seed": _WHOLE,
    "sampling.sampler": _TEXT, "sampling.schedule": _TEXT, "sampling.steps": _WHOLE, "sampling.guidance": _NUMBER,
    "sampling.eta": _NUMBER, "sampling.clip_skip": _WHOLE, "sampling.rescale": _NUMBER, "tile": _TEXT,
    "draft": _TICK, "written.prompt": _TEXT, "written.negative": _TEXT,
}  # fmt: skip
_OPTIONAL = {"seed", "sampling.steps", "sampling.guidance", "sampling.eta", "sampling.clip_skip"}
_CALLED = {_TEXT: "text", _WHOLE: "a whole number", _NUMBER: "a number", _TICK: "true or false"}


def _typed(request: GenerationRequest) -> GenerationRequest:
    """Values from JSON may be of any type: refuse a wrong one here, so that everything behind can trust them."""
    for name, types in _TYPES.items():
        value: Any = request
        for part in name.split("."):
            value = getattr(value, part, None)
        if value is None and (name in _OPTIONAL or name.startswith("written.")):
            continue
        if not isinstance(value, types) or (isinstance(value, bool) and types is not _TICK):
            raise RequestError(name, f"“{name}” is {value!r}, but must be {_CALLED[types]}.")
    for name, styles in (("styles", request.styles), ("written.styles", request.written and request.written.styles)):
        if styles and not (isinstance(styles, tuple) and all(isinstance(style, str) for style in styles)):
            raise RequestError(name, f"“{name}” must be a list of style names.")
    return request
