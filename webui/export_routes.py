"""Other files of a picture, made by plugins and saved by its person: an SVG, a transparent PNG.

GET /limner/pictures/{id}/exports/{name}   the file, made now unless it was before; 422 {"field", "error"} when it can't
                                           be; only ever saved, never shown: an SVG may hold anything
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import FileResponse, Response

from toolkit.errors import PluginError, RequestError
from toolkit.exports import Exports
from webui.answers import NOTHING, Missing
from webui.guard import FILE_POLICY
from webui.visitors import who_of

if TYPE_CHECKING:
    from toolkit.studio import Studio

HEADERS = {"cache-control": "private, no-store", "content-security-policy": FILE_POLICY.decode()}


def exporters(studio: Studio) -> list[dict[str, Any]]:
    """What a picture can be saved as, for the buttons under it."""
    return [
        {"name": one.noun.name, "label": one.noun.label, "suffix": one.noun.suffix, "help": one.noun.help}
        for one in studio.plugins.registry.exporters().values()
    ]


class ExportDesk:
    """Answers for everybody's own pictures."""

    def __init__(self, studio: Studio) -> None:
        self._studio, self._exports = studio, Exports(studio.plugins)

    async def get(self, request: Request) -> Response:
        entry = await asyncio.to_thread(self._studio.gallery.get, request.path_params["id"], who_of(request))
        if entry is None or not await asyncio.to_thread(entry.path.is_file):
            raise Missing(NOTHING)
        exporter = self._exports.exporter(request.path_params["name"])
        try:
            path: Path = await asyncio.to_thread(self._exports.file, entry, exporter.name)
        except PluginError as error:
            raise RequestError("export", str(error)) from error
        return FileResponse(
            path, media_type=exporter.media_type, filename=path.name, content_disposition_type="attachment",
            headers=HEADERS,
        )  # fmt: skip
