"""Many jobs at one inline engine: what several scenarios are made of."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from toolkit.bench.comparison import times_as_fast
from toolkit.bench.measure import Result
from toolkit.engine.device import dtype_name
from toolkit.engine.inline import InlineEngine
from toolkit.engine.protocol import EngineEvent, EngineJob
from toolkit.errors import EngineError
from toolkit.jobs import JobState
from toolkit.models import ModelIndex


class Crowd:
    """An inline engine, and when each event of each job came."""

    def __init__(self, models: ModelIndex, dtype: str) -> None:
        self.engine = InlineEngine(models, dtype=dtype)
        self.events: dict[str, list[tuple[float, EngineEvent]]] = {}
        self._changed = threading.Condition()
        self.engine.start(self._on_event, lambda reason: None)

    def __enter__(self) -> Crowd:
        return self

    def __exit__(self, *_: object) -> None:
        self.engine.close()

    def submit(self, job: EngineJob) -> float:
        """Hand a job over; returns when that was."""
        self.events[job.id] = []
        self.engine.submit(job)
        return time.perf_counter()

    def run(self, jobs: Sequence[EngineJob]) -> list[EngineEvent]:
        """Draw jobs at once; returns their last events and raises EngineError when one of them failed."""
        for job in jobs:
            self.submit(job)
        return [self.wait(job.id) for job in jobs]

    def wait(self, job_id: str) -> EngineEvent:
        with self._changed:
            self._changed.wait_for(lambda: self.events[job_id] and self.events[job_id][-1][1].state.ended)
        last = self.events[job_id][-1][1]
        if last.state is JobState.FAILED:
            raise EngineError(f"The benchmark's job failed: {last.error}")
        return last

    def wait_for_step(self, job_id: str, step: int) -> None:
        with self._changed:
            self._changed.wait_for(lambda: any(event.step >= step for _, event in self.events[job_id]))

    def _on_event(self, event: EngineEvent) -> None:
        with self._changed:
            self.events.setdefault(event.job_id, []).append((time.perf_counter(), event))
            self._changed.notify_all()


def eight_at_once(
    scenario: str, models: ModelIndex, job_of: Callable[[int], EngineJob], peer: Callable[[int], Any], *, aim: float,
    runs: int, precision: Any, known: Mapping[str, Any],
) -> Result:  # fmt: skip
    """How many times as many pictures a second eight people's jobs make at once as `peer` makes of them one by one.

    Both are asked for pictures by number, of which no two are alike.
    """
    people = 8
    companies: list[int] = []
    with Crowd(models, dtype_name(precision)) as crowd:

        def ours(number: int) -> None:
            ended = crowd.run([job_of(people * number + place) for place in range(people)])
            companies.extend(event.facts["company"] for event in ended)

        def theirs(number: int) -> None:
            for place in range(people):
                peer(people * number + place)

        for warm in (ours, theirs):
            warm(-1)
        return times_as_fast(
            scenario, ours, theirs, aim=aim, runs=runs, precision=precision,
            learned=lambda: {**known, "jobs": people, "company": statistics.median(companies)},
        )  # fmt: skip
