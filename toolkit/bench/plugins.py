"""`plugins-start` and `plugins-guard`: what the bundled plugins cost a start, and the guard each call of a hook."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from toolkit.bench.measure import Result, quartiles
from toolkit.models import ModelIndex
from toolkit.plugins.plugins import Plugins

AIM_START_MS, AIM_GUARD_US = 100.0, 5.0
RUNS = 15
CALLS = 2000
_PLUGIN = "from toolkit.plugins.api import hookimpl\n\n\n@hookimpl\ndef on_event(event):\n    pass\n"


def measure_start(models: ModelIndex, model_id: str, dtype: str, runs: int | None = None) -> Result:
    """Milliseconds to find, check and load all bundled plugins; the peer is the same studio in safe mode."""
    ours, peer = [], []
    with tempfile.TemporaryDirectory() as data:
        count = len(Plugins(Path(data)).registry.plugins)  # the first start also reads shared modules from the disk
        for _ in range(runs or RUNS):
            ours.append(_seconds(lambda: Plugins(Path(data))))
            peer.append(_seconds(lambda: Plugins(Path(data), safe=True)))
    return _result("plugins-start", ours, peer, 1e3, AIM_START_MS, " ms", {"plugins": count}, extra=False)


def measure_guard(models: ModelIndex, model_id: str, dtype: str, runs: int | None = None) -> Result:
    """Microseconds that a hook call takes longer through the guard than called directly."""
    ours, peer = [], []
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home) / "given" / "idle"
        folder.mkdir(parents=True)
        (folder / "plugin.toml").write_text("api = 1\n", "utf-8")
        (folder / "__init__.py").write_text(_PLUGIN, "utf-8")
        plugins = Plugins(Path(home) / "data", own=None, given=[folder.parent])
        [(plugin, hook)] = plugins.registry.implementations("on_event")
        asked = {"event": None, "settings": {}}
        for _ in range(runs or RUNS):
            ours.append(_each(lambda: plugins.guard.hook(plugin, hook, asked)))
            peer.append(_each(lambda: hook.function(None)))
    return _result("plugins-guard", ours, peer, 1e6, AIM_GUARD_US, " µs", {"calls": CALLS}, extra=True)


def _result(
    name: str, ours: list[float], peer: list[float], unit: float, aim: float, label: str, conditions: dict, extra: bool
) -> Result:
    values = [(one - (other if extra else 0)) * unit for one, other in zip(ours, peer, strict=True)]
    return Result(
        scenario=name,
        value=statistics.median(values),
        aim=aim,
        unit=label,
        ours_s=statistics.median(ours),
        peer_s=statistics.median(peer),
        runs=len(values),
        spread=quartiles(values),
        conditions=conditions,
    )


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _each(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    for _ in range(CALLS):
        work()
    return (time.perf_counter() - began) / CALLS
