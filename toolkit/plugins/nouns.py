"""Looks at what a plugin gives before anybody uses it: a slip is a sentence at loading, not an error in a picture."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from toolkit.errors import PluginError
from toolkit.plugins.descriptors import (
    Command,
    Exporter,
    Postprocessor,
    Preprocessor,
    PromptTransform,
    Tab,
    Upscaler,
)
from toolkit.plugins.params import NAME, PARAMS
from toolkit.styles import ID as STYLE_ID
from toolkit.styles import Style

SUFFIX = re.compile(r"[a-z0-9]{1,8}")
MAX_SCALE = 16

# How the callables are called; a plugin may name its arguments as it likes.
_CALLED: Mapping[type, tuple[str, str]] = {
    PromptTransform: ("run", "text, chance, context"),
    Postprocessor: ("run", "image, options, context"),
    Upscaler: ("run", "image, scale, options, context"),
    Exporter: ("run", "image, context"),
    Preprocessor: ("run", "image, options, context"),
    Command: ("run", "studio, words, options"),
    Tab: ("build", "studio"),
}


def several(answer: Any, kinds: tuple[type, ...], hook: str) -> list[Any]:
    """All that a `register_…` hook gives, each of `kinds` and complete; raise PluginError, or what the hook raises."""
    if answer is None:
        return []
    if not isinstance(answer, Iterable):
        raise PluginError(f"{hook} gave {answer!r:.80}, but must give several: write `yield` before it.")
    given = [checked(one, kinds, hook) for one in answer]
    _all_different(given, hook)
    return given


def checked(one: Any, kinds: tuple[type, ...], hook: str) -> Any:
    """`one` itself; raise PluginError with the field that is wrong and what would be right."""
    if not isinstance(one, kinds):
        wanted = " or ".join(kind.__name__ for kind in kinds)
        raise PluginError(f"{hook} gave {one!r:.80}, but must give {wanted}.")
    name = one.id if isinstance(one, Style) else one.name
    pattern = STYLE_ID if isinstance(one, Style) else NAME
    if not isinstance(name, str) or not pattern.fullmatch(name):
        joint = "hyphens" if isinstance(one, Style) else "_"
        raise PluginError(f"{hook}: “{name}” can't be a name: use small letters, digits and {joint}.")
    for field in type(one).__dataclass_fields__:
        wanted = _WANTED.get(field)
        if wanted and not wanted[0](getattr(one, field)):
            raise PluginError(f"{hook}: “{field}” of “{name}” is {getattr(one, field)!r:.80}, but must be {wanted[1]}.")
    if type(one) in _CALLED:
        _check_call(one, name, hook)
    params = (one,) if isinstance(one, PARAMS) else getattr(one, "params", ())
    for param in params:
        if param is not one:
            checked(param, PARAMS, f"{hook}: “{name}”")
            continue
        try:
            param.clean(param.default)
        except ValueError as error:
            raise PluginError(f"{hook}: the default of “{name}”: {error}")
    _all_different(params, f"{hook}: “{name}”")
    if isinstance(one, Upscaler) and any(param.name == "scale" for param in params):
        raise PluginError(f"{hook}: “{name}” has its factor as the option “scale” already; name yours otherwise.")
    return one


def _check_call(one: Any, name: str, hook: str) -> None:
    attribute, words = _CALLED[type(one)]
    work = getattr(one, attribute)
    if not callable(work) or inspect.iscoroutinefunction(work) or inspect.isgeneratorfunction(work):
        raise PluginError(f"{hook}: “{attribute}” of “{name}” must be an ordinary function.")
    try:
        signature = inspect.signature(work)
    except (TypeError, ValueError):  # some functions of C don't say what they take
        return
    try:
        signature.bind(*words.split(", "))
    except TypeError:
        takes = str(signature).partition(" ->")[0]
        raise PluginError(
            f"{hook}: “{attribute}” of “{name}” is called as {attribute}({words}), but takes {takes[:120]}."
        )


def _all_different(given: Iterable[Any], where: str) -> None:
    names: set[str] = set()
    for one in given:
        name = one.id if isinstance(one, Style) else one.name
        if name in names:
            raise PluginError(f"{where} gives “{name}” twice; names must differ.")
        names.add(name)


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _some_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _tuple_of(good: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, (tuple, list)) and bool(value) and all(map(good, value))


# A field has the same meaning wherever it stands.
_WANTED: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "name": (_some_text, "text"),
    "label": (_some_text, "a few words for the person who reads it"),
    "help": (_text, "text"),
    "group": (_some_text, "text"),
    "description": (_some_text, "text"),
    "prompt": (_some_text, "text"),
    "negative": (_text, "text"),
    "media_type": (_some_text, 'text like "image/png"'),
    "preprocessor": (_some_text, 'the name of a preprocessor, or "none"'),
    "order": (_number, "a number"),
    "minimum": (_number, "a number"),
    "maximum": (_number, "a number"),
    "step": (lambda value: _number(value) and value > 0, "a number above 0"),
    "suffix": (lambda value: _text(value) and SUFFIX.fullmatch(value), "small letters and digits, without a dot"),
    "scales": (
        _tuple_of(lambda value: _number(value) and 1 <= value <= MAX_SCALE),
        f"a tuple of numbers from 1 to {MAX_SCALE}, like (2.0, 4.0)",
    ),
    "words": (_tuple_of(_some_text), 'a tuple of texts, like ("canny",)'),
    "options": (_tuple_of(_some_text), 'a tuple of texts, like ("soft", "hard")'),
    "applies_to": (
        _tuple_of(lambda value: value in ("prompt", "negative")),
        'a tuple of "prompt" and "negative", like ("prompt",)',
    ),
    "params": (
        lambda value: isinstance(value, (tuple, list)),
        'a tuple of options, with a comma behind a single one: (Number("amount", "Amount"),)',
    ),
}
