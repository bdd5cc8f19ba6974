"""What every engine can do: JSON-ready jobs in, events out. No engine knows of the queue, the gallery or the page.

An engine runs on threads or in a process of its own and calls `on_event` from there, in order for each job. The last
event of a job has the state finished, failed or cancelled; after it the engine has forgotten the job. An engine that
dies says so with `on_death`; whoever submitted decides what runs again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from toolkit.jobs import JobState
from toolkit.request import GenerationRequest

if TYPE_CHECKING:
    from toolkit.engine.preprocessing import ControlAsk, Told

# So many jobs share the denoiser's calls; more wait in the queue, where turns are fair. One more seat is kept for a job
# of few steps, so that it is never stuck behind long ones.
JOBS_AT_ONCE = 8
EXPRESS = 1


@dataclass(frozen=True, slots=True)
class EngineJob:
    """A resolved request under the id that its events carry; `exact` keeps it out of any shared batch.

    `who` is the id of its person, for fair turns; `pictures` are the input pictures that it needs, SHA-256 → PNG file;
    `skipped` are the indices of pictures that were given up before, in an engine that has died.
    """

    id: str
    request: GenerationRequest
    exact: bool = False
    who: str = "owner"
    pictures: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    skipped: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Picture:
    """A finished picture as raw bytes (height × width × 3, or × 4 with the mode RGBA), as it crosses processes."""

    width: int
    height: int
    rgb: bytes = field(repr=False)
    mode: str = "RGB"


@dataclass(frozen=True, slots=True)
class EngineEvent:
    """One moment of a job inside the engine; the meaning of the fields is that of `toolkit.jobs.JobEvent`.

    `previews` are one for each picture of the request, empty for one that has none yet; none at all when there is no
    news. `skipped` are the indices of pictures that were given up. `pictures` come with the state finished, in the
    order of their seeds, without the skipped ones. `facts` are what the picture's metadata
    should say of the machine that drew it: {"dtype", "batch", "device", "engine"}. `withheld` holds, for each picture
    in turn, why it may not be kept, or ""; it is empty when all may be.
    """

    job_id: str
    state: JobState
    phase: str = "queued"
    step: int = 0
    steps: int = 0
    previews: tuple[bytes, ...] = field(default=(), repr=False)
    pictures: tuple[Picture, ...] = field(default=(), repr=False)
    error: str | None = None
    note: str | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    withheld: tuple[str, ...] = ()
    skipped: tuple[int, ...] = ()


OnEvent = Callable[[EngineEvent], None]
OnDeath = Callable[[str], None]


class Engine(Protocol):
    """The verbs of an engine; `capacity` is how many jobs it takes at once, `express` how many short ones more."""

    capacity: int
    express: int

    def start(self, on_event: OnEvent, on_death: OnDeath) -> None:
        """Make ready to take jobs; returns at once, a job that comes early waits for the engine.

        May be called again after `on_death`.
        """

    def submit(self, job: EngineJob) -> None:
        """Take a job; never raises for what is wrong with it (its last event says so)."""

    def cancel(self, job_id: str) -> None:
        """Stop a job within one denoising step; does nothing for a job that has ended."""

    def skip(self, job_id: str, picture: int | None = None) -> None:
        """Give up one picture of a job within one denoising step; its other pictures go on.

        `picture` is its index; without one it is the first of those that are being drawn. Does nothing for a picture
        that is drawn already; a job without any picture left ends as cancelled.
        """

    def warm(self, model: str) -> None:
        """Load a model before anybody asks for it; errors wait for the job that needs it."""

    def preprocess(self, ask: ControlAsk, told: Told) -> None:
        """Make a control picture beside the drawing; `told` is called once with it or with a reason, on any thread."""

    def stats(self) -> Mapping[str, Any]:
        """JSON-ready facts: {"engine", "alive", "device", "dtype", "models": [{"id", "bytes", "warm"}], …}.

        Engines that load models also tell the "budget" in bytes that these may fill.
        `warm` says that a model is in memory; of engines that share denoiser calls each model also has "jobs", the
        number of those that draw with it now, and how many "calls" were joined into "batches" so far.
        """

    def close(self) -> None:
        """End all jobs as cancelled and free everything; may be called twice."""
