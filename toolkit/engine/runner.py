"""Jobs on threads: the part that every engine in this process shares, whatever it draws with."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from toolkit.engine.protocol import EngineEvent, EngineJob, OnEvent, Picture
from toolkit.errors import Cancelled, EngineError, LimnerError
from toolkit.jobs import JobState

if TYPE_CHECKING:
    from toolkit.plugins.plugins import Plugins
    from toolkit.request import GenerationRequest

log = logging.getLogger(__name__)

_SECONDS = {"loading": "load", "encoding": "encode", "denoising": "denoise", "decoding": "decode"}


@dataclass(frozen=True, slots=True)
class Drawn:
    """What drawing a job gave: the pictures in the order of their seeds, and facts for their metadata."""

    pictures: tuple[Picture, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)
    note: str | None = None
    withheld: tuple[str, ...] = ()


class Control:
    """A running job's way to speak and to be stopped; used by the thread that draws it."""

    def __init__(self, job: EngineJob, on_event: OnEvent) -> None:
        self.job = job
        self.stopped = threading.Event()
        self.seconds: dict[str, float] = {}
        self._on_event = on_event
        self._began = self._since = time.perf_counter()
        self._phase = ""
        self._step = 0
        self.steps = job.request.sampling.steps or 20

    def checkpoint(self) -> None:
        """Raise Cancelled when somebody has asked for the job to stop."""
        if self.stopped.is_set():
            raise Cancelled("The job was cancelled.")

    def phase(self, name: str) -> None:
        """Enter a phase; the time since the last one counts for that one."""
        self.checkpoint()
        if name == self._phase:
            return
        self.clock()
        self._phase = name
        self._tell()

    def plan(self, steps_left: int) -> None:
        """Say how many denoising steps are still to come; drawing in several batches takes their sum."""
        self.steps = self._step + steps_left

    def step(self, previews: tuple[bytes, ...] = ()) -> None:
        """Say that one more denoising step is done."""
        self._step += 1
        self._tell(previews)
        self.checkpoint()

    def clock(self) -> dict[str, float]:
        """The seconds of each phase so far, and of all together."""
        now = time.perf_counter()
        name = _SECONDS.get(self._phase)
        if name:
            self.seconds[name] = self.seconds.get(name, 0.0) + now - self._since
        self._since = now
        self.seconds["total"] = now - self._began
        return self.seconds

    def finish(self, state: JobState, drawn: Drawn | None = None, error: str | None = None) -> None:
        """Send the job's last event."""
        seconds = {name: round(value, 4) for name, value in self.clock().items()}
        event = EngineEvent(self.job.id, state, self._phase or "queued", self._step, self.steps, seconds=seconds)
        if drawn is None:
            self._on_event(replace(event, error=error))
        else:
            said = {"facts": drawn.facts, "note": drawn.note, "withheld": drawn.withheld}
            self._on_event(replace(event, pictures=drawn.pictures, **said))

    def _tell(self, previews: tuple[bytes, ...] = ()) -> None:
        self._on_event(EngineEvent(self.job.id, JobState.RUNNING, self._phase, self._step, self.steps, previews))


class JobRunner:
    """Draws jobs with `draw`, `capacity` at a time, the others waiting in the order they came.

    `plugins` finish and review what is drawn; they may be replaced between jobs.
    """

    def __init__(
        self, draw: Callable[[EngineJob, Control], Drawn], capacity: int = 1, plugins: Plugins | None = None
    ) -> None:
        self._draw, self.plugins = draw, plugins
        self._capacity = capacity
        self._changed = threading.Condition()
        self._waiting: deque[Control] = deque()
        self._running: dict[str, Control] = {}
        self._threads: list[threading.Thread] = []
        self._closed = False
        self._on_event: OnEvent | None = None

    def start(self, on_event: OnEvent) -> None:
        """Start the job threads."""
        self._on_event = on_event
        for number in range(self._capacity):
            thread = threading.Thread(target=self._work, name=f"job-{number}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def submit(self, job: EngineJob) -> None:
        """Take a job; a runner that is closed ends it as cancelled."""
        if self._on_event is None:
            raise EngineError("The engine was given a job before it was started.")
        control = Control(job, self._on_event)
        with self._changed:
            if not self._closed:
                self._waiting.append(control)
                self._changed.notify()
                return
        control.finish(JobState.CANCELLED)

    def cancel(self, job_id: str) -> None:
        """Stop a running job at its next checkpoint, a waiting one at once."""
        with self._changed:
            running = self._running.get(job_id)
            waiting = [control for control in self._waiting if control.job.id == job_id]
            for control in waiting:
                self._waiting.remove(control)
        if running:
            running.stopped.set()
        for control in waiting:
            control.finish(JobState.CANCELLED)

    def close(self, timeout: float = 30.0) -> None:
        """Cancel everything and wait for the threads, at most `timeout` seconds; harmless when called again."""
        with self._changed:
            self._closed = True
            waiting, self._waiting = list(self._waiting), deque()
            running = list(self._running.values())
            self._changed.notify_all()
        for control in running:
            control.stopped.set()
        for control in waiting:
            control.finish(JobState.CANCELLED)
        until = time.monotonic() + timeout
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(max(0.0, until - time.monotonic()))

    @property
    def running(self) -> int:
        return len(self._running)

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self._closed:
                    self._changed.wait()
                if self._closed:
                    return
                control = self._waiting.popleft()
                self._running[control.job.id] = control
            try:
                self._one(control)
            except Exception:  # the job thread again: a listener that raises must not end the thread
                log.exception("The end of job %s could not be told", control.job.id)
            finally:
                with self._changed:
                    self._running.pop(control.job.id, None)

    def _one(self, control: Control) -> None:
        try:
            drawn = self._draw(control.job, control)
            control.checkpoint()
            drawn = finished(drawn, control.job.request, self.plugins, control.checkpoint)
            control.checkpoint()
        except Cancelled:
            control.finish(JobState.CANCELLED)
        except LimnerError as error:
            control.finish(JobState.FAILED, error=str(error))
        except Exception as error:  # the job thread: whatever a model raises ends this job and never the engine
            log.exception("Job %s failed", control.job.id)
            control.finish(JobState.FAILED, error=explain(error))
        else:
            control.finish(JobState.FINISHED, drawn)


def finished(
    drawn: Drawn, request: GenerationRequest, plugins: Plugins | None, checkpoint: Callable[[], None]
) -> Drawn:
    """What plugins make of the pictures: finishing steps in the request's order, then the reviews."""
    if plugins is None or not (request.finish or plugins.reviews):
        return drawn
    from toolkit.engine.finishing import finish_all

    return finish_all(drawn, request, plugins, checkpoint)


def explain(error: Exception) -> str:
    """One sentence for a person about an error nobody foresaw."""
    text = " ".join(str(error).split())
    if isinstance(error, MemoryError) or "out of memory" in text.lower() or "can't allocate memory" in text.lower():
        return "There was not enough memory for this picture. Try a smaller size, or fewer pictures at once."
    kind = type(error).__name__
    return f"The engine stopped at an error ({kind}: {text[:200]}). The log has the details."
