"""The routes that the page's own scripts use, each answering for the person behind the request and nobody else.

GET  /limner/state                   {"engine": {"state", "note"}, "role", "jobs": [job]}
GET  /limner/events                  server-sent events; each is that same whole state, at most four a second
POST /limner/jobs                    {"request": {…}, "exact": false} → {"id"}; 4xx {"field", "error"}, nothing queued
POST /limner/jobs/{id}/skip          {"picture": its index or null}: give one picture up, the others go on
POST /limner/jobs/{id}/cancel        stop within a step;  POST /limner/jobs/{id}/again  the same as a new job → {"id"}
GET  /limner/pictures?search=&before=&limit=   {"pictures": [picture], "next": id or null, "count"}, newest first
GET  /limner/pictures/{id}.png       the saved file itself (?download=1 to save it);  …/{id}/thumb  256 pixels
GET  /limner/pictures/{id}/exports/{name}   the picture as an SVG, say: see webui/export_routes.py
DELETE /limner/pictures/{id}         hides it;  POST /limner/pictures/{id}/restore  takes that back
POST /limner/read-settings           a picture file as the body → {"request", "facts", "sentences"}
POST /limner/words                   {"prompt", "model"} → {"unknown": [word], "sentence"}
POST /limner/expansion               {"request"} → {"prompt", "negative", "seed", "rewritten"}; nothing is queued
GET  /limner/catalogue               styles, sizes, models, LoRAs, samplers, examples, tabs, problems
     /limner/models, …/folders       what is on the disk and in memory, and where: see webui/model_routes.py
     /limner/inputs…, …/{id}/outside the pictures that people bring: see webui/inputs.py
POST /limner/control                 what a ControlNet will follow: see webui/control_routes.py
     /limner/plugins…                what plugins add, and their switches: see webui/plugin_routes.py

A browser keeps at most six connections to one host, and an open event stream is one of them: a page that is hidden
closes its stream and opens it again when it is looked at.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from toolkit.errors import MetadataError, RequestError
from toolkit.jobs import JobState
from toolkit.metadata import read_settings
from toolkit.plugins.calls import refiners
from toolkit.recall import with_upscaler
from toolkit.recalled_models import with_model
from toolkit.request import GenerationRequest
from webui.answers import NOTHING, Answer, Missing, answered, body_of, mapping, media_type, picture_file, reply
from webui.catalogue import catalogue, example_file, expansion, lora_preview, unknown
from webui.control_routes import ControlDesk
from webui.export_routes import ExportDesk
from webui.feed import Feed, picture_view
from webui.guard import MAX_PICTURE_BODY
from webui.inputs import Inputs
from webui.model_routes import ModelDesk
from webui.plugin_routes import PluginDesk
from webui.visitors import who_of

if TYPE_CHECKING:
    from toolkit.studio import Job, Studio

PAGE_OF_PICTURES = 60
HEARTBEAT = 15.0
KEEP = {"cache-control": "private, max-age=31536000, immutable"}


def limner_routes(studio: Studio, feed: Feed, tabs: frozenset[str] | None = None) -> list[Route]:
    """All routes under /limner of one studio; the guard must stand in front of them. `tabs` have a page, by id."""
    desk, inputs, plugins, models = Desk(studio, feed, tabs), Inputs(studio), PluginDesk(studio), ModelDesk(studio)
    table: list[tuple[str, str, Answer]] = [
        ("GET", "/limner/state", desk.state),
        ("POST", "/limner/jobs", desk.submit),
        ("POST", "/limner/jobs/{id}/cancel", desk.cancel),
        ("POST", "/limner/jobs/{id}/skip", desk.skip),
        ("POST", "/limner/jobs/{id}/again", desk.again),
        ("GET", "/limner/pictures", desk.pictures),
        ("POST", "/limner/inputs", inputs.add),
        ("GET", "/limner/inputs/{sha}.png", inputs.get),
        ("POST", "/limner/control", ControlDesk(studio).make),
        ("GET", "/limner/pictures/{id}.png", desk.picture),
        ("GET", "/limner/pictures/{id}/outside", inputs.outside),
        ("GET", "/limner/pictures/{id}/thumb", desk.thumb),
        ("GET", "/limner/pictures/{id}/exports/{name}", ExportDesk(studio).get),
        ("DELETE", "/limner/pictures/{id}", desk.delete),
        ("POST", "/limner/pictures/{id}/restore", desk.restore),
        ("POST", "/limner/read-settings", desk.read_settings),
        ("POST", "/limner/words", desk.words),
        ("POST", "/limner/expansion", desk.expansion),
        ("GET", "/limner/catalogue", desk.catalogue),
        ("GET", "/limner/styles/{id}/preview", desk.style_preview),
        ("GET", "/limner/models", models.show),
        ("POST", "/limner/models/folders", models.change),
        ("GET", "/limner/models/{id}/examples/{number:int}", desk.example),
        ("GET", "/limner/loras/{id}/preview", desk.lora_preview),
        ("GET", "/limner/pictures/{id}/noted", plugins.noted),
        ("GET", "/limner/plugins", plugins.list),
        ("POST", "/limner/plugins/{name}", plugins.change),
    ]
    routes = [Route(path, answered(answer), methods=[method]) for method, path, answer in table]
    return [Route("/limner/events", Events(feed), methods=["GET"]), *routes]


class Desk:
    """Answers requests; whatever may block runs on a thread."""

    def __init__(self, studio: Studio, feed: Feed, tabs: frozenset[str] | None = None) -> None:
        self._studio, self._feed, self._tabs = studio, feed, tabs

    async def state(self, request: Request) -> Response:
        return reply(await asyncio.to_thread(self._feed.state, who_of(request)))

    async def submit(self, request: Request) -> Response:
        plain = await body_of(request, {"request", "exact"})
        wanted = GenerationRequest.from_dict(mapping(plain.get("request"), "request"))
        exact = plain.get("exact", False)
        if not isinstance(exact, bool):
            raise RequestError("exact", f"“exact” is {exact!r}, but must be true or false.")
        job = await asyncio.to_thread(self._studio.submit, wanted, who_of(request), exact)
        return reply({"id": job.id}, 201)

    async def cancel(self, request: Request) -> Response:
        job = await asyncio.to_thread(self._job, request)
        await asyncio.to_thread(job.cancel)
        return reply({"id": job.id})

    async def skip(self, request: Request) -> Response:
        job = await asyncio.to_thread(self._job, request)
        picture = (await body_of(request, {"picture"})).get("picture")
        if picture is not None and (type(picture) is not int or not 0 <= picture < job.request.count):
            raise RequestError(
                "picture", f"“picture” is {picture!r}, but must be null or from 0 to {job.request.count - 1}."
            )
        await asyncio.to_thread(job.skip, picture)
        return reply({"id": job.id})

    async def again(self, request: Request) -> Response:
        job = await asyncio.to_thread(self._job, request)
        if job.latest.state in (JobState.QUEUED, JobState.RUNNING):
            raise RequestError("job", "This job is still being drawn; it can be run again when it has ended.")
        new = await asyncio.to_thread(self._studio.run_again, job.id, who_of(request))
        return reply({"id": new.id}, 201)

    async def pictures(self, request: Request) -> Response:
        query, who = request.query_params, who_of(request)
        limit = query.get("limit", "")
        count = min(PAGE_OF_PICTURES, max(1, int(limit))) if limit.isdecimal() and len(limit) < 6 else PAGE_OF_PICTURES
        search, before = query.get("search", "")[:200], query.get("before") or None

        def read() -> dict[str, Any]:
            entries = self._studio.gallery.page(who, search=search, before=before, limit=count)
            return {
                "pictures": [picture_view(entry) for entry in entries],
                "next": entries[-1].id if len(entries) == count else None,
                "count": self._studio.gallery.count(who, search),
            }

        return reply(await asyncio.to_thread(read))

    async def picture(self, request: Request) -> Response:
        entry = await asyncio.to_thread(self._studio.gallery.get, request.path_params["id"], who_of(request))
        if entry is None:
            raise Missing(NOTHING)
        path = Path(entry.path)
        if not await asyncio.to_thread(path.is_file):
            raise Missing(f"The file {path.name} of this picture was moved or deleted outside the studio.")
        kind = "attachment" if request.query_params.get("download") else "inline"
        return FileResponse(
            path, media_type="image/png", filename=path.name, content_disposition_type=kind, headers=KEEP
        )

    async def thumb(self, request: Request) -> Response:
        small = await asyncio.to_thread(self._studio.gallery.thumbnail, request.path_params["id"], who_of(request))
        if small is None:
            raise Missing(NOTHING)
        return Response(small, media_type=media_type(small), headers=KEEP)

    async def delete(self, request: Request) -> Response:
        return await self._change(self._studio.gallery.delete, request)

    async def restore(self, request: Request) -> Response:
        return await self._change(self._studio.gallery.restore, request)

    async def read_settings(self, request: Request) -> Response:
        who_of(request)
        source = await request.body()
        if not source or len(source) > MAX_PICTURE_BODY:
            raise MetadataError("There is no file in that; drop a PNG, JPEG or WebP picture of at most 20 MB.")
        return reply(await asyncio.to_thread(self._recalled, source))

    def _recalled(self, source: bytes) -> dict[str, Any]:
        found, facts, sentences = read_settings(source)
        found, doubts = with_model(found, facts, self._studio.models)
        found, more = with_upscaler(found, refiners(self._studio.plugins))
        return {"request": found.to_dict(), "facts": facts, "sentences": [*sentences, *doubts, *more]}

    async def words(self, request: Request) -> Response:
        plain = await body_of(request, {"prompt", "model"})
        prompt, model = plain.get("prompt"), plain.get("model", GenerationRequest().model)
        if not isinstance(prompt, str) or not isinstance(model, str):
            raise RequestError("prompt", "“prompt” and “model” must be text.")
        return reply(await asyncio.to_thread(unknown, self._studio, prompt[:10_000], model))

    async def expansion(self, request: Request) -> Response:
        plain = await body_of(request, {"request"})
        wanted = GenerationRequest.from_dict(mapping(plain.get("request"), "request"))
        return reply(await asyncio.to_thread(expansion, self._studio, wanted))

    async def catalogue(self, request: Request) -> Response:
        return reply(await asyncio.to_thread(catalogue, self._studio, who_of(request), self._tabs))

    async def style_preview(self, request: Request) -> Response:
        style = self._studio.styles.styles.get(request.path_params["id"])
        return picture_file(style.preview_path if style is not None else None)

    async def example(self, request: Request) -> Response:
        number = request.path_params["number"]
        return picture_file(await asyncio.to_thread(example_file, self._studio, request.path_params["id"], number))

    async def lora_preview(self, request: Request) -> Response:
        return picture_file(await asyncio.to_thread(lora_preview, self._studio, request.path_params["id"]))

    async def _change(self, change: Callable[..., bool], request: Request) -> Response:
        if not await asyncio.to_thread(change, request.path_params["id"], who_of(request)):
            raise Missing(NOTHING)
        return reply({"id": request.path_params["id"]})

    def _job(self, request: Request) -> Job:
        job = self._studio.job(request.path_params["id"], who_of(request))
        if job is None:
            raise Missing(NOTHING)
        return job


class Events:
    """The event stream, as an ASGI app of its own: it must notice at once when its page is gone."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        page = asyncio.Event()
        channel = self._feed.join(who_of(Request(scope)), page)
        gone = asyncio.ensure_future(_until_gone(receive))
        gone.add_done_callback(lambda _: page.set())
        headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-store")]
        try:
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": b"retry: 1000\n\n", "more_body": True})
            while True:
                try:
                    await asyncio.wait_for(page.wait(), HEARTBEAT)
                    news = channel.payload
                except TimeoutError:
                    news = b": still here\n\n"
                page.clear()
                if gone.done() or self._feed.closing:
                    break
                await send({"type": "http.response.body", "body": news, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            gone.cancel()
            self._feed.leave(channel, page)


async def _until_gone(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
