"""`all-modes`: a job of each mode, all at once, against the same jobs one after the other."""

from __future__ import annotations

from toolkit.bench.comparison import times_as_fast
from toolkit.bench.crowd import Crowd
from toolkit.bench.measure import Result
from toolkit.bench.modes import STEPS, jobs_of_all_modes
from toolkit.engine.device import choose_device, choose_dtype, dtype_name
from toolkit.models import ModelIndex

RUNS = 5


def measure(models: ModelIndex, model_id: str, dtype: str, runs: int | None = None) -> Result:
    """How many times as many pictures a second; on the other side the engine has one job at a time."""
    model = models.find(model_id)
    precision = choose_dtype(dtype, choose_device())
    with Crowd(models, dtype_name(precision)) as crowd:

        def ours(number: int) -> None:
            crowd.run(list(jobs_of_all_modes(model.id, model.card, 2 * number + 3).values()))

        def theirs(number: int) -> None:
            for job in jobs_of_all_modes(model.id, model.card, 2 * number + 4).values():
                crowd.run([job])

        def learned() -> dict[str, object]:
            stats = next(one for one in crowd.engine.stats()["models"] if one["id"] == model.id)
            return {
                "model": model.id,
                "steps": STEPS,
                "modes": list(jobs_of_all_modes(model.id, model.card, 0)),
                "calls_per_batch": round(stats["calls"] / stats["batches"], 2),
            }

        ours(-1)
        return times_as_fast(
            "all-modes", ours, theirs, aim=2.0 if choose_device().type == "cuda" else 1.2, runs=runs or RUNS,
            precision=precision, learned=learned,
        )  # fmt: skip
