"""`eight-starter`: eight people's pictures at once by the engine, against the plain pipeline one after the other."""

from __future__ import annotations

from toolkit.bench.crowd import eight_at_once
from toolkit.bench.measure import Result
from toolkit.bench.one_job import PlainPipeline, request_of
from toolkit.engine.device import choose_device, choose_dtype
from toolkit.engine.protocol import EngineJob
from toolkit.models import ModelIndex

AIM = 1.2
RUNS = 5
STEPS = 10


def measure(models: ModelIndex, model_id: str, dtype: str, runs: int | None = None) -> Result:
    """How many times as many pictures a second, from text to pixels on both sides, with another prompt for each."""
    model = models.find(model_id)
    precision = choose_dtype(dtype, choose_device())
    return eight_at_once(
        "eight-starter", models, lambda number: job_of(model.id, model.card, number),
        PlainPipeline(model, precision, STEPS), aim=AIM, runs=runs or RUNS, precision=precision,
        known={"model": model.id, "steps": STEPS},
    )  # fmt: skip


def job_of(model_id: str, card: dict, number: int, steps: int = STEPS) -> EngineJob:
    """A job of a person of its own."""
    return EngineJob(f"bench-{number}", request_of(model_id, card, number, steps), who=f"person {number}")
