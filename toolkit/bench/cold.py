"""`cold`: seconds from typing `launch.py generate` to the saved picture, against a plain script in a new process."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from toolkit.bench.measure import Result, in_turns, quartiles
from toolkit.errors import EngineError
from toolkit.models import ModelFile, ModelIndex

AIM = 20.0
RUNS = 3
_ROOT = Path(__file__).resolve().parents[2]
_PROMPT = "a red star on a white background"
_PLAIN = """
import sys
from diffusers import StableDiffusionPipeline
pipeline = StableDiffusionPipeline.from_pretrained(sys.argv[1], local_files_only=True)
pipeline(sys.argv[2], num_inference_steps=int(sys.argv[3])).images[0].save(sys.argv[4])
"""


def measure(models: ModelIndex, model_id: str, dtype: str, runs: int | None = None) -> Result:
    """Seconds, the median of `runs` starts; the peer is the shortest diffusers script that draws the same."""
    model = models.find(model_id)
    count = runs or RUNS
    with tempfile.TemporaryDirectory() as folder:
        ours_s, peer_s = in_turns(
            lambda number: _run(_ours(model, dtype, Path(folder), number)),
            lambda number: _run(_peer(model, Path(folder))),
            count,
        )
    return Result(
        scenario="cold",
        value=statistics.median(ours_s),
        aim=AIM,
        unit=" s",
        ours_s=statistics.median(ours_s),
        peer_s=statistics.median(peer_s),
        runs=count,
        spread=quartiles(ours_s),
        conditions={"model": model.id, "size": model.card["native_size"], "dtype": dtype},
    )


def _ours(model: ModelFile, dtype: str, folder: Path, number: int) -> list[str]:
    launcher = [sys.executable, str(_ROOT / "launch.py"), "generate", _PROMPT, "--model", str(model.id)]
    return [*launcher, "--seed", str(number), "--dtype", dtype, "--data", str(folder / "data")]


def _peer(model: ModelFile, folder: Path) -> list[str]:
    steps = str(model.card["defaults"]["steps"])
    return [sys.executable, "-c", _PLAIN, str(model.path), _PROMPT, steps, str(folder / "plain.png")]


def _run(command: list[str]) -> None:
    done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise EngineError(f"{' '.join(command[:3])} … ended with {done.returncode}: {done.stderr.strip()[-300:]}")
