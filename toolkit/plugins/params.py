"""Options as data: the page's form, the command line's flags and the picture's metadata come from one declaration.

>>> Number("amount", "Amount", default=0.3).clean("0.25")
0.25
>>> Choice("mode", "Mode", options=("soft", "hard")).clean("soft")
'soft'
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from toolkit.errors import RequestError

NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
MAX_TEXT = 4_000
_COLOR = re.compile(r"#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})")
_PICTURE = re.compile(r"[0-9a-f]{64}")
_YES, _NO = {"true", "yes", "on", "1"}, {"false", "no", "off", "0"}


@dataclass(frozen=True, slots=True)
class Number:
    """A number from `minimum` to `maximum`; with `whole` only whole ones."""

    name: str
    label: str
    default: float = 0.0
    minimum: float = 0.0
    maximum: float = 1.0
    step: float = 0.01
    whole: bool = False
    help: str = ""

    def clean(self, value: object) -> float:
        """The value as a number; ValueError with a sentence when it is none or lies outside."""
        try:
            number = float(str(value))
        except ValueError:
            number = math.nan
        if isinstance(value, bool) or not self.minimum <= number <= self.maximum:
            wanted = "a whole number" if self.whole else "a number"
            raise ValueError(f"{value!r} won't work: choose {wanted} from {self.minimum:g} to {self.maximum:g}.")
        if not self.whole:
            return number
        if number != int(number):
            raise ValueError(f"{value!r} won't work: choose a whole number.")
        return int(number)


@dataclass(frozen=True, slots=True)
class Choice:
    """One of `options`; the first one unless `default` names another."""

    name: str
    label: str
    options: tuple[str, ...] = ()
    default: str = ""
    help: str = ""

    def __post_init__(self) -> None:
        if not self.default and self.options:
            object.__setattr__(self, "default", self.options[0])

    def clean(self, value: object) -> str:
        if value not in self.options:
            raise ValueError(f"{value!r} won't work: choose {', '.join(self.options)}.")
        return str(value)


@dataclass(frozen=True, slots=True)
class Toggle:
    """On or off."""

    name: str
    label: str
    default: bool = False
    help: str = ""

    def clean(self, value: object) -> bool:
        word = str(value).strip().lower()
        if word not in _YES | _NO:
            raise ValueError(f"{value!r} won't work: choose true or false.")
        return word in _YES


@dataclass(frozen=True, slots=True)
class Text:
    """Words; `lines` is how many lines the form shows."""

    name: str
    label: str
    default: str = ""
    lines: int = 1
    help: str = ""

    def clean(self, value: object) -> str:
        if not isinstance(value, str) or len(value) > MAX_TEXT:
            raise ValueError(f"It must be text of at most {MAX_TEXT:,} characters.")
        return value


@dataclass(frozen=True, slots=True)
class Color:
    """A colour as "#rrggbb"."""

    name: str
    label: str
    default: str = "#000000"
    help: str = ""

    def clean(self, value: object) -> str:
        found = _COLOR.fullmatch(value.strip()) if isinstance(value, str) else None
        if not found:
            raise ValueError(f"{value!r} is not a colour: write it like #1a9cd8.")
        digits = found[1].lower()
        return "#" + (digits if len(digits) == 6 else "".join(digit * 2 for digit in digits))


@dataclass(frozen=True, slots=True)
class ImageInput:
    """A picture that the person gave: its SHA-256 among the studio's input pictures, "" for none.

    `context.picture(value)` opens it. A path is refused: a visitor could name any file of the machine.
    """

    name: str
    label: str
    default: str = ""
    help: str = ""

    def clean(self, value: object) -> str:
        if value == "" or (isinstance(value, str) and _PICTURE.fullmatch(value)):
            return value
        raise ValueError(f"{value!r} is not the SHA-256 of an input picture.")


Param = Number | Choice | Toggle | Text | Color | ImageInput
PARAMS = (Number, Choice, Toggle, Text, Color, ImageInput)


def clean_options(params: Iterable[Param], given: Mapping[str, Any], field: str) -> dict[str, Any]:
    """`given` checked against its declaration, in its order, without what is at its default.

    Raises RequestError with the dotted name of the option that is wrong.
    """
    known = {param.name: param for param in params}
    if not isinstance(given, Mapping):
        raise RequestError(field, f"{given!r} is not a set of named options.")
    for name in given:
        if name not in known:
            there = f"it has {', '.join(known)}" if known else "it has none"
            raise RequestError(f"{field}.{name}", f"There is no option “{name}” in {field}: {there}.")
    cleaned = {}
    for name, param in known.items():
        if name in given:
            try:
                value = param.clean(given[name])
            except ValueError as error:
                raise RequestError(f"{field}.{name}", f"{param.label}: {error}")
            if value != param.default:
                cleaned[name] = value
    return cleaned


def with_defaults(params: Iterable[Param], given: Mapping[str, Any]) -> dict[str, Any]:
    """Every option of the declaration, at its default where `given` has none."""
    return {param.name: given.get(param.name, param.default) for param in params}


def schema(params: Iterable[Param]) -> list[dict[str, Any]]:
    """The declaration as JSON, for forms: {"kind", "name", "label", "default", …}."""
    return [
        {"kind": type(param).__name__.lower()}
        | {name: getattr(param, name) for name in type(param).__dataclass_fields__}
        for param in params
    ]


def parse_assignments(words: Iterable[str]) -> dict[str, str]:
    """The options of a command line, "amount=0.4" each; ValueError for a word without "="."""
    options = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name.strip():
            raise ValueError(f"“{word}” is no option: write NAME=VALUE, for example amount=0.4.")
        options[name.strip()] = value.strip()
    return options
