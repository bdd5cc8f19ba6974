"""`eight-starter`: eight people's pictures at once by the engine, against the plain pipeline one after the other."""

from __future__ import annotations

import statistics
from dataclasses import replace

from toolkit.bench.crowd import Crowd
from toolkit.bench.measure import Pair, Result, conditions, gain, in_turns, quartiles
from toolkit.bench.one_job import PlainPipeline, request_of
from toolkit.engine.device import choose_device, choose_dtype, dtype_name
from toolkit.engine.protocol import EngineJob
from toolkit.models import ModelIndex

AIM = 1.2
RUNS = 5
JOBS = 8
STEPS = 10


def measure(models: ModelIndex, model_id: str, dtype: str, runs: int | None = None) -> Result:
    """How many times as many pictures a second, from text to pixels on both sides, with another prompt for each."""
    model = models.find(model_id)
    precision = choose_dtype(dtype, choose_device())
    peer = PlainPipeline(model, precision, STEPS)
    companies: list[int] = []
    with Crowd(models, dtype_name(precision)) as crowd:

        def ours(number: int) -> None:
            ended = crowd.run([job_of(model.id, model.card, JOBS * number + index) for index in range(JOBS)])
            companies.extend(event.facts["company"] for event in ended)

        def theirs(number: int) -> None:
            for index in range(JOBS):
                peer(JOBS * number + index)

        crowd.run([job_of(model.id, model.card, -1)])
        peer(-1)
        count = runs or RUNS
        processor: Pair = ([], [])
        ours_s, peer_s = in_turns(ours, theirs, count, processor)
    ratios = [plain / mine for mine, plain in zip(ours_s, peer_s, strict=True)]
    return Result(
        scenario="eight-starter",
        value=statistics.median(ratios),
        aim=AIM,
        unit=" ×",
        ours_s=statistics.median(ours_s),
        peer_s=statistics.median(peer_s),
        runs=count,
        spread=quartiles(ratios),
        at_least=True,
        conditions={
            **conditions(precision),
            "processor_gain": gain(processor),
            "model": model.id,
            "steps": STEPS,
            "jobs": JOBS,
            "company": statistics.median(companies),
        },
    )


def job_of(model_id: str, card: dict, number: int, steps: int = STEPS) -> EngineJob:
    """A job of a person of its own."""
    request = request_of(model_id, card, number)
    request = replace(request, sampling=replace(request.sampling, steps=steps))
    return EngineJob(f"bench-{number}", request, who=f"person {number}")
