"""`launch.py models`: the models that the studio can draw with, where they are, and more of them."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from toolkit.model_files import ModelFile, WeightsFile
    from toolkit.settings import Settings

HELP = "list models, use folders of A1111 and ComfyUI in place, fetch a model"
_TITLES = {
    "lora": "LoRA", "vae": "VAE", "embedding": "embedding", "controlnet": "ControlNet", "upscaler": "upscaler",
    "checkpoint": "checkpoint",
}  # fmt: skip
_FOLDERS = {"lora": "loras", "vae": "vae", "embedding": "embeddings", "controlnet": "controlnet"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON object with all models and problems")
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    add = actions.add_parser("add", help="use the models in a folder, where they are: A1111's, ComfyUI's or any other")
    add.add_argument("folder", metavar="FOLDER")
    remove = actions.add_parser("remove", help="no longer use a folder; its files stay where they are")
    remove.add_argument("folder", metavar="FOLDER")
    get = actions.add_parser("get", help="fetch a model from the Hugging Face hub or an address, after asking")
    get.add_argument("source", metavar="HUB_ID|URL", help="ORG/NAME, ORG/NAME/FILE.safetensors or https://…")
    get.add_argument("--to", metavar="FOLDER", help="where to put it (default: models, by its kind)")
    get.add_argument("--yes", action="store_true", help="don't ask")


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Run the action; listing names a file that can't be used with its reason, and doesn't change the exit code."""
    action = {"add": _add, "remove": _remove, "get": _get}.get(args.action or "", _list)
    return action(args, settings)


def _list(args: argparse.Namespace, settings: Settings) -> int:
    from toolkit.errors import ModelError
    from toolkit.models import ModelIndex
    from toolkit.warmth import folder_beside, read_loaded

    index = ModelIndex.of(settings)
    problems, models = index.problems(), []
    for model in index.list():
        try:
            model.check()
        except ModelError as error:
            problems.append(str(error))
        else:
            models.append(model)
    warm = read_loaded(folder_beside(index.where))
    others = {kind: index.files(kind) for kind in _TITLES if kind != "checkpoint"}
    problems += [str(file.facts["error"]) for files in others.values() for file in files if file.facts.get("error")]
    others = {kind: [file for file in files if not file.facts.get("error")] for kind, files in others.items()}
    if args.json:
        plain = {kind: [_file_facts(file) for file in files] for kind, files in others.items()}
        whole = {"models": [_facts(model, warm) for model in models], **plain, "problems": problems}
        json.dump(whole, sys.stdout, ensure_ascii=False)
        print()
        return 0
    for model in models:
        size = "{} × {}".format(*model.card["native_size"])
        facts = [model.title, model.row.title, size, f"{model.bytes / 1e6:,.1f} MB", *_state(model, warm)]
        print(f"{model.id}\n    {' · '.join(facts)}")
        print(f"    {model.licence} ({model.plain_licence}) · {model.path}")
    if not models:
        print("There is no model yet. Put one into models/checkpoints, or `launch.py models add FOLDER`.")
    counts = [_counted(len(files), kind) for kind, files in others.items() if files]
    if counts:
        print(f"Also there: {', '.join(counts)}.")
    for problem in problems:
        print(problem, file=sys.stderr)
    return 0


def _add(args: argparse.Namespace, settings: Settings) -> int:
    from toolkit.model_folders import LIST, add_folder, summary

    folder = add_folder(settings.data / LIST, args.folder)
    counts = [_counted(count, kind) for kind, count in summary(folder).items()]
    print(f"Models in {folder} are used from now on, where they are: {', '.join(counts) or 'none yet'}.")
    return 0


def _remove(args: argparse.Namespace, settings: Settings) -> int:
    from toolkit.model_folders import LIST, remove_folder

    print(f"{remove_folder(settings.data / LIST, args.folder)} is no longer used; its files are untouched.")
    return 0


def _get(args: argparse.Namespace, settings: Settings) -> int:
    from toolkit.downloads import plan

    home = Path(args.to).expanduser().absolute() if args.to else settings.models[0]
    planned = plan(args.source, home)
    size = f"{planned.bytes / 1e9:.2f} GB" if planned.bytes else "a size that the server doesn't say"
    print(f"{args.source}: {len(planned.files)} file{'s' * (len(planned.files) != 1)}, {size}, to {planned.target}.")
    if not args.yes and not _agreed():
        print("Nothing was fetched.")
        return 1
    path = planned.fetch(lambda done: print(f"\r{done / 1e6:,.0f} MB", end="", file=sys.stderr))
    print(file=sys.stderr)
    print(f"{_sorted_in(path, None if args.to else home)} is there.")
    return 0


def _counted(count: int, kind: str) -> str:
    return f"{count} {_TITLES[kind]}{'' if count == 1 else 's'}"


def _agreed() -> bool:
    try:
        return input("Fetch it? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        return False


def _sorted_in(path: Path, home: Path | None) -> Path:
    """A single file in the folder of its kind beside `home`, where it was put first."""
    from toolkit.kinds import kind_of
    from toolkit.weights import header_of

    kind = kind_of(header_of(path)) if path.is_file() else None
    if home is None or kind not in _FOLDERS:
        return path
    target = home.parent / _FOLDERS[kind] / path.name
    target.parent.mkdir(exist_ok=True)
    return path.rename(target)


def _state(model: ModelFile, warm: Mapping[str, bool]) -> list[str]:
    """Whether a running studio has the model in memory."""
    known = warm.get(str(model.path))
    return [] if known is None else ["loaded"] if known else ["parked in memory"]


def _facts(model: ModelFile, warm: Mapping[str, bool]) -> dict[str, object]:
    return {
        "warm": warm.get(str(model.path), False),
        "id": model.id,
        "title": model.title,
        "family": model.family,
        "native_size": model.card["native_size"],
        "bytes": model.bytes,
        "licence": model.licence,
        "plain_licence": model.plain_licence,
        "hash": model.hash,
        "path": str(model.path),
        "preview": str(model.preview) if model.preview else None,
    }


def _file_facts(file: WeightsFile) -> dict[str, object]:
    return {
        "name": file.name,
        "title": file.title,
        "bytes": file.bytes,
        "licence": file.licence,
        "path": str(file.path),
        "preview": str(file.preview) if file.preview else None,
    }
