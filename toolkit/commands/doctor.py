"""`launch.py doctor`: what this machine draws with, what is missing, what would help; it changes nothing."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit import __version__, environment

if TYPE_CHECKING:
    from toolkit.settings import Settings

HELP = "say what this machine draws with and what is missing"

PACKAGES = (
    "torch", "torchvision", "diffusers", "transformers", "peft", "accelerate", "safetensors", "controlnet-aux",
    "spandrel", "gradio", "pillow", "numpy",
)  # fmt: skip
LOW_DISK = 5e9


@dataclass
class Findings:
    """Everything that was looked at; `problems` keep the studio from drawing, `advice` makes it draw better."""

    limner: str = __version__
    python: str = platform.python_version()
    system: str = f"{platform.system()} {platform.release()} {platform.machine()}"
    installed: dict[str, bool] = field(default_factory=dict)
    packages: dict[str, str | None] = field(default_factory=dict)
    device: str | None = None
    dtype: str | None = None
    why: str | None = None
    gpus: list[str] = field(default_factory=list)
    threads: int | None = None
    memory: dict[str, int] = field(default_factory=dict)
    data: str | None = None
    disk_free: int = 0
    models: list[dict[str, Any]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    advice: list[str] = field(default_factory=list)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print everything as one JSON object")
    parser.add_argument("--model", metavar="ID|FILE", help="load this model and print a report that can be sent")
    parser.add_argument("--dtype", choices=("auto", "float32", "float16", "bfloat16"), help="precision for --model")


def run(args: argparse.Namespace, settings: Settings | None) -> int:
    """Print the findings; 0 when the studio can draw, 1 when something keeps it from drawing."""
    if args.model is not None and settings is not None:
        return _model(args, settings)
    findings = examine(settings, Path(args.data) if getattr(args, "data", None) else None)
    if args.json:
        print(json.dumps(asdict(findings), ensure_ascii=False))
    else:
        print(described(findings))
    return 1 if findings.problems else 0


def _model(args: argparse.Namespace, settings: Settings) -> int:
    """Report on one model; ModelError says what is wrong with it."""
    from toolkit.models import ModelIndex

    index = ModelIndex.of(settings)
    model = index.find(args.model)
    index.memory.sha256(model.weights("unet"), wait=True)
    environment.ensure(("engine",))
    from toolkit.engine.offline import stay_offline

    stay_offline()
    from toolkit.engine.report import described as model_described
    from toolkit.engine.report import model_report

    facts = model_report(model, settings.dtype)
    print(json.dumps(facts, ensure_ascii=False) if args.json else model_described(facts))
    return 0 if all(answer["finite"] for answer in facts["answers"].values()) else 1


def examine(settings: Settings | None, data: Path | None = None) -> Findings:
    """Look at the machine; without `settings` (no packages yet) at what a bare Python can see."""
    found = Findings(installed={part: environment.ready(part) for part in environment.FILES}, gpus=nvidia_gpus())
    _memory(found)
    _disk(found, Path(settings.data) if settings else data or environment.ROOT)
    if settings is None:
        found.problems.append(
            "The environment isn't made yet: `python3 launch.py` makes it and installs the packages."
        )
        return found
    found.packages = {name: _version(name) for name in PACKAGES}
    if found.installed["engine"]:
        _device(found, settings)
    else:
        found.problems.append(
            "The packages that draw aren't all in: `python3 launch.py` installs them, or goes on where it stopped."
        )
    _models(found, settings)
    return found


def nvidia_gpus() -> list[str]:
    """The names of the NVIDIA cards that their driver lists, whether or not torch can use them."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    try:
        asked = subprocess.run(
            [tool, "--query-gpu=name,memory.total", "--format=csv,noheader"], capture_output=True, text=True, timeout=20
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    return [line.strip() for line in asked.stdout.splitlines() if line.strip()] if asked.returncode == 0 else []


def _device(found: Findings, settings: Settings) -> None:
    try:
        from toolkit.engine.device import choose_device, choose_dtype, dtype_name
    except (ImportError, OSError) as error:
        found.problems.append(f"torch is installed but can't be loaded: {str(error).splitlines()[0]}.")
        return
    device = choose_device()
    found.device = device.type
    found.dtype = dtype_name(choose_dtype(settings.dtype, device))
    asked = "" if settings.dtype == "auto" else f", and the settings ask for {settings.dtype}"
    reasons = {
        "cuda": "torch can use the NVIDIA or AMD card",
        "mps": "torch can use the Mac's graphics",
        "cpu": "torch finds no graphics card it can use, so the processor draws",
    }
    found.why = reasons.get(device.type, f"torch offers {device.type}") + asked
    found.threads = settings.threads or os.cpu_count()
    if found.gpus and device.type != "cuda":
        found.advice.append(
            f"There is a graphics card ({found.gpus[0]}) that the installed torch {found.packages['torch']} can't use: "
            "update its driver, or start once with --torch-index and PyTorch's index for your CUDA version."
        )


def _models(found: Findings, settings: Settings) -> None:
    from toolkit.errors import ModelError
    from toolkit.models import ModelIndex

    index = ModelIndex.of(settings)
    for model in index.list():
        problem = None
        try:
            model.check()
        except ModelError as error:
            problem = str(error)
        found.models.append({"id": model.id, "title": model.title, "bytes": model.bytes, "problem": problem})
    found.advice += [model["problem"] for model in found.models if model["problem"]] + index.problems()
    if not any(model["problem"] is None for model in found.models):
        found.problems.append("There is no sound model: `git checkout models` brings the starter model back.")


def _memory(found: Findings) -> None:
    try:
        import psutil
    except ImportError:
        return
    memory = psutil.virtual_memory()
    found.memory = {"total": memory.total, "available": memory.available}


def _disk(found: Findings, data: Path) -> None:
    existing = next(folder for folder in (data.absolute(), *data.absolute().parents) if folder.is_dir())
    found.data, found.disk_free = str(data.absolute()), shutil.disk_usage(existing).free
    if found.disk_free < LOW_DISK:
        found.advice.append(f"The disk with {data} has only {found.disk_free / 1e9:.1f} GB left.")


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def described(found: Findings) -> str:
    """The findings as lines for a person."""
    lines = [
        f"Limner    {found.limner}, Python {found.python}, {found.system}",
        f"Python    {sys.executable}",
        f"Draws on  {found.device} in {found.dtype}: {found.why}" if found.device else "Draws on  unknown yet",
    ]
    if found.device == "cpu" and found.threads:
        lines.append(f"Threads   {found.threads}")
    lines += [f"Card      {name}" for name in found.gpus]
    if found.memory:
        lines.append(f"Memory    {found.memory['available'] / 1e9:.1f} of {found.memory['total'] / 1e9:.1f} GB free")
    lines.append(f"Disk      {found.disk_free / 1e9:.1f} GB free for {found.data}")
    absent = [environment.TITLES[part].split(" (")[0] for part in ("page", "engine") if not found.installed[part]]
    lines.append(f"Packages  {'not yet: ' + ', '.join(absent) if absent else 'all in'}")
    for name, version in found.packages.items():
        lines.append(f"          {name} {version or 'missing'}")
    for model in found.models:
        state = "damaged" if model["problem"] else "sound"
        lines.append(f"Model     {model['id']}, {model['bytes'] / 1e6:.0f} MB, {state}")
    lines += [f"Problem   {sentence}" for sentence in found.problems]
    lines += [f"Advice    {sentence}" for sentence in found.advice]
    return "\n".join(lines)
