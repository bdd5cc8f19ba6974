"""`short-preview`, `short-picture`: a job of four steps that arrives while eight of fifty steps run.

Both are counted in full-batch steps: the median time between two steps of the long jobs before the short one came.
"""

from __future__ import annotations

import statistics
from dataclasses import replace
from itertools import pairwise

from toolkit.bench.crowd import Crowd
from toolkit.bench.eight_starter import job_of
from toolkit.bench.measure import Result, conditions, quartiles
from toolkit.engine.device import choose_device, choose_dtype, dtype_name
from toolkit.engine.protocol import JOBS_AT_ONCE
from toolkit.models import ModelIndex

PREVIEW_AIM, PICTURE_AIM = 3.0, 7.0
RUNS = 5
LONG, SHORT = 50, 4
_BETWEEN = 6


def measure_preview(models: ModelIndex, model_id: str, dtype: str, runs: int | None = None) -> Result:
    """Full-batch steps until the newcomer sees a first preview."""
    return _measure("short-preview", PREVIEW_AIM, models, model_id, dtype, runs)


def measure_picture(models: ModelIndex, model_id: str, dtype: str, runs: int | None = None) -> Result:
    """Full-batch steps until the newcomer's picture is there, decoded."""
    return _measure("short-picture", PICTURE_AIM, models, model_id, dtype, runs)


def _measure(scenario: str, aim: float, models: ModelIndex, model_id: str, dtype: str, runs: int | None) -> Result:
    model = models.find(model_id)
    precision = choose_dtype(dtype, choose_device())
    count = runs or RUNS
    waits, steps_s = [], []
    with Crowd(models, dtype_name(precision)) as crowd:
        crowd.run([job_of(model.id, model.card, -1)])
        steps = max(LONG, 5 + (count + 1) * 2 * _BETWEEN)  # the same company until the last newcomer
        long = [job_of(model.id, model.card, number, steps) for number in range(JOBS_AT_ONCE)]
        for job in long:
            crowd.submit(job)
        for number in range(count):
            reached = max(event.step for job in long for _, event in crowd.events[job.id][-1:]) if number else 0
            crowd.wait_for_step(long[0].id, reached + _BETWEEN)
            step_s = _step_seconds(crowd, long[0].id)
            short = replace(job_of(model.id, model.card, 100 + number, SHORT), id=f"short-{number}")
            began = crowd.submit(short)
            crowd.wait(short.id)
            told = crowd.events[short.id]
            seen = next(when for when, event in told if event.previews)
            steps_s.append(step_s)
            waits.append((seen if scenario == "short-preview" else told[-1][0]) - began)
        for job in long:
            crowd.engine.cancel(job.id)
    values = [wait / step for wait, step in zip(waits, steps_s, strict=True)]
    return Result(
        scenario=scenario,
        value=statistics.median(values),
        aim=aim,
        unit=" full-batch steps",
        ours_s=statistics.median(waits),
        peer_s=statistics.median(steps_s),
        runs=count,
        spread=quartiles(values),
        conditions={**conditions(precision), "model": model.id, "long_jobs": JOBS_AT_ONCE, "peer": "a full-batch step"},
    )


def _step_seconds(crowd: Crowd, job_id: str) -> float:
    """The median time between the latest steps of a long job."""
    times = [when for when, event in crowd.events[job_id] if event.step][-_BETWEEN:]
    return statistics.median(later - earlier for earlier, later in pairwise(times))
