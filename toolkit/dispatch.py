"""Between the queue and the engine: hands jobs over, saves what comes back, and starts a dead engine again."""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections import deque
from dataclasses import replace
from typing import Callable, Mapping

from PIL import Image

from toolkit.engine.protocol import Engine, EngineEvent, EngineJob
from toolkit.engine.skips import SkipWishes
from toolkit.errors import LimnerError, StorageError
from toolkit.gallery import Gallery
from toolkit.jobs import GeneratedImage, JobEvent, JobState, Who
from toolkit.pictures import InputPictures
from toolkit.queue import JobQueue, QueuedJob

log = logging.getLogger(__name__)

Publish = Callable[[JobEvent, Who], None]

MAX_DEATHS_OF_A_JOB = 2
RESTARTS_ALLOWED, RESTART_WINDOW = 3, 60.0
# Denoising steps, of all its pictures together, up to which a job may take a seat that is kept for short ones.
SHORT_STEPS = 8


class Dispatcher:
    """One thread that keeps the engine as busy as its capacity allows; events are published as `JobEvent`s."""

    def __init__(
        self, engine: Engine, queue: JobQueue, gallery: Gallery, publish: Publish, *, keep_images: bool,
        inputs: InputPictures | None = None,
    ) -> None:  # fmt: skip
        self._engine, self._queue, self._gallery, self._publish = engine, queue, gallery, publish
        self._keep_images, self._inputs = keep_images, inputs
        self._running: dict[str, QueuedJob] = {}
        self._unsent: set[str] = set()
        self._notes: dict[str, str] = {}
        self._wishes: dict[str, SkipWishes] = {}
        self._cancelled: set[str] = set()
        self._changed = threading.Condition()
        self._closing = False
        self._engine_failed: str | None = None
        self._deaths: deque[float] = deque(maxlen=RESTARTS_ALLOWED)
        self._thread = threading.Thread(target=self._loop, name="limner-dispatch", daemon=True)

    def start(self) -> None:
        self._engine.start(self._on_event, self._on_death)
        self._thread.start()

    def wake(self) -> None:
        """Look at the queue again: a job was added, or one was cancelled."""
        with self._changed:
            self._changed.notify_all()

    def cancel(self, job_id: str) -> None:
        with self._changed:
            if job_id in self._wishes:
                self._cancelled.add(job_id)  # an engine that hangs never hears of it
            if job_id in self._unsent:
                self._unsent.discard(job_id)
                return
        self._engine.cancel(job_id)

    def skip(self, job_id: str, picture: int | None) -> None:
        """Give up one picture of a job that runs, or waits to be drawn again; nothing happens to others."""
        with self._changed:
            if job_id in self._wishes:
                self._wishes[job_id].ask(picture)
            if job_id in self._unsent:
                return
        self._engine.skip(job_id, picture)

    @property
    def failure(self) -> str | None:
        """Why the engine is not started again any more; None while it is."""
        return self._engine_failed

    @property
    def restarting(self) -> bool:
        """True from an engine's death until it has drawn something again, at most the restart window."""
        return bool(self._deaths) and time.monotonic() - self._deaths[-1] < RESTART_WINDOW and bool(self._notes)

    def close(self) -> None:
        """Stop the engine; what it was drawing is marked interrupted and waits for somebody to run it again."""
        with self._changed:
            self._closing = True
            lost, self._running = list(self._running.values()), {}
            self._changed.notify_all()
        self._engine.close()
        for job in lost:
            if job.id in self._cancelled:
                self._end(job, JobState.CANCELLED)
            else:
                self._end(job, JobState.INTERRUPTED, error="The studio was closed while this was being drawn.")
        if self._thread.is_alive():
            self._thread.join(timeout=10)

    def _loop(self) -> None:
        while True:
            with self._changed:
                try:
                    if self._closing:
                        return
                    job = self._take()
                except StorageError as error:
                    log.warning("the queue can't be read, trying again: %s", error)
                    self._changed.wait(timeout=1.0)
                    continue
                if job is None:
                    self._changed.wait()
                    continue
                if self._engine_failed or job.id in self._cancelled:
                    state = JobState.CANCELLED if job.id in self._cancelled else JobState.FAILED
                    self._end(job, state, error=self._engine_failed)
                    continue
                self._running[job.id] = job
                self._wishes.setdefault(job.id, SkipWishes(job.request.count))
                self._unsent.add(job.id)
                told = {"note": self._notes.get(job.id), "skipped": self._wishes[job.id].standing()}
            self._publish(JobEvent(job.id, JobState.RUNNING, phase="loading", **told), job.who)
            try:
                pictures = self._pictures(job)
            except (LimnerError, OSError) as error:
                self._leave(job.id)
                self._end(job, JobState.FAILED, error=str(error))
                continue
            self._send(job, pictures)

    def _send(self, job: QueuedJob, pictures: Mapping[str, bytes]) -> None:
        """Give the engine a job, unless it was cancelled meanwhile, or waits again because the engine has died."""
        with self._changed:
            wanted = job.id in self._unsent
            self._unsent.discard(job.id)
            if self._running.get(job.id) is not job:
                return
            if wanted:
                gone = self._wishes[job.id].standing()
                alone = job.exact or job.alone
                self._engine.submit(EngineJob(job.id, job.request, alone, job.who.id, pictures, gone))
                return
        self._leave(job.id)
        self._end(job, JobState.CANCELLED)

    def _pictures(self, job: QueuedJob) -> dict[str, bytes]:
        """The input pictures of a job as PNG files; raise RequestError when one is no longer kept."""
        if self._inputs is None:
            return {}
        return {sha: self._inputs.file(sha, job.who).read_bytes() for sha in job.request.pictures()}

    def _take(self) -> QueuedJob | None:
        """The next job, when the engine has a seat for it: one of the usual ones, or one for short jobs.

        A job that ended an engine once runs alone, so that a second death names the culprit.
        """
        if any(job.alone for job in self._running.values()) or (self._running and self._queue.next_is_alone()):
            return None
        free = self._engine.capacity - len(self._running)
        if free > 0:
            return self._queue.take()
        return self._queue.take(SHORT_STEPS) if free + self._engine.express > 0 else None

    def _on_event(self, event: EngineEvent) -> None:
        job = self._running.get(event.job_id)
        if job is None:
            return
        if not event.state.ended:
            if event.skipped:
                with self._changed:
                    self._wishes[job.id].told(event.skipped)
            self._publish(self._told(event), job.who)
            return
        images: tuple[GeneratedImage, ...] = ()
        if event.withheld and all(event.withheld):
            event = replace(event, state=JobState.FAILED, error=f"The picture was withheld: {event.withheld[0]}.")
        if event.state is JobState.FINISHED:
            self._publish(replace(self._told(event), state=JobState.RUNNING, phase="saving"), job.who)
            try:
                images = self._save(job, event)
            except StorageError as error:
                event = replace(event, state=JobState.FAILED, error=str(error))
        self._leave(job.id)
        waited = max(0.0, (job.started or job.created) - job.created)
        seconds = {"queued": round(waited, 4), **event.seconds}
        self._end(job, event.state, error=event.error, seconds=seconds, images=images, note=_note(event))

    def _told(self, event: EngineEvent) -> JobEvent:
        return JobEvent(
            event.job_id, event.state, phase=event.phase, step=event.step, steps=event.steps,
            previews=event.previews, note=event.note or self._notes.get(event.job_id), seconds=event.seconds,
            skipped=event.skipped,
        )  # fmt: skip

    def _save(self, job: QueuedJob, event: EngineEvent) -> tuple[GeneratedImage, ...]:
        saved = []
        kept = [index for index in range(job.request.count) if index not in event.skipped]
        withheld = event.withheld or ("",) * len(kept)
        for index, picture, reason in zip(kept, event.pictures, withheld, strict=True):
            if reason:
                continue
            image = Image.frombytes(picture.mode, (picture.width, picture.height), picture.rgb)
            request = job.request.picture(index)
            one = self._gallery.save(image, request, who=job.who, job_id=job.id, index=index, facts=event.facts)
            saved.append(one if self._keep_images else replace(one, image=None))
        return tuple(saved)

    def _end(
        self, job: QueuedJob, state: JobState, *, error: str | None = None, seconds: Mapping[str, float] | None = None,
        images: tuple[GeneratedImage, ...] = (), note: str | None = None,
    ) -> None:  # fmt: skip
        self._queue.finish(job.id, state, error, seconds)
        self._wishes.pop(job.id, None)
        self._cancelled.discard(job.id)
        note = note or self._notes.pop(job.id, None)
        self._publish(
            JobEvent(job.id, state, phase="saving", images=images, error=error, note=note, seconds=seconds or {}),
            job.who,
        )

    def _leave(self, job_id: str) -> None:
        with self._changed:
            self._running.pop(job_id, None)
            self._changed.notify_all()

    def _on_death(self, reason: str) -> None:
        """Put the engine's jobs back once, each alone; a job that was there twice is the likely cause and fails."""
        with self._changed:
            if self._closing:
                return
            lost, self._running = list(self._running.values()), {}
        for job in lost:
            self._engine.cancel(job.id)  # what reached the engine after its death must not start a second time
        log.warning("the engine stopped (%s) with %d jobs", reason, len(lost))
        for job in lost:
            if job.id in self._cancelled:
                self._end(job, JobState.CANCELLED)
                continue
            if self._queue.put_back(job.id, alone=True) >= MAX_DEATHS_OF_A_JOB:
                self._end(
                    job, JobState.FAILED,
                    error="The engine stopped twice while it drew this; try a smaller size or fewer pictures at once.",
                )  # fmt: skip
                continue
            self._notes[job.id] = "The engine stopped and was started again; this is being drawn again."
            gone = self._wishes[job.id].standing()
            self._publish(JobEvent(job.id, JobState.QUEUED, note=self._notes[job.id], skipped=gone), job.who)
        self._deaths.append(time.monotonic())
        if len(self._deaths) == RESTARTS_ALLOWED and self._deaths[-1] - self._deaths[0] < RESTART_WINDOW and not lost:
            self._engine_failed = f"The engine can't be started: {reason}"
        else:
            self._engine.start(self._on_event, self._on_death)
        self.wake()


def _note(event: EngineEvent) -> str | None:
    sentences = [event.note] if event.note else []
    if event.pictures and event.skipped:
        number, of = len(event.skipped), len(event.skipped) + len(event.pictures)
        sentences.append(f"{number} of {of} pictures {'was' if number == 1 else 'were'} skipped.")
    reasons = [reason for reason in event.withheld if reason]
    if reasons:
        sentences.append(f"{len(reasons)} of {len(event.withheld)} pictures were withheld: {reasons[0]}.")
    return " ".join(sentences) or None


def check_space(gallery: Gallery, pixels: int, count: int) -> None:
    """Raise StorageError before anything is drawn when the disk could not take the pictures three times over."""
    needed = max(32_000_000, 3 * 3 * pixels * count)
    existing = next(folder for folder in (gallery.folder, *gallery.folder.parents) if folder.exists())
    free = shutil.disk_usage(existing).free
    if free < needed:
        raise StorageError(
            f"The disk with {gallery.folder} has {free / 1e6:.0f} MB left and {needed / 1e6:.0f} MB are needed; "
            "free some space, or choose another folder with --data."
        )
