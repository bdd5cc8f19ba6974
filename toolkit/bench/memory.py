"""`memory-1`, `memory-8`: the peak memory of a process that draws one picture, or eight people's at once.

The peer is a process that draws one picture with the plain pipeline. On a CPU it is the most memory that the process
held, libraries included; on a GPU the most that torch held there. Each is measured in a process of its own.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
from pathlib import Path

from toolkit.bench.measure import Result, conditions, quartiles
from toolkit.engine.device import choose_device, choose_dtype, dtype_name
from toolkit.errors import EngineError
from toolkit.models import ModelIndex
from toolkit.settings import Settings

RUNS = 3
_ROOT = Path(__file__).resolve().parents[2]


def measure_one(models: ModelIndex, model_id: str, dtype: str, runs: int | None = None) -> Result:
    return _measure("memory-1", "one", 1.03 if choose_device().type == "cuda" else 1.05, models, model_id, dtype, runs)


def measure_eight(models: ModelIndex, model_id: str, dtype: str, runs: int | None = None) -> Result:
    return _measure("memory-8", "eight", 1.6, models, model_id, dtype, runs)


def _measure(
    scenario: str, ours: str, aim: float, models: ModelIndex, model_id: str, dtype: str, runs: int | None
) -> Result:
    model = models.find(model_id)
    precision = choose_dtype(dtype, choose_device())
    count = runs or RUNS
    pairs = []
    for _ in range(count):
        pairs.append([_peak(kind, str(model.path), dtype_name(precision)) for kind in (ours, "plain")])
    ratios = [mine / theirs for mine, theirs in pairs]
    megabytes = [round(statistics.median(values) / 1e6) for values in zip(*pairs, strict=True)]
    return Result(
        scenario=scenario,
        value=statistics.median(ratios),
        aim=aim,
        unit=" ×",
        ours_s=0.0,
        peer_s=0.0,
        runs=count,
        spread=quartiles(ratios),
        conditions={**conditions(precision), "model": model.id, "ours_mb": megabytes[0], "peer_mb": megabytes[1]},
    )


def _peak(kind: str, path: str, dtype: str) -> int:
    command = [sys.executable, "-W", "ignore", "-m", "toolkit.bench.memory", kind, path, dtype]
    done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise EngineError(f"Measuring the memory ended with {done.returncode}: {done.stderr.strip()[-300:]}")
    return int(done.stdout.split()[-1])


def _draw(kind: str, path: str, dtype: str) -> int:
    """Draw; returns bytes that were taken at once before torch's count began anew, 0 where it did not."""
    models = ModelIndex.of(Settings())
    model = models.find(path)
    if kind == "plain":
        from toolkit.bench.one_job import PlainPipeline

        PlainPipeline(model, choose_dtype(dtype, choose_device()), 4)(0)
        return 0
    from toolkit.bench.crowd import Crowd
    from toolkit.bench.eight_starter import job_of

    with Crowd(models, dtype) as crowd:
        crowd.run([job_of(model.id, model.card, number, 4) for number in range(8 if kind == "eight" else 1)])
        with crowd.engine.open()[0].lease(model) as components:
            # Measuring its calls, the engine starts torch's count afresh.
            return getattr(components.coalescer.activations.meter, "highest", 0)


def _held() -> int:
    """Bytes: the peak so far."""
    if choose_device().type == "cuda":
        import torch

        return torch.cuda.max_memory_allocated()
    if sys.platform == "win32":
        import psutil

        return psutil.Process().memory_info().peak_wset
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


if __name__ == "__main__":
    earlier = _draw(*sys.argv[1:4])
    print(max(earlier, _held()))
