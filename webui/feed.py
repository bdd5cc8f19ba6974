"""What a person's open pages see of their jobs: one picture of the present per person, told to all their pages.

A page that is slow or gone costs nobody anything: each is only told that there is news, and takes the latest.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from toolkit.jobs import JobEvent, JobState, Who

if TYPE_CHECKING:
    from toolkit.gallery import Entry
    from toolkit.jobs import GeneratedImage
    from toolkit.studio import Job, Studio

log = logging.getLogger(__name__)

PACE = 0.24
ENGINE_LOOK = 0.5
MAX_ENDED = 20


class Pace:
    """Estimates the time left of jobs from the steps so far."""

    def __init__(self) -> None:
        self._first: dict[str, tuple[float, int]] = {}
        self._last: dict[str, tuple[float, int]] = {}

    def see(self, event: JobEvent) -> None:
        if event.state is not JobState.RUNNING:
            self._first.pop(event.job_id, None)
            self._last.pop(event.job_id, None)
        elif event.phase == "denoising" and event.step > 0:
            now = (time.monotonic(), event.step)
            self._first.setdefault(event.job_id, now)
            self._last[event.job_id] = now

    def left(self, event: JobEvent) -> float | None:
        """Seconds until the last step; None before two steps were seen."""
        first, last = self._first.get(event.job_id), self._last.get(event.job_id)
        if event.phase != "denoising" or first is None or last is None or last[1] <= first[1]:
            return None
        a_step = (last[0] - first[0]) / (last[1] - first[1])
        since = min(a_step, time.monotonic() - last[0])
        return max(0.0, round(a_step * (event.steps - last[1]) - since, 1))


class Channel:
    """One person's open pages; `payload` is the newest whole state as a server-sent event."""

    def __init__(self, who: Who) -> None:
        self.who = who
        self.payload = b""
        self.dirty = asyncio.Event()
        self.pages: set[asyncio.Event] = set()
        self.task: asyncio.Task[None] | None = None

    def publish(self, payload: bytes) -> None:
        if payload == self.payload:
            return
        self.payload = payload
        for page in self.pages:
            page.set()


