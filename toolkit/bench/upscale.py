"""`upscale` and `upscale-memory`: a picture of 1024 × 1024 doubled by the upscaler plugin, in tiles.

The peer is the plain call of spandrel's model with the whole picture, from pixels to pixels. Memory is what a process
of its own fills beyond what it held when the model was loaded; on a GPU, what torch held there.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
from PIL import Image

from toolkit.bench.measure import Result, conditions, in_turns, quartiles
from toolkit.engine.device import choose_device
from toolkit.errors import EngineError
from toolkit.finishing import FinishStep
from toolkit.models import ModelIndex
from toolkit.plugins.calls import finish
from toolkit.plugins.plugins import Plugins
from toolkit.request import GenerationRequest

AIM_SECONDS, AIM_MEMORY = 1.05, 1 / 3
RUNS = 5
SIDE = 1024
MODEL = "limner-starter-x2"
_ROOT = Path(__file__).resolve().parents[2]

Enlarge = Callable[[Image.Image], Image.Image]


def measure_seconds(models: ModelIndex, model_id: str, dtype: str, runs: int | None = None) -> Result:
    """The plugin's seconds ÷ those of the plain call."""
    picture, count = _picture(), runs or RUNS
    with tempfile.TemporaryDirectory() as data:
        ours, peer = _by_plugin(Path(data)), _plainly()
        if ours(picture).size != peer(picture).size:
            raise EngineError("The plugin and the plain call gave pictures of different sizes.")
        ours_s, peer_s = in_turns(lambda _: ours(picture), lambda _: peer(picture), count)
    values = [mine / theirs for mine, theirs in zip(ours_s, peer_s, strict=True)]
    return _result("upscale", values, AIM_SECONDS, (statistics.median(ours_s), statistics.median(peer_s)))


def measure_memory(models: ModelIndex, model_id: str, dtype: str, runs: int | None = None) -> Result:
    """The plugin's peak ÷ that of the plain call."""
    pairs = [(_peak("tiles"), _peak("whole")) for _ in range(runs or 1)]
    megabytes = [round(statistics.median(side) / 1e6) for side in zip(*pairs, strict=True)]
    values = [mine / theirs for mine, theirs in pairs]
    return _result("upscale-memory", values, AIM_MEMORY, (0.0, 0.0), ours_mb=megabytes[0], peer_mb=megabytes[1])


def _result(name: str, values: list[float], aim: float, seconds: tuple[float, float], **more: Any) -> Result:
    return Result(
        scenario=name,
        value=statistics.median(values),
        aim=aim,
        unit=" ×",
        ours_s=seconds[0],
        peer_s=seconds[1],
        runs=len(values),
        spread=quartiles(values),
        conditions={**conditions(torch.float32), "upscaler": MODEL, "side": SIDE, **more},
    )


def _by_plugin(data: Path) -> Enlarge:
    plugins = Plugins(data)
    request = GenerationRequest(finish=(FinishStep("upscale", {"file": MODEL, "scale": 2.0}),))

    def enlarge(picture: Image.Image) -> Image.Image:
        done = finish(plugins, picture, request, device=choose_device().type)
        if done.notes:
            raise EngineError(f"The benchmark's picture was not enlarged: {done.notes[0]}")
        return done.image

    return enlarge


def _plainly() -> Enlarge:
    import spandrel

    device = choose_device()
    model = spandrel.ModelLoader(device=device).load_from_file(_ROOT / "models" / "upscalers" / f"{MODEL}.safetensors")

    @torch.no_grad()
    def enlarge(picture: Image.Image) -> Image.Image:
        whole = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].to(device).float() / 255
        pixels = (model(whole)[0].clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0)
        return Image.fromarray(pixels.cpu().numpy())

    return enlarge


def _picture() -> Image.Image:
    chance = np.random.default_rng(0)
    return Image.fromarray(chance.integers(0, 256, (64, 64, 3), np.uint8)).resize((SIDE, SIDE))


def _peak(kind: str) -> int:
    command = [sys.executable, "-W", "ignore", "-m", "toolkit.bench.upscale", kind, str(torch.get_num_threads())]
    done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise EngineError(f"Measuring the memory ended with {done.returncode}: {done.stderr.strip()[-300:]}")
    return int(done.stdout.split()[-1])


class Watch:
    """Looks at this process's memory every few milliseconds: the peak that systems keep counts from its start."""

    def __enter__(self) -> Watch:
        self._own, self._over = psutil.Process(), threading.Event()
        self._before = self._most = self._own.memory_info().rss
        self._thread = threading.Thread(target=self._look, name="memory-watch", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    @property
    def grown(self) -> int:
        """Bytes that the process held at most beyond what it held at first."""
        return self._most - self._before

    def _look(self) -> None:
        while not self._over.wait(0.002):
            self._most = max(self._most, self._own.memory_info().rss)


def _grown(kind: str, threads: int) -> int:
    """Bytes that enlarging fills at most beyond what is held after a small picture was enlarged."""
    torch.set_num_threads(threads)
    with tempfile.TemporaryDirectory() as data:
        enlarge = _by_plugin(Path(data)) if kind == "tiles" else _plainly()
        enlarge(_picture().resize((64, 64)))
        if choose_device().type == "cuda":
            torch.cuda.reset_peak_memory_stats()
            before = torch.cuda.memory_allocated()
            enlarge(_picture())
            return torch.cuda.max_memory_allocated() - before
        with Watch() as watch:
            enlarge(_picture())
        return watch.grown


if __name__ == "__main__":
    print(_grown(sys.argv[1], int(sys.argv[2])))
