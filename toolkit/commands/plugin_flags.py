"""Flags of `generate` made of what plugins declare: `--vector-svg` for the option “svg” of “vector”, say.

The page's form and the picture's metadata come from the same declarations.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from toolkit.plugins.params import Param
    from toolkit.plugins.plugins import Plugins

_FLAG = re.compile(r"--[a-z][\w-]*")


class Option(NamedTuple):
    """A plugin's option and its flag."""

    flag: str
    plugin: str
    param: Param


def options_of(plugins: Plugins) -> Iterator[Option]:
    """Every option that a request can carry for an active plugin."""
    for plugin in plugins.registry.plugins:
        for param in plugins.registry.options(plugin.name):
            yield Option(f"--{plugin.name}-{param.name}".replace("_", "-"), plugin.name, param)


def unknown(words: Sequence[str], parser: argparse.ArgumentParser) -> list[str]:
    """The flags among `words` that `parser` hasn't; they may be a plugin's."""
    own = set(_FLAG.findall(parser.format_help()))
    before = words[: words.index("--")] if "--" in words else words
    flags = (word.partition("=")[0] for word in before if _FLAG.match(word))
    return [flag for flag in flags if not any(known.startswith(flag) for known in own)]


def take(words: Sequence[str], plugins: Plugins) -> tuple[list[str], dict[str, dict[str, Any]]]:
    """Divide `words` into those of the command and the options of plugins; values are checked with the request."""
    known = {option.flag: option for option in options_of(plugins)}
    others: list[str] = []
    extras: dict[str, dict[str, Any]] = {}
    ahead = iter(words)
    for word in ahead:
        flag, equals, value = word.partition("=")
        option = known.get(flag)
        if option is None:
            others.append(word)
            continue
        if not equals:
            value = "yes" if _kind(option.param) == "Toggle" else next(ahead, "")
        extras.setdefault(option.plugin, {})[option.param.name] = value
    return others, extras


def about(plugins: Plugins) -> str:
    """What plugins add to `generate`, for the end of its help."""
    lines = ["options of plugins:"]
    lines += [_line(f"{one.flag}{_value(one.param)}", one.param.help or one.param.label) for one in options_of(plugins)]
    lines += ["", "finishing steps, for --finish NAME:OPTION=VALUE,OPTION=VALUE:"]
    for step in plugins.registry.steps().values():
        lines.append(_line(step.name, step.noun.help or step.label))
        lines += [_line(f"  {param.name}={_default(param)}", param.help or param.label) for param in step.params]
    preprocessors = plugins.registry.preprocessors()
    if preprocessors:
        lines += ["", "preprocessors, for --preprocess NAME:OPTION=VALUE,OPTION=VALUE:"]
    for owned in preprocessors.values():
        lines.append(_line(owned.noun.name, owned.noun.help or owned.noun.label))
        lines += [_line(f"  {param.name}={_default(param)}", param.help or param.label) for param in owned.noun.params]
    return "\n".join(lines)


def opened(data: str | None, folders: Sequence[str], safe: bool) -> Plugins:
    """The plugins of the studio that the command line names."""
    from toolkit.plugins.plugins import Plugins
    from toolkit.settings import load_settings

    settings = load_settings(data=data, plugins=list(folders) or None, safe_mode=safe or None)
    return Plugins(Path(settings.data), given=settings.plugins, safe=settings.safe_mode)


def merged(own: Mapping[str, Mapping[str, Any]], flags: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """A request's options for plugins with those of the flags over them."""
    return {name: {**own.get(name, {}), **flags.get(name, {})} for name in {**own, **flags}}


def _line(name: str, text: str) -> str:
    return f"  {name:<26} {text}"


def _kind(param: Param) -> str:
    return type(param).__name__


def _value(param: Param) -> str:
    if _kind(param) == "Choice":
        return f" {'|'.join(param.options)}"
    return {"Toggle": "", "Number": " N", "Color": " #RRGGBB", "ImageInput": " @FILE"}.get(_kind(param), " TEXT")


def _default(param: Param) -> str:
    if _kind(param) == "Choice":
        return "|".join(param.options)
    if _kind(param) == "Number":
        return f"{param.default:g} ({param.minimum:g} to {param.maximum:g})"
    if _kind(param) == "Toggle":
        return "yes" if param.default else "no"
    return "@FILE" if _kind(param) == "ImageInput" else str(param.default or "…")
