"""The studio: one object that takes requests, runs them as jobs on one engine, and keeps the pictures."""

from __future__ import annotations

import secrets
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable, Iterator, Mapping

from toolkit.admission import Limits, admit
from toolkit.database import Database
from toolkit.dispatch import Dispatcher, check_space
from toolkit.engine import open_engine
from toolkit.engine.protocol import Engine
from toolkit.errors import EngineError, RequestError
from toolkit.gallery import Gallery
from toolkit.jobs import OWNER, GeneratedImage, JobEvent, JobState, Who
from toolkit.models import ModelIndex
from toolkit.pictures import InputPictures
from toolkit.plugins.events import PluginEvents
from toolkit.plugins.plugins import Plugins
from toolkit.prepare import expand, prepare
from toolkit.queue import JobQueue, QueuedJob
from toolkit.request import GenerationRequest
from toolkit.settings import Settings, load_settings
from toolkit.styles import StyleLibrary, all_styles

ROOT = Path(__file__).resolve().parent.parent
KEPT_SECONDS = 600.0
KEPT_DELETED_SECONDS = 7 * 24 * 3600.0
KEPT_JOBS = 200

Listener = Callable[[JobEvent, Who], None]


class Job:
    """A request on its way to pictures. Watching is not running: nobody needs to look for it to go on."""

    def __init__(self, studio: Studio, row: QueuedJob) -> None:
        self._studio = studio
        self.id, self.request, self.who, self.created, self.exact = row.id, row.request, row.who, row.created, row.exact
        self._event = JobEvent(row.id, row.state, error=row.error)
        self._changed = threading.Condition()
        self.ended_at: float | None = row.ended

    def __repr__(self) -> str:
        return f"Job({self.id!r}, {self.latest.state.value}, {self.request.prompt!r})"

    @property
    def state(self) -> JobState:
        return self._event.state

    @property
    def latest(self) -> JobEvent:
        """The newest event; of a waiting job it holds the present place in the queue."""
        event = self._event
        if event.state is not JobState.QUEUED:
            return event
        place = self._studio.queue.place(self.id)
        return event if place == event.place else replace(event, place=place)

    def watch(self, tick: float = 0.3) -> Iterator[JobEvent]:
        """Yield the present event, then the newest every `tick` seconds or as soon as it changes, to the last one."""
        while True:
            event = self.latest
            yield event
            if event.state.ended:
                return
            with self._changed:
                self._changed.wait_for(lambda seen=self._event: self._event is not seen, timeout=tick)

    def wait(self, timeout: float | None = None) -> list[GeneratedImage]:
        """The finished pictures; raise EngineError when the job ended without, or `timeout` seconds were not enough."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._event.state.ended, timeout=timeout):
                raise EngineError(f"The pictures were not ready after {timeout:g} seconds.")
        if self.state is JobState.FINISHED:
            return list(self._event.images)
        raise EngineError(self._event.error or f"The job was {self.state.value}.")

    def cancel(self) -> None:
        """Stop within one denoising step; does nothing once the job has ended."""
        self._studio._cancel(self)

    def skip(self, picture: int | None = None) -> None:
        """Give up one picture within a step, by its index, else the first that is being drawn; the others go on."""
        self._studio._dispatcher.skip(self.id, picture)

    def _tell(self, event: JobEvent) -> None:
        with self._changed:
            if self._event.state.ended and self._event.state is not JobState.INTERRUPTED:
                return
            self._event = event
            if event.state.ended:
                self.ended_at = time.time()
            self._changed.notify_all()


class Studio:
    """Everything but the screen. Use it as a context manager, or call `close`.

    `data` is the folder for pictures, database and settings; `engine` is "inline" (threads of this process),
    "process" (a process of its own, started again when it dies), "sketch" (paints without a model, for tests) or an
    object with the `Engine` protocol; `dtype` is "auto", "float32", "float16" or "bfloat16". The process engine starts
    once `ready_when` returns True. `plugins` are those of the settings unless others are given.
    """

    def __init__(
        self, data: str | Path | None = None, engine: str | Engine = "inline", dtype: str = "auto",
        settings: Settings | None = None, ready_when: Callable[[], bool] | None = None,
        plugins: Plugins | None = None,
    ) -> None:  # fmt: skip
        flags = {"data": data} if data is not None else {}
        self.settings = settings or load_settings(**flags, **({"dtype": dtype} if dtype != "auto" else {}))
        folder = Path(self.settings.data)
        self.models = ModelIndex.of(self.settings)
        self.plugins = plugins or Plugins(folder, given=self.settings.plugins, safe=self.settings.safe_mode)
        self.plugins.places = self.models.folders
        self.styles = self._all_styles()
        self.plugins.add_listener(self.read_styles)
        self._plugin_events = PluginEvents(self.plugins)
        self._database = Database(folder / "limner.db")
        self.gallery = Gallery(folder / "pictures", self._database, self.plugins)
        self.gallery.sweep()
        self.gallery.purge(older_than_s=KEPT_DELETED_SECONDS)
        self.inputs = InputPictures(folder / "inputs")
        self.queue = JobQueue(self._database)
        if engine != "inline":  # a script leaves the jobs of an earlier page to the next page
            self.queue.recover()
        self.limits = Limits.from_settings(self.settings)
        self._jobs: dict[str, Job] = {}
        self._listeners: list[Listener] = []
        self._lock = threading.RLock()
        self.engine = self._open(engine, folder)
        if ready_when is not None and hasattr(self.engine, "ready_when"):
            self.engine.ready_when = ready_when
        self._dispatcher = Dispatcher(
            self.engine, self.queue, self.gallery, self._publish, keep_images=engine in ("inline", "sketch"),
            inputs=self.inputs,
        )  # fmt: skip
        self._dispatcher.start()

    def _open(self, engine: str | Engine, folder: Path) -> Engine:
        if not isinstance(engine, str):
            return engine
        return open_engine(
            engine, models=self.models, dtype=self.settings.dtype, data=folder, plugins=self.plugins,
            attention=self.settings.attention,
        )  # fmt: skip

    def __enter__(self) -> Studio:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop the engine; waiting jobs stay in the queue for the next start. May be called twice."""
        self._dispatcher.close()
        self._plugin_events.close()
        self.gallery.close()
        self._database.close()

    def prepare(self, request: GenerationRequest, who: Who = OWNER) -> GenerationRequest:
        """The request with every "auto" made concrete; raise RequestError for what can't be drawn."""
        return prepare(
            request, self.models, self.styles, paths=who.role == OWNER.role, plugins=self.plugins,
            pictures=self.inputs, who=who,
        )  # fmt: skip

    def expand(self, request: GenerationRequest) -> tuple[GenerationRequest, bool]:
        """What styles and plugins make of a request's words with its seed, and whether plugins changed them."""
        return expand(request, self.styles, self.plugins)

    def submit(self, request: GenerationRequest, who: Who = OWNER, exact: bool = False) -> Job:
        """Check, admit and queue a request; raise RequestError, NotAdmitted or StorageError and queue nothing."""
        resolved = self.prepare(request, who)
        check_space(self.gallery, resolved.size.pixels, resolved.count)
        with self._lock:
            admit(
                resolved, who, pending=self.queue.pending(who), pending_total=self.queue.pending_total(),
                limits=self.limits,
            )  # fmt: skip
            job_id = secrets.token_hex(8)
            self.queue.add(job_id, resolved, who, exact)
            job = self._remember(self.queue.get(job_id))
        self._publish(JobEvent(job_id, JobState.QUEUED, place=self.queue.place(job_id)), who)
        self._dispatcher.wake()
        return job

    def generate(self, request: GenerationRequest, exact: bool = False) -> list[GeneratedImage]:
        """Draw `request` and return its pictures, saved; raise RequestError, StorageError or EngineError."""
        return self.submit(request, exact=exact).wait()

    def job(self, job_id: str, who: Who) -> Job | None:
        """One of the person's own jobs; None for any other id."""
        with self._lock:
            job = self._jobs.get(job_id)
            if job is None and (row := self.queue.get(job_id)) is not None:
                job = self._remember(row)
        return job if job is not None and job.who.id == who.id else None

    def jobs(self, who: Who) -> list[Job]:
        """The person's waiting, running and interrupted jobs and those of the last ten minutes, oldest first."""
        rows = self.queue.listing(who, since=time.time() - KEPT_SECONDS)
        with self._lock:
            return [self._jobs.get(row.id) or self._remember(row) for row in rows]

    def run_again(self, job_id: str, who: Who) -> Job:
        """Queue the request of an ended or interrupted job as a new one; raise RequestError when there is none."""
        job = self.job(job_id, who)
        if job is None:
            raise RequestError("job", f"There is no job “{job_id}” of yours to run again.")
        again = self.submit(job.request, who, exact=job.exact)
        if job.state is JobState.INTERRUPTED:
            self._cancel(job)
        return again

    def engine_state(self) -> Mapping[str, str]:
        """{"state": "installing" | "starting" | "ready" | "restarting" | "failed", "note": a sentence or ""}."""
        if self._dispatcher.failure:
            return {"state": "failed", "note": self._dispatcher.failure}
        stats: Mapping[str, Any] = self.engine.stats()
        ready_when = getattr(self.engine, "ready_when", None)
        if ready_when is not None and not ready_when():
            return {"state": "installing", "note": "The packages that draw are still arriving; jobs wait for them."}
        if self._dispatcher.restarting:
            return {"state": "restarting", "note": "The engine stopped and is being started again."}
        if not stats.get("alive"):
            return {"state": "starting", "note": "The engine is starting."}
        return {"state": "ready", "note": ""}

    def add_listener(self, callback: Listener) -> Callable[[], None]:
        """Have every event of every job told to `callback`, on the engine's threads; returns what removes it."""
        with self._lock:
            self._listeners.append(callback)

        def remove() -> None:
            with self._lock:
                if callback in self._listeners:
                    self._listeners.remove(callback)

        return remove

    def _publish(self, event: JobEvent, who: Who) -> None:
        with self._lock:
            job, listeners = self._jobs.get(event.job_id), list(self._listeners)
        if job is None:
            row = self.queue.get(event.job_id)
            job = self._remember(row) if row is not None else None
        if job is not None:
            job._tell(event)
        for listener in listeners:
            listener(event, who)
        self._plugin_events.tell(event)

    def _all_styles(self) -> StyleLibrary:
        return all_styles(Path(self.settings.data), self.plugins.styles(self.models))

    def read_styles(self) -> None:
        """Look again for styles: files of presets and LoRAs may have come since."""
        self.styles = self._all_styles()

    def _remember(self, row: QueuedJob | None) -> Job:
        if row is None:
            raise EngineError("The job has left the database.")
        with self._lock:
            ended = sorted((j for j in self._jobs.values() if j.state.ended), key=lambda j: j.ended_at or 0.0)
            old = time.time() - KEPT_SECONDS
            for job in [j for j in ended if (j.ended_at or 0.0) < old] + ended[:-KEPT_JOBS]:
                self._jobs.pop(job.id, None)
            return self._jobs.setdefault(row.id, Job(self, row))

    def _cancel(self, job: Job) -> None:
        if self.queue.cancel(job.id) or job.state is JobState.INTERRUPTED:
            self.queue.finish(job.id, JobState.CANCELLED)
            self._publish(JobEvent(job.id, JobState.CANCELLED), job.who)
            self._dispatcher.wake()
        else:
            self._dispatcher.cancel(job.id)