class Feed:
    """Turns the studio's events into what pages show; lives on the server's event loop between `start` and `close`."""

    def __init__(self, studio: Studio, note: Callable[[], str] | None = None) -> None:
        """`note` says what is still arriving while the engine's packages are being installed."""
        self.closing = False
        self.first_page = threading.Event()
        self._note = note
        self._studio = studio
        self._pace = Pace()
        self._channels: dict[str, Channel] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._remove: Callable[[], None] | None = None
        self._engine_watch: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._remove = self._studio.add_listener(self._heard)
        self._engine_watch = self._loop.create_task(self._watch_engine())

    def close(self) -> None:
        """Let every open page's connection end; called when the server stops."""
        self.closing = True
        if self._remove is not None:
            self._remove()
            self._remove = None
        if self._engine_watch is not None:
            self._engine_watch.cancel()
        for channel in self._channels.values():
            if channel.task is not None:
                channel.task.cancel()
            for page in channel.pages:
                page.set()

    def join(self, who: Who, page: asyncio.Event) -> Channel:
        """Have `page` set whenever there is news for `who`; end it with `leave`."""
        channel = self._channels.get(who.id)
        if channel is None:
            channel = self._channels[who.id] = Channel(who)
            channel.dirty.set()
            channel.task = asyncio.get_running_loop().create_task(self._tell(channel))
        channel.pages.add(page)
        if channel.payload:
            page.set()
        self.first_page.set()
        return channel

    def leave(self, channel: Channel, page: asyncio.Event) -> None:
        channel.pages.discard(page)
        if not channel.pages and self._channels.get(channel.who.id) is channel:
            del self._channels[channel.who.id]
            if channel.task is not None:
                channel.task.cancel()

    @property
    def open_pages(self) -> int:
        return sum(len(channel.pages) for channel in self._channels.values())

    def state(self, who: Who) -> dict[str, Any]:
        """Everything a page needs to show a person's work: JSON-ready. Reads the database, so it may block."""
        jobs = self._studio.jobs(who)
        ended = [job for job in jobs if job.latest.state.ended and job.latest.state is not JobState.INTERRUPTED]
        hidden = {job.id for job in ended[:-MAX_ENDED]}
        return {
            "engine": self.engine_state(),
            "role": who.role,
            "jobs": [self.job_view(job) for job in jobs if job.id not in hidden],
        }

    def engine_state(self) -> dict[str, str]:
        state = dict(self._studio.engine_state())
        if state["state"] == "installing" and self._note is not None:
            state["note"] = self._note() or state["note"]
        return state

    def job_view(self, job: Job) -> dict[str, Any]:
        event = job.latest
        images = [picture_view(image) for image in event.images]
        if event.state is JobState.FINISHED and not images:
            images = self._saved(job)
        return {
            "id": job.id,
            "state": event.state.value,
            "phase": event.phase,
            "step": event.step,
            "steps": event.steps,
            "place": event.place,
            "error": event.error,
            "note": event.note,
            "seconds": dict(event.seconds),
            "eta_s": self._pace.left(event),
            "request": job.request.to_dict(),
            "created": timestamp(job.created),
            "images": images,
            "previews": [data_url(preview) if preview else "" for preview in event.previews],
            "skipped": list(event.skipped),
        }

    def _saved(self, job: Job) -> list[dict[str, Any]]:
        """The pictures of a job from before a restart, of which only the gallery knows."""
        entries = [entry for entry in self._studio.gallery.page(job.who) if entry.job_id == job.id]
        return [picture_view(entry) for entry in reversed(entries)]

    def _heard(self, event: JobEvent, who: Who) -> None:
        """Called on the engine's threads for every event of every job."""
        self._pace.see(event)
        # Somebody's start or end moves the places of all who wait.
        everybody = event.state.ended or event.phase in ("queued", "loading")
        try:
            self._loop.call_soon_threadsafe(self._touch, None if everybody else who.id)
        except RuntimeError:
            log.debug("an event came after the server's loop was closed")

    def _touch(self, who_id: str | None) -> None:
        for channel in self._channels.values() if who_id is None else filter(None, [self._channels.get(who_id)]):
            channel.dirty.set()

    async def _tell(self, channel: Channel) -> None:
        while True:
            await channel.dirty.wait()
            channel.dirty.clear()
            try:
                state = await asyncio.to_thread(self.state, channel.who)
                channel.publish(b"data: " + dump(state) + b"\n\n")
            except Exception:  # page boundary: a page must go on being told after one state could not be read
                log.exception("the state of a page could not be read")
            await asyncio.sleep(PACE)

    async def _watch_engine(self) -> None:
        """The engine's state changes without any job's event, so it is looked at while anybody is there to see it."""
        seen: Mapping[str, str] = {}
        while True:
            await asyncio.sleep(ENGINE_LOOK)
            if not self._channels:
                continue
            state = await asyncio.to_thread(self.engine_state)
            if state != seen:
                seen = state
                self._touch(None)


def picture_view(picture: Entry | GeneratedImage) -> dict[str, Any]:
    """A saved picture as pages show it."""
    request = picture.request
    typed = request.written.prompt if request.written is not None and request.written.prompt else request.prompt
    size = getattr(picture, "size", None) or request.size
    view: dict[str, Any] = {
        "id": picture.id,
        "url": f"/limner/pictures/{picture.id}.png",
        "thumb": f"/limner/pictures/{picture.id}/thumb",
        "alt": typed,
        "request": request.to_dict(),
        "width": size.width if size else None,
        "height": size.height if size else None,
    }
    if hasattr(picture, "job_id"):
        view |= {
            "width": picture.width,
            "height": picture.height,
            "job": picture.job_id,
            "created": timestamp(picture.created),
        }
    return view


def data_url(preview: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(preview).decode()


def timestamp(moment: Any) -> float:
    """Seconds since 1970, whatever the storage keeps its times as."""
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment)
    if isinstance(moment, datetime):
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return float(moment)


def dump(plain: Any) -> bytes:
    return json.dumps(plain, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
