"""Finds plugins and decides which of them may be loaded, without importing anything of theirs."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from collections.abc import Iterable, Iterator
from pathlib import Path

from toolkit.errors import PluginError
from toolkit.plugins import hookspecs
from toolkit.plugins.choices import Choices
from toolkit.plugins.lock import Lock, fingerprint
from toolkit.plugins.manifest import FILE, NAME, read_manifest, unmet
from toolkit.plugins.states import Plugin, Source, State

GROUP = "limner.plugins"


def discover(own: Path | None, given: Iterable[Path] = (), bundled: Lock | None = None) -> list[Plugin]:
    """Every plugin in the studio's folder, in the folders given for this start, and among the installed packages.

    Of two with the same name the first keeps it; the other stands there as failed and names both places.
    """
    found: list[Plugin] = []
    if own is not None:
        for folder in _folders(own):
            known = bundled is not None and folder.name in bundled
            found.append(_read(Plugin(folder.name, folder, Source.BUNDLED if known else Source.ADDED)))
    for place in given:
        for folder in [place] if (place / FILE).is_file() else _folders(place):
            found.append(_read(Plugin(folder.name, folder, Source.GIVEN)))
    found.extend(_installed())
    names: dict[str, Plugin] = {}
    for plugin in found:
        first = names.setdefault(plugin.name, plugin)
        if first is not plugin and plugin.path.resolve() != first.path.resolve():
            plugin.fail(f"There is a plugin “{plugin.name}” in {first.path}; the one in {plugin.path} is left out.")
        elif first is not plugin:
            first.source = plugin.source if plugin.source is Source.GIVEN else first.source
    return [plugin for plugin in found if names[plugin.name] is plugin or plugin.state is State.FAILED]


def admit(plugin: Plugin, choices: Choices, bundled: Lock, allowed: Lock) -> bool:
    """Whether a plugin may be loaded now; otherwise its state and reason say why not."""
    if plugin.state is State.FAILED:
        return False
    plugin.state, plugin.reason = State.FOUND, ""
    if not choices.enabled(plugin.name, plugin.manifest.enabled):
        chosen = "It was switched off." if plugin.manifest.enabled else "It is off until you switch it on."
        plugin.state, plugin.reason = State.DISABLED, chosen
        return False
    if plugin.manifest.api != hookspecs.API:
        plugin.state = State.INCOMPATIBLE
        plugin.reason = f"It is made for plugin API {plugin.manifest.api}, and this studio has {hookspecs.API}."
        return False
    try:
        plugin.sha256 = fingerprint(plugin.path)
    except (PluginError, OSError) as error:
        plugin.fail(str(error))
        return False
    if not _permitted(plugin, bundled, allowed):
        return False
    missing = unmet(plugin.manifest.requires)
    if missing:
        plugin.fail(missing)
    return not missing


def _permitted(plugin: Plugin, bundled: Lock, allowed: Lock) -> bool:
    if plugin.source is Source.GIVEN:
        return True
    hashes = [allowed.hash(plugin.name)]
    if plugin.source is Source.BUNDLED:
        hashes.append(bundled.hash(plugin.name))
    if plugin.sha256 in hashes:
        return True
    allow = f"`python3 launch.py plugins allow {plugin.name}`"
    if any(hashes):
        plugin.state = State.CHANGED
        plugin.reason = f"Its files have changed since it was allowed; look at them, then allow it again with {allow}."
    else:
        plugin.reason = f"It runs with your rights, so it waits for your permission: {allow}."
    return False


def _folders(place: Path) -> list[Path]:
    try:
        folders = sorted(folder for folder in place.iterdir() if folder.is_dir())
    except OSError:
        return []
    return [folder for folder in folders if not folder.name.startswith((".", "__"))]


def _read(plugin: Plugin) -> Plugin:
    try:
        plugin.manifest = read_manifest(plugin.path)
        if not NAME.fullmatch(plugin.name):
            raise PluginError(f"“{plugin.name}” can't be a plugin's name: use small letters, digits and _.")
    except PluginError as error:
        plugin.fail(str(error))
    plugin.module = plugin.module or f"limner_plugins.{plugin.name}"
    return plugin


def _installed() -> Iterator[Plugin]:
    """Packages with an entry point; a manifest inside the package is read from its files."""
    for point in importlib.metadata.entry_points(group=GROUP):
        name, module = point.name, point.value.partition(":")[0].strip()
        folder = _package(module)
        if folder is None:
            plugin = Plugin(name, Path(module), Source.INSTALLED, module=module)
            plugin.fail(f"Its package “{module}” can't be found, or is no folder.")
            yield plugin
        else:
            yield _read(Plugin(name, folder, Source.INSTALLED, module=module))


def _package(module: str) -> Path | None:
    """The folder of a package; only the first part is looked up, because looking further would import it."""
    top, *rest = module.split(".")
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    for place in (spec.submodule_search_locations or []) if spec else []:
        folder = Path(place, *rest)
        if folder.is_dir():
            return folder
    return None
