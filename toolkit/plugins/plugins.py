"""All plugins of a studio: found, loaded and called. The studio, the engine and the page ask this object only."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.errors import PluginError
from toolkit.plugins import discovery
from toolkit.plugins.choices import FILE as CHOICES
from toolkit.plugins.choices import Choices
from toolkit.plugins.guard import MISSING, Guard
from toolkit.plugins.loading import styles_of
from toolkit.plugins.lock import FILE as LOCK
from toolkit.plugins.lock import Lock, fingerprint
from toolkit.plugins.manifest import Manifest, read_manifest
from toolkit.plugins.params import clean_options, schema, with_defaults
from toolkit.plugins.registry import Registry
from toolkit.plugins.states import Plugin, Source, State
from toolkit.plugins.watchdog import FILE as TRIED
from toolkit.plugins.watchdog import Tried, try_all
from toolkit.sidecars import lora_cards

if TYPE_CHECKING:
    from toolkit.models import ModelIndex
    from toolkit.styles import Style

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "plugins"
BUNDLED = ROOT / LOCK

log = logging.getLogger(__name__)


class Plugins:
    """`data` is the studio's data folder, `own` the folder of its plugins, `given` folders allowed for this start.

    Opening never raises for a plugin: what is wrong with one stands in its state and reason.
    """

    def __init__(
        self, data: Path, *, own: Path | None = FOLDER, given: Iterable[Path] = (), safe: bool = False,
        models: Path = ROOT / "models",
    ) -> None:  # fmt: skip
        self.data, self.models, self.safe = data, models, safe
        self.places: tuple[Path, ...] = (models,)  # every folder of models, and lists of them, that the studio uses
        self.choices = Choices(data / CHOICES)
        self.registry = Registry()
        self.guard = Guard(self._switched_off)
        self._bundled, self._allowed = Lock(BUNDLED), Lock(data / LOCK)
        self._tried = Tried(data / TRIED)
        self._listeners: list[Callable[[], None]] = []
        self._lock = threading.RLock()
        self.found = discovery.discover(own, given, self._bundled)
        if safe:
            for plugin in self.found:
                plugin.state, plugin.reason = State.DISABLED, "The studio was started with --safe-mode."
        else:
            self._load(self.found)

    @classmethod
    def none(cls, data: Path) -> Plugins:
        """A studio without plugins."""
        return cls(data, own=None, safe=True)

    @property
    def problems(self) -> list[str]:
        """Sentences about files that can't be read and nouns that were left out."""
        self.registry.look()
        files = (self.choices.problem, self._bundled.problem, self._allowed.problem)
        return [*filter(None, files), *self.registry.problems]

    @property
    def order(self) -> list[str]:
        """The active plugins in the order they are asked, with their versions."""
        return [f"{plugin.name} {plugin.manifest.version}".strip() for plugin in self.registry.plugins]

    @property
    def reviews(self) -> bool:
        """Whether any plugin wants to see pictures before they are kept."""
        return bool(self.registry.lost_reviewers or self.registry.implementations("review_image"))

    @property
    def rewrites(self) -> bool:
        """Whether any plugin may change a request's words before it is queued."""
        return bool(self.registry.transforms() or self.registry.implementations("prepare_request"))

    def styles(self, models: ModelIndex) -> list[Style]:
        """Every style of every plugin; those made of LoRAs are asked for anew, for the files that are there now."""
        found = {style.id: style for style in self.registry.styles()}
        asking = [one for one in self.registry.implementations("register_styles") if one[1].argnames]
        loras = lora_cards(models) if asking else []
        for plugin, implementation in asking:
            answer = self.guard.call(plugin, styles_of, implementation, loras)
            for style in answer if answer is not MISSING else ():
                found.setdefault(style.id, style)
        return list(found.values())

    def get(self, name: str) -> Plugin:
        """The plugin of a name; PluginError that names the others when there is none."""
        for plugin in self.found:
            if plugin.name == name:
                return plugin
        there = ", ".join(sorted({plugin.name for plugin in self.found})) or "none"
        raise PluginError(f"There is no plugin “{name}”; there are {there}.")

    def settings(self, name: str) -> dict[str, Any]:
        """A plugin's settings, complete; one that is set wrong counts as not set."""
        params, given = self.registry.settings(name), self.choices.settings(name)
        good = {}
        for param in params:
            if param.name in given:
                try:
                    good[param.name] = param.clean(given[param.name])
                except ValueError as error:
                    log.warning("the setting “%s” of the plugin “%s”: %s", param.name, name, error)
        return with_defaults(params, good)

    def listing(self) -> list[dict[str, Any]]:
        """Everything the Plugins page shows, without tracebacks: those are the owner's alone."""
        return [
            plugin.to_dict()
            | {
                "title": plugin.title,
                "source": plugin.source.value,
                "description": plugin.manifest.description,
                "author": plugin.manifest.author,
                "license": plugin.manifest.license,
                "homepage": plugin.manifest.homepage,
                "network": plugin.manifest.network,
                "errors": plugin.errors,
                "settings": self.settings(plugin.name),
                "form": schema(self.registry.settings(plugin.name)),
            }
            for plugin in self.found
        ]

    # What the owner may do

    def enable(self, name: str, on: bool = True) -> Plugin:
        """Switch a plugin on or off, from now on and at every start."""
        plugin = self.get(name)
        with self._lock:
            self.choices.enable(name, on)
            self._reload(plugin)
        return plugin

    def allow(self, name: str) -> Plugin:
        """Allow a plugin with the files it has now."""
        plugin = self.get(name)
        if plugin.manifest == Manifest():
            plugin.manifest = read_manifest(plugin.path)
        with self._lock:
            self._allowed.allow(name, plugin.manifest.version, fingerprint(plugin.path))
            self._reload(plugin)
        return plugin

    def set(self, name: str, settings: Mapping[str, Any]) -> None:
        """Keep a plugin's settings; RequestError for a value that won't work."""
        params = self.registry.settings(self.get(name).name)
        with self._lock:
            self.choices.set(name, clean_options(params, settings, name))
        self._tell()

    def add_listener(self, callback: Callable[[], None]) -> None:
        """Have `callback` called after every change of what is active or set."""
        self._listeners.append(callback)

    # For the engine's process

    def handoff(self) -> dict[str, Any]:
        """What another process needs to load the same plugins, as JSON."""
        return {
            "data": str(self.data),
            "models": str(self.models),
            "places": [str(place.resolve()) for place in self.places],
            "choices": self.choices.to_dict(),
            "lost_reviewers": dict(self.registry.lost_reviewers),
            "plugins": [
                {"name": one.name, "path": str(one.path), "module": one.module, "sha256": one.sha256,
                 "source": one.source.value}
                for one in self.registry.plugins
            ],
        }  # fmt: skip

    @classmethod
    def from_handoff(cls, plain: Mapping[str, Any]) -> Plugins:
        """The plugins that the studio's process found good, if their files are still the same."""
        plugins = cls(Path(plain["data"]), own=None, safe=True, models=Path(plain["models"]))
        plugins.choices, plugins.safe, plugins.found = Choices.of(plain["choices"]), False, []
        plugins.places = tuple(Path(place) for place in plain["places"])
        plugins.registry.lost_reviewers = dict(plain["lost_reviewers"])
        for one in plain["plugins"]:
            plugin = Plugin(one["name"], Path(one["path"]), Source(one["source"]), module=one["module"])
            plugins.found.append(plugin)
            try:
                plugin.manifest, plugin.sha256 = read_manifest(plugin.path), fingerprint(plugin.path)
            except (PluginError, OSError) as error:
                plugin.fail(str(error))
                continue
            if plugin.sha256 == one["sha256"]:
                plugins.registry.load(plugin)
            else:
                plugin.state, plugin.reason = State.CHANGED, "Its files changed while the engine started."
        return plugins

    def blame(self, name: str, reason: str, trace: str) -> None:
        """Count an error that a plugin made in another process."""
        for plugin in self.registry.plugins:
            if plugin.name == name:
                self.guard.blame(plugin, reason, trace)

    # Loading

    def _load(self, plugins: Iterable[Plugin]) -> None:
        admitted = [one for one in plugins if discovery.admit(one, self.choices, self._bundled, self._allowed)]
        try_all([one for one in admitted if not self._known_good(one)], self._tried)
        for plugin in sorted(admitted, key=lambda one: one.rank):
            if plugin.state is not State.FAILED:
                self.registry.load(plugin)

    def _known_good(self, plugin: Plugin) -> bool:
        return plugin.source is Source.BUNDLED and plugin.sha256 == self._bundled.hash(plugin.name)

    def _reload(self, plugin: Plugin) -> None:
        self.registry.unload(plugin)
        plugin.state, plugin.reason, plugin.traceback, plugin.errors = State.FOUND, "", "", 0
        try:
            plugin.manifest = read_manifest(plugin.path)
        except PluginError as error:
            plugin.fail(str(error))
        else:
            if not self.safe:
                self._load([plugin])
        self._tell()

    def _switched_off(self, plugin: Plugin) -> None:
        with self._lock:
            self.registry.unload(plugin)
        self._tell()

    def _tell(self) -> None:
        for callback in list(self._listeners):
            callback()
