"""`launch.py bench`: how fast the studio is, measured against its peers on this machine."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from toolkit.settings import Settings

HELP = "measure how fast this machine draws"

# Each is a function `(models, model_id, dtype, runs) -> Result` in a module of toolkit.bench.
SCENARIOS = {
    "one-job": "one_job:measure",
    "eight-jobs": "eight_jobs:measure",
    "eight-jobs-sdxl": "eight_jobs:measure_large",
    "eight-starter": "eight_starter:measure",
    "all-modes": "all_modes:measure",
    "short-preview": "short_job:measure_preview",
    "short-picture": "short_job:measure_picture",
    "model-switch": "model_switch:measure",
    "lora-change": "lora_change:measure_change",
    "lora-merged": "lora_change:measure_merged",
    "lora-mix": "lora_mix:measure",
    "upscale": "upscale:measure_seconds",
    "upscale-memory": "upscale:measure_memory",
    "model-index": "model_index:measure",
    "model-index-again": "model_index:measure_again",
    "preview": "preview:measure",
    "memory-1": "memory:measure_one",
    "memory-8": "memory:measure_eight",
    "equality": "equality:measure",
    "cold": "cold:measure",
    "plugins-start": "plugins:measure_start",
    "plugins-guard": "plugins:measure_guard",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("scenario", nargs="*", metavar="SCENARIO", help=f"{', '.join(SCENARIOS)} (default: all)")
    add("--model", metavar="ID|PATH", default="limner-starter", help="the model to draw with")
    add("--dtype", choices=("auto", "float32", "float16", "bfloat16"), default="auto", help="precision of both sides")
    add("--threads", type=int, metavar="N", help="CPU threads (default: torch's choice)")
    add("--runs", type=int, metavar="N", help="how often each side runs")
    add("--json", action="store_true", help="print one JSON object with all results")


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Run the scenarios one after the other; with --json standard output holds the one object and nothing else."""
    from toolkit.errors import SettingsError
    from toolkit.models import ModelIndex

    wanted = args.scenario or list(SCENARIOS)
    for name in wanted:
        if name not in SCENARIOS:
            raise SettingsError(f"There is no benchmark called “{name}”. There are {', '.join(SCENARIOS)}.")
    if args.runs is not None and args.runs < 1:
        raise SettingsError(f"--runs {args.runs} won't work: at least one run is needed.")
    output, results = sys.stdout, {}
    with contextlib.redirect_stdout(sys.stderr):
        for name in wanted:
            module, function = SCENARIOS[name].split(":")
            measure = getattr(import_module(f"toolkit.bench.{module}"), function)
            result = measure(ModelIndex.of(settings), args.model, args.dtype, args.runs)
            results[name] = result.to_dict()
            print(result.line(), file=sys.stderr if args.json else output, flush=True)
    if args.json:
        json.dump(results, output, ensure_ascii=False, indent=2)
        output.write("\n")
    return 0
