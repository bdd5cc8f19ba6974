"""`lora-change` and `lora-merged`: what other LoRAs cost between two pictures, and a LoRA within a picture."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import replace

from toolkit.adapters import LoraUse
from toolkit.bench.crowd import Crowd
from toolkit.bench.measure import Result, conditions, quartiles
from toolkit.bench.one_job import request_of
from toolkit.engine.device import choose_device, choose_dtype, dtype_name
from toolkit.engine.protocol import EngineJob
from toolkit.models import ModelIndex

AIM_CHANGE, AIM_MERGED = 0.05, 1.05
RUNS = 15
STEPS = 10
LORA, OTHER = "limner-starter-neon", "limner-starter-linocut"

Draw = Callable[..., float]


def measure_change(models: ModelIndex, model_id: str, dtype: str, runs: int | None = None) -> Result:
    """Seconds that a picture takes longer after one with other LoRAs than after one with the same.

    Every change goes to weights that were never used before, so that nothing remembered is a help.
    """

    def pair(draw: Draw, number: int) -> tuple[float, float]:
        uses = LoraUse(LORA, 0.5 + number / 1000), LoraUse(OTHER, 0.6)
        draw(4 * number, LoraUse(OTHER, 0.9 + number / 1000))
        return draw(4 * number + 1, *uses), draw(4 * number + 2, *uses)

    return _measure("lora-change", pair, lambda changed, same: changed - same, AIM_CHANGE, " s", model_id, models,
                    dtype, runs)  # fmt: skip


def measure_merged(models: ModelIndex, model_id: str, dtype: str, runs: int | None = None) -> Result:
    """A picture with a LoRA ÷ one without, each after one of its kind."""

    def pair(draw: Draw, number: int) -> tuple[float, float]:
        uses = LoraUse(LORA, 0.8)
        sides: dict[bool, float] = {}
        for with_lora in (True, False) if number % 2 else (False, True):
            chosen = (uses,) if with_lora else ()
            draw(4 * number, *chosen)
            sides[with_lora] = draw(4 * number + 1, *chosen)
        return sides[True], sides[False]

    return _measure("lora-merged", pair, lambda mine, plain: mine / plain, AIM_MERGED, " ×", model_id, models,
                    dtype, runs)  # fmt: skip


def _measure(
    scenario: str, pair: Callable[[Draw, int], tuple[float, float]], value: Callable[[float, float], float], aim: float,
    unit: str, model_id: str, models: ModelIndex, dtype: str, runs: int | None,
) -> Result:  # fmt: skip
    model = models.find(model_id)
    precision = choose_dtype(dtype, choose_device())
    with Crowd(models, dtype_name(precision)) as crowd:

        def draw(number: int, *loras: LoraUse) -> float:
            """Seconds from the job's start to its last picture, with a prompt of its own."""
            request = request_of(model.id, model.card, number)
            sampling = replace(request.sampling, steps=STEPS)
            job = EngineJob(f"bench-{number}", replace(request, sampling=sampling, loras=loras))
            return crowd.run([job])[0].seconds["total"]

        pair(draw, -1)
        pairs = [pair(draw, number) for number in range(runs or RUNS)]
    values = [value(*both) for both in pairs]
    ours, peer = zip(*pairs, strict=True)
    return Result(
        scenario=scenario,
        value=statistics.median(values),
        aim=aim,
        unit=unit,
        ours_s=statistics.median(ours),
        peer_s=statistics.median(peer),
        runs=len(pairs),
        spread=quartiles(values),
        conditions={**conditions(precision), "model": model.id, "steps": STEPS},
    )
