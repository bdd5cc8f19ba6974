"""The pictures that people bring: start pictures, masks and control pictures, each person's apart from the others'.

POST /limner/inputs?kind=image|mask&name=FILE   a picture file as the body → {"sha", "width", "height", "notes"}
POST /limner/inputs?picture=ID                  one of the person's saved pictures, without sending it again
GET  /limner/inputs/{sha}.png                   what is kept, for its own person only
GET  /limner/pictures/{id}/outside              whether a picture is unchanged outside its mask, pixel by pixel
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.responses import FileResponse

from toolkit.errors import NotAdmitted, RequestError
from toolkit.jobs import OWNER, Who
from toolkit.pictures import Kept
from webui.answers import NOTHING, Missing, reply
from webui.guard import MAX_INPUT_BODY, MAX_PICTURE_BODY, MIB
from webui.outside import outside_of
from webui.visitors import who_of

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from toolkit.studio import Studio

KINDS = ("image", "mask")
SMALLEST_SIDE = 16
# Decoding takes a picture's pixels in memory several times over.
DECODING_AT_ONCE = 2
VISITOR_BYTES_AN_HOUR, HOUR = 400 * MIB, 3600.0
PEOPLE_REMEMBERED = 4096
KEEP = {"cache-control": "private, max-age=31536000, immutable"}


class Allowance:
    """How much each visitor may still ask for in this hour; the owner's machine is the owner's.

    It counts bytes of pictures unless `said` tells of something else, with the `most` of it in the sentence.
    """

    def __init__(
        self, most: int = VISITOR_BYTES_AN_HOUR, clock: Callable[[], float] = time.monotonic, said: str = ""
    ) -> None:
        self._most, self._clock = most, clock
        self._said = said.format(most=most) or f"You have sent {most // MIB} MB of pictures"
        self._used: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, who: Who, amount: int) -> None:
        """Count `amount`; raise NotAdmitted when it is too much. What was taken fades over an hour."""
        if who.role == OWNER.role:
            return
        now = self._clock()
        since, used = self._used.pop(who.id, (now, 0.0))
        used = max(0.0, used - self._most * (now - since) / HOUR)
        fits = used + amount <= self._most
        self._used[who.id] = (now, used + amount if fits else used)
        while len(self._used) > PEOPLE_REMEMBERED:
            self._used.popitem(last=False)
        if not fits:
            wait = max(60.0, HOUR * (used + amount - self._most) / self._most)
            raise NotAdmitted(
                "start.image",
                f"{self._said} in an hour; try again in {wait / 60:.0f} minutes.",
                wait,
            )


class Inputs:
    """Answers what the page asks about pictures that people bring."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self._allowance = Allowance()
        self._decoding = asyncio.Semaphore(DECODING_AT_ONCE)

    async def add(self, request: Request) -> Response:
        who, query = who_of(request), request.query_params
        kind, name = query.get("kind", "image"), _name(query.get("name", ""))
        if kind not in KINDS:
            raise RequestError("kind", f"“{kind[:40]}” is no kind of picture here: choose image or mask.")
        picture = query.get("picture")
        source = await self._saved(picture, who) if picture is not None else await self._sent(request, who)
        async with self._decoding:
            kept = await asyncio.to_thread(self._keep, source, who, kind, name)
        plain = {"sha": kept.sha, "width": kept.size.width, "height": kept.size.height, "notes": list(kept.notes)}
        return reply(plain, 201)

    async def get(self, request: Request) -> Response:
        who = who_of(request)
        try:
            path = await asyncio.to_thread(self._studio.inputs.file, request.path_params["sha"], who)
        except RequestError:
            raise Missing(NOTHING) from None
        return FileResponse(path, media_type="image/png", headers=KEEP)

    async def outside(self, request: Request) -> Response:
        who = who_of(request)
        entry = await asyncio.to_thread(self._studio.gallery.get, request.path_params["id"], who)
        if entry is None:
            raise Missing(NOTHING)
        async with self._decoding:
            found = await asyncio.to_thread(outside_of, self._studio.inputs, entry, who)
        return reply(found)

    async def _sent(self, request: Request, who: Who) -> bytes:
        most = MAX_INPUT_BODY if who.role == OWNER.role else MAX_PICTURE_BODY
        # Before anything is read: what is refused need not be sent.
        self._allowance.take(who, min(int(request.headers.get("content-length") or 0), most))
        source = await request.body()
        if not source:
            raise RequestError("start.image", "There is no file in that; choose a picture.")
        if len(source) > most:
            raise RequestError("start.image", f"The picture has {len(source) // MIB} MB; at most {most // MIB} work.")
        return source

    async def _saved(self, picture: str, who: Who) -> Path:
        entry = await asyncio.to_thread(self._studio.gallery.get, picture, who)
        if entry is None or not await asyncio.to_thread(Path(entry.path).is_file):
            raise Missing("That picture is not there any more: choose another one.")
        return Path(entry.path)

    def _keep(self, source: bytes | Path, who: Who, kind: str, name: str) -> Kept:
        pictures = self._studio.inputs
        if kind == "mask":
            return pictures.add_mask(source, who, name=name)
        kept = pictures.add(source, who, name=name)
        if min(kept.size) < SMALLEST_SIDE:
            called = name or "The picture"
            raise RequestError(
                "start.image",
                f"{called} is {kept.size} pixels, too small to begin with: use one of {SMALLEST_SIDE} × "
                f"{SMALLEST_SIDE} or more.",
            )
        return kept


def _name(given: str) -> str:
    """A file's name as its person knows it, short enough for a sentence."""
    plain = "".join(letter for letter in given if letter.isprintable()).strip()
    return plain if len(plain) <= 60 else plain[:59] + "…"
