"""The engine in a process of its own: the page's process never imports torch, and outlives whatever torch does."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.engine.control import Patience
from toolkit.engine.preprocessing import ControlAsk, ControlMade, Errands, Told
from toolkit.engine.protocol import EXPRESS, JOBS_AT_ONCE, EngineEvent, EngineJob, OnDeath, OnEvent
from toolkit.engine.wire import Message, Wire, pack_job, unpack_event
from toolkit.errors import EngineError
from toolkit.jobs import JobState
from toolkit.models import ModelIndex

if TYPE_CHECKING:
    from toolkit.plugins.plugins import Plugins

log = logging.getLogger(__name__)

_ROOT = Path(__file__).resolve().parents[2]
_LOG_LIMIT = 5_000_000
_CLOSE_SECONDS = 8.0


class ProcessEngine:
    """An inline engine inside a worker process, over two pipes.

    While `ready_when` returns False (packages still arriving) no worker is started and jobs wait. The worker's
    messages and errors are in `engine.log` in the data folder. A worker that says nothing for as long as `patience`
    allows a step is ended like one that has died: it can't end a stalled job itself.
    """

    def __init__(
        self, models: ModelIndex, *, dtype: str = "auto", data: Path, ready_when: Callable[[], bool] | None = None,
        plugins: Plugins | None = None, patience: Patience | None = None, attention: str = "auto",
    ) -> None:  # fmt: skip
        self._patience = patience or Patience()
        self.capacity, self.express = JOBS_AT_ONCE, EXPRESS
        self.ready_when = ready_when
        self._setup = {
            "folders": [str(Path(folder).resolve()) for folder in models.folders],
            "dtype": dtype,
            "attention": attention,
            "patience": asdict(self._patience),
        }
        self._plugins = plugins
        if plugins is not None:
            plugins.add_listener(self._plugins_changed)
        self._log_path = Path(data) / "engine.log"
        self._lock = threading.RLock()
        self._on_event: OnEvent | None = None
        self._on_death: OnDeath | None = None
        self._worker: subprocess.Popen[bytes] | None = None
        self._wire: Wire | None = None
        self._early: list[Message] = []  # what was asked before there was a worker
        self._active: dict[str, None] = {}
        self._errands = Errands()
        self._stats: Mapping[str, Any] = {}
        self._started = False
        self._quiet = 0.0
        self._delivering = False
        self._closed = threading.Event()

    def start(self, on_event: OnEvent, on_death: OnDeath) -> None:
        with self._lock:
            if self._closed.is_set() or self._started:
                return
            self._started = True
            self._on_event, self._on_death = on_event, on_death
            self._reader = threading.Thread(target=self._run, name="engine-process", daemon=True)
            self._reader.start()

    def submit(self, job: EngineJob) -> None:
        if self._on_event is None:
            raise EngineError("The engine was given a job before it was started.")
        with self._lock:
            closed = self._closed.is_set()
            if not closed:
                self._active[job.id] = None
        if closed:
            self._on_event(EngineEvent(job.id, JobState.CANCELLED))
        else:
            self._send(*pack_job(job))

    def cancel(self, job_id: str) -> None:
        with self._lock:
            early = [one for one in self._early if one[0]["kind"] == "job" and one[0]["id"] == job_id]
            for message in early:
                self._early.remove(message)
                self._active.pop(job_id, None)
        if early:
            self._on_event(EngineEvent(job_id, JobState.CANCELLED))
        else:
            self._send({"kind": "cancel", "id": job_id})

    def skip(self, job_id: str, picture: int | None = None) -> None:
        self._send({"kind": "skip", "id": job_id, "picture": picture})

    def warm(self, model: str) -> None:
        self._send({"kind": "warm", "model": model})

    def preprocess(self, ask: ControlAsk, told: Told) -> None:
        if self._closed.is_set():
            told(ControlMade(error="The studio is closing.", field="controls"))
        else:
            self._send(*self._errands.pack(ask, told))

    def stats(self) -> Mapping[str, Any]:
        """The worker's latest facts; `alive` once it has said that it can draw."""
        with self._lock:
            pid = self._worker.pid if self._worker is not None else None
            unknown = {"device": "unknown", "dtype": self._setup["dtype"], "models": []}
            return {**unknown, **self._stats, "engine": "process", "alive": bool(self._stats), "pid": pid}

    def close(self) -> None:
        with self._lock:
            self._closed.set()
            worker, early, self._early = self._worker, self._early, []
        if worker is not None:
            self._send({"kind": "close"})
            _end(worker)
            self._reader.join(_CLOSE_SECONDS)  # the last events are still in the pipe
        for header, _ in early:
            if header["kind"] == "job":
                self._forget(header["id"])
        self._errands.lose("The studio is closing.")
        with self._lock:
            left = list(self._active)
        for job_id in left:
            self._forget(job_id)

    def _forget(self, job_id: str) -> None:
        with self._lock:
            known = job_id in self._active
            self._active.pop(job_id, None)
        if known and self._on_event is not None:
            self._on_event(EngineEvent(job_id, JobState.CANCELLED))

    def _plugins_changed(self) -> None:
        """A worker that isn't there yet is told when it is greeted."""
        if self._wire is not None:
            self._send({"kind": "plugins", "plugins": self._plugins.handoff()})

    def _send(self, header: Mapping[str, Any], blobs: Sequence[bytes] = ()) -> None:
        with self._lock:
            wire = self._wire
            if wire is None:
                self._early.append((dict(header), list(blobs)))
                return
        try:
            wire.send(header, blobs)
        except OSError:
            log.info("the engine process is gone; its reader says so next")

    def _run(self) -> None:
        """Start a worker, pass its events on, and say when it has died; one such thread for every worker."""
        while self.ready_when is not None and not self.ready_when():
            if self._closed.wait(0.5):
                return
        try:
            with self._lock:
                if self._closed.is_set():
                    return
                worker = self._worker = self._open()
                wire = self._greet(worker)
        except OSError as error:
            self._started = False
            self._on_death(f"The engine process can't be started: {error}.")
            return
        threading.Thread(target=self._watch, args=(worker,), name="silent-engine", daemon=True).start()
        self._listen(wire)
        self._ended(worker)

    def _greet(self, worker: subprocess.Popen[bytes]) -> Wire:
        """Tell a new worker what to draw with, then what was asked before it was there; in this order."""
        wire = Wire(worker.stdout, worker.stdin)
        try:
            plugins = self._plugins.handoff() if self._plugins is not None else None
            wire.send({"kind": "setup", "plugins": plugins, **self._setup})
            for header, blobs in self._early:
                wire.send(header, blobs)
        except BrokenPipeError:
            log.info("the engine process ended at once; its reader says so next")
        self._wire, self._early = wire, []
        return wire

    def _listen(self, wire: Wire) -> None:
        while (message := wire.receive()) is not None:
            header, blobs = message
            self._quiet = 0.0
            if header["kind"] == "beat":
                continue
            if header["kind"] == "stats":
                with self._lock:
                    self._stats = header["stats"]
                continue
            if header["kind"] == "preprocessed":
                self._errands.answer(header, blobs)
                continue
            if header["kind"] == "blame":
                if self._plugins is not None:
                    self._plugins.blame(header["name"], header["reason"], header["traceback"])
                continue
            event = unpack_event(header, blobs)
            if event.state.ended:
                with self._lock:
                    self._active.pop(event.job_id, None)
            self._delivering = True
            try:
                self._on_event(event)
            except Exception:  # the job thread's other end: a listener that raises must not stop the events of others
                log.exception("An event of job %s could not be delivered", event.job_id)
            self._delivering = False

    def _watch(self, worker: subprocess.Popen[bytes]) -> None:
        """End a worker that is silent for too long.

        Only time in which this process ran and listened counts: not that of a computer that slept.
        """
        self._quiet, pause = 0.0, min(1.0, self._patience.least / 4)
        while worker.poll() is None and not self._closed.wait(pause):
            self._quiet += 0.0 if self._delivering else pause
            # Until it has said that it can draw it imports libraries, and may be busy inside of one for long.
            if self._quiet > (self._patience.least if self._stats else self._patience.unknown):
                log.error("the engine process said nothing for %.0f seconds and is ended", self._quiet)
                worker.kill()
                return

    def _ended(self, worker: subprocess.Popen[bytes]) -> None:
        code, silent = _end(worker, patience=5.0), self._quiet
        for pipe in (worker.stdin, worker.stdout):
            with contextlib.suppress(OSError):  # what a dead worker hasn't read can't be flushed
                pipe.close()
        with self._lock:
            self._worker = self._wire = None
            self._stats, self._started = {}, False
            if self._closed.is_set():
                return
            self._active.clear()
        self._errands.lose("The engine stopped while it made the control picture and is being started again.")
        why = f"it did not answer for {silent:.0f} seconds" if silent > self._patience.least else _why(code)
        self._on_death(f"The engine process ended ({why}); {self._log_path} says more.")

    def _open(self) -> subprocess.Popen[bytes]:
        self._log_path.parent.mkdir(parents=True, exist_ok=True)
        fresh = not self._log_path.exists() or self._log_path.stat().st_size > _LOG_LIMIT
        environment = dict(os.environ)
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(_ROOT), environment.get("PYTHONPATH")]))
        environment["PYTHONUNBUFFERED"] = "1"
        # Ctrl+C in the terminal is for the studio, which then closes its worker in good order.
        apart: dict[str, Any] = {"start_new_session": True}
        if sys.platform == "win32":
            apart = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}
        with self._log_path.open("wb" if fresh else "ab") as errors:
            return subprocess.Popen(
                [sys.executable, "-m", "toolkit.engine.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=environment,
                **apart,
            )


def _end(worker: subprocess.Popen[bytes], patience: float = _CLOSE_SECONDS) -> int:
    """Wait for a worker to end by itself, then end it; returns its exit status."""
    for act in (lambda: None, worker.terminate, worker.kill):
        act()
        try:
            return worker.wait(patience)
        except subprocess.TimeoutExpired:
            patience = 3.0
    return worker.wait()


def _why(code: int) -> str:
    if code < 0:
        try:
            return f"signal {signal.Signals(-code).name}"
        except ValueError:
            return f"signal {-code}"
    return f"exit status {code}"
