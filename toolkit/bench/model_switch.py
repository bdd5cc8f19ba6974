"""`model-switch`: seconds from asking for another model to holding its components, when both are in memory."""

from __future__ import annotations

import shutil
import statistics
import tempfile
import time
from pathlib import Path

from toolkit.bench.measure import Result, conditions, quartiles
from toolkit.engine.manager import PipelineManager
from toolkit.models import ModelIndex

AIM = 0.01
RUNS = 15


def measure(models: ModelIndex, model_id: str, dtype: str, runs: int | None = None) -> Result:
    """The peer is loading the model from its files, which a studio with one model in memory does at each switch."""
    first = models.find(model_id)
    count = runs or RUNS
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(first.path, Path(folder, "other"))
        second = ModelIndex([Path(folder)]).find("other")
        manager = PipelineManager(dtype)
        loads, switches = [], []
        try:
            for model in (first, second):
                loads.append(_seconds(manager, model))
            for _ in range(count):
                for model in (first, second):
                    switches.append(_seconds(manager, model))
            precision = manager.dtype
        finally:
            manager.close()
    return Result(
        scenario="model-switch",
        value=statistics.median(switches),
        aim=AIM,
        unit=" s",
        ours_s=statistics.median(switches),
        peer_s=statistics.median(loads),
        runs=len(switches),
        spread=quartiles(switches),
        conditions={**conditions(precision), "model": first.id},
    )


def _seconds(manager: PipelineManager, model: object) -> float:
    began = time.perf_counter()
    with manager.lease(model) as components:
        assert components.unet is not None
        return time.perf_counter() - began
