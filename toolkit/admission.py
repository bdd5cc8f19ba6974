"""What may be queued: one function that the page, the command line and every other way in go through."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from toolkit.errors import NotAdmitted
from toolkit.jobs import Who
from toolkit.request import GenerationRequest
from toolkit.starts import FromImage, FromText

MEGA = 1_000_000
RETRY_OWN, RETRY_ALL = 5.0, 30.0


@dataclass(frozen=True, slots=True)
class Limits:
    """Caps of one studio. Visitors have their own; the owner is held only by what the machine can take.

    `*_pixels` count one picture; `*_work` is pixels × pictures × steps in millions, which is what drawing costs;
    `visitor_pending` counts a visitor's waiting and running jobs together.
    """

    visitor_pixels: int = 2_100_000
    visitor_steps: int = 60
    visitor_count: int = 4
    visitor_work: float = 300.0
    visitor_prompt: int = 4_000
    visitor_pending: int = 4
    owner_pixels: int = 17_000_000
    owner_work: float = 20_000.0
    owner_pending: int = 100
    max_pending: int = 200

    @classmethod
    def from_settings(cls, settings: Any) -> Limits:
        """Take over every limit that the settings know by the same name."""
        known = {f.name: getattr(settings, f.name, None) for f in fields(cls)}
        return cls(**{name: value for name, value in known.items() if value is not None})


def admit(request: GenerationRequest, who: Who, *, pending: int, pending_total: int, limits: Limits = Limits()) -> None:
    """Let a resolved request of `who` into the queue, or raise NotAdmitted with what would be admitted.

    `pending` and `pending_total` are the waiting and running jobs of this person and of everybody. Only a full
    queue carries `retry_after`: a request that is too large stays too large.
    """
    owner = who.role == "owner"
    if not owner:
        _admit_visitors_request(request, limits)
    _admit_work(request, limits.owner_pixels if owner else limits.visitor_pixels,
                limits.owner_work if owner else limits.visitor_work)  # fmt: skip
    most = limits.owner_pending if owner else limits.visitor_pending
    if pending >= most:
        raise NotAdmitted(
            "job",
            f"You already have {pending} {_jobs(pending)} waiting or being drawn, and {most} at a time are admitted; "
            "wait for one, or cancel one.",
            RETRY_OWN,
        )
    if pending_total >= limits.max_pending:
        raise NotAdmitted(
            "job",
            f"The studio is busy: {pending_total} jobs are waiting, and it takes {limits.max_pending}; "
            f"try again in about {RETRY_ALL:.0f} seconds.",
            RETRY_ALL,
        )


def _admit_visitors_request(request: GenerationRequest, limits: Limits) -> None:
    typed = request.written or request
    for field, text in (
        ("prompt", request.prompt), ("negative", request.negative),
        ("prompt", typed.prompt), ("negative", typed.negative),
    ):  # fmt: skip
        if len(text) > limits.visitor_prompt:
            raise NotAdmitted(
                field, f"The {field} text has {len(text):,} characters; visitors may use {limits.visitor_prompt:,}."
            )
    if (request.sampling.steps or 0) > limits.visitor_steps:
        raise NotAdmitted(
            "sampling.steps", f"{request.sampling.steps} steps are too many for a visitor; use {limits.visitor_steps}."
        )
    if request.count > limits.visitor_count:
        raise NotAdmitted(
            "count", f"{request.count} pictures at once are too many for a visitor; use {limits.visitor_count}."
        )


def _admit_work(request: GenerationRequest, pixels: int, work: float) -> None:
    size, steps = request.size, request.sampling.steps or 1
    if size is None:
        raise NotAdmitted("size", "The picture has no size yet; only a prepared request can be queued.")
    # Pictures that are changed in parts are drawn at the model's own size, whatever their own is.
    whole = isinstance(request.start, (FromText, FromImage))
    if whole and size.pixels > pixels:
        longest = int(max(size) * (pixels / size.pixels) ** 0.5) // 64 * 64
        smaller = size.fit(max(64, longest)).snap(64)
        raise NotAdmitted(
            "size",
            f"{size} is {size.pixels / MEGA:.1f} megapixels, and {pixels / MEGA:.1f} are admitted; try {smaller}.",
        )
    asked = (size.pixels / MEGA if whole else 1.0) * request.count * steps
    if request.refine is not None:
        asked *= 1 + request.refine.scale**2 * request.refine.strength
    if asked > work:
        fewer = max(1, int(work / (size.pixels / MEGA * request.count)))
        raise NotAdmitted(
            "sampling.steps",
            f"{request.count} × {size} with {steps} steps is too much work at once "
            f"({asked:,.0f} of {work:,.0f} megapixel steps); use {fewer} steps, or fewer or smaller pictures.",
        )


def _jobs(count: int) -> str:
    return "job" if count == 1 else "jobs"
