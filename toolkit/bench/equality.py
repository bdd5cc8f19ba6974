"""`equality`: how far a denoiser call in company is from the same call alone, over a job of every mode at once."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

import torch

from toolkit.bench.crowd import Crowd
from toolkit.bench.measure import Result, conditions, quartiles
from toolkit.bench.modes import jobs_of_all_modes
from toolkit.engine.coalescer import Call, Coalescer
from toolkit.models import ModelIndex

AIM = 1e-5
RUNS = 1


class Compared(Coalescer):
    """Predicts every joined call once more for each of its parts alone, and remembers how far apart they are."""

    def __init__(self, denoiser: Any) -> None:
        super().__init__(denoiser)
        self.differences: dict[str, list[float]] = {}

    def _forward(self, calls: list[Call]) -> list[torch.Tensor]:
        results = super()._forward(calls)
        if len(calls) > 1:
            for call, result in zip(calls, results, strict=True):
                difference = (super()._forward([call])[0] - result).abs().max().item()
                self.differences.setdefault(call.turn.who, []).append(difference)
        return results


def measure(models: ModelIndex, model_id: str, dtype: str, runs: int | None = None) -> Result:
    """The largest difference of any prediction, in float32; and of the pictures, in levels of 255, reported only."""
    model = models.find(model_id)
    found: dict[str, list[float]] = {}
    pixels: dict[str, int] = {}
    count = runs or RUNS
    with Crowd(models, "float32") as crowd:
        manager = crowd.engine.open()[0]
        with manager.lease(model) as components:
            plain = components.coalescer
            for number in range(count):
                jobs = jobs_of_all_modes(model.id, model.card, number + 1)
                compared = Compared(components.unet)
                compared.around, compared.before = plain.around, plain.before
                components.coalescer = compared
                together = crowd.run(list(jobs.values()))
                components.coalescer = plain
                for who, differences in compared.differences.items():
                    found.setdefault(who, []).extend(differences)
                for (mode, job), one in zip(jobs.items(), together, strict=True):
                    alone = crowd.run([job])[0]
                    pixels[mode] = max(pixels.get(mode, 0), _apart(one.pictures, alone.pictures))
    worst = [max(differences) for differences in found.values()]
    return Result(
        scenario="equality",
        value=max(worst),
        aim=AIM,
        unit="",
        ours_s=0.0,
        peer_s=0.0,
        runs=count,
        spread=quartiles(worst),
        conditions={
            **conditions(torch.float32),
            "model": model.id,
            "calls": sum(map(len, found.values())),
            "median": statistics.median(worst),
            "modes": {mode: f"{max(differences):.1e}" for mode, differences in found.items()},
            "pixels": pixels,
        },
    )


def _apart(some: Sequence[Any], others: Sequence[Any]) -> int:
    return max(
        max(abs(a - b) for a, b in zip(one.rgb, other.rgb, strict=True))
        for one, other in zip(some, others, strict=True)
    )
