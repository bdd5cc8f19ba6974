"""What the page may know and change of plugins: the owner all of it, everybody else what active ones add.

GET  /limner/plugins          {"owner", "plugins": [plugin], "problems": [sentence]}
GET  /limner/pictures/{id}/noted   {"facts": [{"plugin", "name", "value"}]}: what plugins wrote into a picture
POST /limner/plugins/{name}   {"enabled": true|false} or {"settings": {…}} → the plugin; for the owner alone

Nothing is installed, downloaded or allowed from here: that is done at the computer, on the command line.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response

from toolkit.errors import NotAdmitted, PluginError, RequestError
from toolkit.jobs import OWNER, Who
from toolkit.metadata import read_settings
from toolkit.plugins.params import schema
from webui.answers import NOTHING, Missing, body_of, mapping, reply
from webui.visitors import who_of

if TYPE_CHECKING:
    from toolkit.plugins.plugins import Plugins
    from toolkit.studio import Studio

_EVERYBODYS = ("name", "title", "description", "author", "license", "version", "state", "provides")


def finishing(studio: Studio) -> dict[str, Any]:
    """The finishing steps and the options of plugins that a request may carry, as forms."""
    registry = studio.plugins.registry
    return {
        "finish": [
            {"name": step.name, "label": step.label, "help": step.noun.help, "plugin": step.plugin.title,
             "form": schema(step.params)}
            for step in registry.steps().values()
        ],
        "options": [
            {"plugin": plugin.name, "title": plugin.title, "description": plugin.manifest.description,
             "form": schema(registry.options(plugin.name))}
            for plugin in registry.plugins if registry.options(plugin.name)
        ],
    }  # fmt: skip


class PluginDesk:
    """Answers the Plugins page, and what plugins noted about pictures."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self._plugins: Plugins = studio.plugins

    async def noted(self, request: Request) -> Response:
        entry = await asyncio.to_thread(self._studio.gallery.get, request.path_params["id"], who_of(request))
        if entry is None or not await asyncio.to_thread(entry.path.is_file):
            raise Missing(NOTHING)
        _, facts, _ = await asyncio.to_thread(read_settings, entry.path)
        titles = {plugin.name: plugin.title for plugin in self._plugins.found}
        noted = [(*name.partition("."), value) for name, value in facts.items() if "." in name]
        return reply(
            {"facts": [
                {"plugin": titles.get(plugin, plugin), "name": name, "value": str(value)}
                for plugin, _, name, value in noted
            ]}
        )  # fmt: skip

    async def list(self, request: Request) -> Response:
        return reply(await asyncio.to_thread(self._listing, who_of(request)))

    async def change(self, request: Request) -> Response:
        if who_of(request).role != OWNER.role:
            raise NotAdmitted("plugins", "Only the owner of this studio can change its plugins.")
        name, plain = request.path_params["name"], await body_of(request, {"enabled", "settings"})
        try:
            self._plugins.get(name)
        except PluginError as error:
            raise Missing(str(error)) from error
        await asyncio.to_thread(self._change, name, plain)
        return reply(await asyncio.to_thread(self._one, name))

    def _change(self, name: str, plain: Mapping[str, Any]) -> None:
        if "settings" in plain:
            self._plugins.set(name, mapping(plain["settings"], "settings"))
        if "enabled" in plain:
            if not isinstance(plain["enabled"], bool):
                raise RequestError("enabled", f"“enabled” is {plain['enabled']!r}, but must be true or false.")
            self._plugins.enable(name, plain["enabled"])

    def _listing(self, who: Who) -> dict[str, Any]:
        owner = who.role == OWNER.role
        plain = [self._one(plugin.name) for plugin in self._plugins.found]
        if not owner:
            active = (one for one in plain if one["state"] == "active")
            plain = [{key: one[key] for key in _EVERYBODYS} for one in active]
        problems = self._plugins.problems if owner else []
        return {"owner": owner, "safe": self._plugins.safe, "plugins": plain, "problems": problems}

    def _one(self, name: str) -> dict[str, Any]:
        listed = next(one for one in self._plugins.listing() if one["name"] == name)
        plugin = self._plugins.get(name)
        on = self._plugins.choices.enabled(name, plugin.manifest.enabled)
        return {**listed, "enabled": on, "traceback": plugin.traceback, "tabs": (plugin.path / "ui.py").is_file()}
