"""`plugin.toml`: what a plugin says of itself, read before anything of it is imported."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from toolkit.errors import PluginError

FILE = "plugin.toml"
NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
MAX_BYTES = 100_000
PROVIDED = ("torch", "torchvision", "diffusers", "transformers", "gradio")
KINDS = (
    "styles", "prompt_transforms", "upscalers", "postprocessors", "exporters", "preprocessors", "controls", "options",
    "settings", "commands", "requests", "denoiser", "review", "metadata", "signing", "events", "tabs",
)  # fmt: skip
_TEXTS = ("title", "version", "description", "author", "license", "homepage")
_REQUIREMENT = re.compile(r"\s*([A-Za-z0-9][\w.-]*)")


@dataclass(frozen=True, slots=True)
class Manifest:
    """The values of a `plugin.toml`; `commands` are names of commands with their one line of help.

    One with `enabled = false`, an example say, is off until the owner switches it on.
    """

    title: str = ""
    version: str = ""
    api: int = 0
    description: str = ""
    author: str = ""
    license: str = ""
    homepage: str = ""
    provides: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    network: bool = False
    enabled: bool = True
    order: int = 0
    commands: Mapping[str, str] = field(default_factory=dict)


def read_manifest(folder: Path) -> Manifest:
    """The manifest in `folder`; PluginError with the file and the reason when it can't be used."""
    path = folder / FILE
    try:
        if path.stat().st_size > MAX_BYTES:
            raise PluginError(f"{path} is larger than {MAX_BYTES // 1000} kB.")
        text = path.read_text("utf-8-sig")
    except FileNotFoundError:
        raise PluginError(f"It has no {FILE}: write one with at least “api = 1”.")
    except (OSError, UnicodeDecodeError) as error:
        raise PluginError(f"{FILE} can't be read ({getattr(error, 'strerror', None) or 'it is not UTF-8 text'}).")
    return parse_manifest(text)


def parse_manifest(text: str) -> Manifest:
    """A manifest from its text; PluginError for what is wrong in it."""
    try:
        plain = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise PluginError(f"{FILE} is not valid TOML: {str(error).rstrip('.')}.")
    unknown = sorted(set(plain) - set(Manifest.__dataclass_fields__))
    if unknown:
        raise PluginError(f"{FILE}: “{unknown[0]}” is not known; known are {', '.join(Manifest.__dataclass_fields__)}.")
    if type(plain.get("api")) is not int:
        raise PluginError(f"{FILE}: “api” is {plain.get('api')!r}, but must be the number of the plugin API, 1.")
    for name in _TEXTS:
        _check(name, plain.get(name, ""), str, "text")
    _check("network", plain.get("network", False), bool, "true or false")
    _check("enabled", plain.get("enabled", True), bool, "true or false")
    _check("order", plain.get("order", 0), int, "a whole number")
    requires = _texts(plain, "requires")
    for requirement in requires:
        found = _REQUIREMENT.match(requirement)
        name = found[1].lower().replace("_", "-") if found else ""
        if not name or name in PROVIDED:
            why = "is provided by the studio and can't be required" if name else "is no package"
            raise PluginError(f"{FILE}: “{requirement}” {why}.")
    provides = _texts(plain, "provides")
    for kind in provides:
        if kind not in KINDS:
            raise PluginError(f"{FILE}: it can't provide “{kind}”; known are {', '.join(KINDS)}.")
    commands = plain.get("commands", {})
    if not isinstance(commands, dict) or not all(isinstance(line, str) for line in commands.values()):
        raise PluginError(f"{FILE}: “commands” must be a table of names with one line of help each.")
    return Manifest(**{**plain, "requires": requires, "provides": provides, "commands": commands})


def listed_commands(folders: Iterable[Path]) -> dict[str, str]:
    """Commands in the manifests of plugins below `folders`, with their help; manifests that can't be read have none."""
    found: dict[str, str] = {}
    for folder in folders:
        for path in sorted((*folder.glob(FILE), *folder.glob(f"*/{FILE}"))):
            try:
                found |= {name: line for name, line in read_manifest(path.parent).commands.items() if name not in found}
            except PluginError:
                continue
    return found


def unmet(requires: tuple[str, ...]) -> str | None:
    """The sentence about the first requirement that isn't installed as asked; None when all are there."""
    from importlib.metadata import PackageNotFoundError, version

    for text in requires:
        from packaging.requirements import InvalidRequirement, Requirement

        try:
            wanted = Requirement(text)
            if wanted.marker is not None and not wanted.marker.evaluate():
                continue
            there = version(wanted.name)
        except InvalidRequirement:
            return f"{FILE}: “{text}” is no requirement."
        except PackageNotFoundError:
            there = None
        if there is None or not wanted.specifier.contains(there, prereleases=True):
            have = f" (there is {there})" if there else ""
            return f'It needs {text}{have}: install it with pip install -c requirements.txt "{text}".'
    return None


def _check(name: str, value: Any, kind: type, wanted: str) -> None:
    if type(value) is not kind:
        raise PluginError(f"{FILE}: “{name}” is {value!r}, but must be {wanted}.")


def _texts(plain: Mapping[str, Any], name: str) -> tuple[str, ...]:
    values = plain.get(name, [])
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise PluginError(f"{FILE}: “{name}” must be a list of texts.")
    return tuple(values)
