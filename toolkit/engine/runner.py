"""Jobs on threads: the part that every engine in this process shares, whatever it draws with."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from toolkit.engine.control import Control, Drawn, Patience
from toolkit.engine.protocol import EngineJob, OnEvent
from toolkit.errors import Cancelled, EngineError, LimnerError
from toolkit.jobs import JobState

if TYPE_CHECKING:
    from toolkit.plugins.plugins import Plugins

log = logging.getLogger(__name__)

_LOOK = 1.0


class JobRunner:
    """Draws jobs with `draw`, `capacity` at a time, the others waiting in the order they came.

    `plugins` finish and review what is drawn, one job at a time, because nobody who writes a plugin need think of
    threads; they may be replaced between jobs. A job that stalls is ended with the reason. When its thread does not
    react to that within the grace of `patience` it is left behind, and `on_stuck(reason)` is called; so it is when
    `hung()` says that what all jobs share is what doesn't move.
    """

    def __init__(
        self, draw: Callable[[EngineJob, Control], Drawn], capacity: int = 1, plugins: Plugins | None = None,
        patience: Patience | None = None, on_stuck: Callable[[str], None] = lambda reason: None,
        hung: Callable[[], bool] = lambda: False,
    ) -> None:  # fmt: skip
        self._draw, self.plugins, self._patience = draw, plugins, patience or Patience()
        self._on_stuck, self._hung = on_stuck, hung
        self._capacity = capacity
        self._changed = threading.Condition()
        self._finishing = threading.Lock()
        self._waiting: deque[Control] = deque()
        self._running: dict[str, Control] = {}
        self._threads: list[threading.Thread] = []
        self._closing = threading.Event()
        self._on_event: OnEvent | None = None

    def start(self, on_event: OnEvent) -> None:
        """Start the job threads and the one that watches them."""
        self._on_event = on_event
        for _ in range(self._capacity):
            self._hire()
        threading.Thread(target=self._watch, name="stalled-jobs", daemon=True).start()

    def _hire(self) -> None:
        thread = threading.Thread(target=self._work, name=f"job-{len(self._threads)}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def submit(self, job: EngineJob) -> None:
        """Take a job; a runner that is closed ends it as cancelled."""
        if self._on_event is None:
            raise EngineError("The engine was given a job before it was started.")
        control = Control(job, self._on_event, self._finishing)
        with self._changed:
            if not self._closing.is_set():
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

    def skip(self, job_id: str, picture: int | None = None) -> None:
        """Give up one picture of a job, at the next step of one that runs."""
        with self._changed:
            for control in (*self._running.values(), *self._waiting):
                if control.job.id == job_id:
                    control.skips.skip(picture)

    def close(self, timeout: float = 30.0) -> None:
        """Cancel everything and wait for the threads, at most `timeout` seconds; harmless when called again."""
        with self._changed:
            self._closing.set()
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

    def abandon(self) -> list[Control]:
        """Give up all jobs without a word, for an engine that starts afresh; returns those that ran."""
        with self._changed:
            self._closing.set()
            given_up = [*self._running.values(), *self._waiting]
            self._waiting.clear()
            self._changed.notify_all()
        for control in given_up:
            control.mute()
            control.stopped.set()
        return given_up

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self._closing.is_set():
                    self._changed.wait()
                if self._closing.is_set():
                    return
                control = self._waiting.popleft()
                control.alive()
                self._running[control.job.id] = control
            try:
                self._one(control)
            except Exception:  # the job thread again: a listener that raises must not end the thread
                log.exception("The end of job %s could not be told", control.job.id)
            with self._changed:
                if self._running.get(control.job.id) is not control:
                    return  # it was given up as stuck, and another thread has taken this one's place
                del self._running[control.job.id]

    def _one(self, control: Control) -> None:
        try:
            drawn = self._draw(control.job, control)
            control.checkpoint()
            drawn = self._finished(drawn, control)
            control.checkpoint()
        except Cancelled:
            state = JobState.FAILED if control.stalled else JobState.CANCELLED
            control.finish(state, error=control.stalled)
            if control.stalled and not self._closing.is_set() and self._hung():
                self._on_stuck(control.stalled)
        except LimnerError as error:
            control.finish(JobState.FAILED, error=str(error))
        except Exception as error:  # the job thread: whatever a model raises ends this job and never the engine
            log.exception("Job %s failed", control.job.id)
            control.finish(JobState.FAILED, error=explain(error))
        else:
            control.finish(JobState.FINISHED, drawn)

    def _finished(self, drawn: Drawn, control: Control) -> Drawn:
        """What plugins make of the pictures: finishing steps in the request's order, then the reviews."""
        request = control.job.request
        if self.plugins is None or not (request.finish or self.plugins.reviews):
            return drawn
        from toolkit.engine.finishing import finish_all

        control.phase("finishing")
        with control.plugins_turn():
            return finish_all(drawn, request, self.plugins, control.checkpoint)

    def _watch(self) -> None:
        """End jobs that stall: first by asking, then by leaving their thread behind."""
        asked: dict[Control, float] = {}
        while not self._closing.wait(min(_LOOK, self._patience.grace / 2)):
            running = list(self._running.values())
            asked = {control: since for control, since in asked.items() if control in running}
            for control in running:
                if control in asked:
                    if time.monotonic() - asked[control] > self._patience.grace:
                        self._leave_behind(control)
                elif reason := control.overdue(self._patience):
                    log.error("job %s: %s", control.job.id, reason)
                    control.stalled = reason
                    control.stopped.set()
                    asked[control] = time.monotonic()

    def _leave_behind(self, control: Control) -> None:
        with self._changed:
            if self._running.get(control.job.id) is not control:
                return
            del self._running[control.job.id]
        control.finish(JobState.FAILED, error=control.stalled)
        self._on_stuck(control.stalled or "")
        self._hire()


def explain(error: Exception) -> str:
    """One sentence for a person about an error nobody foresaw."""
    text = " ".join(str(error).split())
    if isinstance(error, MemoryError) or "out of memory" in text.lower() or "can't allocate memory" in text.lower():
        return "There was not enough memory for this picture. Try a smaller size, or fewer pictures at once."
    kind = type(error).__name__
    return f"The engine stopped at an error ({kind}: {text[:200]}). The log has the details."
