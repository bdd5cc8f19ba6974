"""A job and what it says of itself while it runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Mapping, NamedTuple

from toolkit.geometry import Size
from toolkit.request import GenerationRequest

if TYPE_CHECKING:
    from PIL.Image import Image


class JobState(str, Enum):
    """`interrupted`: the studio stopped while the job ran; it waits for somebody to run it again."""

    QUEUED = "queued"
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"

    @property
    def ended(self) -> bool:
        return self not in (JobState.QUEUED, JobState.RUNNING)


class Who(NamedTuple):
    """A person as the studio knows them: a random id, and the role "owner" or "visitor"."""

    id: str
    role: str


OWNER = Who("owner", "owner")


@dataclass(frozen=True, slots=True)
class GeneratedImage:
    """A picture, the resolved request that draws exactly this one (count 1, its own seed), and its saved file.

    `size` is that of the file, which a second pass or a start picture makes another one than the request's.
    """

    id: str
    request: GenerationRequest
    path: Path
    image: Image | None = field(default=None, compare=False, repr=False)
    index: int = 0
    size: Size | None = None


@dataclass(frozen=True, slots=True)
class JobEvent:
    """One moment of a job.

    `phase` is "queued", "loading", "encoding", "denoising", "decoding" or "saving"; `step` of `steps` counts
    denoising steps; `place` is the number of jobs that run before this one; `previews` are small JPEG files, one
    per picture (none when there is nothing new to see, empty bytes for a picture without one); `skipped` are the
    indices of pictures that were given up; `seconds` are the times the phases took;
    `note` is a sentence about something unusual that the person should know ("the engine was restarted").
    """

    job_id: str
    state: JobState
    phase: str = "queued"
    step: int = 0
    steps: int = 0
    place: int = 0
    previews: tuple[bytes, ...] = ()
    images: tuple[GeneratedImage, ...] = ()
    error: str | None = None
    note: str | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)
    skipped: tuple[int, ...] = ()
