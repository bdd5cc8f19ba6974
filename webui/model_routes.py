"""The Models page's answers: what is on the disk and in memory, and for the owner the folders where models are.

GET  /limner/models           {"machine", "models": [model], "kinds": […], "problems", "folders" (the owner's alone)}
POST /limner/models/folders   {"folder": PATH, "remove": false} → {"folder", "counts"}; for the owner alone

A folder is used where it is: nothing is copied, downloaded or deleted from here.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from toolkit.errors import NotAdmitted, RequestError
from toolkit.jobs import OWNER
from toolkit.model_folders import LIST, add_folder, read_list, remove_folder, summary
from webui.answers import body_of, reply
from webui.models_tab import KINDS, models_view
from webui.visitors import who_of

if TYPE_CHECKING:
    from starlette.requests import Request

    from toolkit.studio import Studio

_LONGEST = 4096
_TITLES = {"checkpoint": "Checkpoints", **KINDS}


class ModelDesk:
    """Answers the Models page."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self._list = studio.settings.data / LIST

    async def show(self, request: Request) -> Response:
        return reply(await asyncio.to_thread(self._view, who_of(request).role == OWNER.role))

    async def change(self, request: Request) -> Response:
        if who_of(request).role != OWNER.role:
            raise NotAdmitted("folder", "Only the owner of this studio can say where its models are.")
        plain = await body_of(request, {"folder", "remove"})
        folder, remove = plain.get("folder"), plain.get("remove", False)
        if not isinstance(folder, str) or not 0 < len(folder.strip()) <= _LONGEST or "\0" in folder:
            raise RequestError("folder", "Name the folder with your models, such as that of A1111 or ComfyUI.")
        if not isinstance(remove, bool):
            raise RequestError("remove", f"“remove” is {remove!r}, but must be true or false.")
        return reply(await asyncio.to_thread(self._removed if remove else self._added, folder.strip()))

    def _view(self, owner: bool) -> dict[str, Any]:
        view = models_view(self._studio)
        return {**view, "folders": [str(folder) for folder in read_list(self._list)]} if owner else view

    def _added(self, folder: str) -> dict[str, Any]:
        added = add_folder(self._list, folder)
        counts = {_TITLES[kind]: count for kind, count in summary(added).items()}
        return {"folder": str(added), "counts": counts}

    def _removed(self, folder: str) -> dict[str, Any]:
        return {"folder": str(remove_folder(self._list, folder)), "counts": {}}
