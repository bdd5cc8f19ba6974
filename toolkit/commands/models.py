"""`launch.py models`: the models that the studio can draw with."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from toolkit.models import ModelFile
    from toolkit.settings import Settings

HELP = "list the models that the studio can draw with"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON object with all models and problems")


def run(args: argparse.Namespace, settings: Settings) -> int:
    """List every model; a folder that can't be used is named with its reason, and doesn't change the exit code."""
    from toolkit.errors import ModelError
    from toolkit.models import ModelIndex

    index = ModelIndex.of(settings)
    problems, models = index.problems(), []
    for model in index.list():
        try:
            model.check()
        except ModelError as error:
            problems.append(str(error))
        else:
            models.append(model)
    if args.json:
        json.dump({"models": [_facts(model) for model in models], "problems": problems}, sys.stdout, ensure_ascii=False)
        print()
        return 0
    for model in models:
        width, height = model.card["native_size"]
        print(f"{model.id}\n    {model.title} · {model.family} · {width} × {height} · {model.bytes / 1e6:,.1f} MB")
        print(f"    {model.licence} · {model.path}")
    if not models:
        print("There is no model yet. Put a diffusers folder into models/checkpoints.")
    for problem in problems:
        print(problem, file=sys.stderr)
    return 0


def _facts(model: ModelFile) -> dict[str, object]:
    return {
        "id": model.id,
        "title": model.title,
        "family": model.family,
        "native_size": model.card["native_size"],
        "bytes": model.bytes,
        "licence": model.licence,
        "hash": model.hash,
        "path": str(model.path),
    }
