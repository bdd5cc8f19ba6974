"""`eight-jobs`: eight different jobs at once through one denoiser, against one after the other without any of ours."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import diffusers
import torch

from toolkit.bench.comparison import times_as_fast
from toolkit.bench.measure import Result
from toolkit.bench.shapes import EIGHT, Shape, Sketch
from toolkit.engine.coalescer import Coalescer
from toolkit.engine.denoiser import Seat
from toolkit.engine.device import choose_device, choose_dtype
from toolkit.models import ModelIndex

AIMS = {"tiny": 1.4, "sd1": 3.0, "sdxl": 1.3}
RUNS = 5


def measure(models: ModelIndex, model_id: str, dtype: str, runs: int | None = None) -> Result:
    """How many times as many pictures a second: the tiny denoiser on a CPU, Stable Diffusion 1's shape on a GPU."""
    return _measure("eight-jobs", "tiny" if choose_device().type == "cpu" else "sd1", dtype, runs)


def measure_large(models: ModelIndex, model_id: str, dtype: str, runs: int | None = None) -> Result:
    """The same in SDXL's shape, for a GPU."""
    return _measure("eight-jobs-sdxl", "sdxl", dtype, runs)


def _measure(scenario: str, name: str, dtype: str, runs: int | None) -> Result:
    diffusers.utils.logging.set_verbosity_error()
    device = choose_device()
    precision = choose_dtype("float32" if device.type == "cpu" else dtype, device)
    shape = Shape(name, device, precision)
    jobs = Together(shape)
    for warm in (jobs.one_by_one, jobs.at_once):
        warm(-1)
    return times_as_fast(
        scenario, jobs.at_once, jobs.one_by_one, aim=AIMS[name], runs=runs or RUNS, precision=precision,
        learned=lambda: {
            "shape": name,
            "jobs": len(EIGHT),
            "calls_per_batch": round(jobs.coalescer.calls / jobs.coalescer.batches, 1),
        },
    )  # fmt: skip


class Together:
    """A set of sketches, drawn at once through a coalescer or one after the other by the bare denoiser."""

    def __init__(self, shape: Shape, sketches: Sequence[Sketch] = EIGHT) -> None:
        self.shape, self.sketches, self.coalescer = shape, sketches, Coalescer(shape.unet)

    def one_by_one(self, number: int) -> list[torch.Tensor]:
        with torch.no_grad():
            return self._settled([self.shape.draw(self.shape.unet, sketch) for sketch in self.sketches])

    def at_once(self, number: int) -> list[torch.Tensor]:
        drawn: dict[int, torch.Tensor] = {}

        def draw(index: int, sketch: Sketch) -> None:
            with torch.no_grad(), self.coalescer.job(f"person {index}") as turn:
                drawn[index] = self.shape.draw(Seat(turn, self.shape.unet, calls=sketch.steps), sketch)

        run_all([lambda pair=pair: draw(*pair) for pair in enumerate(self.sketches)])
        return self._settled([drawn[index] for index in range(len(self.sketches))])

    def _settled(self, latents: list[torch.Tensor]) -> list[torch.Tensor]:
        if self.shape.device.type == "cuda":
            torch.cuda.synchronize()
        return latents


def run_all(works: Sequence[Callable[[], None]]) -> None:
    """Run each on a thread of its own, and wait for all."""
    threads = [threading.Thread(target=work, daemon=True) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
