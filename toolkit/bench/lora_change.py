"""`lora-change` and `lora-merged`: what other LoRAs cost between two pictures, and a LoRA within a picture."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

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


class Took(NamedTuple):
    """Seconds of one picture: those that passed, and those of the processor, which other programs change less."""

    wall: float
    processor: float


Draw = Callable[..., Took]
Pair = tuple[Took, Took]


def measure_change(models: ModelIndex, model_id: str, dtype: str, runs: int | None = None) -> Result:
    """Seconds that a picture takes longer after one with other LoRAs than after one with the same.

    Every change goes to weights that were never used before, so that nothing remembered is a help.
    """

    def pair(draw: Draw, number: int) -> Pair:
        uses = LoraUse(LORA, 0.5 + number / 1000), LoraUse(OTHER, 0.6)
        draw(4 * number, LoraUse(OTHER, 0.9 + number / 1000))
        return draw(4 * number + 1, *uses), draw(4 * number + 2, *uses)

    return _measure("lora-change", pair, lambda changed, same: changed - same, AIM_CHANGE, " s", model_id, models,
                    dtype, runs)  # fmt: skip


def measure_merged(models: ModelIndex, model_id: str, dtype: str, runs: int | None = None) -> Result:
    """A picture with a LoRA ÷ one without, each after one of its kind."""

    def pair(draw: Draw, number: int) -> Pair:
        uses = LoraUse(LORA, 0.8)
        sides: dict[bool, Took] = {}
        for with_lora in (True, False) if number % 2 else (False, True):
            chosen = (uses,) if with_lora else ()
            draw(4 * number, *chosen)
            sides[with_lora] = draw(4 * number + 1, *chosen)
        return sides[True], sides[False]

    return _measure("lora-merged", pair, lambda mine, plain: mine / plain, AIM_MERGED, " ×", model_id, models,
                    dtype, runs)  # fmt: skip


def _measure(
    scenario: str, pair: Callable[[Draw, int], Pair], value: Callable[[float, float], float], aim: float,
    unit: str, model_id: str, models: ModelIndex, dtype: str, runs: int | None,
) -> Result:  # fmt: skip
    model = models.find(model_id)
    precision = choose_dtype(dtype, choose_device())
    with Crowd(models, dtype_name(precision)) as crowd:

        def draw(number: int, *loras: LoraUse) -> Took:
            """From the job's start to its last picture, with a prompt of its own."""
            request = request_of(model.id, model.card, number)
            sampling = replace(request.sampling, steps=STEPS)
            job = EngineJob(f"bench-{number}", replace(request, sampling=sampling, loras=loras))
            began = time.process_time()
            wall = crowd.run([job])[0].seconds["total"]
            return Took(wall, time.process_time() - began)

        pair(draw, -1)
        pairs = [pair(draw, number) for number in range(runs or RUNS)]
    values = [value(mine.wall, theirs.wall) for mine, theirs in pairs]
    processor = statistics.median(value(mine.processor, theirs.processor) for mine, theirs in pairs)
    ours, peer = zip(*([both.wall for both in pair] for pair in pairs), strict=True)
    return Result(
        scenario=scenario,
        value=statistics.median(values),
        aim=aim,
        unit=unit,
        ours_s=statistics.median(ours),
        peer_s=statistics.median(peer),
        runs=len(pairs),
        spread=quartiles(values),
        conditions={**conditions(precision), "processor": round(processor, 4), "model": model.id, "steps": STEPS},
    )
