"""Control pictures for the page: what a ControlNet will follow, to look at before anything is drawn.

POST /limner/control   {"unit": {…}, "model": ID, "size": [width, height] or null} → a PNG; 4xx {"field", "error"}
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from toolkit.adapters import controls_from
from toolkit.control_pictures import ControlPictures
from toolkit.errors import NotAdmitted, RequestError
from toolkit.plugins.params import schema
from webui.answers import body_of, mapping
from webui.inputs import Allowance
from webui.visitors import who_of

if TYPE_CHECKING:
    from starlette.requests import Request

    from toolkit.studio import Studio

# The engine makes them one after the other; more threads here would only wait.
AT_ONCE = 2
WAITING_EACH = 4
VISITOR_PICTURES_AN_HOUR = 300


def preprocessors(studio: Studio) -> list[dict[str, Any]]:
    """Every way to make a control picture, with its options as a form."""
    nouns = (owned.noun for owned in studio.plugins.registry.preprocessors().values())
    return [{"name": one.name, "label": one.label, "help": one.help, "form": schema(one.params)} for one in nouns]


class ControlDesk:
    """Answers with control pictures; what the page no longer waits for when its turn comes isn't made."""

    def __init__(self, studio: Studio) -> None:
        self._studio, self._pictures = studio, ControlPictures(studio)
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._waiting: Counter[str] = Counter()
        self._allowance = Allowance(VISITOR_PICTURES_AN_HOUR, said="You have looked at {most} control pictures")

    async def make(self, request: Request) -> Response:
        who, plain = who_of(request), await body_of(request, {"unit", "model", "size"})
        (use,) = controls_from([mapping(plain.get("unit"), "unit")])
        model, size = plain.get("model"), plain.get("size")
        if not isinstance(model, str) or not (size is None or isinstance(size, list)):
            raise RequestError("model", "“model” must be a model's name, and “size” two whole numbers.")
        if self._waiting[who.id] >= WAITING_EACH:
            raise NotAdmitted("controls", "Several control pictures of yours are still being made.", 2.0)
        self._waiting[who.id] += 1
        try:
            async with self._turn:
                if await request.is_disconnected():
                    return Response(status_code=400)
                return await self._made(use, model, size, who)
        finally:
            self._waiting[who.id] -= 1
            self._waiting += Counter()  # forgets everybody who has none

    async def _made(self, use: Any, model: str, size: Any, who: Any) -> Response:
        made = await asyncio.to_thread(
            self._pictures.get, use, model, size, who, lambda: self._allowance.take(who, 1)
        )
        return Response(made, media_type="image/png", headers={"cache-control": "no-store"})
