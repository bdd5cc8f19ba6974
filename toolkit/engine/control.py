"""A running job's side of the runner: where it says what it does, and where it is told to stop."""

from __future__ import annotations

import statistics
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from toolkit.engine.protocol import EngineEvent, EngineJob, OnEvent, Picture
from toolkit.engine.skips import Skips
from toolkit.errors import Cancelled
from toolkit.jobs import JobState

_SECONDS = {
    "loading": "load", "encoding": "encode", "denoising": "denoise", "decoding": "decode", "finishing": "finish",
}  # fmt: skip
_STEPS_REMEMBERED = 50
_LOOK = 1.0


@dataclass(frozen=True, slots=True)
class Drawn:
    """What drawing a job gave: the pictures in the order of their seeds, and facts for their metadata.

    `indices` says which pictures of the request they are; empty means all of them.
    """

    pictures: tuple[Picture, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)
    note: str | None = None
    withheld: tuple[str, ...] = ()
    indices: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds without a sign of life before a job counts as stalled.

    Between steps it is `steps` medians of the job's steps and at least `least`; before the first step and in other
    phases nobody knows how long is usual, and it is `unknown`. `grace` is for a job that was told to stop. A control
    picture to look at may take `preview`, which is less than those wait who asked for the one behind it.
    """

    least: float = 120.0
    steps: float = 10.0
    unknown: float = 600.0
    preview: float = 90.0
    grace: float = 10.0


class Control:
    """A running job's way to speak and to be stopped; used by the thread that draws it."""

    def __init__(self, job: EngineJob, on_event: OnEvent, plugins_turn: threading.Lock | None = None) -> None:
        self.job = job
        self._plugins_turn = plugins_turn or threading.Lock()
        self.stopped = threading.Event()
        self.stalled: str | None = None
        self.skips = Skips(job.request.count, job.skipped)
        self.seconds: dict[str, float] = {}
        self.steps = job.request.sampling.steps or 20
        self._on_event = on_event
        self._began = self._since = self._stepped = time.perf_counter()
        self._phase = ""
        self._step = 0
        self._previews = [b""] * job.request.count
        self._lengths: deque[float] = deque(maxlen=_STEPS_REMEMBERED)
        self._sign = time.monotonic()
        self._speaking = threading.Lock()
        self._ended = False

    def checkpoint(self) -> None:
        """Raise Cancelled when somebody has asked for the job to stop."""
        if self.stopped.is_set():
            raise Cancelled("The job was cancelled.")

    def alive(self) -> None:
        """Say that the job waits for others that move on, and is not stuck."""
        self._sign = time.monotonic()

    def phase(self, name: str) -> None:
        """Enter a phase; the time since the last one counts for that one."""
        self.checkpoint()
        self.alive()
        if name == self._phase:
            return
        self.clock()
        self._phase = name
        self._stepped = time.perf_counter()
        self._tell()

    @contextmanager
    def plugins_turn(self) -> Iterator[None]:
        """Have plugins work on a picture, for one job at a time: nobody who writes one need think of threads."""
        while not self._plugins_turn.acquire(timeout=_LOOK):
            self.alive()
            self.checkpoint()
        try:
            yield
        finally:
            self._plugins_turn.release()

    def plan(self, steps_left: int) -> None:
        """Say how many denoising steps are still to come; drawing in several batches takes their sum."""
        self.steps = self._step + steps_left

    def step(self, previews: tuple[bytes, ...] = ()) -> None:
        """Say that one more denoising step is done; `previews` are of the pictures that are being drawn, or none."""
        now = time.perf_counter()
        self._lengths.append(now - self._stepped)
        self._stepped = now
        self._step += 1
        self.alive()
        self._tell(self._shown(previews))
        self.checkpoint()

    def _shown(self, news: tuple[bytes, ...]) -> tuple[bytes, ...]:
        """The newest preview of each picture of the job, empty for one that has none or was given up."""
        if not news:
            return ()
        for index, preview in zip(self.skips.drawing, news, strict=True):
            self._previews[index] = preview
        return tuple(b"" if index in self.skips.skipped else one for index, one in enumerate(self._previews))

    def clock(self) -> dict[str, float]:
        """The seconds of each phase so far, and of all together."""
        now = time.perf_counter()
        name = _SECONDS.get(self._phase)
        if name:
            self.seconds[name] = self.seconds.get(name, 0.0) + now - self._since
        self._since = now
        self.seconds["total"] = now - self._began
        return self.seconds

    def overdue(self, patience: Patience) -> str | None:
        """A sentence when the job has shown no sign of life for too long; may be called by any thread."""
        allowed = patience.unknown
        if self._phase == "denoising" and self._lengths:
            allowed = max(patience.least, patience.steps * statistics.median(list(self._lengths)))
        quiet = time.monotonic() - self._sign
        if quiet <= allowed:
            return None
        return (
            f"The job was ended, because nothing moved in it for {quiet:.0f} seconds while it was {self._phase} "
            f"(step {self._step} of {self.steps}). Try it again, with a smaller size if it happens again."
        )

    def finish(self, state: JobState, drawn: Drawn | None = None, error: str | None = None) -> bool:
        """Send the job's last event; False when it was sent before."""
        with self._speaking:
            if self._ended:
                return False
            self._ended = True
        seconds = {name: round(value, 4) for name, value in self.clock().items()}
        event = EngineEvent(self.job.id, state, self._phase or "queued", self._step, self.steps, seconds=seconds)
        if drawn is None:
            self._on_event(replace(event, error=error))
        else:
            gone = set(range(self.job.request.count)) - set(drawn.indices) if drawn.indices else ()
            said = {"facts": drawn.facts, "note": drawn.note, "withheld": drawn.withheld}
            self._on_event(replace(event, pictures=drawn.pictures, skipped=tuple(sorted(gone)), **said))
        return True

    def mute(self) -> None:
        """Say nothing from now on: somebody else answers for this job."""
        with self._speaking:
            self._ended = True

    def _tell(self, previews: tuple[bytes, ...] = ()) -> None:
        if self._ended:
            raise Cancelled("The job was given up.")
        seconds = {name: round(value, 4) for name, value in self.seconds.items()}
        event = EngineEvent(
            self.job.id, JobState.RUNNING, self._phase, self._step, self.steps, previews, seconds=seconds,
            skipped=self.skips.skipped,
        )  # fmt: skip
        self._on_event(event)
